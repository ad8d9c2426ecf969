"""Shape: the same elements seen differently, mostly without copying, and tensors put together."""

from functools import reduce

import numpy as np

from minigrad.autograd import (
    Device,
    Operation,
    Tensor,
    channels_last,
    check_dim,
    contiguous_format,
    preserve_format,
    promote_types,
)
from minigrad.autograd.dtypes import as_dtype

from .registry import both, function, method


class Reshape(Operation):
    """x in another shape, on the same memory"""

    formula = "dx = dy in x's shape"
    is_view = True

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return np.reshape(x, shape, copy=False)

    @staticmethod
    def backward(ctx, dy):
        return dy.reshape(ctx.shape)


class Permute(Operation):
    """x with its dimensions in another order"""

    formula = "dx = dy with the dimensions put back"
    is_view = True

    @staticmethod
    def forward(ctx, x, dims):
        ctx.inverse = tuple(np.argsort(dims).tolist())
        return x.transpose(dims)

    @staticmethod
    def backward(ctx, dy):
        return Permute.apply(dy, ctx.inverse)


class Expand(Operation):
    """x repeated along dimensions of size 1, without copying"""

    formula = "dx = Σ dy over the repeated dimensions"
    is_view = True

    @staticmethod
    def forward(ctx, x, shape):
        return np.broadcast_to(x, shape)

    @staticmethod
    def backward(ctx, dy):
        return dy  # the engine sums over broadcast axes


class Clone(Operation):
    """A copy of x, of the given memory order"""

    formula = "dx = dy"

    @staticmethod
    def forward(ctx, x, order):
        return x.copy(order=order)

    @staticmethod
    def backward(ctx, dy):
        return dy


class Cast(Operation):
    """x in another dtype"""

    formula = "dx = dy in x's dtype"

    @staticmethod
    def forward(ctx, x, dtype):
        with np.errstate(all="ignore"):
            return x.astype(dtype)

    @staticmethod
    def backward(ctx, dy):
        return dy  # the engine casts to the argument's dtype


class Cat(Operation):
    """Tensors one after another along a dimension"""

    formula = "dxᵢ = the part of dy where xᵢ lies"

    @staticmethod
    def forward(ctx, axis, *xs):
        ctx.axis, ctx.sizes = axis, [x.shape[axis] for x in xs]
        return np.concatenate(xs, axis=axis)

    @staticmethod
    def backward(ctx, dy):
        grads, start = [None], 0
        for size, needed in zip(ctx.sizes, ctx.needs_input_grad[1:]):
            grads.append(dy.narrow(ctx.axis, start, size) if needed else None)
            start += size
        return tuple(grads)


class Flip(Operation):
    """x with the order along the given dimensions reversed"""

    formula = "dx = dy reversed again"

    @staticmethod
    def forward(ctx, x, axes):
        ctx.axes = axes
        return np.flip(x, axes).copy()

    @staticmethod
    def backward(ctx, dy):
        return Flip.apply(dy, ctx.axes)


def _resolve(shape, numel):
    """`shape` with its one -1 replaced by what `numel` elements leave for it."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if any(n < -1 for n in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)}")
    known = int(np.prod([n for n in shape if n != -1], dtype=object)) if shape else 1
    if -1 in shape:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of {numel} elements into shape {list(shape)} because the unspecified "
                "dimension size "
                "-1 can be any value and is ambiguous"
            )
        if numel % known == 0:
            return tuple([numel // known if n == -1 else n for n in shape])
    elif known == numel:
        return tuple(shape)
    raise RuntimeError(
        f"shape '{list(shape)}' is invalid for input of size {numel}\nhint: the given sizes hold {known} elements"
        f"{' for each entry of the -1' if -1 in shape else ''}, the tensor has {numel}"
    )


def _sizes(shape):
    """Sizes given separately or as one sequence, as a tuple of int that may hold -1."""
    if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)):
        shape = shape[0]
    return tuple([n.__index__() for n in shape])


def _fits(array, shape):
    """Whether `array` can be seen in `shape` without a copy."""
    try:
        np.reshape(array, shape, copy=False)
    except ValueError:
        return False
    return True


@both()
def reshape(input, *shape):
    """The same elements in row-major order in another shape, one size may be -1; a view if possible (`torch.reshape`).

    >>> import minigrad
    >>> minigrad.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    shape = _resolve(_sizes(shape), input._array.size)
    return Reshape.apply(input if _fits(input._array, shape) else Clone.apply(input, "C"), shape)


