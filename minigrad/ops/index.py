"""Indexing: `x[...]`, `x[...] = v`, and what picks or replaces elements by masks and index tensors as these do.

An index is taken apart as PyTorch does it: numbers, slices, None and ... come first and make a view; then masks and
index tensors pick from that.
"""

import numpy as np

from minigrad.autograd import ARRAYS, CPU, Operation, Tensor, placed
from minigrad.autograd.dtypes import TORCH_NAMES, boxed
from minigrad.kernels import kernels_for
from minigrad.kernels.device import capturing

from .arithmetic import LARGE
from .creation import zeros
from .inplace import assign
from .registry import both, method
from .shape import reshape
from .views import Slice, scatter_add

_ALL = slice(None)


def _save(ctx, index):
    """Save the arrays of an index, to be freed with the graph."""
    ctx.plain = [None if isinstance(i, ARRAYS) else (i,) for i in index]
    ctx.save_for_backward(*[i for i in index if isinstance(i, ARRAYS)])


def _saved(ctx):
    """The index that `_save` saved."""
    arrays = iter(ctx.saved_tensors)
    return tuple([next(arrays)._array if item is None else item[0] for item in ctx.plain])


def rows_at(x, index):
    """x[index] for an array of whole numbers that count from the front."""
    if x.ndim > 1 and index.size and index.size * (x.size // len(x)) >= LARGE and x.flags.c_contiguous:
        rows = kernels_for(x).gather_rows(x.reshape(len(x), -1), index.reshape(-1).astype(np.int64, copy=False))
        return rows.reshape(*index.shape, *x.shape[1:])
    return x.take(index, axis=0, mode="wrap")


class Pick(Operation):
    """x[...] with index or mask arrays: a copy"""

    formula = "dx[index] += dy"

    @staticmethod
    def forward(ctx, x, index):
        ctx.shape = x.shape
        _save(ctx, index)
        *before, last = index
        if not before and x.size >= LARGE and last.dtype == bool and last.shape == x.shape and x.itemsize <= 8:
            return kernels_for(x).select(x, last)
        if not before and _is_array(last) and last.dtype != bool:
            return rows_at(x, last)
        if isinstance(last, ARRAYS) and last.dtype != bool and all(isinstance(i, slice) for i in before):
            return x.take(last, axis=len(before), mode="wrap")
        return x[index]

    @staticmethod
    def backward(ctx, dy):
        return Place.apply(dy, ctx.shape, _saved(ctx))


class Place(Operation):
    """Zeros of a shape into which x is added at an index of arrays: the adjoint of picking"""

    formula = "dx = dy[index]"

    @staticmethod
    def forward(ctx, x, shape, index):
        _save(ctx, index)
        if all(isinstance(i, slice) or i.dtype == bool for i in index) and sum(map(_is_array, index)) == 1:
            y = np.zeros(shape, x.dtype, like=x)
            y[index] = x
            return y
        axes, arrays = _by_axis(index)
        arrays = np.broadcast_arrays(*arrays)
        first = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
        rank, rest = arrays[0].ndim, [axis for axis in range(len(shape)) if axis not in axes]
        rows = np.moveaxis(x, range(first, first + rank), range(rank))
        places = np.ravel_multi_index(arrays, [shape[axis] for axis in axes]) if arrays[0].size else arrays[0]
        sizes = [shape[axis] for axis in axes], [shape[axis] for axis in rest]
        counts = [int(np.prod(part)) for part in sizes]
        y = scatter_add(rows.reshape(arrays[0].size, counts[1]), places.reshape(-1), counts[0])
        return y.reshape(sizes[0] + sizes[1]).transpose(np.argsort(axes + rest).tolist())

    @staticmethod
    def backward(ctx, dy):
        return Pick.apply(dy, _saved(ctx))


class PutAt(Operation):
    """x with v written at an index of arrays"""

    formula = "dx = dy with 0 at the index, dv = dy[index]"

    @staticmethod
    def forward(ctx, x, v, index):
        _save(ctx, index)
        y = x.copy(order="K")
        y[index] = v
        return y

    @staticmethod
    def backward(ctx, dy):
        index = _saved(ctx)
        dx = PutAt.apply(dy, zeros((), dtype=dy.dtype, device=dy.device), index) if ctx.needs_input_grad[0] else None
        return dx, (Pick.apply(dy, index) if ctx.needs_input_grad[1] else None)


def _range(size):
    """The hint on which indices a dimension has."""
    return f"hint: indices are {-size} to {size - 1}" if size else "hint: the dimension is empty"


def _is_array(item):
    return isinstance(item, ARRAYS)


def _by_axis(index):
    """The axes that an index of arrays picks from, and an integer array for each."""
    axes, arrays, axis = [], [], 0
    for item in index:
        found = item.nonzero() if _is_array(item) and item.dtype == bool else (item,)
        if _is_array(item):
            axes += range(axis, axis + len(found))
            arrays += found
        axis += len(found)
    return axes, arrays


def _is_sequence_of_indices(index):
    """Whether a list stands for a tuple: PyTorch's rule for old NumPy code."""
    if not isinstance(index, list) or len(index) >= 32:
        return False
    return any(item is None or item is Ellipsis or isinstance(item, (Tensor, list, tuple, slice)) for item in index)


def _as_item(item):
    """One entry of an index: int, slice, None, Ellipsis, or an array of int64 or bool."""
    if isinstance(item, Tensor):
        item = item._array
    elif isinstance(item, (list, tuple, range)):
        item = np.array([v._array if isinstance(v, Tensor) else v for v in item] if len(item) else [], dtype=None)
        item = item.astype(np.int64) if item.size == 0 else item
    elif isinstance(item, (bool, np.bool_)):
        return boxed(item)
    elif isinstance(item, slice):
        return _as_slice(item)
    elif item is None or item is Ellipsis or type(item) is int:
        return item
    if not _is_array(item):
        try:
            return item.__index__()
        except AttributeError:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(item).__name__})"
            ) from None
    if item.dtype == np.uint8:
        item = item != 0
    if item.dtype not in (np.int64, np.int32, bool):
        raise IndexError(
            f"tensors used as indices must be long, int, byte or bool tensors\nhint: this one is {item.dtype}"
        )
    if item.dtype == bool:
        return item.copy()
    return item.astype(np.int64) if item.ndim else int(item)


