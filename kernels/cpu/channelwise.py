"""Depthwise convolution: every channel with a kernel of its own, so that nothing is summed over channels.

Pixels are found through the strips and tables of `indirection.py`; the vectors run along the channels, which lie side
by side in memory. Each number is read for one multiply-add alone and the caches' bandwidth is the bound, not the
multiply-adds.
"""

import functools
from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .vector import INT64, REGISTERS, VECTOR_BYTES, Emitter, dispatch, element, wide

__all__ = ["HEIGHTS", "channelwise_plan", "channelwise_product", "channelwise_weight_product"]

HEIGHTS = (6, 3, 2, 1)  # rows of a strip
_AHEAD = 4  # strips that the pixels are fetched ahead of their use
_VECTORS = REGISTERS // 8  # of channels: with them the sums of the highest strip fit the registers
_WIDE = 4  # vectors of channels in a wide tile of the weight gradient
_HIGH = 3  # taps of a high tile: with _WIDE vectors each the sums fit the registers
_TILES = ((_HIGH, _WIDE), (1, _WIDE), (_HIGH, 1), (1, 1))
_SERIAL = 1 << 16  # multiply-adds below which a parallel region costs more than it saves
_PART = 1 << 15  # numbers of a range of rows: their pixels stay in the second cache
_STEPS = 256  # pixels of a block of the weight gradient
_TASKS = 16  # parts that the weight gradient's pixels are cut into


class ChannelwisePlan(NamedTuple):
    """Shapes of a depthwise product over `units` images of channels-last pixels."""

    units: int
    rows: int
    taps: int
    channels: int
    pixels: int  # that the table reads, of an image
    # how the work is cut
    vectors: int
    blocks: int
    parts: int
    fresh: int  # of the pixels that a row reads, in the order of memory, the last ones, which no row before has read


