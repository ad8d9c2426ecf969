"""Pooling to a given size: windows that divide the input into that many parts, their means or their largest elements.

Here too is the way back from maxima to where they stood: unpooling.
"""

from math import prod
from operator import index

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .convolution import refuse_absurd
from .pooling import MaxPool, MaxPoolGather, refuse_dtype
from .registry import function, functional, functions


class AdaptiveAvgPool(Operation):
    """y = the mean over windows that divide x into a given number of parts"""

    formula = "dx = dy / n over each part of n"
    fused = True

    @staticmethod
    def forward(ctx, x, output_size):
        ctx.shape = x.shape
        return kernels_for(x).adaptive_avg_pool(x, output_size)

    @staticmethod
    def backward(ctx, dy):
        return AdaptiveAvgPoolGrad.apply(dy, ctx.shape)


class AdaptiveAvgPoolGrad(Operation):
    """dy / n spread over each part"""

    formula = "ddy = the mean of ddx over each part"
    fused = True

    @staticmethod
    def forward(ctx, dy, shape):
        ctx.output_size = dy.shape[2:]
        return kernels_for(dy).adaptive_avg_pool_grad(dy, shape)

    @staticmethod
    def backward(ctx, ddx):
        return AdaptiveAvgPool.apply(ddx, ctx.output_size)


class AdaptiveMaxPool(MaxPool):
    """y = the largest x of each of a given number of parts, and where it stood"""

    formula = "dx[argmax of each part] += dy"

    @staticmethod
    def forward(ctx, x, output_size):
        ctx.shape, ctx.settings = x.shape, ()
        y, indices = kernels_for(x).adaptive_max_pool(x, output_size)
        ctx.save_for_backward(indices)
        return y, indices


class MaxUnpool(Operation):
    """y = x at the given places of each plane, 0 elsewhere; of several x for one place the last one stays"""

    formula = "dx = dy[indices]"

    @staticmethod
    def forward(ctx, x, indices, output_size):
        ctx.save_for_backward(indices)
        y = np.zeros((*x.shape[:2], prod(output_size)), x.dtype, like=x)
        planes = (*x.shape[:2], prod(x.shape[2:]))
        places = indices.reshape(planes).copy()  # else NumPy may write the last x first
        np.put_along_axis(y, places, x.reshape(planes), -1)
        return y.reshape(*x.shape[:2], *output_size)

    @staticmethod
    def backward(ctx, dy):
        (indices,) = ctx.saved_tensors
        return MaxPoolGather.apply(dy, indices, None)


def _parts(name, rank, input, output_size):
    """The input with a batch dimension, whether it was added here, and the checked output size."""
    largest = "max" in name
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor, but got{':' if largest else ''} {list(input.shape)}"
            if rank > 1
            else f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {name})"
        )
    x, unbatched = (input, False) if input.ndim == rank + 2 else (input.unsqueeze(0), True)
    sizes = x._array.shape[2:]
    if isinstance(output_size, (tuple, list)) and rank > 1:
        if len(output_size) != rank:
            raise RuntimeError(f"{name}: output_size must be {rank}\nhint: got {tuple(output_size)}")
        output_size = [n if wanted is None else wanted for n, wanted in zip(sizes, output_size)]
    values = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * rank
    if len(values) != rank:
        raise RuntimeError(f"{name}() argument 'output_size' should contain one int (got {len(values)})")
    values = tuple([index(value) for value in values])
    if any(value < 0 for value in values):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(values)}: {[*x._array.shape[:2], *values]}"
            if largest
            else f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, values))}}}"
        )
    channels_may_lack = rank < 3 and not largest
    for axis in range(1 + channels_may_lack, rank + 2):
        if x._array.shape[axis] == 0 and not (unbatched and axis == 1):
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {axis - unbatched} being empty"
            )
    refuse_absurd(values)
    refuse_dtype(name, x)
    return x, unbatched, values


def _adaptive_avg_pool(rank, input, output_size):
    x, unbatched, sizes = _parts(f"adaptive_avg_pool{rank}d", rank, input, output_size)
    y = AdaptiveAvgPool.apply(x, sizes)
    return y.squeeze(0) if unbatched else y


def _adaptive_max_pool(rank, input, output_size, return_indices):
    x, unbatched, sizes = _parts(f"adaptive_max_pool{rank}d", rank, input, output_size)
    found = [part.squeeze(0) if unbatched else part for part in AdaptiveMaxPool.apply(x, sizes)]
    return tuple(found) if return_indices else found[0]


