"""Views by strides: sliding windows, and any geometry over a tensor's memory."""

import math

import numpy as np

from minigrad.autograd import ARRAYS, DEVICES, Operation, address_of, check_dim, placed

from .registry import both, method
from .shape import reshape, sizes_of
from .views import Unview, scatter_add


class Windows(Operation):
    """The windows of a size along one of x's dimensions, a step apart, as a new last dimension: a view"""

    formula = "dx = Σ dy over the windows that hold an element"
    is_view = True
    overlaps = True

    @staticmethod
    def forward(ctx, x, axis, size, step):
        ctx.shape, ctx.settings = x.shape, (axis, size, step)
        count = (x.shape[axis] - size) // step + 1
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
        stride = x.strides[axis]
        strides = (*x.strides[:axis], stride * step if count > 1 else 0, *x.strides[axis + 1 :], stride)
        if type(x) is not np.ndarray:
            return x.restrided(shape, strides)
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=x.flags.writeable)

    @staticmethod
    def backward(ctx, dy):
        return Unview.apply(dy, ctx.shape, Windows, *ctx.settings)


class _Memory:
    """An array's memory from any address on: NumPy makes views of it."""

    def __init__(self, array, address, shape, strides):
        self.array = array  # keeps the memory alive
        interface = dict(array.__array_interface__, shape=shape, strides=strides)
        self.__array_interface__ = {**interface, "data": (address, not array.flags.writeable)}


def _seen(array, size, stride, offset):
    """A view of an array's memory: `stride` and `offset` count elements, the offset from the array's first one."""
    strides = tuple([s * array.itemsize if n > 1 else array.itemsize for n, s in zip(size, stride)])
    if 0 in size:
        return np.empty(size, array.dtype, like=array)
    if type(array) is not np.ndarray:
        return array.restrided(tuple(size), strides, offset * array.itemsize)
    return np.asarray(_Memory(array, address_of(array) + offset * array.itemsize, tuple(size), strides))


def _extent(size, stride):
    """The lowest and the highest element that a geometry reaches, counted from its first one."""
    reach = [(n - 1) * s for n, s in zip(size, stride)]
    return sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)


def _bounds(array):
    """The addresses of an array's first byte and of the first one after it, wherever it begins."""
    reach = [(n - 1) * s for n, s in zip(array.shape, array.strides)]
    first = address_of(array)
    return first + sum(r for r in reach if r < 0), first + sum(r for r in reach if r > 0) + array.itemsize


def _holds(array, size, stride, offset):
    """Whether the memory that an array lies in holds a geometry."""
    owner = array
    while isinstance(owner.base, (*ARRAYS, _Memory)):
        owner = owner.base if isinstance(owner.base, ARRAYS) else owner.base.array
    low, high = _bounds(owner)
    first, last = (address_of(array) + (offset + end) * array.itemsize for end in _extent(size, stride))
    return low <= first and last + array.itemsize <= high


