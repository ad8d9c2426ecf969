"""Comparison and logic: bool results, through which no gradient flows. What works on bits is in `bitwise`."""

import numpy as np

from minigrad.autograd import Tensor, get_default_dtype
from minigrad.autograd.dtypes import TORCH_NAMES, boxed

from .arithmetic import binary, no_broadcast, only_tensors, operators
from .registry import both, function


def array_of(operand):
    """The array of a tensor; other operands as they are."""
    return operand._array if isinstance(operand, Tensor) else operand


def compare(ufunc, x, y):
    """`ufunc(x, y)` of two operands, outside the graph."""
    return Tensor._wrap(boxed(binary(ufunc, array_of(x), array_of(y))))


def _ask(ufunc, input):
    """A question about each element."""
    return Tensor._wrap(boxed(ufunc(input._array)))


@both(inplace=True)
def eq(input, other):
    """Whether each element is equal to `other`, a bool tensor (`torch.eq`).

    >>> import minigrad
    >>> minigrad.eq(minigrad.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return compare(np.equal, input, other)


@both("not_equal", inplace=True)
def ne(input, other):
    """Whether each element is different from `other`, a bool tensor (`torch.ne`).

    >>> import minigrad
    >>> minigrad.ne(minigrad.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return compare(np.not_equal, input, other)


@both("less", inplace=True)
def lt(input, other):
    """Whether each element is less than `other`, a bool tensor (`torch.lt`).

    >>> import minigrad
    >>> minigrad.lt(minigrad.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return compare(np.less, input, other)


@both("less_equal", inplace=True)
def le(input, other):
    """Whether each element is at most `other`, a bool tensor (`torch.le`).

    >>> import minigrad
    >>> minigrad.le(minigrad.tensor([1, 2]), 2)
    tensor([True, True])
    """
    return compare(np.less_equal, input, other)


@both("greater", inplace=True)
def gt(input, other):
    """Whether each element is greater than `other`, a bool tensor (`torch.gt`).

    >>> import minigrad
    >>> minigrad.gt(minigrad.tensor([1, 2]), 2)
    tensor([False, False])
    """
    return compare(np.greater, input, other)


@both("greater_equal", inplace=True)
def ge(input, other):
    """Whether each element is at least `other`, a bool tensor (`torch.ge`).

    >>> import minigrad
    >>> minigrad.ge(minigrad.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return compare(np.greater_equal, input, other)


@both(inplace=True)
def logical_and(input, other):
    """Whether both are nonzero, element by element (`torch.logical_and`).

    >>> import minigrad
    >>> minigrad.logical_and(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([False, False])
    """
    only_tensors("logical_and", input=input, other=other)
    return compare(np.logical_and, input, other)


@both(inplace=True)
def logical_or(input, other):
    """Whether at least one is nonzero, element by element (`torch.logical_or`).

    >>> import minigrad
    >>> minigrad.logical_or(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([ True, False])
    """
    only_tensors("logical_or", input=input, other=other)
    return compare(np.logical_or, input, other)


@both(inplace=True)
def logical_xor(input, other):
    """Whether exactly one is nonzero, element by element (`torch.logical_xor`).

    >>> import minigrad
    >>> minigrad.logical_xor(minigrad.tensor([True, False]), minigrad.tensor([False, False]))
    tensor([ True, False])
    """
    only_tensors("logical_xor", input=input, other=other)
    return compare(np.logical_xor, input, other)


@both(inplace=True)
def logical_not(input):
    """Whether each element is zero (`torch.logical_not`).

    >>> import minigrad
    >>> minigrad.logical_not(minigrad.tensor([0, 3]))
    tensor([ True, False])
    """
    return _ask(np.logical_not, input)


@both()
def isnan(input):
    """Whether each element is not a number (`torch.isnan`).

    >>> import minigrad
    >>> minigrad.isnan(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([False,  True, False])
    """
    return _ask(np.isnan, input)


@both()
def isinf(input):
    """Whether each element is infinite (`torch.isinf`).

    >>> import minigrad
    >>> minigrad.isinf(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([False, False,  True])
    """
    return _ask(np.isinf, input)


@both()
def isposinf(input):
    """Whether each element is ∞ (`torch.isposinf`).

    >>> import minigrad
    >>> minigrad.isposinf(minigrad.tensor([1.0, -float("inf"), float("inf")]))
    tensor([False, False,  True])
    """
    return _ask(np.isposinf, input)


@both()
def isneginf(input):
    """Whether each element is -∞ (`torch.isneginf`).

    >>> import minigrad
    >>> minigrad.isneginf(minigrad.tensor([1.0, -float("inf"), float("inf")]))
    tensor([False,  True, False])
    """
    return _ask(np.isneginf, input)


@both()
def signbit(input):
    """Whether each element has a minus sign, -0.0 too (`torch.signbit`).

    >>> import minigrad
    >>> minigrad.signbit(minigrad.tensor([1.0, -2.0, -0.0]))
    tensor([False,  True,  True])
    """
    return _ask(np.signbit, input) if input._array.dtype.kind == "f" else input < 0


@both()
def isreal(input):
    """Whether each element has no imaginary part: always (`torch.isreal`).

    >>> import minigrad
    >>> minigrad.isreal(minigrad.ones(2))
    tensor([True, True])
    """
    return _ask(np.isreal, input)


@both()
def isfinite(input):
    """Whether each element is finite (`torch.isfinite`).

    >>> import minigrad
    >>> minigrad.isfinite(minigrad.tensor([1.0, float("nan"), float("inf")]))
    tensor([ True, False, False])
    """
    return _ask(np.isfinite, input)


@both()
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether `|input - other| <= atol + rtol · |other|`, element by element, for tensors of one dtype.

    Source: `torch.isclose`.

    >>> import minigrad
    >>> minigrad.isclose(minigrad.tensor([1.0]), minigrad.tensor([1.0 + 1e-9]))
    tensor([True])
    """
    only_tensors("isclose", input=input, other=other)
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"{TORCH_NAMES[input.dtype]} did not match {TORCH_NAMES[other.dtype]}\nhint: use other.to(input.dtype)"
        )
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {tolerance}")
    x, y = (v._array if v.dtype.kind == "f" else v._array.astype(get_default_dtype()) for v in (input, other))
    try:
        close = boxed(input._array == other._array)
    except ValueError:
        raise no_broadcast(x, y) from None
    if equal_nan:
        close |= np.isnan(x) & np.isnan(y)
    with np.errstate(all="ignore"):
        error = np.abs(x - y)
        close |= np.isfinite(error) & (error <= atol + np.abs(rtol * y))
    return Tensor._wrap(close)


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
    only_tensors("equal", input=input, other=other)
    return bool(np.array_equal(input._array, other._array))


@function
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each of `elements` is among `test_elements`, tensors or numbers (`torch.isin`).

    >>> import minigrad
    >>> minigrad.isin(minigrad.tensor([1, 2, 3]), minigrad.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    x, among = array_of(elements), array_of(test_elements)
    x, among = (a if hasattr(a, "dtype") else np.asarray(a, like=b) for a, b in ((x, among), (among, x)))
    return Tensor._wrap(boxed(np.isin(x, among, assume_unique=assume_unique, invert=invert)))


for _comparison in (eq, ne, lt, le, gt, ge):
    operators(_comparison.__name__, _comparison)
