"""Updates of the optimizers: the fast kernels against the reference loops and PyTorch's optimizers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import lay_out

WRITABLE = ["contiguous", "permuted", "strided", "negative", "fortran"]
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def state(draw, shape, dtype):
    """A writable array of positive values, and a copy."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = np.asarray(rng.random(shape)).astype(dtype)
    layout = draw(st.sampled_from(WRITABLE)) if shape else "contiguous"
    return (array if layout == "contiguous" else lay_out(array, layout)), array.copy()


@given(
    data=st.data(), shape=SHAPES, dtype=DTYPES, buffered=st.booleans(), nesterov=st.booleans(), maximize=st.booleans(),
    momentum=st.sampled_from([0.0, 0.9]), dampening=st.sampled_from([0.0, 0.3]), decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_sgd_agrees_with_reference(data, shape, dtype, buffered, nesterov, maximize, momentum, dampening, decay):
    param, expected_param = state(data.draw, shape, dtype)
    buffer, expected_buffer = state(data.draw, shape, dtype) if buffered else (None, None)
    grad = data.draw(arrays(shape, dtype))
    settings = (0.1, momentum, dampening, decay, nesterov, maximize)
    with unchanged(grad):
        cpu.sgd_update(param, grad, buffer, *settings)
    reference.sgd_update(expected_param, grad, expected_buffer, *settings)
    assert_same(param, expected_param, **TOLERANCE[dtype])
    if buffered:
        assert_same(buffer, expected_buffer, **TOLERANCE[dtype])


@given(
    data=st.data(), shape=SHAPES, dtype=DTYPES, amsgrad=st.booleans(), decoupled=st.booleans(), maximize=st.booleans(),
    step=st.integers(1, 1000), decay=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_adam_agrees_with_reference(data, shape, dtype, amsgrad, decoupled, maximize, step, decay):
    actual, expected = zip(*(state(data.draw, shape, dtype) for _ in range(4)))
    if not amsgrad:
        actual, expected = (*actual[:3], None), (*expected[:3], None)
    grad = data.draw(arrays(shape, dtype))
    settings = (step, 0.1, 0.9, 0.99, 1e-8, decay, decoupled, maximize)
    with unchanged(grad):
        cpu.adam_update(actual[0], grad, *actual[1:], *settings)
    reference.adam_update(expected[0], grad, *expected[1:], *settings)
    for a, b in zip(actual, expected):
        if a is not None:
            assert_same(a, b, **TOLERANCE[dtype])


def run(optimizer, param, grads):
    """Values of the parameter after each of a PyTorch optimizer's steps."""
    values = []
    for grad in grads:
        param.grad = grad
        optimizer.step()
        values.append(param.detach().numpy().copy())
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [7, 70_001])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True},
    ],
)
def test_sgd_agrees_with_torch(dtype, size, options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    param, *grads = rng.normal(size=(5, size)).astype(dtype)
    leaf = torch.from_numpy(param.copy()).requires_grad_()
    expected = run(torch.optim.SGD([leaf], lr=0.1, **options), leaf, map(torch.from_numpy, grads))
    settings = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False} | options
    first = (-grads[0] if settings["maximize"] else grads[0]) + settings["weight_decay"] * param
    buffer = first.astype(dtype) if settings["momentum"] else None
    for number, grad in enumerate(grads):
        if number == 0 and buffer is not None:  # the first step, where the buffer is the gradient, is the caller's
            param -= 0.1 * (first + settings["momentum"] * buffer if settings["nesterov"] else buffer)
        else:
            cpu.sgd_update(param, grad, buffer, lr=0.1, **settings)
        assert_same(param, expected[number], **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [7, 70_001])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_adam_agrees_with_torch(dtype, size, decoupled, amsgrad, maximize):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    param, *grads = rng.normal(size=(5, size)).astype(dtype)
    leaf = torch.from_numpy(param.copy()).requires_grad_()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([leaf], lr=0.01, weight_decay=0.1, amsgrad=amsgrad, maximize=maximize)
    expected = run(optimizer, leaf, map(torch.from_numpy, grads))
    mean, square, largest = np.zeros((3, size), dtype)
    for step, grad in enumerate(grads, 1):
        state = mean, square, largest if amsgrad else None
        cpu.adam_update(param, grad, *state, step, 0.01, 0.9, 0.999, 1e-8, 0.1, decoupled, maximize)
        assert_same(param, expected[step - 1], rtol=TOLERANCE[dtype]["rtol"], atol=5 * TOLERANCE[dtype]["atol"])


def test_amsgrad_keeps_nan():
    arrays = [np.ones(40, "float32") for _ in range(5)]
    arrays[1][3] = np.nan
    cpu.adam_update(*arrays, 1, 0.1, 0.9, 0.999, 1e-8, 0.0, False, False)
    np.testing.assert_array_equal(np.isnan(arrays[4]), np.arange(40) == 3)


def test_a_read_only_parameter_is_an_error():
    param = lay_out(np.ones(3), "read-only")
    with pytest.raises(ValueError, match="read-only"):
        cpu.sgd_update(param, np.ones(3), None, 0.1, 0.0, 0.0, 0.0, False, False)


def test_any_number_of_threads_gives_the_same_bits():
    values = np.random.default_rng(0).random((5, 100_003)).astype("float32")

    def adam():
        arrays = values.copy()
        cpu.adam_update(*arrays, 3, 0.1, 0.9, 0.999, 1e-8, 0.1, False, False)
        return arrays

    def sgd():
        arrays = values[:3].copy()
        cpu.sgd_update(*arrays, 0.1, 0.9, 0.1, 0.1, True, False)
        return arrays

    one_and_two_threads(adam)
    one_and_two_threads(sgd)
