"""Conversions, and questions about tensors and dtypes, as PyTorch's."""

import numpy as np
import pytest
from torch_oracle import same_error, same_program

import minigrad as mg

PROGRAMS = [
    "m.ones(2).to(m.int64), m.ones(2).to(m.float64, True, True)",
    "m.ones(2).to('cpu', m.int64), m.ones(2).to(m.arange(2))",
    "m.ones(2).to(dtype=m.int32, copy=True), m.ones(2).to('cpu'), m.ones(2).to(device='cpu'), m.ones(2).to()",
    "m.ones(2).float(), m.ones(2).double(), m.ones(2).long(), m.ones(2).int(), m.ones(2).short(), m.ones(2).char()",
    "m.ones(2).byte(), m.ones(2).bool(), m.ones(2).type_as(m.arange(2)), m.ones(2).cpu()",
    "m.ones(2).type(), m.arange(3).type(), m.ones(2).type(m.float64), m.ones(2).type('torch.DoubleTensor')",
    "m.tensor([float('nan'), 2.7, -1.3]).to(m.int64), m.tensor([-1.0, 300.7]).to(m.uint8), m.tensor([0.2, 0.0]).bool()",
    "m.ones(2, 3, 2, 2).to(memory_format=m.channels_last).stride(), m.ones(2, requires_grad=True).double()",
    "m.is_tensor(1), m.is_tensor(m.ones(1)), m.is_floating_point(m.ones(1)), m.is_floating_point(m.arange(1))",
    "m.is_complex(m.ones(1)), m.ones(1).is_complex(), m.is_nonzero(m.tensor([0.0])), m.numel(m.ones(2, 3))",
    "m.can_cast(m.float32, m.int64), m.can_cast(m.int64, m.uint8)",
    "m.can_cast(m.int64, m.bool), m.can_cast(m.bool, m.int8)",
    "m.finfo(m.float32).eps, m.finfo(m.float32).resolution",
    "m.finfo(m.float64).smallest_normal, m.finfo(m.float32).bits",
    "m.finfo().dtype, m.finfo(m.float64).max, m.finfo(m.float32).min",
    "m.finfo(m.float32).tiny, repr(m.finfo(m.float32))",
    "m.iinfo(m.int64).min, m.iinfo(m.uint8).max, m.iinfo(m.int16).bits, m.iinfo(m.int32).dtype, repr(m.iinfo(m.uint8))",
    "m.tensor(2.5).item(), m.tensor([[3]]).item(), m.tensor([True]).item(), m.ones(2).tolist(), int(m.tensor(2.7))",
]
ERRORS = [
    "m.ones(2).type('a')", "m.ones(2, 2).item()", "m.tensor([]).item()", "m.is_floating_point(1)", "m.numel(1)",
    "m.is_nonzero(m.ones(2))", "m.promote_types(m.int8, 3)", "m.finfo(m.int64)", "m.iinfo(m.float32)",
    "m.iinfo(m.bool)",
]  # fmt: skip
NAMES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program):
    same_program(lambda m: eval(program, {"m": m}))


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same_error(lambda m: eval(program, {"m": m}))


def test_promotion_of_every_pair():
    def program(m):
        def name(dtype):
            return str(dtype).rpartition(".")[2]

        dtypes = [getattr(m, n) for n in NAMES]
        vectors = [m.zeros(1, dtype=d) for d in dtypes]
        scalars = [m.zeros((), dtype=d) for d in dtypes]
        return [
            *[name(m.promote_types(a, b)) for a in dtypes for b in dtypes],
            *[name(m.result_type(a, b)) for a in vectors for b in [*scalars, 1, 1.5, True]],
            *[name(m.result_type(a, b)) for a in scalars for b in [*scalars, 1, 1.5, True]],
            *[m.can_cast(a, b) for a in dtypes for b in dtypes],
        ]

    same_program(program)


def test_what_changes_nothing_is_the_tensor_itself():
    x = mg.ones(2)
    assert x.to(mg.float32) is x and x.float() is x and x.cpu() is x and x.type_as(x) is x and x.to("cpu") is x
    y = x.to(mg.float32, copy=True)
    assert y is not x and not np.shares_memory(y.numpy(), x.numpy())


def test_a_gpu_is_an_error():
    for call in (mg.ones(2).cuda, lambda: mg.ones(2).to("cuda"), lambda: mg.zeros(2, device="cuda:0")):
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            call()
