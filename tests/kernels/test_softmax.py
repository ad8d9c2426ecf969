"""Softmax and its relatives: the fast kernels against the reference loops and PyTorch, along any axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference

NAMES = ("softmax", "log_softmax")


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5), dtype=DTYPES)
def test_agrees_with_reference(name, data, shape, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x, dy = data.draw(arrays(shape, dtype, 4)), data.draw(arrays(shape, dtype))
    with unchanged(x, dy):
        y = getattr(cpu, name)(x, axis)
        dx = getattr(cpu, f"{name}_grad")(dy, y, axis)
    assert_same(y, getattr(reference, name)(x, axis), **TOLERANCE[dtype])
    assert_same(dx, getattr(reference, f"{name}_grad")(dy, y, axis), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((64, 10), 1), ((300, 517), 1), ((300, 517), 0), ((5, 70, 11, 13), 1), ((40, 3, 300), 2)]
)
def test_agrees_with_torch(name, dtype, shape, axis):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = rng.normal(0, 5, shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    leaf = torch.from_numpy(x).requires_grad_()
    result = getattr(torch, name)(leaf, axis)
    result.backward(torch.from_numpy(dy))
    y = result.detach().numpy()
    assert_same(getattr(cpu, name)(x, axis), y, **TOLERANCE[dtype])
    rtol, atol = TOLERANCE[dtype].values()  # of gradients that contain a sum over the line
    assert_same(getattr(cpu, f"{name}_grad")(dy, y, axis), leaf.grad.numpy(), rtol, 10 * atol)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, 1e30, -1e30])
def test_special_values(name, dtype, axis, special):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(37, 37)).astype(dtype)
    x[3, 5] = special
    x[7, :] = x[:, 7] = -np.inf
    expected = getattr(torch, name)(torch.from_numpy(x), axis).numpy()
    y = getattr(cpu, name)(x, axis)
    assert_same(y, expected, **TOLERANCE[dtype])
    assert_same(y, getattr(reference, name)(x, axis), **TOLERANCE[dtype])
    assert np.isnan(y[7] if axis else y[:, 7]).all()


@given(data=st.data(), dtype=DTYPES)
def test_shift_does_not_matter(data, dtype):
    x = np.round(data.draw(arrays((4, 9), dtype, 5)) * 8) / 8  # sums with the shift are exact
    assert_same(cpu.softmax(x + 1000, 1), cpu.softmax(x, 1), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_number_of_threads_gives_the_same_bits(name, axis):
    x = np.random.default_rng(0).normal(size=(17, 65, 133)).astype("float32")
    one_and_two_threads(getattr(cpu, name), x, axis)
    one_and_two_threads(getattr(cpu, f"{name}_grad"), x, getattr(cpu, name)(x, axis), axis)
