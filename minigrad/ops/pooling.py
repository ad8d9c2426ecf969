"""Pooling in one, two or three dimensions: the largest, the mean, the norm or the median of each window.

Maxima and medians remember where they stood, so that their gradient finds the way back; the mean is linear. The
functions of one, two and three dimensions share an operation and differ in the words of their errors alone.
"""

from functools import lru_cache
from math import prod
from operator import index

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .activation import relu
from .convolution import LIMIT
from .registry import function, functional


class MaxPool(Operation):
    """y = the largest x of each window, and where it stood"""

    formula = "dx[argmax of each window] += dy"
    fused = True
    materialize = False  # the indices have no gradient

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation, output_size):
        ctx.shape, ctx.settings = x.shape, (kernel, stride, padding, dilation)
        y, indices = kernels_for(x).max_pool(x, kernel, stride, padding, dilation, output_size)
        ctx.save_for_backward(indices)
        return y, indices

    @staticmethod
    def backward(ctx, dy, _):
        (indices,) = ctx.saved_tensors
        return MaxPoolGrad.apply(dy, indices, ctx.shape, ctx.settings)


class MedianPool(MaxPool):
    """y = the median of each window, the lower one of two, and where it stood"""

    formula = "dx[place of each window's median] += dy"

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, output_size):
        ctx.shape, ctx.settings = x.shape, (kernel, stride, padding, (1,) * len(kernel))
        y, indices = kernels_for(x).median_pool(x, kernel, stride, padding, output_size)
        ctx.save_for_backward(indices)
        return y, indices


class MaxPoolGrad(Operation):
    """dy added where each window's maximum stood"""

    formula = "ddy = ddx at the maxima"
    fused = True

    @staticmethod
    def forward(ctx, dy, indices, shape, windows):
        ctx.windows = windows
        ctx.save_for_backward(indices)
        return kernels_for(dy).max_pool_grad(dy, indices, shape, windows)

    @staticmethod
    def backward(ctx, ddx):
        (indices,) = ctx.saved_tensors
        return MaxPoolGather.apply(ddx, indices, ctx.windows)


class MaxPoolGather(Operation):
    """y = x at the maxima found before"""

    formula = "dx[indices] += dy"
    fused = True

    @staticmethod
    def forward(ctx, x, indices, windows):
        ctx.shape, ctx.windows = x.shape, windows
        ctx.save_for_backward(indices)
        return kernels_for(x).max_pool_gather(x, indices)

    @staticmethod
    def backward(ctx, dy):
        (indices,) = ctx.saved_tensors
        return MaxPoolGrad.apply(dy, indices, ctx.shape, ctx.windows)


class AvgPool(Operation):
    """y = the mean of each window"""

    formula = "dx = dy / n over each window of n"
    fused = True

    @staticmethod
    def forward(ctx, x, output_size, kernel, stride, padding, include, divisor):
        ctx.shape, ctx.settings = x.shape, (kernel, stride, padding, include, divisor)
        if x.dtype.kind != "f":
            return _whole_number_means(x, kernel, stride, padding, output_size, include, divisor)
        return kernels_for(x).avg_pool(x, kernel, stride, padding, output_size, include, divisor)

    @staticmethod
    def backward(ctx, dy):
        return AvgPoolGrad.apply(dy, ctx.shape, *ctx.settings)


class AvgPoolGrad(Operation):
    """dy / n spread over each window"""

    formula = "ddy = the mean of ddx over each window"
    fused = True

    @staticmethod
    def forward(ctx, dy, shape, kernel, stride, padding, include, divisor):
        ctx.output_size, ctx.settings = dy.shape[2:], (kernel, stride, padding, include, divisor)
        return kernels_for(dy).avg_pool_grad(dy, shape, *ctx.settings)

    @staticmethod
    def backward(ctx, ddx):
        return AvgPool.apply(ddx, ctx.output_size, *ctx.settings)


