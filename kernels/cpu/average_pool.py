"""Average pooling, adaptive pooling and their gradients: sums over windows, one kernel with four pairs of tables.

How the memory is walked is told in `pool.py`; `kernels/reference/pool.py` is the definition.
"""

from functools import lru_cache

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import channels_first, channels_last, parts
from .windows import FEW_CHANNELS, adaptive_windows, are_planes, planes, positions_of, volume

__all__ = ["adaptive_avg_pool", "adaptive_avg_pool_grad", "avg_pool", "avg_pool_grad"]


@jit
def _sum_rows(part, count, x, y, depths, heights, widths, divisors, across, columns, shape, gradient):
    """Part `part` of `count` of the rows of y, flat: sums of x, flat of (N, *shape), over windows, divided.

    depths, heights and widths hold the first and the stop coordinate in x of every coordinate of y. The divisor is
    divisors[0, d] * divisors[1, h] * across[position in the row], of the cell of y, or of x if gradient. The rows under
    a window are added to one line, then the line's pixels, of which one beyond the last holds zeros, for windows
    without a cell: by columns, (taps, row of y) positions in the line, or, where columns is empty, pixel by pixel.
    """
    depth, height, width, channels = shape
    pixels, source_row = widths.shape[1], width * channels
    result_row, real = pixels * channels, x.dtype.type
    line = np.zeros(source_row + channels, x.dtype)
    sums = line[:source_row]
    rows = len(y) // result_row
    for row in range(rows * part // count, rows * (part + 1) // count):
        plane, h_out = divmod(row, heights.shape[1])
        image, d_out = divmod(plane, depths.shape[1])
        fresh = True
        for d in range(depths[0, d_out], depths[1, d_out]):
            for h in range(heights[0, h_out], heights[1, h_out]):
                start = ((image * depth + d) * height + h) * source_row
                source = x[start : start + source_row]
                divisor = real(divisors[0, d] * divisors[1, h]) if gradient else real(1)
                for j in range(source_row):
                    sums[j] = source[j] / divisor + (real(0) if fresh else sums[j])
                fresh = False
        if fresh:
            sums[:] = 0
        if gradient:
            for j in range(source_row):
                sums[j] /= real(across[j])
        result = y[row * result_row : (row + 1) * result_row]
        for tap in range(len(columns)):
            at = columns[tap]
            for j in range(result_row):
                result[j] = line[at[j]] + (result[j] if tap else real(0))
        if len(columns) == 0:
            for pixel in range(pixels):
                total = result[pixel * channels : (pixel + 1) * channels]
                cells = line[widths[0, pixel] * channels : (widths[0, pixel] + 1) * channels]
                for c in range(channels):
                    total[c] = cells[c]
                for w in range(widths[0, pixel] + 1, widths[1, pixel]):
                    cells = line[w * channels : (w + 1) * channels]
                    for c in range(channels):
                        total[c] += cells[c]
        if not gradient:
            divisor = real(divisors[0, d_out] * divisors[1, h_out])
            for j in range(result_row):
                result[j] /= divisor * real(across[j])


@pool_jit
def _sum_all(count, x, y, depths, heights, widths, divisors, across, columns, shape, gradient):
    arguments = count, x, y, depths, heights, widths, divisors, across, columns, shape, gradient
    parallel_for(count, count > 1, _sum_rows, arguments)


def _sum_windows(x, tables, output_size, gradient):
    """(N, C, *spatial) to (N, C, *output_size) by `_sum_rows`, with the tables of `_sum_tables`."""
    channels = x.shape[1]
    y = empty((x.shape[0], *output_size, channels), x.dtype.newbyteorder("="))
    if y.size:
        source, result = channels_last(x).reshape(-1), y.reshape(-1)
        count = parts(y.size // (channels * output_size[-1]), source.size + y.size)
        _sum_all(count, source, result, *tables, (*volume(x.shape[2:], 1), channels), gradient)
    return channels_first(y)


def _sum_tables(spatial, channels, windows, extents, gradient):
    """What `_sum_rows` asks for, from (2, outputs) windows and (outputs,) divisors for each axis of the pooling."""
    pad = max(map(len, extents[:2]))
    divisors = np.array([np.pad(extent, (0, pad - len(extent)), constant_values=1) for extent in extents[:2]])
    sizes = spatial
    if gradient:  # the windows of x that cover an input coordinate follow each other, too
        sizes = tuple(map(len, extents))
        windows = [
            np.stack([np.searchsorted(edge, np.arange(size), "right") for edge in (stop, start)])
            for (start, stop), size in zip(windows, spatial)
        ]
    across = np.repeat(extents[2], channels).astype(np.int32)  # narrow, so that vectors of them become real
    first, stop = windows[2]
    windows[2] = np.where(first < stop, windows[2], [[sizes[2]], [sizes[2] + 1]])
    if channels >= FEW_CHANNELS:
        return *windows, divisors, across, np.empty((0, 0), np.uintp)
    first, stop = windows[2]
    taps = first + np.arange((stop - first).max(initial=0))[:, None]
    return *windows, divisors, across, positions_of(np.where(taps < stop, taps, sizes[2]), channels)


@lru_cache(maxsize=256)
def _average_tables(
    spatial, channels, kernel, stride, padding, output_size, count_include_pad, divisor_override, gradient
):
    windows, extents = [], []
    for size, k, s, p, outputs in zip(spatial, kernel, stride, padding, output_size):
        start = np.arange(outputs) * s - p
        stop = np.minimum(start + k, size + p)
        windows.append(np.stack([np.maximum(start, 0), np.minimum(stop, size)]))
        extents.append(stop - start if count_include_pad else windows[-1][1] - windows[-1][0])
    if divisor_override is not None:
        extents = [np.ones_like(extent) for extent in extents]
        extents[0][:] = divisor_override
    return _sum_tables(spatial, channels, windows, extents, gradient)


@lru_cache(maxsize=256)
def _adaptive_tables(spatial, channels, output_size, gradient):
    windows = adaptive_windows(spatial, output_size)
    return _sum_tables(spatial, channels, windows, [stop - start for start, stop in windows], gradient)


def avg_pool(x, kernel, stride, padding, output_size, count_include_pad, divisor_override):
    """Mean of every window: (N, C, *spatial) to (N, C, *output_size), float32 or float64.

    kernel, stride, padding and output_size hold one int per spatial axis. Padding cells are zeros; they count in the
    divisor if count_include_pad, while cells that a window of `ceil_mode` has beyond the padding never do.
    divisor_override, an int or None, replaces the divisor. Rules: PyTorch's `torch.nn.AvgPool2d`.

    >>> avg_pool(np.array([[[1.0, 3.0, 5.0]]]), (2,), (2,), (1,), (2,), True, None)
    array([[[0.5, 4. ]]])
    """
    if are_planes(x):
        y = avg_pool(planes(x), kernel, stride, padding, output_size, count_include_pad, divisor_override)
        return y.reshape(*x.shape[:2], *output_size)
    tables = _average_tables(
        volume(x.shape[2:], 1), x.shape[1], volume(kernel, 1), volume(stride, 1), volume(padding, 0),
        volume(output_size, 1), count_include_pad, divisor_override, False,
    )  # fmt: skip
    return _sum_windows(x, tables, output_size, False)


def avg_pool_grad(dy, input_shape, kernel, stride, padding, count_include_pad, divisor_override):
    """Gradient of `avg_pool`: every dy, over its divisor, is added to all cells of its window.

    dy is (N, C, *output_size), dx is of input_shape and dy's dtype; the other arguments are those of `avg_pool`.

    >>> avg_pool_grad(np.array([[[2.0, 4.0]]]), (1, 1, 3), (2,), (1,), (0,), True, None)
    array([[[1., 3., 2.]]])
    """
    if are_planes(dy):
        images, channels, *spatial = input_shape
        shape = (images * channels, 1, *spatial)
        dx = avg_pool_grad(planes(dy), shape, kernel, stride, padding, count_include_pad, divisor_override)
        return dx.reshape(input_shape)
    tables = _average_tables(
        volume(input_shape[2:], 1), dy.shape[1], volume(kernel, 1), volume(stride, 1), volume(padding, 0),
        volume(dy.shape[2:], 1), count_include_pad, divisor_override, True,
    )  # fmt: skip
    return _sum_windows(dy, tables, input_shape[2:], True)


def adaptive_avg_pool(x, output_size):
    """Means over windows that divide the input evenly: (N, C, *spatial) to (N, C, *output_size), float32 or float64.

    Rules: PyTorch's `torch.nn.AdaptiveAvgPool2d`.

    >>> adaptive_avg_pool(np.array([[[1.0, 3.0, 5.0]]]), (2,))
    array([[[2., 4.]]])
    """
    tables = _adaptive_tables(volume(x.shape[2:], 1), x.shape[1], volume(output_size, 1), False)
    return _sum_windows(x, tables, output_size, False)


def adaptive_avg_pool_grad(dy, input_shape):
    """Gradient of `adaptive_avg_pool`: dy is (N, C, *output_size), dx is of input_shape and dy's dtype.

    >>> adaptive_avg_pool_grad(np.array([[[2.0, 4.0]]]), (1, 1, 3))
    array([[[1., 3., 2.]]])
    """
    tables = _adaptive_tables(volume(input_shape[2:], 1), dy.shape[1], volume(dy.shape[2:], 1), True)
    return _sum_windows(dy, tables, input_shape[2:], True)
