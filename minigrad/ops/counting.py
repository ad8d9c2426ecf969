"""Counting: distinct elements, how often each number occurs, histograms. No gradient flows through these."""

import math

import numpy as np

from minigrad.autograd import Tensor, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES

from .registry import both


def _given(values, inverse, counts, return_inverse, return_counts):
    """The results that were asked for: a tensor, or a tuple of several."""
    results = [values] + [inverse] * bool(return_inverse) + [counts] * bool(return_counts)
    tensors = tuple([Tensor._wrap(np.asarray(x, order="C", like=x)) for x in results])
    return tensors if len(tensors) > 1 else tensors[0]


def _forbid_empty(name, array, axis):
    """PyTorch's error for slices that hold nothing."""
    if array.size == 0 and array.shape[axis] != 0:
        raise RuntimeError(
            f"There are 0 sized dimensions, and they aren't selected, so {name} cannot be applied\nhint: the shape is "
            f"{array.shape}"
        )


@both()
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in order, or the distinct entries of `dim`; where each went, and how many there were.

    A tensor, or a tuple `(values, inverse, counts)` of those asked for. Every NaN is distinct. Source: `torch.unique`.

    >>> import minigrad
    >>> minigrad.unique(minigrad.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array = input._array
    if dim is None:
        values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True, equal_nan=False)
        return _given(values, inverse.reshape(array.shape), counts, return_inverse, return_counts)
    axis = check_dim(dim, input.ndim)
    if array.ndim == 0:
        array = array.reshape(1)
    _forbid_empty("unique", array, axis)
    rows = _rows(array, axis)
    order = np.lexsort(rows.T[::-1]) if rows.size else np.arange(len(rows), like=rows)
    starts = _starts(rows[order])
    number = np.cumsum(starts) - 1
    inverse = np.empty(len(rows), np.int64, like=rows)
    inverse[order] = number
    values = array.take(order[starts], axis)
    inverse = inverse if input.ndim else inverse.reshape(())
    return _given(values, inverse, np.bincount(number), return_inverse, return_counts)


def _rows(array, axis):
    """The entries of an axis as rows, (entries, elements of each)."""
    rows = np.moveaxis(array, axis, 0)
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _starts(rows):
    """Whether each row differs from the one before; the first does."""
    return np.concatenate([np.ones(min(1, len(rows)), bool, like=rows), (rows[1:] != rows[:-1]).any(axis=1)])


@both()
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or the entries of `dim`) without those equal to the one before; where each went, and the counts.

    Source: `torch.unique_consecutive`.

    >>> import minigrad
    >>> minigrad.unique_consecutive(minigrad.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    array = input._array
    if dim is None:
        rows = array.reshape(-1, 1)
        starts = _starts(rows)
        values, shape = rows[starts, 0], array.shape
    else:
        axis = check_dim(dim, input.ndim)
        array = array.reshape(1) if array.ndim == 0 else array
        _forbid_empty("unique_consecutive", array, axis)
        starts = _starts(_rows(array, axis))
        values, shape = array.compress(starts, axis), starts.shape
    number = np.cumsum(starts) - 1
    return _given(values, number.reshape(shape), np.bincount(number), return_inverse, return_counts)


@both()
def bincount(input, weights=None, minlength=0):
    """How often each number occurs in a vector of whole numbers from 0 on, or the sum of their weights.

    int64 counts, or sums in the dtype of float32 `weights`, else float64; at least `minlength` of them. Source:
    `torch.bincount`.

    >>> import minigrad
    >>> minigrad.bincount(minigrad.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    array = input._array
    if array.dtype.kind not in "iu":
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{TORCH_NAMES[array.dtype]}'")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError(
            f"bincount only supports 1-d non-negative integral inputs.\nhint: the shape is {array.shape}"
        )
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    length = max(minlength, int(array.max()) + 1 if array.size else 0)
    if length >= 2**40:
        raise RuntimeError(f"bincount: {length} counters are too many\nhint: count the elements of unique() instead")
    if weights is None:
        return Tensor._wrap(np.bincount(array, minlength=minlength))
    if weights.ndim != 1 or weights.numel() != array.size:
        raise RuntimeError(
            f"weights should be 1-d and have the same length as input\nhint: the shapes are {tuple(weights.shape)} and "
            f"{array.shape}"
        )
    counts = np.bincount(array, weights._array, minlength)
    return Tensor._wrap(counts.astype(np.float32 if weights.dtype == np.float32 else np.float64))


@both()
def histc(input, bins=100, min=0, max=0):
    """How many elements fall into each of `bins` equal parts of [min, max], in the dtype of `input`.

    The range is that of the elements if both limits are equal; what lies outside, and NaN, is not counted. Source:
    `torch.histc`.

    >>> import minigrad
    >>> minigrad.histc(minigrad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    array = input._array
    if array.dtype.kind != "f":
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{TORCH_NAMES[array.dtype]}'")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if bins >= 2**40:
        raise RuntimeError(f"torch.histc: {bins} bins are too many")
    if min == max and array.size:
        min, max = float(array.min()), float(array.max())
    if not (np.isfinite(min) and np.isfinite(max)):
        raise RuntimeError(f"torch.histc: range of [{min}, {max}] is not finite")
    if min > max:
        raise RuntimeError("torch.histc: max must be larger than min")
    if min == max:
        min, max = min - 1, max + 1
    kind = array.dtype.type
    low, high = kind(min), kind(max)
    inside = array[(array >= low) & (array <= high)]
    place = ((inside - low) * kind(bins) / (high - low)).astype(np.int64)
    return Tensor._wrap(np.bincount(np.minimum(place, bins - 1), minlength=bins).astype(array.dtype))
