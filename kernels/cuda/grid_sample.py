"""Sampling images at given places, up to four neighbours along each axis: a thread computes one number.

The gradient in the image gives each channel of an image to one thread, which adds in order. The neighbours' weights are
polynomials of the place, differentiated as asked for. `kernels/reference/grid_sample.py` is the definition.
"""

import math
from math import inf, nan

from ._numba import SIMULATED, cuda, div, f64, i32, inlined, kernel, launch, on_device, unrolled
from .memory import channels_first, channels_last, dense, empty

__all__ = ["grid_sample", "grid_sample_grad", "grid_sample_grid_grad"]

THREADS = 4 if SIMULATED else 128
MODES = {"nearest": 1, "bilinear": 2, "bicubic": 4}  # neighbours along an axis
PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
NEAREST, BILINEAR, BICUBIC = 1, 2, 4
ZEROS, BORDER, REFLECTION = 0, 1, 2


@inlined
def inside(place, size, *, PADDING, ALIGNED):
    """The place as the padding has it: unchanged, at the border, or thrown back as often as it takes."""
    if PADDING == REFLECTION:
        low, span = (0.0, size - 1.0) if ALIGNED else (-0.5, size * 1.0)
        if span == 0.0:
            place = 0.0
        else:
            beyond = abs(place - low)
            flips = math.floor(beyond / span)
            beyond = beyond - flips * span
            place = beyond + low if flips % 2.0 == 0.0 else span - beyond + low
    if PADDING != ZEROS:
        place = min(max(place, 0.0), size - 1.0)
    return place


@inlined
def slope_inside(place, size, *, PADDING, ALIGNED):
    """The derivative of `inside` in the place."""
    slope = 1.0
    if PADDING == REFLECTION:
        low, span = (0.0, size - 1.0) if ALIGNED else (-0.5, size * 1.0)
        if span == 0.0:
            slope = 0.0
            place = 0.0
        else:
            if place < low:
                slope = -1.0
            beyond = abs(place - low)
            flips = math.floor(beyond / span)
            beyond = beyond - flips * span
            if flips % 2.0 == 0.0:
                place = beyond + low
            else:
                slope = -slope
                place = span - beyond + low
    if PADDING != ZEROS and not 0.0 < place < size - 1.0:
        slope = 0.0
    return slope


@inlined
def polynomial(number, t, order, *, MODE):
    """The weight of neighbour `number` at distance t from the first one at or before the place, differentiated."""
    c0, c1, c2, c3 = 1.0, 0.0, 0.0, 0.0
    if MODE == BILINEAR:
        c0, c1 = (1.0, -1.0) if number == 0 else (0.0, 1.0)
    if MODE == BICUBIC:
        if number == 0:
            c0, c1, c2, c3 = 0.0, -0.75, 1.5, -0.75
        elif number == 1:
            c0, c1, c2, c3 = 1.0, 0.0, -2.25, 1.25
        elif number == 2:
            c0, c1, c2, c3 = 0.0, 0.75, 1.5, -1.25
        else:
            c0, c1, c2, c3 = 0.0, 0.0, -0.75, 0.75
    for _ in range(order):
        c0, c1, c2, c3 = c1, 2.0 * c2, 3.0 * c3, 0.0
    return c0 + t * (c1 + t * (c2 + t * c3))


@inlined
def neighbours(coordinate, size, order, cells, weights, at, *, MODE, PADDING, ALIGNED):
    """Write the cells, -1 for none, and the weights of the neighbours along one axis from `at` on."""
    place = (coordinate + 1.0) / 2.0 * (size - 1.0) if ALIGNED else ((coordinate + 1.0) * size - 1.0) / 2.0
    slope = (size - 1.0) / 2.0 if ALIGNED else size / 2.0
    if PADDING != ZEROS and not abs(place) < inf:
        place = size - 1.0 if place > 0.0 else 0.0
    if MODE != BICUBIC:
        slope = slope * slope_inside(place, size)
        place = inside(place, size)
    if not abs(place) < inf:
        for k in unrolled(MODE):
            cells[at + k] = -1
            weights[at + k] = 0.0 if MODE == NEAREST else nan
    else:
        floor = f64(math.floor(place))
        first = floor
        if MODE == NEAREST:
            half = place - floor
            first = floor + (1.0 if half > 0.5 or (half == 0.5 and floor % 2.0 != 0.0) else 0.0)
        if MODE == BICUBIC:
            first = floor - 1.0
        power = 1.0
        for _ in range(order):
            power = power * slope
        for k in unrolled(MODE):
            cell = first + k
            if MODE == BICUBIC:
                cell = inside(cell, size)
            weights[at + k] = polynomial(k, place - floor, order) * power
            cells[at + k] = i32(cell) if 0.0 <= cell < size else -1


