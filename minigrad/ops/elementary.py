"""Elementary and special functions of one tensor, element by element: each stands with its derivative.

`@elementary(formula, derivative)` makes a differentiable operation of the function of an array below it, and offers it
as a function and a method, in place too. The derivative is written with tensors; what its arguments are called says
what backward needs: `dy`, the gradient that arrives, then `x`, the function's argument, or `y`, its result.
"""

import inspect
import math

import numpy as np

from minigrad.autograd import Operation, get_default_dtype
from minigrad.autograd.dtypes import boxed
from minigrad.kernels import kernels_for, scalars

from .arithmetic import LARGE, is_dense
from .choice import where
from .registry import both, function, method

COMPILED = 1 << 9  # elements from which on a kernel is faster than NumPy's exponential and logarithm


def floating(x):
    """`x` in a floating dtype: its own, or the default one for integers and bools, as in PyTorch."""
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype())


class Elementary(Operation):
    """y = f(x), for the function and the derivative that `elementary` was given"""

    formula = "dx = dy · f'(x)"

    @staticmethod
    def forward(ctx, x):
        floats = floating(x)
        y = ctx.function(floats)
        if y.dtype is not floats.dtype:  # special functions that compute in float64
            y = y.astype(floats.dtype)
        ctx.save_for_backward(*[x if name == "x" else y for name in ctx.saves])
        return y

    @staticmethod
    def backward(ctx, dy):
        return ctx.derivative(dy, *ctx.saved_tensors)


def elementary(formula, derivative, *aliases):
    """Make the decorated function of a floating array an operation with this derivative, and offer it on tensors."""

    def offer(definition):
        members = {
            "__doc__": inspect.getdoc(definition).partition("\n")[0],
            "__module__": definition.__module__,
            "formula": formula,
            "function": staticmethod(definition),
            "derivative": staticmethod(derivative),
            "saves": tuple(inspect.signature(derivative).parameters)[1:],
        }
        operation = type(definition.__name__.capitalize(), (Elementary,), members)

        def of_tensor(input):
            return operation.apply(input)

        of_tensor.__name__ = of_tensor.__qualname__ = definition.__name__
        of_tensor.__doc__ = definition.__doc__
        return both(*aliases, inplace=True)(of_tensor)

    return offer


def _is_plain(x):
    """Whether the kernels' exponential and logarithm serve: float32, where NumPy's are slower and no more exact."""
    return x.dtype == np.float32 and x.size >= COMPILED and is_dense(x)


def _special(name):
    """SciPy's special function of that name; SciPy is imported when it is first needed."""
    from scipy import special

    return getattr(special, name)


