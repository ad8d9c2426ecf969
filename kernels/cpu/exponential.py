"""exp, expm1, log1p, erf and more that LLVM vectorises, for the loops of activations and softmax.

A call of the C library would stay scalar. With x = n ln 2 + r and |r| <= ln(2) / 2, exp(x) is 2^n exp(r): n comes from
adding a constant so large that the sum has no fractional bits, 2^n from writing n into the exponent bits, exp(r) from
its Taylor series. The error stays below 2 units in the last place; overflow gives inf, underflow subnormal numbers and
0, NaN gives NaN.
"""

from math import erfc, factorial, pi, sqrt
from math import exp as real_exp
from math import log as real_log

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

CENTER = 2.0  # of the variable in which erfc is a polynomial
LN2_TAIL = 2.319046813846299e-17  # ln 2 minus its float64


def _scaled_erfc(degree, center, limit):
    """Coefficients of the polynomial in t = (x - center) / (x + center) that is e^(x²) erfc(x) for 0 <= x <= limit."""

    def values(t):
        return [real_exp(x * x) * erfc(x) for x in center * (1 + t) / (1 - t)]

    ends = [-1.0, (limit - center) / (limit + center)]
    return Chebyshev.interpolate(values, degree, ends).convert(kind=Polynomial, domain=[-1, 1]).coef


class _Format:
    """What the functions have to know about a float type: its bits, the lengths of the series, where exp leaves its
    range, from where on erf is 1.
    """

    def __init__(self, real, integer, mantissa, bias, terms, low, high, one):
        self.real, self.integer, self.mantissa, self.bias = real, integer, mantissa, bias
        self.series = [1 / factorial(k) for k in range(2, 2 + terms)]
        self.low, self.high, self.one = low, high, one
        self.logarithm = [2 / (2 * k + 1) for k in range(terms)]  # of log((1 + s) / (1 - s)) / s, in s²
        self.erf = [2 / sqrt(pi) * (-1) ** k / (factorial(k) * (2 * k + 1)) for k in range(terms)]  # of erf(x) / x
        self.erfc = _scaled_erfc(terms * 3 // 2, CENTER, one)
        # ln 2 in two parts: the first has so few bits that its product with any n is exact
        bits = mantissa + 1 - bias.bit_length() - 2
        self.ln2_high = int(real_log(2) * 2**bits) / 2**bits
        self.ln2_low = real_log(2) - self.ln2_high + LN2_TAIL


FORMATS = {
    "float32": _Format(ir.FloatType(), ir.IntType(32), 23, 127, 6, -104.0, 89.0, 4.0),
    "float64": _Format(ir.DoubleType(), ir.IntType(64), 52, 1023, 12, -746.0, 710.0, 6.0),
}

# Numba gives its fast-math flags to instructions without flags. These have one, so that a product and a sum may become
# one instruction, but nothing is reordered: the additions that round would be cancelled.
EXACT = ("contract",)


def _multiply_add(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=EXACT), c, flags=EXACT)


