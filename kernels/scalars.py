"""The activations and their derivatives as functions of numbers: the one place where their mathematics stands.

An activation is `f(x, *parameters)`. Its gradient `f_grad(dy, v, *parameters)` is dy times the derivative, written in
terms of the argument x or of the result y, whichever is cheaper: v is named after it. Its curvature
`f_curve(g, v, *parameters)` is g times the derivative of that factor by v; where there is none, it is 0. The docstrings
are the formulas that the graph shows.

The functions are plain Python over floats and the few functions below. `kernels/reference` calls them as they stand,
`kernels/cpu` compiles them, and the operations call the curvatures with tensors for the still higher derivatives: so
they choose with `where`, which takes both sides, rather than with `if`, and every literal is a float. What a gradient
is at NaN, where PyTorch's vectors and its loops over remainders differ, is what its vectors give. Where a function
is analytic, complex numbers pass too: f(x + ih).imag / h is f'(x) without any cancellation (Squire and Trapp, 1998).
"""

import cmath
import math

SQRT_HALF = math.sqrt(0.5)
NORMAL = 1.0 / math.sqrt(2.0 * math.pi)  # the density of the normal distribution at 0
TANH_SLOPE = math.sqrt(2.0 / math.pi)  # of GELU's approximation by tanh, and its cubic term:
TANH_CUBIC = 0.044715

# The vocabulary: backends put faster functions of the same meaning in the place of these. -----------------------------


def where(condition, a, b):
    """a where the condition holds, else b."""
    return a if condition else b


def real(x):
    """The real part, which decides where a function is defined piece by piece."""
    return x.real


def absolute(x):
    """|x|, continued analytically from the real line."""
    return -x if x.real < 0.0 else x


def exp(x):
    """e^x; inf where it overflows."""
    try:
        return cmath.exp(x) if isinstance(x, complex) else math.exp(x)
    except OverflowError:
        return math.inf


def expm1(x):
    """e^x - 1, exact near 0 for real numbers."""
    try:
        return cmath.exp(x) - 1.0 if isinstance(x, complex) else math.expm1(x)
    except OverflowError:
        return math.inf


def log1p(x):
    """log(1 + x), exact near 0 for real numbers."""
    return cmath.log(1.0 + x) if isinstance(x, complex) else math.log1p(x)


def log(x):
    """The natural logarithm of a real number; -inf at 0, NaN below."""
    return math.log(x) if x > 0.0 else -math.inf if x == 0.0 else math.nan


def sqrt(x):
    """√x of a real number, NaN below 0."""
    return math.nan if x < 0.0 else math.sqrt(x)


def erf(x):
    """The error function of a real number."""
    return math.erf(x)


# Arithmetic -----------------------------------------------------------------------------------------------------------


def quotient(x, y):
    """x / y, rounded once: never x · (1 / y)."""
    return x / y


def larger(x, y):
    """The larger of two real numbers, NaN if either is."""
    return x if x > y or x != x else y


def add(x, y):
    """x + y"""
    return x + y


def subtract(x, y):
    """x - y"""
    return x - y


def multiply(x, y):
    """x · y"""
    return x * y


def divide(x, y):
    """x / y"""
    return quotient(x, y)


def maximum(x, y):
    """max(x, y)"""
    return larger(x, y)


def minimum(x, y):
    """min(x, y)"""
    return -larger(-x, -y)


def negate(x):
    """-x"""
    return -x


def magnitude(x):
    """|x|"""
    return absolute(x)


def squared_difference(x, y):
    """(x - y)²"""
    return (x - y) * (x - y)


def square(x):
    """x · x"""
    return x * x


def clamp(x, low, high):
    """min(max(x, low), high)"""
    return -larger(-larger(x, low), -high)


# Pieces of straight lines ---------------------------------------------------------------------------------------------


def relu(x):
    """max(x, 0)"""
    return where(real(x) <= 0.0, 0.0, x)


def relu_grad(dy, y):
    """dy, but 0 where y ≤ 0"""
    return where(real(y) <= 0.0, 0.0, dy)


def leaky_relu(x, slope):
    """x, but slope · x where x ≤ 0"""
    return where(real(x) > 0.0, x, slope * x)


def leaky_relu_grad(dy, x, slope):
    """dy, but slope · dy where x ≤ 0"""
    return where(real(x) > 0.0, dy, slope * dy)


