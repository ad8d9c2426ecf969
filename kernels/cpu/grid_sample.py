"""Sampling images at given places: the weighted sum of a place's neighbours, and its gradients.

The weights are polynomials of the place along each axis. `orders` says how often they are differentiated, which makes
the three functions here each other's derivatives for every order. Sampling is divided by places, its adjoint by images
and channels, so that no two threads write to one cell. `kernels/reference/grid_sample.py` is the definition.
"""

from math import prod

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import channels_first, channels_last, dense, parts

__all__ = ["grid_sample", "grid_sample_grad", "grid_sample_grid_grad"]

_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
_CHANNELS = 8  # channels of an image that a task of the adjoint takes


@jit
def _reflect(place, size, align_corners):
    """(place, its derivative): the place thrown back at the borders of the image, as often as it takes."""
    low = 0.0 if align_corners else -0.5
    span = size - 1.0 if align_corners else size * 1.0
    if span == 0:
        return place * 0, place * 0
    slope = 1.0
    beyond = place - low
    if beyond < 0:
        beyond, slope = -beyond, -1.0
    flips = np.floor(beyond / span)
    beyond -= flips * span
    if flips % 2 == 0:
        return beyond + low, place * 0 + slope
    return span - beyond + low, place * 0 - slope


@jit
def _inside(place, size, padding, align_corners):
    """(place, its derivative) as the padding has it: unchanged, at the border, or thrown back."""
    slope = place * 0 + 1
    if padding == 0:
        return place, slope
    if padding == 2:
        place, slope = _reflect(place, size, align_corners)
    if place > 0 and place < size - 1:
        return place, slope
    return place * 0 if not place > 0 else place * 0 + (size - 1), slope * 0


@jit
def _axis(coordinate, size, mode, padding, align_corners, order, cells, weights):
    """Fill in the cells next to a coordinate from -1 to 1, -1 for none, and their weights differentiated; their number.

    A coordinate that is no number stands at the border where there is padding.
    """
    real = weights.dtype.type
    if align_corners:
        place, slope = (coordinate + real(1)) / real(2) * real(size - 1), real((size - 1) / 2)
    else:
        place, slope = ((coordinate + real(1)) * real(size) - real(1)) / real(2), real(size / 2)
    if padding > 0 and not abs(place) < np.inf:
        place = real(size - 1) if place > 0 else real(0)
    if mode != 2:
        moved, factor = _inside(place, size, padding, align_corners)
        place, slope = real(moved), slope * real(factor)
    if mode == 1:
        count, first = 1, np.rint(place)
        weights[0] = real(1) if order == 0 else real(0)
    else:
        first = np.floor(place)
        t = place - first
        one, two, three, a = real(1), real(2), real(3), real(-0.75)
        if mode == 0:
            count = 2
            if order == 0:
                weights[0], weights[1] = one - t, t
            elif order == 1:
                weights[0], weights[1] = -slope, slope
            else:
                weights[0], weights[1] = real(0), real(0)
        else:
            count = 4
            first -= one
            for k in range(4):
                d = abs(t + one - real(k))
                sign = -slope if k > 1 else slope
                near = k == 1 or k == 2
                if order == 0:
                    near_weight = ((a + two) * d - (a + three)) * d * d + one
                    weights[k] = near_weight if near else ((a * d - real(5) * a) * d + real(8) * a) * d - real(4) * a
                elif order == 1:
                    near_weight = (three * (a + two) * d - two * (a + three)) * d
                    weights[k] = (near_weight if near else (three * a * d - real(10) * a) * d + real(8) * a) * sign
                elif order == 2:
                    near_weight = real(6) * (a + two) * d - two * (a + three)
                    weights[k] = (near_weight if near else real(6) * a * d - real(10) * a) * slope * slope
                elif order == 3:
                    weights[k] = (real(6) * (a + two) if near else real(6) * a) * sign * slope * slope
                else:
                    weights[k] = real(0)
    for k in range(count):
        cell = first + real(k)
        if mode == 2:
            moved, _ = _inside(cell, size, padding, align_corners)
            cell = real(moved)
        cells[k] = np.int64(cell) if cell >= 0 and cell < size else -1
        if cells[k] < 0 and padding > 0:  # the neighbour beyond the border of a place on it, whose weight is 0
            cells[k] = size - 1
    return count


