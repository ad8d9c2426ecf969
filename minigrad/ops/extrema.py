"""The larger and the smaller of two operands, and limits."""

import numpy as np

from minigrad.autograd import ARRAYS, DEVICES, Operation
from minigrad.autograd.dtypes import boxed
from minigrad.kernels import kernels_for, scalars

from .arithmetic import binary, is_dense, not_implemented, only_tensors, promote
from .choice import where
from .creation import fitting
from .registry import both


class Extremum(Operation):
    """The larger (or smaller) of two operands; NaN if either is. Ties share the gradient."""

    formula = "dx = dz where x wins, dz / 2 where x = y"

    @staticmethod
    def forward(ctx, x, y, largest):
        ctx.largest = largest
        ctx.save_for_backward(x, y)
        return binary(np.maximum if largest else np.minimum, x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        half = where(x == y, dz / 2, dz)
        # like PyTorch, an operand gets nothing only where the other one strictly wins (so NaN passes to both)
        lost_x, lost_y = (x < y, x > y) if ctx.largest else (x > y, x < y)
        return where(lost_x, 0.0, half), where(lost_y, 0.0, half)


class NumericExtremum(Operation):
    """The larger (or smaller) of two operands; the other one where one is NaN."""

    formula = "dx = dz where x is chosen (in a tie too), dy = dz elsewhere"

    @staticmethod
    def forward(ctx, x, y, largest):
        ctx.largest = largest
        ctx.save_for_backward(x, y)
        return binary(np.fmax if largest else np.fmin, x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        chosen = ((x >= y) if ctx.largest else (x <= y)) | (y != y)
        return where(chosen, dz, 0.0), where(chosen, 0.0, dz)


_PLAIN = (float, int, type(None))  # limits that leave a floating dtype as it is


class Clamp(Operation):
    """x limited to [low, high], numbers, tensors or None; the limits let a gradient pass"""

    formula = "dx = dy where low ≤ x ≤ high, dlow = dy where x < low < high, dhigh = dy where x > high or low > high"

    @staticmethod
    def forward(ctx, x, low, high):
        dtype = None
        if x.dtype.kind != "f" or type(low) not in _PLAIN or type(high) not in _PLAIN:
            dtype = promote(*[v for v in (x, low, high) if v is not None])
            if dtype.kind == "b" and not any(isinstance(v, ARRAYS) for v in (low, high)):
                sides = "_".join(name for name, v in (("min", low), ("max", high)) if v is not None)
                raise not_implemented(f"clamp_{sides}_scalar_cpu".replace("min_max_", ""), dtype)
            low, high = (v if v is None or type(v) in DEVICES else fitting(v, dtype) for v in (low, high))
        if dtype is None and low is not None and high is not None and is_dense(x):
            y = kernels_for(x).elementwise(scalars.clamp, (low, high), x)
        else:
            y = x if low is None else boxed(binary(np.maximum, x, low, dtype))
            y = y if high is None else binary(np.minimum, y, high, dtype)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(*_passed(x, low, high, ctx.needs_input_grad))
        return y

    @staticmethod
    def backward(ctx, dy):
        return tuple(None if passed is None else where(passed, dy, 0.0) for passed in ctx.saved_tensors)


def _passed(x, low, high, needed):
    """Where the gradient goes to x, to the lower and to the upper limit; None where none is asked for."""
    above = True if low is None else np.greater_equal(x, low)
    below = True if high is None else np.less_equal(x, high)
    to_low = to_high = None
    if needed[1]:
        to_low = np.less(x, low) if high is None else np.less(x, low) & np.less(low, high)
    if needed[2]:
        to_high = np.greater(x, high) if low is None else np.greater(x, high) | np.less(high, low)
    masks = above & below if needed[0] else None, to_low, to_high
    return [None if mask is None else boxed(mask) for mask in masks]


@both()
def maximum(input, other):
    """The larger of the two, element by element; NaN if either is NaN (`torch.maximum`).

    >>> import minigrad
    >>> minigrad.maximum(minigrad.tensor([1.0, 5.0]), minigrad.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    only_tensors("maximum", input=input, other=other)
    return Extremum.apply(input, other, True)


@both()
def minimum(input, other):
    """The smaller of the two, element by element; NaN if either is NaN (`torch.minimum`).

    >>> import minigrad
    >>> minigrad.minimum(minigrad.tensor([1.0, 5.0]), minigrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    only_tensors("minimum", input=input, other=other)
    return Extremum.apply(input, other, False)


@both()
def fmax(input, other):
    """The larger of the two, element by element; NaN only if both are NaN (`torch.fmax`).

    >>> import minigrad
    >>> minigrad.fmax(minigrad.tensor([1.0, float("nan")]), minigrad.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    only_tensors("fmax", input=input, other=other)
    return NumericExtremum.apply(input, other, True)


@both()
def fmin(input, other):
    """The smaller of the two, element by element; NaN only if both are NaN (`torch.fmin`).

    >>> import minigrad
    >>> minigrad.fmin(minigrad.tensor([1.0, float("nan")]), minigrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    only_tensors("fmin", input=input, other=other)
    return NumericExtremum.apply(input, other, False)


@both("clip", inplace=True)
def clamp(input, min=None, max=None):
    """`input` limited to `[min, max]`, numbers or tensors; either limit may be left out (`torch.clamp`).

    Where `min` is above `max`, the result is `max`; NaN in the input or a limit gives NaN.

    >>> import minigrad
    >>> minigrad.tensor([-1.0, 0.5, 2.0]).clamp(0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    >>> minigrad.tensor([-1.0, 0.5]).clamp(max=minigrad.tensor([-2.0, 1.0]))
    tensor([-2.0000,  0.5000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return Clamp.apply(input, min, max)


@both(inplace=True)
def clamp_min(input, min):
    """`input`, but at least `min`, a number or a tensor (`torch.clamp_min`).

    >>> import minigrad
    >>> minigrad.tensor([-1.0, 2.0]).clamp_min(0)
    tensor([0., 2.])
    """
    return Clamp.apply(input, _limit("min", min), None)


@both(inplace=True)
def clamp_max(input, max):
    """`input`, but at most `max`, a number or a tensor (`torch.clamp_max`).

    >>> import minigrad
    >>> minigrad.tensor([-1.0, 2.0]).clamp_max(0)
    tensor([-1.,  0.])
    """
    return Clamp.apply(input, None, _limit("max", max))


def _limit(name, limit):
    if limit is None:
        raise TypeError(f"clamp_{name}() needs a limit\nhint: {name} is None; pass a number or a tensor")
    return limit
