"""Depthwise convolution: every channel with a kernel of its own, so that nothing is summed over channels.

Pixels are found through the tables of `indirection.py`; the vectors run along the channels, which lie side by side in
memory. Each number is read for one multiply-add alone and the caches' bandwidth is the bound, not the multiply-adds.
"""

import functools
from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .vector import INT64, VECTOR_BYTES, Emitter, dispatch, element, wide

__all__ = ["channelwise_plan", "channelwise_product", "channelwise_weight_product"]

_WIDE = 4  # vectors of channels in a wide tile
_HIGH = 3  # rows, or taps, of a high tile: with _WIDE vectors each the sums fit the registers
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


@intrinsic
def _rows_tile(
    typingctx, tile, x, x_at, x_row, table, table_at, taps, packed, weight_at, y, y_at, out, out_at, valid
):  # fmt: skip
    """y[out[m], :] = bias + sum over taps of x[table[m, tap], :] * weight[tap, :] for the rows m of tile _TILES[tile].

    All arrays are flat and *_at is the element to start from; rows of x and y are `x_row` apart. `packed` holds, from
    `weight_at` on and a tile's width each: zeros, the bias, the weight of each tap. Row number -1 stands for the zeros.
    """
    i = types.int64
    signature = types.void(i, x, i, i, table, i, i, packed, i, y, i, out, i, i)

    def codegen(context, builder, signature, args):
        (tile, x_array, x_at, x_row, table_array, table_at, taps, packed_array, weight_at, y_array, y_at, out_array,
         out_at, valid) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)
        dispatch(builder, tile, _TILES, functools.partial(_rows_body, x.dtype), [
            pointer(x, x_array, x_at), x_row, pointer(table, table_array, table_at), taps,
            pointer(packed, packed_array, weight_at), pointer(y, y_array, y_at), pointer(out, out_array, out_at), valid,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _rows_body(dtype, builder, rows, vectors, x, x_row, table, taps, packed, y, out, valid):
    emit = Emitter(builder, dtype)
    slots = emit.slots(rows, vectors)
    masks = [emit.keep(valid, n) for n in range(vectors)]
    for n in range(vectors):
        bias = emit.load(packed, vectors + n)
        for row in slots:
            builder.store(bias, row[n])
    weight = builder.gep(packed, [INT64(2 * vectors * emit.lanes)])
    whole = builder.icmp_signed(">=", valid, INT64(vectors * emit.lanes))

    def sum_up(load):
        with cgutils.for_range(builder, taps) as tap:
            numbers = [
                wide(builder, builder.load(builder.gep(table, [builder.add(builder.mul(taps, INT64(m)), tap.index)])))
                for m in range(rows)
            ]
            with builder.if_then(builder.icmp_signed(">=", functools.reduce(builder.and_, numbers), INT64(0))):
                factors = builder.gep(weight, [builder.mul(tap.index, INT64(vectors * emit.lanes))])
                for number, row in zip(numbers, slots):
                    inside = builder.icmp_signed(">=", number, INT64(0))
                    source = builder.select(inside, builder.gep(x, [builder.mul(number, x_row)]), packed)
                    for n, slot in enumerate(row):
                        product = emit.multiply_add(load(source, n), emit.load(factors, n), builder.load(slot))
                        builder.store(product, slot)

    with builder.if_else(whole) as (full, partial):
        with full:
            sum_up(emit.load)
        with partial:
            sum_up(lambda source, n: emit.masked_load(source, masks[n], n))
    for m, row in enumerate(slots):
        target = builder.gep(y, [builder.mul(wide(builder, builder.load(builder.gep(out, [INT64(m)]))), x_row)])
        with builder.if_else(whole) as (full, partial):
            with full:
                for n, slot in enumerate(row):
                    emit.store(builder.load(slot), target, n)
            with partial:
                for n, slot in enumerate(row):
                    emit.masked_store(builder.load(slot), target, masks[n], n)


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
def _pack(block, weight, bias, packed, plan):
    """Lay out one block of channels as the tile reads it: zeros, bias, the weight of each tap."""
    width = plan.vectors * (VECTOR_BYTES // packed.itemsize)
    first = block * width
    part = packed[block * (plan.taps + 2) * width :]
    for c in range(min(width, plan.channels - first)):
        if bias.size > 0:
            part[width + c] = bias[first + c]
        for tap in range(plan.taps):
            part[(tap + 2) * width + c] = weight[(first + c) * plan.taps + tap]


@jit
def _rows(task, x, table, out, packed, y, plan):
    """A range of rows of one image, all channels."""
    width = plan.vectors * (VECTOR_BYTES // packed.itemsize)
    unit, part = task // plan.parts, task % plan.parts
    first, last = part * plan.rows // plan.parts, (part + 1) * plan.rows // plan.parts
    row = first
    while row < last:
        high = last - row >= _HIGH
        for block in range(plan.blocks):
            column = block * width
            _rows_tile(
                (0 if plan.vectors == _WIDE else 2) + (0 if high else 1), x,
                unit * plan.pixels * plan.channels + column, plan.channels, table, row * plan.taps, plan.taps,
                packed, block * (plan.taps + 2) * width, y, unit * plan.rows * plan.channels + column, out, row,
                plan.channels - column,
            )  # fmt: skip
        row += _HIGH if high else 1


@pool_jit
def _channelwise_product(parallel, x, table, out, weight, bias, packed, y, plan):
    for block in range(plan.blocks):
        _pack(block, weight, bias, packed, plan)
    parallel_for(plan.units * plan.parts, parallel, _rows, (x, table, out, packed, y, plan))


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


def channelwise_plan(itemsize, units, rows, taps, channels, pixels, summed):
    """The plan of a depthwise product; `summed` says that rows are summed over, as in the weight gradient."""
    lanes = VECTOR_BYTES // itemsize
    vectors = _WIDE if channels > 2 * lanes else 1
    parts = min(_TASKS, units * -(-rows // _STEPS)) if summed else -(-rows * channels // _PART)
    return ChannelwisePlan(
        units, rows, taps, channels, pixels, vectors, -(-channels // (vectors * lanes)), min(parts, units * rows)
    )  # fmt: skip


def channelwise_product(x, table, out, weight, bias, y, plan):
    """y[unit, out[row], c] = bias[c] + sum over taps of x[unit, table[row, tap], c] * weight[c, tap], flat arrays."""
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    packed = np.zeros(plan.blocks * (plan.taps + 2) * width, x.dtype)
    work = plan.units * plan.rows * plan.channels * plan.taps
    _channelwise_product(work >= _SERIAL, x, table, out, weight, bias, packed, y, plan)


def channelwise_weight_product(dy, x, table, result, plan):
    """result[c, tap] = sum over units and rows of dy[unit, row, c] * x[unit, table[row, tap], c], flat arrays."""
    width = plan.vectors * (VECTOR_BYTES // x.itemsize)
    sums = np.empty(plan.blocks * plan.parts * plan.taps * width, x.dtype)
    work = plan.units * plan.rows * plan.channels * plan.taps
    _channelwise_weight_product(work >= _SERIAL, dy, x, table, sums, result, plan)
