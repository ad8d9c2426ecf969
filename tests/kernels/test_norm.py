"""Batch normalisation: the fast kernels against the reference loops and PyTorch, large means among the inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference, scalars

ACTIVATIONS = {"float32": (scalars.relu,), "float64": (scalars.leaky_relu, 0.1)}  # few, for each is compiled


@given(
    data=st.data(), batch=st.integers(0, 4), channels=st.integers(0, 5), dtype=DTYPES, affine=st.booleans(),
    spatial=st.lists(st.integers(0, 4), max_size=3),
)  # fmt: skip
def test_agrees_with_reference(data, batch, channels, spatial, dtype, affine):
    shape = (batch, channels, *spatial)
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    mean, invstd, weight, bias = (data.draw(arrays((channels,), dtype)) for _ in range(4))
    if not affine:
        weight = bias = None
    activation, residual = ACTIVATIONS[dtype], data.draw(arrays(shape, dtype))
    with unchanged(x, dy, mean, invstd):
        stats = cpu.batch_norm_stats(x)
        fused = cpu.batch_norm(x, mean, invstd, weight, bias, activation, residual)
        fused_grads = cpu.batch_norm_grad(dy, x, mean, invstd, weight, bias, activation)
        y = cpu.batch_norm(x, mean, invstd, weight, bias)
        grads = cpu.batch_norm_grad(dy, x, mean, invstd, weight)
    loose = {key: 20 * value for key, value in TOLERANCE[dtype].items()}
    for actual, expected in zip(stats, reference.batch_norm_stats(x)):
        assert_same(actual, expected, **TOLERANCE[dtype])
    assert_same(y, reference.batch_norm(x, mean, invstd, weight, bias), **TOLERANCE[dtype])
    for actual, expected in zip(grads, reference.batch_norm_grad(dy, x, mean, invstd, weight)):
        assert_same(actual, expected, **loose)
    expected = reference.batch_norm(x, mean, invstd, weight, bias, activation, residual)
    assert_same(fused, expected, **TOLERANCE[dtype])
    for actual, expected in zip(
        fused_grads, reference.batch_norm_grad(dy, x, mean, invstd, weight, bias, activation), strict=True
    ):
        assert_same(actual, expected, **loose)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(6, 3), (128, 700), (9, 5, 331), (16, 6, 28, 28), (7, 17, 31, 29), (3, 33, 5, 9, 4)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_agrees_with_torch(dtype, shape, channels_last):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(2, 3, shape).astype(dtype) for _ in range(2))
    weight, bias = (rng.normal(size=shape[1]).astype(dtype) for _ in range(2))
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    result = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True, eps=1e-5)
    result.backward(torch.from_numpy(dy))
    if channels_last:
        x, dy = (np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1) for array in (x, dy))
    mean, var = cpu.batch_norm_stats(x)
    invstd = (1 / np.sqrt(var + 1e-5)).astype(dtype)
    y = cpu.batch_norm(x, mean, invstd, weight, bias)
    tolerance = {"float32": {"rtol": 1e-4, "atol": 3e-5}, "float64": {"rtol": 1e-10, "atol": 1e-12}}[dtype]
    assert_same(y, result.detach().numpy(), **tolerance)
    dx, dweight, dbias = cpu.batch_norm_grad(dy, x, mean, invstd, weight)
    scale = np.sqrt(x.size / shape[1])  # of the sums
    for actual, leaf, size in zip((dx, dweight, dbias), leaves, (1, scale, scale)):
        assert_same(actual, leaf.grad.numpy(), rtol=tolerance["rtol"], atol=size * tolerance["atol"])


@pytest.mark.parametrize("shape", [(9, 5, 331), (16, 6, 28, 28), (128, 70)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_relu_of_a_sum_agrees_with_torch(shape, channels_last):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy, residual = (rng.normal(2, 3, shape).astype("float32") for _ in range(3))
    weight, bias = (rng.normal(size=shape[1]).astype("float32") for _ in range(2))
    leaves = [torch.from_numpy(array).double().requires_grad_() for array in (x, weight, bias)]
    z = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True)
    z.relu().backward(torch.from_numpy(dy).double())
    if channels_last:
        x, dy, residual = (
            np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1) for array in (x, dy, residual)
        )
    mean, var = cpu.batch_norm_stats(x)
    invstd = (1 / np.sqrt(var + 1e-5)).astype("float32")
    y = cpu.batch_norm(x, mean, invstd, weight, bias, (scalars.relu,), residual)
    expected = (z.detach() + torch.from_numpy(np.ascontiguousarray(residual))).relu().numpy().astype("float32")
    assert_same(y, expected, rtol=1e-4, atol=3e-5)
    grads = cpu.batch_norm_grad(dy, x, mean, invstd, weight, bias, (scalars.relu,))
    scale = np.sqrt(x.size / shape[1])  # of the sums
    for actual, leaf, size in zip(grads, leaves, (1, scale, scale)):
        assert_same(actual, leaf.grad.numpy().astype("float32"), rtol=1e-3, atol=size * 1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (8, 16, 9, 9), (300, 5)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_normalisation_with_relu_has_the_bits_of_both(shape, channels_last):
    rng = np.random.default_rng(0)
    x, dy, residual = (rng.normal(size=shape).astype("float32") for _ in range(3))
    mean, invstd, weight, bias = (rng.normal(size=shape[1]).astype("float32") for _ in range(4))
    if channels_last:
        x, dy, residual = (
            np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1) for array in (x, dy, residual)
        )
    z = cpu.batch_norm(x, mean, invstd, weight, bias)
    fused = cpu.batch_norm(x, mean, invstd, weight, bias, (scalars.relu,), residual)
    np.testing.assert_array_equal(fused, np.maximum(z + residual, 0))
    apart = cpu.batch_norm_grad(np.where(z > 0, dy, np.float32(0)), x, mean, invstd, weight)
    for a, b in zip(cpu.batch_norm_grad(dy, x, mean, invstd, weight, bias, (scalars.relu,)), apart, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean", [0.0, 1e3, -1e5])
@pytest.mark.parametrize("shape", [(64, 6, 28, 28), (5000, 3)])
def test_variance_with_a_large_mean(dtype, mean, shape):
    x = np.random.default_rng(0).normal(mean, 1, shape).astype(dtype)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    precise = x.astype(np.longdouble)
    average, var = cpu.batch_norm_stats(x)
    assert_same(average, precise.mean(axes).astype(dtype), rtol=2 * np.finfo(dtype).eps, atol=1e-8)
    assert_same(var, precise.var(axes).astype(dtype), rtol=1e-5 if dtype == "float32" else 1e-10)


def test_variance_with_an_outlier_and_of_a_constant():
    x = np.zeros((70_000, 2), "float32")
    x[0, 0], x[:, 1] = 1e4, 0.1
    _, var = cpu.batch_norm_stats(x)
    np.testing.assert_allclose(var, [x[:, 0].var(dtype=np.float64), 0], rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("place", [0, 12345])
def test_nan_stays_in_its_channel(place):
    x = np.ones((20_000, 3), "float32")
    x[place, 1] = np.nan
    mean, var = cpu.batch_norm_stats(x)
    np.testing.assert_array_equal(np.isnan(mean), [False, True, False])
    np.testing.assert_array_equal(np.isnan(var), [False, True, False])


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_any_number_of_threads_gives_the_same_bits(axes):
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(size=(40, 6, 30, 6)).astype("float32").transpose(axes) for _ in range(2))
    mean, invstd = rng.normal(size=(2, 6)).astype("float32")
    one_and_two_threads(cpu.batch_norm_stats, x)
    one_and_two_threads(cpu.batch_norm, x, mean, invstd, None, None)
    one_and_two_threads(cpu.batch_norm_grad, dy, x, mean, invstd, None)
    one_and_two_threads(cpu.batch_norm, x, mean, invstd, None, None, (scalars.relu,), dy)
    one_and_two_threads(cpu.batch_norm_grad, dy, x, mean, invstd, None, mean, (scalars.relu,))


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1)])
def test_results_lie_like_the_input(axes):
    x = np.ones((2, 3, 4, 5), "float32")
    x = np.ascontiguousarray(x.transpose(axes)).transpose(np.argsort(axes))
    ones = np.ones(3, "float32")
    for result in (cpu.batch_norm(x, ones, ones, None, None), cpu.batch_norm_grad(x, x, ones, ones, None)[0]):
        assert result.transpose(axes).flags.c_contiguous
