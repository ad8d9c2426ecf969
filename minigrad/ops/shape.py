"""Shape: the same elements seen differently, mostly without copying."""

import numpy as np

from minigrad.autograd import (
    Operation,
    Tensor,
    check_dim,
    contiguous_format,
)

from .conversion import Clone
from .registry import both, method


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
    return Reshape.apply(input if _fits(input._array, shape) else Clone.apply(input, contiguous_format), shape)


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
def flip(input, *dims):
    """A copy with the order along `dims` reversed (`torch.flip`).

    >>> import minigrad
    >>> minigrad.arange(3).flip(0)
    tensor([2, 1, 0])
    """
    return Flip.apply(input, tuple([check_dim(d, input.ndim) for d in _sizes(dims)]))
