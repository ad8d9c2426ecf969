"""Pooling: the largest or the mean of each window. Maxima remember where they stood; the rest is linear."""

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .convolution import LIMIT, tuple_of
from .registry import functional


class MaxPool(Operation):
    """y = the largest x of each window, and where it stood"""

    formula = "dx[argmax of each window] += dy"
    fused = True
    materialize = False  # the indices have no gradient

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation, output_size):
        ctx.shape = x.shape
        y, indices = kernels_for(x).max_pool(x, kernel, stride, padding, dilation, output_size)
        ctx.save_for_backward(indices)
        return y, indices

    @staticmethod
    def backward(ctx, dy, _):
        (indices,) = ctx.saved_tensors
        return MaxPoolGrad.apply(dy, indices, ctx.shape)


class MaxPoolGrad(Operation):
    """dy added where each window's maximum stood"""

    formula = "ddy = ddx at the maxima"
    fused = True

    @staticmethod
    def forward(ctx, dy, indices, shape):
        ctx.save_for_backward(indices)
        return kernels_for(dy).max_pool_grad(dy, indices, shape)

    @staticmethod
    def backward(ctx, ddx):
        (indices,) = ctx.saved_tensors
        return MaxPoolGather.apply(ddx, indices)


class MaxPoolGather(Operation):
    """y = x at the maxima found before"""

    formula = "dx[indices] += dy"
    fused = True

    @staticmethod
    def forward(ctx, x, indices):
        ctx.shape = x.shape
        ctx.save_for_backward(indices)
        return kernels_for(x).max_pool_gather(x, indices)

    @staticmethod
    def backward(ctx, dy):
        (indices,) = ctx.saved_tensors
        return MaxPoolGrad.apply(dy, indices, ctx.shape)


class AvgPool(Operation):
    """y = the mean of each window"""

    formula = "dx = dy / n over each window of n"
    fused = True

    @staticmethod
    def forward(ctx, x, output_size, *settings):
        ctx.shape, ctx.settings = x.shape, settings
        kernel, stride, padding, include, divisor = settings
        return kernels_for(x).avg_pool(x, kernel, stride, padding, output_size, include, divisor)

    @staticmethod
    def backward(ctx, dy):
        return AvgPoolGrad.apply(dy, ctx.shape, *ctx.settings)


class AvgPoolGrad(Operation):
    """dy / n spread over each window"""

    formula = "ddy = the mean of ddx over each window"
    fused = True

    @staticmethod
    def forward(ctx, dy, shape, *settings):
        ctx.output_size, ctx.settings = dy.shape[2:], settings
        return kernels_for(dy).avg_pool_grad(dy, shape, *settings)

    @staticmethod
    def backward(ctx, ddx):
        return AvgPool.apply(ddx, ctx.output_size, *ctx.settings)


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


def _windows(name, input, kernel_size, stride, padding, dilation, ceil_mode):
    """Checked geometry: (kernel, stride, padding, dilation, output size), tuples of Python ints."""
    kernel = tuple_of(kernel_size, 2, "kernel_size", 1)
    stride = kernel if stride is None or stride == [] or stride == () else tuple_of(stride, 2, "stride", 1)
    padding, dilation = tuple_of(padding, 2, "padding"), tuple_of(dilation, 2, "dilation", 1)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={max(padding)}, kernel_size={kernel} "
            "and "
            f"dilation={dilation}"
        )
    if input.dtype.kind != "f":
        raise RuntimeError(f"{name} needs a floating-point tensor, but got {input.dtype}\nhint: use x.float()")
    sizes = []
    for n, k, s, p, d in zip(input._array.shape[2:], kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        size = (room + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (size - 1) * s >= n + p:  # the last window must start inside the input or the left padding
            size -= 1
        if size < 1 or (room < 0 and not ceil_mode):
            shape = "x".join(map(str, input._array.shape[1:]))
            raise RuntimeError(
                f"Given input size: ({shape}). Calculated output size: (..., {size}). Output size is too small\nhint: "
                "a kernel "
                f"of {kernel} with dilation {dilation} does not fit into the padded input"
            )
        if n + 2 * p >= LIMIT or d * (k - 1) >= LIMIT:
            raise RuntimeError("the window or the padded input is too large\nhint: sizes must stay below 2**31")
        sizes.append(size)
    return kernel, stride, padding, dilation, tuple(sizes)


def _batched(name, input):
    """The input as (N, C, H, W), and whether the batch dimension was added here."""
    if input.ndim not in (3, 4):
        raise RuntimeError(f"{name}: Expected 3D or 4D (batch mode) tensor, but got input of size: {list(input.shape)}")
    if 0 in input._array.shape[-3:]:
        raise RuntimeError(
            f"{name}: Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: "
            f"{list(input.shape)}"
        )
    return (input, False) if input.ndim == 4 else (input.unsqueeze(0), True)


@functional
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of (N, C, H, W) or (C, H, W) (`torch.nn.functional.max_pool2d`).

    Padding counts as -inf; the first of equal elements wins, NaN wins over all. `return_indices` adds int64 positions
    in the flattened H x W plane. `ceil_mode` also takes a last window that does not fit whole.

    >>> import minigrad
    >>> max_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    x, unbatched = _batched("max_pool2d", input)
    y, indices = MaxPool.apply(x, *_windows("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode))
    if unbatched:
        y, indices = y.squeeze(0), indices.squeeze(0)
    return (y, indices) if return_indices else y


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
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    x, unbatched = _batched("avg_pool2d", input)
    kernel, stride, padding, _, sizes = _windows("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    y = AvgPool.apply(x, sizes, kernel, stride, padding, bool(count_include_pad), divisor_override)
    return y.squeeze(0) if unbatched else y


@functional
def adaptive_avg_pool2d(input, output_size):
    """The means over an `output_size` grid of parts of (N, C, H, W) or (C, H, W)
    (`torch.nn.functional.adaptive_avg_pool2d`).

    A None in `output_size` keeps that size of the input.

    >>> import minigrad
    >>> adaptive_avg_pool2d(minigrad.arange(16.0).reshape(1, 1, 4, 4), 1)
    tensor([[[[7.5000]]]])
    """
    x, unbatched = _batched("adaptive_avg_pool2d", input)
    wanted = (output_size,) * 2 if isinstance(output_size, (int, np.integer)) else tuple(output_size)
    sizes = tuple_of([n if w is None else w for n, w in zip(x._array.shape[2:], wanted)], 2, "output_size")
    if x.dtype.kind != "f":
        raise RuntimeError(f"adaptive_avg_pool2d needs a floating-point tensor, but got {x.dtype}\nhint: use x.float()")
    if any(n >= LIMIT for n in sizes):
        raise RuntimeError(f"the output size {sizes} is too large\nhint: sizes must stay below 2**31")
    y = AdaptiveAvgPool.apply(x, sizes)
    return y.squeeze(0) if unbatched else y