def hardtanh(x, low, high):
    """x within [low, high]"""
    return where(real(x) < low, low, where(real(x) > high, high, x))


def hardtanh_grad(dy, x, low, high):
    """dy within (low, high), else 0"""
    return where(real(x) > low, where(real(x) < high, dy, 0.0), 0.0)


def hardsigmoid(x):
    """x / 6 + 1 / 2 within [0, 1]"""
    return where(real(x) <= -3.0, 0.0, where(real(x) >= 3.0, 1.0, (x + 3.0) / 6.0))


def hardsigmoid_grad(dy, x):
    """dy / 6 where -3 < x < 3, else 0"""
    return where(real(x) > -3.0, where(real(x) < 3.0, dy / 6.0, 0.0), 0.0)


def hardshrink(x, bound):
    """x, but 0 where |x| ≤ bound"""
    return where(real(x) < -bound, x, where(real(x) <= bound, 0.0, x))


def hardshrink_grad(dy, x, bound):
    """dy, but 0 where |x| ≤ bound"""
    return where(real(x) < -bound, dy, where(real(x) > bound, dy, 0.0))


def softshrink(x, bound):
    """x moved towards 0 by bound, and 0 where |x| ≤ bound"""
    return where(real(x) > bound, x - bound, where(real(x) < -bound, x + bound, x * 0.0))


softshrink_grad = hardshrink_grad


def threshold(x, limit, value):
    """x, but value where x ≤ limit"""
    return where(real(x) <= limit, value, x)


def threshold_grad(dy, x, limit, value):
    """dy, but 0 where x ≤ limit"""
    return where(real(x) <= limit, 0.0, dy)


def hardswish(x):
    """x · hardsigmoid(x)"""
    return x * where(real(x) <= -3.0, 0.0, where(real(x) >= 3.0, 1.0, (x + 3.0) / 6.0))


def hardswish_grad(dy, x):
    """dy · (x / 3 + 1 / 2) where -3 < x < 3; 0 below, dy above"""
    return where(real(x) <= -3.0, 0.0, where(real(x) >= 3.0, dy, dy * (x / 3.0 + 0.5)))


def hardswish_curve(g, x):
    """g / 3 where -3 < x < 3, else 0"""
    return where(real(x) > -3.0, where(real(x) < 3.0, g / 3.0, 0.0), 0.0)


# Smooth functions -----------------------------------------------------------------------------------------------------


def sigmoid(x):
    """1 / (1 + e⁻ˣ)"""
    return 1.0 / (1.0 + exp(-x))


def sigmoid_grad(dy, y):
    """dy · y · (1 - y)"""
    return dy * (y * (1.0 - y))


def sigmoid_curve(g, y):
    """g · (1 - 2y)"""
    return g * (1.0 - 2.0 * y)


def tanh(x):
    """The hyperbolic tangent, by e^(-2|x|) - 1"""
    decay = expm1(-2.0 * absolute(x))
    size = absolute(decay) / (2.0 + decay)  # not -decay, which makes 0 to -0
    return where(real(x) < 0.0, -size, size)


def tanh_grad(dy, y):
    """dy · (1 - y²)"""
    return dy * (1.0 - y * y)


def tanh_curve(g, y):
    """-2 · g · y"""
    return -2.0 * g * y


def elu(x, alpha, scale, rate):
    """scale · x where x > 0, else scale · alpha · (e^(rate · x) - 1)"""
    return where(real(x) < 0.0, expm1(x * rate) * (alpha * scale), x * scale)


def elu_grad(dy, x, alpha, scale, rate):
    """dy · scale where x > 0, else dy · scale · alpha · rate · e^(rate · x)"""
    return where(real(x) > 0.0, dy * scale, dy * (rate * alpha * scale) * exp(x * rate))


def elu_curve(g, x, alpha, scale, rate):
    """0 where x > 0, else g · scale · alpha · rate² · e^(rate · x)"""
    power = exp(where(real(x) > 0.0, 0.0, x) * rate)  # so that nothing overflows, in its derivative either
    return where(real(x) > 0.0, 0.0, g * (rate * rate * alpha * scale) * power)


def silu(x):
    """x · σ(x)"""
    return x / (1.0 + exp(-x))