def _whole_number_means(x, kernel, stride, padding, output_size, include, divisor):
    """The means of windows of whole numbers, rounded towards zero."""
    rank, counts, edges = x.ndim - 2, [], []
    for n, k, s, p, outputs in zip(x.shape[2:], kernel, stride, padding, output_size):
        start = np.arange(outputs, like=x) * s - p
        stop = np.minimum(start + k, n + p)
        counts.append(stop - start if include else np.minimum(stop, n) - np.maximum(start, 0))
        edges.append((p, max((outputs - 1) * s + k - n - p, 0)))
    x = np.pad(x, ((0, 0), (0, 0), *edges))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, tuple(range(2, x.ndim)))
    windows = windows[(slice(None), slice(None), *[slice(0, (o - 1) * s + 1, s) for o, s in zip(output_size, stride)])]
    sums = windows.sum(tuple(range(2 + rank, 2 + 2 * rank)), dtype=x.dtype)
    divisor = prod(np.meshgrid(*counts, indexing="ij", sparse=True)) if divisor is None else divisor
    return np.sign(sums) * np.sign(divisor) * (np.abs(sums) // np.abs(divisor))


_COUNTS = {1: "one int", 2: "two ints", 3: "three ints"}
_LETTERS = {1: "HW", 2: "HW", 3: "THW"}  # one dimension is pooled as an image of height 1


def _listed(prefix, values):
    """`values` with their axes' letters: "kH: 2 kW: 3"."""
    values = (1, *values) if len(values) == 1 else values
    return " ".join(f"{prefix}{letter}: {value}" for letter, value in zip(_LETTERS[len(values)], values))


def _setting(name, rank, setting, value):
    """`value`, one int or `rank` of them, as a tuple of Python ints."""
    values = tuple([index(v) for v in value]) if isinstance(value, (tuple, list)) else (index(value),)
    if len(values) not in (1, rank):
        if name == "max_pool1d":
            omitted = "None, an int, list of ints, or tuple" if setting == "stride" else "an int, list of ints or tuple"
            raise RuntimeError(f"max_pool1d() {setting} must be {omitted} of ints of size 1 but got size {len(values)}")
        if rank == 1:
            raise RuntimeError(f"{name}() argument '{setting}' should contain one int (got {len(values)})")
        omitted = "either be omitted, a" if setting == "stride" else "either be a"
        raise RuntimeError(
            f"{name}: {setting} must {omitted} single int, or a tuple of {_COUNTS[rank]}\nhint: got {values}"
        )
    return values if len(values) == rank else values * rank


def _refuse_settings(name, kernel, stride, padding, dilation):
    """Errors for windows that make no sense, in PyTorch's words, which are others for `max_pool1d`."""
    if name == "max_pool1d":
        settings = (("kernel_size", kernel), ("stride", stride), ("dilation", dilation))
        for setting, (value,) in settings:
            if value <= 0:
                raise RuntimeError(f"max_pool1d() {setting} must be greater than zero, but got {value}")
        if padding[0] < 0:
            raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding[0]}")
        if 2 * padding[0] > kernel[0]:
            raise RuntimeError(
                f"max_pool1d() padding should be at most half of kernel size, but got padding={padding[0]} and "
                f"kernel_size={kernel[0]}"
            )
    if 0 in stride:
        raise RuntimeError(f"stride should not be zero\nhint: got kernel_size={kernel}, stride={stride}")
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_listed('k', kernel)}")
    if min(stride) <= 0:
        raise RuntimeError(f"stride should be greater than zero, but got {_listed('d', stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {_listed('dilation', dilation)}")
    for k, p, d in zip(kernel, padding, dilation):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if 2 * p > d * (k - 1) + 1:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )
        if 2 * p > k:
            raise RuntimeError(
                f"pad should be smaller than or equal to half of kernel size, but got padding={padding}, "
                f"kernel_size={kernel}"
            )


def _windows(name, rank, input, kernel_size, stride, padding, dilation, ceil_mode):
    """Checked geometry: (kernel, stride, padding, dilation, output size), tuples of Python ints."""
    kernel = _setting(name, rank, "kernel_size", kernel_size)
    stride = kernel if stride is None or stride in ([], ()) else _setting(name, rank, "stride", stride)
    padding, dilation = _setting(name, rank, "padding", padding), _setting(name, rank, "dilation", dilation)
    return _geometry(name, rank, input._array.shape[1:], kernel, stride, padding, dilation, bool(ceil_mode))


