"""Batch normalisation over channels-last memory, seen as rows of channels; planes of channels are in `plane_norm.py`.

Several rows are walked as one long row, so that the inner loop is long for any number of channels. Sums are taken over
chunks of rows whose size depends on the shape alone, and added in order in float64: the result has the same bits for
any number of threads. `kernels/reference/norm.py` is the definition.

An activation is compiled into the loops, whose `function` it is: it costs nothing beside the memory, and the gradient
computes its argument anew from x. Without one `function` is the identity, of which nothing is left in the machine code.
A normalisation with ReLU has the bits of a normalisation and a ReLU: hence `multiply_add`.
"""

import numpy as np

from ..activations import applied, pulled_back
from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .elementwise import kernel_with, typed
from .exponential import multiply_add
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


def _normalize(part, count, parameters, x, residual, y, center, scale, shift):
    """Part `part` of `count` of the rows of y = function((x - center) * scale + shift + residual), all flat.

    `function` here and in `_products` and `_input_grad` is put in place by `kernel_with`.
    """
    channels = len(center)
    rows = len(x) // channels
    first, last = rows * part // count * channels, rows * (part + 1) // count * channels
    centers, scales, shifts = _repeat(center), _repeat(scale), _repeat(shift)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        piece, result = x[start:stop], y[start:stop]
        if residual is None:
            for j in range(len(result)):
                result[j] = function(multiply_add(piece[j] - centers[j], scales[j], shifts[j]), *parameters)  # noqa: F821
        else:
            addends = residual[start:stop]
            for j in range(len(result)):
                value = multiply_add(piece[j] - centers[j], scales[j], shifts[j]) + addends[j]
                result[j] = function(value, *parameters)  # noqa: F821


def _normalize_all(count, parameters, x, residual, y, center, scale, shift):
    parallel_for(count, count > 1, normalize, (count, parameters, x, residual, y, center, scale, shift))  # noqa: F821


def _products(number, parameters, dy, x, center, factor, bias, chunk, partials):
    """partials[number]: by channel, the sums of g and of g * (x - center) over a chunk of the flat dy and x.

    g = function(dy, (x - center) * factor + bias), here and below, is the gradient of the activation's argument.
    """
    channels = len(center)
    first, last = number * chunk * channels, min((number + 1) * chunk * channels, len(x))
    centers, factors, biases = _repeat(center), _repeat(factor), _repeat(bias)
    sums, products = np.zeros(len(centers), x.dtype), np.zeros(len(centers), x.dtype)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        grad, piece = dy[start:stop], x[start:stop]
        for j in range(len(piece)):
            distance = piece[j] - centers[j]
            g = function(grad[j], multiply_add(distance, factors[j], biases[j]), *parameters)  # noqa: F821
            sums[j] += g
            products[j] = multiply_add(g, distance, products[j])
    for c in range(channels):
        partials[number, 0, c] = _total(sums, c, channels)
        partials[number, 1, c] = _total(products, c, channels)


def _input_grad(part, count, parameters, dy, x, dx, center, factor, bias, scale, shift):
    """Part `part` of `count` of the rows of dx = g * factor + (x - center) * scale + shift; dy, x, dx are flat."""
    channels = len(center)
    rows = len(x) // channels
    first, last = rows * part // count * channels, rows * (part + 1) // count * channels
    centers, factors, biases = _repeat(center), _repeat(factor), _repeat(bias)
    scales, shifts = _repeat(scale), _repeat(shift)
    for start in range(first, last, len(centers)):
        stop = min(start + len(centers), last)
        grad, piece, result = dy[start:stop], x[start:stop], dx[start:stop]
        for j in range(len(result)):
            distance = piece[j] - centers[j]
            g = function(grad[j], multiply_add(distance, factors[j], biases[j]), *parameters)  # noqa: F821
            result[j] = multiply_add(g, factors[j], multiply_add(distance, scales[j], shifts[j]))


