"""The register tiles: the two inner loops that every convolution spends its time in; `panel.py` has the product's.

A tile holds `rows` x `vectors` accumulators in vector registers and feeds them with one broadcast scalar a row and
`vectors` vector loads a step. LLVM does not find this shape in a plain loop nest, so the tiles are written as LLVM
vectors: accumulators are stack slots in straight-line code, which LLVM turns into registers.
"""

import functools

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .vector import INT64, REGISTERS, Emitter, dispatch, element, wide

__all__ = ["COSTS", "TILES", "copy_run", "gather_runs", "indirect_tile", "multiply_add_chains", "outer_tile"]

# Rows of the tile for 1, 2, 3 and 4 vectors: accumulators, the vectors of a step and a broadcast fit the registers.
_ROWS = {32: (20, 12, 8, 6), 16: (12, 6, 4, 2)}
TILES = _ROWS[REGISTERS]
# What a vector's multiply-adds cost in each of them: with few sums at once they wait for loads and for one another.
COSTS = {32: (1.4, 1.05, 1, 1), 16: (1.3, 1, 1, 1.25)}[REGISTERS]


@intrinsic
def indirect_tile(
    typingctx, tile, x, x_at, x_row, table, table_at, table_row, taps, channels,
    packed, zeros_at, weight_at, bias_at, accumulate, y, y_at, y_row, out, out_at, valid,
):  # fmt: skip
    """y[out[m], :] = bias + sum over taps and channels of x[table[m, tap], c] * weight[tap, c, :] for a tile's rows m.

    `tile` is 2 * (vectors - 1) for the tile of TILES[vectors - 1] rows and one more for a single row. All arrays are
    flat, *_at is the element to start from and *_row the distance of rows. A row number -1 in `table` means a row of
    zeros; a tap that has nothing else is skipped. `packed` holds `channels` zeros, the weight and the bias; the latter
    are padded to `vectors` vectors, of which the first `valid` elements are written. With `accumulate` the sum is added
    to y and the bias is not read.
    """
    i = types.int64
    signature = types.void(i, x, i, i, table, i, i, i, i, packed, i, i, i, i, y, i, i, out, i, i)

    def codegen(context, builder, signature, args):
        (tile, x_array, x_at, x_row, table_array, table_at, table_row, taps, channels, packed_array, zeros_at,
         weight_at, bias_at, accumulate, y_array, y_at, y_row, out_array, out_at, valid) = args  # fmt: skip
        pointer = functools.partial(element, context, builder)

        tiles = [(rows, vectors) for vectors, most in enumerate(TILES, 1) for rows in (most, 1)]
        dispatch(builder, tile, tiles, functools.partial(_indirect_body, x.dtype), [
            pointer(x, x_array, x_at), x_row, pointer(table, table_array, table_at), table_row, taps, channels,
            *(pointer(packed, packed_array, at) for at in (zeros_at, weight_at, bias_at)),
            accumulate, pointer(y, y_array, y_at), y_row, pointer(out, out_array, out_at), valid,
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _indirect_body(
    dtype, builder, rows, vectors, x, x_row, table, table_row, taps, channels, zeros, weight, bias, accumulate,
    y, y_row, out, valid,
):  # fmt: skip
    emit = Emitter(builder, dtype)
    width = vectors * emit.lanes
    table_rows = [builder.gep(table, [builder.mul(table_row, INT64(m))]) for m in range(rows)]
    slots = emit.slots(rows, vectors)
    starts = [cgutils.alloca_once(builder, x.type) for _ in range(rows)]
    at = cgutils.alloca_once(builder, weight.type)

    def y_rows():
        for m in range(rows):
            number = wide(builder, builder.load(builder.gep(out, [INT64(m)])))
            yield builder.gep(y, [builder.mul(number, y_row)]), slots[m]

    # A part of a longer sum starts from zero and is added at the end: sums of sums round less than one long sum.
    again = cgutils.is_true(builder, accumulate)
    for n in range(vectors):
        first = builder.select(again, emit.zero, emit.load(bias, n))
        for row in slots:
            builder.store(first, row[n])

    tap_size = builder.mul(channels, INT64(width))
    with cgutils.for_range(builder, taps) as tap:
        numbers = [wide(builder, builder.load(builder.gep(row, [tap.index]))) for row in table_rows]
        with builder.if_then(builder.icmp_signed(">=", functools.reduce(builder.and_, numbers), INT64(0))):
            for number, start in zip(numbers, starts, strict=True):
                inside = builder.icmp_signed(">=", number, INT64(0))
                builder.store(builder.select(inside, builder.gep(x, [builder.mul(number, x_row)]), zeros), start)
            builder.store(builder.gep(weight, [builder.mul(tap.index, tap_size)]), at)
            with cgutils.for_range(builder, channels) as c:
                now = builder.load(at)
                builder.store(builder.gep(now, [INT64(width)]), at)
                step = [emit.load(now, n) for n in range(vectors)]
                emit.accumulate(slots, [builder.gep(builder.load(start), [c.index]) for start in starts], step)

    with builder.if_then(again):
        for target, row in y_rows():
            for n, slot in enumerate(row):
                more = emit.masked_load(target, emit.keep(valid, n), n)
                builder.store(builder.fadd(builder.load(slot), more), slot)
    with builder.if_else(builder.icmp_signed(">=", valid, INT64(width))) as (full, partial):
        with full:
            for target, row in y_rows():
                for n, slot in enumerate(row):
                    emit.store(builder.load(slot), target, n)
        with partial:
            for target, row in y_rows():
                for n, slot in enumerate(row):
                    emit.masked_store(builder.load(slot), target, emit.keep(valid, n), n)


@intrinsic
def outer_tile(typingctx, vectors, a, a_at, a_row, x, places, starts, steps, total, total_at):
    """total[m, :] += sum over `steps` p of a[p, m] * x[p, :] for a tile of TILES[vectors - 1] rows m.

    All arrays are flat, *_at is the element to start from. The rows of `a` lie `a_row` apart, those of the sums follow
    one another. Vector n of row p of x starts at element places[2 * n] + starts[places[2 * n + 1] + p].
    """
    i = types.int64
    signature = types.void(i, a, i, i, x, places, starts, i, total, i)

    def codegen(context, builder, signature, args):
        vectors, a_array, a_at, a_row, x_array, places_array, starts_array, steps, total_array, total_at = args
        pointer = functools.partial(element, context, builder)
        tiles = [(rows, vectors) for vectors, rows in enumerate(TILES, 1)]
        dispatch(builder, builder.sub(vectors, INT64(1)), tiles, functools.partial(_outer_body, a.dtype), [
            pointer(a, a_array, a_at), a_row, pointer(x, x_array, INT64(0)), pointer(places, places_array, INT64(0)),
            pointer(starts, starts_array, INT64(0)), steps, pointer(total, total_array, total_at),
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _outer_body(dtype, builder, rows, vectors, a, a_row, x, places, starts, steps, total):
    emit = Emitter(builder, dtype)
    slots = emit.slots(rows, vectors)
    flat = [slot for row in slots for slot in row]
    a_now = cgutils.alloca_once_value(builder, a)
    place = [builder.load(builder.gep(places, [INT64(n)])) for n in range(2 * vectors)]
    columns = [(builder.gep(x, [place[2 * n]]), builder.gep(starts, [place[2 * n + 1]])) for n in range(vectors)]
    for slot in flat:
        builder.store(emit.zero, slot)
    with cgutils.for_range(builder, steps) as p:
        scalars = builder.load(a_now)
        builder.store(builder.gep(scalars, [a_row]), a_now)
        step = [
            emit.load(builder.gep(column, [builder.load(builder.gep(start, [p.index]))])) for column, start in columns
        ]
        emit.accumulate(slots, [builder.gep(scalars, [INT64(m)]) for m in range(rows)], step)
    # Added at the end and not at the start: sums of sums round less than one long sum.
    for n, slot in enumerate(flat):
        emit.store(builder.fadd(emit.load(total, n), builder.load(slot)), total, n)


@intrinsic
def gather_runs(typingctx, target, target_at, target_row, source, source_at, starts, starts_at, steps, count):
    """target[target_at + p * target_row:][:count] = source[source_at + starts[p]:][:count] for `steps` numbers p.

    All arrays are flat; starts_at is the first of the starts. Whole vectors are written: up to a vector behind the last
    run is overwritten too.
    """
    i = types.int64
    signature = types.void(target, i, i, source, i, starts, i, i, i)

    def codegen(context, builder, signature, args):
        target, target_at, target_row, source, source_at, starts, starts_at, steps, count = args
        kind = signature.args
        emit = Emitter(builder, kind[0].dtype)
        starts = element(context, builder, kind[5], starts, starts_at)
        lanes = INT64(emit.lanes)

        def copy_column(column, load):
            ahead = element(context, builder, kind[3], source, builder.add(source_at, column))
            place = cgutils.alloca_once(builder, emit.scalar.as_pointer())
            builder.store(element(context, builder, kind[0], target, builder.add(target_at, column)), place)
            with cgutils.for_range(builder, steps) as p:
                start = wide(builder, builder.load(builder.gep(starts, [p.index])))
                now = builder.load(place)
                emit.store(load(builder.gep(ahead, [start])), now)
                builder.store(builder.gep(now, [target_row]), place)

        # The last, partial vector first: what it writes beyond its run is the next run's beginning, written later.
        tail = builder.srem(count, lanes)
        with builder.if_then(builder.icmp_signed(">", tail, INT64(0))):
            mask = emit.keep(tail)
            copy_column(builder.sub(count, tail), lambda pointer: emit.masked_load(pointer, mask))
        with cgutils.for_range_slice(builder, INT64(0), builder.sub(count, tail), lanes, inc=True) as (column, _):
            copy_column(column, emit.load)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def copy_run(typingctx, target, target_at, source, source_at, count):
    """target[target_at:][:count] = source[source_at:][:count] for flat arrays; runs may be short and unaligned."""
    i = types.int64
    signature = types.void(target, i, source, i, i)

    def codegen(context, builder, signature, args):
        target, target_at, source, source_at, count = args
        kind = signature.args
        emit = Emitter(builder, kind[0].dtype)
        target = element(context, builder, kind[0], target, target_at)
        source = element(context, builder, kind[2], source, source_at)
        with cgutils.for_range_slice(builder, INT64(0), count, INT64(emit.lanes), inc=True) as (start, _):
            mask = emit.keep(builder.sub(count, start))
            emit.masked_store(emit.masked_load(builder.gep(source, [start]), mask), builder.gep(target, [start]), mask)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def multiply_add_chains(typingctx, steps, numbers):
    """Feed half of the vector registers with `steps` multiply-adds each and add what they hold to `numbers`.

    `numbers` is a flat array of three vectors: a factor, a summand and the result. Nothing is read or written in
    between, so that this is the most that a core can multiply and add. Returns the number of multiply-adds.
    """
    signature = types.int64(types.int64, numbers)

    def codegen(context, builder, signature, args):
        emit = Emitter(builder, numbers.dtype)
        place = element(context, builder, numbers, args[1], INT64(0))
        factor, summand = emit.load(place, 0), emit.load(place, 1)
        (slots,) = emit.slots(1, REGISTERS // 2)  # more of them than a multiply-add takes cycles
        for slot in slots:
            builder.store(emit.load(place, 2), slot)
        with cgutils.for_range(builder, args[0]):
            for slot in slots:
                builder.store(emit.multiply_add(builder.load(slot), factor, summand), slot)
        for slot in slots:
            emit.store(builder.fadd(emit.load(place, 2), builder.load(slot)), place, 2)
        return builder.mul(args[0], INT64(len(slots) * emit.lanes))

    return signature, codegen