@lru_cache(1024)
def _geometry(name, rank, shape, kernel, stride, padding, dilation, ceil_mode):
    """`_windows` for settings that are tuples, over an image of this shape, (C, *sizes)."""
    sizes = shape[1:]
    _refuse_settings(name, kernel, stride, padding, dilation)
    if name == "avg_pool3d" and any(n < k for n, k in zip(sizes, kernel)):
        raise RuntimeError(
            f"input image ({_listed('', sizes)}) smaller than kernel size ({_listed('k', kernel)})\nhint: in three "
            "dimensions padding does not count here"
        )
    outputs = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        size = (room + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (size - 1) * s >= n + p:  # the last window must start inside the input or the left padding
            size -= 1
        outputs.append(size)
    if min(outputs) < 1:
        shapes = [[shape[0], *[1] * (rank == 1), *spatial] for spatial in (sizes, outputs)]
        given, calculated = ("x".join(map(str, shape)) for shape in shapes)
        raise RuntimeError(
            (
                f"max_pool1d() Invalid computed output size: {outputs[0]}"
                if name == "max_pool1d"
                else f"Given input size: ({given}). Calculated output size: ({calculated}). Output size is too small"
            )
            + f"\nhint: a kernel of {kernel} with dilation {dilation} does not fit into the padded input"
        )
    if any(n + 2 * p >= LIMIT or d * (k - 1) >= LIMIT for n, p, d, k in zip(sizes, padding, dilation, kernel)):
        raise RuntimeError("the window or the padded input is too large\nhint: sizes must stay below 2**31")
    return kernel, tuple([min(s, LIMIT) for s in stride]), padding, dilation, tuple(outputs)


def _batched(name, rank, input):
    """The input with a batch dimension, and whether it was added here."""
    ranks = f"{rank + 1}D or {rank + 2}D (batch mode) tensor"
    name = f"{name}: " if name == "max_pool1d" else ""
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"non-empty {ranks} expected for input\nhint: got size {list(input.shape)}"
            if rank > 1
            else f"{name}Expected {ranks} with optional 0 dim batch size for input, but got:{list(input.shape)}"
        )
    if 0 in input._array.shape[-rank - 1 :]:
        raise RuntimeError(
            f"{name}Expected {ranks} with optional 0 dim batch size for input, but got:{list(input.shape)}"
        )
    return (input, False) if input.ndim == rank + 2 else (input.unsqueeze(0), True)


def refuse_dtype(name, input, kinds="f"):
    """An error for tensors of numbers that a pooling function does not take."""
    if input.dtype.kind not in kinds:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}\nhint: use x.float()')


