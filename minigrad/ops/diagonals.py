"""Diagonals and triangles: parts of matrices, and matrices made of them."""

import numpy as np

from minigrad.autograd import Operation, check_dim

from .creation import zeros
from .joining import cat
from .registry import both, function
from .shape import reshape
from .views import Slice, Unview, replaced


class Diagonal(Operation):
    """A diagonal of the matrices in x's two given dimensions, as a new last dimension: a view"""

    formula = "dx = dy on the diagonal, 0 elsewhere"
    is_view = True

    @staticmethod
    def forward(ctx, x, offset, axis1, axis2):
        ctx.shape, ctx.settings = x.shape, (offset, axis1, axis2)
        y = x.diagonal(offset, axis1, axis2)
        if type(x) is np.ndarray:  # else it is as writable as x
            y.flags.writeable = x.flags.writeable
        return y

    @staticmethod
    def backward(ctx, dy):
        return Unview.apply(dy, ctx.shape, Diagonal, *ctx.settings)


class Triangle(Operation):
    """The lower or upper triangle of the matrices in x's last two dimensions, 0 elsewhere"""

    formula = "dx = the triangle of dy"

    @staticmethod
    def forward(ctx, x, keep, diagonal):
        ctx.keep, ctx.diagonal = keep, diagonal
        return keep(x, diagonal)

    @staticmethod
    def backward(ctx, dy):
        return Triangle.apply(dy, ctx.keep, ctx.diagonal)


def _plane(dim1, dim2, ndim):
    """Two different dimensions, counted from the front."""
    axes = check_dim(dim1, ndim), check_dim(dim2, ndim)
    if axes[0] == axes[1]:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return axes


def _limited(offset, shape, axis1, axis2):
    """`offset` itself, or the nearest with an empty diagonal."""
    return max(-shape[axis1], min(offset, shape[axis2]))


@both()
def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of dimensions `dim1` and `dim2`, `offset` above the main one, as the last dimension of a view.

    Source: `torch.diagonal`.

    >>> import minigrad
    >>> minigrad.arange(6).reshape(2, 3).diagonal(1)
    tensor([1, 5])
    """
    axes = _plane(dim1, dim2, input.ndim)
    return Diagonal.apply(input, _limited(offset, input._array.shape, *axes), *axes)


@both()
def diag(input, diagonal=0):
    """A copy of the diagonal of a matrix, or the matrix with a vector as its diagonal (`torch.diag`).

    >>> import minigrad
    >>> minigrad.diag(minigrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    return Diagonal.apply(input, _limited(diagonal, input._array.shape, 0, 1), 0, 1).clone()


@both()
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Zero matrices in dimensions `dim1` and `dim2`, with the last dimension of `input` as a diagonal.

    Source: `torch.diag_embed`.

    >>> import minigrad
    >>> minigrad.diag_embed(minigrad.tensor([1, 2]), 1)
    tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
    """
    if input.ndim == 0:
        raise IndexError(f"Dimension out of range (expected to be in range of [-1, 0], but got {dim1})")
    axes = _plane(dim1, dim2, input.ndim + 1)
    shape = list(input._array.shape[:-1])
    for axis in sorted(axes):
        shape.insert(axis, input._array.shape[-1] + abs(offset))
    return Unview.apply(input, tuple(shape), Diagonal, offset, *axes)


@both()
def diagflat(input, offset=0):
    """The matrix whose diagonal is the flattened `input` (`torch.diagflat`).

    >>> import minigrad
    >>> minigrad.diagflat(minigrad.tensor([[1, 2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(reshape(input, -1), offset)


@function
def block_diag(*tensors):
    """The matrix with the given matrices (vectors as rows, numbers as 1 x 1) along its diagonal (`torch.block_diag`).

    >>> import minigrad
    >>> minigrad.block_diag(minigrad.tensor([[1, 2]]), minigrad.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if not tensors:
        return zeros(1, 0)
    for i, item in enumerate(tensors):
        if item.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {item.ndim} dimensions"
            )
    blocks = [reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape)) for x in tensors]
    columns, before, bands = sum(x.shape[1] for x in blocks), 0, []
    for block in blocks:
        rows, width = block._array.shape
        bands.append(Unview.apply(block, (rows, columns), Slice, (slice(None), slice(before, before + width))))
        before += width
    return cat(bands)


@both(inplace=True)
def tril(input, diagonal=0):
    """The lower triangle of matrices, up to the `diagonal`-th above the main diagonal, 0 elsewhere (`torch.tril`).

    >>> import minigrad
    >>> minigrad.tril(minigrad.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle(input, diagonal, np.tril)


@both(inplace=True)
def triu(input, diagonal=0):
    """The upper triangle of matrices, from the `diagonal`-th above the main diagonal on, 0 elsewhere (`torch.triu`).

    >>> import minigrad
    >>> minigrad.triu(minigrad.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triangle(input, diagonal, np.triu)


def _triangle(input, diagonal, keep):
    if input.ndim < 2:
        raise RuntimeError(f"{keep.__name__}: input tensor must have at least 2 dimensions")
    rows, columns = input._array.shape[-2:]
    return Triangle.apply(input, keep, max(-rows - 1, min(diagonal, columns + 1)))


@both()
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of `input` with `src` as the diagonal of dimensions `dim1` and `dim2` (`torch.diagonal_scatter`).

    >>> import minigrad
    >>> minigrad.diagonal_scatter(minigrad.zeros(2, 2), minigrad.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    axes = _plane(dim1, dim2, input.ndim)
    return replaced(input, src, Diagonal, _limited(offset, input._array.shape, *axes), *axes)
