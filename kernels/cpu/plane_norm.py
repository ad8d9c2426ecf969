"""Batch normalisation where each channel of each sample is a plane of its own in memory: (N, C, S), dense.

`norm.py` decides whether an input lies like that, and has the mathematics; `function` is the activation here too. Sums
are taken plane by plane and added in order in float64: the result has the same bits for any number of threads.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .elementwise import kernel_with
from .exponential import multiply_add
from .layout import dense, parts
from .reduction import _sum_of

__all__ = ["are_planes", "planes_grad", "planes_normalized", "planes_stats"]

SHORT = 16  # places of a plane that are worth the start of a loop
BLOCK = 1024  # elements that are summed in the arrays' dtype; the sums of blocks are added in float64


def are_planes(x):
    """Whether x, (N, C, *any), lies in planes that are worth kernels of their own."""
    return x.flags.c_contiguous and x.ndim > 2 and x.size >= SHORT * x.shape[0] * x.shape[1] > 0


def _planes(x):
    """x, (N, C, *any), as (N, C, S)."""
    return dense(x).reshape(*x.shape[:2], -1)


@jit
def _moments(part, count, x, partials):
    """Part `part` of `count` of the planes: partials[n, :, c] are the mean and the sum of squared distances from it."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        values = x[n, c]
        mean = _sum_of(values, 0.0, False) / places
        center = x.dtype.type(mean)
        partials[n, 0, c] = mean
        partials[n, 1, c] = _sum_of(values, np.float64(center), True) - places * (mean - center) ** 2


@pool_jit
def _stats(count, x, partials, mean, var):
    """Mean and variance of each channel, from those of its planes."""
    parallel_for(count, count > 1, _moments, (count, x, partials))
    samples, channels, places = x.shape
    for c in range(channels):
        average, deviation = 0.0, 0.0
        for n in range(samples):
            average += partials[n, 0, c] / samples
        for n in range(samples):
            deviation += max(0.0, partials[n, 1, c]) + places * (partials[n, 0, c] - average) ** 2
        mean[c], var[c] = average, deviation / (samples * places)


def _normalize(part, count, parameters, x, residual, y, center, scale, shift):
    """Part `part` of `count` of the planes of y = function((x - center) * scale + shift + residual)."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        values, results = x[n, c], y[n, c]
        if residual is None:
            for i in range(places):
                results[i] = function(multiply_add(values[i] - center[c], scale[c], shift[c]), *parameters)  # noqa: F821
        else:
            addends = residual[n, c]
            for i in range(places):
                value = multiply_add(values[i] - center[c], scale[c], shift[c]) + addends[i]
                results[i] = function(value, *parameters)  # noqa: F821


def _normalize_planes(count, parameters, x, residual, y, center, scale, shift):
    parallel_for(count, count > 1, normalize, (count, parameters, x, residual, y, center, scale, shift))  # noqa: F821


def _products(part, count, parameters, dy, x, center, factor, bias, partials):
    """Part `part` of `count` of the planes: partials[n, :, c] are the sums of g and of g * (x - center).

    g = function(dy, (x - center) * factor + bias) is the gradient of the activation's argument.
    """
    samples, channels, places = x.shape
    block = np.empty(BLOCK, x.dtype)
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        partials[n, :, c] = 0
        for start in range(0, places, BLOCK):
            grads, values = dy[n, c, start : start + BLOCK], x[n, c, start : start + BLOCK]
            total = product = x.dtype.type(0)
            if not plain:  # noqa: F821
                for i in range(len(values)):
                    z = multiply_add(values[i] - center[c], factor[c], bias[c])
                    block[i] = function(grads[i], z, *parameters)  # noqa: F821
                grads = block[: len(values)]
            for i in range(len(values)):
                total += grads[i]
                product += grads[i] * (values[i] - center[c])
            partials[n, 0, c] += total
            partials[n, 1, c] += product


def _input_grad(part, count, parameters, dy, x, dx, center, factor, bias, scale, shift):
    """Part `part` of `count` of the planes of dx = g * factor + (x - center) * scale + shift."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        grads, values, results = dy[n, c], x[n, c], dx[n, c]
        for i in range(places):
            distance = values[i] - center[c]
            g = function(grads[i], multiply_add(distance, factor[c], bias[c]), *parameters)  # noqa: F821
            results[i] = multiply_add(g, factor[c], multiply_add(distance, scale[c], shift[c]))


def _gradient_of_planes(count, parameters, dy, x, dx, partials, mean, invstd, factor, bias, dweight, dbias):
    arguments = count, parameters, dy, x, mean, factor, bias, partials
    parallel_for(count, count > 1, products, arguments)  # noqa: F821
    samples, channels, places = x.shape
    number = samples * places
    scale, shift = np.empty_like(mean), np.empty_like(mean)
    for c in range(channels):
        total, product, inverse = 0.0, 0.0, np.float64(invstd[c])
        for n in range(samples):
            total += partials[n, 0, c]
            product += partials[n, 1, c]
        dbias[c], dweight[c] = total, product * inverse
        scale[c] = -factor[c] * product * inverse * inverse / number
        shift[c] = -factor[c] * total / number
    arguments = count, parameters, dy, x, dx, mean, factor, bias, scale, shift
    parallel_for(count, count > 1, input_grad, arguments)  # noqa: F821


def planes_stats(x, mean, var):
    """Write mean and biased variance of every channel."""
    planes = _planes(x)
    _stats(parts(x.shape[0] * x.shape[1], x.size), planes, np.empty((x.shape[0], 2, x.shape[1])), mean, var)


def planes_normalized(function, parameters, x, residual, center, scale, shift):
    """function((x - center) * scale + shift + residual), by channel, like x."""
    y = empty(x.shape, x.dtype.newbyteorder("="))
    kernel_with(_normalize_planes, function, y.dtype, normalize=_normalize)(
        parts(x.shape[0] * x.shape[1], x.size), parameters, _planes(x), None if residual is None else _planes(residual),
        _planes(y), center, scale, shift,
    )  # fmt: skip
    return y


def planes_grad(function, parameters, dy, x, *by_channel):
    """dx of `batch_norm_grad`, like x; dweight and dbias, the last two of what is given by channel, are written."""
    dx = empty(x.shape, x.dtype.newbyteorder("="))
    partials = np.empty((x.shape[0], 2, x.shape[1]))
    kernel_with(_gradient_of_planes, function, dx.dtype, products=_products, input_grad=_input_grad)(
        parts(x.shape[0] * x.shape[1], x.size), parameters, _planes(dy), _planes(x), _planes(dx), partials, *by_channel
    )
    return dx
