"""Vector code: what the register tiles and other kernels written as LLVM vectors have in common.

How wide a vector is and how many registers there are follows the CPU that Numba compiles for. The loops that are made
of this live in `tile.py` and `channelwise.py`.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import initialize_llvm

__all__ = ["INT64", "REGISTERS", "VECTOR_BYTES", "Emitter", "dispatch", "element", "wide"]

_I1, _I32, INT64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


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


VECTOR_BYTES, REGISTERS = _vector_registers()


class Emitter:
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
        ahead = self.builder.gep(pointer, [INT64(vectors * self.lanes)])
        return self.builder.bitcast(ahead, self.vector.as_pointer())

    def load(self, pointer, vectors=0):
        """Vector `vectors` behind `pointer`, aligned like one number."""
        value = self.builder.load(self.at(pointer, vectors))
        value.align = self.itemsize
        return value

    def store(self, value, pointer, vectors=0):
        """Store a vector as vector `vectors` behind `pointer`."""
        self.builder.store(value, self.at(pointer, vectors)).align = self.itemsize

    def keep(self, count, vectors=0):
        """Mask of the lanes of vector `vectors` that lie below `count` elements."""
        left = self.builder.sub(count, INT64(vectors * self.lanes))
        bits = self.builder.sub(self.builder.shl(INT64(1), left), INT64(1))
        bits = self.builder.select(self.builder.icmp_signed(">=", left, INT64(self.lanes)), INT64(-1), bits)
        bits = self.builder.select(self.builder.icmp_signed(">", left, INT64(0)), bits, INT64(0))
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
        """Store the lanes of `mask`; the rest of memory stays as it is."""
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(ir.VoidType(), [self.vector, self.vector.as_pointer(), _I32, self.masks]),
            f"llvm.masked.store.{self.suffix}.p0",
        )
        self.builder.call(function, [value, self.at(pointer, vectors), _I32(self.itemsize), mask])

    def prefetch(self, pointer, write=False):
        """Ask for the cache line at `pointer`, soon to be read (or written); the address need not be valid."""
        address = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(ir.VoidType(), [address, _I32, _I32, _I32]), "llvm.prefetch.p0"
        )
        self.builder.call(function, [self.builder.bitcast(pointer, address), _I32(int(write)), _I32(3), _I32(1)])

    def splat(self, scalar):
        """`scalar` in every lane; LLVM folds it into the broadcast operand of the multiply-add."""
        vector = ir.VectorType(scalar.type, self.lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        first = ir.Constant(ir.VectorType(_I32, self.lanes), None)
        return self.builder.shuffle_vector(self.builder.insert_element(undefined, scalar, _I32(0)), undefined, first)

    def multiply_add(self, a, b, c):
        """a * b + c, in one instruction where the processor has it."""
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(self.vector, [self.vector] * 3), f"llvm.fmuladd.{self.suffix}"
        )
        return self.builder.call(function, [a, b, c])

    def slots(self, rows, vectors):
        """Rows of stack slots for vectors, which LLVM turns into registers."""
        return [[cgutils.alloca_once(self.builder, self.vector) for _ in range(vectors)] for _ in range(rows)]

    def accumulate(self, slots, scalars, vectors):
        """slots[m][n] += scalars[m] * vectors[n], where scalars[m] is an address."""
        for row, scalar in zip(slots, scalars, strict=True):
            scalar = self.splat(self.builder.load(scalar))
            for slot, vector in zip(row, vectors, strict=True):
                self.builder.store(self.multiply_add(scalar, vector, self.builder.load(slot)), slot)


def wide(builder, number):
    """A table's entry of 32 or 64 bits as 64 bits."""
    return number if number.type == INT64 else builder.sext(number, INT64)


def element(context, builder, array_type, array, offset):
    """Address of element `offset` of a flat array."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def dispatch(builder, number, tiles, write, arguments):
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
        switch.add_case(INT64(index), case)
        with builder.goto_block(case):
            builder.call(function, arguments)
            builder.branch(done)
    builder.position_at_end(done)