def _max_pool(rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Max pooling in `rank` dimensions, batched or not: the values, or (values, indices)."""
    name = f"max_pool{rank}d"
    x, unbatched = _batched(name, rank, input)
    windows = _windows(name, rank, x, kernel_size, stride, padding, dilation, ceil_mode)
    refuse_dtype(name, x, "fiu")
    found = [part.squeeze(0) if unbatched else part for part in MaxPool.apply(x, *windows)]
    return tuple(found) if return_indices else found[0]


def _avg_pool(rank, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Average pooling in `rank` dimensions, batched or not."""
    name = f"avg_pool{rank}d"
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    x, unbatched = _batched(name, rank, input)
    kernel, stride, padding, _, sizes = _windows(name, rank, x, kernel_size, stride, padding, 1, ceil_mode)
    refuse_dtype(name, x, "fi" if x.dtype == np.int64 else "f")
    y = AvgPool.apply(x, sizes, kernel, stride, padding, bool(count_include_pad), divisor_override)
    return y.squeeze(0) if unbatched else y


def _lp_pool(pool, max_pool, cells, input, norm_type, kernel_size, stride, ceil_mode):
    """The norm of each window of `cells` elements, from the pooling functions of its dimension."""
    if norm_type == float("inf"):
        return max_pool(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -float("inf"):
        return -max_pool(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    mean = pool(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (mean.sign() * relu(mean.abs()) * cells).pow(1.0 / norm_type)


def _cells(kernel_size, rank):
    return prod(kernel_size) if isinstance(kernel_size, (tuple, list)) else kernel_size**rank


@functional
@function
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of (N, C, L) or (C, L) (`torch.nn.functional.max_pool1d`).

    Arguments and errors: `max_pool2d`; the indices count along L.

    >>> import minigrad
    >>> max_pool1d(minigrad.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    tensor([[[3., 2.]]])
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@functional
@function
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of (N, C, H, W) or (C, H, W) (`torch.nn.functional.max_pool2d`).

    Padding counts as -inf; the first of equal elements wins, NaN wins over all. `return_indices` adds int64 positions
    in the flattened H x W plane. `ceil_mode` also takes a last window that does not fit whole.

    >>> import minigrad
    >>> max_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@functional
@function
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.functional.max_pool3d`).

    Arguments and errors: `max_pool2d`; the indices count in the flattened D x H x W volume.

    >>> import minigrad
    >>> max_pool3d(minigrad.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@functional
@function
def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool1d` and the indices of the elements it chose (`torch.nn.functional.max_pool1d_with_indices`).

    `return_indices` changes nothing.

    >>> import minigrad
    >>> max_pool1d_with_indices(minigrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


@functional
def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool2d` and the indices of the elements it chose (`torch.nn.functional.max_pool2d_with_indices`).

    `return_indices` changes nothing.

    >>> import minigrad
    >>> max_pool2d_with_indices(minigrad.arange(4.0).reshape(1, 2, 2), 2)
    (tensor([[[3.]]]), tensor([[[3]]]))
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


@functional
def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool3d` and the indices of the elements it chose (`torch.nn.functional.max_pool3d_with_indices`).

    `return_indices` changes nothing.

    >>> import minigrad
    >>> max_pool3d_with_indices(minigrad.arange(8.0).reshape(1, 2, 2, 2), 2)
    (tensor([[[[7.]]]]), tensor([[[[7]]]]))
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


@functional
@function
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of (N, C, L) or (C, L) (`torch.nn.functional.avg_pool1d`).

    Arguments and errors: `avg_pool2d`, without the divisor.

    >>> import minigrad
    >>> avg_pool1d(minigrad.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    tensor([[[2., 1.]]])
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@functional
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The mean of each window of (N, C, H, W) or (C, H, W) (`torch.nn.functional.avg_pool2d`).

    Padding counts as zeros, in the divisor too unless `count_include_pad=False`; `divisor_override` replaces it.

    >>> import minigrad
    >>> avg_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return _avg_pool(2, input, *settings)


@functional
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.functional.avg_pool3d`).

    Arguments and errors: `avg_pool2d`.

    >>> import minigrad
    >>> avg_pool3d(minigrad.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return _avg_pool(3, input, *settings)


@functional
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The norm (Σ xᵖ)^(1/p) of each window of (N, C, L) or (C, L) (`torch.nn.functional.lp_pool1d`).

    `norm_type` may be infinite: then it is the largest absolute value.

    >>> import minigrad
    >>> lp_pool1d(minigrad.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    cells = _cells(kernel_size, 1)
    return _lp_pool(avg_pool1d, max_pool1d, cells, input, norm_type, kernel_size, stride, ceil_mode)


@functional
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The norm (Σ xᵖ)^(1/p) of each window of (N, C, H, W) or (C, H, W) (`torch.nn.functional.lp_pool2d`).

    Arguments: `lp_pool1d`.

    >>> import minigrad
    >>> lp_pool2d(minigrad.tensor([[[3.0, 4.0], [0.0, 0.0]]]), 2, 2)
    tensor([[[5.]]])
    """
    cells = _cells(kernel_size, 2)
    return _lp_pool(avg_pool2d, max_pool2d, cells, input, norm_type, kernel_size, stride, ceil_mode)


@functional
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The norm (Σ xᵖ)^(1/p) of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.functional.lp_pool3d`).

    Arguments: `lp_pool1d`.

    >>> import minigrad
    >>> lp_pool3d(minigrad.tensor([[[[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]]), 2, 2)
    tensor([[[[5.]]]])
    """
    cells = _cells(kernel_size, 3)
    return _lp_pool(avg_pool3d, max_pool3d, cells, input, norm_type, kernel_size, stride, ceil_mode)


@functional
def median_pool2d(input, kernel_size, stride=None, padding=0):
    """The median of each window of (N, C, H, W) or (C, H, W); PyTorch has no such function.

    Of an even number of elements it is the lower one in the middle, as in `median`; a NaN makes it NaN. `kernel_size`,
    `stride` (by default the kernel's size) and `padding` (at most half of the kernel) are as in `max_pool2d`; elements
    in the padding do not count, so that windows at the border are smaller. The gradient goes to the median element.

    >>> import minigrad
    >>> median_pool2d(minigrad.tensor([[[1.0, 9.0, 2.0], [3.0, 4.0, 8.0], [5.0, 7.0, 6.0]]]), 3)
    tensor([[[5.]]])
    """
    x, unbatched = _batched("median_pool2d", 2, input)
    kernel, stride, padding, _, sizes = _windows("median_pool2d", 2, x, kernel_size, stride, padding, 1, False)
    refuse_dtype("median_pool2d", x)
    y, _ = MedianPool.apply(x, kernel, stride, padding, sizes)
    return y.squeeze(0) if unbatched else y
