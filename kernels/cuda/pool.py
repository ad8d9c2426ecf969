"""Pooling over windows: a thread computes one number, or those of WIDE neighbouring channels, four where it can.

Gradients are gathered, too: a cell of dx asks the windows that hold it, so no two threads add to one place. Only where
`max_pool_grad` knows where maxima stood but not the windows, each channel of an image goes to one thread. Memory is
channels-last. `kernels/reference/pool.py` is the definition.
"""

from math import inf

import numpy as np

from ._numba import SIMULATED, cuda, div, i32, i64, inlined, kernel, launch, on_device, unrolled
from .memory import channels_first, channels_last, empty
from .pool_geometry import (
    first_window,
    into,
    last_window,
    load,
    place_of,
    sizes_of,
    step_of,
    store,
    wide_of,
    window_start,
    window_stop,
)

__all__ = [
    "adaptive_avg_pool", "adaptive_avg_pool_grad", "adaptive_max_pool", "avg_pool", "avg_pool_grad", "max_pool",
    "max_pool_gather", "max_pool_grad", "median_pool",
]  # fmt: skip

THREADS = 8 if SIMULATED else 256
PLANE_THREADS = 4 if SIMULATED else 32


@kernel("T*, T*, i64*, i32*, T, i32")
def largest_in_windows(x, y, indices, sizes, lowest, places, *, T, ADAPTIVE, WIDE, THREADS):
    """y and indices of max pooling: the first of equal maxima wins, a NaN over everything, the last of several."""
    values, largest, index = cuda.local.array(WIDE, T), cuda.local.array(WIDE, T), cuda.local.array(WIDE, i64)
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < places:
        image, o_z, o_y, o_x, group = place_of(number, sizes, 4)
        for k in unrolled(WIDE):
            largest[k] = lowest
            index[k] = -1
        step_z, step_y, step_x = step_of(0, sizes), step_of(1, sizes), step_of(2, sizes)
        for z in range(into(window_start(o_z, 0, sizes), step_z), min(window_stop(o_z, 0, sizes), sizes[1]), step_z):
            stop_y = min(window_stop(o_y, 1, sizes), sizes[2])
            for i in range(into(window_start(o_y, 1, sizes), step_y), stop_y, step_y):
                stop = min(window_stop(o_x, 2, sizes), sizes[3])
                for j in range(into(window_start(o_x, 2, sizes), step_x), stop, step_x):
                    at = (z * sizes[2] + i) * sizes[3] + j
                    load(values, x, (image * sizes[1] * sizes[2] * sizes[3] + at) * sizes[0] + group)
                    for k in unrolled(WIDE):
                        if index[k] == -1 or values[k] > largest[k] or values[k] != values[k]:
                            largest[k] = values[k]
                            index[k] = at
        store(y, number, largest)
        store(indices, number, index)


@inlined
def before(value, at, other, place):
    """Whether a cell comes before another one by value, of equals by place."""
    return value < other or (value == other and at < place)