@elementary("dx = dy · y", lambda dy, y: dy * y)
def exp(x):
    """eˣ of each element (`torch.exp`).

    >>> import minigrad
    >>> minigrad.exp(minigrad.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return kernels_for(x).elementwise(scalars.exp, (), x) if _is_plain(x) else np.exp(x)


@elementary("dx = dy · y · log 2", lambda dy, y: dy * y * math.log(2))
def exp2(x):
    """2ˣ of each element (`torch.exp2`).

    >>> import minigrad
    >>> minigrad.exp2(minigrad.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return np.exp2(x)


@elementary("dx = dy · π / 180", lambda dy: dy * (math.pi / 180))
def deg2rad(x):
    """x · π / 180, degrees as radians (`torch.deg2rad`).

    >>> import minigrad
    >>> minigrad.deg2rad(minigrad.tensor([180.0]))
    tensor([3.1416])
    """
    return x * x.dtype.type(math.pi / 180)


@elementary("dx = dy · 180 / π", lambda dy: dy * (180 / math.pi))
def rad2deg(x):
    """x · 180 / π, radians as degrees (`torch.rad2deg`).

    >>> import minigrad
    >>> minigrad.rad2deg(minigrad.tensor([3.1416]))
    tensor([180.0004])
    """
    return x * x.dtype.type(180 / math.pi)


@elementary("dx = dy · (y + 1)", lambda dy, y: dy * (y + 1))
def expm1(x):
    """eˣ - 1 of each element, exact near 0 (`torch.expm1`).

    >>> import minigrad
    >>> minigrad.expm1(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return np.expm1(x)


@elementary("dx = dy / x", lambda dy, x: dy / x)
def log(x):
    """log x, the natural logarithm of each element: -inf at 0, NaN below (`torch.log`).

    >>> import minigrad
    >>> minigrad.log(minigrad.tensor([1.0, 2.0]))
    tensor([0.0000, 0.6931])
    """
    return kernels_for(x).elementwise(scalars.log, (), x) if _is_plain(x) else np.log(x)


@elementary("dx = dy / (x · log 2)", lambda dy, x: dy / (x * math.log(2)))
def log2(x):
    """log₂ x, the logarithm to the base 2 of each element: -inf at 0, NaN below (`torch.log2`).

    >>> import minigrad
    >>> minigrad.log2(minigrad.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return np.log2(x)


@elementary("dx = dy / (x · log 10)", lambda dy, x: dy / (x * math.log(10)))
def log10(x):
    """log₁₀ x, the logarithm to the base 10 of each element: -inf at 0, NaN below (`torch.log10`).

    >>> import minigrad
    >>> minigrad.log10(minigrad.tensor([1.0, 1000.0]))
    tensor([0., 3.])
    """
    return np.log10(x)


@elementary("dx = dy / (1 + x)", lambda dy, x: dy / (x + 1))
def log1p(x):
    """log(1 + x) of each element, exact near 0 (`torch.log1p`).

    >>> import minigrad
    >>> minigrad.log1p(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return np.log1p(x)


@elementary("dx = dy / (2 · y)", lambda dy, y: dy / (2 * y))
def sqrt(x):
    """√x, the square root of each element, NaN below 0 (`torch.sqrt`).

    >>> import minigrad
    >>> minigrad.sqrt(minigrad.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return kernels_for(x).elementwise(scalars.sqrt, (), x) if x.size >= LARGE and is_dense(x) else np.sqrt(x)


@elementary("dx = -dy · y³ / 2", lambda dy, y: -0.5 * dy * y**3)
def rsqrt(x):
    """1 / √x of each element (`torch.rsqrt`).

    >>> import minigrad
    >>> minigrad.rsqrt(minigrad.tensor([4.0]))
    tensor([0.5000])
    """
    return np.reciprocal(np.sqrt(x))


@elementary("dx = dy · cos x", lambda dy, x: dy * x.cos())
def sin(x):
    """sin x, the sine of each element, in radians (`torch.sin`).

    >>> import minigrad
    >>> minigrad.sin(minigrad.tensor([0.0]))
    tensor([0.])
    """
    return np.sin(x)


@elementary("dx = -dy · sin x", lambda dy, x: dy * -x.sin())
def cos(x):
    """cos x, the cosine of each element, in radians (`torch.cos`).

    >>> import minigrad
    >>> minigrad.cos(minigrad.tensor([0.0]))
    tensor([1.])
    """
    return np.cos(x)


@elementary("dx = dy · (1 + y²)", lambda dy, y: dy * (1 + y * y))
def tan(x):
    """tan x, the tangent of each element, in radians (`torch.tan`).

    >>> import minigrad
    >>> minigrad.tan(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return np.tan(x)


@elementary("dx = dy / √(1 - x²)", lambda dy, x: dy * (1 - x * x).rsqrt(), "arcsin")
def asin(x):
    """asin x, the angle in radians whose sine each element is, NaN outside [-1, 1] (`torch.asin`).

    >>> import minigrad
    >>> minigrad.asin(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    return np.arcsin(x)


@elementary("dx = -dy / √(1 - x²)", lambda dy, x: dy * -(1 - x * x).rsqrt(), "arccos")
def acos(x):
    """acos x, the angle in radians whose cosine each element is, NaN outside [-1, 1] (`torch.acos`).

    >>> import minigrad
    >>> minigrad.acos(minigrad.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """
    return np.arccos(x)


@elementary("dx = dy / (1 + x²)", lambda dy, x: dy / (x * x + 1), "arctan")
def atan(x):
    """atan x, the angle in radians whose tangent each element is (`torch.atan`).

    >>> import minigrad
    >>> minigrad.atan(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    return np.arctan(x)


@elementary("dx = dy · cosh x", lambda dy, x: dy * x.cosh())
def sinh(x):
    """sinh x, the hyperbolic sine of each element (`torch.sinh`).

    >>> import minigrad
    >>> minigrad.sinh(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    return np.sinh(x)


@elementary("dx = dy · sinh x", lambda dy, x: dy * x.sinh())
def cosh(x):
    """cosh x, the hyperbolic cosine of each element (`torch.cosh`).

    >>> import minigrad
    >>> minigrad.cosh(minigrad.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    return np.cosh(x)


@elementary("dx = dy / √(x² + 1)", lambda dy, x: dy * (x * x + 1).rsqrt(), "arcsinh")
def asinh(x):
    """asinh x, the inverse hyperbolic sine of each element (`torch.asinh`).

    >>> import minigrad
    >>> minigrad.asinh(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    return np.arcsinh(x)


@elementary("dx = dy / √(x² - 1)", lambda dy, x: dy * (x * x - 1).rsqrt(), "arccosh")
def acosh(x):
    """acosh x, the inverse hyperbolic cosine of each element, NaN below 1 (`torch.acosh`).

    >>> import minigrad
    >>> minigrad.acosh(minigrad.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    return np.arccosh(x)


@elementary("dx = dy / (1 - x²)", lambda dy, x: dy / (1 - x * x), "arctanh")
def atanh(x):
    """atanh x, the inverse hyperbolic tangent of each element, NaN outside [-1, 1] (`torch.atanh`).

    >>> import minigrad
    >>> minigrad.atanh(minigrad.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    return np.arctanh(x)


@elementary("dx = dy · 2 / √π · e^-x²", lambda dy, x: dy * (2 / math.sqrt(math.pi) * (-(x * x)).exp()))
def erf(x):
    """erf x = 2 / √π · ∫ e^-t² dt from 0 to x, the error function of each element (`torch.erf`).

    >>> import minigrad
    >>> minigrad.erf(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    return _special("erf")(x)


@elementary("dx = -dy · 2 / √π · e^-x²", lambda dy, x: dy * (-2 / math.sqrt(math.pi) * (-(x * x)).exp()))
def erfc(x):
    """1 - erf(x) of each element, exact for large x (`torch.erfc`).

    >>> import minigrad
    >>> minigrad.erfc(minigrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1573])
    """
    return _special("erfc")(x)


@elementary("dx = dy · √π / 2 · e^y²", lambda dy, y: dy * (math.sqrt(math.pi) / 2 * (y * y).exp()))
def erfinv(x):
    """erf⁻¹ x, the number whose error function each element is, NaN outside [-1, 1] (`torch.erfinv`).

    >>> import minigrad
    >>> minigrad.erfinv(minigrad.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    return _special("erfinv")(x)


@elementary("dx = dy · digamma x", lambda dy, x: dy * x.digamma())
def lgamma(x):
    """log |Γ(x)|, the logarithm of the absolute value of the gamma function of each element (`torch.lgamma`).

    >>> import minigrad
    >>> minigrad.lgamma(minigrad.tensor([1.0, 5.0]))
    tensor([0.0000, 3.1781])
    """
    return np.where(np.isneginf(x), np.inf, _special("gammaln")(x))


@elementary("dx = dy · polygamma(1, x)", lambda dy, x: dy * polygamma(1, x))
def digamma(x):
    """Γ'(x) / Γ(x), the derivative of `lgamma` at each element (`torch.digamma`).

    >>> import minigrad
    >>> minigrad.digamma(minigrad.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    return _special("psi")(x)


@elementary("dx = dy · (π·x · cos π·x - sin π·x) / (π·x²), 0 at 0", lambda dy, x: _sinc_gradient(dy, x))
def sinc(x):
    """sin(π·x) / (π·x) of each element, 1 at 0 (`torch.sinc`).

    >>> import minigrad
    >>> minigrad.sinc(minigrad.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    angle = x * x.dtype.type(np.pi)
    return np.where(angle == 0, x.dtype.type(1), np.sin(angle) / angle)


def _sinc_gradient(dy, x):
    wide = x.double()  # near 0 the terms cancel
    angle, area = wide * math.pi, wide * wide * math.pi
    return dy * where(area == 0, 0.0, (angle * angle.cos() - angle.sin()) / area).to(x.dtype)


class Polygamma(Operation):
    """The n-th derivative of digamma at x"""

    formula = "dx = dy · polygamma(n + 1, x)"

    @staticmethod
    def forward(ctx, x, n):
        ctx.n = n
        ctx.save_for_backward(x)
        x = floating(x)
        if n != 1 and type(x) is not np.ndarray:
            raise NotImplementedError("polygamma is on the GPU for n = 1 alone\nhint: compute it on the CPU: x.cpu()")
        return _trigamma(x) if n == 1 else boxed(_special("polygamma")(n, x)).astype(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * Polygamma.apply(x, ctx.n + 1)


def _trigamma(x):
    """The derivative of digamma as PyTorch computes it: reflected at 1/2, moved up by 6, and an asymptotic series."""
    reflected = x < 0.5
    sine = np.sin(np.where(reflected, x, 0.5) * x.dtype.type(np.pi))
    x = np.where(reflected, 1 - x, x)
    total = np.where(reflected, -np.square(x.dtype.type(np.pi)) / (sine * sine), x.dtype.type(0))
    for _ in range(6):
        total = total + 1 / (x * x)
        x = x + 1
    square = 1 / (x * x)
    total = total + (1 + 1 / (2 * x) + square * (1 / 6 - square * (1 / 30 - square * (1 / 42)))) / x
    return np.where(reflected, -total, total)


class Logit(Operation):
    """log(x / (1 - x)), with x limited to [eps, 1 - eps] if eps is given"""

    formula = "dx = dy / (x · (1 - x)); 0 outside [eps, 1 - eps], NaN outside [0, 1] without eps"

    @staticmethod
    def forward(ctx, x, eps):
        ctx.eps = eps
        ctx.save_for_backward(x)
        x = floating(x)
        if eps is not None:
            low, high = x.dtype.type(eps), x.dtype.type(1 - eps)
            x = np.where(x < low, low, np.where(x > high, high, x))
        return np.log(x / (1 - x))

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        low, high, outside = (0.0, 1.0, math.nan) if ctx.eps is None else (ctx.eps, 1 - ctx.eps, 0.0)
        return where((x >= low) & (x <= high), dy / (x * (1 - x)), outside)


@function
def polygamma(n, input):
    """The n-th derivative of `digamma` at each element, n a whole number from 0 (`torch.polygamma`).

    >>> import minigrad
    >>> minigrad.polygamma(1, minigrad.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else Polygamma.apply(input, n)


@method("polygamma", inplace=True)
def _polygamma(self, n):
    """The n-th derivative of `digamma` at each element (`torch.Tensor.polygamma`)."""
    return polygamma(n, self)


@both(inplace=True)
def logit(input, eps=None):
    """log(x / (1 - x)) of each element, the inverse of `sigmoid`; `eps` limits x to [eps, 1 - eps] (`torch.logit`).

    >>> import minigrad
    >>> minigrad.logit(minigrad.tensor([0.5, 1.0]), eps=0.1)
    tensor([0.0000, 2.1972])
    """
    return Logit.apply(input, eps)
