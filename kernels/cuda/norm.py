"""Batch normalisation over channels-last memory: sums down the columns (`columns.py`), then one pass over the elements.

`kernels/reference/norm.py` is the definition.
"""

import numpy as np

from ._numba import SIMULATED, cuda, f64, i32, kernel, launch, on_device, unrolled
from .columns import MOMENTS, PRODUCTS, SUMS, column_totals, shift_of
from .memory import aligned, channels_first, channels_last, dense, empty
from .vector import put4, take4

__all__ = ["batch_norm", "batch_norm_grad", "batch_norm_stats", "channel_sum"]

THREADS = 8 if SIMULATED else 256
MOST_BLOCKS = 2 if SIMULATED else 132 * 8


@kernel("T*, f64*, T*, T*, f64, i32")
def moments_of_channels(x, totals, mean, var, rows, channels, *, T, THREADS):
    """mean and var from the sums around a shift, which is near the first row."""
    c = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if c < channels:
        offset = totals[c] / rows
        mean[c] = shift_of(f64(x[c])) + offset
        deviation = totals[channels + c] / rows - offset * offset
        var[c] = deviation if deviation > 0.0 or deviation != deviation else 0.0


@kernel("f64*, T*, i32")
def rounded_totals(totals, result, count, *, T, THREADS):
    """result[i] = totals[i], as T."""
    c = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if c < count:
        result[c] = totals[c]


@kernel("T*, T*, T*, T*, T*, T*, i32, i32")
def normalize(x, mean, invstd, weight, bias, y, count, channels, *, T, WEIGHT, BIAS, THREADS, VECTOR):
    """y = (x - mean) · invstd · weight + bias for four channels, or for one, at a time."""
    four = cuda.local.array(4, T)
    for group in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count // VECTOR, cuda.gridDim.x * THREADS):
        c = i32(group * VECTOR % channels)
        if VECTOR == 4:
            take4(four, 0, x, 4 * group)
        else:
            four[0] = x[group]
        for i in unrolled(VECTOR):
            scale = invstd[c + i]
            if WEIGHT:
                scale = scale * weight[c + i]
            value = (four[i] - mean[c + i]) * scale
            if BIAS:
                value = value + bias[c + i]
            four[i] = value
        if VECTOR == 4:
            put4(y, 4 * group, four, 0)
        else:
            y[group] = four[0]


@kernel("f64*, T*, T*, T*, T*, T*, f64, i32")
def parameter_gradients(totals, invstd, weight, dweight, dbias, factors, rows, channels, *, T, WEIGHT, THREADS):
    """dweight and dbias, and the three factors by channel of dx = dy · f₀ + (x - mean) · f₁ + f₂."""
    c = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if c < channels:
        total, product, factor = totals[c], totals[channels + c], f64(invstd[c])
        outer = factor
        if WEIGHT:
            outer = factor * f64(weight[c])
        dbias[c] = total
        dweight[c] = product * factor
        factors[c] = outer
        factors[channels + c] = -outer * product * factor * factor / rows
        factors[2 * channels + c] = -outer * total / rows


@kernel("T*, T*, T*, T*, T*, i32, i32")
def normalize_grad(dy, x, mean, factors, dx, count, channels, *, T, THREADS, VECTOR):
    """dx = dy · f₀ + (x - mean) · f₁ + f₂ for four channels, or for one, at a time."""
    grad = cuda.local.array(4, T)
    four = cuda.local.array(4, T)
    for group in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count // VECTOR, cuda.gridDim.x * THREADS):
        c = i32(group * VECTOR % channels)
        if VECTOR == 4:
            take4(four, 0, x, 4 * group)
            take4(grad, 0, dy, 4 * group)
        else:
            four[0] = x[group]
            grad[0] = dy[group]
        for i in unrolled(VECTOR):
            inner = (four[i] - mean[c + i]) * factors[channels + c + i] + factors[2 * channels + c + i]
            four[i] = grad[i] * factors[c + i] + inner
        if VECTOR == 4:
            put4(dx, 4 * group, four, 0)
        else:
            dx[group] = four[0]


def _rows(x):
    """x as a dense matrix with a column for each channel."""
    channels = x.shape[1]
    return channels_last(x).reshape(x.size // channels if channels else 0, channels)


def _like(x):
    """A new array for a result of x's shape, channels last."""
    return empty((x.shape[0], *x.shape[2:], x.shape[1]), x.dtype)


def _passes(array, vector):
    return min(-(-array.size // (vector * THREADS)), MOST_BLOCKS)


@on_device
def channel_sum(x):
    """Sum over every axis but 1: (N, C, *any) gives (C,): `kernels.reference.channel_sum`."""
    channels, result = x.shape[1], empty(x.shape[1], x.dtype)
    totals = column_totals(SUMS, _rows(x))
    launch(rounded_totals, -(-channels // THREADS), THREADS, totals, result, channels, T=x.dtype, THREADS=THREADS)
    return result


@on_device
def batch_norm_stats(x):
    """Mean and biased variance of every channel, `(mean, var)`: `kernels.reference.batch_norm_stats`."""
    channels = x.shape[1]
    mean, var = empty(channels, x.dtype), empty(channels, x.dtype)
    if not x.size:
        mean.fill(np.nan)
        var.fill(np.nan)
        return mean, var
    rows = _rows(x)
    launch(
        moments_of_channels, -(-channels // THREADS), THREADS, rows, column_totals(MOMENTS, rows), mean, var, len(rows),
        channels, T=x.dtype, THREADS=THREADS,
    )  # fmt: skip
    return mean, var


@on_device
def batch_norm(x, mean, invstd, weight, bias):
    """y = (x - mean) * invstd * weight + bias, channel by channel: `kernels.reference.batch_norm`."""
    rows, y, channels = _rows(x), _like(x), x.shape[1]
    vector = 4 if channels % 4 == 0 and aligned(rows) else 1
    parameters = [None if values is None else dense(values) for values in (mean, invstd, weight, bias)]
    launch(
        normalize, _passes(y, vector), THREADS, rows, *parameters, y, y.size, channels,
        T=x.dtype, WEIGHT=weight is not None, BIAS=bias is not None, THREADS=THREADS, VECTOR=vector,
    )  # fmt: skip
    return channels_first(y)


@on_device
def batch_norm_grad(dy, x, mean, invstd, weight):
    """Gradient of `batch_norm` through its statistics, `(dx, dweight, dbias)`: `kernels.reference.batch_norm_grad`."""
    grads, rows, dx, channels = _rows(dy), _rows(x), _like(x), x.shape[1]
    dweight, dbias, factors = empty(channels, x.dtype), empty(channels, x.dtype), empty((3, channels), x.dtype)
    mean = dense(mean)
    totals = column_totals(PRODUCTS, rows, grads, mean)
    launch(
        parameter_gradients, -(-channels // THREADS), THREADS, totals, dense(invstd),
        None if weight is None else dense(weight), dweight, dbias, factors, max(1, len(rows)), channels,
        T=x.dtype, WEIGHT=weight is not None, THREADS=THREADS,
    )  # fmt: skip
    vector = 4 if channels % 4 == 0 and aligned(rows, grads) else 1
    launch(
        normalize_grad, _passes(dx, vector), THREADS, grads, rows, mean, factors, dx, dx.size, channels,
        T=x.dtype, THREADS=THREADS, VECTOR=vector,
    )  # fmt: skip
    return channels_first(dx), dweight, dbias
