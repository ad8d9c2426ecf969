"""The register tiles: the two inner loops that every convolution and matrix product spends its time in.

A tile holds `rows` x `vectors` accumulators in vector registers and feeds them with one broadcast scalar a row and
`vectors` vector loads a step. LLVM does not find this shape in a plain loop nest, so the tiles are written as LLVM
vectors: accumulators are stack slots in straight-line code, which LLVM turns into registers. How wide a vector is and
how many registers there are follows the CPU that Numba compiles for.
"""

import functools

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import initialize_llvm
from numba.extending import intrinsic

__all__ = ["OUTER_TILES", "TILES", "VECTOR_BYTES", "copy_run", "indirect_tile", "multiply_add_chains", "outer_tile"]

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


def _vector_registers():
    """(bytes of a vector register, number of registers) of the CPU that Numba compiles for.

    Asked of LLVM by compiling a 64-byte addition and looking at the registers it takes.
    """
    initialize_llvm()
    name, features = config.CPU_NAME, config.CPU_FEATURES
    if features is None:
        features = "" if name else llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    if target.name in ("aarch64", "arm64"):
        return 16, 32
    machine = target.create_target_machine(cpu=name or llvm.get_host_cpu_name(), features=features)
    vector = "<16 x float>"
    assembly = machine.emit_assembly(llvm.parse_assembly(
        f"define {vector} @add({vector} %a, {vector} %b) {{\n%c = fadd {vector} %a, %b\nret {vector} %c\n}}"
    ))  # fmt: skip
    if "zmm" in assembly:
        return 64, 32
    return (32, 16) if "ymm" in assembly else (16, 16)


# Rows of the tile for 1, 2, 3 and 4 vectors: accumulators, the vectors of a step and a broadcast fit the registers.
_ROWS = {32: (20, 12, 8, 6), 16: (10, 5, 4, 2)}

VECTOR_BYTES, _REGISTERS = _vector_registers()
TILES = _ROWS[_REGISTERS]
# Tiles of the outer product: (rows, vectors, runs of memory that are loaded into one vector).
OUTER_TILES = (*((rows, vectors, 1) for vectors, rows in enumerate(TILES, 1)), (6 if _REGISTERS == 32 else 5, 2, 3))


class _Emitter:
    """Writes vector code for one element type, around a Numba builder."""

    def __init__(self, builder, dtype):
        self.builder = builder
        self.itemsize = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.itemsize
        self.scalar = ir.FloatType() if dtype == types.float32 else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.masks = ir.VectorType(_I1, self.lanes)
        self.zero = ir.Constant(self.vector, None)
        self.suffix = f"v{self.lanes}f{dtype.bitwidth}"

    def at(self, pointer, vectors):
        """The vector that starts `vectors` vectors behind `pointer`."""
        ahead = self.builder.gep(pointer, [_I64(vectors * self.lanes)])
        return self.builder.bitcast(ahead, self.vector.as_pointer())

    def load(self, pointer, vectors=0):
        value = self.builder.load(self.at(pointer, vectors))
        value.align = self.itemsize
        return value

    def store(self, value, pointer, vectors=0):
        self.builder.store(value, self.at(pointer, vectors)).align = self.itemsize

    def keep(self, count, vectors=0):
        """Mask of the lanes of vector `vectors` that lie below `count` elements."""
        left = self.builder.sub(count, _I64(vectors * self.lanes))
        bits = self.builder.sub(self.builder.shl(_I64(1), left), _I64(1))
        bits = self.builder.select(self.builder.icmp_signed(">=", left, _I64(self.lanes)), _I64(-1), bits)
        bits = self.builder.select(self.builder.icmp_signed(">", left, _I64(0)), bits, _I64(0))
        return self.builder.bitcast(self.builder.trunc(bits, ir.IntType(self.lanes)), self.masks)

    def masked_load(self, pointer, mask, vectors=0, other=None):
        """The lanes of `mask` of a vector in memory; the rest is taken from `other`, zeros by default."""
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [self.vector.as_pointer(), _I32, self.masks, self.vector]),
            f"llvm.masked.load.{self.suffix}.p0",
        )
        arguments = [self.at(pointer, vectors), _I32(self.itemsize), mask, other or self.zero]
        if VECTOR_BYTES > 16:
            return self.builder.call(function, arguments)
        # Processors with narrow vectors load masked lanes one by one: whole vectors take a way of their own.
        result = cgutils.alloca_once(self.builder, self.vector)
        lanes = ir.IntType(self.lanes)
        whole = self.builder.icmp_unsigned("==", self.builder.bitcast(mask, lanes), lanes((1 << self.lanes) - 1))
        with self.builder.if_else(whole) as (full, partial):
            with full:
                self.builder.store(self.load(pointer, vectors), result)
            with partial:
                self.builder.store(self.builder.call(function, arguments), result)
        return self.builder.load(result)

    def masked_store(self, value, pointer, mask, vectors=0):
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(ir.VoidType(), [self.vector, self.vector.as_pointer(), _I32, self.masks]),
            f"llvm.masked.store.{self.suffix}.p0",
        )
        self.builder.call(function, [value, self.at(pointer, vectors), _I32(self.itemsize), mask])

    def splat(self, scalar):
        """`scalar` in every lane; LLVM folds it into the broadcast operand of the multiply-add."""
        vector = ir.VectorType(scalar.type, self.lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        first = ir.Constant(ir.VectorType(_I32, self.lanes), None)
        return self.builder.shuffle_vector(self.builder.insert_element(undefined, scalar, _I32(0)), undefined, first)

    def multiply_add(self, a, b, c):
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(self.vector, [self.vector] * 3), f"llvm.fmuladd.{self.suffix}"
        )
        return self.builder.call(function, [a, b, c])

    def slots(self, rows, vectors):
        return [[cgutils.alloca_once(self.builder, self.vector) for _ in range(vectors)] for _ in range(rows)]

    def accumulate(self, slots, scalars, vectors):
        """slots[m][n] += scalars[m] * vectors[n], where scalars[m] is an address."""
        for row, scalar in zip(slots, scalars, strict=True):
            scalar = self.splat(self.builder.load(scalar))
            for slot, vector in zip(row, vectors, strict=True):
                self.builder.store(self.multiply_add(scalar, vector, self.builder.load(slot)), slot)


