"""Pooling over channels-last memory, one row of output pixels at a time.

Kernels see any input as (N, D, H, W, C), axes of size 1 standing for the missing ones, and learn the windows from small
tables made once per geometry: for every output coordinate of an axis the input coordinates it covers. With many
channels the inner loop runs over the channels of a pixel, with few over all pixels and channels of a row, through a
table of positions. Averages are in `average_pool.py`; `kernels/reference/pool.py` is the definition.
"""

from functools import lru_cache
from math import prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import channels_first, channels_last, dense, parts
from .windows import FEW_CHANNELS, adaptive_windows, are_planes, planes, positions_of, volume

MANY_IMAGES = 8  # from here on, images alone keep the threads busy


@jit
def _max_rows(part, count, x, y, indices, lowest, depths, heights, widths, dilation, starts, columns, pixels, shape):
    """Part `part` of `count` of the output rows of max pooling, all arrays flat; a row is one (n, depth, height).

    lowest is the smallest number of the dtype. depths, heights and widths hold the first and the stop coordinate of
    every window, starts the first column of every element's window, -1 if it is empty. columns is (taps, output row)
    positions in an input row and pixels the columns these stand for, or both are empty to walk pixel by pixel.
    """
    depth, height, width, channels = shape
    input_row, output_row = width * channels, len(starts)
    spread = np.empty(output_row, x.dtype)
    taken = np.empty(output_row, np.int32)  # relative to the row's first window: half the bytes of the int64 result
    rows = len(y) // output_row
    for row in range(rows * part // count, rows * (part + 1) // count):
        plane, h_out = divmod(row, heights.shape[1])
        image, d_out = divmod(plane, depths.shape[1])
        top = depths[0, d_out] * height + heights[0, h_out]
        inside = depths[0, d_out] < depths[1, d_out] and heights[0, h_out] < heights[1, h_out]
        best = y[row * output_row : (row + 1) * output_row]
        for j in range(output_row):
            best[j] = lowest
            taken[j] = starts[j]
        for d in range(depths[0, d_out], depths[1, d_out], dilation[0]):
            for h in range(heights[0, h_out], heights[1, h_out], dilation[1]):
                line = d * height + h
                offset = (line - top) * width
                begin = (image * depth * height + line) * input_row
                source = x[begin : begin + input_row]
                for tap in range(len(columns)):
                    at, column = columns[tap], pixels[tap]
                    for j in range(output_row):  # apart, so that the next loop is made of vectors
                        spread[j] = source[at[j]]
                    for j in range(output_row):
                        wins = (spread[j] > best[j]) | (spread[j] != spread[j])
                        best[j] = spread[j] if wins else best[j]
                        taken[j] = offset + column[j] if wins else taken[j]
                if len(columns) == 0:
                    for pixel in range(widths.shape[1]):
                        largest = best[pixel * channels : (pixel + 1) * channels]
                        index = taken[pixel * channels : (pixel + 1) * channels]
                        for w in range(widths[0, pixel], widths[1, pixel], dilation[2]):
                            cells = source[w * channels : (w + 1) * channels]
                            for c in range(channels):
                                wins = (cells[c] > largest[c]) | (cells[c] != cells[c])
                                largest[c] = cells[c] if wins else largest[c]
                                index[c] = offset + w if wins else index[c]
        where = indices[row * output_row : (row + 1) * output_row]
        for j in range(output_row):
            where[j] = top * width + taken[j] if inside and taken[j] >= 0 else -1


@pool_jit
def _max_all(count, x, y, indices, lowest, depths, heights, widths, dilation, starts, columns, pixels, shape):
    arguments = count, x, y, indices, lowest, depths, heights, widths, dilation, starts, columns, pixels, shape
    parallel_for(count, count > 1, _max_rows, arguments)


@jit
def _max_planes(part, count, x, y, indices, lowest, depths, heights, starts, taps, dilation, stride, shape):
    """What `_max_rows` does, for one channel: a row of pixels is contiguous, and a tap meets every stride-th of them.

    taps holds, for each tap, its place in the row for output pixel 0, and the first and the stop pixel that it serves.
    """
    depth, height, width = shape
    pixels = len(starts)
    taken = np.empty(pixels, np.int32)
    rows = len(y) // pixels
    for row in range(rows * part // count, rows * (part + 1) // count):
        plane, h_out = divmod(row, heights.shape[1])
        image, d_out = divmod(plane, depths.shape[1])
        top = depths[0, d_out] * height + heights[0, h_out]
        inside = depths[0, d_out] < depths[1, d_out] and heights[0, h_out] < heights[1, h_out]
        best = y[row * pixels : (row + 1) * pixels]
        for j in range(pixels):
            best[j] = lowest
            taken[j] = starts[j]
        for d in range(depths[0, d_out], depths[1, d_out], dilation[0]):
            for h in range(heights[0, h_out], heights[1, h_out], dilation[1]):
                line = d * height + h
                begin = (image * depth * height + line) * width
                source = x[begin : begin + width]
                for tap in range(len(taps)):
                    place, low, high = taps[tap]
                    place += low * stride
                    cells, largest, index = source[place:], best[low:high], taken[low:high]
                    place += (line - top) * width
                    if stride == 2:  # a stride that LLVM knows makes vectors
                        for j in range(len(largest)):
                            cell = cells[2 * j]
                            wins = (cell > largest[j]) | (cell != cell)
                            largest[j] = cell if wins else largest[j]
                            index[j] = place + 2 * j if wins else index[j]
                    else:
                        for j in range(len(largest)):
                            cell = cells[stride * j]
                            wins = (cell > largest[j]) | (cell != cell)
                            largest[j] = cell if wins else largest[j]
                            index[j] = place + stride * j if wins else index[j]
        where = indices[row * pixels : (row + 1) * pixels]
        for j in range(pixels):
            where[j] = top * width + taken[j] if inside and taken[j] >= 0 else -1


@pool_jit
def _max_all_planes(count, x, y, indices, lowest, depths, heights, starts, taps, dilation, stride, shape):
    arguments = count, x, y, indices, lowest, depths, heights, starts, taps, dilation, stride, shape
    parallel_for(count, count > 1, _max_planes, arguments)


@lru_cache(maxsize=256)
def _max_plane_tables(spatial, kernel, stride, padding, dilation, output_size):
    """What `_max_planes` asks for, from depths to taps."""
    depths, heights, (first, stop) = _max_windows(spatial, kernel, stride, padding, dilation, output_size)
    places = np.arange(kernel[2]) * dilation[2] - padding[2]
    low = np.clip(-(places // stride[2]), 0, output_size[2])
    high = np.clip((spatial[2] - 1 - places) // stride[2] + 1, low, output_size[2])
    return depths, heights, np.where(first < stop, first, -1).astype(np.int32), np.stack([places, low, high], axis=1)


def _lowest(dtype):
    return dtype.type(-np.inf if dtype.kind == "f" else np.iinfo(dtype).min)


def _max_pool_of_planes(x, kernel, stride, padding, dilation, output_size):
    """`max_pool` of an input that lies channels-first, and so do the results."""
    spatial, stride, dilation = volume(x.shape[2:], 1), volume(stride, 1), volume(dilation, 1)
    tables = _max_plane_tables(spatial, volume(kernel, 1), stride, volume(padding, 0), dilation, volume(output_size, 1))
    x = dense(x)
    y = empty((*x.shape[:2], *output_size), x.dtype)
    indices = empty(y.shape, np.int64)
    if y.size:
        flat = [array.reshape(-1) for array in (x, y, indices)]
        count = parts(y.size // output_size[-1], x.size)
        _max_all_planes(count, *flat, _lowest(x.dtype), *tables, dilation, stride[2], spatial)
    return y, indices


@lru_cache(maxsize=256)
def _max_tables(spatial, channels, kernel, stride, padding, dilation, output_size):
    """What `_max_rows` asks for, from depths to pixels."""
    return _max_taps(_max_windows(spatial, kernel, stride, padding, dilation, output_size), channels, dilation)


def _max_windows(spatial, kernel, stride, padding, dilation, output_size):
    """For each axis the (2, outputs) first and stop coordinates of every window, the cells in the padding left out."""
    windows = []
    for size, k, s, p, d, outputs in zip(spatial, kernel, stride, padding, dilation, output_size):
        start = np.arange(outputs) * s - p
        stop = np.minimum(start + (k - 1) * d + 1, size)
        windows.append(np.stack([start + np.maximum(-(start // d), 0) * d, stop]))
    return windows


@lru_cache(maxsize=256)
def _adaptive_max_tables(spatial, channels, output_size):
    """What `_max_rows` asks for, from depths to pixels, for windows that divide the input evenly."""
    return _max_taps(adaptive_windows(spatial, output_size), channels, (1, 1, 1))


def _max_taps(windows, channels, dilation):
    first, stop = windows[2]
    starts = np.repeat(np.where(first < stop, first, -1), channels).astype(np.int32)
    if channels >= FEW_CHANNELS or (first >= stop).any():
        return *windows, dilation, starts, np.empty((0, 0), np.uintp), np.empty((0, 0), np.int32)
    # a tap outside the input repeats its neighbour inside, which changes neither the maximum nor its index
    last = (stop - 1 - first) // dilation[2]
    taps = first + np.minimum(np.arange(last.max(initial=0) + 1)[:, None], last) * dilation[2]
    return *windows, dilation, starts, positions_of(taps, channels), np.repeat(taps, channels, axis=1).astype(np.int32)


def max_pool(x, kernel, stride, padding, dilation, output_size):
    """Largest value of every window, and where it stood: `(y, indices)`, both (N, C, *output_size).

    x is (N, C, *spatial), of floating or whole numbers; kernel, stride, padding, dilation and output_size hold one int
    per spatial axis. indices are int64 and flat in the input's spatial plane. The first of equal maxima wins, a NaN
    wins over everything, the last NaN over the others. A window that holds no cell of x, which a large dilation can
    bring about, gives the lowest number and the index -1. Rules: PyTorch's `torch.nn.MaxPool2d`.

    >>> x = np.array([[[1.0, 5.0, 5.0, 2.0]]])
    >>> max_pool(x, (2,), (2,), (0,), (1,), (2,))
    (array([[[5., 5.]]]), array([[[1, 2]]]))
    """
    if are_planes(x):
        return _max_pool_of_planes(x, kernel, stride, padding, dilation, output_size)
    tables = _max_tables(
        volume(x.shape[2:], 1), x.shape[1], volume(kernel, 1), volume(stride, 1), volume(padding, 0),
        volume(dilation, 1), volume(output_size, 1),
    )  # fmt: skip
    return _max_windows_of(x, tables, output_size)


def _max_windows_of(x, tables, output_size):
    """`(y, indices)` of the windows in the tables of `_max_rows`."""
    channels, dtype = x.shape[1], x.dtype.newbyteorder("=")
    y = empty((x.shape[0], *output_size, channels), dtype)
    indices = empty(y.shape, np.int64)
    if y.size:
        source, result, where = channels_last(x).reshape(-1), y.reshape(-1), indices.reshape(-1)
        count = parts(y.size // (channels * output_size[-1]), source.size)
        _max_all(count, source, result, where, _lowest(dtype), *tables, (*volume(x.shape[2:], 1), channels))
    return channels_first(y), channels_first(indices)


def adaptive_max_pool(x, output_size):
    """Largest value of windows that divide the input evenly, and where it stood: `(y, indices)`, as `max_pool` has it.

    Rules: PyTorch's `torch.nn.AdaptiveMaxPool2d`.

    >>> adaptive_max_pool(np.array([[[1.0, 5.0, 3.0]]]), (2,))
    (array([[[5., 5.]]]), array([[[1, 1]]]))
    """
    tables = _adaptive_max_tables(volume(x.shape[2:], 1), x.shape[1], volume(output_size, 1))
    return _max_windows_of(x, tables, output_size)


@jit
def _median_rows(part, count, x, y, indices, depths, heights, widths, most, shape):
    """Part `part` of `count` of the output rows of median pooling, arguments as of `_max_rows`.

    No window is empty, and none has more than `most` cells.
    """
    depth, height, width, channels = shape
    output_row = widths.shape[1] * channels
    values, places = np.empty(most, x.dtype), np.empty(most, np.int64)
    rows = len(y) // output_row
    for row in range(rows * part // count, rows * (part + 1) // count):
        plane, h_out = divmod(row, heights.shape[1])
        image, d_out = divmod(plane, depths.shape[1])
        for j in range(output_row):
            w_out, c = divmod(j, channels)
            found, nan = 0, -1
            for d in range(depths[0, d_out], depths[1, d_out]):
                for h in range(heights[0, h_out], heights[1, h_out]):
                    for w in range(widths[0, w_out], widths[1, w_out]):
                        place = (d * height + h) * width + w
                        value = x[(image * depth * height * width + place) * channels + c]
                        if value != value and nan < 0:
                            nan = place
                        at = found
                        while at > 0 and values[at - 1] > value:
                            values[at], places[at] = values[at - 1], places[at - 1]
                            at -= 1
                        values[at], places[at] = value, place
                        found += 1
            y[row * output_row + j] = np.nan if nan >= 0 else values[(found - 1) // 2]
            indices[row * output_row + j] = nan if nan >= 0 else places[(found - 1) // 2]


@pool_jit
def _median_all(count, x, y, indices, depths, heights, widths, most, shape):
    parallel_for(count, count > 1, _median_rows, (count, x, y, indices, depths, heights, widths, most, shape))


def median_pool(x, kernel, stride, padding, output_size):
    """Median of every window, the lower one of two, and where it stood: `(y, indices)`, both (N, C, *output_size).

    Arguments and indices are as in `max_pool`, without dilation. Cells in the padding do not count; of equal cells the
    order in the plane decides; a NaN wins over everything, the first one.

    >>> median_pool(np.array([[[4.0, 1.0, 3.0, 2.0]]]), (3,), (1,), (0,), (2,))
    (array([[[3., 2.]]]), array([[[2, 3]]]))
    """
    channels, spatial = x.shape[1], volume(x.shape[2:], 1)
    y = empty((x.shape[0], *output_size, channels), x.dtype.newbyteorder("="))
    indices = empty(y.shape, np.int64)
    if y.size:
        windows = _max_windows(
            spatial, volume(kernel, 1), volume(stride, 1), volume(padding, 0), (1, 1, 1), volume(output_size, 1)
        )
        source, result, where = channels_last(x).reshape(-1), y.reshape(-1), indices.reshape(-1)
        most = prod(int((stop - start).max()) for start, stop in windows)
        count = parts(y.size // (channels * output_size[-1]), y.size * most)
        _median_all(count, source, result, where, *windows, most, (*spatial, channels))
    return channels_first(y), channels_first(indices)


@jit
def _scatter(part, count, dy, indices, dx, blocks):
    """Part `part` of `count` of dx zeroed, then dx[image, indices] += dy; `blocks` blocks of each image's channels.

    dy and indices are (N, outputs, C), dx is (N, cells, C).
    """
    outputs, channels = dy.shape[1:]
    units = len(dx) * blocks
    for unit in range(units * part // count, units * (part + 1) // count):
        image, block = divmod(unit, blocks)
        low, high = channels * block // blocks, channels * (block + 1) // blocks
        if blocks == 1:
            dx[image].reshape(-1)[:] = 0
        else:
            dx[image, :, low:high] = 0
        for o in range(outputs):
            for c in range(low, high):
                index = indices[image, o, c]
                if index >= 0:
                    dx[image, index, c] += dy[image, o, c]


@pool_jit
def _scatter_all(count, dy, indices, dx, blocks):
    parallel_for(count, count > 1, _scatter, (count, dy, indices, dx, blocks))


def max_pool_grad(dy, indices, input_shape, windows=None):
    """Gradient of `max_pool`: every dy is added to the cell its maximum came from; an index of -1 adds nowhere.

    dy and indices are (N, C, *output_size), dx is of input_shape and dy's dtype. `windows`, (kernel, stride, padding,
    dilation), or () for those of `adaptive_max_pool`, says where the indices come from, to kernels that let a cell ask
    the windows around it; None where the indices may be any.

    >>> max_pool_grad(np.array([[[2.0, 3.0]]]), np.array([[[1, 1]]]), (1, 1, 4))
    array([[[0., 5., 0., 0.]]])
    """
    images, channels, *spatial = input_shape
    if are_planes(indices) and dy.flags.c_contiguous:
        dx = max_pool_grad(planes(dy), planes(indices), (images * channels, 1, *spatial))
        return dx.reshape(input_shape)
    dx = empty((images, *spatial, channels), dy.dtype.newbyteorder("="))
    if dx.size:
        cells = dx.reshape(images, -1, channels)
        grads = channels_last(dy).reshape(images, -1, channels)
        where = channels_last(indices).reshape(grads.shape)
        blocks = 1 if images >= MANY_IMAGES else -(-channels // FEW_CHANNELS)
        _scatter_all(parts(images * blocks, dx.size), grads, where, cells, blocks)
    return channels_first(dx)


@jit
def _gather(part, count, x, indices, y):
    """Part `part` of `count` of the images of y = x[image, indices], 0 for an index of -1; channel by channel."""
    for image in range(len(x) * part // count, len(x) * (part + 1) // count):
        for o in range(indices.shape[1]):
            for c in range(indices.shape[2]):
                index = indices[image, o, c]
                y[image, o, c] = x[image, index, c] if index >= 0 else 0


@pool_jit
def _gather_all(count, x, indices, y):
    parallel_for(count, count > 1, _gather, (count, x, indices, y))


def max_pool_gather(x, indices):
    """Values of x at the flat spatial indices of `max_pool`, 0 where the index is -1: the adjoint of `max_pool_grad`.

    x is (N, C, *spatial), indices (N, C, *output_size) int64; the result has indices' shape and x's dtype.

    >>> max_pool_gather(np.array([[[1.0, 5.0, 5.0, 2.0]]]), np.array([[[1, 3]]]))
    array([[[5., 2.]]])
    """
    images, channels, *output_size = indices.shape
    y = empty((images, *output_size, channels), x.dtype.newbyteorder("="))
    if y.size:
        result = y.reshape(images, -1, channels)
        cells = channels_last(x).reshape(images, -1, channels)
        where = channels_last(indices).reshape(result.shape)
        _gather_all(parts(images, y.size), cells, where, result)
    return channels_first(y)
