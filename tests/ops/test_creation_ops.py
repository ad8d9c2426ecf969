"""Tensors from data and by a rule: values, dtypes, keyword forms and errors as PyTorch's."""

import numpy as np
import pytest
from torch_oracle import same_error, same_program

import minigrad as mg

PROGRAMS = [
    "m.zeros(2, 3), m.zeros((2, 3)), m.zeros([2]), m.zeros(()), m.zeros(0, 2), m.zeros(size=(2,)), m.ones(m.Size([2]))",
    "m.ones(2, dtype=m.int64), m.ones(2, dtype=m.bool), m.zeros(2, requires_grad=True), m.ones(m.tensor(3))",
    "m.full((2,), 7), m.full((2,), 7.5), m.full((2,), True)",
    "m.full((), m.tensor(2)), m.full([2, 1], 1, dtype=m.float64)",
    "m.full((2,), 300.7, dtype=m.int32), m.full((2,), -1, dtype=m.uint8), m.full(size=(2,), fill_value=float('inf'))",
    "m.zeros_like(m.ones(2, 3)), m.ones_like(m.arange(2)), m.full_like(m.arange(2), 2.7), m.empty_like(m.ones(2, 0))",
    "m.zeros_like(m.ones(2), dtype=m.int64), m.ones_like(m.ones(2), requires_grad=True)",
    "m.zeros_like(m.ones(2, 3).t()).stride()",
    "m.ones_like(m.ones(3, 2).t(), memory_format=m.contiguous_format).stride()",
    "m.tensor([1.0]).new_tensor([1, 2]), m.tensor([1]).new_tensor([1.5, 2]), m.tensor([1]).new_full((2,), 1.5)",
    "m.tensor([1]).new_zeros(2, 3), m.tensor([1]).new_zeros((2,), dtype=m.float64), m.ones(1).new_ones([2])",
    "m.tensor([1.0]).new_empty(0), m.tensor([1.0]).new_ones(2, requires_grad=True)",
    "m.eye(3), m.eye(2, 3), m.eye(3, m=1), m.eye(0), m.eye(2, dtype=m.int64)",
    "m.arange(4), m.arange(1, 4), m.arange(end=3), m.arange(1, end=3), m.arange(0, 1, 0.3), m.arange(5, 0, -2)",
    "m.arange(3.0), m.arange(m.tensor(3)), m.arange(m.tensor(3.0)), m.arange(0), m.arange(2, 2), m.arange(True)",
    "m.arange(2**62, 2**62 + 3), m.arange(3, dtype=m.float64), m.arange(0.5, 5, 2, dtype=m.int64), m.arange(-5, 5, 3)",
    "m.linspace(0, 1, 5), m.linspace(0, 1, 1), m.linspace(0, 1, 0)",
    "m.linspace(3, -2, 7), m.linspace(0, 10, 4, dtype=m.int64)",
    "m.linspace(m.tensor(0), m.tensor(1.0), 3), m.linspace(start=1, end=2, steps=3, dtype=m.float64)",
    "m.logspace(0, 2, 3), m.logspace(0, 2, 3, base=2), m.logspace(0, 3, 4, dtype=m.int64), m.logspace(-1, 1, 5, 3.0)",
    "m.tril_indices(3, 3), m.tril_indices(3, 4, -1), m.triu_indices(3, 4, 1, dtype=m.int32), m.triu_indices(3, 3, 10)",
    "m.tril_indices(0, 3), m.tril_indices(3, 2, offset=1)",
    "m.nn.functional.one_hot(m.tensor([0, 2])), m.nn.functional.one_hot(m.tensor(2), 4)",
    "m.nn.functional.one_hot(m.zeros(0, dtype=m.int64), 3)",
    "m.nn.functional.one_hot(m.tensor([[0], [1]]), num_classes=2)",
    "m.tensor([[1, 2], [3, 4]]), m.tensor(1.5), m.tensor([])",
    "m.tensor([[], []]), m.tensor([True, 2]), m.tensor([True, 2.0, 3])",
    "m.tensor(np.float64(1)), m.tensor([np.float64(1), 2.0]), m.tensor([np.float32(1), 2]), m.tensor([np.int32(1)])",
    "m.tensor([m.tensor(1.5), 2]), m.tensor([m.tensor(1.5, dtype=m.float64), 2]), m.tensor(range(3)), m.tensor((1, 2))",
    "m.tensor([np.ones(2), [1, 2]]), m.tensor(np.arange(3)), m.tensor(np.ones(2), dtype=m.float32)",
    "m.tensor([1.5, 2], dtype=m.int64), m.tensor(2**63, dtype=m.float32)",
    "m.tensor(-1, dtype=m.uint8), m.tensor(0.5, dtype=m.bool)",
    "m.as_tensor([1, 2], dtype=m.float32), m.as_tensor(3)",
    "m.as_tensor(m.ones(1, requires_grad=True)), m.from_numpy(np.arange(2))",
    "m.Tensor([2]), m.Tensor((2, 3)), m.Tensor(), m.Tensor([True, 2])",
    "m.Tensor(range(3)), m.Tensor(np.arange(3)), m.Tensor(m.arange(2))",
    "m.Tensor(2, 3).shape == (2, 3), m.Tensor(2).shape == (2,), m.Tensor(m.Size([2, 3])).shape == (2, 3)",
    "m.ones(2).fill_(3), m.arange(2).fill_(2.7), m.ones(2).fill_(m.tensor(4)), m.zeros(2, dtype=m.bool).fill_(5)",
]
ERRORS = [
    "m.zeros(2.5)",
    "m.zeros('a')",
    "m.zeros()",
    "m.zeros(2**62)",
    "m.zeros(2**40, 2**40)",
    "m.arange(2**60)",
    "m.full((2,), 300, dtype=m.uint8)",
    "m.full((2,), float('inf'), dtype=m.int64)",
    "m.full((2,), 1e30, dtype=m.int32)",
    "m.full((2,), 1e300, dtype=m.float32)",
    "m.zeros(2, dtype=m.uint8).fill_(300)",
    "m.ones(2).fill_(m.ones(1))",
    "m.zeros_like(3)",
    "m.eye(-1)",
    "m.eye(2, -1)",
    "m.arange(float('inf'))",
    "m.arange(5, 1)",
    "m.arange(0, 1, 0)",
    "m.arange(3, dtype=m.bool)",
    "m.arange(0, 3, 0.5, dtype=m.int64)",
    "m.linspace(0, 1, -1)",
    "m.linspace(m.zeros(1), 1, 3)",
    "m.tril_indices(-1, 3)",
    "m.tril_indices(3, 3, dtype=m.float32)",
    "m.tensor([[1, 2], [3]])",
    "m.tensor([[[1]], [[2, 3]]])",
    "m.tensor([[1, 2], 3])",
    "m.tensor('a')",
    "m.tensor(None)",
    "m.tensor([1, None])",
    "m.tensor({1, 2})",
    "m.tensor(2**63)",
    "m.tensor(300, dtype=m.uint8)",
    "m.tensor(float('nan'), dtype=m.int64)",
    "m.tensor([m.ones(2), m.ones(2)])",
    "m.tensor(1, requires_grad=True)",
    "m.tensor([1]).new_ones(2, requires_grad=True)",
    "m.from_numpy([1])",
    "m.from_numpy(np.float32(1))",
    "m.Tensor(2.5)",
    "m.Tensor(2, -1)",
    "m.Tensor('a')",
    "m.nn.functional.one_hot(m.tensor([0, 1]), num_classes=1)",
    "m.nn.functional.one_hot(m.tensor([-1]))",
    "m.nn.functional.one_hot(m.tensor([0.0]))",
    "m.nn.functional.one_hot(m.zeros(0, dtype=m.int64))",
]
LOOSE = {"m.zeros(2.5)": "", "m.zeros('a')": ""}  # PyTorch names the function first


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program):
    same_program(lambda m: eval(program, {"m": m, "np": np}))


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same_error(lambda m: eval(program, {"m": m, "np": np}), LOOSE.get(program))


@pytest.mark.parametrize("make", [mg.zeros, mg.ones, mg.empty, mg.rand, mg.randn, mg.eye, mg.arange, mg.randperm])
def test_absurd_sizes_are_errors_at_once(make):
    for size in (2**40, 2**62, 10**30):
        with pytest.raises(RuntimeError):
            make(size)
    with pytest.raises(RuntimeError, match=r"egative|greater|inconsistent"):
        make(-1)


def test_a_tensor_of_data_shares_memory_only_where_it_says_so():
    array = np.zeros(2, "float32")
    copied, shared, as_is = mg.tensor(array), mg.from_numpy(array), mg.as_tensor(array)
    array += 1
    assert copied.tolist() == [0, 0] and shared.tolist() == [1, 1] and as_is.tolist() == [1, 1]