@functional
@function
def adaptive_avg_pool1d(input, output_size):
    """The means over an `output_size` grid of parts of (N, C, L) or (C, L)
    (`torch.nn.functional.adaptive_avg_pool1d`).

    >>> import minigrad
    >>> adaptive_avg_pool1d(minigrad.tensor([[1.0, 3.0, 5.0, 7.0]]), 2)
    tensor([[2., 6.]])
    """
    return _adaptive_avg_pool(1, input, output_size)


@functional
def adaptive_avg_pool2d(input, output_size):
    """The means over an `output_size` grid of parts of (N, C, H, W) or (C, H, W)
    (`torch.nn.functional.adaptive_avg_pool2d`).

    A None in `output_size` keeps that size of the input.

    >>> import minigrad
    >>> adaptive_avg_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 1)
    tensor([[[[7.5000]]]])
    """
    return _adaptive_avg_pool(2, input, output_size)


@functional
def adaptive_avg_pool3d(input, output_size):
    """The means over an `output_size` grid of parts of (N, C, D, H, W) or (C, D, H, W)
    (`torch.nn.functional.adaptive_avg_pool3d`).

    A None in `output_size` keeps that size of the input.

    >>> import minigrad
    >>> adaptive_avg_pool3d(minigrad.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[3.5000]]]])
    """
    return _adaptive_avg_pool(3, input, output_size)


@functional
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest elements over an `output_size` grid of parts of (N, C, L) or (C, L)
    (`torch.nn.functional.adaptive_max_pool1d`).

    The first of equal elements wins, NaN wins over all. `return_indices` adds int64 positions along L.

    >>> import minigrad
    >>> adaptive_max_pool1d(minigrad.tensor([[1.0, 3.0, 5.0, 4.0]]), 2)
    tensor([[3., 5.]])
    """
    return _adaptive_max_pool(1, input, output_size, return_indices)


@functional
def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool1d` and the indices of the elements it chose
    (`torch.nn.functional.adaptive_max_pool1d_with_indices`). `return_indices` changes nothing.

    >>> import minigrad
    >>> adaptive_max_pool1d_with_indices(minigrad.tensor([[1.0, 3.0, 5.0, 4.0]]), 2)
    (tensor([[3., 5.]]), tensor([[1, 2]]))
    """
    return _adaptive_max_pool(1, input, output_size, True)


@functional
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest elements over an `output_size` grid of parts of (N, C, H, W) or (C, H, W)
    (`torch.nn.functional.adaptive_max_pool2d`).

    The first of equal elements wins, NaN wins over all. `return_indices` adds int64 positions in the flattened
    H x W plane. A None in `output_size` keeps that size of the input.

    >>> import minigrad
    >>> adaptive_max_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 1)
    tensor([[[[15.]]]])
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