@kernel("T*, T*, i64*, i32*, i32")
def median_of_windows(x, y, indices, sizes, cells, *, T, ADAPTIVE, THREADS):
    """The cell of each window that half of the others come before; a NaN wins, the first one."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        image, o_z, o_y, o_x, c = place_of(number, sizes, 4)
        z_first, z_last = max(window_start(o_z, 0, sizes), 0), min(window_stop(o_z, 0, sizes), sizes[1])
        y_first, y_last = max(window_start(o_y, 1, sizes), 0), min(window_stop(o_y, 1, sizes), sizes[2])
        x_first, x_last = max(window_start(o_x, 2, sizes), 0), min(window_stop(o_x, 2, sizes), sizes[3])
        high, wide = y_last - y_first, x_last - x_first
        count = i32((z_last - z_first) * high * wide)
        found, found_at, is_nan = x[0], i64(-1), False
        for one in range(count):
            if not is_nan:
                at = ((z_first + one // (high * wide)) * sizes[2] + y_first + one // wide % high) * sizes[3]
                at += x_first + one % wide
                value = x[(image * sizes[1] * sizes[2] * sizes[3] + at) * sizes[0] + c]
                smaller = 0
                for two in range(count):
                    to = ((z_first + two // (high * wide)) * sizes[2] + y_first + two // wide % high) * sizes[3]
                    to += x_first + two % wide
                    other = x[(image * sizes[1] * sizes[2] * sizes[3] + to) * sizes[0] + c]
                    if before(other, to, value, at):
                        smaller += 1
                is_nan = value != value
                if smaller == (count - 1) // 2 or is_nan:
                    found, found_at = value, i64(at)
        y[number] = found
        indices[number] = found_at


@kernel("T*, i64*, T*, i32, i32, i32, i32")
def send_back(dy, indices, dx, lines, channels, outputs, cells, *, T, THREADS):
    """dx[indices[o]] += dy[o] for all outputs of one channel of one image, in order."""
    line = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if line < lines:
        image = div(line, channels)
        c = line - image * channels
        for o in range(outputs):
            at = (image * outputs + o) * channels + c
            index = indices[at]
            if index >= 0:
                dx[(image * cells + index) * channels + c] += dy[at]


@kernel("T*, i64*, T*, i32*, i32")
def ask_windows(dy, indices, dx, sizes, places, *, T, ADAPTIVE, WIDE, THREADS):
    """dx of max pooling: the sum over the windows that reach over a cell, and whose maximum it is, of their dy."""
    values, total, index = cuda.local.array(WIDE, T), cuda.local.array(WIDE, T), cuda.local.array(WIDE, i64)
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < places:
        image, z, y, x, group = place_of(number, sizes, 1)
        at = (z * sizes[2] + y) * sizes[3] + x
        for k in unrolled(WIDE):
            total[k] = T(0)
        for o_z in range(first_window(z, 0, sizes), last_window(z, 0, sizes) + 1):
            for o_y in range(first_window(y, 1, sizes), last_window(y, 1, sizes) + 1):
                for o_x in range(first_window(x, 2, sizes), last_window(x, 2, sizes) + 1):
                    window = (((image * sizes[4] + o_z) * sizes[5] + o_y) * sizes[6] + o_x) * sizes[0] + group
                    load(values, dy, window)
                    load(index, indices, window)
                    for k in unrolled(WIDE):
                        if index[k] == at:
                            total[k] += values[k]
        store(dx, number, total)


@kernel("T*, i64*, T*, i32, i32, i32, i32")
def gather_cells(x, indices, y, count, channels, outputs, cells, *, T, THREADS):
    """y[o] = x[indices[o]], or 0 where the index is -1."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        place = div(number, channels)
        image = div(place, outputs)
        index = indices[number]
        y[number] = x[(image * cells + index) * channels + number - place * channels] if index >= 0 else T(0)


@inlined
def divisor_of(start_z, stop_z, start_y, stop_y, start_x, stop_x, sizes, divisor, *, PADDING_COUNTS):
    """What the sum of a window is divided by; a divisor other than 0 is the user's."""
    if divisor != 0:
        return divisor
    if PADDING_COUNTS:
        return i32((stop_z - start_z) * (stop_y - start_y) * (stop_x - start_x))
    depth = min(stop_z, sizes[1]) - max(start_z, 0)
    height = min(stop_y, sizes[2]) - max(start_y, 0)
    return i32(depth * height * (min(stop_x, sizes[3]) - max(start_x, 0)))


@kernel("T*, T*, i32*, i32, i32")
def mean_of_windows(x, y, sizes, divisor, places, *, T, ADAPTIVE, PADDING_COUNTS, WIDE, THREADS):
    """y of average pooling."""
    values, total = cuda.local.array(WIDE, T), cuda.local.array(WIDE, T)
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < places:
        image, o_z, o_y, o_x, group = place_of(number, sizes, 4)
        start_z, stop_z = window_start(o_z, 0, sizes), window_stop(o_z, 0, sizes)
        start_y, stop_y = window_start(o_y, 1, sizes), window_stop(o_y, 1, sizes)
        start_x, stop_x = window_start(o_x, 2, sizes), window_stop(o_x, 2, sizes)
        for k in unrolled(WIDE):
            total[k] = T(0)
        for z in range(max(start_z, 0), min(stop_z, sizes[1])):
            for i in range(max(start_y, 0), min(stop_y, sizes[2])):
                for j in range(max(start_x, 0), min(stop_x, sizes[3])):
                    load(values, x, (((image * sizes[1] + z) * sizes[2] + i) * sizes[3] + j) * sizes[0] + group)
                    for k in unrolled(WIDE):
                        total[k] += values[k]
        count = divisor_of(start_z, stop_z, start_y, stop_y, start_x, stop_x, sizes, divisor)
        for k in unrolled(WIDE):
            total[k] = total[k] / T(count) if count != 0 else total[k] * T(np.nan)
        store(y, number, total)


