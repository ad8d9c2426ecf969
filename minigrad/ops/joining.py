"""Tensors put together along a dimension, and taken apart."""

from functools import reduce

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim, promote_types

from .registry import both, function
from .shape import unsqueeze


def _tensors(tensors, empty):
    """`tensors` as a list; `empty` is the error for none."""
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
        return np.concatenate(xs, axis=axis)

    @staticmethod
    def backward(ctx, dy):
        grads, start = [None], 0
        for size, needed in zip(ctx.sizes, ctx.needs_input_grad[1:]):
            grads.append(dy.narrow(ctx.axis, start, size) if needed else None)
            start += size
        return tuple(grads)


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


Tensor.__iter__ = lambda self: iter(unbind(self)) if self.ndim else _not_iterable()


def _not_iterable():
    raise TypeError("iteration over a 0-d tensor")
