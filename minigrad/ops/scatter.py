"""Picking and placing single elements along one dimension: gather, and scatter with its reductions."""

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim
from minigrad.kernels import kernels_for
from minigrad.kernels.device import capturing

from .choice import where
from .creation import zeros, zeros_like
from .division import Rounded
from .registry import both
from .shape import reshape
from .views import Slice, Unview, wide


def _three_axes(x, axis):
    """`x` as (before, along, after) the axis."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    return x.reshape(int(np.prod(before)), x.shape[axis], int(np.prod(after)))


def _corner(shape, axis):
    """The plain index of the part of a tensor that an index of `shape` reaches, all along `axis`."""
    return tuple([slice(None) if d == axis else slice(n) for d, n in enumerate(shape)])


def _gathered(x, axis, index):
    """The elements of array `x` that `index` names along an axis."""
    if index.size == 0:
        return np.empty(index.shape, x.dtype, like=x)
    cells = _three_axes(wide(x[_corner(index.shape, axis)]), axis)
    y = kernels_for(x).gather(cells, _three_axes(index.astype(np.int64, copy=False), axis))
    return y.reshape(index.shape).astype(x.dtype, copy=False)


def _scattered(x, axis, index, src, reduction):
    """A copy of array `x` into which `src`, or the corner of it that `index` covers, is scattered along an axis."""
    y = x.copy()
    if index.size:
        corner = _corner(index.shape, axis)
        cells = _three_axes(wide(x[corner]), axis)
        new = _three_axes(wide(src[tuple([slice(n) for n in index.shape])]), axis)
        places = _three_axes(index.astype(np.int64, copy=False), axis)
        y[corner] = kernels_for(x).scatter(cells, places, new, reduction).reshape(y[corner].shape)
    return y


class Gather(Operation):
    """y[i, j] = x[index[i, j], j], here along dimension 0"""

    formula = "dx[index[i, j], j] += dy[i, j]"

    @staticmethod
    def forward(ctx, x, axis, index):
        ctx.shape, ctx.axis = x.shape, axis
        ctx.save_for_backward(index)
        return _gathered(x, axis, index)

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        return Scatter.apply(zeros(ctx.shape, dtype=dy.dtype, device=dy.device), ctx.axis, index, dy, "sum")


class Scatter(Operation):
    """x with source[i, j] written, or added, at [index[i, j], j], here along dimension 0"""

    formula = "dx = dy (0 where written), dsource[i, j] = dy[index[i, j], j]"

    @staticmethod
    def forward(ctx, x, axis, index, source, reduction):
        ctx.axis, ctx.source_shape, ctx.reduction = axis, source.shape, reduction
        ctx.save_for_backward(index)
        return _scattered(x, axis, index, source, reduction)

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        dx, dsource = dy, None
        if ctx.needs_input_grad[0] and ctx.reduction == "set":
            dx = Scatter.apply(dy, ctx.axis, index, zeros(index.shape, dtype=dy.dtype, device=dy.device), "set")
        if ctx.needs_input_grad[3]:
            dsource = _grown(Gather.apply(dy, ctx.axis, index), ctx.source_shape)
        return dx, None, None, dsource


def _grown(part, shape):
    """`part` as the first corner of zeros of `shape`."""
    if part._array.shape == shape:
        return part
    return Unview.apply(part, shape, Slice, tuple([slice(n) for n in part._array.shape]))


def _reached(part, index):
    """The first corner of `part` that `index` covers."""
    if part._array.shape == index._array.shape:
        return part
    return Slice.apply(part, tuple([slice(n) for n in index._array.shape]))


class ScatterReduce(Operation):
    """x with source[i, j] multiplied into, or compared with, [index[i, j], j], here along dimension 0"""

    formula = "dx = dy · y / x, dsource = (dy · y)[index] / source (prod); dy shared by the extrema (amax, amin)"

    @staticmethod
    def forward(ctx, x, axis, index, source, reduction, include_self):
        ctx.settings = axis, reduction, include_self
        start = x if include_self else _scattered(x, axis, index, _neutral(reduction, x.dtype, index.shape, x), "set")
        y = _scattered(start, axis, index, source, reduction)
        ctx.save_for_backward(x, index, source, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, index, source, y = ctx.saved_tensors
        axis, reduction, include_self = ctx.settings
        pulled, shape = _reached(source, index), source._array.shape
        if reduction == "prod":
            dx, dsource = _prod_gradients(dy, x, index, pulled, y, axis, include_self)
        else:
            from_x = (x == y).to(dy.dtype)
            from_source = (pulled == Gather.apply(y, axis, index)).to(dy.dtype)
            share = dy / Scatter.apply(from_x, axis, index, from_source, "sum")
            dx, dsource = from_x * share, from_source * Gather.apply(share, axis, index)
        if not include_self:
            dx = Scatter.apply(dx, axis, index, zeros(index.shape, dtype=dy.dtype, device=dy.device), "set")
        return dx, None, None, _grown(dsource, shape)


def _prod_gradients(dy, x, index, source, y, axis, include_self):
    """The gradients of a product: as PyTorch, zeros are left out of it where they are the factor themselves."""
    without_x = where(x == 0, 1.0, x)
    dx = dy * ScatterReduce.apply(without_x, axis, index, source, "prod", include_self) / without_x
    zero = source == 0
    zeros_there = Gather.apply(Scatter.apply(zeros_like(x), axis, index, zero.to(dy.dtype), "sum"), axis, index)
    alone = zero & (zeros_there == 1)
    others = ScatterReduce.apply(x, axis, index, where(alone, 1.0, source), "prod", include_self)
    rest = Gather.apply(dy * y, axis, index) / where(zero, 1.0, source)
    return dx, where(alone, Gather.apply(dy * others, axis, index), rest)


def _neutral(reduction, dtype, shape, like):
    """An array of what changes nothing under a reduction, where `like` is."""
    if reduction in ("sum", "prod"):
        return np.full(shape, reduction == "prod", dtype, like=like)
    if dtype.kind == "b":
        return np.full(shape, reduction == "amin", like=like)
    if dtype.kind == "f":
        return np.full(shape, -np.inf if reduction == "amax" else np.inf, dtype, like=like)
    limits = np.iinfo(dtype)
    return np.full(shape, limits.min if reduction == "amax" else limits.max, dtype, like=like)


def _checked(name, input, axis, index, source=None):
    """An error in PyTorch's words unless index and source fit `input`."""
    kind = "input" if name == "gather" else "self"
    if index._array.size == 0:
        return
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index\nhint: it is {index.dtype}")
    if max(1, index.ndim) != max(1, input.ndim):
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as {kind} tensor\nhint: the shapes are "
            f"{tuple(index.shape)} and {tuple(input.shape)}"
        )
    if source is not None and max(1, index.ndim) != max(1, source.ndim):
        raise RuntimeError(
            "Index tensor must have the same number of dimensions as src tensor\nhint: the shapes are "
            f"{tuple(index.shape)} and {tuple(source.shape)}"
        )
    shapes = [tuple(x.shape) or (1,) for x in (index, input)]
    fits = all(a <= b for d, (a, b) in enumerate(zip(*shapes)) if d != axis)
    if name == "gather" and not fits:
        dim = next(d for d, (a, b) in enumerate(zip(*shapes)) if d != axis and a > b)
        raise RuntimeError(
            f"Size does not match at dimension {dim} expected index {list(index.shape)} to be no larger than self "
            f"{list(input.shape)} apart from dimension {axis}"
        )
    if not fits or (source is not None and any(a > b for a, b in zip(shapes[0], tuple(source.shape) or (1,)))):
        also = "" if source is None else f" and to be no larger size than src {list(source.shape)}"
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension "
            f"{axis}{also}"
        )
    if capturing():  # the host cannot look
        return
    low, high, size = index._array.min(), index._array.max(), shapes[1][axis]
    if low < 0 or high >= size:
        raise RuntimeError(
            f"index {low if low < 0 else high} is out of bounds for dimension {axis} with size {size}"
            f"\nhint: indices here are 0 to {size - 1}"
        )


