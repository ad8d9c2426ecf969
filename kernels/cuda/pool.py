"""Pooling over windows: a thread computes one number, channels side by side, so that neighbours read neighbours.

Gradients are gathered, too: a cell of dx asks the windows that hold it, so no two threads add to one place. Only where
`max_pool_grad` knows where maxima stood but not the windows, each channel of an image goes to one thread. Memory is
channels-last. `kernels/reference/pool.py` is the definition.
"""

from math import inf

import numpy as np

from ._numba import SIMULATED, cuda, div, i32, i64, inlined, kernel, launch, on_device
from .memory import channels_first, channels_last, constant, empty

__all__ = [
    "adaptive_avg_pool", "adaptive_avg_pool_grad", "adaptive_max_pool", "avg_pool", "avg_pool_grad", "max_pool",
    "max_pool_gather", "max_pool_grad", "median_pool",
]  # fmt: skip

THREADS = 8 if SIMULATED else 256
PLANE_THREADS = 4 if SIMULATED else 32

# In the tables of sizes, 0: channels, 1: the input's size, 4: the output's, 7: the window's, 10: stride, 13: padding,
# 16: dilation, each for three axes.


@inlined
def place_of(number, sizes, first):
    """(image, z, y, x, channel) of an element whose axes' sizes begin at entry `first`."""
    place = div(number, sizes[0])
    row = div(place, sizes[first + 2])
    plane = div(row, sizes[first + 1])
    image = div(plane, sizes[first])
    z, y, x = plane - image * sizes[first], row - plane * sizes[first + 1], place - row * sizes[first + 2]
    return image, i32(z), i32(y), i32(x), i32(number - place * sizes[0])


