"""Batch normalisation where each channel of each sample is a plane of its own in memory: (N, C, S), dense.

`norm.py` decides whether an input lies like that, and has the mathematics. Sums are taken plane by plane and added in
order in float64: the result has the same bits for any number of threads.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
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


@jit
def _normalize(part, count, x, y, center, scale, shift):
    """Part `part` of `count` of the planes of y = (x - center) * scale + shift."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        values, results = x[n, c], y[n, c]
        for i in range(places):
            results[i] = (values[i] - center[c]) * scale[c] + shift[c]


@pool_jit
def _normalize_all(count, x, y, center, scale, shift):
    parallel_for(count, count > 1, _normalize, (count, x, y, center, scale, shift))


@jit
def _products(part, count, dy, x, center, partials):
    """Part `part` of `count` of the planes: partials[n, :, c] are the sums of dy and of dy * (x - center)."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        partials[n, :, c] = 0
        for start in range(0, places, BLOCK):
            grads, values = dy[n, c, start : start + BLOCK], x[n, c, start : start + BLOCK]
            total = product = x.dtype.type(0)
            for i in range(len(values)):
                total += grads[i]
                product += grads[i] * (values[i] - center[c])
            partials[n, 0, c] += total
            partials[n, 1, c] += product


@jit
def _input_grad(part, count, dy, x, dx, center, grad_scale, scale, shift):
    """Part `part` of `count` of the planes of dx = dy * grad_scale + (x - center) * scale + shift."""
    samples, channels, places = x.shape
    for plane in range(samples * channels * part // count, samples * channels * (part + 1) // count):
        n, c = divmod(plane, channels)
        grads, values, results = dy[n, c], x[n, c], dx[n, c]
        for i in range(places):
            results[i] = grads[i] * grad_scale[c] + (values[i] - center[c]) * scale[c] + shift[c]


@pool_jit
def _gradient(count, dy, x, dx, partials, mean, invstd, weight, dweight, dbias):
    parallel_for(count, count > 1, _products, (count, dy, x, mean, partials))
    samples, channels, places = x.shape
    number = samples * places
    grad_scale, scale, shift = np.empty_like(mean), np.empty_like(mean), np.empty_like(mean)
    for c in range(channels):
        total, product, factor = 0.0, 0.0, np.float64(invstd[c])
        for n in range(samples):
            total += partials[n, 0, c]
            product += partials[n, 1, c]
        dbias[c], dweight[c] = total, product * factor
        grad_scale[c] = factor * weight[c]
        scale[c] = -factor * weight[c] * product * factor * factor / number
        shift[c] = -factor * weight[c] * total / number
    parallel_for(count, count > 1, _input_grad, (count, dy, x, dx, mean, grad_scale, scale, shift))


def planes_stats(x, mean, var):
    """Write mean and biased variance of every channel."""
    planes = _planes(x)
    _stats(parts(x.shape[0] * x.shape[1], x.size), planes, np.empty((x.shape[0], 2, x.shape[1])), mean, var)


def planes_normalized(x, center, scale, shift):
    """(x - center) * scale + shift, by channel, like x."""
    y = empty(x.shape, x.dtype.newbyteorder("="))
    _normalize_all(parts(x.shape[0] * x.shape[1], x.size), _planes(x), _planes(y), center, scale, shift)
    return y


def planes_grad(dy, x, mean, invstd, weight, dweight, dbias):
    """dx of `batch_norm_grad`, like x; dweight and dbias are written."""
    dx = empty(x.shape, x.dtype.newbyteorder("="))
    partials = np.empty((x.shape[0], 2, x.shape[1]))
    arrays = _planes(dy), _planes(x), _planes(dx)
    count = parts(x.shape[0] * x.shape[1], x.size)
    _gradient(count, *arrays, partials, mean, invstd, weight, dweight, dbias)
    return dx
