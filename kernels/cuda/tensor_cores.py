"""Tensor cores: a warp multiplies small matrices, with factors of ten binary places (TF32) and sums of float32.

One instruction adds a product of 16 x 8 and 8 x 8 numbers to a result of 16 x 8. No thread holds a matrix: each of the
32 lanes of the warp gives its few elements and gets its few results. Which ones is laid down in NVIDIA's PTX ISA
(section "Matrix fragments for mma.m16n8k8"); with group = lane // 4 and member = lane % 4 a lane holds

    of the left factor   (group, member), (group + 8, member), (group, member + 4), (group + 8, member + 4)
    of the right factor  (member, group), (member + 4, group)
    of the result        (group, 2 member), (group, 2 member + 1), (group + 8, 2 member), (group + 8, 2 member + 1)

Numba has no such instruction, so there are two intrinsics of one line of PTX each, a rounding and the product, which
is `HMMA.1688.F32.TF32` to the assembler. Their twins, `rounded_to_tf32` and `multiplied`, follow the same tables. All
lanes of a warp have to arrive at `mma`. Factors go through `to_tf32` before: the unit ignores the lower thirteen bits
of a float32, so what is not rounded is cut off, here as there.
"""

import struct

import numpy as np

from ._numba import SIMULATED, cuda

__all__ = ["mma", "multiplied", "rounded_to_tf32", "to_tf32"]

GROUP, MEMBER = np.divmod(np.arange(32), 4)
LOWER = 0x1FFF  # the thirteen bits of a float32 that TF32 does not have


def rounded_to_tf32(x):
    """The float32 x rounded to the nearest number of ten binary places, of two the one farther from 0.

    >>> rounded_to_tf32(1 + 2**-11) == 1 + 2**-10, rounded_to_tf32(1 + 2**-12) == 1
    (True, True)
    """
    (bits,) = struct.unpack("I", struct.pack("f", x))
    if x == x:  # the carry into the exponent is right, up to infinity
        bits = bits + (LOWER + 1) // 2 & ~LOWER
    return struct.unpack("f", struct.pack("I", bits))[0]


def multiplied(lanes):
    """What each lane gets of c + a · b, where `lanes` lists what the 32 lanes give: (a0, ..., a3, b0, b1, c0, ..., c3).

    The sum is exact here, and rounded to float32 once; PTX promises no order, only that it is no worse than float32.
    """
    values = np.array(lanes, np.float32)
    factors = (values[:, :6].copy().view(np.uint32) & ~np.uint32(LOWER)).view(np.float32).astype(np.float64)
    left, right, result = np.empty((16, 8)), np.empty((8, 8)), np.empty((16, 8))
    left[[GROUP, GROUP + 8, GROUP, GROUP + 8], [MEMBER, MEMBER, MEMBER + 4, MEMBER + 4]] = factors[:, :4].T
    right[[MEMBER, MEMBER + 4], [GROUP, GROUP]] = factors[:, 4:].T
    places = [GROUP, GROUP, GROUP + 8, GROUP + 8], [2 * MEMBER, 2 * MEMBER + 1] * 2
    result[places] = values[:, 6:].T
    with np.errstate(all="ignore"):
        return (result + left @ right).astype(np.float32)[places].T.tolist()


if SIMULATED:
    to_tf32 = rounded_to_tf32

    def mma(a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
        """This lane's four elements of c + a · b, of the warp's matrices of 16 x 8, 16 x 8 and 8 x 8 numbers."""
        return cuda.exchange(multiplied, (a0, a1, a2, a3, b0, b1, c0, c1, c2, c3))

else:
    from llvmlite import ir

    from ._numba import types

    _FLOAT, _BITS = ir.FloatType(), ir.IntType(32)

    @cuda.extending.intrinsic
    def to_tf32(typing_context, x):
        """The float32 x rounded to the nearest number of ten binary places, of two the one farther from 0."""

        def generate(context, builder, signature, args):
            kind = ir.FunctionType(_BITS, [_FLOAT])
            bits = builder.call(ir.InlineAsm(kind, "cvt.rna.tf32.f32 $0, $1;", "=r,f"), args)
            return builder.bitcast(bits, _FLOAT)

        return types.float32(types.float32), generate

    @cuda.extending.intrinsic
    def mma(typing_context, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
        """This lane's four elements of c + a · b, of the warp's matrices of 16 x 8, 16 x 8 and 8 x 8 numbers."""
        result = types.UniTuple(types.float32, 4)

        def generate(context, builder, signature, args):
            factors = [builder.bitcast(value, _BITS) for value in args[:6]]
            kind = ir.FunctionType(ir.LiteralStructType([_FLOAT] * 4), [_BITS] * 6 + [_FLOAT] * 4)
            instruction = ir.InlineAsm(
                kind,
                "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
                " {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};",
                "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f",
                side_effect=True,
            )
            found = builder.call(instruction, [*factors, *args[6:]], attrs=("convergent",))
            return context.make_tuple(builder, result, [builder.extract_value(found, i) for i in range(4)])

        return result(*[types.float32] * 10), generate
