"""Convolution and its two gradients: three bilinear operations that are each other's derivatives, for every order.

y  = conv(x, w)                      dx = input_grad(dy, w)        dw = weight_grad(dy, x)
x' = input_grad(y, w)                dy = conv(dx', w)             dw = weight_grad(y, dx')
w' = weight_grad(y, x)               dy = conv(x, dw')             dx = input_grad(y, dw')
"""

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .registry import function, functional

LIMIT = 2**31  # sizes beyond it are mistakes, not geometry


class Geometry:
    """How a convolution walks over its input: stride, padding (before, after), dilation per dimension, and groups."""

    __slots__ = ("dilation", "groups", "padding", "stride")

    def __init__(self, stride, padding, dilation, groups):
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def __iter__(self):
        return iter((self.stride, self.padding, self.dilation, self.groups))


class Conv2d(Operation):
    """y[n, k, p] = b[k] + Σ x[n, c, p · stride + tap · dilation - padding] · w[k, c, tap]"""

    formula = "dx = dy ⋆ w transposed, dw = Σ dy · x over samples and pixels, db = Σ dy"
    fused = True

    @staticmethod
    def forward(ctx, x, weight, bias, geometry):
        ctx.geometry, ctx.x_shape, ctx.weight_shape = geometry, x.shape, weight.shape
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        return kernels_for(x).conv_forward(x, weight, bias, *geometry)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return (
            None if weight is None else Conv2dInputGrad.apply(dy, weight, ctx.x_shape, ctx.geometry),
            None if x is None else Conv2dWeightGrad.apply(dy, x, ctx.weight_shape, ctx.geometry),
            ChannelSum.apply(dy) if ctx.needs_input_grad[2] else None,
        )


class Conv2dInputGrad(Operation):
    """The gradient of a convolution's input: every dy spread over the window it came from"""

    formula = "ddy = conv(ddx, w), dw = weight_grad(dy, ddx)"
    fused = True

    @staticmethod
    def forward(ctx, dy, weight, x_shape, geometry):
        ctx.geometry, ctx.weight_shape = geometry, weight.shape
        ctx.save_for_backward(dy if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        return kernels_for(dy).conv_input_grad(dy, weight, x_shape, *geometry)

    @staticmethod
    def backward(ctx, ddx):
        dy, weight = ctx.saved_tensors
        return (
            None if weight is None else Conv2d.apply(ddx, weight, None, ctx.geometry),
            None if dy is None else Conv2dWeightGrad.apply(dy, ddx, ctx.weight_shape, ctx.geometry),
        )


class Conv2dWeightGrad(Operation):
    """The gradient of a convolution's weight: dy against the windows of x"""

    formula = "ddy = conv(x, ddw), dx = input_grad(dy, ddw)"
    fused = True

    @staticmethod
    def forward(ctx, dy, x, weight_shape, geometry):
        ctx.geometry, ctx.x_shape = geometry, x.shape
        ctx.save_for_backward(dy if ctx.needs_input_grad[1] else None, x if ctx.needs_input_grad[0] else None)
        return kernels_for(dy).conv_weight_grad(dy, x, weight_shape, *geometry)

    @staticmethod
    def backward(ctx, ddw):
        dy, x = ctx.saved_tensors
        return (
            None if x is None else Conv2d.apply(x, ddw, None, ctx.geometry),
            None if dy is None else Conv2dInputGrad.apply(dy, ddw, ctx.x_shape, ctx.geometry),
        )


class ChannelSum(Operation):
    """The sum over every dimension but the channels: the gradient of a bias"""

    formula = "dx = dy, repeated over samples and pixels"
    fused = True

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return kernels_for(x).channel_sum(x)

    @staticmethod
    def backward(ctx, dy):
        return dy.reshape(1, -1, *[1] * (len(ctx.shape) - 2)).expand(ctx.shape)


def tuple_of(value, rank, name, low=0):
    """`value`, one int or `rank` of them, as a tuple of Python ints of at least `low`."""
    values = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
    if len(values) == 1:
        values *= rank
    if len(values) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the convolution "
            f"dimensions, but got {name}={list(values)}"
        )
    values = tuple([v.__index__() for v in values])
    if any(v < low for v in values):
        raise RuntimeError(
            {
                "stride": "non-positive stride is not supported",
                "padding": "negative padding is not supported",
                "dilation": f"dilation should be greater than zero, but got {list(values)}",
            }.get(name, f"{name} should be at least {low}")
            + f"\nhint: got {name}={values}"
        )
    return values