def _as_slice(item):
    try:
        ends = [v if v is None else v.__index__() for v in (item.start, item.stop, item.step)]
    except AttributeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
    if ends[2] == 0:
        raise ValueError("slice step cannot be zero")
    if ends[2] is not None and ends[2] < 0:
        raise ValueError("step must be greater than zero")
    return slice(*ends)


def _beside(item, input):
    """An entry of an index on the device of what it picks from: the CPU's may pick on the GPU, not the other way."""
    if not _is_array(item) or type(item) is type(input._array):
        return item
    if input.device is CPU and type(item) is not np.ndarray:
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    return placed(item, input.device)


def _parse(index, input):
    """(first, then): the plain index to apply first, None for none, and the index of arrays after it, () for none.

    `then` holds an array or `slice(None)` for every dimension of what `first` leaves (masks stand for several), without
    what follows the last array.
    """
    items = index if isinstance(index, tuple) else tuple(index) if _is_sequence_of_indices(index) else (index,)
    shape, items = input._array.shape, [_beside(_as_item(item), input) for item in items]
    used = sum(
        item.ndim if _is_array(item) and item.dtype == bool else item is not None and item is not Ellipsis
        for item in items
    )
    if used > len(shape):
        if len(shape) == 0 and all(isinstance(item, int) for item in items):
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to "
                "convert a 0-dim tensor to a number"
            )
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    first, then, axis, hidden = [], [], 0, len(shape) - used
    for item in items:
        if item is None:
            first.append(None)
            then.append(_ALL)
        elif item is Ellipsis:
            first += [_ALL] * hidden
            then += [_ALL] * hidden
            axis, hidden = axis + hidden, 0
        elif isinstance(item, slice):
            first.append(item)
            then.append(_ALL)
            axis += 1
        elif isinstance(item, int):
            if not -shape[axis] <= item < shape[axis]:
                raise IndexError(
                    f"index {item} is out of bounds for dimension {axis} with size {shape[axis]}\n{_range(shape[axis])}"
                )
            first.append(item)
            axis += 1
        elif item.ndim == 0:  # True or False: a new dimension
            first.append(None)
            then.append(np.zeros(int(item), np.int64, like=input._array))
        else:
            width = item.ndim if item.dtype == bool else 1
            first += [_ALL] * width
            then.append(_within(item, axis, shape))
            axis += width
    while then and not _is_array(then[-1]):
        then.pop()
    _check_broadcast(then)
    return (None if all(i == _ALL for i in first) and first else tuple(first)), tuple(then)


def _within(item, axis, shape):
    """A mask or index array for dimension `axis`, checked; indices counted from the front."""
    if item.dtype == bool:
        for d, n in enumerate(item.shape):
            if n != shape[axis + d]:
                raise IndexError(
                    f"The shape of the mask {list(item.shape)} at index {d} does not match the shape of the indexed "
                    f"tensor {list(shape)} at index {axis + d}"
                )
        return item
    size = shape[axis]
    if capturing():  # the host cannot look
        return np.where(item < 0, item + size, item)
    if item.size:
        low, high = item.min(), item.max()
        if low < -size or high >= size:
            worst = high if high >= size else low
            raise IndexError(f"index {worst} is out of bounds for dimension {axis} with size {size}\n{_range(size)}")
        if low < 0:
            return np.where(item < 0, item + size, item)
    return item