def _strides(array):
    """An array's strides in elements; 0 for dimensions that are not walked."""
    return tuple([s // array.itemsize if n > 1 else 0 for n, s in zip(array.shape, array.strides)])


def _places(size, stride, offset):
    """The places of a geometry's elements, an int64 array."""
    places = np.full(size, offset, np.int64)
    for axis, (n, s) in enumerate(zip(size, stride)):
        places += (np.arange(n) * (s if n > 1 else 0)).reshape((n,) + (1,) * (len(size) - axis - 1))
    return places


def _through_memory(x, written, read, own):
    """`x` added into the memory of one geometry and read by another, each a (size, stride, offset).

    `own` is the geometry of the tensor whose memory it is: where its elements overlap, they share what is there.
    """
    written, read, own = (_places(*geometry) for geometry in (written, read, own))
    ends = [end for places in (written, read) if places.size for end in (places.min(), places.max())]
    if not ends:
        return np.zeros(read.shape, x.dtype, like=x)
    low, count = min(ends), max(ends) - min(ends) + 1
    written, read, own = (placed(places - low, DEVICES[type(x)]) for places in (written, read, own))
    memory = scatter_add(x.reshape(-1, 1), written.reshape(-1), count).reshape(-1)
    shares = np.bincount(own.reshape(-1), minlength=count)
    return (memory / np.maximum(shares, 1)).astype(x.dtype)[read]


class AsStrided(Operation):
    """The memory of x in another geometry: a view"""

    formula = "dx = Σ dy over the elements that lie in the same place"
    is_view = True

    @staticmethod
    def forward(ctx, x, size, stride, offset, layout):
        ctx.shape, ctx.settings = x.shape, (size, stride, offset, layout)
        if _strides(x) == layout and _holds(x, size, stride, offset):
            return _seen(x, size, stride, offset)
        return Restride.forward(ctx, x, size, stride, offset, layout)  # a gradient or a mask that is laid out otherwise

    @staticmethod
    def backward(ctx, dy):
        return Unstride.apply(dy, ctx.shape, *ctx.settings)


class Restride(Operation):
    """What `AsStrided` reads if x, which lies anyhow, is brought into the memory of a given layout, 0 around it"""

    formula = AsStrided.formula

    @staticmethod
    def forward(ctx, x, size, stride, offset, layout):
        ctx.shape, ctx.settings = x.shape, (size, stride, offset, layout)
        own = x.shape, layout, 0
        return _through_memory(x, own, (size, stride, offset), own)

    @staticmethod
    def backward(ctx, dy):
        return Unstride.apply(dy, ctx.shape, *ctx.settings)


class Unstride(Operation):
    """The adjoint of `AsStrided`: every place of the memory gets what was read there, shared by its elements"""

    formula = "dx = dy in the given geometry"

    @staticmethod
    def forward(ctx, x, shape, size, stride, offset, layout):
        ctx.settings = size, stride, offset, layout
        own = shape, layout, 0
        return _through_memory(x, (size, stride, offset), own, own)

    @staticmethod
    def backward(ctx, dy):
        return Restride.apply(dy, *ctx.settings)


def _memory(tensor):
    """(before, count): elements of the tensor's storage before its own first one, and in all."""
    root, array = tensor, tensor._array
    while root._view is not None:
        root = root._view.base
    if root._array.size == 0:
        return 0, 0
    low, high = _bounds(root._array)
    return (address_of(array) - low) // array.itemsize, (high - low) // array.itemsize


@method()
def storage_offset(self):
    """Elements of the memory shared with its base that lie before this tensor's first (`torch.Tensor.storage_offset`).

    >>> import minigrad
    >>> minigrad.arange(6)[2:].storage_offset()
    2
    """
    return _memory(self)[0]


def _checked(input, size, stride, storage_offset):
    """The settings of `AsStrided`, after every check of PyTorch's."""
    size, stride = sizes_of((size,)), sizes_of((stride,))
    if len(size) != len(stride):
        raise RuntimeError(
            f"mismatch in length of strides and shape\nhint: {len(size)} sizes, {len(stride)} strides were given"
        )
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    before, count = _memory(input)
    offset = before if storage_offset is None else int(storage_offset)
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    itemsize = input._array.itemsize
    last = offset + _extent(size, stride)[1] + 1
    if any(n < 0 for n in size) or last * itemsize >= 2**63 or math.prod(size) * itemsize >= 2**63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
    if 0 not in size and last > count:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {itemsize} "
            f"requiring a storage size of {last * itemsize} are out of bounds for storage of size {count * itemsize}"
            f"\nhint: the last element would be number {last - 1}, the memory holds {count}"
        )
    return size, stride, offset - before, _strides(input._array)


@both()
def as_strided(input, size, stride, storage_offset=None):
    """The tensor's memory seen with `size`, `stride` and `storage_offset`, all in elements (`torch.as_strided`).

    The offset counts from the start of the memory that the tensor shares with its base; by default it is the tensor's
    own. A geometry that leaves the memory is an error. Where elements overlap, gradients add up.

    >>> import minigrad
    >>> minigrad.arange(5).as_strided((3, 2), (1, 2))
    tensor([[0, 2],
            [1, 3],
            [2, 4]])
    """
    return AsStrided.apply(input, *_checked(input, size, stride, storage_offset))


@both()
def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of `input` with `src` where `as_strided` would look (`torch.as_strided_scatter`).

    >>> import minigrad
    >>> minigrad.as_strided_scatter(minigrad.zeros(4), minigrad.ones(2), (2,), (3,))
    tensor([1., 0., 0., 1.])
    """
    result = input.clone()
    part = result.as_strided(size, stride, storage_offset)
    if part._array.shape != src._array.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(part.shape)}"
        )
    part.copy_(src)
    return result


@method()
def unfold(self, dimension, size, step):
    """The windows of `size` entries along `dimension`, `step` apart, as a last dimension of a view.

    Source: `torch.Tensor.unfold`.

    >>> import minigrad
    >>> minigrad.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    axis = check_dim(dimension, self.ndim)
    if self.ndim == 0:
        self = reshape(self, 1)
        if size in (0, 1) and step > 0:
            return self.narrow(0, 0, size)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > self._array.shape[axis]:
        raise RuntimeError(
            f"maximum size for tensor at dimension {axis} is {self._array.shape[axis]} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return Windows.apply(self, axis, size, step)