def resolve_padding(padding, stride, dilation, kernel):
    """Padding given as numbers, "valid" or "same", as (before, after) per dimension."""
    if not isinstance(padding, str):
        return tuple([(p, p) for p in tuple_of(padding, len(kernel), "padding")])
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'\nhint: use 'same', 'valid' or numbers")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, kernel)]
    return tuple([(t // 2, t - t // 2) for t in totals])


def output_sizes(sizes, kernel, stride, padding, dilation):
    """The spatial sizes of a convolution's result; an error for kernels that do not fit and for absurd sizes."""
    padded = [n + before + after for n, (before, after) in zip(sizes, padding)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    if any(r > n for r, n in zip(reach, padded)):
        per = " x ".join
        raise RuntimeError(
            f"Calculated padded input size per channel: ({per(map(str, padded))}). Kernel size: "
            f"({per(map(str, reach))}). Kernel size can't be greater than actual input size\nhint: the kernel size is "
            f"{tuple(kernel)}, the dilation {dilation}"
        )
    result = tuple([(n - r) // s + 1 for n, r, s in zip(padded, reach, stride)])
    if any(n >= LIMIT for n in (*padded, *result)):
        raise RuntimeError(
            f"the padded input {tuple(padded)} or the result {result} is too large\nhint: sizes must stay below 2**31"
        )
    return result


@functional
@function
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The 2-d convolution (cross-correlation) of (N, C, H, W) or (C, H, W) with (K, C / groups, R, S)
    (`torch.nn.functional.conv2d`).

    `padding` is numbers, "valid" or "same" (then an odd rest goes to the end). The result's memory is channels-last.
    Geometry that does not fit, and shapes that disagree, raise a RuntimeError with the numbers.

    >>> import minigrad
    >>> conv2d(minigrad.ones(1, 1, 3, 3), minigrad.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    if input.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    if input.ndim != 4:
        raise RuntimeError(
            f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: {list(input.shape)}"
        )
    if weight.ndim != 4:
        raise RuntimeError(
            f"expected a 4-dimensional weight (out_channels, in_channels / groups, height, width), but got size "
            f"{list(weight.shape)}"
        )
    stride = tuple_of(stride, 2, "stride", 1)
    dilation = tuple_of(dilation, 2, "dilation", 1)
    kernel = weight._array.shape[2:]
    padding = resolve_padding(padding, stride, dilation, kernel)
    _check(input, weight, bias, groups)
    output_sizes(input._array.shape[2:], kernel, stride, padding, dilation)
    return Conv2d.apply(input, weight, bias, Geometry(stride, padding, dilation, groups))


def _check(input, weight, bias, groups):
    channels, (out, per_group, *kernel) = input._array.shape[1], weight._array.shape
    if groups <= 0:
        raise RuntimeError(f"non-positive groups is not supported\nhint: got groups={groups}")
    if out % groups or out < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{list(weight.shape)}] instead"
        )
    if channels != per_group * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
            f"{per_group * groups} channels, but got {channels} channels instead"
        )
    if 0 in kernel:
        raise RuntimeError(f"kernel size should be greater than zero, but got kernel size {tuple(kernel)}")
    if bias is not None and tuple(bias.shape) != (out,):
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {out} elements, but "
            "got bias of "
            f"size {list(bias.shape)} instead"
        )
    for name, other in (("weight", weight), ("bias", bias)):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(
                f"Input type ({input.dtype}) and {name} type ({other.dtype}) should be the same\nhint: convert the "
                "input with "
                f".to({other.dtype}) or the module with .to({input.dtype})"
            )
    if input.dtype.kind != "f":
        raise RuntimeError(f"conv2d needs floating-point tensors, but got {input.dtype}\nhint: use x.float()")