def _polynomial(builder, form, coefficients, x):
    """The sum of coefficients[k] x^k."""
    value = form.real(float(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        value = _multiply_add(builder, value, x, form.real(float(coefficient)))
    return value


def _power_of_two(builder, form, n):
    """2^n for an integer n in the exponent's range."""
    exponent = builder.add(n, form.integer(form.bias))
    return builder.bitcast(builder.shl(exponent, form.integer(form.mantissa)), form.real)


def _reduce(builder, form, x):
    """n and exp(r) - 1 for x = n ln 2 + r."""
    rounder = form.real(1.5 * 2.0**form.mantissa)  # its last bit stands for 1
    rounded = _multiply_add(builder, x, form.real(1 / real_log(2)), rounder)
    n = builder.sub(builder.bitcast(rounded, form.integer), builder.bitcast(rounder, form.integer))
    whole = builder.fsub(rounded, rounder, flags=EXACT)
    r = _multiply_add(builder, whole, form.real(-form.ln2_high), x)
    r = _multiply_add(builder, whole, form.real(-form.ln2_low), r)
    series = _polynomial(builder, form, form.series, r)
    return n, _multiply_add(builder, builder.fmul(r, r, flags=EXACT), series, r)


def _clamp(builder, x, low, high):
    """x within [low, high]; NaN stays."""
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


def _exp(builder, form, x):
    n, fraction = _reduce(builder, form, _clamp(builder, x, form.real(form.low), form.real(form.high)))
    half = builder.ashr(n, form.integer(1))  # two factors: 2^n itself may lie outside the type's range
    y = builder.fadd(fraction, form.real(1), flags=EXACT)
    y = builder.fmul(y, _power_of_two(builder, form, half), flags=EXACT)
    return builder.fmul(y, _power_of_two(builder, form, builder.sub(n, half)), flags=EXACT)


@intrinsic
def exp(typingctx, x):
    """e^x for a float32 or float64 scalar."""

    def codegen(context, builder, signature, args):
        return _exp(builder, FORMATS[str(signature.args[0])], args[0])

    return x(x), codegen


@intrinsic
def expm1(typingctx, x):
    """e^x - 1 for a float32 or float64 scalar, exact to the last places near 0."""

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        n, fraction = _reduce(builder, form, _clamp(builder, args[0], form.real(-64), form.real(form.high)))
        # 2^n - 1 would be exact as one number, but 2^n itself may lie outside the type's range: so again two factors
        half = builder.ashr(n, form.integer(1))
        rest = builder.sub(n, half)
        lowered = builder.fsub(
            _power_of_two(builder, form, half), _power_of_two(builder, form, builder.neg(rest)), flags=EXACT
        )
        y = _multiply_add(builder, _power_of_two(builder, form, half), fraction, lowered)
        return builder.fmul(y, _power_of_two(builder, form, rest), flags=EXACT)

    return x(x), codegen


def _logarithm(builder, form, y, lost):
    """n and log m + lost for y = 2^n m with m near 1: log m is the series of (m - 1) / (m + 1)."""
    one = form.real(1)
    bits = builder.bitcast(y, form.integer)
    # the exponent of y √2: so m lies within [√½, √2)
    raised = builder.bitcast(builder.fmul(y, form.real(sqrt(2)), flags=EXACT), form.integer)
    n = builder.sub(builder.ashr(raised, form.integer(form.mantissa)), form.integer(form.bias))
    m = builder.bitcast(builder.sub(bits, builder.shl(n, form.integer(form.mantissa))), form.real)
    s = builder.fdiv(builder.fsub(m, one, flags=EXACT), builder.fadd(m, one, flags=EXACT), flags=EXACT)
    square = builder.fmul(s, s, flags=EXACT)
    fine = _multiply_add(builder, s, _polynomial(builder, form, form.logarithm, square), lost)
    return n, fine


def _add_exponent(builder, form, n, fine):
    """fine + n ln 2, the larger part last."""
    whole = builder.sitofp(n, form.real)
    fine = _multiply_add(builder, whole, form.real(form.ln2_low), fine)
    return _multiply_add(builder, whole, form.real(form.ln2_high), fine)


@intrinsic
def log1p(typingctx, x):
    """log(1 + x) for a float32 or float64 scalar x >= 0, exact to the last places near 0.

    What 1 + x lost by rounding comes last.
    """

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        (x,), one = args, form.real(1)
        y = builder.fadd(x, one, flags=EXACT)
        lost = builder.fdiv(builder.fsub(x, builder.fsub(y, one, flags=EXACT), flags=EXACT), y, flags=EXACT)
        value = _add_exponent(builder, form, *_logarithm(builder, form, y, lost))
        return builder.select(builder.fcmp_ordered("<", x, form.real(float("inf"))), value, x)

    return x(x), codegen


@intrinsic
def log(typingctx, x):
    """log x for a float32 or float64 scalar: -inf at 0, NaN below."""

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        (x,), zero = args, form.real(0)
        # subnormal numbers have no exponent to read: they are scaled first
        small = builder.fcmp_ordered("<", x, form.real(2.0 ** (2 - form.bias)))
        scaled = builder.fmul(x, form.real(2.0 ** (form.mantissa + 1)), flags=EXACT)
        n, fine = _logarithm(builder, form, builder.select(small, scaled, x), zero)
        n = builder.sub(n, builder.select(small, form.integer(form.mantissa + 1), form.integer(0)))
        value = _add_exponent(builder, form, n, fine)
        value = builder.select(builder.fcmp_ordered("<", x, form.real(float("inf"))), value, x)  # inf and NaN stay
        value = builder.select(builder.fcmp_ordered("==", x, zero), form.real(float("-inf")), value)
        return builder.select(builder.fcmp_ordered("<", x, zero), form.real(float("nan")), value)

    return x(x), codegen


@intrinsic
def erf(typingctx, x):
    """The error function of a float32 or float64 scalar: a Taylor series near 0, elsewhere 1 - erfc(|x|).

    e^(x²) erfc(x) is so smooth a function of (x - 2) / (x + 2) that a short polynomial gives it (Shepherd and
    Laframboise, 1981).
    """

    def codegen(context, builder, signature, args):
        form = FORMATS[str(signature.args[0])]
        (x,), zero, one = args, form.real(0), form.real(1)
        small = _clamp(builder, x, form.real(-0.5), form.real(0.5))
        square = builder.fmul(small, small, flags=EXACT)
        near = builder.fmul(small, _polynomial(builder, form, form.erf, square), flags=EXACT)
        negative = builder.fcmp_ordered("<", x, zero)
        size = _clamp(builder, builder.select(negative, builder.fneg(x), x), zero, form.real(form.one))
        t = builder.fdiv(
            builder.fsub(size, form.real(CENTER), flags=EXACT), builder.fadd(size, form.real(CENTER), flags=EXACT),
            flags=EXACT,
        )  # fmt: skip
        power = _exp(builder, form, builder.fneg(builder.fmul(size, size, flags=EXACT)))
        tail = builder.fmul(power, _polynomial(builder, form, form.erfc, t), flags=EXACT)
        far = builder.fsub(one, tail, flags=EXACT)
        far = builder.select(negative, builder.fneg(far), far)
        return builder.select(builder.fcmp_ordered("<", size, form.real(0.5)), near, far)

    return x(x), codegen


@intrinsic
def select(typingctx, condition, a, b):
    """a where the condition holds, else b: both are computed, and LLVM need not find out that it may."""

    def codegen(context, builder, signature, args):
        return builder.select(*args)

    return a(types.boolean, a, b), codegen


@intrinsic
def identity(typingctx, x):
    """x itself: the real part of a real number."""

    def codegen(context, builder, signature, args):
        return args[0]

    return x(x), codegen


@intrinsic
def quotient(typingctx, a, b):
    """a / b, not a times the reciprocal of a b that stays the same."""

    def codegen(context, builder, signature, args):
        return builder.fdiv(*args, flags=EXACT)

    return a(a, b), codegen


@intrinsic
def maximum(typingctx, a, b):
    """The larger of two scalars of one float type, NaN if either is: unlike `max`, LLVM vectorises its reduction."""

    def codegen(context, builder, signature, args):
        real = args[0].type
        kind = ir.FunctionType(real, [real, real])
        name = {"float": "llvm.maximum.f32", "double": "llvm.maximum.f64"}[str(real)]
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return a(a, b), codegen


@intrinsic
def multiply_add(typingctx, a, b, c):
    """a b + c for scalars of one type, rounded once where the processor can do so, and the same in every loop.

    Left to itself LLVM may add in another order wherever something else is computed beside it.
    """

    def codegen(context, builder, signature, args):
        return _multiply_add(builder, *args)

    return a(a, a, a), codegen
