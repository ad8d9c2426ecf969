"""3x3 convolution of stride 1 with a quarter of the multiplications: Winograd's F(4x4, 3x3).

A tile of 4x4 outputs comes from 6x6 inputs: both are transformed so that the convolution becomes 36 products, one for
each place, which for all tiles and channels at once are 36 matrix products (Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016, https://arxiv.org/abs/1509.09308). The sums round more than the direct ones: the
error stays below 2e-5 of the largest output, for normally distributed numbers near 2e-6. `kernels.winograd` forbids it.
The weight gradient goes the same way: both factors of its products are transformed, then their sums.
"""

import functools
from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .product import pack
from .tile import COSTS, TILES, indirect_tile, outer_tile
from .vector import INT64, VECTOR_BYTES, Emitter, dispatch, element, wide

__all__ = ["pays", "winograd_plan", "winograd_product", "winograd_weight_grad", "winograd_weight_grad_plan"]

_OUT, _IN = 4, 6  # pixels along each side of a tile
_PLACES = _IN * _IN
_TILES = 24  # tiles that are multiplied together
_DEPTH = 128  # channels that are summed up at once: longer sums round more
_MULTIPLE = 16  # of which the channels are, for there are no partial vectors here
_STEPS = 64  # tiles whose products are summed up at once for the weight gradient
_GROUP = 16  # tiles that a thread transforms at once for it
_SUM_BYTES = 1 << 24  # of its sums at most: memory that a training step should not need
_CHUNK_BYTES = 1 << 21  # of transformed tiles that wait to be multiplied: they stay in the caches

# A kernel of 3 taps and 4 outputs are polynomials; their product is known by its values at 5 points and at infinity.
# The usual points 0, 1, -1, 2, -2 round four times as much as these.
_POINTS = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))


def _toom_cook(points):
    """The transforms of one side's inputs, of a kernel's taps and of the products, as rows of factors."""
    inputs, taps = [], []
    for point in (*points, None):
        others, scale = [Fraction(1)], Fraction(1)  # the polynomial that is zero at all other points
        for other in points:
            if other != point:
                others = [a - other * b for a, b in zip([Fraction(0), *others], [*others, Fraction(0)])]
                scale *= 1 if point is None else point - other
        inputs.append([float(factor) for factor in others] + [0.0] * (_IN - len(others)))
        taps.append([0.0, 0.0, 1.0] if point is None else [float(point**power / scale) for power in range(3)])
    products = [[*[float(point**power) for point in points], float(power == _OUT - 1)] for power in range(_OUT)]
    return inputs, taps, products


def _transposed(matrix):
    return [list(column) for column in zip(*matrix)]


_TRANSFORMS = _toom_cook(_POINTS)
_TRANSFORMS = (*_TRANSFORMS, _transposed(_TRANSFORMS[2]), _transposed(_TRANSFORMS[1]))
_INPUT, _WEIGHT, _OUTPUT, _OUTPUT_GRAD, _WEIGHT_GRAD = range(5)


class WinogradPlan(NamedTuple):
    """How many tiles there are, and the sizes of images in elements."""

    tiles: int
    image_tiles: int
    x_image: int
    y_image: int


def _first_pixels(size, dilation):
    """Where the tiles of an axis start; a tile's pixels lie `dilation` apart, so that tiles of all phases alternate."""
    return np.concatenate([np.arange(phase, size, _OUT * dilation) for phase in range(min(dilation, size))])


def pays(itemsize, kernel, stride, dilation, groups, channels, columns, images, output, weight_grad=False):
    """Whether fewer multiplications are worth the transforms, for float32 alone.

    A direct weight gradient is slower than a forward pass: it loads more numbers for each multiplication.
    """
    if itemsize != 4 or (kernel, stride, groups) != ((3, 3), (1, 1), 1):
        return False
    if channels % _MULTIPLE or columns % _MULTIPLE:
        return False
    tiles = images * prod(len(_first_pixels(n, d)) for n, d in zip(output, dilation))
    direct = images * prod(output) * 9 * channels * columns
    products = tiles * _PLACES * channels * columns
    if weight_grad:
        transforms = 700 * tiles * (channels + columns) + 1500 * channels * columns
        small = _PLACES * channels * columns * itemsize <= _SUM_BYTES
        return small and products + transforms < 1.3 * (direct + 300 * channels * columns)
    transforms = 700 * tiles * (channels + columns) + 2000 * channels * columns
    return tiles >= _TILES and 1.2 * (products + transforms) < direct


