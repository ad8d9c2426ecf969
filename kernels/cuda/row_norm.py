"""Layer, group and instance normalisation: a block takes a row, which the second and third time comes from the cache.

`kernels/reference/row_norm.py` is the definition.
"""

from ._numba import SIMULATED, cuda, div, f64, kernel, launch, on_device, quotient, sqrt
from .block import block_sum
from .memory import dense, empty

__all__ = ["row_norm", "row_norm_grad"]

THREADS = 8 if SIMULATED else 256


def _threads(count):
    """Threads for rows of so many elements."""
    return THREADS if SIMULATED or count > 256 else 32


@kernel("T*, T*, T*, T*, T*, T*, f64, i32, i32, i32")
def normalize_row(
    x, weight, bias, y, mean, invstd, eps, count, places, groups, *, T, CENTRED, WEIGHT, BIAS, THREADS
):  # fmt: skip
    """Row blockIdx.x: y = (x - mean) / √(var + eps) · weight + bias, and its mean and 1 / √(var + eps)."""
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
        value = T((f64(x[start + i]) - center) * scale)
        if WEIGHT:
            value = value * weight[first + i // places]
        if BIAS:
            value = value + bias[first + i // places]
        y[start + i] = value
    if cuda.threadIdx.x == 0:
        mean[cuda.blockIdx.x] = center
        invstd[cuda.blockIdx.x] = scale


@kernel("T*, T*, T*, T*, T*, T*, i32, i32, i32")
def normalize_row_grad(dy, x, mean, invstd, weight, dx, count, places, groups, *, T, CENTRED, WEIGHT, THREADS):
    """Row blockIdx.x of dx = invstd · (g - Σ g / M - z · Σ g z / M) with g = dy · weight, z = (x - mean) · invstd."""
    shared = cuda.shared.array(THREADS, f64)
    start, first = cuda.blockIdx.x * count, cuda.blockIdx.x % groups * (count // places)
    center, scale = f64(mean[cuda.blockIdx.x]), f64(invstd[cuda.blockIdx.x])
    total, product = f64(0.0), f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        grad = f64(dy[start + i])
        if WEIGHT:
            grad = grad * f64(weight[first + i // places])
        total += grad
        product += grad * (f64(x[start + i]) - center) * scale
    product = block_sum(product, shared) / count
    if CENTRED:
        total = block_sum(total, shared) / count
    else:
        total = f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        grad = f64(dy[start + i])
        if WEIGHT:
            grad = grad * f64(weight[first + i // places])
        dx[start + i] = scale * (grad - total - (f64(x[start + i]) - center) * scale * product)


@kernel("T*, T*, T*, T*, T*, T*, i32, i32, i32, i32")
def channel_gradients(dy, x, mean, invstd, dweight, dbias, samples, channels, places, per_group, *, T, THREADS):
    """Channel blockIdx.x: dbias = Σ dy and dweight = Σ dy · z over the samples and places."""
    shared = cuda.shared.array(THREADS, f64)
    channel = cuda.blockIdx.x
    group, groups = channel // per_group, channels // per_group
    total, product = f64(0.0), f64(0.0)
    for i in range(cuda.threadIdx.x, samples * places, THREADS):
        sample = i // places
        at = (sample * channels + channel) * places + i - sample * places
        row = sample * groups + group
        total += f64(dy[at])
        product += f64(dy[at]) * (f64(x[at]) - f64(mean[row])) * f64(invstd[row])
    total = block_sum(total, shared)
    product = block_sum(product, shared)
    if cuda.threadIdx.x == 0:
        dbias[channel] = total
        dweight[channel] = product


@on_device
def row_norm(x, weight, bias, eps, centred):
    """Rows of x made to mean 0 and variance 1, `(y, mean, 1 / √(var + eps))`: `kernels.reference.row_norm`."""
    samples, groups, channels, places = x.shape
    count = channels * places
    y, mean, invstd = empty(x.shape, x.dtype), empty((samples, groups), x.dtype), empty((samples, groups), x.dtype)
    if not count:
        mean.fill(0)
        invstd.fill(0)
        return y, mean, invstd
    threads = _threads(count)
    launch(
        normalize_row, samples * groups, threads, dense(x), None if weight is None else dense(weight),
        None if bias is None else dense(bias), y, mean, invstd, eps, count, places, groups,
        T=x.dtype, CENTRED=bool(centred), WEIGHT=weight is not None, BIAS=bias is not None, THREADS=threads,
    )  # fmt: skip
    return y, mean, invstd


@on_device
def row_norm_grad(dy, x, mean, invstd, weight, centred):
    """Gradient of `row_norm` through its statistics, `(dx, dweight, dbias)`: `kernels.reference.row_norm_grad`."""
    samples, groups, channels, places = x.shape
    count = channels * places
    dx, dweight, dbias = empty(x.shape, x.dtype), empty(groups * channels, x.dtype), empty(groups * channels, x.dtype)
    if not x.size:
        dweight.fill(0)
        dbias.fill(0)
        return dx, dweight, dbias
    dy, x, mean, invstd, threads = dense(dy), dense(x), dense(mean), dense(invstd), _threads(count)
    launch(
        normalize_row_grad, samples * groups, threads, dy, x, mean, invstd,
        None if weight is None else dense(weight), dx, count, places, groups,
        T=x.dtype, CENTRED=bool(centred), WEIGHT=weight is not None, THREADS=threads,
    )  # fmt: skip
    threads = _threads(samples * places)
    launch(
        channel_gradients, groups * channels, threads, dy, x, mean, invstd, dweight, dbias, samples, groups * channels,
        places, channels, T=x.dtype, THREADS=threads,
    )  # fmt: skip
    return dx, dweight, dbias
