"""Shape: the same elements seen differently, mostly without copying."""

import math
import operator

import numpy as np

from minigrad.autograd import Operation, Size, Tensor, check_dim, contiguous_format
from minigrad.autograd.dtypes import TORCH_NAMES

from .conversion import Clone
from .registry import both, function, method


class Reshape(Operation):
    """x in another shape, on the same memory"""

    formula = "dx = dy in x's shape"
    is_view = True

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return x.reshape(shape, copy=False)

    @staticmethod
    def backward(ctx, dy):
        return dy.reshape(ctx.shape)


class Permute(Operation):
    """x with its dimensions in another order"""

    formula = "dx = dy with the dimensions put back"
    is_view = True

    @staticmethod
    def forward(ctx, x, dims):
        ctx.inverse = tuple([dims.index(axis) for axis in range(len(dims))])
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
        y = np.broadcast_to(x, shape)
        if x.size == y.size:
            y.flags.writeable = x.flags.writeable  # nothing is repeated
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy  # the engine sums over broadcast axes


def _resolve(shape, numel):
    """`shape` with its one -1 replaced by what `numel` elements leave for it."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for i, n in enumerate(shape):
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(shape)}")
    known = math.prod([n for n in shape if n != -1])
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


def sizes_of(given, named=None):
    """Sizes (or dimensions) given separately, as one sequence or by name, as a tuple of int that may be negative."""
    if named is not None:
        given = (named,) if isinstance(named, (int, np.integer)) else named
    elif len(given) == 1 and not isinstance(given[0], (int, np.integer)):
        given = given[0] if not (isinstance(given[0], Tensor) and given[0].ndim == 0) else given
    return tuple([operator.index(n) for n in given])


def distinct_dims(dims, ndim):
    """`dims` counted from the front; an error in PyTorch's words if one is listed twice."""
    dims = tuple([check_dim(d, ndim) for d in dims])
    for i, d in enumerate(dims):
        if d in dims[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return dims


def _fits(array, shape):
    """Whether `array` can be seen in `shape` without a copy."""
    if array.flags.c_contiguous:
        return True
    try:
        array.reshape(shape, copy=False)
    except ValueError:
        return False
    return True


@both()
def reshape(input, *sizes, shape=None):
    """The same elements in row-major order in another shape, one size may be -1; a view if possible (`torch.reshape`).

    >>> import minigrad
    >>> minigrad.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    shape = _resolve(sizes_of(sizes, shape), input._array.size)
    return Reshape.apply(input if _fits(input._array, shape) else Clone.apply(input, contiguous_format), shape)


@method()
def view(self, *shape, size=None, dtype=None):
    """The same memory in another shape; later writes are seen by both (`torch.Tensor.view`).

    Given a dtype instead, the same bytes read as another dtype, outside the graph; where its elements are larger or
    smaller, the last dimension (which must lie without gaps) shrinks or grows.

    Convolution results lie channels-last in memory, which forbids most views; such a tensor is first laid out afresh,
    unless other tensors look at its memory, which is PyTorch's error.

    >>> import minigrad
    >>> minigrad.arange(6).view(3, 2)
    tensor([[0, 1],
            [2, 3],
            [4, 5]])
    """
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], (np.dtype, type))):
        return _view_as_dtype(self, np.dtype(shape[0] if dtype is None else dtype))
    shape = _resolve(sizes_of(shape, size), self._array.size)
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


def _view_as_dtype(tensor, dtype):
    """The bytes of `tensor` read as `dtype`."""
    array = tensor._array
    if dtype not in TORCH_NAMES:
        raise TypeError(f"minigrad has no dtype {dtype}")
    if dtype.itemsize != array.itemsize:
        words = f"to view {TORCH_NAMES[array.dtype]} as {TORCH_NAMES[dtype]} (different element sizes)"
        if array.ndim == 0:
            raise RuntimeError(f"self.dim() cannot be 0 {words}")
        if array.strides[-1] != array.itemsize:
            raise RuntimeError(f"self.stride(-1) must be 1 {words}, but got {array.strides[-1] // array.itemsize}")
        ratio, rest = divmod(dtype.itemsize, array.itemsize)
        if rest == 0 and array.shape[-1] % ratio:
            raise RuntimeError(f"self.size(-1) must be divisible by {ratio} {words}, but got {array.shape[-1]}")
    result = Tensor._wrap(array.view(dtype))
    tensor.storage.share(result)
    return result


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
    if start == end:
        return input
    shape = input._array.shape
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@both()
def unflatten(input, dim, sizes):
    """Dimension `dim` split into `sizes`, one of which may be -1 (`torch.unflatten`).

    >>> import minigrad
    >>> minigrad.zeros(2, 12).unflatten(1, (3, -1)).shape
    minigrad.Size([2, 3, 4])
    """
    axis, shape, sizes = check_dim(dim, input.ndim), input._array.shape, tuple(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if -1 not in sizes and math.prod(sizes) != shape[axis]:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[axis]}) in "
            "the input tensor"
        )
    return reshape(input, (*shape[:axis], *_resolve(sizes, shape[axis]), *shape[axis + 1 :]))


@both()
def ravel(input):
    """All elements in one dimension, row-major (`torch.ravel`).

    >>> import minigrad
    >>> minigrad.eye(2).ravel()
    tensor([1., 0., 0., 1.])
    """
    return reshape(input, -1)


@both()
def permute(input, *order, dims=None):
    """The dimensions in the order `dims`, on the same memory (`torch.permute`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3, 4).permute(2, 0, 1).shape
    minigrad.Size([4, 2, 3])
    """
    dims = sizes_of(order, dims)
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


@both("swapdims")
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
def swapaxes(input, axis0, axis1):
    """Two dimensions exchanged, on the same memory (`torch.swapaxes`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3).swapaxes(0, 1).shape
    minigrad.Size([3, 2])
    """
    return transpose(input, axis0, axis1)


@both("moveaxis")
def movedim(input, source, destination):
    """Dimensions `source` (one or several) moved to the places `destination`, on the same memory (`torch.movedim`).

    >>> import minigrad
    >>> minigrad.zeros(2, 3, 4).movedim(0, -1).shape
    minigrad.Size([3, 4, 2])
    """
    if isinstance(source, int) != isinstance(destination, int):
        raise TypeError(
            "movedim() received an invalid combination of arguments\nhint: source and destination are both numbers or "
            f"both tuples, not {type(source).__name__} and {type(destination).__name__}"
        )
    given = [[dims] if isinstance(dims, int) else list(dims) for dims in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({given[0]} dims) should contain the same number of dims as destination ({given[1]} dims)"
        )
    from_dims, to_dims = ([check_dim(d, input.ndim) for d in dims] for dims in given)
    for name, dims, listed in (("source", from_dims, given[0]), ("destination", to_dims, given[1])):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({listed})")
    if input.ndim == 0:
        return Permute.apply(input, ())
    rest = iter([d for d in range(input.ndim) if d not in from_dims])
    moved = dict(zip(to_dims, from_dims))
    return Permute.apply(input, tuple([moved[d] if d in moved else next(rest) for d in range(input.ndim)]))


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


def _matrices(tensor, name):
    """The last two dimensions of `tensor` exchanged; `name` is for the error."""
    if tensor.ndim == 1:
        raise RuntimeError(
            f"tensor.{name} is only supported on matrices or batches of matrices. Got {tensor.ndim}-D tensor."
        )
    return transpose(tensor, -2, -1) if tensor.ndim else Permute.apply(tensor, ())


def _hermitian(tensor):
    if tensor.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {tensor.ndim}-D tensor."
            + (" For batches of matrices, consider using tensor.mH" if tensor.ndim > 2 else "")
        )
    return t(tensor)


Tensor.mT = property(lambda self: _matrices(self, "mT"), doc="The last two dimensions exchanged.")
Tensor.mH = property(lambda self: _matrices(self, "mH"), doc="The last two dimensions exchanged.")
Tensor.H = property(_hermitian, doc="The transpose of a matrix.")


@both()
def adjoint(input):
    """The last two dimensions exchanged (`torch.adjoint`).

    >>> import minigrad
    >>> minigrad.zeros(5, 2, 3).adjoint().shape
    minigrad.Size([5, 3, 2])
    """
    return _matrices(input, "adjoint()")


@both()
def squeeze(input, dim=None):
    """Without the dimensions of size 1, or without those of `dim` that are (`torch.squeeze`).

    >>> import minigrad
    >>> minigrad.zeros(1, 3, 1).squeeze().shape
    minigrad.Size([3])
    """
    shape = input._array.shape
    dims = range(len(shape)) if dim is None else distinct_dims((dim,) if isinstance(dim, int) else dim, len(shape))
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
def expand(self, *sizes, size=None):
    """Repeated along dimensions of size 1, and along new ones in front, without copying; -1 keeps a size
    (`torch.Tensor.expand`).

    >>> import minigrad
    >>> minigrad.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    size, shape = sizes_of(sizes, size), self._array.shape
    lead = len(size) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{TORCH_NAMES[self.dtype]}Tensor{{{list(shape)}}}, size={list(size)}): the number of sizes "
            f"provided ({len(size)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    target = []
    for i, n in reversed(list(enumerate(size))):
        have = 1 if i < lead else shape[i - lead]
        if n < 0 and i < lead:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
            )
        if (n not in (-1, have) and have != 1) or n < -1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  "
                f"Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
        target.append(have if n == -1 else n)
    target.reverse()
    if math.prod([n for n in target if n]) * self._array.itemsize >= 2**63:
        raise RuntimeError(f"numel: integer multiplication overflow\nhint: the sizes are {target}")
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


