"""The same elements in another order, or several times: flips, rolls, turns, repetitions."""

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim, contiguous_format

from .conversion import clone
from .creation import checked
from .index import Pick
from .registry import both, method
from .shape import distinct_dims, expand, reshape, sizes_of


class Flip(Operation):
    """x with the order along the given dimensions reversed"""

    formula = "dx = dy reversed again"

    @staticmethod
    def forward(ctx, x, axes):
        ctx.axes = axes
        return np.flip(x, axes).copy() if x.ndim else x.copy()

    @staticmethod
    def backward(ctx, dy):
        return Flip.apply(dy, ctx.axes)


class Roll(Operation):
    """x shifted along the given dimensions; what leaves at one end enters at the other"""

    formula = "dx = dy shifted back"

    @staticmethod
    def forward(ctx, x, shifts, axes):
        ctx.shifts, ctx.axes = shifts, axes
        return np.roll(x, shifts, axes)

    @staticmethod
    def backward(ctx, dy):
        return Roll.apply(dy, tuple([-shift for shift in ctx.shifts]), ctx.axes)


@both()
def flip(input, *axes, dims=None):
    """A copy with the order along `dims` reversed (`torch.flip`).

    >>> import minigrad
    >>> minigrad.arange(3).flip(0)
    tensor([2, 1, 0])
    """
    return Flip.apply(input, distinct_dims(sizes_of(axes, dims), input.ndim))


@both()
def fliplr(input):
    """A copy with the columns (dimension 1) in reverse order (`torch.fliplr`).

    >>> import minigrad
    >>> minigrad.fliplr(minigrad.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return Flip.apply(input, (1,))


@both()
def flipud(input):
    """A copy with the rows (dimension 0) in reverse order (`torch.flipud`).

    >>> import minigrad
    >>> minigrad.flipud(minigrad.arange(3))
    tensor([2, 1, 0])
    """
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return Flip.apply(input, (0,))


@both()
def roll(input, shifts, dims=()):
    """A copy shifted by `shifts` along `dims`, circularly; without `dims`, flattened for the shift (`torch.roll`).

    >>> import minigrad
    >>> minigrad.arange(4).roll(1)
    tensor([3, 0, 1, 2])
    """
    shifts, dims = ((v,) if isinstance(v, int) else tuple(() if v is None else v) for v in (shifts, dims))
    if not shifts:
        raise RuntimeError("`shifts` required")
    if not dims and len(shifts) == 1:
        return reshape(roll(reshape(input, -1), shifts, 0), input._array.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if input.ndim == 0:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    axes = tuple([check_dim(d, input.ndim) for d in dims])
    if input._array.size == 0:
        return input.clone()
    return Roll.apply(input, tuple([s % input._array.shape[a] for s, a in zip(shifts, axes)]), axes)


@both()
def rot90(input, k=1, dims=(0, 1)):
    """A copy turned `k` times by 90 degrees in the plane of `dims`, from the first to the second (`torch.rot90`).

    >>> import minigrad
    >>> minigrad.rot90(minigrad.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    dims = tuple(dims)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = (check_dim(d, input.ndim) for d in dims)
    if a == b:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    turns = k % 4
    if turns in (0, 2):
        return Flip.apply(input, (a, b)) if turns else input.clone()
    return Flip.apply(input, (b,) if turns == 1 else (a,)).transpose(a, b)


def _repeat(input, repeats):
    """`input`, which has as many dimensions, repeated as a whole along each."""
    shape = input._array.shape
    apart = [size for n in shape for size in (1, n)]
    together = [size for r, n in zip(repeats, shape) for size in (r, n)]
    copy = clone(expand(reshape(input, apart), together), memory_format=contiguous_format)
    return reshape(copy, [r * n for r, n in zip(repeats, shape)])


def _lead(input, count):
    """`input` with dimensions of size 1 in front, up to `count` dimensions."""
    return reshape(input, (*(1,) * (count - input.ndim), *input._array.shape))


def _forbid_negative(repeats, shape):
    if any(r < 0 for r in repeats):
        sizes = [r * n for r, n in zip(repeats, (1,) * (len(repeats) - len(shape)) + tuple(shape))]
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(sizes)}: {sizes}\nhint: the repeats are "
            f"{list(repeats)}"
        )


@method()
def repeat(self, *times, repeats=None):
    """A copy repeated `repeats` times along each dimension, new ones in front included (`torch.Tensor.repeat`).

    >>> import minigrad
    >>> minigrad.arange(2).repeat(2, 2)
    tensor([[0, 1, 0, 1],
            [0, 1, 0, 1]])
    """
    repeats = sizes_of(times, repeats)
    if len(repeats) < self.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor\nhint: the "
            f"repeats are {list(repeats)}, the shape is {tuple(self.shape)}"
        )
    _forbid_negative(repeats, self._array.shape)
    if not repeats:
        return self.clone()
    lead = _lead(self, len(repeats))
    checked([n * size for n, size in zip(repeats, lead.shape)])
    return _repeat(lead, repeats)


@both()
def tile(input, *times, dims=None):
    """A copy repeated `dims` times along the last dimensions, new ones in front included (`torch.tile`).

    >>> import minigrad
    >>> minigrad.eye(2).tile(2)
    tensor([[1., 0., 1., 0.],
            [0., 1., 0., 1.]])
    """
    dims = sizes_of(times, dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


@both()
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """A copy with every entry of `dim` repeated `repeats` times in place (`torch.repeat_interleave`).

    `repeats` is a number, or an integer tensor with one number an entry. Without `dim`, `input` is flattened first;
    without `repeats`, the result is every index i of the vector `input`, input[i] times.

    >>> import minigrad
    >>> minigrad.arange(3).repeat_interleave(minigrad.tensor([2, 0, 1]))
    tensor([0, 0, 2])
    """
    if repeats is None:
        return Tensor._wrap(
            np.repeat(np.arange(input.numel(), like=input._array), _counts(input, input.numel(), output_size))
        )
    if dim is None:
        input, dim = reshape(input, -1), 0
    axis = check_dim(dim, input.ndim)
    if input.ndim == 0:
        return repeat_interleave(reshape(input, 1), repeats, 0, output_size=output_size)
    size = input._array.shape[axis]
    if not isinstance(repeats, Tensor):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        _require_total(size * repeats, output_size)
    else:
        repeats = _counts(repeats, size, output_size)
    index = np.repeat(np.arange(size, like=input._array), repeats)
    return Pick.apply(input, (*(slice(None),) * axis, index))


def _counts(repeats, size, output_size):
    """How often to repeat each of `size` entries, an array."""
    counts = repeats._array
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.dtype not in (np.int32, np.int64):
        raise RuntimeError(f"repeats has to be Long or Int tensor\nhint: it is {counts.dtype}; convert it with .long()")
    if counts.ndim and counts.size not in (1, size):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size(0) = {size}"
        )
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    _require_total(sum(counts.ravel().tolist()) * (size if counts.size == 1 else 1), output_size)
    return np.broadcast_to(counts.reshape(-1) if counts.ndim else counts, size)


def _require_total(total, output_size):
    """The errors of a result that would have so many entries."""
    if output_size is not None and output_size != total:
        raise RuntimeError(
            f"allocated size does not match required size\nhint: output_size is {output_size}, the repeats add up to "
            f"{total}"
        )
    if total >= 2**47:
        raise RuntimeError(f"repeat_interleave: the result would have {total} entries along one dimension")
