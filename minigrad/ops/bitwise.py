"""Bits of integers, logic of bools with the operators `& | ^ ~ << >>`, and common divisors and multiples."""

import numpy as np

from minigrad.autograd import Tensor
from minigrad.autograd.dtypes import boxed

from .arithmetic import binary, not_implemented, operators, promote
from .comparison import array_of
from .registry import both


def _bits(ufunc, kernel, x, y, kinds="biu"):
    """`ufunc(x, y)` of whole numbers (and bools); PyTorch's error for other dtypes."""
    x, y = array_of(x), array_of(y)
    dtype = promote(x, y)
    if dtype.kind not in kinds:
        raise not_implemented(kernel, dtype, "bits belong to integers and bools")
    return Tensor._wrap(boxed(binary(ufunc, x, y, dtype)))


@both(inplace=True)
def bitwise_and(input, other):
    """Bitwise and of integers or bools (`torch.bitwise_and`).

    >>> import minigrad
    >>> minigrad.bitwise_and(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([2])
    """
    return _bits(np.bitwise_and, "bitwise_and_cpu", input, other)


@both(inplace=True)
def bitwise_or(input, other):
    """Bitwise or of integers or bools (`torch.bitwise_or`).

    >>> import minigrad
    >>> minigrad.bitwise_or(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([7])
    """
    return _bits(np.bitwise_or, "bitwise_or_cpu", input, other)


@both(inplace=True)
def bitwise_xor(input, other):
    """Bitwise exclusive or of integers or bools (`torch.bitwise_xor`).

    >>> import minigrad
    >>> minigrad.bitwise_xor(minigrad.tensor([3]), minigrad.tensor([6]))
    tensor([5])
    """
    return _bits(np.bitwise_xor, "bitwise_xor_cpu", input, other)


@both("__invert__", inplace=True)
def bitwise_not(input):
    """Bitwise complement of integers, negation of bools (`torch.bitwise_not`).

    >>> import minigrad
    >>> minigrad.bitwise_not(minigrad.tensor([True, False]))
    tensor([False,  True])
    """
    if input.dtype.kind == "f":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return Tensor._wrap(boxed(np.invert(input._array)))


@both(inplace=True)
def bitwise_left_shift(input, other):
    """The bits of integers moved up by `other` places, 0 if that is all of them (`torch.bitwise_left_shift`).

    >>> import minigrad
    >>> minigrad.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    return _bits(np.left_shift, "lshift_cpu", input, other, "iu")


@both(inplace=True)
def bitwise_right_shift(input, other):
    """The bits of integers moved down by `other` places, the sign kept (`torch.bitwise_right_shift`).

    >>> import minigrad
    >>> minigrad.tensor([-8, 8]) >> 2
    tensor([-2,  2])
    """
    return _bits(np.right_shift, "rshift_cpu", input, other, "iu")


@both(inplace=True)
def gcd(input, other):
    """The greatest common divisor of whole numbers, never negative; gcd(0, 0) is 0 (`torch.gcd`).

    >>> import minigrad
    >>> minigrad.gcd(minigrad.tensor([5, 10, -15]), minigrad.tensor([3, 4, 5]))
    tensor([1, 2, 5])
    """
    return _bits(np.gcd, "gcd_cpu", input, other, "iu")


@both(inplace=True)
def lcm(input, other):
    """The least common multiple of whole numbers, never negative; 0 if one of them is (`torch.lcm`).

    >>> import minigrad
    >>> minigrad.lcm(minigrad.tensor([5, 10, -15]), minigrad.tensor([3, 4, 5]))
    tensor([15, 20, 15])
    """
    return _bits(np.lcm, "lcm_cpu", input, other, "iu")


for _name, _run in (
    ("and", bitwise_and),
    ("or", bitwise_or),
    ("xor", bitwise_xor),
    ("lshift", bitwise_left_shift),
    ("rshift", bitwise_right_shift),
):
    operators(_name, _run, _run)
