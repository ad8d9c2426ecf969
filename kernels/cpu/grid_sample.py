"""Sampling images at given places: the weighted sum of a place's neighbours, and its gradients.

The weights are polynomials of the place along each axis. `orders` says how often they are differentiated, which makes
the three functions here each other's derivatives for every order. Sampling is divided by places, its adjoint by images
and channels, so that no two threads write to one cell. `kernels/reference/grid_sample.py` is the definition.
"""

from math import prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import channels_first, channels_last, dense, parts

__all__ = ["grid_sample", "grid_sample_grad", "grid_sample_grid_grad"]

_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
_CHANNELS = 8  # channels of an image that a task of the adjoint takes


@jit
def _inside(place, size, padding, align_corners):
    """(place, its derivative) as the padding has it: unchanged, at the border, or thrown back as often as it takes."""
    slope = 1.0
    if padding == 0:
        return place, slope
    if padding == 2:
        low = 0.0 if align_corners else -0.5
        span = size - 1.0 if align_corners else size * 1.0
        beyond = place - low
        if beyond < 0:
            beyond, slope = -beyond, -1.0
        flips = np.floor(beyond / span) if span > 0 else 0.0
        beyond = beyond - flips * span if span > 0 else 0.0
        odd = flips % 2 != 0
        place, slope = (span - beyond if odd else beyond) + low, -slope if odd else slope
    if place > 0 and place < size - 1:
        return place, slope
    return (size - 1.0 if place > 0 else 0.0), 0.0


