"""Batch normalisation over channels-last memory, seen as rows of channels.

Several rows are walked as one long row, so that the inner loop is long for any number of channels. Sums are taken over
chunks of rows whose size depends on the shape alone, and added in order in float64: the result has the same bits for
any number of threads. `kernels/reference/norm.py` is the definition.
"""

import numpy as np
from numba import prange

from ..jit import jit, parallel_jit
from .layout import SERIAL, channels_first, channels_last, dense, parts

LONG_ROW = 512  # elements at least, of whole rows walked as one
CHUNK = 1 << 15  # elements of one chunk, which is walked twice: it should stay in the core's own cache
CHUNK_ROWS = 64  # rows of one chunk at least: what a chunk leaves behind is two rows of float64


@jit
def _repeat(values, count):
    """values, count times over."""
    result = np.empty(len(values) * count, values.dtype)
    for i in range(count):
        for c in range(len(values)):
            result[i * len(values) + c] = values[c]
    return result


@jit
def _total(sums, c, channels):
    """Float64 sum of what a long row holds for channel c."""
    total = 0.0
    for i in range(c, len(sums), channels):
        total += sums[i]
    return total


@jit
def _moments(x, fold, low, high, mean, deviation):
    """Mean of rows from low to high of the flat x, and the sum of squared deviations from it, by channel in float64."""
    channels = len(mean)
    real = x.dtype.type
    sums = np.zeros(fold * channels, x.dtype)
    for row in range(low, high, fold):
        piece = x[row * channels : min(row + fold, high) * channels]
        for j in range(len(piece)):
            sums[j] += piece[j]
    center = np.empty(channels, x.dtype)  # near the mean; what it misses is corrected below
    for c in range(channels):
        center[c] = _total(sums, c, channels) / (high - low)
    centers = _repeat(center, fold)
    squares = np.zeros(fold * channels, x.dtype)
    for j in range(len(sums)):
        sums[j] = real(0)
    for row in range(low, high, fold):
        piece = x[row * channels : min(row + fold, high) * channels]
        for j in range(len(piece)):
            distance = piece[j] - centers[j]
            sums[j] += distance
            squares[j] += distance * distance
    for c in range(channels):
        missed = _total(sums, c, channels) / (high - low)
        mean[c] = center[c] + missed
        deviation[c] = _total(squares, c, channels) - missed * missed * (high - low)


@jit
def _products(dy, x, center, fold, low, high, sums, products):
    """Sums of dy and of dy * (x - center) over rows from low to high of the flat arrays, by channel in float64."""
    channels = len(center)
    centers = _repeat(center, fold)
    plain, weighted = np.zeros(fold * channels, x.dtype), np.zeros(fold * channels, x.dtype)
    for row in range(low, high, fold):
        begin, end = row * channels, min(row + fold, high) * channels
        grad, piece = dy[begin:end], x[begin:end]
        for j in range(len(piece)):
            plain[j] += grad[j]
            weighted[j] += grad[j] * (piece[j] - centers[j])
    for c in range(channels):
        sums[c], products[c] = _total(plain, c, channels), _total(weighted, c, channels)