@inlined
def window_start(o, axis, sizes, *, ADAPTIVE):
    """Where window o begins along an axis; in the padding it is negative."""
    if ADAPTIVE:
        return i32(o * sizes[1 + axis] // sizes[4 + axis])
    return i32(o * sizes[10 + axis] - sizes[13 + axis])


@inlined
def window_stop(o, axis, sizes, *, ADAPTIVE):
    """One more than the last cell of window o along an axis, in the input or its padding."""
    if ADAPTIVE:
        return i32(((o + 1) * sizes[1 + axis] + sizes[4 + axis] - 1) // sizes[4 + axis])
    start = o * sizes[10 + axis] - sizes[13 + axis]
    return i32(min(start + (sizes[7 + axis] - 1) * sizes[16 + axis] + 1, sizes[1 + axis] + sizes[13 + axis]))


@inlined
def step_of(axis, sizes, *, ADAPTIVE):
    """The distance of a window's cells."""
    if ADAPTIVE:
        return i32(1)
    return sizes[16 + axis]


@inlined
def into(start, step):
    """The first cell of a window that is not before the image."""
    if start < 0:
        return i32(start + (-start + step - 1) // step * step)
    return i32(start)


@kernel("T*, T*, i64*, i32*, T, i32")
def largest_in_windows(x, y, indices, sizes, lowest, cells, *, T, ADAPTIVE, THREADS):
    """y and indices of max pooling: the first of equal maxima wins, a NaN over everything, the last of several."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        image, o_z, o_y, o_x, c = place_of(number, sizes, 4)
        step_z, step_y, step_x = step_of(0, sizes), step_of(1, sizes), step_of(2, sizes)
        largest, index = lowest, i64(-1)
        for z in range(into(window_start(o_z, 0, sizes), step_z), min(window_stop(o_z, 0, sizes), sizes[1]), step_z):
            stop_y = min(window_stop(o_y, 1, sizes), sizes[2])
            for i in range(into(window_start(o_y, 1, sizes), step_y), stop_y, step_y):
                stop = min(window_stop(o_x, 2, sizes), sizes[3])
                for j in range(into(window_start(o_x, 2, sizes), step_x), stop, step_x):
                    at = (z * sizes[2] + i) * sizes[3] + j
                    value = x[(image * sizes[1] * sizes[2] * sizes[3] + at) * sizes[0] + c]
                    if index == -1 or value > largest or value != value:
                        largest, index = value, i64(at)
        y[number] = largest
        indices[number] = index


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


@inlined
def first_window(i, axis, sizes, *, ADAPTIVE):
    """The first window that reaches over cell i of an axis."""
    if ADAPTIVE:
        return i32(i * sizes[4 + axis] // sizes[1 + axis])
    reach = (sizes[7 + axis] - 1) * sizes[16 + axis] + 1
    return div(max(0, i + sizes[13 + axis] - reach + sizes[10 + axis]), sizes[10 + axis])


@inlined
def last_window(i, axis, sizes, *, ADAPTIVE):
    """The last window that reaches over cell i of an axis."""
    if ADAPTIVE:
        return i32(((i + 1) * sizes[4 + axis] + sizes[1 + axis] - 1) // sizes[1 + axis] - 1)
    return i32(min(div(i + sizes[13 + axis], sizes[10 + axis]), sizes[4 + axis] - 1))


@kernel("T*, i64*, T*, i32*, i32")
def ask_windows(dy, indices, dx, sizes, cells, *, T, ADAPTIVE, THREADS):
    """dx of max pooling: the sum over the windows that reach over a cell, and whose maximum it is, of their dy."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        image, z, y, x, c = place_of(number, sizes, 1)
        at, total = (z * sizes[2] + y) * sizes[3] + x, T(0)
        for o_z in range(first_window(z, 0, sizes), last_window(z, 0, sizes) + 1):
            for o_y in range(first_window(y, 1, sizes), last_window(y, 1, sizes) + 1):
                for o_x in range(first_window(x, 2, sizes), last_window(x, 2, sizes) + 1):
                    window = (((image * sizes[4] + o_z) * sizes[5] + o_y) * sizes[6] + o_x) * sizes[0] + c
                    if indices[window] == at:
                        total += dy[window]
        dx[number] = total


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
def mean_of_windows(x, y, sizes, divisor, cells, *, T, ADAPTIVE, PADDING_COUNTS, THREADS):
    """y of average pooling."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        image, o_z, o_y, o_x, c = place_of(number, sizes, 4)
        start_z, stop_z = window_start(o_z, 0, sizes), window_stop(o_z, 0, sizes)
        start_y, stop_y = window_start(o_y, 1, sizes), window_stop(o_y, 1, sizes)
        start_x, stop_x = window_start(o_x, 2, sizes), window_stop(o_x, 2, sizes)
        total = T(0)
        for z in range(max(start_z, 0), min(stop_z, sizes[1])):
            for i in range(max(start_y, 0), min(stop_y, sizes[2])):
                for j in range(max(start_x, 0), min(stop_x, sizes[3])):
                    total += x[(((image * sizes[1] + z) * sizes[2] + i) * sizes[3] + j) * sizes[0] + c]
        count = divisor_of(start_z, stop_z, start_y, stop_y, start_x, stop_x, sizes, divisor)
        y[number] = total / T(count) if count != 0 else total * T(np.nan)


@kernel("T*, T*, i32*, i32, i32")
def share_of_windows(dy, dx, sizes, divisor, cells, *, T, ADAPTIVE, PADDING_COUNTS, THREADS):
    """dx of average pooling: the sum over the windows that hold a cell of their dy over their divisor."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < cells:
        image, z, y, x, c = place_of(number, sizes, 1)
        total = T(0)
        for o_z in range(first_window(z, 0, sizes), last_window(z, 0, sizes) + 1):
            start_z, stop_z = window_start(o_z, 0, sizes), window_stop(o_z, 0, sizes)
            for o_y in range(first_window(y, 1, sizes), last_window(y, 1, sizes) + 1):
                start_y, stop_y = window_start(o_y, 1, sizes), window_stop(o_y, 1, sizes)
                for o_x in range(first_window(x, 2, sizes), last_window(x, 2, sizes) + 1):
                    start_x, stop_x = window_start(o_x, 2, sizes), window_stop(o_x, 2, sizes)
                    count = divisor_of(start_z, stop_z, start_y, stop_y, start_x, stop_x, sizes, divisor)
                    at = (((image * sizes[4] + o_z) * sizes[5] + o_y) * sizes[6] + o_x) * sizes[0] + c
                    total += dy[at] / T(count)
        dx[number] = total


def _sizes(channels, spatial, output, kernel=(), stride=(), padding=(), dilation=()):
    def three(values, missing):
        return (missing,) * (3 - len(values)) + tuple(map(int, values))

    sizes = three(spatial, 1), three(output, 1), three(kernel, 1)
    steps = three(stride, 1), three(padding, 0), three(dilation, 1)
    return constant((channels, *sum(sizes + steps, ())))


def _blocks(array):
    return -(-array.size // THREADS)


def _largest(x, output_size, adaptive, *geometry):
    """(y, indices) of max pooling of either kind."""
    sizes = _sizes(x.shape[1], x.shape[2:], output_size, *geometry)
    shape = len(x), *output_size, x.shape[1]
    y, indices = empty(shape, x.dtype), empty(shape, np.int64)
    lowest = -inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    launch(
        largest_in_windows, _blocks(y), THREADS, channels_last(x), y, indices, sizes, lowest, y.size,
        T=x.dtype, ADAPTIVE=adaptive, THREADS=THREADS,
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
    sizes = _sizes(x.shape[1], x.shape[2:], output_size, kernel, stride, padding)
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
        sizes = _sizes(channels, spatial, dy.shape[2:], *windows)
        launch(
            ask_windows, _blocks(dx), THREADS, channels_last(dy), channels_last(indices), dx, sizes, dx.size,
            T=dy.dtype, ADAPTIVE=not windows, THREADS=THREADS,
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


def _average(x, output_size, sizes, divisor, adaptive, padding_counts):
    y = empty((len(x), *output_size, x.shape[1]), x.dtype)
    launch(
        mean_of_windows, _blocks(y), THREADS, channels_last(x), y, sizes, divisor, y.size,
        T=x.dtype, ADAPTIVE=adaptive, PADDING_COUNTS=padding_counts, THREADS=THREADS,
    )  # fmt: skip
    return channels_first(y)


def _average_grad(dy, input_shape, sizes, divisor, adaptive, padding_counts):
    dx = empty((input_shape[0], *input_shape[2:], input_shape[1]), dy.dtype)
    launch(
        share_of_windows, _blocks(dx), THREADS, channels_last(dy), dx, sizes, divisor, dx.size,
        T=dy.dtype, ADAPTIVE=adaptive, PADDING_COUNTS=padding_counts, THREADS=THREADS,
    )  # fmt: skip
    return channels_first(dx)


@on_device
def avg_pool(x, kernel, stride, padding, output_size, count_include_pad, divisor_override):
    """Mean of every window: `kernels.reference.avg_pool`."""
    sizes = _sizes(x.shape[1], x.shape[2:], output_size, kernel, stride, padding)
    return _average(x, output_size, sizes, divisor_override or 0, False, bool(count_include_pad))


@on_device
def avg_pool_grad(dy, input_shape, kernel, stride, padding, count_include_pad, divisor_override):
    """Gradient of `avg_pool`, of input_shape: `kernels.reference.avg_pool_grad`."""
    sizes = _sizes(dy.shape[1], input_shape[2:], dy.shape[2:], kernel, stride, padding)
    return _average_grad(dy, input_shape, sizes, divisor_override or 0, False, bool(count_include_pad))


@on_device
def adaptive_avg_pool(x, output_size):
    """Means over windows that divide the input evenly: `kernels.reference.adaptive_avg_pool`."""
    return _average(x, output_size, _sizes(x.shape[1], x.shape[2:], output_size), 0, True, False)


@on_device
def adaptive_avg_pool_grad(dy, input_shape):
    """Gradient of `adaptive_avg_pool`, of input_shape: `kernels.reference.adaptive_avg_pool_grad`."""
    return _average_grad(dy, input_shape, _sizes(dy.shape[1], input_shape[2:], dy.shape[2:]), 0, True, False)