def _wide(builder, number):
    """A table's entry of 32 or 64 bits as 64 bits."""
    return number if number.type == _I64 else builder.sext(number, _I64)


def _pointer(context, builder, array_type, array, offset):
    """Address of element `offset` of a flat array."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _dispatch(builder, number, tiles, write, arguments):
    """Call tile tiles[number] = (rows, vectors, ...), a function whose body `write(builder, *tile, *args)` wrote."""
    done = builder.append_basic_block("done")
    switch = builder.switch(number, done)
    for index, tile in enumerate(tiles):
        function = ir.Function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [value.type for value in arguments]),
            builder.module.get_unique_name(f"tile_{tile[0]}x{tile[1]}"),
        )
        function.linkage = "internal"
        body = ir.IRBuilder(function.append_basic_block("entry"))
        write(body, *tile, *function.args)
        body.ret_void()
        case = builder.append_basic_block(f"tile_{index}")
        switch.add_case(_I64(index), case)
        with builder.goto_block(case):
            builder.call(function, arguments)
            builder.branch(done)
    builder.position_at_end(done)


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
        pointer = functools.partial(_pointer, context, builder)

        tiles = [(rows, vectors) for vectors, most in enumerate(TILES, 1) for rows in (most, 1)]
        _dispatch(builder, tile, tiles, functools.partial(_indirect_body, x.dtype), [
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
    emit = _Emitter(builder, dtype)
    width = vectors * emit.lanes
    table_rows = [builder.gep(table, [builder.mul(table_row, _I64(m))]) for m in range(rows)]
    slots = emit.slots(rows, vectors)
    starts = [cgutils.alloca_once(builder, x.type) for _ in range(rows)]
    at = cgutils.alloca_once(builder, weight.type)

    def y_rows():
        for m in range(rows):
            number = _wide(builder, builder.load(builder.gep(out, [_I64(m)])))
            yield builder.gep(y, [builder.mul(number, y_row)]), slots[m]

    with builder.if_else(cgutils.is_true(builder, accumulate)) as (add, start_anew):
        with add:
            for target, row in y_rows():
                for n, slot in enumerate(row):
                    builder.store(emit.masked_load(target, emit.keep(valid, n), n), slot)
        with start_anew:
            for n in range(vectors):
                first = emit.load(bias, n)
                for row in slots:
                    builder.store(first, row[n])

    tap_size = builder.mul(channels, _I64(width))
    with cgutils.for_range(builder, taps) as tap:
        numbers = [_wide(builder, builder.load(builder.gep(row, [tap.index]))) for row in table_rows]
        with builder.if_then(builder.icmp_signed(">=", functools.reduce(builder.and_, numbers), _I64(0))):
            for number, start in zip(numbers, starts, strict=True):
                inside = builder.icmp_signed(">=", number, _I64(0))
                builder.store(builder.select(inside, builder.gep(x, [builder.mul(number, x_row)]), zeros), start)
            builder.store(builder.gep(weight, [builder.mul(tap.index, tap_size)]), at)
            with cgutils.for_range(builder, channels) as c:
                now = builder.load(at)
                builder.store(builder.gep(now, [_I64(width)]), at)
                step = [emit.load(now, n) for n in range(vectors)]
                emit.accumulate(slots, [builder.gep(builder.load(start), [c.index]) for start in starts], step)

    with builder.if_else(builder.icmp_signed(">=", valid, _I64(width))) as (full, partial):
        with full:
            for target, row in y_rows():
                for n, slot in enumerate(row):
                    emit.store(builder.load(slot), target, n)
        with partial:
            for target, row in y_rows():
                for n, slot in enumerate(row):
                    emit.masked_store(builder.load(slot), target, emit.keep(valid, n), n)


@intrinsic
def outer_tile(
    typingctx, tile, a, a_at, a_row, x, x_at, starts, runs, steps, run, vector, total, total_at
):  # fmt: skip
    """total[m, :] += sum over `steps` p of a[p, m] * x[starts[p, :], :] for the tile's rows m.

    `tile` is a number in OUTER_TILES. All arrays are flat, *_at is the element to start from and a's rows lie `a_row`
    apart. Each p has `runs` runs of `run` elements of x, whose places (relative to x_at) are in `starts`. A run takes
    as many vectors as it needs, the last of them filled up with zeros, or several runs share a vector if the tile is
    made for it; the tile computes the vectors from number `vector` on. The sums' rows follow one another.
    """
    i = types.int64
    signature = types.void(i, a, i, i, x, i, starts, i, i, i, i, total, i)

    def codegen(context, builder, signature, args):
        (tile, a_array, a_at, a_row, x_array, x_at, starts_array, runs, steps, run, vector, total_array,
         total_at) = args  # fmt: skip
        pointer = functools.partial(_pointer, context, builder)
        _dispatch(builder, tile, OUTER_TILES, functools.partial(_outer_body, a.dtype), [
            pointer(a, a_array, a_at), a_row, pointer(x, x_array, x_at), pointer(starts, starts_array, _I64(0)), runs,
            steps, run, vector, pointer(total, total_array, total_at),
        ])  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _outer_body(dtype, builder, rows, vectors, shared, a, a_row, x, starts, runs, steps, run, vector, total):
    emit = _Emitter(builder, dtype)
    slots = emit.slots(rows, vectors)
    flat = [slot for row in slots for slot in row]
    a_now, starts_now = cgutils.alloca_once(builder, a.type), cgutils.alloca_once(builder, starts.type)
    builder.store(a, a_now)
    builder.store(starts, starts_now)
    for n, slot in enumerate(flat):
        builder.store(emit.load(total, n), slot)

    def at_most(number, most):
        return builder.select(builder.icmp_signed("<", number, most), number, most)

    # For each load: the run it belongs to, the address that its start is counted from, and the lanes that it fills.
    places = []
    for n in range(vectors):
        number = builder.add(vector, _I64(n))
        if shared == 1:
            per_run = builder.sdiv(builder.add(run, _I64(emit.lanes - 1)), _I64(emit.lanes))
            number = at_most(number, builder.sub(builder.mul(per_run, runs), _I64(1)))
            skip = builder.mul(builder.srem(number, per_run), _I64(emit.lanes))
            lanes = emit.keep(builder.sub(run, skip))
            places.append([(builder.sdiv(number, per_run), builder.gep(x, [skip]), lanes)])
        else:
            places.append([])
            for part in range(shared):
                index = builder.add(builder.mul(number, _I64(shared)), _I64(part))
                first = builder.mul(run, _I64(part))
                lanes = builder.xor(emit.keep(builder.add(first, run)), emit.keep(first))
                last = builder.sub(runs, _I64(1))
                places[-1].append((at_most(index, last), builder.gep(x, [builder.neg(first)]), lanes))
    with cgutils.for_range(builder, steps):
        scalars, entry = builder.load(a_now), builder.load(starts_now)
        step = []
        for loads in places:
            value = None
            for number, source, lanes in loads:
                start = builder.load(builder.gep(entry, [number]))
                value = emit.masked_load(builder.gep(source, [start]), lanes, other=value)
            step.append(value)
        emit.accumulate(slots, [builder.gep(scalars, [_I64(m)]) for m in range(rows)], step)
        builder.store(builder.gep(scalars, [a_row]), a_now)
        builder.store(builder.gep(entry, [runs]), starts_now)
    for n, slot in enumerate(flat):
        emit.store(builder.load(slot), total, n)


@intrinsic
def copy_run(typingctx, target, target_at, source, source_at, count):
    """target[target_at:][:count] = source[source_at:][:count] for flat arrays; runs may be short and unaligned."""
    i = types.int64
    signature = types.void(target, i, source, i, i)

    def codegen(context, builder, signature, args):
        target, target_at, source, source_at, count = args
        kind = signature.args
        emit = _Emitter(builder, kind[0].dtype)
        target = _pointer(context, builder, kind[0], target, target_at)
        source = _pointer(context, builder, kind[2], source, source_at)
        with cgutils.for_range_slice(builder, _I64(0), count, _I64(emit.lanes), inc=True) as (start, _):
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
        emit = _Emitter(builder, numbers.dtype)
        place = _pointer(context, builder, numbers, args[1], _I64(0))
        factor, summand = emit.load(place, 0), emit.load(place, 1)
        (slots,) = emit.slots(1, _REGISTERS // 2)  # more of them than a multiply-add takes cycles
        for slot in slots:
            builder.store(emit.load(place, 2), slot)
        with cgutils.for_range(builder, args[0]):
            for slot in slots:
                builder.store(emit.multiply_add(builder.load(slot), factor, summand), slot)
        for slot in slots:
            emit.store(builder.fadd(emit.load(place, 2), builder.load(slot)), place, 2)
        return builder.mul(args[0], _I64(len(slots) * emit.lanes))

    return signature, codegen
