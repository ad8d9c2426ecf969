"""Batch normalisation over channels-last memory: sums down the columns (`columns.py`), then one pass over the elements.

An activation is compiled into the kernels, of which it is a constant, and its argument is computed anew for its
gradient. `kernels/reference/norm.py` is the definition.
"""

import numpy as np

from ..activations import applied, pulled_back
from ._numba import SIMULATED, cuda, f64, i32, kernel, launch, on_device, unrolled
from .columns import MOMENTS, PRODUCTS, SUMS, column_totals, shift_of
from .elementwise import constants_for, value_of
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


@kernel("T*, T*, T*, T*, T*, T*, T*, T, T, T, i32, i32")
def normalize(
    x, mean, invstd, weight, bias, residual, y, p, q, r, count, channels, *, T, WEIGHT, BIAS, RESIDUAL, FUNCTION,
    BINARY, PARAMETERS, THREADS, VECTOR,
):  # fmt: skip
    """y = FUNCTION((x - mean) · invstd · weight + bias + residual) for four channels, or for one, at a time."""
    four = cuda.local.array(4, T)
    addend = cuda.local.array(4, T)
    for group in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count // VECTOR, cuda.gridDim.x * THREADS):
        c = i32(group * VECTOR % channels)
        if VECTOR == 4:
            take4(four, 0, x, 4 * group)
        else:
            four[0] = x[group]
        if RESIDUAL:
            if VECTOR == 4:
                take4(addend, 0, residual, 4 * group)
            else:
                addend[0] = residual[group]
        for i in unrolled(VECTOR):
            scale = invstd[c + i]
            if WEIGHT:
                scale = scale * weight[c + i]
            value = (four[i] - mean[c + i]) * scale
            if BIAS:
                value = value + bias[c + i]
            if RESIDUAL:
                value = value + addend[i]
            four[i] = value_of(value, value, p, q, r)
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


@kernel("T*, T*, T*, T*, T*, T*, T, T, T, i32, i32")
def normalize_grad(
    dy, x, mean, bias, factors, dx, p, q, r, count, channels, *, T, BIAS, FUNCTION, BINARY, PARAMETERS, THREADS, VECTOR
):  # fmt: skip
    """dx = g · f₀ + (x - mean) · f₁ + f₂ for four channels, or for one, at a time.

    g = FUNCTION(dy, (x - mean) · f₀ + bias).
    """
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
            distance, factor = four[i] - mean[c + i], factors[c + i]
            z = distance * factor
            if BIAS:
                z = z + bias[c + i]
            inner = distance * factors[channels + c + i] + factors[2 * channels + c + i]
            four[i] = value_of(grad[i], z, p, q, r) * factor + inner
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
def batch_norm(x, mean, invstd, weight, bias, activation=None, residual=None):
    """y = f((x - mean) * invstd * weight + bias + residual), channel by channel: `kernels.reference.batch_norm`."""
    rows, y, channels = _rows(x), _like(x), x.shape[1]
    addends = None if residual is None else _rows(residual)
    vector = 4 if channels % 4 == 0 and aligned(rows, *[] if addends is None else [addends]) else 1
    parameters = [_dense(values) for values in (mean, invstd, weight, bias)]
    numbers, constants = constants_for(*applied(activation), x.dtype, False, THREADS)
    launch(
        normalize, _passes(y, vector), THREADS, rows, *parameters, addends, y, *numbers, y.size, channels,
        WEIGHT=weight is not None, BIAS=bias is not None, RESIDUAL=residual is not None, VECTOR=vector, **constants,
    )  # fmt: skip
    return channels_first(y)


def _dense(values):
    return None if values is None else dense(values)


@on_device
def batch_norm_grad(dy, x, mean, invstd, weight, bias=None, activation=None):
    """Gradient of `batch_norm` through its statistics, `(dx, dweight, dbias)`: `kernels.reference.batch_norm_grad`."""
    grads, rows, dx, channels = _rows(dy), _rows(x), _like(x), x.shape[1]
    dweight, dbias, factors = empty(channels, x.dtype), empty(channels, x.dtype), empty((3, channels), x.dtype)
    mean, invstd, weight, bias = [_dense(values) for values in (mean, invstd, weight, bias)]
    totals = column_totals(PRODUCTS, rows, grads, mean, invstd, weight, bias, activation)
    launch(
        parameter_gradients, -(-channels // THREADS), THREADS, totals, invstd, weight, dweight, dbias, factors,
        max(1, len(rows)), channels, T=x.dtype, WEIGHT=weight is not None, THREADS=THREADS,
    )  # fmt: skip
    vector = 4 if channels % 4 == 0 and aligned(rows, grads) else 1
    numbers, constants = constants_for(*pulled_back(activation), x.dtype, True, THREADS)
    launch(
        normalize_grad, _passes(dx, vector), THREADS, grads, rows, mean, bias, factors, dx, *numbers, dx.size, channels,
        BIAS=bias is not None, VECTOR=vector, **constants,
    )  # fmt: skip
    return channels_first(dx), dweight, dbias