@jit
def _chunk(gradient, dy, x, center, fold, chunk, number, partial):
    """partial (2, C) for rows of chunk `number`: `_products` if gradient, else `_moments`."""
    low = number * chunk
    high = min(low + chunk, len(x) // len(center))
    if gradient:
        _products(dy, x, center, fold, low, high, partial[0], partial[1])
    else:
        _moments(x, fold, low, high, partial[0], partial[1])


@jit
def _chunks(gradient, dy, x, center, fold, chunk, partials):
    for number in range(len(partials)):
        _chunk(gradient, dy, x, center, fold, chunk, number, partials[number])


@parallel_jit
def _chunks_parallel(gradient, dy, x, center, fold, chunk, partials):
    for number in prange(len(partials)):
        _chunk(gradient, dy, x, center, fold, chunk, number, partials[number])


@jit
def _combine_moments(partials, chunk, rows, mean, var):
    """Mean and variance of all rows from those of the chunks, in order (Chan, Golub and LeVeque, 1979)."""
    for c in range(len(mean)):
        average, deviation, before = 0.0, 0.0, 0
        for number in range(len(partials)):
            count = min(chunk, rows - before)
            delta = partials[number, 0, c] - average
            average += delta * count / (before + count)
            deviation += partials[number, 1, c] + delta * delta * before * count / (before + count)
            before += count
        mean[c] = average if rows else np.nan
        var[c] = (0.0 if deviation < 0 else deviation) / rows


@jit
def _affine(gradient, dy, x, y, center, scale, grad_scale, shift, fold, low, high):
    """Rows from low to high: y = (x - center) * scale + shift, plus dy * grad_scale if gradient; flat arrays."""
    channels = len(center)
    centers, scales, shifts = _repeat(center, fold), _repeat(scale, fold), _repeat(shift, fold)
    grad_scales = _repeat(grad_scale, fold)
    for row in range(low, high, fold):
        begin, end = row * channels, min(row + fold, high) * channels
        piece, result = x[begin:end], y[begin:end]
        if gradient:
            grad = dy[begin:end]
            for j in range(len(result)):
                result[j] = grad[j] * grad_scales[j] + (piece[j] - centers[j]) * scales[j] + shifts[j]
        else:
            for j in range(len(result)):
                result[j] = (piece[j] - centers[j]) * scales[j] + shifts[j]


@parallel_jit
def _affine_parallel(gradient, dy, x, y, center, scale, grad_scale, shift, fold, count):
    rows = len(x) // len(center)
    for part in prange(count):
        low, high = rows * part // count, rows * (part + 1) // count
        _affine(gradient, dy, x, y, center, scale, grad_scale, shift, fold, low, high)


def _rows(x):
    """x's memory as flat rows of channels, how many rows there are, and how many make a long one."""
    flat, channels = channels_last(x).reshape(-1), x.shape[1]
    return flat, x.size // channels if channels else 0, max(1, LONG_ROW // max(1, channels))


def _reduce(gradient, dy, x, center, rows, fold):
    """What `_chunk` makes of every chunk, (chunks, 2, C) in float64, and the rows of a chunk."""
    chunk = max(CHUNK_ROWS, CHUNK // len(center))
    partials = np.empty((-(-rows // chunk), 2, len(center)))
    run = _chunks if x.size < SERIAL or len(partials) == 1 else _chunks_parallel
    run(gradient, dy, x, center, fold, chunk, partials)
    return partials, chunk


def _transform(gradient, dy, x, shape, center, scale, grad_scale, shift, rows, fold):
    """y of `_affine` for x of the given (N, C, *any) shape."""
    y = np.empty((shape[0], *shape[2:], shape[1]), x.dtype)
    if x.size < SERIAL:
        _affine(gradient, dy, x, y.reshape(-1), center, scale, grad_scale, shift, fold, 0, rows)
    else:
        count = parts(rows, x.size)
        _affine_parallel(gradient, dy, x, y.reshape(-1), center, scale, grad_scale, shift, fold, count)
    return channels_first(y)


def batch_norm_stats(x):
    """Mean and biased variance of every channel, `(mean, var)`, both (C,) of x's dtype (float32 or float64).

    x is (N, C, *any). A channel without values has the mean and variance NaN. Source: Ioffe and Szegedy, "Batch
    Normalization", 2015.

    >>> batch_norm_stats(np.array([[1.0], [3.0]]))
    (array([2.]), array([1.]))
    """
    flat, rows, fold = _rows(x)
    mean, var = np.empty(x.shape[1], flat.dtype), np.empty(x.shape[1], flat.dtype)
    if mean.size:
        partials, chunk = _reduce(False, flat, flat, mean, rows, fold)
        _combine_moments(partials, chunk, rows, mean, var)
    return mean, var


def batch_norm(x, mean, invstd, weight, bias):
    """y = (x - mean) * invstd * weight + bias, channel by channel: (N, C, *any) to the same shape and dtype.

    mean, invstd, weight and bias are (C,) of x's dtype; weight and bias may be None, for 1 and 0. Rules: PyTorch's
    `torch.nn.functional.batch_norm`.

    >>> batch_norm(np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None, np.array([5.0]))
    array([[4.],
           [6.]])
    """
    flat, rows, fold = _rows(x)
    scale = dense(invstd) if weight is None else dense(invstd) * weight
    shift = np.zeros_like(scale) if bias is None else dense(bias)
    return _transform(False, flat, flat, x.shape, dense(mean), scale, scale, shift, rows, fold)


def batch_norm_grad(dy, x, mean, invstd, weight):
    """Gradient of `batch_norm` through its own batch statistics: `(dx, dweight, dbias)`.

    dy and x are (N, C, *any), the others as for `batch_norm`; dx is like x, dweight and dbias are (C,). With
    z = (x - mean) * invstd over M values: dbias = sum(dy), dweight = sum(dy z) and
    dx = weight * invstd * (dy - dbias / M - z * dweight / M).

    >>> dx, dweight, dbias = batch_norm_grad(
    ...     np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None
    ... )
    >>> dx.ravel(), dweight, dbias
    (array([0., 0.]), array([-1.]), array([1.]))
    """
    flat, rows, fold = _rows(x)
    grad, center, dtype = channels_last(dy).reshape(-1), dense(mean), flat.dtype
    if not flat.size:
        return channels_first(np.empty((x.shape[0], *x.shape[2:], x.shape[1]), dtype)), *np.zeros((2, len(mean)), dtype)
    partials, _ = _reduce(True, grad, flat, center, rows, fold)
    dbias, product = partials.sum(axis=0)
    precise = np.asarray(invstd, np.float64)
    dweight = product * precise
    grad_scale = precise if weight is None else precise * weight
    scale = -grad_scale * dweight * precise / rows
    shift = -grad_scale * dbias / rows
    coefficients = (values.astype(dtype) for values in (scale, grad_scale, shift))
    dx = _transform(True, grad, flat, x.shape, center, *coefficients, rows, fold)
    return dx, dweight.astype(dtype), dbias.astype(dtype)
