"""Tensors as values: copies, pickles, printing, type promotion, memory."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import TORCH_DTYPES, array_of, same, torch

import minigrad as mg

DTYPES = list(TORCH_DTYPES)


def test_deepcopy_of_a_leaf_is_independent():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.is_leaf and y.grad.tolist() == [2.0, 4.0]
    with mg.no_grad():
        y.zero_()
        y.grad.zero_()
    assert (x.tolist(), x.grad.tolist()) == ([1.0, 2.0], [2.0, 4.0])


def test_deepcopy_keeps_shared_tensors_shared_and_parameters_parameters():
    p = mg.nn.Parameter(mg.ones(2))
    a, b = copy.deepcopy([p, p])
    assert a is b and type(a) is mg.nn.Parameter


def test_deepcopy_of_a_computed_tensor_is_refused():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(mg.ones(2, requires_grad=True) * 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickled_leaves_come_back(dtype):
    x = mg.tensor([[0, 1], [2, 3]]).to(getattr(mg, dtype)).t()
    if dtype.startswith("float"):
        x.requires_grad_()
    y = pickle.loads(pickle.dumps(x))
    assert y.dtype == x.dtype and y.requires_grad == x.requires_grad and y.tolist() == x.tolist()
    p = pickle.loads(pickle.dumps(mg.nn.Parameter(mg.ones(2))))
    assert type(p) is mg.nn.Parameter and p.requires_grad


def test_computed_tensors_cannot_be_pickled():
    with pytest.raises(RuntimeError, match="cannot be pickled"):
        pickle.dumps(mg.ones(2, requires_grad=True) * 2)


# printing -----------------------------------------------------------------------------------------------------------

PRINTED = {
    "float": lambda m: m.tensor([1.0, 2.5, -3.0]),
    "whole": lambda m: m.tensor([1.0, 2.0, 30.0]),
    "matrix": lambda m: m.tensor([[1.0, 2.0], [3.25, -4.0]]),
    "0-d": lambda m: m.tensor(3.14159),
    "0-d whole": lambda m: m.tensor(3.0),
    "small": lambda m: m.tensor([1e-5, 1.0]),
    "all small": lambda m: m.tensor([1e-6, 2e-6]),
    "large": lambda m: m.tensor([1e9, 1.0]),
    "large whole": lambda m: m.tensor([123456.0, 2.0]),
    "wide range": lambda m: m.tensor([0.001, 1000.5]),
    "special": lambda m: m.tensor([math.nan, math.inf, -math.inf, 1.5]),
    "special whole": lambda m: m.tensor([math.nan, math.inf, 1.0]),
    "only nan": lambda m: m.tensor([math.nan]),
    "zeros": lambda m: m.zeros(2, 2),
    "negative zero": lambda m: m.tensor([-0.0, 0.0]),
    "int": lambda m: m.tensor([1, -20, 300]),
    "bool": lambda m: m.tensor([True, False]),
    "0-d bool": lambda m: m.tensor(True),
    "0-d int": lambda m: m.tensor(7),
    "float64": lambda m: m.tensor([1.0, 2.0], dtype=m.float64),
    "int32": lambda m: m.tensor([1, 2], dtype=m.int32),
    "uint8": lambda m: m.tensor([1, 200], dtype=m.uint8),
    "leaf": lambda m: m.tensor([1.0], requires_grad=True),
    "float64 leaf": lambda m: m.tensor([1.0], dtype=m.float64, requires_grad=True),
    "empty": lambda m: m.zeros(0),
    "empty matrix": lambda m: m.zeros(2, 0),
    "empty int": lambda m: m.zeros(0, dtype=m.int64),
    "three dimensions": lambda m: m.arange(12.0).reshape(2, 3, 2) / 8,
    "four dimensions": lambda m: m.arange(8).reshape(2, 1, 2, 2),
    "long row": lambda m: m.arange(40.0) / 3,
    "long int row": lambda m: m.arange(100),
    "summarised": lambda m: m.arange(2000.0),
    "summarised matrix": lambda m: m.arange(10000).reshape(100, 100),
    "summarised along one axis": lambda m: m.arange(4000.0).reshape(2, 2000) / 7,
    "summarised rows": lambda m: m.arange(2100.0).reshape(1050, 2),
    "parameter": lambda m: m.nn.Parameter(m.tensor([[1.0, 2.0], [3.0, 4.5]])),
    "frozen parameter": lambda m: m.nn.Parameter(m.ones(2), requires_grad=False),
    "notes on a new line": lambda m: m.arange(11, dtype=m.float64) / 3,
    "float64 parameter": lambda m: m.nn.Parameter(m.ones(12, dtype=m.float64) / 3),
    "summarised cube": lambda m: m.arange(8000).reshape(20, 20, 20),
    "inf": lambda m: m.tensor(-math.inf),
    "transposed": lambda m: m.arange(6).reshape(2, 3).t(),
}


@pytest.mark.parametrize("make", PRINTED.values(), ids=PRINTED)
def test_printed_as_torch_prints(make):
    assert repr(make(mg)).replace("minigrad.", "torch.") == repr(make(torch))


@given(st.lists(st.floats(width=32, allow_subnormal=False), max_size=5))
def test_any_floats_are_printed_as_torch_prints(values):
    assert repr(mg.tensor(values, dtype=mg.float32)) == repr(torch.tensor(values, dtype=torch.float32))


def test_a_computed_tensor_names_its_operation():
    assert repr(mg.ones(1, requires_grad=True) * 2) == "tensor([2.], grad_fn=<MulBackward0>)"


def test_formatting():
    assert f"{mg.tensor(3.14159):.2f}" == f"{torch.tensor(3.14159):.2f}" == "3.14"
    assert f"{mg.tensor([1.0])}" == "tensor([1.])"


# type promotion -----------------------------------------------------------------------------------------------------

VALUES = {"matrix": np.array([[1, 2], [1, 3]]), "0-d": np.array(2)}
NUMBERS = {"bool": True, "int": 3, "float": 2.5}
OPERATIONS = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "lt": lambda x, y: x < y,
    "eq": lambda x, y: x == y,
}


def _operand(m, kind, dtype):
    """A tensor with dimensions, a 0-d tensor, or a Python number."""
    if kind == "number":
        return NUMBERS[dtype]
    return m.from_numpy(VALUES[kind].astype(dtype))


OPERANDS = [(kind, dtype) for kind in VALUES for dtype in DTYPES] + [("number", kind) for kind in NUMBERS]


@pytest.mark.parametrize("left", OPERANDS, ids="-".join)
def test_promotion_is_that_of_torch(left):
    for right in OPERANDS:
        if left[0] == right[0] == "number":
            continue
        for name, operation in OPERATIONS.items():
            ours, theirs = (operation(_operand(m, *left), _operand(m, *right)) for m in (mg, torch))
            same(ours, theirs, f"{left} {name} {right}", rtol=1e-6, atol=0)


def test_promote_types_is_that_of_torch():
    for a in DTYPES:
        for b in DTYPES:
            theirs = torch.promote_types(TORCH_DTYPES[a], TORCH_DTYPES[b])
            assert str(mg.promote_types(getattr(mg, a), getattr(mg, b))) == str(theirs).removeprefix("torch.")


def test_result_type_is_that_of_torch():
    for left in OPERANDS:
        for right in OPERANDS:
            theirs = torch.result_type(_operand(torch, *left), _operand(torch, *right))
            ours = [array_of(_operand(mg, *o)) if o[0] != "number" else NUMBERS[o[1]] for o in (left, right)]
            assert str(mg.autograd.result_type(*ours)) == str(theirs).removeprefix("torch."), (left, right)


def test_float32_stays_float32():
    x = mg.rand(4, 3, 6, 6, requires_grad=True)
    y = mg.nn.functional.avg_pool2d(x * 2 + 1, 2).mean() / 3 - 0.5
    assert y.dtype == mg.float32
    y.backward()
    assert x.grad.dtype == mg.float32


def test_foreign_arrays_are_converted():
    big = np.arange(3, dtype=">f4")
    assert mg.from_numpy(big).dtype == mg.float32 and (mg.from_numpy(big) * 2).tolist() == [0.0, 2.0, 4.0]
    assert mg.from_numpy(np.arange(3, dtype="float16")).dtype == mg.float32
    with pytest.raises(TypeError, match=r"can't convert np.ndarray of type complex128"):
        mg.from_numpy(np.zeros(3, complex))


def test_numpy_on_either_side_of_an_operator():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for result in (np.array([3.0, 4.0], "float32") * x, x * np.array([3.0, 4.0], "float32")):
        assert isinstance(result, mg.Tensor) and result.requires_grad and result.tolist() == [3.0, 8.0]
    assert np.asarray(x.detach()).tolist() == [1.0, 2.0]


# memory -------------------------------------------------------------------------------------------------------------


def _conv(requires_grad=False):
    x = mg.arange(2.0 * 3 * 4 * 4).reshape(2, 3, 4, 4).requires_grad_(requires_grad)
    weight = mg.ones(5, 3, 3, 3)
    return x, mg.nn.functional.conv2d(x, weight)


def test_convolution_results_are_channels_last_and_say_so():
    _, y = _conv()
    assert y.is_contiguous(memory_format=mg.channels_last) and not y.is_contiguous()
    assert y.stride() == (20, 1, 10, 5)
    assert y.contiguous().is_contiguous() and y.contiguous().tolist() == y.tolist()


def test_view_after_a_convolution_works_and_is_a_view():
    x, y = _conv(requires_grad=True)
    flat = y.view(2, -1)
    assert flat.tolist() == y.reshape(2, -1).tolist()
    flat.mul_(2)
    assert y.reshape(2, -1).tolist() == flat.tolist()
    flat.sum().backward()
    z = mg.nn.functional.conv2d(x.detach().requires_grad_(), mg.ones(5, 3, 3, 3)) * 2
    assert z.sum().item() == flat.sum().item()
    assert x.grad.max().item() == 2 * 5 * 4


def test_view_after_a_convolution_is_an_error_while_other_views_share_the_memory():
    _, y = _conv()
    row = y[0]
    with pytest.raises(RuntimeError, match="view size is not compatible with input tensor's size and stride"):
        y.view(2, -1)
    del row
    assert y.view(2, -1).shape == (2, 20)


def test_view_of_a_transposed_tensor_is_an_error():
    with pytest.raises(RuntimeError, match="view size is not compatible with input tensor's size and stride"):
        mg.arange(6).reshape(2, 3).t().view(6)


@pytest.mark.parametrize("sci_mode", [True, False, None])
def test_scientific_notation_can_be_asked_for(sci_mode):
    for m in (mg, torch):
        m.set_printoptions(sci_mode=sci_mode)
    try:
        for values in ([1.0, 20.0], [1e-9, 20.0], [3.0, 4.0]):
            assert repr(mg.tensor(values)) == repr(torch.tensor(values))
    finally:
        for m in (mg, torch):
            m.set_printoptions(profile="default")
