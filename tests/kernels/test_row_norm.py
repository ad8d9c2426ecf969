"""Normalisation of rows: the fast kernels against the reference loops and PyTorch, large means among the inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference, scalars


@settings(max_examples=30)
@given(
    data=st.data(), shape=st.tuples(*[st.integers(0, 4)] * 4), dtype=DTYPES, weighted=st.booleans(),
    biased=st.booleans(), centred=st.booleans(),
)  # fmt: skip
def test_agrees_with_reference(data, shape, dtype, weighted, biased, centred):
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    parameters = [data.draw(arrays((shape[1] * shape[2],), dtype)) for _ in range(2)]
    weight, bias = (p if wanted else None for p, wanted in zip(parameters, (weighted, biased)))
    fused = (scalars.relu,) if dtype == "float32" else (scalars.leaky_relu, 0.1)  # few, for each is compiled
    activation = data.draw(st.sampled_from([None, fused]))
    with unchanged(x, dy, *parameters):
        results = cpu.row_norm(x, weight, bias, 1e-2, centred, activation)
        grads = cpu.row_norm_grad(dy, x, *results[1:], weight, centred, bias, activation)
    loose = {key: 20 * value for key, value in TOLERANCE[dtype].items()}
    for actual, expected in zip(results, reference.row_norm(x, weight, bias, 1e-2, centred, activation), strict=True):
        assert_same(actual, expected, **loose)
    for actual, expected in zip(
        grads, reference.row_norm_grad(dy, x, *results[1:], weight, centred, bias, activation), strict=True
    ):
        assert_same(actual, expected, **loose)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300, 1, 770, 1), (5, 3, 7, 1500), (40, 33, 1, 60)])
def test_agrees_with_torch(shape, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(2, 3, shape).astype(dtype) for _ in range(2))
    weight, bias = (rng.normal(size=shape[1] * shape[2]).astype(dtype) for _ in range(2))
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    channels = leaves[0].reshape(shape[0], shape[1] * shape[2], shape[3])
    expected = torch.nn.functional.group_norm(channels, shape[1], *leaves[1:]).reshape(shape)
    expected.backward(torch.from_numpy(dy))
    y, mean, invstd = cpu.row_norm(x, weight, bias, 1e-5, True)
    tolerance = {"float32": {"rtol": 1e-4, "atol": 3e-5}, "float64": {"rtol": 1e-10, "atol": 1e-12}}[dtype]
    assert_same(y, expected.detach().numpy(), **tolerance)
    for actual, leaf in zip(cpu.row_norm_grad(dy, x, mean, invstd, weight, True), leaves, strict=True):
        size = np.abs(leaf.grad.numpy()).max()
        assert_same(actual, leaf.grad.numpy(), rtol=tolerance["rtol"], atol=size * tolerance["atol"])


@pytest.mark.parametrize("mean", [1e3, -1e5])
def test_variance_with_a_large_mean(mean):
    x = np.random.default_rng(0).normal(mean, 1, (4, 1, 3000, 1)).astype("float32")
    _, _, invstd = cpu.row_norm(x, None, None, 0.0, True)
    np.testing.assert_allclose(invstd[:, 0], 1 / x.astype(np.float64).std((1, 2, 3)), rtol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    for shape in ((3000, 1, 40, 1), (50, 4, 5, 100)):
        x, dy = (rng.normal(size=shape).astype("float32") for _ in range(2))
        one_and_two_threads(cpu.row_norm, x, None, None, 1e-5, True)
        _, mean, invstd = cpu.row_norm(x, None, None, 1e-5, True)
        one_and_two_threads(cpu.row_norm_grad, dy, x, mean, invstd, None, True)
