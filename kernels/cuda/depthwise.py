"""Convolutions whose channels do not meet: one filter for each channel. Their products are few, so memory decides.

A thread computes one number of y or dx, channels beside each other, taps in a loop. For the weight gradient a block
takes some channels and a stretch of pixels; the parts are added in order by a second kernel.
"""

from math import prod

from ._numba import SIMULATED, cuda, div, i32, kernel, launch
from .memory import constant, dense, empty

__all__ = ["depthwise_forward", "depthwise_input_grad", "depthwise_weight_grad"]

THREADS = 8 if SIMULATED else 256
LANES = 4 if SIMULATED else 32  # channels of a block of the weight gradient
LEAST_PIXELS = 8 if SIMULATED else 512  # of a part


@kernel("T*, T*, T*, T*, i32*, i32")
def windows_by_channel(x, weight, bias, y, sizes, cells, *, T, THREADS, BIAS):
    """y[n, o, c] = bias[c] + sum over the taps of x[n, o · stride - before + tap · dilation, c] · weight[c, tap]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        channels = sizes[0]
        place = div(number, channels)
        c = number - place * channels
        row = div(place, sizes[6])
        x_first = (place - row * sizes[6]) * sizes[12] - sizes[15]
        plane = div(row, sizes[5])
        y_first = (row - plane * sizes[5]) * sizes[11] - sizes[14]
        image = div(plane, sizes[4])
        z_first = (plane - image * sizes[4]) * sizes[10] - sizes[13]
        total = T(0)
        tap = i32(c * sizes[7] * sizes[8] * sizes[9])
        for i in range(sizes[7]):
            z = z_first + i * sizes[16]
            for j in range(sizes[8]):
                y_at = y_first + j * sizes[17]
                for k in range(sizes[9]):
                    x_at = x_first + k * sizes[18]
                    if 0 <= z < sizes[1] and 0 <= y_at < sizes[2] and 0 <= x_at < sizes[3]:
                        at = (((image * sizes[1] + z) * sizes[2] + y_at) * sizes[3] + x_at) * channels + c
                        total += x[at] * weight[tap]
                    tap += 1
        if BIAS:
            total += bias[c]
        y[number] = total


@kernel("T*, T*, T*, i32*, i32")
def pixels_by_channel(dy, weight, dx, sizes, cells, *, T, THREADS):
    """dx[n, i, c] = sum over the taps of dy[n, (i + before - tap · dilation) / stride, c] · weight[c, tap].

    Where the quotient is not whole no window reads the pixel by that tap.
    """
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        channels = sizes[0]
        place = div(number, channels)
        c = number - place * channels
        row = div(place, sizes[3])
        x_first = place - row * sizes[3] + sizes[15]
        plane = div(row, sizes[2])
        y_first = row - plane * sizes[2] + sizes[14]
        image = div(plane, sizes[1])
        z_first = plane - image * sizes[1] + sizes[13]
        total = T(0)
        tap = i32(c * sizes[7] * sizes[8] * sizes[9])
        for i in range(sizes[7]):
            z = z_first - i * sizes[16]
            z_at = i32(z // sizes[10])
            for j in range(sizes[8]):
                y = y_first - j * sizes[17]
                y_at = i32(y // sizes[11])
                for k in range(sizes[9]):
                    x = x_first - k * sizes[18]
                    x_at = i32(x // sizes[12])
                    whole = z_at * sizes[10] == z and y_at * sizes[11] == y and x_at * sizes[12] == x
                    if whole and 0 <= z_at < sizes[4] and 0 <= y_at < sizes[5] and 0 <= x_at < sizes[6]:
                        at = (((image * sizes[4] + z_at) * sizes[5] + y_at) * sizes[6] + x_at) * channels + c
                        total += dy[at] * weight[tap]
                    tap += 1
        dx[number] = total


@kernel("T*, T*, T*, i32*, i32, i32")
def taps_by_channel(dy, x, parts, sizes, pixels, part, *, T, THREADS, LANES):
    """parts[split, tap, c] = sum over a split's pixels of dy[pixel, c] · x[the pixel that the tap reads there, c]."""
    partial = cuda.shared.array(THREADS, T)
    thread = i32(cuda.threadIdx.x)
    channels, tap = sizes[0], i32(cuda.blockIdx.z)
    c = i32(cuda.blockIdx.x * LANES + thread % LANES)
    first = i32(cuda.blockIdx.y * part)
    last = min(pixels, first + part)
    i = i32(tap // (sizes[8] * sizes[9]))
    j = i32(tap // sizes[9] - i * sizes[8])
    k = i32(tap - (i * sizes[8] + j) * sizes[9])
    total = T(0)
    if c < channels:
        for place in range(first + thread // LANES, last, THREADS // LANES):
            row = div(place, sizes[6])
            x_at = (place - row * sizes[6]) * sizes[12] - sizes[15] + k * sizes[18]
            plane = div(row, sizes[5])
            y_at = (row - plane * sizes[5]) * sizes[11] - sizes[14] + j * sizes[17]
            image = div(plane, sizes[4])
            z = (plane - image * sizes[4]) * sizes[10] - sizes[13] + i * sizes[16]
            if 0 <= z < sizes[1] and 0 <= y_at < sizes[2] and 0 <= x_at < sizes[3]:
                at = (((image * sizes[1] + z) * sizes[2] + y_at) * sizes[3] + x_at) * channels + c
                total += dy[place * channels + c] * x[at]
    partial[thread] = total
    cuda.syncthreads()
    if thread < LANES and c < channels:
        for other in range(1, THREADS // LANES):
            total += partial[other * LANES + thread]
        parts[(cuda.blockIdx.y * cuda.gridDim.z + tap) * channels + c] = total


@kernel("T*, T*, i32, i32, i32")
def add_taps(parts, dw, splits, taps, channels, *, T, THREADS):
    """dw[c, tap] = sum over the splits, in order, of parts[split, tap, c]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < taps * channels:
        total = T(0)
        for split in range(splits):
            total += parts[split * taps * channels + number]
        tap = div(number, channels)
        dw[(number - tap * channels) * taps + tap] = total


def _sizes(x, y, kernel, stride, padding, dilation):
    """0: channels, 1: x's size, 4: y's, 7: the kernel's, 10: stride, 13: padding before, 16: dilation."""

    def three(values, missing):
        return (missing,) * (3 - len(values)) + tuple(values)

    before = [start for start, _ in padding]
    sizes = three(x.shape[1:-1], 1), three(y.shape[1:-1], 1), three(kernel, 1)
    steps = three(stride, 1), three(before, 0), three(dilation, 1)
    return constant((x.shape[-1], *sum(sizes + steps, ())))


def depthwise_forward(x, weight, bias, y, stride, padding, dilation):
    """Write y, channels-last as x; weight is (C, 1, *kernel), dense."""
    launch(
        windows_by_channel, -(-y.size // THREADS), THREADS, x, weight, None if bias is None else dense(bias), y,
        _sizes(x, y, weight.shape[2:], stride, padding, dilation), y.size,
        T=y.dtype, THREADS=THREADS, BIAS=bias is not None,
    )  # fmt: skip


def depthwise_input_grad(dy, weight, dx, stride, padding, dilation):
    """Write dx, channels-last as dy."""
    launch(
        pixels_by_channel, -(-dx.size // THREADS), THREADS, dy, weight, dx,
        _sizes(dx, dy, weight.shape[2:], stride, padding, dilation), dx.size, T=dx.dtype, THREADS=THREADS,
    )  # fmt: skip


def depthwise_weight_grad(dy, x, dw, stride, padding, dilation):
    """Write dw, (C, 1, *kernel); dy and x are channels-last."""
    channels, pixels, taps = dy.shape[-1], prod(dy.shape[:-1]), prod(dw.shape[2:])
    part = max(LEAST_PIXELS, -(-pixels // 64))
    splits = -(-pixels // part)
    parts = empty((splits, taps, channels), dw.dtype)
    launch(
        taps_by_channel, (-(-channels // LANES), splits, taps), THREADS, dy, x, parts,
        _sizes(x, dy, dw.shape[2:], stride, padding, dilation), pixels, part,
        T=dw.dtype, THREADS=THREADS, LANES=LANES,
    )  # fmt: skip
    launch(add_taps, -(-dw.size // THREADS), THREADS, parts, dw, splits, taps, channels, T=dw.dtype, THREADS=THREADS)