@jit
def _terms(place, sizes, mode, padding, align_corners, orders, cells, weights, counts):
    """Fill in `_axis` for the three axes (D, H, W) of a place, whose coordinates stand in the order (x, y, z)."""
    for axis in range(3):
        at = 2 - axis
        if at < len(place):
            counts[axis] = _axis(
                place[at], sizes[axis], mode, padding, align_corners, orders[at], cells[axis], weights[axis]
            )
        else:
            counts[axis], cells[axis, 0], weights[axis, 0] = 1, 0, 1


@jit
def _sample_part(part, count, x, grid, y, sizes, mode, padding, align_corners, orders):
    """Part `part` of `count` of the places of y (N, places, C) from x (N, cells, C) and grid (N, places, rank)."""
    cells, weights, counts = np.empty((3, 4), np.int64), np.empty((3, 4), x.dtype), np.empty(3, np.int64)
    places = grid.shape[1]
    total = len(grid) * places
    for unit in range(total * part // count, total * (part + 1) // count):
        image, p = divmod(unit, places)
        _terms(grid[image, p], sizes, mode, padding, align_corners, orders, cells, weights, counts)
        result = y[image, p]
        result[:] = 0
        for i in range(counts[0]):
            for j in range(counts[1]):
                for k in range(counts[2]):
                    weight = weights[0, i] * weights[1, j] * weights[2, k]
                    if cells[0, i] < 0 or cells[1, j] < 0 or cells[2, k] < 0:
                        weight *= x.dtype.type(0)  # a zero beyond the border, or NaN where the place is none
                        for c in range(len(result)):
                            result[c] += weight
                    else:
                        source = x[image, (cells[0, i] * sizes[1] + cells[1, j]) * sizes[2] + cells[2, k]]
                        for c in range(len(result)):
                            result[c] += weight * source[c]


@jit
def _spread_part(part, count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders):
    """Part `part` of `count` of dx, the adjoint of `_sample_part`: images, in `blocks` blocks of channels each."""
    cells, weights, counts = np.empty((3, 4), np.int64), np.empty((3, 4), dy.dtype), np.empty(3, np.int64)
    channels = dx.shape[2]
    units = len(dx) * blocks
    for unit in range(units * part // count, units * (part + 1) // count):
        image, block = divmod(unit, blocks)
        low, high = channels * block // blocks, channels * (block + 1) // blocks
        dx[image, :, low:high] = 0
        for p in range(grid.shape[1]):
            _terms(grid[image, p], sizes, mode, padding, align_corners, orders, cells, weights, counts)
            source = dy[image, p, low:high]
            for i in range(counts[0]):
                for j in range(counts[1]):
                    for k in range(counts[2]):
                        if cells[0, i] >= 0 and cells[1, j] >= 0 and cells[2, k] >= 0:
                            weight = weights[0, i] * weights[1, j] * weights[2, k]
                            cell = (cells[0, i] * sizes[1] + cells[1, j]) * sizes[2] + cells[2, k]
                            target = dx[image, cell, low:high]
                            for c in range(len(target)):
                                target[c] += weight * source[c]


@jit
def _grid_part(part, count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders):
    """Part `part` of `count` of the places of dgrid (N, places, rank): along each axis the weights once more
    differentiated, times the products of dy and x summed over the channels."""
    cells, weights, counts = np.empty((3, 4), np.int64), np.empty((3, 4), x.dtype), np.empty(3, np.int64)
    slopes, steeper = np.empty((3, 4), x.dtype), np.empty(3, np.int64)
    places, rank = dgrid.shape[1:]
    total = len(grid) * places
    for at in range(3):
        steeper[at] = orders[at] + 1
    for unit in range(total * part // count, total * (part + 1) // count):
        image, p = divmod(unit, places)
        _terms(grid[image, p], sizes, mode, padding, align_corners, steeper, cells, slopes, counts)
        _terms(grid[image, p], sizes, mode, padding, align_corners, orders, cells, weights, counts)
        result, given = dgrid[image, p], dy[image, p]
        result[:] = 0
        for i in range(counts[0]):
            for j in range(counts[1]):
                for k in range(counts[2]):
                    product = x.dtype.type(0)
                    if cells[0, i] >= 0 and cells[1, j] >= 0 and cells[2, k] >= 0:
                        source = x[image, (cells[0, i] * sizes[1] + cells[1, j]) * sizes[2] + cells[2, k]]
                        for c in range(len(source)):
                            product += given[c] * source[c]
                    result[0] += weights[0, i] * weights[1, j] * slopes[2, k] * product
                    result[1] += weights[0, i] * slopes[1, j] * weights[2, k] * product
                    if rank == 3:
                        result[2] += slopes[0, i] * weights[1, j] * weights[2, k] * product


@pool_jit
def _sample_all(count, x, grid, y, sizes, mode, padding, align_corners, orders):
    parallel_for(count, count > 1, _sample_part, (count, x, grid, y, sizes, mode, padding, align_corners, orders))


@pool_jit
def _spread_all(count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders):
    arguments = count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders
    parallel_for(count, count > 1, _spread_part, arguments)


@pool_jit
def _grid_all(count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders):
    arguments = count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders
    parallel_for(count, count > 1, _grid_part, arguments)


def _settings(sizes, mode, padding_mode, align_corners, orders):
    sizes = np.array((1,) * (3 - len(sizes)) + tuple(sizes))
    orders = np.array(tuple(orders) + (0,) * (3 - len(orders)))
    return sizes, _MODES[mode], _PADDINGS[padding_mode], align_corners, orders


def _flat(x):
    """(N, C, *spatial) as a dense (N, cells, C)."""
    last = channels_last(x)
    return last.reshape(len(last), prod(last.shape[1:-1]), last.shape[-1])


def _places(grid):
    """(N, *places, rank) as a dense (N, places, rank)."""
    return dense(grid).reshape(len(grid), prod(grid.shape[1:-1]), grid.shape[-1])


def grid_sample(x, grid, mode, padding_mode, align_corners, orders):
    """y[n, c, p] = sum over the neighbours q of grid[n, p] of their weights times x[n, c, q].

    x is (N, C, *spatial) with two or three spatial axes, grid (N, *places, rank) with coordinates in the order (x, y) or
    (x, y, z), from -1 to 1 over the image; both are float32 or both float64; y is (N, C, *places). mode is "bilinear",
    "nearest" or "bicubic", padding_mode "zeros", "border" or "reflection". The weights are differentiated `orders`
    times, one int for each coordinate. Rules: PyTorch's `torch.nn.functional.grid_sample`. A coordinate that is no
    number gives NaN with "zeros", else the border.

    >>> x = np.array([[[[1.0, 3.0]]]])
    >>> grid_sample(x, np.array([[[[0.0, 0.0]]]]), "bilinear", "zeros", True, (0, 0))
    array([[[[2.]]]])
    """
    n, places, c = len(x), grid.shape[1:-1], x.shape[1]
    y = np.empty((n, *places, c), x.dtype.newbyteorder("="))
    if y.size:
        settings = _settings(x.shape[2:], mode, padding_mode, align_corners, orders)
        source, at = _flat(x), _places(grid)
        _sample_all(parts(n * at.shape[1], 4 * y.size), source, at, y.reshape(n, -1, c), *settings)
    return channels_first(y)


def grid_sample_grad(dy, grid, input_shape, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in x: every dy[n, c, p] times the weights of the neighbours of grid[n, p], added there.

    dy is (N, C, *places), dx of input_shape (N, C, *spatial); the other arguments are those of `grid_sample`.

    >>> dy, grid = np.array([[[[2.0]]]]), np.array([[[[0.0, 0.0]]]])
    >>> grid_sample_grad(dy, grid, (1, 1, 1, 2), "bilinear", "zeros", True, (0, 0))
    array([[[[1., 1.]]]])
    """
    n, c, *spatial = input_shape
    dx = np.empty((n, *spatial, c), dy.dtype.newbyteorder("="))
    if dx.size:
        settings = _settings(spatial, mode, padding_mode, align_corners, orders)
        blocks = -(-c // _CHANNELS)
        source, at = _flat(dy), _places(grid)
        _spread_all(parts(n * blocks, dx.size + 4 * dy.size), source, at, dx.reshape(n, -1, c), blocks, *settings)
    return channels_first(dx)


def grid_sample_grid_grad(dy, x, grid, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in the grid, of the grid's shape: along each coordinate the sum over the channels of dy
    times the samples of x with the weights once more differentiated along it.

    >>> dy, x, grid = np.array([[[[2.0]]]]), np.array([[[[1.0, 3.0]]]]), np.array([[[[0.0, 0.0]]]])
    >>> grid_sample_grid_grad(dy, x, grid, "bilinear", "zeros", True, (0, 0))
    array([[[[2., 0.]]]])
    """
    dgrid = np.zeros(grid.shape, x.dtype.newbyteorder("="))
    if dgrid.size and x.size:
        settings = _settings(x.shape[2:], mode, padding_mode, align_corners, orders)
        given, source, at = _flat(dy), _flat(x), _places(grid)
        count = parts(len(grid) * at.shape[1], 4 * dy.size)
        _grid_all(count, given, source, at, dgrid.reshape(at.shape), *settings)
    return dgrid