@method()
def view(self, *shape):
    """The same memory in another shape; later writes are seen by both (`torch.Tensor.view`).

    Convolution results lie channels-last in memory, which forbids most views; such a tensor is first laid out afresh,
    unless other tensors look at its memory, which is PyTorch's error.

    >>> import minigrad
    >>> minigrad.arange(6).view(3, 2)
    tensor([[0, 1],
            [2, 3],
            [4, 5]])
    """
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        raise TypeError("view(dtype) is not supported\nhint: .to(dtype) converts the values")
    shape = _resolve(_sizes(shape), self._array.size)
    if not _fits(self._array, shape):
        if self._view is not None or self.storage.sharers:
            raise RuntimeError(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two "
                "contiguous subspaces). Use .reshape(...) instead.\nhint: the shape is "
                f"{tuple(self.shape)} with strides {self.stride()}, and other tensors share the memory"
            )
        self._array = np.ascontiguousarray(self._array)
    return Reshape.apply(self, shape)


@method()
def view_as(self, other):
    """A view in the shape of `other` (`torch.Tensor.view_as`)."""
    return self.view(other.shape)


@method()
def reshape_as(self, other):
    """Reshaped like `other` (`torch.Tensor.reshape_as`)."""
    return self.reshape(other.shape)


@both()
def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions `start_dim` to `end_dim` as one (`torch.flatten`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3, 4).flatten(1).shape
    minigrad.Size([2, 12])
    """
    start, end = check_dim(start_dim, input.ndim), check_dim(end_dim, input.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if input.ndim == 0:
        return reshape(input, 1)
    shape = input._array.shape
    return reshape(input, (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :]))


@both()
def unflatten(input, dim, sizes):
    """Dimension `dim` split into `sizes`, one of which may be -1 (`torch.unflatten`).

    >>> import minigrad
    >>> minigrad.zeros(2, 12).unflatten(1, (3, -1)).shape
    minigrad.Size([2, 3, 4])
    """
    axis, shape = check_dim(dim, input.ndim), input._array.shape
    return reshape(input, (*shape[:axis], *_resolve(tuple(sizes), shape[axis]), *shape[axis + 1 :]))


@both()
def ravel(input):
    """All elements in one dimension, row-major (`torch.ravel`).

    >>> import minigrad
    >>> minigrad.eye(2).ravel()
    tensor([1., 0., 0., 1.])
    """
    return reshape(input, -1)


@both()
def permute(input, *dims):
    """The dimensions in the order `dims`, on the same memory (`torch.permute`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3, 4).permute(2, 0, 1).shape
    minigrad.Size([4, 2, 3])
    """
    dims = _sizes(dims)
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            "ordering "
            f"of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    dims = tuple([check_dim(d, input.ndim) for d in dims])
    if len(set(dims)) != len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return Permute.apply(input, dims)


@both("swapaxes", "swapdims")
def transpose(input, dim0, dim1):
    """Two dimensions exchanged, on the same memory (`torch.transpose`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3).transpose(0, 1).shape
    minigrad.Size([3, 2])
    """
    dims = list(range(input.ndim))
    a, b = check_dim(dim0, input.ndim), check_dim(dim1, input.ndim)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return Permute.apply(input, tuple(dims))


@both()
def t(input):
    """The transpose of a matrix; vectors and numbers as they are (`torch.t`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3).t().shape
    minigrad.Size([3, 2])
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return Permute.apply(input, tuple(reversed(range(input.ndim))))


Tensor.T = property(
    lambda self: Permute.apply(self, tuple(reversed(range(self.ndim)))), doc="The dimensions in reverse order."
)
Tensor.mT = property(lambda self: transpose(self, -2, -1), doc="The last two dimensions exchanged.")


@both()
def squeeze(input, dim=None):
    """Without the dimensions of size 1, or without those of `dim` that are (`torch.squeeze`).

    >>> import minigrad
    >>> minigrad.zeros(1, 3, 1).squeeze().shape
    minigrad.Size([3])
    """
    shape = input._array.shape
    dims = (
        range(len(shape))
        if dim is None
        else [check_dim(d, len(shape)) for d in ((dim,) if isinstance(dim, int) else dim)]
    )
    return Reshape.apply(input, tuple([n for i, n in enumerate(shape) if n != 1 or i not in dims]))