@kernel("T*, T*, T*, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32")
def sample(
    x, grid, y, images, channels, depth, height, width, places, rank, order_x, order_y, order_z, *,
    T, RANK, MODE, PADDING, ALIGNED, THREADS,
):  # fmt: skip
    """y[n, p, c], one a thread: the sum over the neighbours of grid[n, p] of weight · x[n, neighbour, c]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < images * places * channels:
        place = div(number, channels)
        c, image = number - place * channels, div(place, places)
        cells, weights = cuda.local.array(12, i32), cuda.local.array(12, f64)
        locate(grid, place, depth, height, width, rank, order_x, order_y, order_z, cells, weights)
        total = f64(0.0)
        for i in unrolled(MODE if RANK == 3 else 1):
            for j in unrolled(MODE):
                for k in unrolled(MODE):
                    weight, value = weights[i] * weights[4 + j] * weights[8 + k], f64(0.0)
                    if cells[i] >= 0 and cells[4 + j] >= 0 and cells[8 + k] >= 0:
                        at = ((image * depth + cells[i]) * height + cells[4 + j]) * width + cells[8 + k]
                        value = f64(x[at * channels + c])
                    total += weight * value
        y[number] = total


@kernel("T*, T*, T*, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32")
def spread(
    dy, grid, dx, images, channels, depth, height, width, places, rank, order_x, order_y, order_z, *,
    T, RANK, MODE, PADDING, ALIGNED, THREADS,
):  # fmt: skip
    """dx[n, :, c], one channel of one image a thread: every dy at the neighbours of its place, in order."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < images * channels:
        image = div(number, channels)
        c = number - image * channels
        cells, weights = cuda.local.array(12, i32), cuda.local.array(12, f64)
        for p in range(places):
            place = image * places + p
            locate(grid, place, depth, height, width, rank, order_x, order_y, order_z, cells, weights)
            for i in unrolled(MODE if RANK == 3 else 1):
                for j in unrolled(MODE):
                    for k in unrolled(MODE):
                        if cells[i] >= 0 and cells[4 + j] >= 0 and cells[8 + k] >= 0:
                            at = ((image * depth + cells[i]) * height + cells[4 + j]) * width + cells[8 + k]
                            weight = weights[i] * weights[4 + j] * weights[8 + k]
                            dx[at * channels + c] += T(weight * f64(dy[place * channels + c]))


@inlined
def locate(
    grid, place, depth, height, width, rank, order_x, order_y, order_z, cells, weights, *, MODE, PADDING, ALIGNED
):  # fmt: skip
    """The neighbours of a place along z from 0 on, along y from 4, along x from 8; a plane has one along z."""
    cells[0] = 0
    weights[0] = 1.0
    if rank == 3:
        neighbours(f64(grid[place * 3 + 2]), f64(depth), order_z, cells, weights, 0)
    neighbours(f64(grid[place * rank + 1]), f64(height), order_y, cells, weights, 4)
    neighbours(f64(grid[place * rank]), f64(width), order_x, cells, weights, 8)


@kernel("T*, T*, T*, i32, i32, i32, i32")
def along_channels(dy, samples, dgrid, count, channels, rank, coordinate, *, T, THREADS):
    """dgrid[p, coordinate] = the sum over the channels of dy · sample."""
    place = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if place < count:
        total = f64(0.0)
        for at in range(place * channels, (place + 1) * channels):
            total += f64(dy[at]) * f64(samples[at])
        dgrid[place * rank + coordinate] = total


def _run(kernel, source, grid, result, spatial, threads_for, mode, padding_mode, align_corners, orders):
    """Launch `sample` or `spread` between channels-last arrays."""
    rank, channels = grid.shape[-1], source.shape[-1]
    places = math.prod(grid.shape[1:-1])
    sizes = (1,) * (3 - rank) + tuple(spatial)
    orders = tuple(orders) + (0,) * (3 - rank)
    launch(
        kernel, -(-threads_for // THREADS), THREADS, source, dense(grid), result, len(source), channels, *sizes, places,
        rank, *orders, T=source.dtype, RANK=rank, MODE=MODES[mode], PADDING=PADDINGS[padding_mode],
        ALIGNED=bool(align_corners), THREADS=THREADS,
    )  # fmt: skip


def _samples(x, grid, mode, padding_mode, align_corners, orders):
    y = empty((*grid.shape[:-1], x.shape[1]), x.dtype)
    settings = mode, padding_mode, align_corners, orders
    _run(sample, channels_last(x), grid, y, x.shape[2:], y.size, *settings)
    return y


@on_device
def grid_sample(x, grid, mode, padding_mode, align_corners, orders):
    """Samples of x at the places of the grid: `kernels.reference.grid_sample`."""
    return channels_first(_samples(x, grid, mode, padding_mode, align_corners, orders))


@on_device
def grid_sample_grad(dy, grid, input_shape, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in x, of input_shape: `kernels.reference.grid_sample_grad`."""
    images, channels, *spatial = input_shape
    dx = empty((images, *spatial, channels), dy.dtype)
    dx.fill(0)
    if dy.size:
        settings = mode, padding_mode, align_corners, orders
        _run(spread, channels_last(dy), grid, dx, spatial, images * channels, *settings)
    return channels_first(dx)


@on_device
def grid_sample_grid_grad(dy, x, grid, mode, padding_mode, align_corners, orders):
    """Gradient of `grid_sample` in the grid: `kernels.reference.grid_sample_grid_grad`."""
    dgrid, rank = empty(grid.shape, x.dtype), grid.shape[-1]
    dgrid.fill(0)
    dy = channels_last(dy)
    for coordinate in range(rank if mode != "nearest" else 0):
        steeper = tuple(order + (at == coordinate) for at, order in enumerate(orders))
        samples = _samples(x, grid, mode, padding_mode, align_corners, steeper)
        count = samples.size // samples.shape[-1] if samples.size else 0
        launch(
            along_channels, -(-count // THREADS), THREADS, dy, samples, dgrid, count, samples.shape[-1], rank,
            coordinate, T=x.dtype, THREADS=THREADS,
        )  # fmt: skip
    return dgrid
