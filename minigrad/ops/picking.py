"""Picking and placing whole entries of one dimension, or elements of the flattened tensor, by an index vector."""

import numpy as np

from minigrad.autograd import Tensor, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, int32, int64
from minigrad.kernels.device import capturing

from .arithmetic import mul
from .index import Pick, Place, PutAt
from .registry import both
from .scatter import gather
from .shape import broadcast_shapes, expand, reshape

_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 4, 8)}


def outside(index, size):
    """Whether some of the whole numbers `index` lies outside [0, size): read as unsigned, negative ones are huge.

    While a graph is captured the host cannot look.
    """
    if capturing():
        return False
    return index.size > 0 and np.maximum.reduce(index.view(_UNSIGNED[index.itemsize]).reshape(-1)) >= size


def _along(name, input, dim, index, *, negative=False):
    """(axis, index): the axis, and the index of arrays for the entries of `dim` that the vector `index` lists."""
    axis, array = check_dim(dim, input.ndim), index._array.reshape(-1).astype(np.int64)
    size = input._array.shape[axis] if input.ndim else 1
    low = -size if negative else 0
    if outside(array, size) and (array.min() < low or array.max() >= size):
        worst = array.min() if array.min() < low else array.max()
        raise _OUT_OF_RANGE[name](worst, axis, size)
    if negative:
        array = np.where(array < 0, array + size, array)
    return axis, (*(slice(None),) * axis, array)


def _words(prefix, error):
    return lambda worst, axis, size: error(
        f"{prefix}index {worst} is out of bounds for dimension {axis} with size {size}"
    )


_OUT_OF_RANGE = {
    "index_select": lambda worst, axis, size: IndexError(
        f"index out of range in self\nhint: index {worst} is out of bounds for dimension {axis} with size {size}"
    ),
    "index_add": _words("", RuntimeError),
    "index_copy": _words("index_copy_(): ", IndexError),
    "index_fill": _words("", IndexError),
}


def _is_long(index):
    return index._array.dtype == int64


def _is_index(index):
    return index._array.dtype in (int64, int32)


@both()
def index_select(input, dim, index):
    """The entries of dimension `dim` listed in the 1-d `index` (`torch.index_select`).

    >>> import minigrad
    >>> minigrad.eye(3).index_select(0, minigrad.tensor([2]))
    tensor([[0., 0., 1.]])
    """
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not _is_index(index):
        raise RuntimeError(f"index_select(): Expected dtype int32 or int64 for index\nhint: it is {index.dtype}")
    if input.ndim == 0 and index.numel() != 1:
        raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.numel()} value(s)")
    _, then = _along("index_select", input, dim, index)
    return Pick.apply(input, then) if input.ndim else reshape(Pick.apply(reshape(input, 1), then), ())


@both(inplace=True)
def index_add(input, dim, index, source, *, alpha=1):
    """`input` with `alpha` times the entries of `source` added to the entries of `dim` that `index` lists.

    Source: `torch.index_add`.

    >>> import minigrad
    >>> minigrad.zeros(3).index_add(0, minigrad.tensor([0, 2, 0]), minigrad.ones(3))
    tensor([2., 0., 1.])
    """
    axis = check_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: "
            f"{TORCH_NAMES[index.dtype]} and size: {list(index.shape)}"
        )
    if not _is_index(index):
        raise RuntimeError(f"index_add_(): Expected dtype int32/int64 for index but got: {TORCH_NAMES[index.dtype]}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"index_add_(): self ({TORCH_NAMES[input.dtype]}) and source ({TORCH_NAMES[source.dtype]}) must have the "
            "same scalar type"
        )
    ours, theirs = list(input.shape), list(source.shape)
    entries = theirs[axis] if source.ndim > axis else 1
    if source.ndim and index.numel() != entries:
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.numel()}) should be equal to source.size(dim): ({entries}), for "
            f"dim: {dim}"
        )
    if (
        ours[:axis] + ours[axis + 1 :] != theirs[:axis] + theirs[axis + 1 :]
        and not (source.ndim == 0 and input.ndim <= 1)
    ) or (source.ndim == 1 and input.ndim == 0 and theirs != [1]):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{ours} source.shape = {theirs}"
        )
    _, then = _along("index_add", input, dim, index)
    source = source if alpha == 1 else mul(source, alpha)
    shape = input._array.shape or (1,)
    rows = Place.apply(reshape(source, 1) if source.ndim == 0 else source, shape, then)
    return input + (rows if input.ndim else reshape(rows, ()))


