"""Comparison and logic: bool results, through which no gradient flows."""

import numpy as np

from minigrad.autograd import Operation, Tensor

from .arithmetic import binary
from .registry import both, function


class Compare(Operation):
    """A comparison or a logical function: bool or integer, so outside the graph."""

    formula = "no gradient: the result is not differentiable"

    @staticmethod
    def forward(ctx, ufunc, x, y):
        with np.errstate(invalid="ignore"):
            return binary(ufunc, x, y)


class Test(Operation):
    """A question about each element of one tensor."""

    formula = "no gradient: the result is not differentiable"

    @staticmethod
    def forward(ctx, ufunc, x):
        return ufunc(x)


@both("__eq__")
def eq(input, other):
    """Whether each element is equal to `other`, a bool tensor (`torch.eq`).

    >>> import minigrad
    >>> minigrad.eq(minigrad.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return Compare.apply(np.equal, input, other)


@both("__ne__", "not_equal")
def ne(input, other):
    """Whether each element is different from `other`, a bool tensor (`torch.ne`).

    >>> import minigrad
    >>> minigrad.ne(minigrad.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return Compare.apply(np.not_equal, input, other)


@both("__lt__", "less")
def lt(input, other):
    """Whether each element is less than `other`, a bool tensor (`torch.lt`).

    >>> import minigrad
    >>> minigrad.lt(minigrad.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return Compare.apply(np.less, input, other)


@both("__le__", "less_equal")
def le(input, other):
    """Whether each element is at most `other`, a bool tensor (`torch.le`).

    >>> import minigrad
    >>> minigrad.le(minigrad.tensor([1, 2]), 2)
    tensor([True, True])
    """
    return Compare.apply(np.less_equal, input, other)


@both("__gt__", "greater")
def gt(input, other):
    """Whether each element is greater than `other`, a bool tensor (`torch.gt`).

    >>> import minigrad
    >>> minigrad.gt(minigrad.tensor([1, 2]), 2)
    tensor([False, False])
    """
    return Compare.apply(np.greater, input, other)


@both("__ge__", "greater_equal")
def ge(input, other):
    """Whether each element is at least `other`, a bool tensor (`torch.ge`).

    >>> import minigrad
    >>> minigrad.ge(minigrad.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return Compare.apply(np.greater_equal, input, other)


@both()
def logical_and(input, other):
    """Whether both are nonzero, element by element (`torch.logical_and`).

    >>> import minigrad
    >>> minigrad.logical_and(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([False, False])
    """
    return Compare.apply(np.logical_and, input, other)


@both()
def logical_or(input, other):
    """Whether at least one is nonzero, element by element (`torch.logical_or`).

    >>> import minigrad
    >>> minigrad.logical_or(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([ True, False])
    """
    return Compare.apply(np.logical_or, input, other)


@both()
def logical_xor(input, other):
    """Whether exactly one is nonzero, element by element (`torch.logical_xor`).

    >>> import minigrad
    >>> minigrad.logical_xor(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([ True, False])
    """
    return Compare.apply(np.logical_xor, input, other)


@both()
def logical_not(input):
    """Whether each element is zero (`torch.logical_not`).

    >>> import minigrad
    >>> minigrad.logical_not(minigrad.tensor([0, 3]))
    tensor([ True, False])
    """
    return Test.apply(np.logical_not, input)


@both("__and__", "__rand__")
def bitwise_and(input, other):
    """Bitwise and of integers or bools (`torch.bitwise_and`).

    >>> import minigrad
    >>> minigrad.bitwise_and(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([2])
    """
    return Compare.apply(np.bitwise_and, input, other)


@both("__or__", "__ror__")
def bitwise_or(input, other):
    """Bitwise or of integers or bools (`torch.bitwise_or`).

    >>> import minigrad
    >>> minigrad.bitwise_or(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([7])
    """
    return Compare.apply(np.bitwise_or, input, other)


@both("__xor__", "__rxor__")
def bitwise_xor(input, other):
    """Bitwise exclusive or of integers or bools (`torch.bitwise_xor`).

    >>> import minigrad
    >>> minigrad.bitwise_xor(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([5])
    """
    return Compare.apply(np.bitwise_xor, input, other)


@both("__invert__")
def bitwise_not(input):
    """Bitwise complement of integers, negation of bools (`torch.bitwise_not`).

    >>> import minigrad
    >>> minigrad.bitwise_not(minigrad.tensor([True, False]))
    tensor([False,  True])
    """
    return Test.apply(np.invert, input)


@both()
def isnan(input):
    """Whether each element is not a number (`torch.isnan`).

    >>> import minigrad
    >>> minigrad.isnan(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([False,  True, False])
    """
    return Test.apply(np.isnan, input)


@both()
def isinf(input):
    """Whether each element is infinite (`torch.isinf`).

    >>> import minigrad
    >>> minigrad.isinf(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([False, False,  True])
    """
    return Test.apply(np.isinf, input)


@both()
def isfinite(input):
    """Whether each element is finite (`torch.isfinite`).

    >>> import minigrad
    >>> minigrad.isfinite(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([ True, False, False])
    """
    return Test.apply(np.isfinite, input)


@both()
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether `|input - other| <= atol + rtol · |other|`, element by element (`torch.isclose`).

    >>> import minigrad
    >>> minigrad.isclose(minigrad.tensor([1.0]), minigrad.tensor([1.0 + 1e-9]))
    tensor([True])
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"{input.dtype} did not match {other.dtype}")
    with np.errstate(all="ignore"):
        return Tensor._wrap(np.asarray(np.isclose(input._array, other._array, rtol, atol, equal_nan)))


@both()
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close, a Python bool (`torch.allclose`).

    >>> import minigrad
    >>> minigrad.allclose(minigrad.ones(2), minigrad.ones(2) + 1e-9)
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


@both()
def equal(input, other):
    """Whether shape and all elements agree, a Python bool (`torch.equal`).

    >>> import minigrad
    >>> minigrad.equal(minigrad.ones(2), minigrad.ones(3))
    False
    """
    return np.array_equal(input._array, other._array)


@function
def is_floating_point(input):
    """Whether the dtype is float32 or float64 (`torch.is_floating_point`).

    >>> import minigrad
    >>> minigrad.is_floating_point(minigrad.ones(2))
    True
    """
    return input.is_floating_point()