def _check_broadcast(index):
    """An error in PyTorch's words if the arrays of an index do not broadcast."""
    arrays = [item for item in index if _is_array(item)]
    if len(arrays) > 1:
        shapes = [(int(np.count_nonzero(a)),) if a.dtype == bool else a.shape for a in arrays]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            raise IndexError(
                "shape mismatch: indexing tensors could not be broadcast together with shapes "
                f"{', '.join(str(list(shape)) for shape in shapes)}"
            ) from None


def _picked_shape(array, index):
    """The shape of what an index of arrays picks."""
    return np.broadcast_to(np.zeros((), bool, like=array), array.shape)[index].shape


@method()
def __getitem__(self, index):
    """The elements that a NumPy- or PyTorch-style index picks: a view for numbers and slices, else a copy."""
    first, then = _parse(index, self)
    part = self if first is None and then else Slice.apply(self, (...,) if first is None else first)
    return Pick.apply(part, then) if then else part


@method()
def __setitem__(self, index, value):
    """Write `value` (a number, or a tensor that broadcasts) where the index points, in place; gradients flow through
    both.
    """
    first, then = _parse(index, self)
    part = self if first is None or _is_whole(first, self._array.shape) else Slice.apply(self, first)
    if not isinstance(value, Tensor):
        value = Tensor._wrap(np.asarray(_number(value, self), dtype=self._array.dtype, like=self._array))
    if not then:
        while value.ndim > part.ndim and value.shape[0] == 1:
            value = reshape(value, value._array.shape[1:])
        part.copy_(value if value.shape == part.shape else value.expand(part.shape))
        return
    if value.dtype != self.dtype and len(then) == 1 and then[0].dtype == bool and value.numel() == 1:
        value = value.to(self.dtype)  # as `masked_fill` does
    assign(part, _put, then, value, False)


def _is_whole(index, shape):
    """Whether an index is slices alone that leave out nothing: what is written then is the tensor, not a view of it."""
    plain = all(isinstance(item, slice) for item in index)
    return plain and all(range(n)[item] == range(n) for item, n in zip(index, shape))


def _number(value, tensor):
    """A number, or nested numbers, that can be written into `tensor`."""
    if value is None or isinstance(value, (str, bytes, complex)):
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{TORCH_NAMES[tensor.dtype]}Tensor")
    return value


def _put(input, index, values, accumulate):
    """A copy of `input` with `values` written, or added, at an index of arrays."""
    if values.dtype != input.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{TORCH_NAMES[input.dtype]} for the destination and {TORCH_NAMES[values.dtype]} for the source."
        )
    target = _picked_shape(input._array, index)
    shape = values._array.shape
    lead = len(shape) - len(target)
    kept = shape[max(0, lead) :]
    if any(n != 1 for n in shape[: max(0, lead)]) or any(a not in (1, b) for a, b in zip(kept[::-1], target[::-1])):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing result of shape "
            f"{list(target)}"
        )
    if lead > 0:
        values = reshape(values, kept)
    if accumulate:
        return input + Place.apply(values.expand(target), input._array.shape, index)
    return PutAt.apply(input, values, index)


@both(inplace=True)
def index_put(input, indices, values, accumulate=False):
    """A copy of `input` with `values` at `input[indices]`, or added there with `accumulate` (`torch.index_put`).

    `indices` is a tuple of index tensors and masks (or None, for everything along a dimension); `values` broadcasts to
    what they pick and has the dtype of `input`. Without `accumulate`, repeated indices leave the last value.

    >>> import minigrad
    >>> index = minigrad.tensor([0, 2, 0])
    >>> minigrad.zeros(3).index_put((index,), minigrad.ones(3), accumulate=True)
    tensor([2., 0., 1.])
    """
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"index_put(): argument 'indices' (position 1) must be tuple of Tensors, not {type(indices).__name__}"
        )
    for i, item in enumerate(indices):
        if item is not None and not isinstance(item, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(item).__name__}")
    items = tuple([_ALL if item is None else item for item in indices])
    index = [reshape(item, 1) if isinstance(item, Tensor) and item.ndim == 0 else item for item in items]
    _, then = _parse(tuple(index), input)
    if not then:
        raise RuntimeError("index_put(): at least one of the indices must be a tensor")
    return _put(input, then, values, accumulate)
