"""Order: sorting, the largest elements, and places in a sorted sequence. NaN counts as the largest value."""

import math
from collections import namedtuple

import numpy as np

from minigrad.autograd import Tensor, check_dim, get_default_dtype
from minigrad.autograd.dtypes import TORCH_NAMES, promote_types
from minigrad.kernels import kernels_for

from .registry import both, function
from .scatter import Gather
from .views import wide

SortResult = namedtuple("SortResult", ["values", "indices"])
TopKResult = namedtuple("TopKResult", ["values", "indices"])


def _order(x, axis, descending):
    """The indices that sort an array along an axis, equal elements in their order."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


def _largest(x, k, axis, largest, ordered):
    """The indices of the k largest (or smallest) elements of an array along an axis."""
    last = np.moveaxis(wide(x), axis, -1)
    found = kernels_for(x).top_k(last.reshape(math.prod(last.shape[:-1]), last.shape[-1]), k, largest, ordered)
    return np.moveaxis(found.reshape(*last.shape[:-1], k), -1, axis)


def _sorted(input, dim, descending):
    """(values, indices) of the elements along `dim` in the given order."""
    axis = check_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.clone(), Tensor._wrap(np.zeros((), np.int64, like=input._array))
    indices = Tensor._wrap(np.asarray(_order(input._array, axis, descending), order="C", like=input._array))
    return Gather.apply(input, axis, indices), indices


@both()
def sort(input, dim=-1, descending=False, *, stable=False):
    """`(values, indices)` sorted along `dim`, equal elements always in their order (`torch.sort`).

    >>> import minigrad
    >>> minigrad.sort(minigrad.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    return SortResult(*_sorted(input, dim, descending))


@both()
def argsort(input, dim=-1, descending=False, *, stable=False):
    """The indices that sort along `dim`, equal elements always in their order (`torch.argsort`).

    >>> import minigrad
    >>> minigrad.tensor([3, 1, 2]).argsort(descending=True)
    tensor([0, 2, 1])
    """
    axis = check_dim(dim, input.ndim)
    if input.ndim == 0:
        return Tensor._wrap(np.zeros((), np.int64, like=input._array))
    return Tensor._wrap(_order(input._array, axis, descending))


@both()
def msort(input):
    """The values sorted along dimension 0 (`torch.msort`).

    >>> import minigrad
    >>> minigrad.msort(minigrad.tensor([3, 1, 2]))
    tensor([1, 2, 3])
    """
    return _sorted(input, 0, False)[0]


@both()
def topk(input, k, dim=-1, largest=True, sorted=True):
    """`(values, indices)` of the `k` largest (or smallest) elements along `dim`, in order unless `sorted` is False.

    Among equals, PyTorch's choice and order are matched. Source: `torch.topk`.

    >>> import minigrad
    >>> minigrad.topk(minigrad.tensor([3, 1, 2]), 2).values
    tensor([3, 2])
    """
    axis = check_dim(dim, input.ndim)
    if not 0 <= k <= (input._array.shape[axis] if input.ndim else 1):
        raise RuntimeError(
            f"selected index k out of range\nhint: k is {k}, the dimension has "
            f"{input._array.shape[axis] if input.ndim else 1} elements"
        )
    if input.ndim == 0:
        return TopKResult(input.clone(), Tensor._wrap(np.zeros((), np.int64, like=input._array)))
    indices = Tensor._wrap(_largest(input._array, k, axis, largest, sorted))
    return TopKResult(Gather.apply(input, axis, indices), indices)


def _places(rows, values, right):
    """Where each value belongs in the sorted row of the same leading index: arrays (R, N) and (R, V).

    The same bisection as PyTorch's, so that NaN and rows that are not sorted give the same places.
    """
    low = np.zeros(values.shape, np.int64, like=values)
    high = np.full(values.shape, rows.shape[1], np.int64, like=values)
    line = np.arange(len(rows), like=rows)[:, None]
    while (searching := low < high).any():
        middle = low + (high - low) // 2
        seen = rows[line, np.minimum(middle, rows.shape[1] - 1)]
        beyond = searching & ~((seen > values) if right else (seen >= values))
        high = np.where(searching & ~beyond, middle, high)
        low = np.where(beyond, middle + 1, low)
    return low


def _as_values(input, boundaries):
    """A tensor of values to place: a number gets the dtype of the boundaries' category."""
    if isinstance(input, Tensor):
        return input
    dtype = np.int64 if isinstance(input, (int, np.integer)) else get_default_dtype()
    return Tensor._wrap(np.asarray(input, promote_types(np.dtype(dtype), boundaries.dtype), like=boundaries._array))


@function
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where each value of `input` belongs in the sorted last dimension of `sorted_sequence`, int64 or int32.

    Equal values come after the place (with `right`, or `side="right"`, before it). The sequence is 1-d, or has the
    leading dimensions of `input`; `sorter` lists the indices that sort it, if it is not sorted itself. Source:
    `torch.searchsorted`.

    >>> import minigrad
    >>> minigrad.searchsorted(minigrad.tensor([1, 3, 5]), minigrad.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if right and side == "left":
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    sequence, number = sorted_sequence._array, not isinstance(input, Tensor)
    if sequence.ndim == 0:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    values = _as_values(input, sorted_sequence)._array
    if sequence.ndim != 1 and (number or values.ndim == 0):
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries tensor dim({sequence.ndim}) and input value's dim({values.ndim}) numel({values.size})"
        )
    if sequence.ndim != 1 and sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(sequence.shape)} and input "
            f"value tensor {list(values.shape)}"
        )
    if sorter is not None:
        sequence = np.take_along_axis(sequence, _checked_sorter(sequence, sorter), -1)
    rows = sequence.reshape(-1, sequence.shape[-1]) if sequence.size else sequence.reshape(1, 0)
    wanted = values.reshape(len(rows), -1) if values.size else values.reshape(1, 0)
    if len(wanted) != len(rows) or 0 in (rows.size, wanted.size):
        found = np.zeros(values.shape, np.int64, like=values)
    else:
        dtype = promote_types(rows.dtype, wanted.dtype)
        found = _places(rows.astype(dtype), wanted.astype(dtype), right or side == "right").reshape(values.shape)
    return Tensor._wrap(found.astype(np.int32) if out_int32 else found)


def _checked_sorter(sequence, sorter):
    """The sorter's array, in PyTorch's words if it does not fit."""
    order = sorter._array
    if order.shape != sequence.shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(sequence.shape)}and got sorter tensor {list(order.shape)}"
        )
    if order.dtype != np.int64:
        raise RuntimeError(
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {TORCH_NAMES[order.dtype]}"
        )
    if order.size and (order.min() < 0 or order.max() >= sequence.shape[-1]):
        raise RuntimeError("torch.searchsorted(): sorter index out of range")
    return order


@function
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the bucket between the sorted `boundaries` that each value falls into (`torch.bucketize`).

    A value equal to a boundary falls below it, with `right` above it.

    >>> import minigrad
    >>> minigrad.bucketize(minigrad.tensor([0, 3, 9]), minigrad.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
