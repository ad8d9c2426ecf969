"""Tensors put together: along a dimension, as a grid; and the ranks that this takes."""

from functools import reduce

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim, promote_types
from minigrad.kernels import kernels_for

from .arithmetic import LARGE
from .registry import function, functions
from .shape import expand, flatten, reshape


def _tensors(tensors, empty, name="cat"):
    """`tensors` as a list; `empty` is the error for none."""
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    tensors = list(tensors)
    if not tensors:
        raise empty
    for i, item in enumerate(tensors):
        if not isinstance(item, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(item).__name__}")
    return tensors


class Cat(Operation):
    """Tensors one after another along a dimension"""

    formula = "dxᵢ = the part of dy where xᵢ lies"

    @staticmethod
    def forward(ctx, axis, *xs):
        ctx.axis, ctx.sizes = axis, [x.shape[axis] for x in xs]
        if sum([x.size for x in xs]) >= LARGE:
            return kernels_for(xs[0]).concatenate(xs, axis)
        return np.concatenate(xs, axis=axis)

    @staticmethod
    def backward(ctx, dy):
        grads, start = [None], 0
        for size, needed in zip(ctx.sizes, ctx.needs_input_grad[1:]):
            grads.append(dy.narrow(ctx.axis, start, size) if needed else None)
            start += size
        return tuple(grads)


class Stack(Operation):
    """Tensors of one shape along a new dimension"""

    formula = "dxᵢ = dy at place i of the new dimension"

    @staticmethod
    def forward(ctx, axis, *xs):
        ctx.axis, shape = axis, xs[0].shape
        lifted = *shape[:axis], 1, *shape[axis:]
        return np.concatenate([x.reshape(lifted) for x in xs], axis=axis)

    @staticmethod
    def backward(ctx, dy):
        needs = ctx.needs_input_grad[1:]
        return None, *[dy.select(ctx.axis, i) if needed else None for i, needed in enumerate(needs)]


@function
def cat(tensors, dim=0):
    """Tensors one after another along `dim`; other sizes must agree, dtypes are promoted (`torch.cat`).

    >>> import minigrad
    >>> minigrad.cat([minigrad.ones(2), minigrad.zeros(1)])
    tensor([1., 1., 0.])
    """
    tensors = _tensors(tensors, ValueError("torch.cat(): expected a non-empty list of Tensors"))
    shapes = [x._array.shape for x in tensors]
    if () in shapes:
        raise RuntimeError(f"zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated")
    tensors = _of_one_dtype(tensors)
    if (0,) in shapes:  # PyTorch lets 1-d empty tensors join anything
        tensors = [x for x in tensors if x._array.shape != (0,)] or tensors[:1]
        shapes = [x._array.shape for x in tensors]
    first = shapes[0]
    axis = 0 if first == (0,) else check_dim(dim, len(first))
    for i, shape in enumerate(shapes):
        if shape == first:
            continue
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for d, (a, b) in enumerate(zip(first, shape)):
            if a != b and d != axis:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {a} but got size {b} for "
                    f"tensor number {i} in the list.\nhint: the shapes are {shapes}"
                )
    return Cat.apply(axis, *tensors)


def _of_one_dtype(tensors):
    """The tensors, converted to their common dtype where they have several."""
    dtypes = [x._array.dtype for x in tensors]
    if dtypes.count(dtypes[0]) == len(dtypes):
        return tensors
    dtype = reduce(promote_types, dtypes)
    return [x.to(dtype) for x in tensors]


@function
def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension `dim` (`torch.stack`).

    >>> import minigrad
    >>> minigrad.stack([minigrad.ones(2), minigrad.zeros(2)])
    tensor([[1., 1.],
            [0., 0.]])
    """
    tensors = _tensors(tensors, RuntimeError("stack expects a non-empty TensorList"))
    axis = check_dim(dim, tensors[0].ndim + 1)
    for i, item in enumerate(tensors):
        if item._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(item.shape)} at entry {i}"
            )
    return Stack.apply(axis, *_of_one_dtype(tensors))


functions["concat"] = functions["concatenate"] = cat


def _stacked(tensors, name, lift, dim):
    """The tensors, which `lift` brings to one rank, put together along `dim`."""
    tensors = _tensors(tensors, RuntimeError(f"{name} expects a non-empty TensorList"), name)
    lifted = [lift(x) for x in tensors]
    return cat(lifted, dim(lifted))


@function
def hstack(tensors):
    """Tensors side by side: along dimension 1, vectors along dimension 0 (`torch.hstack`).

    >>> import minigrad
    >>> minigrad.hstack([minigrad.tensor([1, 2]), minigrad.tensor(3)])
    tensor([1, 2, 3])
    """
    return _stacked(tensors, "hstack", atleast_1d, lambda lifted: 0 if lifted[0].ndim == 1 else 1)


@function
def vstack(tensors):
    """Tensors below each other: along dimension 0, vectors as rows (`torch.vstack`).

    >>> import minigrad
    >>> minigrad.vstack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return _stacked(tensors, "vstack", atleast_2d, lambda lifted: 0)