@kernel("T*, T*, i32*, i32, i32")
def share_of_windows(dy, dx, sizes, divisor, places, *, T, ADAPTIVE, PADDING_COUNTS, WIDE, THREADS):
    """dx of average pooling: the sum over the windows that hold a cell of their dy over their divisor."""
    values, total = cuda.local.array(WIDE, T), cuda.local.array(WIDE, T)
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < places:
        image, z, y, x, group = place_of(number, sizes, 1)
        for k in unrolled(WIDE):
            total[k] = T(0)
        for o_z in range(first_window(z, 0, sizes), last_window(z, 0, sizes) + 1):
            start_z, stop_z = window_start(o_z, 0, sizes), window_stop(o_z, 0, sizes)
            for o_y in range(first_window(y, 1, sizes), last_window(y, 1, sizes) + 1):
                start_y, stop_y = window_start(o_y, 1, sizes), window_stop(o_y, 1, sizes)
                for o_x in range(first_window(x, 2, sizes), last_window(x, 2, sizes) + 1):
                    start_x, stop_x = window_start(o_x, 2, sizes), window_stop(o_x, 2, sizes)
                    count = divisor_of(start_z, stop_z, start_y, stop_y, start_x, stop_x, sizes, divisor)
                    load(values, dy, (((image * sizes[4] + o_z) * sizes[5] + o_y) * sizes[6] + o_x) * sizes[0] + group)
                    for k in unrolled(WIDE):
                        total[k] += values[k] / T(count)
        store(dx, number, total)