@functional
def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool2d` and the indices of the elements it chose
    (`torch.nn.functional.adaptive_max_pool2d_with_indices`). `return_indices` changes nothing.

    >>> import minigrad
    >>> adaptive_max_pool2d_with_indices(minigrad.arange(16.0).reshape(1, 1, 4, 4), 1)
    (tensor([[[[15.]]]]), tensor([[[[15]]]]))
    """
    return _adaptive_max_pool(2, input, output_size, True)


@functional
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The largest elements over an `output_size` grid of parts of (N, C, D, H, W) or (C, D, H, W)
    (`torch.nn.functional.adaptive_max_pool3d`).

    The first of equal elements wins, NaN wins over all. `return_indices` adds int64 positions in the flattened
    D x H x W volume. A None in `output_size` keeps that size of the input.

    >>> import minigrad
    >>> adaptive_max_pool3d(minigrad.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[7.]]]])
    """
    return _adaptive_max_pool(3, input, output_size, return_indices)


@functional
def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool3d` and the indices of the elements it chose
    (`torch.nn.functional.adaptive_max_pool3d_with_indices`). `return_indices` changes nothing.

    >>> import minigrad
    >>> adaptive_max_pool3d_with_indices(minigrad.arange(8.0).reshape(1, 2, 2, 2), 1)
    (tensor([[[[7.]]]]), tensor([[[[7]]]]))
    """
    return _adaptive_max_pool(3, input, output_size, True)


functions["adaptive_max_pool1d"] = adaptive_max_pool1d_with_indices  # outside `nn.functional` it gives both


def _unpool_size(sizes, kernel, stride, padding, output_size):
    """The spatial sizes of an unpooled tensor: those given, if the pooling can have come from them, or the smallest."""
    plain = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(sizes, kernel, stride, padding)]
    if output_size is None:
        wanted = plain
    else:
        wanted = list(output_size)
        if len(wanted) == len(kernel) + 2:
            wanted = wanted[2:]
        if len(wanted) != len(kernel):
            raise ValueError(
                f"output_size should be a sequence containing {len(kernel)} or {len(kernel) + 2} elements, but it has "
                f"a length of '{len(wanted)}'"
            )
        for d, (size, middle, s) in enumerate(zip(wanted, plain, stride)):
            if not middle - s < size < middle + s:
                raise ValueError(
                    f'invalid output_size "{wanted}" (dim {d} must be between {middle - s} and {middle + s})'
                )
    for d, size in enumerate(wanted):
        if size < 0:
            raise ValueError(
                "max_unpooling: output_size must contain non-negative spatial dimensions, but got "
                f"output_size[{d}]={size}"
            )
    return tuple(map(index, wanted))


def _max_unpool(rank, input, indices, kernel_size, stride, padding, output_size):
    """The inverse of max pooling in `rank` dimensions, batched or not."""
    name = f"max_unpool{rank}d"

    def setting(value):
        return tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),) * rank

    kernel, padding = setting(kernel_size), setting(padding)
    stride = kernel if stride is None else setting(stride)
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Input to {name} should be a {rank + 1}d or {rank + 2}d Tensor, but got a tensor with {input.ndim} "
            "dimensions."
        )
    if not len(kernel) == len(stride) == len(padding) == rank:
        raise RuntimeError(f"{name} takes one or {rank} numbers each, but got {kernel=}, {stride=}, {padding=}")
    if min(stride) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    size = _unpool_size(input._array.shape[-rank:], kernel, stride, padding, output_size)
    if indices.dtype != np.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if tuple(indices.shape) != tuple(input.shape):
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    for axis in range(input.ndim - rank - 1, input.ndim):
        if input._array.shape[axis] == 0 and axis > 0:
            raise RuntimeError(
                f"{name}: Expected input to have non-zero size for non-batch dimensions, but got {list(input.shape)} "
                f"with dimension {axis} being empty."
            )
    refuse_dtype(name, input)
    refuse_absurd(size)
    wrong = indices._array[(indices._array < 0) | (indices._array >= prod(size))]
    if wrong.size:
        raise RuntimeError(
            f"Found an invalid max index: {wrong[0]} (output volumes are of size {'x'.join(map(str, size))})"
        )
    if input.ndim == rank + 1:
        return MaxUnpool.apply(input.unsqueeze(0), indices.unsqueeze(0), size).squeeze(0)
    return MaxUnpool.apply(input, indices, size)


@functional
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The elements of (N, C, L) or (C, L) put back where `max_pool1d` took them from
    (`torch.nn.functional.max_unpool1d`).

    Arguments and errors: `max_unpool2d`.

    >>> import minigrad
    >>> max_unpool1d(minigrad.tensor([[3.0, 2.0]]), minigrad.tensor([[1, 2]]), 2)
    tensor([[0., 3., 2., 0.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@functional
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The elements of (N, C, H, W) or (C, H, W) put back where `max_pool2d` took them from
    (`torch.nn.functional.max_unpool2d`).

    The other elements are 0. `kernel_size`, `stride` and `padding` are those of the pooling; where several sizes can
    have led to the input's, `output_size` chooses. Wrong indices raise a RuntimeError, wrong sizes a ValueError.

    >>> import minigrad
    >>> max_unpool2d(minigrad.tensor([[[5.0]]]), minigrad.tensor([[[2]]]), 2)
    tensor([[[0., 0.],
             [5., 0.]]])
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@functional
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The elements of (N, C, D, H, W) or (C, D, H, W) put back where `max_pool3d` took them from
    (`torch.nn.functional.max_unpool3d`).

    Arguments and errors: `max_unpool2d`.

    >>> import minigrad
    >>> max_unpool3d(minigrad.tensor([[[[5.0]]]]), minigrad.tensor([[[[6]]]]), 2)
    tensor([[[[0., 0.],
              [0., 0.]],
    <BLANKLINE>
             [[0., 0.],
              [5., 0.]]]])
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