@both(inplace=True)
def index_copy(input, dim, index, source):
    """`input` with the entries of `dim` that `index` lists replaced by those of `source` (`torch.index_copy`).

    >>> import minigrad
    >>> minigrad.zeros(3).index_copy(0, minigrad.tensor([2]), minigrad.ones(1))
    tensor([0., 0., 1.])
    """
    axis = check_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if source.ndim and input.ndim and source.ndim != input.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({source.ndim}), destination dimensionality ({input.ndim})"
        )
    if not _is_long(index):
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {TORCH_NAMES[index.dtype]}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{TORCH_NAMES[input.dtype]} and (source) {TORCH_NAMES[source.dtype]}"
        )
    ours, theirs = list(input.shape), list(source.shape)
    slices = [shape[:axis] + shape[axis + 1 :] for shape in (ours, theirs)]
    if slices[0] != slices[1]:
        places = [" ".join(map(str, shape)) for shape in slices]
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{places[0]} at dimension {axis} and source slice shape: {places[1]} at dimension 0."
        )
    entries = theirs[axis] if source.ndim else 1
    if index.numel() != entries:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.numel()}) should be equal to source.size(dim) ({entries})"
        )
    _, then = _along("index_copy", input, dim, index)
    if input.ndim:
        return PutAt.apply(input, reshape(source, 1) if source.ndim == 0 else source, then)
    return reshape(PutAt.apply(reshape(input, 1), reshape(source, 1), then), ())


@both(inplace=True)
def index_fill(input, dim, index, value):
    """`input` with `value`, a number or a 0-d tensor, in the entries of `dim` that `index` lists (`torch.index_fill`).

    >>> import minigrad
    >>> minigrad.zeros(3).index_fill(0, minigrad.tensor([0, -1]), 5)
    tensor([5., 0., 5.])
    """
    axis = check_dim(dim, input.ndim)
    if not _is_long(index):
        raise IndexError(f"index_fill_(): Expected dtype int64 for index.\nhint: it is {index.dtype}")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    _, then = _along("index_fill", input, axis, index, negative=True)
    then = (*then[:-1], np.unique(then[-1]))  # the value counts once where an entry is listed twice
    value = (
        value.to(input.dtype)
        if isinstance(value, Tensor)
        else Tensor._wrap(np.asarray(value, input.dtype, like=input._array))
    )
    shape = input._array.shape
    result = PutAt.apply(input if shape else reshape(input, 1), expand(value, _entries(shape or (1,), then)), then)
    return result if shape else reshape(result, ())


def _entries(shape, index):
    """The shape of what is picked from `shape` by a vector after slices over everything."""
    return (*shape[: len(index) - 1], len(index[-1]), *shape[len(index) :])


def _flat(name, input, index):
    """The 1-d index array for elements of the flattened input, checked."""
    if not _is_long(index):
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {TORCH_NAMES[index.dtype]}")
    array, size = index._array, input.numel()
    if array.size and size == 0:
        raise IndexError(f"{name}(): tried to {name.rstrip('_')} from an empty tensor")
    if array.size and (array.min() < -size or array.max() >= size):
        worst = array.min() if array.min() < -size else array.max()
        raise IndexError(f"out of range: tried to access index {worst} on a tensor of {size} elements.")
    return np.where(array < 0, array + size, array)


@both()
def take(input, index):
    """The elements of the flattened `input` at `index`, in the shape of the index (`torch.take`).

    >>> import minigrad
    >>> minigrad.eye(2).take(minigrad.tensor([0, -1]))
    tensor([1., 1.])
    """
    return Pick.apply(reshape(input, -1), (_flat("take", input, index),))


@both(inplace=True)
def put(input, index, source, accumulate=False):
    """`input` with `source` written, or added with `accumulate`, at `index` of the flattened input (`torch.put`).

    >>> import minigrad
    >>> minigrad.zeros(2, 2).put(minigrad.tensor([0, -1]), minigrad.tensor([5.0, 6.0]))
    tensor([[5., 0.],
            [0., 6.]])
    """
    if input.dtype != source.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{TORCH_NAMES[input.dtype]} and source.dtype = {TORCH_NAMES[source.dtype]}"
        )
    then = (_flat("put_", input, index).reshape(-1),)
    if index.numel() != source.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    source = reshape(source, -1)
    if accumulate:
        return input + reshape(Place.apply(source, (input.numel(),), then), input._array.shape)
    return reshape(PutAt.apply(reshape(input, -1), source, then), input._array.shape)


@both()
def take_along_dim(input, indices, dim=None):
    """The elements that `indices` names along `dim`, broadcast along the others; without `dim`, of the flattened input.

    Source: `torch.take_along_dim`.

    >>> import minigrad
    >>> x = minigrad.tensor([[3, 1, 2]])
    >>> x.take_along_dim(x.argsort(), 1)
    tensor([[1, 2, 3]])
    """
    if not _is_long(indices):
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {TORCH_NAMES[indices.dtype]}"
        )
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    axis = check_dim(dim, input.ndim)
    ours, theirs = list(input.shape), list(indices.shape)
    if input.ndim:
        size = ours[axis]
        ours[axis] = theirs[axis]
        shape = list(broadcast_shapes(ours, theirs))
        theirs, ours = shape.copy(), [*shape[:axis], size, *shape[axis + 1 :]]
        theirs[axis] = indices.shape[axis]
    size = input._array.shape[axis] if input.ndim else 1
    return gather(expand(input, ours), axis, _from_front(expand(indices, theirs), size))


def _from_front(indices, size):
    """Indices of which negative ones count from the end, as a tensor that counts from the front."""
    array = indices._array
    return indices if array.size == 0 or array.min() >= 0 else Tensor._wrap(np.where(array < 0, array + size, array))
