"""Quotients and remainders, element by element: exact, rounded, and what is left over."""

import numpy as np

from minigrad.autograd import DEVICES, Binary, Operation

from .arithmetic import Mul, binary, not_implemented, operators, promote, true_dtype
from .creation import full_like
from .registry import both


class Div(Binary):
    """x / y"""

    formula = "dx = dz / y, dy = -dz · x / y²"

    @staticmethod
    def forward(ctx, x, y):
        needs_x, needs_y = ctx.needs_input_grad
        if needs_x or needs_y:
            ctx.save_for_backward(x if needs_y else None, y)
        floats = (type(x) in DEVICES and x.dtype.kind == "f") or (type(y) in DEVICES and y.dtype.kind == "f")
        return binary(np.true_divide, x, y, None if floats else true_dtype(x, y))

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return (dz / y if ctx.needs_input_grad[0] else None), (-dz * (x / y / y) if ctx.needs_input_grad[1] else None)


class Reciprocal(Operation):
    """1 / x"""

    formula = "dx = -dy · y²"

    @staticmethod
    def forward(ctx, x):
        y = binary(np.true_divide, 1.0, x, true_dtype(x))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return -dy * (y * y)


class Rounded(Operation):
    """x / y rounded to a whole number: constant between its jumps."""

    formula = "dx = 0, dy = 0"

    @staticmethod
    def forward(ctx, x, y, mode):
        dtype = _divisible(x, y, f"div_{mode}_cpu")
        with np.errstate(all="ignore"):
            if dtype.kind == "f":
                if mode == "trunc":
                    return np.trunc(binary(np.true_divide, x, y, dtype))
                return binary(np.floor_divide, x, y, dtype)
            quotient = binary(np.floor_divide, x, y, dtype)
            if mode == "trunc":
                left_over = binary(np.remainder, x, y, dtype)
                quotient = quotient + ((left_over != 0) & (np.less(x, 0) != np.less(y, 0)))
            return quotient.astype(dtype, copy=False)

    @staticmethod
    def backward(ctx, dz):
        return tuple(full_like(dz, 0) if needed else None for needed in ctx.needs_input_grad)


class Remainder(Operation):
    """x - y · (x / y rounded): what is left over, with the sign of y (floor) or of x (trunc)."""

    formula = "dx = dz, dy = -dz · (x / y rounded)"

    @staticmethod
    def forward(ctx, x, y, mode):
        ctx.mode = mode
        dtype = _divisible(x, y, "remainder_cpu" if mode == "floor" else "fmod_cpu")
        ctx.save_for_backward(*((x, y) if ctx.needs_input_grad[1] else (None, None)))
        with np.errstate(all="ignore"):
            return binary(np.remainder if mode == "floor" else np.fmod, x, y, dtype)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return dz, (-dz * Rounded.apply(x, y, ctx.mode) if ctx.needs_input_grad[1] else None)


def _divisible(x, y, kernel):
    """The common dtype of dividend and divisor; PyTorch's errors for bools and for whole numbers divided by zero."""
    dtype = promote(x, y)
    if dtype.kind == "b":
        raise not_implemented(kernel, dtype)
    if dtype.kind in "iu" and np.any(np.equal(y, 0)):
        raise RuntimeError("ZeroDivisionError")
    return dtype


@both("divide", "true_divide", inplace=True)
def div(input, other, *, rounding_mode=None):
    """The quotient; `rounding_mode` "floor" or "trunc" rounds it (`torch.div`). Integers give the default dtype.

    >>> import minigrad
    >>> minigrad.tensor([7, -7]) / 2
    tensor([ 3.5000, -3.5000])
    """
    if rounding_mode is None:
        return Div.apply(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    return Rounded.apply(input, other, rounding_mode)


@both(inplace=True)
def floor_divide(input, other):
    """The quotient rounded towards -∞ (`torch.floor_divide`).

    >>> import minigrad
    >>> minigrad.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    return Rounded.apply(input, other, "floor")


@both(inplace=True)
def remainder(input, other):
    """`input - other · floor(input / other)`: the remainder with the divisor's sign (`torch.remainder`).

    >>> import minigrad
    >>> minigrad.tensor([7, -7]) % 3
    tensor([1, 2])
    """
    return Remainder.apply(input, other, "floor")


@both(inplace=True)
def fmod(input, other):
    """`input - other · trunc(input / other)`: the remainder with the dividend's sign (`torch.fmod`).

    >>> import minigrad
    >>> minigrad.fmod(minigrad.tensor([7, -7]), 3)
    tensor([ 1, -1])
    """
    return Remainder.apply(input, other, "trunc")


@both(inplace=True)
def reciprocal(input):
    """`1 / input` (`torch.reciprocal`).

    >>> import minigrad
    >>> minigrad.reciprocal(minigrad.tensor([4.0]))
    tensor([0.2500])
    """
    return Reciprocal.apply(input)


def _reciprocal_times(other, self):
    return Mul.apply(Reciprocal.apply(self), other)


for _name, _run, _reflection in (
    ("truediv", Div.apply, _reciprocal_times),
    ("div", Div.apply, _reciprocal_times),
    ("floordiv", floor_divide, floor_divide),
    ("mod", remainder, remainder),
):
    operators(_name, _run, _reflection)
