"""Powers, and functions of two operands built on powers and logarithms."""

import numpy as np

from minigrad.autograd import DEVICES, Operation, Tensor
from minigrad.autograd.dtypes import TORCH_NAMES, boxed, float64
from minigrad.kernels import kernels_for, scalars

from .arithmetic import (
    PLAIN,
    binary,
    cast,
    large,
    no_broadcast,
    not_implemented,
    only_tensors,
    operators,
    promote,
    true_dtype,
)
from .choice import where
from .creation import full_like
from .registry import both, method

# powers that need no logarithm, and are more exact without
_BY_HAND = {
    0.5: np.sqrt,
    1: np.positive,
    2: np.square,
    3: lambda x: x * x * x,
    -1: np.reciprocal,
    -0.5: lambda x: 1 / np.sqrt(x),
    -2: lambda x: 1 / (x * x),
}


class Pow(Operation):
    """xᵖ with a tensor or a number on either side."""

    formula = "dx = dz · p · xᵖ⁻¹, dp = dz · xᵖ · log x"

    @staticmethod
    def forward(ctx, x, p):
        dtype = x.dtype if type(p) in PLAIN and type(x) in DEVICES and x.dtype.kind == "f" else promote(x, p)
        whole = dtype.kind != "f"
        if whole and type(p) not in DEVICES and p < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.\nhint: use x.float() ** exponent")
        if dtype.kind == "b" and type(p) in DEVICES:
            raise not_implemented("pow", dtype, "convert the base first, for example with .long()")
        if dtype.kind == "b":
            z = x | (not p)
        elif whole:
            z = _integer_power(x, p, dtype)
        elif type(p) not in DEVICES and p in _BY_HAND:
            x = cast(x, dtype)
            z = kernels_for(x).elementwise(scalars.square, (), x) if p == 2 and large(x) else _BY_HAND[p](x)
        else:
            z = binary(np.power, x, p, dtype)
        z = boxed(z)
        ctx.save_for_backward(x, p, *((z,) if ctx.needs_input_grad[1] else ()))
        return z

    @staticmethod
    def backward(ctx, dz):
        x, p, *z = ctx.saved_tensors
        dx = dp = None
        if ctx.needs_input_grad[0]:
            if isinstance(p, Tensor):
                dx = where(p == 0, 0.0, dz * (p * x ** (p - 1)))
            else:
                dx = dz * (p * (x if p == 2 else x ** (p - 1))) if p != 0 else full_like(x, 0)
        if ctx.needs_input_grad[1]:
            if isinstance(x, Tensor):
                dp = dz * where((x == 0) & (p >= 0), 0.0, z[0] * x.log())
            else:
                with np.errstate(all="ignore"):
                    dp = dz * (z[0] * float(np.log(float(x))))
                dp = where(p >= 0, 0.0, dp) if x == 0 else dp
        return dx, dp


def _integer_power(x, p, dtype):
    """Whole powers; a negative exponent gives 0 except for bases 1 and -1, as in PyTorch."""
    x, p = cast(x, dtype), cast(p, dtype)
    z = binary(np.power, x, np.maximum(p, 0))
    if dtype.kind == "i" and (p < 0).any():
        z = np.where(p < 0, np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (p % 2), 0)), z).astype(dtype)
    return z


class Hypot(Operation):
    """√(x² + y²) without overflow"""

    formula = "dx = dz · x / z, dy = dz · y / z"

    @staticmethod
    def forward(ctx, x, y):
        dtype = promote(x, y)
        if dtype.kind != "f":
            raise not_implemented("hypot_cpu", dtype)
        with np.errstate(all="ignore"):
            z = boxed(binary(np.hypot, x, y, dtype))
        ctx.save_for_backward(x, y, z)
        return z

    @staticmethod
    def backward(ctx, dz):
        x, y, z = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        return (dz * (x / z) if needs_x else None), (dz * (y / z) if needs_y else None)


class Atan2(Operation):
    """The angle of the point (y, x), from -π to π"""

    formula = "dy = dz · x / (x² + y²), dx = -dz · y / (x² + y²)"

    @staticmethod
    def forward(ctx, y, x):
        ctx.save_for_backward(y, x)
        return binary(np.arctan2, y, x, true_dtype(y, x))

    @staticmethod
    def backward(ctx, dz):
        y, x = ctx.saved_tensors
        needs_y, needs_x = ctx.needs_input_grad
        square = y * y + x * x
        scale = where(square == 0, 0.0, square.reciprocal())  # at the origin PyTorch has 0
        return (dz * x * scale if needs_y else None), (dz * -y * scale if needs_x else None)


