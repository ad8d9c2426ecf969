"""Choices between two operands, element by element."""

import numpy as np

from minigrad.autograd import DEVICES, Operation, Tensor
from minigrad.kernels import kernels_for

from .arithmetic import alike, cast, no_broadcast, promote
from .registry import function, method

COMPILED = 1 << 11  # elements from which on a kernel chooses faster than NumPy


def _pair(condition, x, y):
    """(x, y) as the kernel wants them, arrays of one floating dtype; None where only NumPy serves."""
    arrays = [v for v in (x, y) if type(v) in DEVICES]
    dtype = arrays[0].dtype if arrays else None
    if (
        dtype is None
        or dtype.kind != "f"
        or any(v.dtype != dtype or v.shape not in ((), condition.shape) for v in arrays)
    ):
        return None
    return [v if type(v) in DEVICES else np.asarray(v, dtype, like=condition) for v in (x, y)]


class Where(Operation):
    """x where the condition holds, y elsewhere."""

    formula = "dx = dz where condition, dy = dz elsewhere"

    @staticmethod
    def forward(ctx, condition, x, y):
        ctx.save_for_backward(condition)
        if not alike(x, y):
            dtype = promote(x, y)
            x, y = cast(x, dtype), cast(y, dtype)
        if condition.size >= COMPILED and (pair := _pair(condition, x, y)) is not None:
            return kernels_for(condition).choose(condition, *pair)
        try:
            return np.where(condition, x, y)
        except ValueError:
            raise _apart(condition, x, y) from None

    @staticmethod
    def backward(ctx, dz):
        (condition,) = ctx.saved_tensors
        return (
            None,
            where(condition, dz, 0.0) if ctx.needs_input_grad[1] else None,
            where(condition, 0.0, dz) if ctx.needs_input_grad[2] else None,
        )


def _apart(*operands):
    """The error for the first two of the operands that do not broadcast."""
    for first, second in ((1, 2), (0, 1), (0, 2)):
        try:
            np.broadcast_shapes(np.shape(operands[first]), np.shape(operands[second]))
        except ValueError:
            return no_broadcast(operands[first], operands[second])
    common = np.broadcast_shapes(np.shape(operands[1]), np.shape(operands[2]))
    return no_broadcast(operands[0], np.broadcast_to(0, common))


@function
def where(condition, input=None, other=None):
    """`input` where the bool tensor `condition` holds, else `other` (`torch.where`); with one argument, `nonzero` as a
    tuple.

    >>> import minigrad
    >>> minigrad.where(minigrad.tensor([True, False]), minigrad.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    >>> minigrad.where(minigrad.tensor([0.0, 3.0, 4.0]))
    (tensor([1, 2]),)
    """
    if input is None and other is None:
        return tuple(Tensor._wrap(index) for index in np.nonzero(np.atleast_1d(condition._array)))
    if input is None or other is None:
        raise TypeError("where() needs both input and other, or neither\nhint: where(condition, input, other)")
    if condition._array.dtype.kind != "b":
        if condition._array.dtype != np.uint8:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
                "\nhint: compare first, for example condition != 0"
            )
        condition = condition != 0  # PyTorch still takes bytes
    return Where.apply(condition, input, other)


@method("where")
def _where(self, condition, other):
    """This tensor where the bool tensor `condition` holds, else `other` (`torch.Tensor.where`)."""
    return where(condition, self, other)
