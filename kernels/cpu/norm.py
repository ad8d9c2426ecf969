"""Batch normalisation over channels-last memory, seen as rows of channels; planes of channels are in `plane_norm.py`.

Several rows are walked as one long row, so that the inner loop is long for any number of channels. Sums are taken over
chunks of rows whose size depends on the shape alone, and added in order in float64: the result has the same bits for
any number of threads. `kernels/reference/norm.py` is the definition.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import SERIAL, channels_first, channels_last, dense, parts
from .plane_norm import are_planes, planes_grad, planes_normalized, planes_stats

LONG_ROW = 512  # elements at least, of whole rows walked as one
CHUNK = 1 << 15  # elements of one chunk
CHUNK_ROWS = 64  # rows of one chunk at least: what a chunk leaves behind is two rows of float64


@jit
def _repeat(values):
    """values over and over, for the elements of a long row."""
    times = max(1, LONG_ROW // len(values))
    result = np.empty(len(values) * times, values.dtype)
    for i in range(times):
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
def _moments(number, x, chunk, partials):
    """partials[number]: by channel, the mean of a chunk of the flat x and the sum of squared deviations from it."""
    channels = partials.shape[2]
    values = x[number * chunk * channels : (number + 1) * chunk * channels]
    count = len(values) // channels
    # The mean of the first eighth of n rows is good enough a center: the squares around the true mean sum to at least
    # n / 8 times its squared distance from there, so that the subtraction at the end cancels three bits at most.
    sample = max(1, count // 8)
    center = np.zeros(channels, x.dtype)
    sums = _repeat(center)
    for start in range(0, sample * channels, len(sums)):
        piece = values[start : min(start + len(sums), sample * channels)]
        for j in range(len(piece)):
            sums[j] += piece[j]
    for c in range(channels):
        center[c] = _total(sums, c, channels) / sample
    centers = _repeat(center)
    sums = np.zeros(len(centers), x.dtype)
    squares = np.zeros(len(centers), x.dtype)
    for start in range(0, len(values), len(sums)):
        piece = values[start : start + len(sums)]
        for j in range(len(piece)):
            distance = piece[j] - centers[j]
            sums[j] += distance
            squares[j] += distance * distance
    for c in range(channels):
        missed = _total(sums, c, channels) / count
        partials[number, 0, c] = center[c] + missed
        partials[number, 1, c] = max(0.0, _total(squares, c, channels) - missed * missed * count)


@pool_jit
def _stats(parallel, x, chunk, partials, mean, var):
    """Mean and variance of the flat x by channel: those of chunks, combined (Chan, Golub and LeVeque, 1979)."""
    parallel_for(len(partials), parallel, _moments, (x, chunk, partials))
    rows = len(x) // len(mean)
    for c in range(len(mean)):
        average, deviation, before = np.nan, 0.0, 0
        for number in range(len(partials)):
            count = min(chunk, rows - before)
            delta = partials[number, 0, c] - (average if before else 0.0)
            average = delta * count / (before + count) + (average if before else 0.0)
            deviation += partials[number, 1, c] + delta * delta * before * count / (before + count)
            before += count
        mean[c], var[c] = average, deviation / rows


@jit
def _normalize(part, count, x, y, center, scale, shift):
    """Part `part` of `count` of the rows of y = (x - center) * scale + shift; x and y are flat."""
    channels = len(center)
    rows = len(x) // channels
    first, last = rows * part // count * channels, rows * (part + 1) // count * channels
    centers, scales, shifts = _repeat(center), _repeat(scale), _repeat(shift)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        piece, result = x[start:stop], y[start:stop]
        for j in range(len(result)):
            result[j] = (piece[j] - centers[j]) * scales[j] + shifts[j]


@pool_jit
def _normalize_all(count, x, y, center, scale, shift):
    parallel_for(count, count > 1, _normalize, (count, x, y, center, scale, shift))


@jit
def _products(number, dy, x, center, chunk, partials):
    """partials[number]: by channel, the sums of dy and of dy * (x - center) over a chunk of the flat dy and x."""
    channels = len(center)
    first, last = number * chunk * channels, min((number + 1) * chunk * channels, len(x))
    centers = _repeat(center)
    sums, products = np.zeros(len(centers), x.dtype), np.zeros(len(centers), x.dtype)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        grad, piece = dy[start:stop], x[start:stop]
        for j in range(len(piece)):
            sums[j] += grad[j]
            products[j] += grad[j] * (piece[j] - centers[j])
    for c in range(channels):
        partials[number, 0, c] = _total(sums, c, channels)
        partials[number, 1, c] = _total(products, c, channels)


@jit
def _input_grad(part, count, dy, x, dx, center, grad_scale, scale, shift):
    """Part `part` of `count` of the rows of dx = dy * grad_scale + (x - center) * scale + shift; dy, x, dx are flat."""
    channels = len(center)
    rows = len(x) // channels
    first, last = rows * part // count * channels, rows * (part + 1) // count * channels
    centers, grad_scales, scales, shifts = _repeat(center), _repeat(grad_scale), _repeat(scale), _repeat(shift)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        grad, piece, result = dy[start:stop], x[start:stop], dx[start:stop]
        for j in range(len(result)):
            result[j] = grad[j] * grad_scales[j] + (piece[j] - centers[j]) * scales[j] + shifts[j]


@pool_jit
def _gradient(count, dy, x, dx, chunk, partials, mean, invstd, weight, dweight, dbias):
    parallel_for(len(partials), count > 1, _products, (dy, x, mean, chunk, partials))
    rows, channels = len(x) // len(mean), len(mean)
    grad_scale, scale, shift = np.empty_like(mean), np.empty_like(mean), np.empty_like(mean)
    for c in range(channels):
        total, product = 0.0, 0.0
        for number in range(len(partials)):
            total += partials[number, 0, c]
            product += partials[number, 1, c]
        factor = np.float64(invstd[c])
        dbias[c], dweight[c] = total, product * factor
        outer = factor * weight[c]
        grad_scale[c] = outer
        scale[c], shift[c] = -outer * product * factor * factor / rows, -outer * total / rows
    parallel_for(count, count > 1, _input_grad, (count, dy, x, dx, mean, grad_scale, scale, shift))


def _flat(x):
    return channels_last(x).reshape(-1)


def _empty(x):
    """An uninitialised array for a result like x, of shape (N, *any, C)."""
    return empty((x.shape[0], *x.shape[2:], x.shape[1]), x.dtype.newbyteorder("="))


def _chunks(x):
    """Rows of a chunk of x, and room for what every chunk yields."""
    channels = x.shape[1]
    chunk = max(CHUNK_ROWS, CHUNK // channels)
    return chunk, np.empty((-(-x.size // (channels * chunk)), 2, channels))


def batch_norm_stats(x):
    """Mean and biased variance of every channel, `(mean, var)`, both (C,) of x's dtype (float32 or float64).

    x is (N, C, *any). A channel without values has the mean and variance NaN. Source: Ioffe and Szegedy, "Batch
    Normalization", 2015.

    >>> batch_norm_stats(np.array([[1.0], [3.0]]))
    (array([2.]), array([1.]))
    """
    dtype = x.dtype.newbyteorder("=")
    mean, var = np.empty(x.shape[1], dtype), np.empty(x.shape[1], dtype)
    if are_planes(x):
        planes_stats(x, mean, var)
    elif mean.size:
        flat = _flat(x)
        chunk, partials = _chunks(x)
        _stats(x.size >= SERIAL, flat, chunk, partials, mean, var)
        lost = np.isnan(mean)
        if x.size and lost.any():  # differences of infinities; the mean itself may be infinite
            with np.errstate(invalid="ignore"):
                mean[lost] = flat.reshape(-1, len(mean))[:, lost].mean(0)
    return mean, var


def batch_norm(x, mean, invstd, weight, bias):
    """y = (x - mean) * invstd * weight + bias, channel by channel: (N, C, *any) to the same shape and dtype.

    mean, invstd, weight and bias are (C,) of x's dtype; weight and bias may be None, for 1 and 0. Rules: PyTorch's
    `torch.nn.functional.batch_norm`.

    >>> batch_norm(np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None, np.array([5.0]))
    array([[4.],
           [6.]])
    """
    scale = dense(invstd) if weight is None else dense(invstd * weight)
    shift = np.zeros_like(scale) if bias is None else dense(bias)
    if are_planes(x):
        return planes_normalized(x, dense(mean), scale, shift)
    y = _empty(x)
    if y.size:
        count = parts(x.size // x.shape[1], x.size)
        _normalize_all(count, _flat(x), y.reshape(-1), dense(mean), scale, shift)
    return channels_first(y)


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
    dweight, dbias = np.zeros((2, x.shape[1]), x.dtype.newbyteorder("="))
    factors = np.ones_like(dweight) if weight is None else dense(weight)
    if are_planes(x):
        return planes_grad(dy, x, dense(mean), dense(invstd), factors, dweight, dbias), dweight, dbias
    dx = _empty(x)
    if dx.size:
        chunk, partials = _chunks(x)
        _gradient(
            parts(x.size // x.shape[1], x.size), _flat(dy), _flat(x), dx.reshape(-1), chunk, partials, dense(mean),
            dense(invstd), factors, dweight, dbias,
        )  # fmt: skip
    return channels_first(dx), dweight, dbias
