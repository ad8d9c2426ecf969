"""Indexing: `x[...]`, `x[...] = v`, and picking or placing elements by index tensors."""

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim

from .creation import zeros
from .inplace import assign
from .registry import both, method


class Slice(Operation):
    """x[...] with whole numbers, slices, None and ... : a view"""

    formula = "dx = dy in the chosen places, 0 elsewhere"
    is_view = True

    @staticmethod
    def forward(ctx, x, index):
        ctx.shape, ctx.index = x.shape, index
        return x[(*index, ...)] if Ellipsis not in index else x[index]

    @staticmethod
    def backward(ctx, dy):
        return Place.apply(dy, ctx.shape, ctx.index)


class Pick(Operation):
    """x[...] with index or mask arrays: a copy"""

    formula = "dx[index] += dy"

    @staticmethod
    def forward(ctx, x, index):
        ctx.shape, ctx.index = x.shape, index
        return x[index]

    @staticmethod
    def backward(ctx, dy):
        return Place.apply(dy, ctx.shape, ctx.index)


class Place(Operation):
    """Zeros of a shape into which x is added at an index: the adjoint of indexing"""

    formula = "dx = dy[index]"

    @staticmethod
    def forward(ctx, x, shape, index):
        ctx.index = index
        y = np.zeros(shape, x.dtype)
        if any(isinstance(i, np.ndarray) and i.dtype != bool for i in index):
            np.add.at(y, index, x)
        else:
            y[index] = x
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy[ctx.index]


class Gather(Operation):
    """y[i, j] = x[index[i, j], j], here along dimension 0"""

    formula = "dx[index[i, j], j] += dy[i, j]"

    @staticmethod
    def forward(ctx, x, axis, index):
        ctx.shape, ctx.axis = x.shape, axis
        ctx.save_for_backward(index)
        return x[_along(x, axis, index)]

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        return zeros(ctx.shape, dtype=dy.dtype).scatter_add(ctx.axis, index, dy)


class ScatterAdd(Operation):
    """x with source[i, j] added at [index[i, j], j], here along dimension 0"""

    formula = "dx = dy, dsource[i, j] = dy[index[i, j], j]"

    @staticmethod
    def forward(ctx, x, axis, index, source):
        ctx.axis = axis
        ctx.save_for_backward(index)
        y = x.copy()
        np.add.at(y, _along(y, axis, index), source[tuple([slice(n) for n in index.shape])])
        ctx.source_shape = source.shape
        return y

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        dsource = dy.gather(ctx.axis, index)
        if tuple(dsource.shape) != ctx.source_shape:
            dsource = Place.apply(dsource, ctx.source_shape, tuple([slice(n) for n in index.shape]))
        return dy, None, None, dsource


def _along(x, axis, index):
    """The fancy index that picks `index` along `axis` and counts up along the other axes."""
    return tuple(
        [
            index if d == axis else np.arange(n).reshape((1,) * d + (n,) + (1,) * (index.ndim - d - 1))
            for d, n in enumerate(index.shape)
        ]
    )


def _normal(index, shape):
    """An index as a tuple for NumPy, tensors as arrays, checked against `shape`; and whether it is a plain one."""
    index = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, list) and any(isinstance(j, (slice, type(None), type(...))) for j in i) for i in index):
        raise TypeError("an index holds a list of slices\nhint: use a tuple")
    result, basic = [], True
    for item in index:
        if isinstance(item, Tensor):
            item = item._array
            if item.dtype == np.uint8:
                item = item.astype(bool)
            if item.dtype.kind == "f":
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            if item.ndim == 0 and item.dtype != bool:
                item = int(item)
        elif isinstance(item, (list, range)):
            item = np.array(item if len(item) else [], dtype=None if len(item) else np.int64)
        elif isinstance(item, (bool, np.bool_)):
            item = np.asarray(item)
        elif isinstance(item, slice):
            item = slice(*[v if v is None else v.__index__() for v in (item.start, item.stop, item.step)])
            if item.step is not None and item.step <= 0:
                raise ValueError("step must be greater than zero")
        elif item is not None and item is not Ellipsis and not isinstance(item, np.ndarray):
            try:
                item = item.__index__()
            except AttributeError:
                raise TypeError(
                    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                    "(got "
                    f"{type(item).__name__})"
                ) from None
        basic = basic and not isinstance(item, np.ndarray)
        result.append(item)
    _check(result, shape)
    return tuple(result), basic


def _check(index, shape):
    """Too many indices, or one out of range, in PyTorch's words."""
    used = sum(
        item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else item is not None and item is not Ellipsis
        for item in index
    )
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    axis = 0
    for item in index:
        if item is None:
            continue
        if item is Ellipsis:
            axis += len(shape) - used
            continue
        if isinstance(item, np.ndarray) and item.dtype == bool:
            for d, n in enumerate(item.shape):
                if n != shape[axis + d]:
                    raise IndexError(
                        f"The shape of the mask {list(item.shape)} at index {d} does not match the shape of the "
                        "indexed tensor "
                        f"{list(shape)} at index {axis + d}"
                    )
            axis += item.ndim
            continue
        size = shape[axis]
        if isinstance(item, int) and not -size <= item < size:
            raise IndexError(f"index {item} is out of bounds for dimension {axis} with size {size}")
        if isinstance(item, np.ndarray) and item.size and (item.min() < -size or item.max() >= size):
            worst = item.max() if item.max() >= size else item.min()
            raise IndexError(f"index {worst} is out of bounds for dimension {axis} with size {size}")
        axis += 1