def _blocks(array, wide=1):
    return -(-array.size // (wide * THREADS))


def _largest(x, output_size, adaptive, *geometry):
    """(y, indices) of max pooling of either kind."""
    channels, shape = x.shape[1], (len(x), *output_size, x.shape[1])
    y, indices, cells = empty(shape, x.dtype), empty(shape, np.int64), channels_last(x)
    lowest = -inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    wide = wide_of(channels, cells, y, indices)
    launch(
        largest_in_windows, _blocks(y, wide), THREADS, cells, y, indices,
        sizes_of(channels // wide, x.shape[2:], output_size, *geometry), lowest, y.size // wide,
        T=x.dtype, ADAPTIVE=adaptive, WIDE=wide, THREADS=THREADS,
    )  # fmt: skip
    return channels_first(y), channels_first(indices)


@on_device
def max_pool(x, kernel, stride, padding, dilation, output_size):
    """Largest value of every window, and where it stood, `(y, indices)`: `kernels.reference.max_pool`."""
    return _largest(x, output_size, False, kernel, stride, padding, dilation)


@on_device
def adaptive_max_pool(x, output_size):
    """Largest value of windows that divide the input evenly, `(y, indices)`: `kernels.reference.adaptive_max_pool`."""
    return _largest(x, output_size, True)


@on_device
def median_pool(x, kernel, stride, padding, output_size):
    """Median of every window, and where it stood, `(y, indices)`: `kernels.reference.median_pool`."""
    sizes = sizes_of(x.shape[1], x.shape[2:], output_size, kernel, stride, padding)
    shape = len(x), *output_size, x.shape[1]
    y, indices = empty(shape, x.dtype), empty(shape, np.int64)
    launch(
        median_of_windows, _blocks(y), THREADS, channels_last(x), y, indices, sizes, y.size,
        T=x.dtype, ADAPTIVE=False, THREADS=THREADS,
    )  # fmt: skip
    return channels_first(y), channels_first(indices)


@on_device
def max_pool_grad(dy, indices, input_shape, windows=None):
    """Gradient of `max_pool`: every dy added to the cell its maximum came from: `kernels.reference.max_pool_grad`."""
    images, channels, *spatial = input_shape
    dx = empty((images, *spatial, channels), dy.dtype)
    if windows is not None and dy.size:
        grads, where = channels_last(dy), channels_last(indices)
        wide = wide_of(channels, grads, where, dx)
        launch(
            ask_windows, _blocks(dx, wide), THREADS, grads, where, dx,
            sizes_of(channels // wide, spatial, dy.shape[2:], *windows), dx.size // wide,
            T=dy.dtype, ADAPTIVE=not windows, WIDE=wide, THREADS=THREADS,
        )  # fmt: skip
        return channels_first(dx)
    dx.fill(0)
    if dy.size:
        outputs, cells = dy.size // (images * channels), dx.size // (images * channels)
        launch(
            send_back, -(-images * channels // PLANE_THREADS), PLANE_THREADS, channels_last(dy), channels_last(indices),
            dx, images * channels, channels, outputs, cells, T=dy.dtype, THREADS=PLANE_THREADS,
        )  # fmt: skip
    return channels_first(dx)


@on_device
def max_pool_gather(x, indices):
    """Values of x at the indices of `max_pool`, 0 where the index is -1: `kernels.reference.max_pool_gather`."""
    images, channels = x.shape[:2]
    y = empty((images, *indices.shape[2:], channels), x.dtype)
    if y.size:
        outputs, cells = y.size // (images * channels), x.size // (images * channels)
        launch(
            gather_cells, _blocks(y), THREADS, channels_last(x), channels_last(indices), y, y.size, channels, outputs,
            cells, T=x.dtype, THREADS=THREADS,
        )  # fmt: skip
    return channels_first(y)


def _average(kernel, source, result, spatial, output_size, divisor, geometry, padding_counts):
    """Launch one of the kernels of average pooling from a channels-last array to another; without geometry, windows
    divide the input evenly.
    """
    channels = result.shape[-1]
    wide = wide_of(channels, source, result)
    launch(
        kernel, _blocks(result, wide), THREADS, source, result,
        sizes_of(channels // wide, spatial, output_size, *geometry), divisor or 0, result.size // wide,
        T=result.dtype, ADAPTIVE=not geometry, PADDING_COUNTS=padding_counts, WIDE=wide, THREADS=THREADS,
    )  # fmt: skip
    return channels_first(result)


@on_device
def avg_pool(x, kernel, stride, padding, output_size, count_include_pad, divisor_override):
    """Mean of every window: `kernels.reference.avg_pool`."""
    y, geometry = empty((len(x), *output_size, x.shape[1]), x.dtype), (kernel, stride, padding)
    settings = x.shape[2:], output_size, divisor_override, geometry, bool(count_include_pad)
    return _average(mean_of_windows, channels_last(x), y, *settings)


@on_device
def avg_pool_grad(dy, input_shape, kernel, stride, padding, count_include_pad, divisor_override):
    """Gradient of `avg_pool`, of input_shape: `kernels.reference.avg_pool_grad`."""
    dx, geometry = empty((input_shape[0], *input_shape[2:], input_shape[1]), dy.dtype), (kernel, stride, padding)
    settings = input_shape[2:], dy.shape[2:], divisor_override, geometry, bool(count_include_pad)
    return _average(share_of_windows, channels_last(dy), dx, *settings)


@on_device
def adaptive_avg_pool(x, output_size):
    """Means over windows that divide the input evenly: `kernels.reference.adaptive_avg_pool`."""
    y = empty((len(x), *output_size, x.shape[1]), x.dtype)
    return _average(mean_of_windows, channels_last(x), y, x.shape[2:], output_size, None, (), False)


@on_device
def adaptive_avg_pool_grad(dy, input_shape):
    """Gradient of `adaptive_avg_pool`, of input_shape: `kernels.reference.adaptive_avg_pool_grad`."""
    dx = empty((input_shape[0], *input_shape[2:], input_shape[1]), dy.dtype)
    return _average(share_of_windows, channels_last(dy), dx, input_shape[2:], dy.shape[2:], None, (), False)
