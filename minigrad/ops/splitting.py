"""A tensor taken apart along a dimension: pieces that are views of its memory."""

from itertools import pairwise

import numpy as np

from minigrad.autograd import Tensor, check_dim

from .registry import both, function, method
from .views import Slice, replaced


def _part(axis, start, stop, step=1):
    """The plain index for entries `start` to `stop` of one axis."""
    return (slice(None),) * axis + (slice(start, stop, step),)


@both()
def narrow(input, dim, start, length):
    """`length` entries of dimension `dim` from `start` on, on the same memory (`torch.narrow`).

    >>> import minigrad
    >>> minigrad.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    if input.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    axis, start = check_dim(dim, input.ndim), int(start)
    size = input._array.shape[axis]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [-{size}, {size}], but got {start})")
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return Slice.apply(input, _part(axis, start, start + length))


@both()
def narrow_copy(input, dim, start, length):
    """A copy of `length` entries of dimension `dim` from `start` on (`torch.narrow_copy`).

    >>> import minigrad
    >>> minigrad.narrow_copy(minigrad.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    return narrow(input, dim, start, length).clone()


def _entry(input, dim, index):
    """The plain index for one entry of a dimension, checked."""
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis, index = check_dim(dim, input.ndim), int(index)
    size = input._array.shape[axis]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {axis}"
        )
    return (*(slice(None),) * axis, index)


@both()
def select(input, dim, index):
    """Entry `index` of dimension `dim`, on the same memory (`torch.select`).

    >>> import minigrad
    >>> minigrad.eye(2).select(0, 1)
    tensor([0., 1.])
    """
    return Slice.apply(input, _entry(input, dim, index))


@both()
def select_scatter(input, src, dim, index):
    """A copy of `input` with `src` as entry `index` of dimension `dim` (`torch.select_scatter`).

    >>> import minigrad
    >>> minigrad.select_scatter(minigrad.zeros(2, 2), minigrad.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return replaced(input, src, Slice, _entry(input, dim, index))


@both()
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """A copy of `input` with `src` as entries `start` to `end`, `step` apart, of `dim` (`torch.slice_scatter`).

    >>> import minigrad
    >>> minigrad.slice_scatter(minigrad.zeros(4), minigrad.ones(2), start=1, end=4, step=2)
    tensor([0., 1., 0., 1.])
    """
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return replaced(input, src, Slice, _part(check_dim(dim, input.ndim), start, end, step))


@both()
def unbind(input, dim=0):
    """The entries along `dim`, a tuple of views (`torch.unbind`).

    >>> import minigrad
    >>> minigrad.eye(2).unbind()
    (tensor([1., 0.]), tensor([0., 1.]))
    """
    if input.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    axis = check_dim(dim, input.ndim)
    return tuple([Slice.apply(input, (*(slice(None),) * axis, i)) for i in range(input._array.shape[axis])])


def _pieces(input, axis, cuts):
    """The pieces between the cuts along an axis: one more than there are cuts."""
    edges = [None, *cuts, None]
    return tuple([Slice.apply(input, _part(axis, start, stop)) for start, stop in pairwise(edges)])


@function
def split(tensor, split_size_or_sections, dim=0):
    """Views of pieces along `dim`: of one size (the last may be smaller), or of the listed sizes (`torch.split`).

    >>> import minigrad
    >>> minigrad.split(minigrad.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis, step = check_dim(dim, tensor.ndim), split_size_or_sections
    size = tensor._array.shape[axis]
    if step < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and size:
        raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}")
    return _pieces(tensor, axis, range(step, size, step) if step else ())


@method("split")
def _split(self, split_size, dim=0):
    """Views of pieces along `dim`: of one size (the last may be smaller), or of the listed sizes
    (`torch.Tensor.split`).
    """
    return split(self, split_size, dim)


