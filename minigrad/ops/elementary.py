"""Elementary functions of one tensor, element by element. Each stands with its derivative."""

import numpy as np

from minigrad.autograd import Operation

from .arithmetic import true_dtype
from .registry import both


def _floating(ufunc, x):
    """`ufunc(x)` in x's floating dtype; integers and bools give the default one, as in PyTorch."""
    with np.errstate(all="ignore"):
        return ufunc(x if x.dtype.kind == "f" else x.astype(true_dtype(x)))


class Exp(Operation):
    """eˣ"""

    formula = "dx = dy · y"

    @staticmethod
    def forward(ctx, x):
        y = _floating(np.exp, x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class Expm1(Operation):
    """eˣ - 1, exact near 0"""

    formula = "dx = dy · (y + 1)"

    @staticmethod
    def forward(ctx, x):
        y = _floating(np.expm1, x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * (y + 1)


class Log(Operation):
    """log x"""

    formula = "dx = dy / x"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _floating(np.log, x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy / x


class Log1p(Operation):
    """log(1 + x), exact near 0"""

    formula = "dx = dy / (1 + x)"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _floating(np.log1p, x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy / (x + 1)


class Sqrt(Operation):
    """√x"""

    formula = "dx = dy / (2 · y)"

    @staticmethod
    def forward(ctx, x):
        y = _floating(np.sqrt, x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy / (2 * y)


class Rsqrt(Operation):
    """1 / √x"""

    formula = "dx = -dy · y³ / 2"

    @staticmethod
    def forward(ctx, x):
        with np.errstate(all="ignore"):
            y = np.reciprocal(_floating(np.sqrt, x))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return -0.5 * dy * y**3


class Sin(Operation):
    """sin x"""

    formula = "dx = dy · cos x"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _floating(np.sin, x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * cos(x)


class Cos(Operation):
    """cos x"""

    formula = "dx = -dy · sin x"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _floating(np.cos, x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return -dy * sin(x)


@both(inplace=True)
def exp(input):
    """eˣ of each element (`torch.exp`).

    >>> import minigrad
    >>> minigrad.exp(minigrad.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return Exp.apply(input)


@both(inplace=True)
def expm1(input):
    """eˣ - 1 of each element, exact near 0 (`torch.expm1`).

    >>> import minigrad
    >>> minigrad.expm1(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return Expm1.apply(input)


@both(inplace=True)
def log(input):
    """The natural logarithm of each element: -inf at 0, NaN below (`torch.log`).

    >>> import minigrad
    >>> minigrad.log(minigrad.tensor([1.0, 2.0]))
    tensor([0.0000, 0.6931])
    """
    return Log.apply(input)


@both(inplace=True)
def log1p(input):
    """log(1 + x) of each element, exact near 0 (`torch.log1p`).

    >>> import minigrad
    >>> minigrad.log1p(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return Log1p.apply(input)


@both(inplace=True)
def sqrt(input):
    """The square root of each element, NaN below 0 (`torch.sqrt`).

    >>> import minigrad
    >>> minigrad.sqrt(minigrad.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return Sqrt.apply(input)


@both(inplace=True)
def rsqrt(input):
    """1 / √x of each element (`torch.rsqrt`).

    >>> import minigrad
    >>> minigrad.rsqrt(minigrad.tensor([4.0]))
    tensor([0.5000])
    """
    return Rsqrt.apply(input)


@both(inplace=True)
def sin(input):
    """The sine of each element, in radians (`torch.sin`).

    >>> import minigrad
    >>> minigrad.sin(minigrad.tensor([0.0]))
    tensor([0.])
    """
    return Sin.apply(input)


@both(inplace=True)
def cos(input):
    """The cosine of each element, in radians (`torch.cos`).

    >>> import minigrad
    >>> minigrad.cos(minigrad.tensor([0.0]))
    tensor([1.])
    """
    return Cos.apply(input)
