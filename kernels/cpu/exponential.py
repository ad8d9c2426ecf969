"""exp, expm1 and maximum that LLVM vectorises, for the loops of tanh, sigmoid and softmax.

A call of the C library would stay scalar. With x = n ln 2 + r and |r| <= ln(2) / 2, exp(x) is 2^n exp(r): n comes from
adding a constant so large that the sum has no fractional bits, 2^n from writing n into the exponent bits, exp(r) from
its Taylor series. The error stays below 2 units in the last place; overflow gives inf, underflow subnormal numbers and
0, NaN gives NaN.
"""

from math import factorial, log

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

LN2_TAIL = 2.319046813846299e-17  # ln 2 minus its float64


class _Format:
    """What exp has to know about a float type: its bits, the length of the series, where exp leaves its range."""

    def __init__(self, real, integer, mantissa, bias, terms, low, high):
        self.real, self.integer, self.mantissa, self.bias = real, integer, mantissa, bias
        self.series = [1 / factorial(k) for k in range(2, 2 + terms)]
        self.low, self.high = low, high
        # ln 2 in two parts: the first has so few bits that its product with any n is exact
        bits = mantissa + 1 - bias.bit_length() - 2
        self.ln2_high = int(log(2) * 2**bits) / 2**bits
        self.ln2_low = log(2) - self.ln2_high + LN2_TAIL


FORMATS = {
    "float32": _Format(ir.FloatType(), ir.IntType(32), 23, 127, 6, -104.0, 89.0),
    "float64": _Format(ir.DoubleType(), ir.IntType(64), 52, 1023, 12, -746.0, 710.0),
}

# Numba gives its fast-math flags to instructions without flags. These have one, so that a product and a sum may become
# one instruction, but nothing is reordered: the additions that round would be cancelled.
EXACT = ("contract",)


def _multiply_add(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=EXACT), c, flags=EXACT)


def _power_of_two(builder, form, n):
    """2^n for an integer n in the exponent's range."""
    exponent = builder.add(n, form.integer(form.bias))
    return builder.bitcast(builder.shl(exponent, form.integer(form.mantissa)), form.real)


def _reduce(builder, form, x):
    """n and exp(r) - 1 for x = n ln 2 + r."""
    rounder = form.real(1.5 * 2.0**form.mantissa)  # its last bit stands for 1
    rounded = _multiply_add(builder, x, form.real(1 / log(2)), rounder)
    n = builder.sub(builder.bitcast(rounded, form.integer), builder.bitcast(rounder, form.integer))
    whole = builder.fsub(rounded, rounder, flags=EXACT)
    r = _multiply_add(builder, whole, form.real(-form.ln2_high), x)
    r = _multiply_add(builder, whole, form.real(-form.ln2_low), r)
    series = form.real(form.series[-1])
    for coefficient in form.series[-2::-1]:
        series = _multiply_add(builder, series, r, form.real(coefficient))
    return n, _multiply_add(builder, builder.fmul(r, r, flags=EXACT), series, r)


def _clamp(builder, x, low, high):
    """x within [low, high]; NaN stays."""
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


@intrinsic
def exp(typingctx, x):
    """e^x for a float32 or float64 scalar."""

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        n, fraction = _reduce(builder, form, _clamp(builder, args[0], form.real(form.low), form.real(form.high)))
        half = builder.ashr(n, form.integer(1))  # two factors: 2^n itself may lie outside the type's range
        y = builder.fadd(fraction, form.real(1), flags=EXACT)
        y = builder.fmul(y, _power_of_two(builder, form, half), flags=EXACT)
        return builder.fmul(y, _power_of_two(builder, form, builder.sub(n, half)), flags=EXACT)

    return x(x), codegen


@intrinsic
def expm1_negative(typingctx, x):
    """e^x - 1 for a float32 or float64 scalar x <= 0, exact to the last places near 0."""

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        n, fraction = _reduce(builder, form, _clamp(builder, args[0], form.real(-64), form.real(0)))
        power = _power_of_two(builder, form, n)
        return _multiply_add(builder, power, fraction, builder.fsub(power, form.real(1), flags=EXACT))

    return x(x), codegen


@intrinsic
def maximum(typingctx, a, b):
    """The larger of two scalars of one float type, NaN if either is: unlike `max`, LLVM vectorises its reduction."""

    def codegen(context, builder, signature, args):
        real = args[0].type
        kind = ir.FunctionType(real, [real, real])
        name = {"float": "llvm.maximum.f32", "double": "llvm.maximum.f64"}[str(real)]
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return a(a, b), codegen