@method()
def __getitem__(self, index):
    """The elements that a NumPy- or PyTorch-style index picks: a view for numbers and slices, else a copy."""
    index, basic = _normal(index, self._array.shape)
    if basic:
        return Slice.apply(self, index)
    part, index = _without_numbers(self, index)
    return Pick.apply(part, index)


@method()
def __setitem__(self, index, value):
    """Write `value` (a number, or a tensor that broadcasts) where the index points, in place; gradients flow through
    both.
    """
    index, basic = _normal(index, self._array.shape)
    if not isinstance(value, Tensor):
        value = Tensor._wrap(np.asarray(value, dtype=self._array.dtype))
    part, index = (Slice.apply(self, index), ()) if basic else _without_numbers(self, index)
    target = part._array[index].shape
    while value.ndim > len(target) and value.shape[0] == 1:
        value = value.reshape(value.shape[1:])
    if basic:
        part.copy_(value.expand(target))
        return
    try:
        np.broadcast_to(value._array, target)
    except ValueError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result of "
            f"shape {list(target)}"
        ) from None
    assign(part, PutAt, value, index)


def _without_numbers(x, index):
    """(x, index) with the numbers beside index arrays applied first, as PyTorch does; NumPy counts them as arrays."""
    if not any(isinstance(item, int) for item in index):
        return x, index
    first, rest = [], []
    for item in index:
        if isinstance(item, np.ndarray):
            first += [slice(None)] * (item.ndim if item.dtype == bool else 1)
            rest.append(item)
        else:
            first.append(item)
            rest += [] if isinstance(item, int) else [item if item is Ellipsis else slice(None)]
    return Slice.apply(x, tuple(first)), tuple(rest)


class PutAt(Operation):
    """x with v written at an index"""

    formula = "dx = dy with 0 at the index, dv = dy[index]"

    @staticmethod
    def forward(ctx, x, v, index):
        ctx.index = index
        y = x.copy(order="K")
        y[index] = v
        return y

    @staticmethod
    def backward(ctx, dy):
        dx = PutAt.apply(dy, zeros((), dtype=dy.dtype), ctx.index) if ctx.needs_input_grad[0] else None
        return dx, (dy[ctx.index] if ctx.needs_input_grad[1] else None)


def _checked_index(input, axis, index):
    """An index tensor for gather and scatter: int64, of the same rank, within range."""
    if not isinstance(index, Tensor) or index._array.dtype.kind not in "iu":
        raise RuntimeError("gather(): Expected dtype int64 for index")
    if index.ndim != input.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, size) in enumerate(zip(index._array.shape, input._array.shape)):
        if d != axis and n > size:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {axis}"
            )
    if index._array.size and (index._array.min() < 0 or index._array.max() >= input._array.shape[axis]):
        worst = index._array.min() if index._array.min() < 0 else index._array.max()
        raise RuntimeError(f"index {worst} is out of bounds for dimension {axis} with size {input._array.shape[axis]}")
    return index


@both()
def gather(input, dim, index):
    """The elements that `index` names along `dim`; result of the index's shape (`torch.gather`).

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).gather(1, minigrad.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    if input.ndim == 0:
        return gather(input.reshape(1), dim, index.reshape(-1)).reshape(index.shape)
    axis = check_dim(dim, input.ndim)
    return Gather.apply(input, axis, _checked_index(input, axis, index))


@both(inplace=True)
def scatter_add(input, dim, index, src):
    """`input` with `src` added at the places that `index` names along `dim` (`torch.scatter_add`).

    >>> import minigrad
    >>> minigrad.zeros(3).scatter_add(0, minigrad.tensor([0, 0, 2]), minigrad.ones(3))
    tensor([2., 0., 1.])
    """
    if input.ndim == 0:
        return scatter_add(input.reshape(1), dim, index.reshape(-1), src.reshape(-1)).reshape(())
    axis = check_dim(dim, input.ndim)
    return ScatterAdd.apply(input, axis, _checked_index(input, axis, index), src)


@both()
def index_select(input, dim, index):
    """The entries of dimension `dim` listed in the 1-d `index` (`torch.index_select`).

    >>> import minigrad
    >>> minigrad.eye(3).index_select(0, minigrad.tensor([2]))
    tensor([[0., 0., 1.]])
    """
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if input.ndim == 0:
        return input.reshape(1)[index.reshape(-1)].reshape(())
    return input[(slice(None),) * check_dim(dim, input.ndim) + (index.reshape(-1),)]


@both()
def nonzero(input, as_tuple=False):
    """The indices of the nonzero elements, one a row, or a tuple of one tensor a dimension (`torch.nonzero`).

    >>> import minigrad
    >>> minigrad.tensor([0, 3, 5]).nonzero()
    tensor([[1],
            [2]])
    """
    found = [Tensor._wrap(i) for i in np.nonzero(np.atleast_1d(input._array))]
    return tuple(found) if as_tuple else Tensor._wrap(np.stack([i._array for i in found], 1)[:, : input.ndim])


@both(inplace=True)
def masked_fill(input, mask, value):
    """`input` with `value` where the bool `mask` holds (`torch.masked_fill`).

    >>> import minigrad
    >>> minigrad.ones(2).masked_fill(minigrad.tensor([True, False]), 0.0)
    tensor([0., 1.])
    """
    if mask._array.dtype != bool:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    value = value.to(input.dtype) if isinstance(value, Tensor) else Tensor._wrap(np.asarray(value, input.dtype))
    return value.where(mask, input)