@both()
def unsqueeze(input, dim):
    """With a new dimension of size 1 at `dim` (`torch.unsqueeze`).

    >>> import minigrad
    >>> minigrad.zeros(3).unsqueeze(0).shape
    minigrad.Size([1, 3])
    """
    axis, shape = check_dim(dim, input.ndim + 1), input._array.shape
    return Reshape.apply(input, (*shape[:axis], 1, *shape[axis:]))


@method()
def expand(self, *size):
    """Repeated along dimensions of size 1, and along new ones in front, without copying; -1 keeps a size
    (`torch.Tensor.expand`).

    >>> import minigrad
    >>> minigrad.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    size, shape = _sizes(size), self._array.shape
    lead = len(size) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand({list(size)}, size={list(shape)}): the number of sizes provided ({len(size)}) must be greater or "
            "equal to "
            f"the number of dimensions in the tensor ({len(shape)})"
        )
    target = []
    for i, n in enumerate(size):
        have = 1 if i < lead else shape[i - lead]
        if n == -1 and i < lead:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
            )
        if n not in (-1, have) and have != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  "
                f"Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
        target.append(have if n == -1 else n)
    return Expand.apply(self, tuple(target))


@method()
def expand_as(self, other):
    """Expanded to the shape of `other` (`torch.Tensor.expand_as`)."""
    return self.expand(other.shape)


@both()
def broadcast_to(input, size):
    """Expanded to `size` (`torch.broadcast_to`).

    >>> import minigrad
    >>> minigrad.broadcast_to(minigrad.ones(1), (2,))
    tensor([1., 1.])
    """
    return input.expand(size)


@both()
def clone(input, *, memory_format=preserve_format):
    """A copy with its own memory; gradients flow through (`torch.clone`).

    >>> import minigrad
    >>> x = minigrad.ones(2)
    >>> y = x.clone()
    >>> y[0] = 5
    >>> x
    tensor([1., 1.])
    """
    if memory_format is channels_last:
        return Permute.apply(Clone.apply(permute(input, 0, 2, 3, 1), "C"), (0, 3, 1, 2))
    return Clone.apply(input, "C" if memory_format is contiguous_format else "K")


@method()
def contiguous(self, memory_format=contiguous_format):
    """This tensor if it lies in memory as `memory_format` says, else a copy that does (`torch.Tensor.contiguous`)."""
    return self if self.is_contiguous(memory_format) else clone(self, memory_format=memory_format)


@method()
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=preserve_format):
    """In another dtype and device, given by position or name, or those of another tensor; itself if nothing changes.

    Source: `torch.Tensor.to`.

    >>> import minigrad
    >>> minigrad.ones(2).to(minigrad.int64)
    tensor([1, 1])
    """
    for arg in args:
        if isinstance(arg, Tensor):
            dtype, device = arg.dtype, arg.device
        elif isinstance(arg, (Device, str)) and (isinstance(arg, Device) or arg.split(":")[0] in ("cpu", "cuda")):
            device = arg
        elif arg is not None and not isinstance(arg, bool):
            dtype = arg
    if device is not None:
        Device(device)
    if dtype is not None and as_dtype(dtype) != self._array.dtype:
        return Cast.apply(self, as_dtype(dtype))
    return clone(self, memory_format=memory_format) if copy else self


def _conversion(name, dtype):
    def convert(self):
        return self.to(dtype)

    convert.__name__ = name
    convert.__doc__ = f"Converted to {dtype} (`torch.Tensor.{name}`)."
    setattr(Tensor, name, convert)


for _name, _dtype in (
    ("float", "float32"),
    ("double", "float64"),
    ("long", "int64"),
    ("int", "int32"),
    ("short", "int16"),
    ("char", "int8"),
    ("byte", "uint8"),
    ("bool", "bool"),
):
    _conversion(_name, np.dtype(_dtype))


@method()
def type_as(self, other):
    """Converted to the dtype of `other` (`torch.Tensor.type_as`)."""
    return self.to(other.dtype)


@method()
def cpu(self):
    """On the CPU, where it already is (`torch.Tensor.cpu`)."""
    return self


def _tensors(tensors, empty):
    """`tensors` as a list; `empty` is the error for none."""
    tensors = list(tensors)
    if not tensors:
        raise empty
    for i, item in enumerate(tensors):
        if not isinstance(item, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(item).__name__}")
    return tensors


@function
def cat(tensors, dim=0):
    """Tensors one after another along `dim`; other sizes must agree, dtypes are promoted (`torch.cat`).

    >>> import minigrad
    >>> minigrad.cat([minigrad.ones(2), minigrad.zeros(1)])
    tensor([1., 1., 0.])
    """
    tensors = _tensors(tensors, ValueError("torch.cat(): expected a non-empty list of Tensors"))
    kept = [x for x in tensors if x._array.shape != (0,)] or tensors[:1]  # PyTorch lets 1-d empty tensors join anything
    for i, item in enumerate(tensors):
        if item.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    axis, first = check_dim(dim, kept[0].ndim), kept[0]._array.shape
    for i, item in enumerate(kept[1:], 1):
        shape = item._array.shape
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for d, (a, b) in enumerate(zip(first, shape)):
            if a != b and d != axis:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {a} but got size {b} for "
                    "tensor "
                    f"number {i} in the list."
                )
    dtype = reduce(promote_types, [x.dtype for x in tensors])
    return Cat.apply(axis, *[x.to(dtype) for x in kept])


@function
def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension `dim` (`torch.stack`).

    >>> import minigrad
    >>> minigrad.stack([minigrad.ones(2), minigrad.zeros(2)])
    tensor([[1., 1.],
            [0., 0.]])
    """
    tensors = _tensors(tensors, RuntimeError("stack expects a non-empty TensorList"))
    for i, item in enumerate(tensors):
        if item._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(item.shape)} at entry {i}"
            )
    axis = check_dim(dim, tensors[0].ndim + 1)
    return cat([unsqueeze(x, axis) for x in tensors], axis)


