"""The register tile of the matrix product, and the two ways to lay a matrix out for it.

The factors of a product are read in panels: a few rows of the one, a few vectors of columns of the other, step by step
along the sum. Laid out in the order in which the tile reads it, a panel is one run of memory, whatever order the matrix
has. As in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .tile import TILES
from .vector import INT64, Emitter, dispatch, element

__all__ = ["WIDEST", "copy_panel", "panel_tile", "turn_panel"]

WIDEST = 3  # vectors of the widest tile
_SHAPES = [(TILES[widest - 1], vectors) for widest in (WIDEST - 1, WIDEST) for vectors in range(1, widest + 1)]
_I32 = ir.IntType(32)


@intrinsic
def panel_tile(
    typingctx, widest, vectors, a, a_at, a_row, a_step, rows, b, b_at, b_step, steps, accumulate, c, c_at, c_row, valid
):
    """c[m, :valid] = sum over `steps` k of a[m, k] * b[k, :] for the first `rows` rows m of a tile.

    With `accumulate`, the sum is added to c. The tile has TILES[widest - 1] rows of `vectors` vectors, where `widest`
    is WIDEST or one less. Arrays are dense, *_at is the element to start from; rows of a and c lie a_row and c_row
    apart, the steps of a and b a_step and b_step.
    """
    i = types.int64
    signature = types.void(i, i, a, i, i, i, i, b, i, i, i, i, c, i, i, i)

    def codegen(context, builder, signature, args):
        (widest, vectors, a_array, a_at, a_row, a_step, rows, b_array, b_at, b_step, steps, accumulate, c_array, c_at,
         c_row, valid) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)
        wide = builder.icmp_signed("==", widest, INT64(WIDEST))
        number = builder.sub(builder.add(vectors, builder.select(wide, INT64(WIDEST - 1), INT64(0))), INT64(1))
        dispatch(builder, number, _SHAPES, functools.partial(_tile_body, a.dtype), [
            pointer(a, a_array, a_at), a_row, a_step, rows, pointer(b, b_array, b_at), b_step, steps, accumulate,
            pointer(c, c_array, c_at), c_row, valid,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _tile_body(
    dtype, builder, height, vectors, a, a_row, a_step, rows, b, b_step, steps, accumulate, c, c_row, valid
):  # fmt: skip
    emit = Emitter(builder, dtype)
    slots = emit.slots(height, vectors)
    last = builder.sub(rows, INT64(1))
    numbers = [INT64(m) for m in range(height)]
    # Rows beyond the last one repeat it: what comes out of them is not stored.
    inside = [builder.select(builder.icmp_signed("<", m, rows), m, last) for m in numbers]
    lines = [builder.gep(a, [builder.mul(m, a_row)]) for m in inside]
    targets = [builder.gep(c, [builder.mul(m, c_row)]) for m in inside]
    ahead, now = cgutils.alloca_once_value(builder, INT64(0)), cgutils.alloca_once_value(builder, b)
    for target, row in zip(targets, slots, strict=True):
        emit.prefetch(target, write=True)
        emit.prefetch(builder.gep(target, [INT64(vectors * emit.lanes - 1)]), write=True)
        for slot in row:
            builder.store(emit.zero, slot)
    with cgutils.for_range(builder, steps):
        column, step = builder.load(ahead), builder.load(now)
        builder.store(builder.add(column, a_step), ahead)
        builder.store(builder.gep(step, [b_step]), now)
        emit.accumulate(
            slots, [builder.gep(line, [column]) for line in lines], [emit.load(step, n) for n in range(vectors)]
        )

    def finish(load, store):
        # A part of a longer sum is added at the end and not at the start: sums of sums round less than one long sum.
        with builder.if_then(cgutils.is_true(builder, accumulate)):
            for target, row in zip(targets, slots, strict=True):
                for n, slot in enumerate(row):
                    builder.store(builder.fadd(load(target, n), builder.load(slot)), slot)
        for m, target, row in zip(numbers, targets, slots, strict=True):
            with builder.if_then(builder.icmp_signed("<", m, rows)):
                for n, slot in enumerate(row):
                    store(builder.load(slot), target, n)

    with builder.if_else(builder.icmp_signed(">=", valid, INT64(vectors * emit.lanes))) as (full, partial):
        with full:
            finish(emit.load, emit.store)
        with partial:
            masks = [emit.keep(valid, n) for n in range(vectors)]
            finish(
                lambda target, n: emit.masked_load(target, masks[n], n),
                lambda value, target, n: emit.masked_store(value, target, masks[n], n),
            )


@intrinsic
def copy_panel(typingctx, target, target_at, target_step, source, source_at, source_step, steps, count):
    """target[target_at + p * target_step:][:count] = source[source_at + p * source_step:][:count] for `steps` p.

    Arrays are dense. Whole vectors are written: what lies behind `count` is written later or not read.
    """
    i = types.int64
    signature = types.void(target, i, i, source, i, i, i, i)

    def codegen(context, builder, signature, args):
        target_array, target_at, target_step, source_array, source_at, source_step, steps, count = args
        lanes = INT64(Emitter(builder, source.dtype).lanes)
        vectors = builder.sdiv(builder.add(count, builder.sub(lanes, INT64(1))), lanes)
        most = max(WIDEST, *[-(-rows // lanes.constant) for rows, _ in _SHAPES])
        kinds = [(1, number) for number in range(1, most + 1)]
        dispatch(builder, builder.sub(vectors, INT64(1)), kinds, functools.partial(_copy_body, source.dtype), [
            element(context, builder, target, target_array, target_at), target_step,
            element(context, builder, source, source_array, source_at), source_step, steps, count,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _copy_body(dtype, builder, _, vectors, target, target_step, source, source_step, steps, count):
    emit = Emitter(builder, dtype)
    masks = [emit.keep(count, n) for n in range(vectors)]

    def copy(load):
        place, ahead = cgutils.alloca_once_value(builder, target), cgutils.alloca_once_value(builder, source)
        with cgutils.for_range(builder, steps):
            to, origin = builder.load(place), builder.load(ahead)
            for n in range(vectors):
                emit.store(load(origin, n), to, n)
            builder.store(builder.gep(to, [target_step]), place)
            builder.store(builder.gep(origin, [source_step]), ahead)

    with builder.if_else(builder.icmp_signed(">=", count, INT64(vectors * emit.lanes))) as (full, partial):
        with full:
            copy(emit.load)
        with partial:
            copy(lambda pointer, n: emit.masked_load(pointer, masks[n], n))


@intrinsic
def turn_panel(typingctx, target, target_at, target_step, source, source_at, source_row, steps, count):
    """target[target_at + p * target_step + m] = source[source_at + m * source_row + p] for `steps` p and `count` m.

    Arrays are dense. Whole vectors are written: what lies behind `count` is written later or not read.
    """
    i = types.int64
    signature = types.void(target, i, i, source, i, i, i, i)

    def codegen(context, builder, signature, args):
        target_array, target_at, target_step, source_array, source_at, source_row, steps, count = args
        emit = Emitter(builder, source.dtype)
        lanes = INT64(emit.lanes)
        to = element(context, builder, target, target_array, target_at)
        origin = element(context, builder, source, source_array, source_at)
        groups = builder.sdiv(builder.add(count, builder.sub(lanes, INT64(1))), lanes)
        with cgutils.for_range_slice(builder, INT64(0), steps, lanes, inc=True) as (start, _):
            left = builder.sub(steps, start)
            mask = emit.keep(left)
            # The last group of rows first: what it writes beyond its rows is the next step's beginning, written later.
            with cgutils.for_range_slice(builder, builder.sub(groups, INT64(1)), INT64(-1), INT64(-1), inc=False) as (
                group, _
            ):  # fmt: skip
                first = builder.mul(group, lanes)
                rows = []
                for m in range(emit.lanes):
                    row = builder.add(first, INT64(m))
                    inside = builder.select(builder.icmp_signed("<", row, count), row, builder.sub(count, INT64(1)))
                    at = builder.gep(origin, [builder.add(builder.mul(inside, source_row), start)])
                    rows.append(emit.masked_load(at, mask))
                for p, vector in enumerate(_turned(builder, rows)):
                    with builder.if_then(builder.icmp_signed("<", INT64(p), left)):
                        step = builder.mul(builder.add(start, INT64(p)), target_step)
                        emit.store(vector, builder.gep(to, [builder.add(step, first)]))
        return context.get_dummy_value()

    return signature, codegen


def _turned(builder, rows):
    """The columns of a square of vectors: its off-diagonal halves change places, then those of its quarters, ..."""
    rows, size = list(rows), len(rows)
    half = size // 2
    while half:
        for i in range(size):
            if not i & half:
                upper = [j if not j & half else size + j - half for j in range(size)]
                lower = [j + half if not j & half else size + j for j in range(size)]
                rows[i], rows[i + half] = (
                    builder.shuffle_vector(rows[i], rows[i + half], ir.Constant(ir.VectorType(_I32, size), choice))
                    for choice in (upper, lower)
                )
        half //= 2
    return rows