def silu_grad(dy, x):
    """dy · σ · (1 + x · (1 - σ))"""
    s = sigmoid(x)
    return dy * s * (1.0 + x * (1.0 - s))


def silu_curve(g, x):
    """g · σ · (1 - σ) · (2 + x · (1 - 2σ))"""
    s = sigmoid(x)
    return g * s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s))


def tanh_of_softplus(x):
    """tanh(log(1 + eˣ)) = n / (n + 2) with n = eˣ · (eˣ + 2), both divided by e²ˣ where x > 0"""
    power = exp(-absolute(x))
    above = 1.0 + 2.0 * power
    below = power * (power + 2.0)
    return where(real(x) > 0.0, above / (above + 2.0 * power * power), below / (below + 2.0))


def mish(x):
    """x · tanh(log(1 + eˣ))"""
    return x * tanh_of_softplus(x)


def mish_grad(dy, x):
    """dy · (t + x · σ · (1 - t²)) with t = tanh(log(1 + eˣ))"""
    t = tanh_of_softplus(x)
    return dy * (t + x * sigmoid(x) * (1.0 - t * t))


def mish_curve(g, x):
    """g · σ · (1 - t²) · (2 + x · (1 - σ - 2 · t · σ))"""
    t = tanh_of_softplus(x)
    s = sigmoid(x)
    return g * s * (1.0 - t * t) * (2.0 + x * (1.0 - s - 2.0 * t * s))


def softplus(x, beta, limit):
    """log(1 + e^(beta · x)) / beta, but x where beta · x > limit"""
    return where(real(x * beta) > limit, x, log1p(exp(x * beta)) / beta)


def softplus_grad(dy, x, beta, limit):
    """dy · σ(beta · x), but dy where beta · x > limit"""
    return where(real(x * beta) > limit, dy, dy * sigmoid(x * beta))


def softplus_curve(g, x, beta, limit):
    """g · beta · σ · (1 - σ), but 0 where beta · x > limit"""
    s = sigmoid(x * beta)
    return where(real(x * beta) > limit, 0.0, g * beta * s * (1.0 - s))


def logsigmoid(x):
    """log σ(x) = min(x, 0) - log(1 + e^(-|x|))"""
    return where(real(x) < 0.0, x, 0.0) - log1p(exp(-absolute(x)))


def logsigmoid_grad(dy, x):
    """dy · σ(-x)"""
    return dy * sigmoid(-x)


def logsigmoid_curve(g, x):
    """-g · σ · (1 - σ)"""
    s = sigmoid(-x)
    return -g * s * (1.0 - s)


def gelu(x):
    """x · Φ(x), with Φ the distribution function of the normal distribution"""
    return x * 0.5 * (1.0 + erf(x * SQRT_HALF))


def gelu_grad(dy, x):
    """dy · (Φ(x) + x · φ(x)), with φ the density"""
    return dy * (0.5 * (1.0 + erf(x * SQRT_HALF)) + x * NORMAL * exp(-0.5 * x * x))


def gelu_curve(g, x):
    """g · φ(x) · (2 - x²)"""
    return g * NORMAL * exp(-0.5 * x * x) * (2.0 - x * x)


def gelu_tanh(x):
    """x · (1 + tanh u) / 2 with u = √(2/π) · (x + 0.044715 · x³)"""
    return 0.5 * x * (1.0 + tanh(TANH_SLOPE * (x + TANH_CUBIC * x * x * x)))


def gelu_tanh_grad(dy, x):
    """dy · ((1 + t) + x · (1 - t²) · u') / 2 with t = tanh u"""
    t = tanh(TANH_SLOPE * (x + TANH_CUBIC * x * x * x))
    slope = TANH_SLOPE * (1.0 + 3.0 * TANH_CUBIC * x * x)
    return dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)


def gelu_tanh_curve(g, x):
    """g · (1 - t²) · (u' + x · u'' / 2 - x · t · u'²)"""
    t = tanh(TANH_SLOPE * (x + TANH_CUBIC * x * x * x))
    slope = TANH_SLOPE * (1.0 + 3.0 * TANH_CUBIC * x * x)
    bend = TANH_SLOPE * 6.0 * TANH_CUBIC * x
    return g * (1.0 - t * t) * (slope + 0.5 * x * bend - x * t * slope * slope)