@jit
def _axis(coordinate, size, mode, padding, align_corners, order, polynomials, cells, weights):
    """Fill in the cells next to a coordinate (-1 for none) and their weights differentiated `order` times.

    polynomials[k] holds the coefficients of neighbour k's weight, in how far the place lies beyond the cell before it.
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
    first = np.rint(place) if mode == 1 else np.floor(place)
    t = real(0) if mode == 1 else place - first
    if mode == 2:
        first -= real(1)
    scale = real(1)
    for _ in range(order):
        scale *= slope
    for k in range(len(polynomials)):
        p = polynomials[k]
        weights[k] = (((p[3] * t + p[2]) * t + p[1]) * t + p[0]) * scale
        cell = first + real(k)
        if mode == 2:
            moved, _ = _inside(cell, size, padding, align_corners)
            cell = real(moved)
        cells[k] = np.int64(cell) if cell >= 0 and cell < size else -1


@jit
def _terms(place, sizes, mode, padding, align_corners, orders, polynomials, cells, weights):
    """Fill in `_axis` for the axes of a place; coordinates stand in the opposite order of the axes (D, H, W)."""
    for at in range(len(place)):
        axis = 2 - at
        _axis(
            place[at], sizes[axis], mode, padding, align_corners, orders[at], polynomials[at], cells[axis],
            weights[axis],
        )  # fmt: skip
    if len(place) == 2:
        cells[0, 0], weights[0, 0] = 0, 1


@jit
def _sample_part(part, count, x, grid, y, sizes, mode, padding, align_corners, orders, polynomials):
    """Part `part` of `count` of the places of y (N, places, C) from x (N, cells, C) and grid (N, places, rank)."""
    cells, weights = np.empty((3, 4), np.int64), np.empty((3, 4), x.dtype)
    places = grid.shape[1]
    total, terms = len(grid) * places, polynomials.shape[1]
    for unit in range(total * part // count, total * (part + 1) // count):
        image, p = divmod(unit, places)
        _terms(grid[image, p], sizes, mode, padding, align_corners, orders, polynomials, cells, weights)
        result = y[image, p]
        for c in range(len(result)):
            result[c] = 0
        for i in range(terms if grid.shape[2] == 3 else 1):
            for j in range(terms):
                for k in range(terms):
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
def _spread_part(part, count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders, polynomials):
    """Part `part` of `count` of dx, the adjoint of `_sample_part`: images, in `blocks` blocks of channels each."""
    cells, weights = np.empty((3, 4), np.int64), np.empty((3, 4), dy.dtype)
    channels, terms = dx.shape[2], polynomials.shape[1]
    units = len(dx) * blocks
    for unit in range(units * part // count, units * (part + 1) // count):
        image, block = divmod(unit, blocks)
        low, high = channels * block // blocks, channels * (block + 1) // blocks
        for cell in range(dx.shape[1]):
            for c in range(low, high):
                dx[image, cell, c] = 0
        for p in range(grid.shape[1]):
            _terms(grid[image, p], sizes, mode, padding, align_corners, orders, polynomials, cells, weights)
            source = dy[image, p, low:high]
            for i in range(terms if grid.shape[2] == 3 else 1):
                for j in range(terms):
                    for k in range(terms):
                        if cells[0, i] >= 0 and cells[1, j] >= 0 and cells[2, k] >= 0:
                            weight = weights[0, i] * weights[1, j] * weights[2, k]
                            cell = (cells[0, i] * sizes[1] + cells[1, j]) * sizes[2] + cells[2, k]
                            target = dx[image, cell, low:high]
                            for c in range(len(target)):
                                target[c] += weight * source[c]


@jit
def _grid_part(part, count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders, polynomials, steeper):
    """Part `part` of `count` of the places of dgrid (N, places, rank): along each axis the weights once more
    differentiated, times the products of dy and x summed over the channels."""
    cells, weights = np.empty((3, 4), np.int64), np.empty((3, 4), x.dtype)
    slopes = np.empty((3, 4), x.dtype)
    places, rank = dgrid.shape[1:]
    total = len(grid) * places
    terms = polynomials.shape[1]
    for unit in range(total * part // count, total * (part + 1) // count):
        image, p = divmod(unit, places)
        _terms(grid[image, p], sizes, mode, padding, align_corners, orders + 1, steeper, cells, slopes)
        _terms(grid[image, p], sizes, mode, padding, align_corners, orders, polynomials, cells, weights)
        result, given = dgrid[image, p], dy[image, p]
        for c in range(len(result)):
            result[c] = 0
        for i in range(terms if grid.shape[2] == 3 else 1):
            for j in range(terms):
                for k in range(terms):
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
def _sample_all(count, x, grid, y, sizes, mode, padding, align_corners, orders, polynomials):
    arguments = count, x, grid, y, sizes, mode, padding, align_corners, orders, polynomials
    parallel_for(count, count > 1, _sample_part, arguments)


@pool_jit
def _spread_all(count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders, polynomials):
    arguments = count, dy, grid, dx, blocks, sizes, mode, padding, align_corners, orders, polynomials
    parallel_for(count, count > 1, _spread_part, arguments)


@pool_jit
def _grid_all(count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders, polynomials, steeper):
    arguments = count, dy, x, grid, dgrid, sizes, mode, padding, align_corners, orders, polynomials, steeper
    parallel_for(count, count > 1, _grid_part, arguments)


_POLYNOMIALS = {  # the weight of each neighbour by its coefficients, the constant one first; the cubic one is Keys'
    "bilinear": [[1, -1, 0, 0], [0, 1, 0, 0]],
    "nearest": [[1, 0, 0, 0]],
    "bicubic": [[0, -0.75, 1.5, -0.75], [1, 0, -2.25, 1.25], [0, 0.75, 1.5, -1.25], [0, 0, -0.75, 0.75]],
}


def _polynomials(mode, orders, dtype):
    """(rank, neighbours, 4) coefficients of the weights, differentiated `orders` times along each coordinate."""
    result = []
    for order in orders:
        coefficients = np.array(_POLYNOMIALS[mode], dtype)
        for _ in range(order):
            coefficients = np.pad(coefficients[:, 1:] * np.arange(1, 4), ((0, 0), (0, 1)))
        result.append(coefficients.astype(dtype))
    return np.array(result)


def _settings(sizes, mode, padding_mode, align_corners, orders, dtype):
    """The arguments of the kernels from sizes to polynomials."""
    sizes = np.array((1,) * (3 - len(sizes)) + tuple(sizes))
    polynomials = _polynomials(mode, orders, dtype.newbyteorder("="))
    return sizes, _MODES[mode], _PADDINGS[padding_mode], align_corners, np.array(orders), polynomials


def _flat(x):
    """(N, C, *spatial) as a dense (N, cells, C)."""
    last = channels_last(x)
    return last.reshape(len(last), prod(last.shape[1:-1]), last.shape[-1])


def _places(grid):
    """(N, *places, rank) as a dense (N, places, rank)."""
    return dense(grid).reshape(len(grid), prod(grid.shape[1:-1]), grid.shape[-1])


def grid_sample(x, grid, mode, padding_mode, align_corners, orders):
    """y[n, c, p] = sum over the neighbours q of grid[n, p] of their weights times x[n, c, q].

    x is (N, C, *spatial) with two or three spatial axes, grid (N, *places, rank) with coordinates in the order (x, y)
    or (x, y, z), from -1 to 1 over the image; both are float32 or both float64; y is (N, C, *places). mode is
    "bilinear", "nearest" or "bicubic", padding_mode "zeros", "border" or "reflection". The weights are differentiated
    `orders` times, one int for each coordinate. Rules: PyTorch's `torch.nn.functional.grid_sample`. A coordinate that
    is no number gives NaN with "zeros", else the border.

    >>> x = np.array([[[[1.0, 3.0]]]])
    >>> grid_sample(x, np.array([[[[0.0, 0.0]]]]), "bilinear", "zeros", True, (0, 0))
    array([[[[2.]]]])
    """
    n, places, c = len(x), grid.shape[1:-1], x.shape[1]
    y = empty((n, *places, c), x.dtype.newbyteorder("="))
    if y.size:
        settings = _settings(x.shape[2:], mode, padding_mode, align_corners, orders, x.dtype)
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
    dx = empty((n, *spatial, c), dy.dtype.newbyteorder("="))
    if dx.size:
        settings = _settings(spatial, mode, padding_mode, align_corners, orders, dy.dtype)
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
    if dgrid.size and x.size and mode != "nearest":
        settings = _settings(x.shape[2:], mode, padding_mode, align_corners, orders, x.dtype)
        steeper = _polynomials(mode, [order + 1 for order in orders], dgrid.dtype)
        given, source, at = _flat(dy), _flat(x), _places(grid)
        count = parts(len(grid) * at.shape[1], 4 * dy.size)
        _grid_all(count, given, source, at, dgrid.reshape(at.shape), *settings, steeper)
    return dgrid
