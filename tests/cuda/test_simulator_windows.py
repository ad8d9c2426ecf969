"""Pooling, unfolding and resampling: the GPU's kernels against the reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from simulated import DTYPES, arrays, check


@st.composite
def geometries(draw, dilated=True, ranks=(1, 2, 2, 3)):
    """(x's shape, kernel, stride, padding, dilation, output size); windows overlap, touch or leave gaps."""
    axes, ceil_mode = [], draw(st.booleans())
    for _ in range(draw(st.sampled_from(ranks))):
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 2)) if dilated else 1
        padding = draw(st.integers(0, kernel // 2))
        least = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
        size = least + draw(st.integers(0, 3))
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        windows = -(-room // stride) + 1 if ceil_mode else room // stride + 1
        windows -= ceil_mode and (windows - 1) * stride >= size + padding
        axes.append((size, kernel, stride, padding, dilation, windows))
    size, *others = zip(*axes)
    return (draw(st.integers(0, 2)), draw(st.sampled_from([0, 1, 3, 4, 8])), *size), *others


@given(st.data(), geometries(), DTYPES)
def test_max_pool(data, geometry, dtype):
    shape, kernel, stride, padding, dilation, output = geometry
    x = np.round(data.draw(arrays(shape, dtype)))  # with ties
    x[x == 2] = np.nan
    _, indices = check("max_pool", x, kernel, stride, padding, dilation, output)
    dy = data.draw(arrays(indices.shape, dtype))
    check("max_pool_grad", dy, indices, shape)
    check("max_pool_grad", dy, indices, shape, (kernel, stride, padding, dilation))
    check("max_pool_gather", x, indices)
    if dilation == (1,) * len(kernel):
        _, indices = check("median_pool", x, kernel, stride, padding, output)
        check("max_pool_grad", dy, indices, shape, (kernel, stride, padding, dilation))


def test_max_pool_of_whole_numbers():
    x = np.random.default_rng(0).integers(-5, 5, (2, 3, 5, 6))
    check("max_pool", x, (2, 3), (1, 2), (1, 1), (1, 1), (6, 3))
    check("max_pool", x, (2, 2), (1, 1), (1, 1), (7, 7), (0, 0))


@given(st.data(), geometries(dilated=False), DTYPES, st.booleans(), st.sampled_from([None, 3, -2]))
def test_avg_pool(data, geometry, dtype, include, divisor):
    shape, kernel, stride, padding, _, output = geometry
    settings = kernel, stride, padding
    check("avg_pool", data.draw(arrays(shape, dtype)), *settings, output, include, divisor)
    dy = data.draw(arrays((*shape[:2], *output), dtype))
    check("avg_pool_grad", dy, shape, *settings, include, divisor)


@given(st.data(), st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=1, max_size=3), DTYPES)
def test_adaptive_pool(data, axes, dtype):
    size, output = zip(*axes)
    shape = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 4)), *size
    x = data.draw(arrays(shape, dtype))
    check("adaptive_avg_pool", x, output)
    _, indices = check("adaptive_max_pool", x, output)
    dy = data.draw(arrays((*shape[:2], *output), dtype))
    check("adaptive_avg_pool_grad", dy, shape)
    check("max_pool_grad", dy, indices, shape, ())


@given(st.data(), geometries(ranks=(2,)), DTYPES)
def test_unfold(data, geometry, dtype):
    shape, kernel, stride, padding, dilation, _ = geometry
    output = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(shape[2:], kernel, stride, padding, dilation)
    )
    settings = kernel, stride, padding, dilation, output
    columns = check("unfold", data.draw(arrays(shape, dtype)), *settings)
    check("fold", data.draw(arrays(columns.shape, dtype)), shape[2:], *settings)


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=3), DTYPES)
def test_resample(data, shape, dtype):
    axis = data.draw(st.integers(0, len(shape) - 1))
    counts = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    starts = np.cumsum([0, *counts])
    count = sum(counts)
    indices = np.array(data.draw(st.lists(st.integers(0, shape[axis] - 1), min_size=count, max_size=count)), np.int64)
    weights = data.draw(arrays((count,), "float64"))
    check("resample", data.draw(arrays(tuple(shape), dtype)), axis, starts, indices, weights)