@both()
def split_with_sizes(input, split_sizes, dim=0):
    """Views of pieces of the listed sizes along `dim` (`torch.split_with_sizes`).

    >>> import minigrad
    >>> minigrad.split_with_sizes(minigrad.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
    """
    if input.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis, sizes = check_dim(dim, input.ndim), [int(n) for n in split_sizes]
    size = input._array.shape[axis]
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={sizes}"
        )
    if sum(sizes) != size:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension {dim}), "
            f"but got split_sizes={sizes}"
        )
    stops = np.cumsum(sizes).tolist()
    return tuple([Slice.apply(input, _part(axis, stop - n, stop)) for stop, n in zip(stops, sizes)])


@both()
def chunk(input, chunks, dim=0):
    """At most `chunks` pieces of equal size along `dim` (`torch.chunk`).

    >>> import minigrad
    >>> minigrad.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if input.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input._array.shape[check_dim(dim, input.ndim)]
    if size == 0:  # as many empty pieces as asked for
        _limit(chunks, size)
        return split_with_sizes(input, (0,) * chunks, dim)
    return split(input, -(-size // chunks), dim)


def _limit(pieces, size):
    if pieces > max(2**20, size):
        raise RuntimeError(f"{pieces} pieces of a dimension of size {size} are too many")


@both()
def tensor_split(input, indices_or_sections, dim=0):
    """Views of pieces along `dim`: so many of nearly equal size, or cut before the listed indices.

    Source: `torch.tensor_split`.

    >>> import minigrad
    >>> minigrad.tensor_split(minigrad.arange(5), 3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> minigrad.tensor_split(minigrad.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    if input.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    axis = check_dim(dim, input.ndim)
    if isinstance(indices_or_sections, Tensor):
        if indices_or_sections.ndim > 1 or indices_or_sections.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional long "
                f"tensor\nhint: it is {indices_or_sections.dtype} of shape {tuple(indices_or_sections.shape)}"
            )
        indices_or_sections = indices_or_sections.tolist()
    if not isinstance(indices_or_sections, (int, np.integer)):
        return _pieces(input, axis, [int(i) for i in indices_or_sections])
    sections, size = indices_or_sections, input._array.shape[axis]
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    _limit(sections, size)
    larger, least = size % sections, size // sections
    return _pieces(input, axis, [i * least + min(i, larger) for i in range(1, sections)])


def _even(name, input, indices_or_sections, dim, rank):
    """The split that hsplit, vsplit and dsplit share: equal pieces, or cut before the listed indices."""
    if input.ndim < rank:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor with {input.ndim} "
            "dimensions!"
        )
    if isinstance(indices_or_sections, (int, np.integer)):
        size = input._array.shape[dim]
        if indices_or_sections <= 0 or size % indices_or_sections:
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size} is not "
                f"divisible by the split_size {indices_or_sections}!"
            )
    return tensor_split(input, indices_or_sections, dim)


@both()
def hsplit(input, indices_or_sections):
    """Views of equal pieces along dimension 1 (0 of a vector), or cut before the listed indices (`torch.hsplit`).

    >>> import minigrad
    >>> minigrad.hsplit(minigrad.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
    """
    return _even("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@both()
def vsplit(input, indices_or_sections):
    """Views of equal pieces along dimension 0, or cut before the listed indices (`torch.vsplit`).

    >>> import minigrad
    >>> minigrad.vsplit(minigrad.eye(2), 2)
    (tensor([[1., 0.]]), tensor([[0., 1.]]))
    """
    return _even("vsplit", input, indices_or_sections, 0, 2)


@both()
def dsplit(input, indices_or_sections):
    """Views of equal pieces along dimension 2, or cut before the listed indices (`torch.dsplit`).

    >>> import minigrad
    >>> [x.shape for x in minigrad.dsplit(minigrad.zeros(1, 2, 4), (1,))]
    [minigrad.Size([1, 2, 1]), minigrad.Size([1, 2, 3])]
    """
    return _even("dsplit", input, indices_or_sections, 2, 3)


def _iterate(self):
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self))


Tensor.__iter__ = _iterate