functions["row_stack"] = vstack


@function
def dstack(tensors):
    """Tensors behind each other: along dimension 2, vectors as (1, n, 1) (`torch.dstack`).

    >>> import minigrad
    >>> minigrad.dstack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return _stacked(tensors, "dstack", atleast_3d, lambda lifted: 2)


@function
def column_stack(tensors):
    """Vectors as columns, and matrices, side by side (`torch.column_stack`).

    >>> import minigrad
    >>> minigrad.column_stack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return _stacked(tensors, "column_stack", lambda x: reshape(x, -1, 1) if x.ndim < 2 else x, lambda lifted: 1)


@function
def meshgrid(*tensors, indexing=None):
    """The coordinates of the grid over vectors, one tensor a vector (`torch.meshgrid`).

    All are views of the grid's shape: with `indexing="ij"` (the default) the vectors run along the dimensions in their
    order, with "xy" the first runs along the columns and the second along the rows.

    >>> import minigrad
    >>> minigrad.meshgrid(minigrad.tensor([1, 2]), minigrad.tensor([3, 4]), indexing="ij")
    (tensor([[1, 1],
            [2, 2]]), tensor([[3, 4],
            [3, 4]]))
    """
    tensors = tuple(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for x in tensors:
        if x.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x!r}\nhint: its shape is "
                f"{tuple(x.shape)}"
            )
        if x.dtype != tensors[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    swapped = indexing == "xy" and len(tensors) > 1
    ordered = [tensors[1], tensors[0], *tensors[2:]] if swapped else tensors
    shape, grids = [x.numel() for x in ordered], []
    for axis, x in enumerate(ordered):
        grids.append(expand(reshape(x, (1,) * axis + (-1,) + (1,) * (len(shape) - axis - 1)), shape))
    return tuple([grids[1], grids[0], *grids[2:]] if swapped else grids)


@function
def cartesian_prod(*tensors):
    """All combinations of the elements of vectors, one a row (a vector itself, if it is the only one).

    Source: `torch.cartesian_prod`.

    >>> import minigrad
    >>> minigrad.cartesian_prod(minigrad.tensor([1, 2]), minigrad.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    return tensors[0] if len(tensors) == 1 else flatten(stack(meshgrid(*tensors), -1), 0, -2)


def _at_least(rank, tensors, lift):
    """The tensors with `lift` for those of a lower rank: one, or a tuple of several."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return lift(tensors[0]) if tensors[0].ndim < rank else tensors[0]
    tensors = tensors[0] if len(tensors) == 1 else tensors
    return tuple([lift(x) if x.ndim < rank else x for x in tensors])


@function
def atleast_1d(*tensors):
    """The tensors with at least one dimension; a tuple if several are given (`torch.atleast_1d`).

    >>> import minigrad
    >>> minigrad.atleast_1d(minigrad.tensor(5))
    tensor([5])
    """
    return _at_least(1, tensors, lambda x: reshape(x, 1))


@function
def atleast_2d(*tensors):
    """The tensors with at least two dimensions, vectors as rows; a tuple if several are given (`torch.atleast_2d`).

    >>> import minigrad
    >>> minigrad.atleast_2d(minigrad.tensor([5, 6]))
    tensor([[5, 6]])
    """
    return _at_least(2, tensors, lambda x: reshape(x, 1, -1) if x.ndim == 0 else x.unsqueeze(0))


@function
def atleast_3d(*tensors):
    """The tensors with at least three dimensions, vectors as (1, n, 1), matrices as (n, m, 1); a tuple if several.

    Source: `torch.atleast_3d`.

    >>> import minigrad
    >>> minigrad.atleast_3d(minigrad.tensor([5, 6])).shape
    minigrad.Size([1, 2, 1])
    """

    def lift(x):
        if x.ndim == 0:
            return reshape(x, 1, 1, 1)
        return x.unsqueeze(0).unsqueeze(-1) if x.ndim == 1 else x.unsqueeze(-1)

    return _at_least(3, tensors, lift)