def _gradient(count, parameters, dy, x, dx, chunk, partials, mean, invstd, factor, bias, dweight, dbias):
    arguments = parameters, dy, x, mean, factor, bias, chunk, partials
    parallel_for(len(partials), count > 1, products, arguments)  # noqa: F821
    rows, channels = len(x) // len(mean), len(mean)
    scale, shift = np.empty_like(mean), np.empty_like(mean)
    for c in range(channels):
        total, product = 0.0, 0.0
        for number in range(len(partials)):
            total += partials[number, 0, c]
            product += partials[number, 1, c]
        inverse = np.float64(invstd[c])
        dbias[c], dweight[c] = total, product * inverse
        scale[c], shift[c] = -factor[c] * product * inverse * inverse / rows, -factor[c] * total / rows
    arguments = count, parameters, dy, x, dx, mean, factor, bias, scale, shift
    parallel_for(count, count > 1, input_grad, arguments)  # noqa: F821


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


def batch_norm(x, mean, invstd, weight, bias, activation=None, residual=None):
    """y = f((x - mean) * invstd * weight + bias + residual), channel by channel: (N, C, *any) to the same shape.

    mean, invstd, weight and bias are (C,) of x's dtype; weight and bias may be None, for 1 and 0. f is an `activation`
    of `kernels.activations`, or nothing; the residual is like x, or None. Rules: PyTorch's
    `torch.nn.functional.batch_norm`.

    >>> batch_norm(np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None, np.array([5.0]))
    array([[4.],
           [6.]])
    """
    scale, shift = _scale_and_shift(invstd, weight, bias)
    function, parameters = typed(*applied(activation), scale.dtype)
    if are_planes(x):
        return planes_normalized(function, parameters, x, residual, dense(mean), scale, shift)
    y = _empty(x)
    if y.size:
        kernel_with(_normalize_all, function, y.dtype, normalize=_normalize)(
            parts(x.size // x.shape[1], x.size), parameters, _flat(x), None if residual is None else _flat(residual),
            y.reshape(-1), dense(mean), scale, shift,
        )  # fmt: skip
    return channels_first(y)


def _scale_and_shift(invstd, weight, bias):
    """What z is multiplied by, and what is added then."""
    scale = dense(invstd) if weight is None else dense(invstd * weight)
    return scale, np.zeros_like(scale) if bias is None else dense(bias)


def batch_norm_grad(dy, x, mean, invstd, weight, bias=None, activation=None):
    """Gradient of `batch_norm` without residual through its own batch statistics: `(dx, dweight, dbias)`.

    dy and x are (N, C, *any), the others as for `batch_norm`; dx is like x, dweight and dbias are (C,). With
    g = dy f' (x is enough to know it; the bias is not needed without an activation) and z = (x - mean) * invstd over M
    values: dbias = sum(g), dweight = sum(g z) and dx = weight * invstd * (g - dbias / M - z * dweight / M).

    >>> dx, dweight, dbias = batch_norm_grad(
    ...     np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None
    ... )
    >>> dx.ravel(), dweight, dbias
    (array([0., 0.]), array([-1.]), array([1.]))
    """
    dweight, dbias = np.zeros((2, x.shape[1]), x.dtype.newbyteorder("="))
    factor, shift = _scale_and_shift(invstd, weight, bias)
    function, parameters = typed(*pulled_back(activation), dbias.dtype)
    by_channel = dense(mean), dense(invstd), factor, shift, dweight, dbias
    if are_planes(x):
        return planes_grad(function, parameters, dy, x, *by_channel), dweight, dbias
    dx = _empty(x)
    if dx.size:
        chunk, partials = _chunks(x)
        kernel_with(_gradient, function, dx.dtype, products=_products, input_grad=_input_grad)(
            parts(x.size // x.shape[1], x.size), parameters, _flat(dy), _flat(x), dx.reshape(-1), chunk, partials,
            *by_channel,
        )  # fmt: skip
    return channels_first(dx), dweight, dbias