@function
def broadcast_tensors(*tensors):
    """The tensors expanded to the shape they broadcast to, a tuple (`torch.broadcast_tensors`).

    >>> import minigrad
    >>> [x.shape for x in minigrad.broadcast_tensors(minigrad.zeros(3), minigrad.zeros(2, 1))]
    [minigrad.Size([2, 3]), minigrad.Size([2, 3])]
    """
    tensors = tuple(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    shape = broadcast_shapes(*[x._array.shape for x in tensors])
    return tuple([x.expand(shape) for x in tensors])


@function
def broadcast_shapes(*shapes):
    """The shape to which tensors of `shapes` broadcast (`torch.broadcast_shapes`).

    >>> import minigrad
    >>> minigrad.broadcast_shapes((2, 1), (3,))
    minigrad.Size([2, 3])
    """
    shapes = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    result = ()
    for shape in shapes:
        rank = max(len(result), len(shape))
        a, b = ((1,) * (rank - len(sizes)) + sizes for sizes in (result, shape))
        for d in reversed(range(rank)):
            if a[d] != b[d] and 1 not in (a[d], b[d]):
                raise RuntimeError(
                    f"The size of tensor a ({a[d]}) must match the size of tensor b ({b[d]}) at non-singleton "
                    f"dimension {d}\nhint: the shapes are {', '.join(map(str, shapes))}; counted from the right, sizes "
                    "must be equal or 1"
                )
        result = tuple([m if n == 1 else n for m, n in zip(a, b)])
    return Size(result)
