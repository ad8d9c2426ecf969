"""Sampling images at given places, written as its definition: one neighbour of one place after the other."""

from itertools import product
from math import floor, inf, nan

import numpy as np


def _empty_channels_last(shape, dtype):
    """An uninitialised (N, C, *spatial) array whose memory is (N, *spatial, C)."""
    return np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _reflect(place, low, span):
    """(place, its derivative): the place thrown back at low and low + span, as often as it takes."""
    if span == 0:
        return 0.0, 0.0
    slope = 1.0 if place >= low else -1.0
    flips, beyond = divmod(abs(place - low), span)
    return (beyond + low, slope) if flips % 2 == 0 else (span - beyond + low, -slope)


def _inside(place, size, padding_mode, align_corners):
    """(place, its derivative) as the padding has it: unchanged, at the border, or thrown back."""
    slope = 1.0
    if padding_mode == "zeros":
        return place, slope
    if padding_mode == "reflection":
        place, slope = _reflect(place, 0.0, size - 1.0) if align_corners else _reflect(place, -0.5, size)
    return (place, slope) if 0 < place < size - 1 else (min(max(place, 0.0), size - 1.0), 0.0)


def _polynomial(coefficients, t, order):
    """The polynomial with these coefficients, the constant one first, differentiated `order` times, at t."""
    for _ in range(order):
        coefficients = [k * c for k, c in enumerate(coefficients)][1:]
    return sum(c * t**k for k, c in enumerate(coefficients))


_LINEAR = [[1, -1], [0, 1]]  # of each neighbour, in the place's distance from the first one at or before it
_CUBIC = [[0, -0.75, 1.5, -0.75], [1, 0, -2.25, 1.25], [0, 0.75, 1.5, -1.25], [0, 0, -0.75, 0.75]]


def _neighbours(coordinate, size, mode, padding_mode, align_corners, order):
    """Pairs of a cell, None for none, and its weight, differentiated `order` times, along one axis."""
    place = (coordinate + 1) / 2 * (size - 1) if align_corners else ((coordinate + 1) * size - 1) / 2
    slope = (size - 1) / 2 if align_corners else size / 2
    if padding_mode != "zeros" and not abs(place) < inf:
        place = size - 1.0 if place > 0 else 0.0
    if mode != "bicubic":
        place, factor = _inside(place, size, padding_mode, align_corners)
        slope *= factor
    polynomials = {"nearest": [[1]], "bilinear": _LINEAR, "bicubic": _CUBIC}[mode]
    if not abs(place) < inf:
        return [(None, 0.0 if mode == "nearest" else nan) for _ in polynomials]
    first = round(place) if mode == "nearest" else floor(place) - (mode == "bicubic")
    pairs = []
    for k, coefficients in enumerate(polynomials):
        weight = _polynomial(coefficients, place - floor(place), order) * slope**order
        cell = first + k
        if mode == "bicubic":
            cell = int(_inside(float(cell), size, padding_mode, align_corners)[0])
        pairs.append((cell if 0 <= cell < size else None, weight))
    return pairs


def _terms(place, sizes, mode, padding_mode, align_corners, orders):
    """Pairs of a neighbour, None for none, and its weight; coordinates stand in the opposite order of the axes."""
    axes = [
        _neighbours(float(place[-1 - axis]), size, mode, padding_mode, align_corners, orders[-1 - axis])
        for axis, size in enumerate(sizes)
    ]
    for neighbours in product(*axes):
        cells = tuple(cell for cell, _ in neighbours)
        weight = 1.0
        for _, factor in neighbours:
            weight *= factor
        yield (None if None in cells else cells), weight


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
    y = _empty_channels_last((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    for n, *p in np.ndindex(*grid.shape[:-1]):
        terms = list(_terms(grid[(n, *p)], x.shape[2:], mode, padding_mode, align_corners, orders))
        for c in range(x.shape[1]):
            y[(n, c, *p)] = sum(weight * (0.0 if at is None else float(x[(n, c, *at)])) for at, weight in terms)
    return y


def grid_sample_grad(dy, grid, input_shape, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in x: every dy[n, c, p] times the weights of the neighbours of grid[n, p], added there.

    dy is (N, C, *places), dx of input_shape (N, C, *spatial); the other arguments are those of `grid_sample`.

    >>> dy, grid = np.array([[[[2.0]]]]), np.array([[[[0.0, 0.0]]]])
    >>> grid_sample_grad(dy, grid, (1, 1, 1, 2), "bilinear", "zeros", True, (0, 0))
    array([[[[1., 1.]]]])
    """
    dx = np.zeros(input_shape)
    for n, *p in np.ndindex(*grid.shape[:-1]):
        for at, weight in _terms(grid[(n, *p)], input_shape[2:], mode, padding_mode, align_corners, orders):
            for c in range(input_shape[1] if at is not None else 0):
                dx[(n, c, *at)] += weight * float(dy[(n, c, *p)])
    result = _empty_channels_last(input_shape, dy.dtype)
    result[...] = dx
    return result


def grid_sample_grid_grad(dy, x, grid, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in the grid, of the grid's shape: along each coordinate the sum over the channels of dy
    times the samples of x with the weights once more differentiated along it.

    >>> dy, x, grid = np.array([[[[2.0]]]]), np.array([[[[1.0, 3.0]]]]), np.array([[[[0.0, 0.0]]]])
    >>> grid_sample_grid_grad(dy, x, grid, "bilinear", "zeros", True, (0, 0))
    array([[[[2., 0.]]]])
    """
    dgrid = np.zeros(grid.shape, x.dtype)
    for coordinate in range(grid.shape[-1] if mode != "nearest" else 0):  # which has no slope, whatever x holds
        steeper = tuple(order + (at == coordinate) for at, order in enumerate(orders))
        samples = grid_sample(x, grid, mode, padding_mode, align_corners, steeper)
        dgrid[..., coordinate] = (dy.astype(np.float64) * samples).sum(1)
    return dgrid
