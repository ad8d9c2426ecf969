"""Layer, group and instance normalisation: a block takes a row, which the second and third time comes from the cache.

An activation is compiled into the kernels, of which it is a constant. `kernels/reference/row_norm.py` is the
definition.
"""

from ..activations import applied, pulled_back
from ._numba import SIMULATED, cuda, div, f64, inlined, kernel, launch, on_device, quotient, sqrt
from .block import block_sum
from .elementwise import constants_for, value_of
from .memory import dense, empty

__all__ = ["row_norm", "row_norm_grad"]

THREADS = 8 if SIMULATED else 256


def _threads(count):
    """Threads for rows of so many elements."""
    return THREADS if SIMULATED or count > 256 else 32


@inlined
def affine(normal, weight, bias, channel, *, T, WEIGHT, BIAS):
    """normal · weight + bias of a channel, as T."""
    value = T(normal)
    if WEIGHT:
        value = value * weight[channel]
    if BIAS:
        value = value + bias[channel]
    return value


@kernel("T*, T*, T*, T*, T*, T*, T, T, T, f64, i32, i32, i32")
def normalize_row(
    x, weight, bias, y, mean, invstd, p, q, r, eps, count, places, groups, *, T, CENTRED, WEIGHT, BIAS, FUNCTION,
    BINARY, PARAMETERS, THREADS,
):  # fmt: skip
    """Row blockIdx.x: y = FUNCTION((x - mean) / √(var + eps) · weight + bias), and its mean and 1 / √(var + eps)."""
    shared = cuda.shared.array(THREADS, f64)
    start, channels = cuda.blockIdx.x * count, div(count, places)
    center, squares = f64(0.0), f64(0.0)
    if CENTRED:
        for i in range(cuda.threadIdx.x, count, THREADS):
            center += f64(x[start + i])
        center = block_sum(center, shared) / count
    for i in range(cuda.threadIdx.x, count, THREADS):
        distance = f64(x[start + i]) - center
        squares += distance * distance
    scale = quotient(f64(1.0), sqrt(block_sum(squares, shared) / count + eps))
    first = cuda.blockIdx.x % groups * channels
    for i in range(cuda.threadIdx.x, count, THREADS):
        value = affine((f64(x[start + i]) - center) * scale, weight, bias, first + i // places)
        y[start + i] = value_of(value, value, p, q, r)
    if cuda.threadIdx.x == 0:
        mean[cuda.blockIdx.x] = center
        invstd[cuda.blockIdx.x] = scale


@kernel("T*, T*, T*, T*, T*, T*, T*, T, T, T, i32, i32, i32")
def normalize_row_grad(
    dy, x, mean, invstd, weight, bias, dx, p, q, r, count, places, groups, *, T, CENTRED, WEIGHT, BIAS, FUNCTION,
    BINARY, PARAMETERS, THREADS,
):  # fmt: skip
    """Row blockIdx.x of dx = invstd · (g - Σ g / M - z · Σ g z / M) with z = (x - mean) · invstd.

    g = FUNCTION(dy, z · weight + bias) · weight.
    """
    shared = cuda.shared.array(THREADS, f64)
    start, first = cuda.blockIdx.x * count, cuda.blockIdx.x % groups * (count // places)
    center, scale = f64(mean[cuda.blockIdx.x]), f64(invstd[cuda.blockIdx.x])
    total, product = f64(0.0), f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        channel, normal = first + i // places, (f64(x[start + i]) - center) * scale
        grad = f64(value_of(dy[start + i], affine(normal, weight, bias, channel), p, q, r))
        if WEIGHT:
            grad = grad * f64(weight[channel])
        total += grad
        product += grad * normal
    product = block_sum(product, shared) / count
    if CENTRED:
        total = block_sum(total, shared) / count
    else:
        total = f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        channel, normal = first + i // places, (f64(x[start + i]) - center) * scale
        grad = f64(value_of(dy[start + i], affine(normal, weight, bias, channel), p, q, r))
        if WEIGHT:
            grad = grad * f64(weight[channel])
        dx[start + i] = scale * (grad - total - normal * product)


@kernel("T*, T*, T*, T*, T*, T*, T*, T*, T, T, T, i32, i32, i32, i32")
def channel_gradients(
    dy, x, mean, invstd, weight, bias, dweight, dbias, p, q, r, samples, channels, places, per_group, *, T, WEIGHT,
    BIAS, FUNCTION, BINARY, PARAMETERS, THREADS,
):  # fmt: skip
    """Channel blockIdx.x: dbias = Σ h and dweight = Σ h · z over the samples and places.

    h = FUNCTION(dy, z · weight + bias).
    """
    shared = cuda.shared.array(THREADS, f64)
    channel = cuda.blockIdx.x
    group, groups = channel // per_group, channels // per_group
    total, product = f64(0.0), f64(0.0)
    for i in range(cuda.threadIdx.x, samples * places, THREADS):
        sample = i // places
        at = (sample * channels + channel) * places + i - sample * places
        row = sample * groups + group
        normal = (f64(x[at]) - f64(mean[row])) * f64(invstd[row])
        grad = f64(value_of(dy[at], affine(normal, weight, bias, channel), p, q, r))
        total += grad
        product += grad * normal
    total = block_sum(total, shared)
    product = block_sum(product, shared)
    if cuda.threadIdx.x == 0:
        dbias[channel] = total
        dweight[channel] = product


def _dense(values):
    return None if values is None else dense(values)


@on_device
def row_norm(x, weight, bias, eps, centred, activation=None):
    """Rows of x made to mean 0 and variance 1, `(y, mean, 1 / √(var + eps))`: `kernels.reference.row_norm`."""
    samples, groups, channels, places = x.shape
    count = channels * places
    y, mean, invstd = empty(x.shape, x.dtype), empty((samples, groups), x.dtype), empty((samples, groups), x.dtype)
    if not count:
        mean.fill(0)
        invstd.fill(0)
        return y, mean, invstd
    threads = _threads(count)
    numbers, constants = constants_for(*applied(activation), x.dtype, False, threads)
    launch(
        normalize_row, samples * groups, threads, dense(x), _dense(weight), _dense(bias), y, mean, invstd, *numbers,
        eps, count, places, groups,
        CENTRED=bool(centred), WEIGHT=weight is not None, BIAS=bias is not None, **constants,
    )  # fmt: skip
    return y, mean, invstd


@on_device
def row_norm_grad(dy, x, mean, invstd, weight, centred, bias=None, activation=None):
    """Gradient of `row_norm` through its statistics, `(dx, dweight, dbias)`: `kernels.reference.row_norm_grad`."""
    samples, groups, channels, places = x.shape
    count = channels * places
    dx, dweight, dbias = empty(x.shape, x.dtype), empty(groups * channels, x.dtype), empty(groups * channels, x.dtype)
    if not x.size:
        dweight.fill(0)
        dbias.fill(0)
        return dx, dweight, dbias
    arrays = [_dense(values) for values in (dy, x, mean, invstd, weight, bias)]
    given = {"WEIGHT": weight is not None, "BIAS": bias is not None}
    threads = _threads(count)
    numbers, constants = constants_for(*pulled_back(activation), x.dtype, True, threads)
    launch(
        normalize_row_grad, samples * groups, threads, *arrays, dx, *numbers, count, places, groups,
        CENTRED=bool(centred), **given, **constants,
    )  # fmt: skip
    threads = _threads(samples * places)
    numbers, constants = constants_for(*pulled_back(activation), x.dtype, True, threads)
    launch(
        channel_gradients, groups * channels, threads, *arrays, dweight, dbias, *numbers, samples, groups * channels,
        places, channels, **given, **constants,
    )  # fmt: skip
    return dx, dweight, dbias