class LogAddExp(Operation):
    """log(bˣ + bʸ) to the base b, without overflow"""

    formula = "dx = dz / (1 + bʸ⁻ˣ), dy = dz / (1 + bˣ⁻ʸ)"

    @staticmethod
    def forward(ctx, x, y, base):
        dtype = promote(x, y)
        if dtype.kind != "f":
            raise not_implemented("logaddexp2_cpu" if base == 2 else "logaddexp_cpu", dtype)
        ctx.power = Tensor.exp2 if base == 2 else Tensor.exp
        ctx.save_for_backward(x, y)
        with np.errstate(all="ignore"):
            return binary(np.logaddexp2 if base == 2 else np.logaddexp, x, y, dtype)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        needs_x, needs_y, _ = ctx.needs_input_grad
        return (
            dz / (1 + ctx.power(y - x)) if needs_x else None,
            dz / (1 + ctx.power(x - y)) if needs_y else None,
        )


class XLogY(Operation):
    """x · log y, and 0 where x is 0"""

    formula = "dx = dz · log y (0 where x is 0 and y ≤ 0), dy = dz · x / y"

    @staticmethod
    def forward(ctx, x, y):
        dtype = true_dtype(x, y)
        ctx.save_for_backward(x, y)
        x, y = cast(x, dtype), cast(y, dtype)
        with np.errstate(all="ignore"):
            try:
                return np.where((x == 0) & ~np.isnan(y), dtype.type(0), x * np.log(y))
            except ValueError:
                raise no_broadcast(x, y) from None

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        dx = None
        if needs_x:
            never = y <= 0 if isinstance(y, Tensor) else bool(y <= 0)
            dx = where((x == 0) & never, 0.0, XLogY.apply(dz, y))
        return dx, (dz * x / y if needs_y else None)


@both(inplace=True)
def pow(input, exponent):
    """`input` to the power `exponent`, either of them a tensor or a number (`torch.pow`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    """
    return Pow.apply(input, exponent)


@both(inplace=True)
def square(input):
    """`input²` (`torch.square`).

    >>> import minigrad
    >>> minigrad.square(minigrad.tensor([3.0]))
    tensor([9.])
    """
    return Pow.apply(input, 2)


@both()
def float_power(input, exponent):
    """`pow` in float64, whatever the operands' dtypes (`torch.float_power`).

    >>> import minigrad
    >>> minigrad.float_power(minigrad.tensor([4]), 0.5)
    tensor([2.], dtype=minigrad.float64)
    """
    wide = [v.to(float64) if isinstance(v, Tensor) else v for v in (input, exponent)]
    return Pow.apply(*wide)


@both(inplace=True)
def hypot(input, other):
    """`√(input² + other²)` without overflow, for floating-point tensors (`torch.hypot`).

    >>> import minigrad
    >>> minigrad.hypot(minigrad.tensor([3.0]), minigrad.tensor([4.0]))
    tensor([5.])
    """
    only_tensors("hypot", input=input, other=other)
    return Hypot.apply(input, other)


@both("arctan2", inplace=True)
def atan2(input, other):
    """The angle in radians of the point with ordinate `input` and abscissa `other`, -π to π (`torch.atan2`).

    >>> import minigrad
    >>> minigrad.atan2(minigrad.tensor([1.0, -1.0]), minigrad.tensor([0.0, 0.0]))
    tensor([ 1.5708, -1.5708])
    """
    only_tensors("atan2", input=input, other=other)
    return Atan2.apply(input, other)


@both()
def logaddexp(input, other):
    """`log(e^input + e^other)` without overflow, for floating-point tensors (`torch.logaddexp`).

    >>> import minigrad
    >>> minigrad.logaddexp(minigrad.tensor([100.0]), minigrad.tensor([100.0]))
    tensor([100.6931])
    """
    only_tensors("logaddexp", input=input, other=other)
    return LogAddExp.apply(input, other, np.e)


@both()
def logaddexp2(input, other):
    """`log2(2^input + 2^other)` without overflow, for floating-point tensors (`torch.logaddexp2`).

    >>> import minigrad
    >>> minigrad.logaddexp2(minigrad.tensor([1000.0]), minigrad.tensor([1000.0]))
    tensor([1001.])
    """
    only_tensors("logaddexp2", input=input, other=other)
    return LogAddExp.apply(input, other, 2)


@both(inplace=True)
def xlogy(input, other):
    """`input · log other`, and 0 where `input` is 0, whatever `other` but NaN (`torch.xlogy`).

    >>> import minigrad
    >>> minigrad.xlogy(minigrad.tensor([0.0, 2.0]), minigrad.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return XLogY.apply(input, other)


@method()
def float_power_(self, exponent):
    """`float_power` written into this float64 tensor (`torch.Tensor.float_power_`)."""
    if self.dtype != float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {TORCH_NAMES[self.dtype]} but the operation's result requires "
            "dtype Double"
        )
    return self.pow_(exponent.to(float64) if isinstance(exponent, Tensor) else exponent)


operators("pow", Pow.apply, Pow.apply)
