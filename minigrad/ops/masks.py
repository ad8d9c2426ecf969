"""Picking and replacing where a mask holds, and finding what is not zero."""

import numpy as np

from minigrad.autograd import Tensor
from minigrad.autograd.dtypes import TORCH_NAMES

from .choice import where
from .index import Pick, PutAt
from .registry import both
from .shape import broadcast_shapes, expand, reshape


def _together(input, mask):
    """Both expanded to the shape they broadcast to."""
    shape = broadcast_shapes(mask._array.shape, input._array.shape)
    return tuple([x if x._array.shape == shape else expand(x, shape) for x in (input, mask)])


@both(inplace=True)
def masked_fill(input, mask, value):
    """`input` with `value`, a number or a 0-d tensor, where the bool `mask` holds (`torch.masked_fill`).

    >>> import minigrad
    >>> minigrad.ones(2).masked_fill(minigrad.tensor([True, False]), 0.0)
    tensor([0., 1.])
    """
    if mask._array.dtype != bool:
        names = {"int64": "long int", "float32": "float", "float64": "double", "int32": "int", "uint8": "unsigned char"}
        raise RuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{names.get(str(mask.dtype), mask.dtype)}"
        )
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    value = (
        value.to(input.dtype)
        if isinstance(value, Tensor)
        else Tensor._wrap(np.asarray(value, input.dtype, like=input._array))
    )
    return where(mask, value, input)


@both()
def masked_select(input, mask):
    """The elements of `input` where the bool `mask`, which broadcasts with it, holds; 1-d (`torch.masked_select`).

    >>> import minigrad
    >>> minigrad.arange(4).masked_select(minigrad.tensor([True, False, True, False]))
    tensor([0, 2])
    """
    if mask._array.dtype != bool:
        raise RuntimeError(f"masked_select: expected BoolTensor for mask\nhint: it is {mask.dtype}; compare it with 0")
    input, mask = _together(input, mask)
    return Pick.apply(input, (mask._array.copy(),)) if input.ndim else Pick.apply(*_vector(input, mask))


def _vector(input, mask):
    """A 0-d input and mask as vectors."""
    return reshape(input, 1), (mask._array.reshape(1).copy(),)


@both(inplace=True)
def masked_scatter(input, mask, source):
    """`input` with the first elements of `source`, in their order, where the bool `mask` holds.

    Source: `torch.masked_scatter`.

    >>> import minigrad
    >>> minigrad.zeros(3).masked_scatter(minigrad.tensor([True, False, True]), minigrad.tensor([5.0, 6.0, 7.0]))
    tensor([5., 0., 6.])
    """
    if mask._array.dtype != bool:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{TORCH_NAMES[input.dtype]} and {TORCH_NAMES[source.dtype]}"
        )
    input, mask = _together(input, mask)
    count = int(np.count_nonzero(mask._array))
    if source.numel() < count:
        raise RuntimeError(
            f"Number of elements of source < number of ones in mask\nhint: the mask holds {count} times, the source "
            f"has {source.numel()} elements"
        )
    values = reshape(source, -1).narrow(0, 0, count)
    if input.ndim == 0:
        return reshape(PutAt.apply(reshape(input, 1), values, (mask._array.reshape(1).copy(),)), ())
    return PutAt.apply(input, values, (mask._array.copy(),))


@both()
def nonzero(input, *, as_tuple=False):
    """The indices of the nonzero elements, one a row, or a tuple of one tensor a dimension (`torch.nonzero`).

    >>> import minigrad
    >>> minigrad.tensor([0, 3, 5]).nonzero()
    tensor([[1],
            [2]])
    """
    if as_tuple:
        return tuple([Tensor._wrap(index) for index in np.nonzero(np.atleast_1d(input._array))])
    return Tensor._wrap(np.argwhere(input._array))


@both()
def argwhere(input):
    """The indices of the nonzero elements, one a row (`torch.argwhere`).

    >>> import minigrad
    >>> minigrad.argwhere(minigrad.tensor([0, 3, 5]))
    tensor([[1],
            [2]])
    """
    return nonzero(input)