def winograd_plan(images, size, output, padding, dilation, channels, columns):
    """(starts of the inputs, starts of the outputs, plan): where each tile's pixels lie in an image, -1 for nowhere."""
    firsts = [_first_pixels(n, d) for n, d in zip(output, dilation)]

    def starts(side, pixels, before, length):
        rows, places = (
            first[:, None] + np.arange(side) * d - shift for first, d, shift in zip(firsts, dilation, before)
        )  # fmt: skip
        rows, places = rows[:, None, :, None], places[None, :, None, :]
        inside = (rows >= 0) & (rows < pixels[0]) & (places >= 0) & (places < pixels[1])
        return np.where(inside, (rows * pixels[1] + places) * length, -1).reshape(-1)

    tiles = prod(map(len, firsts))
    plan = WinogradPlan(images * tiles, tiles, prod(size) * channels, prod(output) * columns)
    return starts(_IN, size, padding, channels), starts(_OUT, output, (0, 0), columns), plan


@intrinsic
def _transform(typingctx, kind, x, x_at, x_starts, x_first, y, y_at, y_starts, y_first, count, bias, spare):
    """Transform `count` numbers side by side, of a tile's places, in both directions.

    Place p of the tile lies at x_at + x_starts[x_first + p], place q of the result at y_at + y_starts[y_first + q]. A
    negative start means zeros and results that are not wanted. All arrays are flat. `bias` is added to results of kind
    _OUTPUT; `spare` holds `count` zeros and room for as many numbers.
    """
    i = types.int64
    signature = types.void(i, x, i, x_starts, i, y, i, y_starts, i, i, bias, spare)

    def codegen(context, builder, signature, args):
        (kind, x_array, x_at, x_starts_array, x_first, y_array, y_at, y_starts_array, y_first, count, bias_array,
         spare_array) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)
        kinds = [(number, len(matrix[0]), matrix) for number, matrix in enumerate(_TRANSFORMS)]
        dispatch(builder, kind, kinds, functools.partial(_transform_body, x.dtype), [
            pointer(x, x_array, x_at), pointer(x_starts, x_starts_array, x_first), pointer(y, y_array, y_at),
            pointer(y_starts, y_starts_array, y_first), count, pointer(bias, bias_array, INT64(0)),
            pointer(spare, spare_array, INT64(0)),
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _transform_body(dtype, builder, kind, side, matrix, x, x_starts, y, y_starts, count, bias, spare):
    emit = Emitter(builder, dtype)
    unwanted = builder.gep(spare, [count])

    def places(start, starts, number, instead):
        for place in range(number):
            ahead = wide(builder, builder.load(builder.gep(starts, [INT64(place)])))
            inside = builder.icmp_signed(">=", ahead, INT64(0))
            pointer = cgutils.alloca_once(builder, x.type)
            builder.store(builder.select(inside, builder.gep(start, [ahead]), instead), pointer)
            yield pointer

    sources = list(places(x, x_starts, side * side, spare))
    targets = list(places(y, y_starts, len(matrix) ** 2, unwanted))
    halfway = [[cgutils.alloca_once(builder, emit.vector) for _ in range(side)] for _ in matrix]

    def line(values):
        """The transform of one line of vectors."""
        for factors in matrix:
            total = None
            for factor, value in zip(factors, values):
                if factor in (1, -1) and total is not None:
                    total = builder.fadd(total, value) if factor == 1 else builder.fsub(total, value)
                elif factor:
                    constant = emit.splat(ir.Constant(emit.scalar, factor))
                    total = (
                        builder.fmul(constant, value) if total is None else emit.multiply_add(constant, value, total)
                    )
            yield total

    with cgutils.for_range_slice(builder, INT64(0), count, INT64(emit.lanes), inc=True) as (c, _):
        for column in range(side):
            values = [
                emit.load(builder.gep(builder.load(sources[row * side + column]), [c])) for row in range(side)
            ]  # fmt: skip
            for row, value in enumerate(line(values)):
                builder.store(value, halfway[row][column])
        added = emit.load(builder.gep(bias, [c])) if kind == _OUTPUT else None
        for row, vectors in enumerate(halfway):
            for column, value in enumerate(line([builder.load(vector) for vector in vectors])):
                value = value if added is None else builder.fadd(value, added)
                emit.store(value, builder.gep(builder.load(targets[row * len(matrix) + column]), [c]))


@jit
def _transform_weights(task, packed, transformed, plan):
    """One block of packed weights, [tap][channel][width], as [place][block][channel][width]."""
    size = plan.channels * plan.vectors * (VECTOR_BYTES // packed.itemsize)
    taps, places = np.arange(9) * size, np.arange(_PLACES) * (plan.blocks * size)
    _transform(_WEIGHT, packed, task * 9 * size, taps, 0, transformed, task * size, places, 0, size, packed, packed)


@jit
def _tiles(task, x, transformed, bias, y, x_starts, y_starts, broken, plan, shape):
    """The outputs of a range of tiles."""
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    height, size = TILES[plan.vectors - 1], plan.channels * width
    first = task * _TILES
    count = min(_TILES, shape.tiles - first)
    inputs = np.empty(_PLACES * _TILES * plan.channels, x.dtype)
    products = np.empty(_PLACES * _TILES * plan.columns, x.dtype)
    spare = np.zeros(2 * max(plan.channels, plan.columns), x.dtype)
    rows = np.arange(_TILES)
    input_places = np.arange(_PLACES) * (_TILES * plan.channels)
    product_places = np.arange(_PLACES) * (_TILES * plan.columns)
    for tile in range(count):
        image, number = (first + tile) // shape.image_tiles, (first + tile) % shape.image_tiles
        _transform(
            _INPUT, x, image * shape.x_image, x_starts, number * _PLACES, inputs, tile * plan.channels, input_places, 0,
            plan.channels, bias, spare,
        )  # fmt: skip
    for place in range(_PLACES):
        for block in range(plan.blocks):
            for row in range(0, count, height):
                # The last tile of rows may overlap the one before; rows beyond the count are not read.
                at = min(row, _TILES - height)
                for c in range(0, plan.channels, _DEPTH):
                    indirect_tile(
                        2 * plan.vectors - 2, inputs, place * _TILES * plan.channels + c, plan.channels, rows, at, 1,
                        1, min(_DEPTH, plan.channels - c), transformed, 0,
                        (place * plan.blocks + block) * size + c * width, transformed.size - width, c, products,
                        place * _TILES * plan.columns + block * width, plan.columns, rows, at,
                        plan.columns - block * width,
                    )  # fmt: skip
    total = x.dtype.type(0)
    for tile in range(count):
        image, number = (first + tile) // shape.image_tiles, (first + tile) % shape.image_tiles
        _transform(
            _OUTPUT, products, tile * plan.columns, product_places, 0, y, image * shape.y_image, y_starts,
            number * _OUT * _OUT, plan.columns, bias, spare,
        )  # fmt: skip
        for start in y_starts[number * _OUT * _OUT : (number + 1) * _OUT * _OUT]:
            if start >= 0:
                row = y[image * shape.y_image + start : image * shape.y_image + start + plan.columns]
                for n in range(plan.columns):
                    total += row[n]
    broken[task] = not np.isfinite(total)


@pool_jit
def _winograd_product(x, weight, bias, packed, transformed, y, x_starts, y_starts, broken, plan, shape):
    parallel_for(plan.blocks, True, pack, (weight, bias[:0], packed, plan))
    parallel_for(plan.blocks, True, _transform_weights, (packed, transformed, plan))
    parallel_for(broken.size, True, _tiles, (x, transformed, bias, y, x_starts, y_starts, broken, plan, shape))


def winograd_product(x, weight, bias, y, plan, x_starts, y_starts, shape):
    """y = convolution of x with 3x3 weights, flat channels-last arrays; `plan` says how the weights are laid out.

    False if the result is not all finite, for infinities and NaN spread over a tile: then y is worthless.
    """
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    size = plan.blocks * plan.channels * width
    packed = empty(9 * size + plan.blocks * width + plan.channels, x.dtype)
    transformed = empty(_PLACES * size + width, x.dtype)
    transformed[-width:] = 0  # in place of a bias of the products
    bias = bias if bias.size else np.zeros(plan.columns, x.dtype)
    broken = np.empty(-(-shape.tiles // _TILES), np.bool_)
    _winograd_product(x, weight, bias, packed, transformed, y, x_starts, y_starts, broken, plan, shape)
    return not broken.any()


class WinogradGradPlan(NamedTuple):
    """How the sums of a weight gradient, `rows` by `columns` for each place, are cut into register tiles."""

    rows: int
    columns: int
    vectors: int
    row_tiles: int
    panels: int
    chunk: int  # tiles of images that are transformed before they are multiplied


@jit
def _transform_tiles(task, first, count, x, dy, inputs, grads, x_starts, y_starts, plan, shape):
    """Transform a group of `count` tiles of x and dy from number `first` on, to [place][tile][channel]."""
    spare = np.zeros(2 * max(plan.rows, plan.columns), x.dtype)
    input_places = np.arange(_PLACES) * (plan.chunk * plan.columns)
    grad_places = np.arange(_PLACES) * (plan.chunk * plan.rows)
    for tile in range(task * _GROUP, min((task + 1) * _GROUP, count)):
        image, number = (first + tile) // shape.image_tiles, (first + tile) % shape.image_tiles
        _transform(
            _INPUT, x, image * shape.x_image, x_starts, number * _PLACES, inputs, tile * plan.columns, input_places, 0,
            plan.columns, spare, spare,
        )  # fmt: skip
        _transform(
            _OUTPUT_GRAD, dy, image * shape.y_image, y_starts, number * _OUT * _OUT, grads, tile * plan.rows,
            grad_places, 0, plan.rows, spare, spare,
        )  # fmt: skip


@jit
def _place_sums(place, count, fresh, inputs, grads, sums, plan):
    """Add to the sums of one place, [panel][row][column], the products of `count` tiles.

    Rows and columns beyond those that there are read the next tile's numbers; nobody reads their sums.
    """
    lanes = VECTOR_BYTES // inputs.itemsize
    width, height = plan.vectors * lanes, TILES[plan.vectors - 1]
    size = plan.panels * plan.row_tiles * height * width
    if fresh:
        sums[place * size : (place + 1) * size] = 0
    starts = np.arange(_STEPS) * plan.columns
    places = np.zeros(2 * plan.vectors, np.int64)
    for start in range(0, count, _STEPS):
        for panel in range(plan.panels):
            for n in range(plan.vectors):
                places[2 * n] = (place * plan.chunk + start) * plan.columns + panel * width + n * lanes
            for tile in range(plan.row_tiles):
                outer_tile(
                    plan.vectors, grads, (place * plan.chunk + start) * plan.rows + tile * height, plan.rows, inputs,
                    places, starts, min(_STEPS, count - start), sums,
                    place * size + (panel * plan.row_tiles + tile) * height * width,
                )  # fmt: skip


@jit
def _collect(row, sums, dw, broken, plan):
    """One row of the weight gradient, [column][tap], from the sums of all places."""
    width = plan.vectors * (VECTOR_BYTES // sums.itemsize)
    padded = plan.row_tiles * TILES[plan.vectors - 1]
    places, taps = np.arange(_PLACES) * (plan.panels * padded * width), np.arange(9) * width
    spare, weights = np.zeros(2 * width, sums.dtype), np.empty(9 * width, sums.dtype)
    total = sums.dtype.type(0)
    for panel in range(plan.panels):
        _transform(
            _WEIGHT_GRAD, sums, (panel * padded + row) * width, places, 0, weights, 0, taps, 0, width, spare, spare
        )
        for n in range(min(width, plan.columns - panel * width)):
            at = (row * plan.columns + panel * width + n) * 9
            for tap in range(9):
                dw[at + tap] = weights[tap * width + n]
                total += weights[tap * width + n]
    broken[row] = not np.isfinite(total)


@pool_jit
def _winograd_weight_grad(x, dy, inputs, grads, sums, dw, x_starts, y_starts, broken, plan, shape):
    for first in range(0, shape.tiles, plan.chunk):
        count = min(plan.chunk, shape.tiles - first)
        parallel_for(
            -(-count // _GROUP), True, _transform_tiles,
            (first, count, x, dy, inputs, grads, x_starts, y_starts, plan, shape),
        )  # fmt: skip
        parallel_for(_PLACES, True, _place_sums, (count, first == 0, inputs, grads, sums, plan))
    parallel_for(plan.rows, True, _collect, (sums, dw, broken, plan))


def winograd_weight_grad_plan(itemsize, rows, columns, tiles):
    """The plan of a weight gradient of `rows` output channels and `columns` input channels over so many tiles."""
    lanes = VECTOR_BYTES // itemsize

    def padded(vectors):
        """What is multiplied, padding included."""
        height = TILES[vectors - 1]
        return -(-rows // height) * height * -(-columns // (vectors * lanes)) * vectors * COSTS[vectors - 1]

    vectors = min((4, 3, 2, 1), key=padded)
    steps = max(2, _CHUNK_BYTES // (_PLACES * (rows + columns) * itemsize * _STEPS)) * _STEPS
    chunk = min(steps - 1, tiles) | 1  # odd, for places a power of two apart drive each other out of the first cache
    panels = -(-columns // (vectors * lanes))
    return WinogradGradPlan(rows, columns, vectors, -(-rows // TILES[vectors - 1]), panels, chunk)


def winograd_weight_grad(x, dy, dw, x_starts, y_starts, plan, shape):
    """dw = sums of products of dy with the 3x3 windows of x, flat arrays; as `winograd_product`, which see.

    The product of a tile's transforms, summed over all tiles, is the transform of the gradient.
    """
    width, height = plan.vectors * (VECTOR_BYTES // x.itemsize), TILES[plan.vectors - 1]
    lengths = (
        _PLACES * plan.chunk * plan.columns + width, _PLACES * plan.chunk * plan.rows + height,
        _PLACES * plan.panels * plan.row_tiles * height * width,
    )  # fmt: skip
    ends = np.cumsum([-(-length // _MULTIPLE) * _MULTIPLE for length in lengths])  # so that vectors are aligned
    inputs, grads, sums = np.split(empty(int(ends[-1]), x.dtype), ends[:-1])
    broken = np.empty(plan.rows, np.bool_)
    _winograd_weight_grad(x, dy, inputs, grads, sums, dw, x_starts, y_starts, broken, plan, shape)
    return not broken.any()
