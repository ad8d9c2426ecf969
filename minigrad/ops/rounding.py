"""Signs and whole numbers: functions of one tensor that are constant between their jumps, and their neighbours."""

import builtins

import numpy as np

from minigrad.autograd import Operation
from minigrad.autograd.dtypes import boxed
from minigrad.kernels import kernels_for, scalars

from .arithmetic import binary, large, no_broadcast, not_implemented, only_tensors, true_dtype
from .choice import where
from .creation import full_like
from .registry import both


class Abs(Operation):
    """|x|"""

    formula = "dx = dy · sign x"

    @staticmethod
    def forward(ctx, x):
        if x.dtype.kind == "b":
            raise not_implemented("abs_cpu", x.dtype, "a bool has no sign")
        ctx.save_for_backward(x)
        return kernels_for(x).elementwise(scalars.magnitude, (), x) if large(x) else np.absolute(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * x.sign()


class Step(Operation):
    """A function that is constant between its jumps: sign x, or x rounded"""

    formula = "dx = 0"

    @staticmethod
    def forward(ctx, x, function):
        return function(x)

    @staticmethod
    def backward(ctx, dy):
        return full_like(dy, 0)


class Frac(Operation):
    """x - trunc x"""

    formula = "dx = dy"

    @staticmethod
    def forward(ctx, x):
        if x.dtype.kind != "f":
            raise not_implemented("frac_cpu", x.dtype, "whole numbers have no fraction")
        return x - np.trunc(x)

    @staticmethod
    def backward(ctx, dy):
        return dy


class CopySign(Operation):
    """|x| with the sign of y"""

    formula = "dx = dz · z / x (0 where x = 0), dy = 0"

    @staticmethod
    def forward(ctx, x, y):
        z = boxed(binary(np.copysign, x, y, true_dtype(x, y)))
        ctx.save_for_backward(x, z)
        return z

    @staticmethod
    def backward(ctx, dz):
        x, z = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        dx = dz * where(x == 0, 0.0, z / x) if needs_x else None
        return dx, (full_like(dz, 0) if needs_y else None)


class Heaviside(Operation):
    """0 where x < 0, v where x = 0, 1 where x > 0"""

    formula = "no gradient: PyTorch has none"

    @staticmethod
    def forward(ctx, x, v):
        if x.dtype != v.dtype:
            raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
        try:
            return np.where(x == 0, v, (x > 0).astype(x.dtype))
        except ValueError:
            raise no_broadcast(x, v) from None


class NanToNum(Operation):
    """x with numbers for NaN and the infinities"""

    formula = "dx = dy where x is finite"

    @staticmethod
    def forward(ctx, x, nan, posinf, neginf):
        if x.dtype.kind != "f":
            return x.copy(order="K")
        ctx.save_for_backward(np.isfinite(x))
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    @staticmethod
    def backward(ctx, dy):
        (finite,) = ctx.saved_tensors
        return dy * finite


def _sign(x):
    if x.dtype.kind == "b":
        return x.copy()
    return np.where(np.isnan(x), x.dtype.type(0), np.sign(x)) if x.dtype.kind == "f" else np.sign(x)


def _whole(name, round_floats):
    """`round_floats` for floating tensors; whole numbers stay as they are, bools are an error."""

    def function(x):
        if x.dtype.kind == "b":
            raise not_implemented(f"{name}_vml_cpu", x.dtype, "bools are whole already")
        return round_floats(x) if x.dtype.kind == "f" else x.copy(order="K")

    return function


_FLOOR, _CEIL, _TRUNC, _ROUND = (
    _whole(*pair) for pair in (("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc), ("round", np.rint))
)


@both("__abs__", "absolute", inplace=True)
def abs(input):
    """The absolute value; its gradient at 0 is 0 (`torch.abs`).

    >>> import minigrad
    >>> minigrad.abs(minigrad.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return Abs.apply(input)


@both(inplace=True)
def sign(input):
    """-1, 0 or 1 by the sign, 0 for NaN; its gradient is 0 (`torch.sign`).

    >>> import minigrad
    >>> minigrad.sign(minigrad.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return Step.apply(input, _sign)


@both(inplace=True)
def sgn(input):
    """`sign`, which complex numbers would extend (`torch.sgn`).

    >>> import minigrad
    >>> minigrad.sgn(minigrad.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return Step.apply(input, _sign)


@both(inplace=True)
def floor(input):
    """The largest whole number that is not above each element; its gradient is 0 (`torch.floor`).

    >>> import minigrad
    >>> minigrad.floor(minigrad.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
    """
    return Step.apply(input, _FLOOR)


@both(inplace=True)
def ceil(input):
    """The smallest whole number that is not below each element; its gradient is 0 (`torch.ceil`).

    >>> import minigrad
    >>> minigrad.ceil(minigrad.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
    """
    return Step.apply(input, _CEIL)


@both("fix", inplace=True)
def trunc(input):
    """Each element without its fraction: rounded towards 0; its gradient is 0 (`torch.trunc`).

    >>> import minigrad
    >>> minigrad.trunc(minigrad.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])
    """
    return Step.apply(input, _TRUNC)


@both(inplace=True)
def round(input, *, decimals=0):
    """Rounded to the nearest multiple of 10^-decimals, halves to the even one; its gradient is 0 (`torch.round`).

    >>> import minigrad
    >>> minigrad.round(minigrad.tensor([0.5, 1.5, -1.7]))
    tensor([ 0.,  2., -2.])
    >>> minigrad.round(minigrad.tensor([0.126]), decimals=2)
    tensor([0.1300])
    """
    if decimals == 0:
        return Step.apply(input, _ROUND)
    if input.dtype.kind != "f":
        raise not_implemented("round_cpu", input.dtype)
    scale = 10.0 ** builtins.abs(decimals)
    if decimals > 0:
        return Step.apply(input, lambda x: np.rint(x * scale) / scale)
    return Step.apply(input, lambda x: np.rint(x / scale) * scale)


@both(inplace=True)
def frac(input):
    """Each element's fraction, with its sign (`torch.frac`).

    >>> import minigrad
    >>> minigrad.frac(minigrad.tensor([-1.5, 1.25]))
    tensor([-0.5000,  0.2500])
    """
    return Frac.apply(input)


@both(inplace=True)
def copysign(input, other):
    """The absolute value of `input` with the sign of `other`, a tensor or a number (`torch.copysign`).

    >>> import minigrad
    >>> minigrad.copysign(minigrad.tensor([1.0, -2.0]), -0.0)
    tensor([-1., -2.])
    """
    return CopySign.apply(input, other)


@both(inplace=True)
def heaviside(input, values):
    """0 below 0, `values` at 0, 1 above 0; not differentiable (`torch.heaviside`).

    >>> import minigrad
    >>> minigrad.heaviside(minigrad.tensor([-1.0, 0.0, 2.0]), minigrad.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    only_tensors("heaviside", input=input, values=values)
    return Heaviside.apply(input.detach(), values.detach())


@both(inplace=True)
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN replaced by `nan`, the infinities by `posinf` and `neginf`: by default the dtype's largest and smallest.

    Source: `torch.nan_to_num`.

    >>> import minigrad
    >>> minigrad.nan_to_num(minigrad.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    tensor([0., 9., 1.])
    """
    return NanToNum.apply(input, 0.0 if nan is None else nan, posinf, neginf)