@intrinsic
def _strip(
    typingctx,
    height,
    x,
    x_at,
    x_step,
    entries,
    entry,
    count,
    channels,
    packed,
    y,
    y_at,
    y_step,
    ahead,
    fresh,
):
    """y[m * y_step:][:channels] = bias + sum over entries of x[m * x_step + offset:] * weight for a strip's rows m.

    `entries` holds a tap and the offset of its pixel in pairs, of which the strip has `count` from number `entry` on.
    All arrays are flat and *_at is the element to start from. `packed` holds a row of biases and one for each tap's
    weights, padded to whole tiles. `height` is a number of HEIGHTS. What lies `ahead` of x_at is
    needed next: the caches are asked for what entries from number `fresh` on, of those, will read there.
    """
    i = types.int64
    signature = types.void(i, x, i, i, entries, i, i, i, packed, y, i, i, i, i)

    def codegen(context, builder, signature, args):
        (height, x_array, x_at, x_step, entries_array, entry, count, channels, packed_array, y_array, y_at, y_step,
         ahead, fresh) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)
        dispatch(builder, height, [(rows, _VECTORS) for rows in HEIGHTS], functools.partial(_strip_body, x.dtype), [
            pointer(x, x_array, x_at), x_step, pointer(entries, entries_array, builder.mul(entry, INT64(2))), count,
            channels, pointer(packed, packed_array, INT64(0)), pointer(y, y_array, y_at), y_step,
            ahead, fresh,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _strip_body(dtype, builder, rows, vectors, x, x_step, entries, count, channels, packed, y, y_step, ahead, fresh):
    emit = Emitter(builder, dtype)
    slots = emit.slots(rows, vectors)
    width = INT64(vectors * emit.lanes)
    whole = builder.sub(channels, builder.srem(channels, width))
    padded = builder.add(channels, builder.srem(builder.sub(width, builder.srem(channels, width)), width))
    behind = [builder.mul(x_step, INT64(m)) for m in range(rows)]

    def block(column, load, store):
        weights = builder.gep(packed, [column])
        for n in range(vectors):
            bias = emit.load(weights, n)
            for row in slots:
                builder.store(bias, row[n])
        source = builder.gep(x, [column])
        coming = builder.gep(source, [ahead])
        with cgutils.for_range_slice(builder, fresh, count, INT64(1), inc=True) as (number, _):
            entry = builder.gep(entries, [builder.add(builder.mul(number, INT64(2)), INT64(1))])
            pixel = builder.gep(coming, [builder.load(entry)])
            for start in behind:
                emit.prefetch(builder.gep(pixel, [start]))
        with cgutils.for_range(builder, count) as number:
            entry = builder.gep(entries, [builder.mul(number.index, INT64(2))])
            tap, offset = (builder.load(builder.gep(entry, [INT64(n)])) for n in range(2))
            factors = builder.gep(weights, [builder.mul(builder.add(tap, INT64(1)), padded)])
            factors = [emit.load(factors, n) for n in range(vectors)]
            pixel = builder.gep(source, [offset])
            for m, row in enumerate(slots):
                for n, slot in enumerate(row):
                    value = load(builder.gep(pixel, [behind[m]]), n)
                    builder.store(emit.multiply_add(value, factors[n], builder.load(slot)), slot)
        target = builder.gep(y, [column])
        for m, row in enumerate(slots):
            for n, slot in enumerate(row):
                store(builder.load(slot), builder.gep(target, [builder.mul(y_step, INT64(m))]), n)

    with cgutils.for_range_slice(builder, INT64(0), whole, width, inc=True) as (column, _):
        block(column, emit.load, emit.store)
    with builder.if_then(builder.icmp_signed("<", whole, channels)):
        masks = [emit.keep(builder.sub(channels, whole), n) for n in range(vectors)]
        block(
            whole,
            lambda source, n: emit.masked_load(source, masks[n], n),
            lambda value, target, n: emit.masked_store(value, target, masks[n], n),
        )


@intrinsic
def _taps_tile(typingctx, tile, x, x_at, dy, dy_at, row, table, table_at, taps, steps, zeros, total, total_at, valid):
    """total[tap, :] += sum over `steps` p of x[table[p, tap], :] * dy[p, :] for the taps of tile _TILES[tile].

    All arrays are flat and *_at is the element to start from; rows of x and dy are `row` apart, those of the sums a
    tile's width. Row number -1 stands for `zeros`.
    """
    i = types.int64
    signature = types.void(i, x, i, dy, i, i, table, i, i, i, zeros, total, i, i)

    def codegen(context, builder, signature, args):
        (tile, x_array, x_at, dy_array, dy_at, row, table_array, table_at, taps, steps, zeros_array, total_array,
         total_at, valid) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)
        dispatch(builder, tile, _TILES, functools.partial(_taps_body, x.dtype), [
            pointer(x, x_array, x_at), pointer(dy, dy_array, dy_at), row, pointer(table, table_array, table_at), taps,
            steps, pointer(zeros, zeros_array, INT64(0)), pointer(total, total_array, total_at), valid,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _taps_body(dtype, builder, rows, vectors, x, dy, row, table, taps, steps, zeros, total, valid):
    emit = Emitter(builder, dtype)
    slots = emit.slots(rows, vectors)
    flat = [slot for line in slots for slot in line]
    masks = [emit.keep(valid, n) for n in range(vectors)]
    for slot in flat:
        builder.store(emit.zero, slot)

    def sum_up(load):
        with cgutils.for_range(builder, steps) as p:
            gradient = builder.gep(dy, [builder.mul(p.index, row)])
            entry = builder.gep(table, [builder.mul(p.index, taps)])
            factors = [load(gradient, n) for n in range(vectors)]
            for m, line in enumerate(slots):
                number = wide(builder, builder.load(builder.gep(entry, [INT64(m)])))
                inside = builder.icmp_signed(">=", number, INT64(0))
                source = builder.select(inside, builder.gep(x, [builder.mul(number, row)]), zeros)
                for n, slot in enumerate(line):
                    builder.store(emit.multiply_add(load(source, n), factors[n], builder.load(slot)), slot)

    with builder.if_else(builder.icmp_signed(">=", valid, INT64(vectors * emit.lanes))) as (full, partial):
        with full:
            sum_up(emit.load)
        with partial:
            sum_up(lambda source, n: emit.masked_load(source, masks[n], n))
    for n, slot in enumerate(flat):
        emit.store(builder.fadd(emit.load(total, n), builder.load(slot)), total, n)


@jit
def _rows(task, x, strips, entries, packed, y, plan):
    """A range of strips of one image, all channels."""
    unit, part = task // plan.parts, task % plan.parts
    x_at, y_at = unit * plan.pixels * plan.channels, unit * plan.rows * plan.channels
    for number in range(part * len(strips) // plan.parts, (part + 1) * len(strips) // plan.parts):
        entry, count, first = strips[number, 1], strips[number, 2], strips[number, 3]
        ahead = strips[min(number + _AHEAD, len(strips) - 1), 3] - first
        _strip(
            strips[number, 0], x, x_at + first, strips[number, 4], entries, entry, count, plan.channels, packed,
            y, y_at + strips[number, 5], strips[number, 6], ahead, max(0, count - plan.fresh),
        )  # fmt: skip


@pool_jit
def _channelwise_product(parallel, x, strips, entries, weight, bias, packed, y, plan):
    packed[:] = 0
    row = packed.size // (plan.taps + 1)
    for c in range(bias.size):
        packed[c] = bias[c]
    for c in range(plan.channels):
        for tap in range(plan.taps):
            packed[(tap + 1) * row + c] = weight[c * plan.taps + tap]
    parallel_for(plan.units * plan.parts, parallel, _rows, (x, strips, entries, packed, y, plan))


@jit
def _tap_sums(task, dy, x, table, sums, plan):
    """The sums of one block of channels over one part of the pixels."""
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    part, block = task % plan.parts, task // plan.parts
    column = block * width
    at = task * plan.taps * width
    sums[at : at + plan.taps * width] = 0
    zeros = np.zeros(width, x.dtype)
    pieces = -(-plan.rows // _STEPS)
    for number in range(part * plan.units * pieces // plan.parts, (part + 1) * plan.units * pieces // plan.parts):
        unit, row = number // pieces, number % pieces * _STEPS
        tap = 0
        while tap < plan.taps:
            high = plan.taps - tap >= _HIGH
            _taps_tile(
                (0 if plan.vectors == _WIDE else 2) + (0 if high else 1),
                x, unit * plan.pixels * plan.channels + column, dy, (unit * plan.rows + row) * plan.channels + column,
                plan.channels, table, row * plan.taps + tap, plan.taps, min(_STEPS, plan.rows - row), zeros,
                sums, at + tap * width, plan.channels - column,
            )  # fmt: skip
            tap += _HIGH if high else 1


@pool_jit
def _channelwise_weight_product(parallel, dy, x, table, sums, result, plan):
    parallel_for(plan.blocks * plan.parts, parallel, _tap_sums, (dy, x, table, sums, plan))
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    for c in range(plan.channels):
        for tap in range(plan.taps):
            total = x.dtype.type(0)
            for part in range(plan.parts):
                total += sums[((c // width * plan.parts + part) * plan.taps + tap) * width + c % width]
            result[c * plan.taps + tap] = total


def channelwise_plan(itemsize, units, rows, taps, channels, pixels, summed, fresh=1):
    """The plan of a depthwise product; `summed` says that rows are summed over, as in the weight gradient."""
    lanes = VECTOR_BYTES // itemsize
    vectors = _WIDE if channels > 2 * lanes else 1
    parts = min(_TASKS, units * -(-rows // _STEPS)) if summed else -(-rows * channels // _PART)
    return ChannelwisePlan(
        units, rows, taps, channels, pixels, vectors, -(-channels // (vectors * lanes)), min(parts, units * rows),
        fresh,
    )  # fmt: skip


def channelwise_product(x, strips, entries, weight, bias, y, plan):
    """y[unit, pixel, c] = bias[c] + sum over taps of x[unit, that tap's pixel, c] * weight[c, tap], flat arrays.

    `strips` and `entries` are those of `indirection.strips`, in elements.
    """
    width = _VECTORS * (VECTOR_BYTES // x.itemsize)
    packed = np.empty((plan.taps + 1) * -(-plan.channels // width) * width, x.dtype)
    work = plan.units * plan.rows * plan.channels * plan.taps
    _channelwise_product(work >= _SERIAL, x, strips, entries, weight, bias, packed, y, plan)


def channelwise_weight_product(dy, x, table, result, plan):
    """result[c, tap] = sum over units and rows of dy[unit, row, c] * x[unit, table[row, tap], c], flat arrays."""
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    sums = np.empty(plan.blocks * plan.parts * plan.taps * width, x.dtype)
    work = plan.units * plan.rows * plan.channels * plan.taps
    _channelwise_weight_product(work >= _SERIAL, dy, x, table, sums, result, plan)
