"""What the order of the elements decides: medians, k-th smallest elements, most frequent values, quantiles."""

from collections import namedtuple

import numpy as np

from minigrad.autograd import Tensor, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, boxed
from minigrad.kernels import kernels_for

from .choice import where
from .creation import zeros
from .maxima import ExtremeOfAll
from .reduction import require_size
from .registry import both, numpy_names

KthvalueResult = namedtuple("KthvalueResult", ["values", "indices"])
MedianResult = namedtuple("MedianResult", ["values", "indices"])
ModeResult = namedtuple("ModeResult", ["values", "indices"])
NanmedianResult = namedtuple("NanmedianResult", ["values", "indices"])


class Middle(ExtremeOfAll):
    """The lower median of all elements; equal ones share the gradient evenly."""

    formula = "dx = dy / m at each of the m elements equal to y"

    @staticmethod
    def forward(ctx, x, ignore_nan):
        nans = int(np.count_nonzero(x != x))
        if x.size == 0 or (nans and not ignore_nan):
            y = np.asarray(np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype, like=x)
        else:
            k = max(x.size - nans - 1, 0) // 2
            y = boxed(np.partition(x, k, axis=None)[k])
        ctx.save_for_backward(x, y)
        return y


def _rows(x, axis):
    """`x` as rows along an axis, in a dtype that keeps its order and that the kernels know."""
    rows = np.moveaxis(x, axis, -1)
    return rows.reshape(-1, rows.shape[-1]).astype(np.float64 if x.dtype.kind == "f" else np.int64)


def _pick(input, axis, keepdim, position, result):
    """The named tuple of the elements along an axis at the positions that `position(rows)` finds."""
    if input.ndim == 0:
        return result(input.clone(), zeros((), dtype=np.dtype(np.int64), device=input.device))
    shape = list(input._array.shape)
    shape[axis] = 1
    indices = Tensor._wrap(boxed(position(_rows(input._array, axis))).astype(np.int64, copy=False).reshape(shape))
    values = input.gather(axis, indices)
    return result(values, indices) if keepdim else result(values.squeeze(axis), indices.squeeze(axis))


def _forbid_bool(name, input):
    if input._array.dtype == bool:
        raise NotImplementedError(
            f"\"{name}_cpu\" not implemented for '{TORCH_NAMES[input._array.dtype]}'\nhint: convert it, for example "
            "with .long()"
        )


def _median(input, dim, keepdim, ignore_nan, result):
    _forbid_bool("median", input)
    if dim is None:
        return Middle.apply(input, ignore_nan)
    axis = check_dim(dim, input.ndim)
    if input.ndim:
        require_size("median()", input._array.shape, (axis,))
    return _pick(input, axis, keepdim, lambda rows: _middle_positions(rows, ignore_nan), result)


def _middle_positions(rows, ignore_nan):
    """Position of the lower median of every row once it is (stably) sorted; of the first NaN unless NaN is ignored."""
    nan = rows != rows
    numbers = rows.shape[1] - nan.sum(1, keepdims=True)
    place = np.maximum(numbers - 1, 0) // 2
    if nan.any():  # NaN is sorted to the end
        place = place if ignore_nan else np.where(numbers < rows.shape[1], numbers, place)
        ordered = np.sort(rows, axis=1)
    else:
        ordered = np.partition(rows, (rows.shape[1] - 1) // 2, axis=1)
    value = np.take_along_axis(ordered, place, 1)
    lost = value != value
    rank = np.where(lost, 0, place - (rows < value).sum(1, keepdims=True))
    equal = np.where(lost, nan, rows == value)
    return np.argmax(np.cumsum(equal, axis=1) > rank, axis=1)


@both()
@numpy_names
def median(input, dim=None, keepdim=False):
    """The lower median of all elements; with `dim` the named tuple (values, indices) along it; NaN if there is one.

    Source: `torch.median`.

    >>> import minigrad
    >>> minigrad.median(minigrad.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    >>> minigrad.median(minigrad.tensor([4.0, 1.0, 3.0]), dim=0)
    MedianResult(values=tensor(3.), indices=tensor(2))
    """
    return _median(input, dim, keepdim, False, MedianResult)


@both()
@numpy_names
def nanmedian(input, dim=None, keepdim=False):
    """The lower median of all elements but NaN; with `dim` the named tuple (values, indices) (`torch.nanmedian`).

    >>> import minigrad
    >>> minigrad.nanmedian(minigrad.tensor([4.0, float("nan"), 3.0]))
    tensor(3.)
    """
    return _median(input, dim, keepdim, True, NanmedianResult)


@both()
@numpy_names
def kthvalue(input, k, dim=-1, keepdim=False):
    """The named tuple (values, indices) of the `k`-th smallest elements along `dim`, from 1 (`torch.kthvalue`).

    >>> import minigrad
    >>> minigrad.kthvalue(minigrad.tensor([4.0, 1.0, 3.0]), 2)
    KthvalueResult(values=tensor(3.), indices=tensor(2))
    """
    axis = check_dim(dim, input.ndim)
    if input.ndim:
        require_size("kthvalue()", input._array.shape, (axis,))
    size = input._array.shape[axis] if input.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(
            f"kthvalue(): selected number k out of range for dimension {axis}\nhint: k counts from 1, is {k}, and "
            f"dimension {axis} has {size} elements"
        )
    _forbid_bool("kthvalue", input)
    return _pick(input, axis, keepdim, lambda rows: kernels_for(rows).kth_smallest(rows, k - 1), KthvalueResult)


@both()
@numpy_names
def mode(input, dim=-1, keepdim=False):
    """The named tuple (values, indices) of the most frequent values along `dim`, the smallest of equally frequent ones.

    The index is that of the last occurrence; each NaN counts as a value of its own. Source: `torch.mode`.

    >>> import minigrad
    >>> minigrad.mode(minigrad.tensor([1, 2, 2, 1, 3]))
    ModeResult(values=tensor(1), indices=tensor(3))
    """
    axis = check_dim(dim, input.ndim)
    if input.ndim:
        require_size("mode()", input._array.shape, (axis,))
    return _pick(input, axis, keepdim, _most_frequent, ModeResult)


def _most_frequent(rows):
    """Position of the last element of the longest run of every row once it is sorted, of the first such run."""
    count, n = rows.shape
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, 1)
    places = np.arange(n, like=rows)
    starts = np.ones((count, n), bool, like=rows)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = places - np.maximum.accumulate(np.where(starts, places, 0), 1)  # how many equal ones stand before
    return np.take_along_axis(order, run.argmax(1)[:, None], 1)


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@both()
@numpy_names
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The `q`-quantiles, q in [0, 1] a number or a 1-d tensor, of all elements or along `dim` (`torch.quantile`).

    Between two elements `interpolation` is "linear", "lower", "higher", "midpoint" or "nearest". The result of a 1-d q
    has its size as first dimension; a row with NaN gives NaN.

    >>> import minigrad
    >>> minigrad.quantile(minigrad.tensor([1.0, 2.0, 4.0, 8.0]), minigrad.tensor([0.5, 1.0]))
    tensor([3., 8.])
    """
    return _quantile("quantile()", input, q, dim, keepdim, interpolation, False)


@both()
@numpy_names
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of the elements that are not NaN (`torch.nanquantile`).

    >>> import minigrad
    >>> minigrad.nanquantile(minigrad.tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2.)
    """
    return _quantile("nanquantile()", input, q, dim, keepdim, interpolation, True)