def _vector(x):
    return reshape(x, 1) if x.ndim == 0 else x


@both()
def gather(input, dim, index, *, sparse_grad=False):
    """The elements that `index` names along `dim`; result of the index's shape (`torch.gather`).

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).gather(1, minigrad.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    axis = check_dim(dim, input.ndim)
    _checked("gather", input, axis, index)
    if input.ndim and index.ndim:
        return Gather.apply(input, axis, index)
    return reshape(Gather.apply(_vector(input), axis, _vector(index)), index._array.shape)


def _scatter(name, input, dim, index, source, operation, *settings):
    """What every scatter does: checks, and 0-d tensors as vectors."""
    axis = check_dim(dim, input.ndim)
    _checked(name, input, axis, index, source)
    if index._array.size == 0:
        return input.clone()
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype\nhint: they are {input.dtype} and {source.dtype}"
        )
    if input.ndim and index.ndim and source.ndim:
        return operation.apply(input, axis, index, source, *settings)
    return reshape(
        operation.apply(_vector(input), axis, _vector(index), _vector(source), *settings), input._array.shape
    )


@both(inplace=True)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """`input` with `src`, a tensor or a number, at the places that `index` names along `dim` (`torch.scatter`).

    With `reduce` "add" or "multiply" it is added or multiplied there. The index may be smaller than both tensors.
    Where it names a place several times, the last one stays.

    >>> import minigrad
    >>> minigrad.zeros(3).scatter(0, minigrad.tensor([2, 0]), minigrad.tensor([5.0, 6.0]))
    tensor([6., 0., 5.])
    """
    src = value if src is None else src
    if not isinstance(src, Tensor):
        axis = check_dim(dim, input.ndim)
        _checked("scatter", input, axis, index)
        src = Tensor._wrap(np.full(index._array.shape, src, input.dtype, like=input._array))
    if reduce is None:
        return _scatter("scatter", input, dim, index, src, Scatter, "set")
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if reduce == "add":
        return _scatter("scatter", input, dim, index, src, Scatter, "sum")
    return _scatter("scatter", input, dim, index, src, ScatterReduce, "prod", True)


@both(inplace=True)
def scatter_add(input, dim, index, src):
    """`input` with `src` added at the places that `index` names along `dim` (`torch.scatter_add`).

    >>> import minigrad
    >>> minigrad.zeros(3).scatter_add(0, minigrad.tensor([0, 0, 2]), minigrad.ones(3))
    tensor([2., 0., 1.])
    """
    return _scatter("scatter", input, dim, index, src, Scatter, "sum")


@both(inplace=True)
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """`input` with `src` reduced into the places that `index` names along `dim` (`torch.scatter_reduce`).

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; without `include_self` the old values of these places do not
    count.

    >>> import minigrad
    >>> minigrad.ones(2).scatter_reduce(0, minigrad.tensor([0, 0, 1]), minigrad.tensor([3.0, 5.0, -1.0]), "amax")
    tensor([5., 1.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if reduce in ("prod", "amax", "amin"):
        return _scatter("scatter", input, dim, index, src, ScatterReduce, reduce, include_self)
    if index._array.size == 0:
        return input.clone()
    start = input if include_self else scatter(input, dim, index, value=0)
    total = _scatter("scatter", start, dim, index, src, Scatter, "sum")
    if reduce == "sum":
        return total
    ones = Tensor._wrap(np.ones(index._array.shape, np.int64, like=index._array))
    already = Tensor._wrap(np.full(input._array.shape, int(include_self), like=input._array))
    count = scatter_add(already, dim, index, ones)._array.clip(1)
    if input.dtype.kind != "f":
        return Rounded.apply(total, Tensor._wrap(count.astype(input.dtype)), "floor")
    return total / Tensor._wrap(count.astype(input.dtype))
