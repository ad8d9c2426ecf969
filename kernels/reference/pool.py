"""Pooling, written as its definition: one loop per output cell and one per cell of its window.

Every function takes (N, C, *spatial) with one, two or three spatial axes. A window's cells are listed axis by axis, so
the code is the same for any rank. The fast versions live in `kernels/cpu/pool.py`.
"""

from itertools import product
from math import inf, isnan, prod

import numpy as np


def _empty_channels_last(shape, dtype):
    """An uninitialised (N, C, *spatial) array whose memory is (N, *spatial, C)."""
    return np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _cells(shape):
    return product(*map(range, shape))


def max_pool(x, kernel, stride, padding, dilation, output_size):
    """Largest value of every window, and where it stood: `(y, indices)`, both (N, C, *output_size).

    x is (N, C, *spatial), of floating or whole numbers; kernel, stride, padding, dilation and output_size hold one int
    per spatial axis. indices are int64 and flat in the input's spatial plane. The first of equal maxima wins, a NaN
    wins over everything, the last NaN over the others. A window that holds no cell of x, which a large dilation can
    bring about, gives the lowest number and the index -1. Rules: PyTorch's `torch.nn.MaxPool2d`.

    >>> x = np.array([[[1.0, 5.0, 5.0, 2.0]]])
    >>> max_pool(x, (2,), (2,), (0,), (1,), (2,))
    (array([[[5., 5.]]]), array([[[1, 2]]]))
    """
    return _largest(x, output_size, lambda out: _window(out, x.shape[2:], kernel, stride, padding, dilation))


def _window(out, spatial, kernel, stride, padding, dilation):
    """The cells of x in one window, each a tuple of coordinates, those in the padding left out."""
    for tap in _cells(kernel):
        at = tuple(o * s - p + t * d for o, s, p, t, d in zip(out, stride, padding, tap, dilation))
        if all(0 <= i < size for i, size in zip(at, spatial)):
            yield at


def _largest(x, output_size, window):
    y = _empty_channels_last(x.shape[:2] + output_size, x.dtype)
    indices = _empty_channels_last(y.shape, np.int64)
    lowest = -inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    for n, c, *out in _cells(y.shape):
        largest, index = lowest, -1
        for at in window(out):
            value = x[(n, c, *at)]
            if index == -1 or value > largest or isnan(value):
                largest, index = value, np.ravel_multi_index(at, x.shape[2:])
        y[(n, c, *out)], indices[(n, c, *out)] = largest, index
    return y, indices


def adaptive_max_pool(x, output_size):
    """Largest value of windows that divide the input evenly, and where it stood: `(y, indices)`, as `max_pool` has it.

    Rules: PyTorch's `torch.nn.AdaptiveMaxPool2d`.

    >>> adaptive_max_pool(np.array([[[1.0, 5.0, 3.0]]]), (2,))
    (array([[[5., 5.]]]), array([[[1, 1]]]))
    """
    return _largest(x, output_size, lambda out: product(*_adaptive_window(out, x.shape[2:], output_size)[0]))