@both()
def narrow(input, dim, start, length):
    """`length` entries of dimension `dim` from `start` on, on the same memory (`torch.narrow`).

    >>> import minigrad
    >>> minigrad.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = check_dim(dim, input.ndim)
    size = input._array.shape[axis]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= start <= size:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-size}, {size}], but got {start})")
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return input[(slice(None),) * axis + (slice(start, start + length),)]


@both()
def select(input, dim, index):
    """Entry `index` of dimension `dim`, on the same memory (`torch.select`).

    >>> import minigrad
    >>> minigrad.eye(2).select(0, 1)
    tensor([0., 1.])
    """
    return input[(slice(None),) * check_dim(dim, input.ndim) + (index,)]


@both()
def unbind(input, dim=0):
    """The entries along `dim`, a tuple of views (`torch.unbind`).

    >>> import minigrad
    >>> minigrad.eye(2).unbind()
    (tensor([1., 0.]), tensor([0., 1.]))
    """
    if input.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return tuple([select(input, dim, i) for i in range(input._array.shape[check_dim(dim, input.ndim)])])


@both()
def split(tensor, split_size_or_sections, dim=0):
    """Views of pieces along `dim`: of one size (the last may be smaller), or of the listed sizes (`torch.split`).

    >>> import minigrad
    >>> minigrad.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    size = tensor._array.shape[check_dim(dim, tensor.ndim)]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step < 0 or (step == 0 and size):
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={step}")
        sizes = [min(step, size - start) for start in range(0, size, step)] if size else [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != size:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension "
                f"{dim}), but got "
                f"split_sizes={sizes}"
            )
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple([narrow(tensor, dim, start, length) for start, length in zip(starts, sizes)])


@both()
def chunk(input, chunks, dim=0):
    """At most `chunks` pieces of equal size along `dim` (`torch.chunk`).

    >>> import minigrad
    >>> minigrad.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input._array.shape[check_dim(dim, input.ndim)]
    return split(input, max(1, -(-size // chunks)), dim)


@both()
def flip(input, *dims):
    """A copy with the order along `dims` reversed (`torch.flip`).

    >>> import minigrad
    >>> minigrad.arange(3).flip(0)
    tensor([2, 1, 0])
    """
    return Flip.apply(input, tuple([check_dim(d, input.ndim) for d in _sizes(dims)]))


Tensor.__iter__ = lambda self: iter(unbind(self)) if self.ndim else _not_iterable()


def _not_iterable():
    raise TypeError("iteration over a 0-d tensor")
