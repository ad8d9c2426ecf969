"""Normalisation, softmax, losses, reductions and index arrays: the GPU's kernels against the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import DTYPES, TOLERANCE, arrays, called, check

from minigrad.kernels import scalars

ACTIVATIONS = st.sampled_from([(scalars.relu,), (scalars.hardtanh, 0.0, 6.0), (scalars.silu,), (scalars.tanh,)])


@given(
    st.data(), st.integers(0, 4), st.sampled_from([0, 1, 3, 4, 8, 9]), st.lists(st.integers(0, 4), max_size=3), DTYPES,
    st.booleans(),
)  # fmt: skip
def test_batch_norm(data, batch, channels, spatial, dtype, affine):
    shape = batch, channels, *spatial
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    mean, invstd, weight, bias = (data.draw(arrays((channels,), dtype)) for _ in range(4))
    if not affine:
        weight = bias = None
    loose = {key: 20 * value for key, value in TOLERANCE[dtype].items()}
    check("batch_norm_stats", x)
    check("channel_sum", x, **loose)
    check("batch_norm", x, mean, invstd, weight, bias)
    check("batch_norm_grad", dy, x, mean, invstd, weight, **loose)
    activation, residual = data.draw(ACTIVATIONS), data.draw(arrays(shape, dtype))
    check("batch_norm", x, mean, invstd, weight, bias, activation, data.draw(st.sampled_from([None, residual])))
    check("batch_norm_grad", dy, x, mean, invstd, weight, bias, activation, **loose)


@pytest.mark.parametrize("mean", [1e3, -1e5])
def test_variance_with_a_large_mean(mean):
    x = np.random.default_rng(0).normal(mean, 1, (20, 3, 5)).astype("float32")
    _, var = called("batch_norm_stats", x)
    np.testing.assert_allclose(var, x.astype("float64").var((0, 2)), rtol=1e-5)


@given(
    st.data(), st.integers(0, 3), st.integers(1, 3), st.integers(0, 9), st.integers(0, 4), DTYPES, st.booleans(),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_row_norm(data, samples, groups, channels, places, dtype, weighted, biased, centred):
    shape = samples, groups, channels, places
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    weight = data.draw(arrays((groups * channels,), dtype)) if weighted else None
    bias = data.draw(arrays((groups * channels,), dtype)) if biased else None
    _, mean, invstd = check("row_norm", x, weight, bias, 1e-3, centred)
    loose = {key: 100 * value for key, value in TOLERANCE[dtype].items()}
    check("row_norm_grad", dy, x, mean, invstd, weight, centred, **loose)
    activation = data.draw(ACTIVATIONS)
    check("row_norm", x, weight, bias, 1e-3, centred, activation)
    check("row_norm_grad", dy, x, mean, invstd, weight, centred, bias, activation, **loose)


@given(st.data(), st.lists(st.integers(0, 4), max_size=2), st.integers(0, 21), st.integers(0, 2), DTYPES)
def test_softmax(data, others, count, place, dtype):
    axis = min(place, len(others))
    shape = *others[:axis], count, *others[axis:]
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    y = check("softmax", x, axis)
    check("softmax_grad", dy, y, axis)
    y = check("log_softmax", x, axis)
    check("log_softmax_grad", dy, y, axis)


def test_softmax_of_infinities():
    inf, nan = np.inf, np.nan
    short = [[0.0, -inf], [-inf, -inf], [inf, 0.0], [nan, 0.0], [1000.0, -1000.0]]
    for x in (np.array(short), np.array(short)[:, [0] * 10 + [1] * 10]):
        check("softmax", x, 1)
        check("log_softmax", x, 1)


@given(st.data(), st.integers(0, 4), st.integers(1, 4), st.integers(0, 3), DTYPES, st.booleans())
def test_nll(data, samples, classes, places, dtype, weighted):
    logp = data.draw(arrays((samples, classes, places), dtype))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    target = rng.integers(-1, classes, (samples, places))
    weight = data.draw(arrays((classes,), dtype)) if weighted else None
    check("nll", logp, target, weight, -1)
    check("nll_grad", data.draw(arrays((samples, places), dtype)), target, weight, -1, classes)


@given(st.data(), st.lists(st.integers(0, 6), min_size=1, max_size=4), DTYPES)
def test_reductions(data, shape, dtype):
    x = data.draw(arrays(tuple(shape), dtype))
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    check("total", x, axes)
    check("square_total", x, axes)
    check("moments", x, axes, **TOLERANCE[dtype])
    if all(x.shape[axis] for axis in axes):
        check("extreme", x, axes, data.draw(st.booleans()))
    check("running_total", x, axes[0], data.draw(st.booleans()))


def test_extreme_of_nan():
    x = np.array([[1.0, np.nan, 3.0], [2.0, 5.0, 4.0]])
    check("extreme", x, (1,), True)
    check("extreme", x, (0, 1), False)


@given(st.data(), st.integers(0, 3), st.integers(1, 5), st.integers(0, 6), st.integers(0, 3), st.integers(0, 99))
def test_index_arrays(data, a, n, m, b, seed):
    rng = np.random.default_rng(seed)
    x, src = rng.normal(size=(a, n, b)).astype("float32"), rng.normal(size=(a, m, b)).astype("float32")
    index = rng.integers(0, n, (a, m, b))
    check("gather", x, index)
    for reduction in ("set", "sum", "prod", "amax", "amin"):
        check("scatter", x, index, src, reduction)
    rows, at = rng.normal(size=(n, b)), rng.integers(0, n, m)
    check("gather_rows", rows, at)
    check("scatter_add_rows", rng.normal(size=(m, b)), at, n + 2)


@given(st.data(), st.integers(0, 4), st.integers(0, 6), DTYPES)
def test_linear_recurrence(data, rows, count, dtype):
    check("linear_recurrence", *(data.draw(arrays((rows, count), dtype)) for _ in range(2)))
