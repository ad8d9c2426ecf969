"""Four numbers at once: 128-bit loads and stores, and a square of four by four products.

Numba has no such things, so they are intrinsics: a few instructions of LLVM each, which the assembler turns into
`LDG.E.128`, `LDS.128`, `STG.E.128`, `STS.128` and sixteen `FFMA`; the simulator has a twin of each. `place` is a
pointer or a shared array, and the address of its element must be a multiple of 16 bytes; `local` is an array of the
thread's own, which lives in registers where all its indices are constants. `take` and `give` do what the end of an
array leaves.
"""

from ._numba import SIMULATED, inlined, unrolled

__all__ = ["add_square", "give", "put1", "put2", "put4", "take", "take1", "take2", "take4"]

if SIMULATED:

    def _take(count):
        def take(local, i, place, j):
            """local[i : i + count] = place[j : j + count]"""
            for k in range(count):
                local[i + k] = place[j + k]

        return take

    def _put(count):
        def put(place, j, local, i):
            """place[j : j + count] = local[i : i + count]"""
            for k in range(count):
                place[j + k] = local[i + k]

        return put

    take1, take2, take4, put1, put2, put4 = _take(1), _take(2), _take(4), _put(1), _put(2), _put(4)

    def add_square(sums, at, a, i, b, j):
        """sums[at + 4 r + c] += a[i + r] · b[j + c] for r and c from 0 to 3"""
        for row in range(4):
            for column in range(4):
                sums[at + 4 * row + column] += a[i + row] * b[j + column]

else:
    from itertools import product

    from llvmlite import ir

    from ._numba import cuda, types

    _LANE = ir.IntType(32)

    def _addresses(context, builder, kind, array, index, count):
        """The addresses of so many elements of a pointer or of an array, without checks."""
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, array).data
        first = builder.gep(array, [index])
        return [builder.gep(first, [ir.Constant(index.type, offset)]) for offset in range(count)]

    def _vector(context, builder, kind, array, index, count):
        """The address of an element as that of a vector of so many, and the vector's type."""
        vector = ir.VectorType(context.get_data_type(kind.dtype), count)
        (address,) = _addresses(context, builder, kind, array, index, 1)
        return builder.bitcast(address, ir.PointerType(vector)), vector

    def _take(count):
        def take(typing_context, local, i, place, j):
            """local[i : i + count] = place[j : j + count]"""

            def generate(context, builder, signature, args):
                address, _ = _vector(context, builder, place, args[2], args[3], count)
                loaded = builder.load(address, align=4 * count)
                for k, target in enumerate(_addresses(context, builder, local, args[0], args[1], count)):
                    builder.store(builder.extract_element(loaded, ir.Constant(_LANE, k)), target)
                return context.get_dummy_value()

            return types.void(local, types.int64, place, types.int64), generate

        return cuda.extending.intrinsic(take)

    def _put(count):
        def put(typing_context, place, j, local, i):
            """place[j : j + count] = local[i : i + count]"""

            def generate(context, builder, signature, args):
                address, vector = _vector(context, builder, place, args[0], args[1], count)
                value = ir.Constant(vector, ir.Undefined)
                for k, source in enumerate(_addresses(context, builder, local, args[2], args[3], count)):
                    value = builder.insert_element(value, builder.load(source), ir.Constant(_LANE, k))
                builder.store(value, address, align=4 * count)
                return context.get_dummy_value()

            return types.void(place, types.int64, local, types.int64), generate

        return cuda.extending.intrinsic(put)

    take1, take2, take4, put1, put2, put4 = _take(1), _take(2), _take(4), _put(1), _put(2), _put(4)

    @cuda.extending.intrinsic
    def add_square(typing_context, sums, at, a, i, b, j):
        """sums[at + 4 r + c] += a[i + r] · b[j + c] for r and c from 0 to 3"""

        def generate(context, builder, signature, args):
            places = _addresses(context, builder, sums, args[0], args[1], 16)
            factors = [builder.load(x) for x in _addresses(context, builder, a, args[2], args[3], 4)]
            others = [builder.load(x) for x in _addresses(context, builder, b, args[4], args[5], 4)]
            for place, (factor, other) in zip(places, product(factors, others)):
                term = builder.fmul(factor, other, flags=["contract"])
                builder.store(builder.fadd(builder.load(place), term, flags=["contract"]), place)
            return context.get_dummy_value()

        return types.void(sums, types.int64, a, types.int64, b, types.int64), generate


@inlined
def take(local, i, place, j, count, *, VECTOR):
    """local[i : i + 4] = place[j : j + 4], of which there are `count`; all at once where VECTOR says it is aligned."""
    if VECTOR and count >= 4:
        take4(local, i, place, j)
    else:
        for k in unrolled(4):
            if k < count:
                local[i + k] = place[j + k]


@inlined
def give(place, j, count, local, i, *, VECTOR):
    """place[j : j + 4] = local[i : i + 4], of which there are `count`; all at once where VECTOR says it is aligned."""
    if VECTOR and count >= 4:
        put4(place, j, local, i)
    else:
        for k in unrolled(4):
            if k < count:
                place[j + k] = local[i + k]