def median_pool(x, kernel, stride, padding, output_size):
    """Median of every window, the lower one of two, and where it stood: `(y, indices)`, both (N, C, *output_size).

    Arguments and indices are as in `max_pool`, without dilation. Cells in the padding do not count; of equal cells the
    order in the plane decides; a NaN wins over everything, the first one.

    >>> median_pool(np.array([[[4.0, 1.0, 3.0, 2.0]]]), (3,), (1,), (0,), (2,))
    (array([[[3., 2.]]]), array([[[2, 3]]]))
    """
    y = _empty_channels_last(x.shape[:2] + output_size, x.dtype)
    indices = _empty_channels_last(y.shape, np.int64)
    for n, c, *out in _cells(y.shape):
        window = list(_window(out, x.shape[2:], kernel, stride, padding, (1,) * len(kernel)))
        order = sorted(window, key=lambda at: x[(n, c, *at)])
        median = next((at for at in window if isnan(x[(n, c, *at)])), order[(len(order) - 1) // 2])
        y[(n, c, *out)], indices[(n, c, *out)] = x[(n, c, *median)], np.ravel_multi_index(median, x.shape[2:])
    return y, indices


def max_pool_grad(dy, indices, input_shape, windows=None):
    """Gradient of `max_pool`: every dy is added to the cell its maximum came from; an index of -1 adds nowhere.

    dy and indices are (N, C, *output_size), dx is of input_shape and dy's dtype. `windows`, (kernel, stride, padding,
    dilation), or () for those of `adaptive_max_pool`, says where the indices come from, to kernels that let a cell ask
    the windows around it; None where the indices may be any.

    >>> max_pool_grad(np.array([[[2.0, 3.0]]]), np.array([[[1, 1]]]), (1, 1, 4))
    array([[[0., 5., 0., 0.]]])
    """
    spatial = input_shape[2:]
    dx = np.zeros(input_shape, np.float64)
    for n, c, *out in _cells(dy.shape):
        index = indices[(n, c, *out)]
        if index >= 0:
            dx[(n, c, *np.unravel_index(index, spatial))] += dy[(n, c, *out)]
    result = _empty_channels_last(input_shape, dy.dtype)
    result[...] = dx
    return result


def max_pool_gather(x, indices):
    """Values of x at the flat spatial indices of `max_pool`, 0 where the index is -1: the adjoint of `max_pool_grad`.

    x is (N, C, *spatial), indices (N, C, *output_size) int64; the result has indices' shape and x's dtype.

    >>> max_pool_gather(np.array([[[1.0, 5.0, 5.0, 2.0]]]), np.array([[[1, 3]]]))
    array([[[5., 2.]]])
    """
    y = _empty_channels_last(indices.shape, x.dtype)
    for n, c, *out in _cells(indices.shape):
        index = indices[(n, c, *out)]
        y[(n, c, *out)] = x[(n, c, *np.unravel_index(index, x.shape[2:]))] if index >= 0 else 0
    return y


def _average_window(out, spatial, kernel, stride, padding, count_include_pad, divisor_override):
    """Cells of x under one window of average pooling, as a range per axis, and the divisor of their sum."""
    starts = [o * s - p for o, s, p in zip(out, stride, padding)]
    stops = [min(start + k, size + p) for start, k, size, p in zip(starts, kernel, spatial, padding)]
    inside = [range(max(start, 0), min(stop, size)) for start, stop, size in zip(starts, stops, spatial)]
    if divisor_override is not None:
        return inside, divisor_override
    if count_include_pad:
        return inside, prod(stop - start for start, stop in zip(starts, stops))
    return inside, prod(map(len, inside))


def _adaptive_window(out, spatial, output_size):
    """The same for adaptive pooling: window o of O covers cells floor(o * size / O) up to ceil((o + 1) * size / O)."""
    inside = [range(o * size // n, -(-(o + 1) * size // n)) for o, size, n in zip(out, spatial, output_size)]
    return inside, prod(map(len, inside))


def _average(x, output_size, window):
    y = _empty_channels_last(x.shape[:2] + output_size, x.dtype)
    for n, c, *out in _cells(y.shape):
        inside, divisor = window(out, x.shape[2:])
        y[(n, c, *out)] = sum(float(x[(n, c, *at)]) for at in product(*inside)) / divisor
    return y


def _average_grad(dy, input_shape, window):
    dx = np.zeros(input_shape, np.float64)
    for n, c, *out in _cells(dy.shape):
        inside, divisor = window(out, input_shape[2:])
        for at in product(*inside):
            dx[(n, c, *at)] += float(dy[(n, c, *out)]) / divisor
    result = _empty_channels_last(input_shape, dy.dtype)
    result[...] = dx
    return result


def avg_pool(x, kernel, stride, padding, output_size, count_include_pad, divisor_override):
    """Mean of every window: (N, C, *spatial) to (N, C, *output_size), float32 or float64.

    kernel, stride, padding and output_size hold one int per spatial axis. Padding cells are zeros; they count in the
    divisor if count_include_pad, while cells that a window of `ceil_mode` has beyond the padding never do.
    divisor_override, an int or None, replaces the divisor. Rules: PyTorch's `torch.nn.AvgPool2d`.

    >>> avg_pool(np.array([[[1.0, 3.0, 5.0]]]), (2,), (2,), (1,), (2,), True, None)
    array([[[0.5, 4. ]]])
    """

    def window(out, spatial):
        return _average_window(out, spatial, kernel, stride, padding, count_include_pad, divisor_override)

    return _average(x, output_size, window)


def avg_pool_grad(dy, input_shape, kernel, stride, padding, count_include_pad, divisor_override):
    """Gradient of `avg_pool`: every dy, over its divisor, is added to all cells of its window.

    dy is (N, C, *output_size), dx is of input_shape and dy's dtype; the other arguments are those of `avg_pool`.

    >>> avg_pool_grad(np.array([[[2.0, 4.0]]]), (1, 1, 3), (2,), (1,), (0,), True, None)
    array([[[1., 3., 2.]]])
    """

    def window(out, spatial):
        return _average_window(out, spatial, kernel, stride, padding, count_include_pad, divisor_override)

    return _average_grad(dy, input_shape, window)


def adaptive_avg_pool(x, output_size):
    """Means over windows that divide the input evenly: (N, C, *spatial) to (N, C, *output_size), float32 or float64.

    Rules: PyTorch's `torch.nn.AdaptiveAvgPool2d`.

    >>> adaptive_avg_pool(np.array([[[1.0, 3.0, 5.0]]]), (2,))
    array([[[2., 4.]]])
    """
    return _average(x, output_size, lambda out, spatial: _adaptive_window(out, spatial, output_size))


def adaptive_avg_pool_grad(dy, input_shape):
    """Gradient of `adaptive_avg_pool`: dy is (N, C, *output_size), dx is of input_shape and dy's dtype.

    >>> adaptive_avg_pool_grad(np.array([[[2.0, 4.0]]]), (1, 1, 3))
    array([[[1., 3., 2.]]])
    """
    return _average_grad(dy, input_shape, lambda out, spatial: _adaptive_window(out, spatial, dy.shape[2:]))