def _quantile(name, input, q, dim, keepdim, interpolation, ignore_nan):
    dtype = input._array.dtype
    if input._array.size == 0:
        raise RuntimeError(f"{name} input tensor must be non-empty")
    if dtype.kind != "f":
        raise RuntimeError(f"{name} input tensor must be either float or double dtype\nhint: use x.float()")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name} interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name} q must be in the range [0, 1] but got {q:g}")
        q = Tensor._wrap(np.asarray(q, dtype, like=input._array))
    if q.ndim > 1:
        raise RuntimeError(f"{name} q must be a scalar or 1D tensor")
    if q._array.dtype != dtype:
        raise RuntimeError(f"{name} q tensor must be same dtype as the input tensor\nhint: {q.dtype} and {dtype}")
    if not ((q._array >= 0) & (q._array <= 1)).all():
        raise RuntimeError(f"{name} q values must be in the range [0, 1]")
    if dim is None or input.ndim == 0:
        rows, rest = input.reshape(-1), (1,) * (input.ndim if keepdim else 0)
    else:
        axis = check_dim(dim, input.ndim)
        others = [d for d in range(input.ndim) if d != axis]
        rows = input.permute(*others, axis)
    below, above, last = _between(rows._array, q._array.reshape(-1), interpolation, ignore_nan)
    result = rows.gather(-1, Tensor._wrap(below[1]))
    if interpolation in ("linear", "midpoint"):
        upper = rows.gather(-1, Tensor._wrap(above[1]))
        if interpolation == "midpoint":
            weight = Tensor._wrap(np.full(below[0].shape, 0.5, dtype, like=below[0]))
        else:
            # a row with NaN has all its quantiles at its end, whatever q is
            weight = where(Tensor._wrap(last < 0), 0.0, q.reshape(-1) * Tensor._wrap(last) - Tensor._wrap(below[0]))
        result = where(weight < 0.5, result + weight * (upper - result), upper - (upper - result) * (1 - weight))
    if dim is None or input.ndim == 0:
        result = result.reshape(-1, *rest)
    else:
        result = result.permute(-1, *range(result.ndim - 1))  # the quantiles first
        result = result.unsqueeze(axis + 1) if keepdim else result
    return result if q.ndim else result.squeeze(0)


def _between(rows, q, interpolation, ignore_nan):
    """What each quantile of every row lies between: ((rank, position) below, (rank, position) above, last rank).

    Ranks count in the sorted row; the last rank is -1 for rows with NaN, whose quantiles are all at the end.
    """
    nan, n = np.isnan(rows), rows.shape[-1]
    last = (
        np.maximum(n - nan.sum(-1, keepdims=True) - 1, 0)
        if ignore_nan
        else np.full((*rows.shape[:-1], 1), n - 1, like=rows)
    )
    last = last.astype(rows.dtype)
    rank = q * last
    if not ignore_nan:
        lost = nan.any(-1, keepdims=True)
        rank, last = np.where(lost, rows.dtype.type(n - 1), rank), np.where(lost, rows.dtype.type(-1), last)
    if interpolation in ("lower", "higher", "nearest"):
        rank = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}[interpolation](rank)
    order = np.argsort(rows, axis=-1, kind="stable")
    ends = [end(rank) for end in (np.floor, np.ceil)]
    below, above = ((end, np.take_along_axis(order, end.astype(np.int64), -1)) for end in ends)
    return below, above, last
