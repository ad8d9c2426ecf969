"""Convolution, transposed convolution and the gradient of their weight, in one, two or three dimensions.

The three are bilinear and each other's derivatives, so they are closed under differentiation of every order:

y  = conv(x, w)                      dx = transposed(dy, w)        dw = weight_grad(dy, x)
x' = transposed(y, w)                dy = conv(dx', w)             dw = weight_grad(y, dx')
w' = weight_grad(y, x)               dy = conv(x, dw')             dx = transposed(y, dw')
"""

from functools import lru_cache
from math import prod
from operator import index

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


class Convolution(Operation):
    """y[n, k, p] = b[k] + Σ x[n, c, p · stride + tap · dilation - padding] · w[k, c, tap]"""

    formula = "dx = dy ⋆ w transposed, dw = Σ dy · x over samples and pixels, db = Σ dy"
    fused = True

    @staticmethod
    def forward(ctx, x, weight, bias, geometry):
        ctx.geometry, ctx.x_shape, ctx.weight_shape = geometry, x.shape, weight.shape
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        if x.dtype.kind != "f":
            return _whole_number_convolution(x, weight, bias, *geometry)
        return kernels_for(x).conv_forward(x, weight, bias, *geometry)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return (
            None if weight is None else TransposedConvolution.apply(dy, weight, None, ctx.x_shape, ctx.geometry),
            None if x is None else ConvolutionWeightGrad.apply(dy, x, ctx.weight_shape, ctx.geometry),
            ChannelSum.apply(dy) if ctx.needs_input_grad[2] else None,
        )


class TransposedConvolution(Operation):
    """Every x spread over the window of y that a convolution would read it from, plus a bias"""

    formula = "dx = conv(dy, w), dw = Σ x · dy over samples and pixels, db = Σ dy"
    fused = True

    @staticmethod
    def forward(ctx, x, weight, bias, y_shape, geometry):
        ctx.geometry, ctx.weight_shape = geometry, weight.shape
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        if x.dtype.kind != "f":
            y = _whole_number_transposed_convolution(x, weight, y_shape, *geometry)
        else:
            y = kernels_for(x).conv_input_grad(x, weight, y_shape, *geometry)
        if bias is not None:
            y += bias.reshape(-1, *[1] * (x.ndim - 2))
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return (
            None if weight is None else Convolution.apply(dy, weight, None, ctx.geometry),
            None if x is None else ConvolutionWeightGrad.apply(x, dy, ctx.weight_shape, ctx.geometry),
            ChannelSum.apply(dy) if ctx.needs_input_grad[2] else None,
        )


class ConvolutionWeightGrad(Operation):
    """The gradient of a convolution's weight: dy against the windows of x"""

    formula = "ddy = conv(x, ddw), dx = transposed(dy, ddw)"
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
            None if x is None else Convolution.apply(x, ddw, None, ctx.geometry),
            None if dy is None else TransposedConvolution.apply(dy, ddw, None, ctx.x_shape, ctx.geometry),
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


def _whole_number_convolution(x, weight, bias, stride, padding, dilation, groups):
    """The convolution of whole numbers, exact (and wrapping) in their own dtype."""
    rank, spatial = x.ndim - 2, tuple(range(2, x.ndim))
    cut = tuple([slice(0, n + min(after, 0)) for n, (_, after) in zip(x.shape[2:], padding)])
    x = np.pad(x[(..., *cut)], ((0, 0), (0, 0), *[(before, max(after, 0)) for before, after in padding]))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:])]
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, spatial)
    windows = windows[(slice(None), slice(None), *[slice(None, None, step) for step in (*stride, *dilation)])]
    n, channels, *rest = windows.shape  # (N, C, *output, *kernel)
    output, kernel = list(range(4, 4 + rank)), list(range(4 + rank, 4 + 2 * rank))
    y = np.einsum(
        windows.reshape(n, groups, channels // groups, *rest),
        [0, 1, 3, *output, *kernel],
        weight.reshape(groups, -1, *weight.shape[1:]),
        [1, 2, 3, *kernel],
        [0, 1, 2, *output],
    )
    y = y.reshape(n, len(weight), *rest[:rank])
    return y if bias is None else y + bias.reshape(-1, *[1] * rank)


def _whole_number_transposed_convolution(x, weight, y_shape, stride, padding, dilation, groups):
    """The transposed convolution of whole numbers: x with zeros between, convolved with the weight back to front."""
    inner, *kernel = weight.shape[1:]
    spread = np.zeros((*x.shape[:2], *[(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride)]), x.dtype, like=x)
    spread[(..., *[slice(None, None, s) for s in stride])] = x
    edges = []
    for n, size, k, d, (before, _) in zip(spread.shape[2:], y_shape[2:], kernel, dilation, padding):
        ahead = d * (k - 1) - before
        edges.append((ahead, size + d * (k - 1) - n - ahead))
    cut = tuple([slice(max(-before, 0), n + min(after, 0)) for n, (before, after) in zip(spread.shape[2:], edges)])
    edges = [(max(before, 0), max(after, 0)) for before, after in edges]
    flipped = weight[(..., *[slice(None, None, -1)] * len(kernel))]
    flipped = flipped.reshape(groups, -1, inner, *kernel).swapaxes(1, 2).reshape(groups * inner, -1, *kernel)
    ones = (1,) * len(kernel)
    return _whole_number_convolution(spread[(..., *cut)], flipped, None, ones, edges, dilation, groups)


_TOO_SMALL = {
    "stride": "non-positive stride is not supported",
    "padding": "negative padding is not supported",
    "output_padding": "negative output_padding is not supported",
}


def tuple_of(value, rank, name, low=0):
    """`value`, one int or `rank` of them, as a tuple of Python ints of at least `low`."""
    values = tuple([index(v) for v in value]) if isinstance(value, (tuple, list)) else (index(value),) * rank
    if len(values) == 1:
        values *= rank
    if len(values) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the convolution "
            f"dimensions, but got {name}={list(values)}"
        )
    if any(v < low for v in values):
        if name == "dilation":
            raise RuntimeError(f"dilation should be greater than zero, but got {list(values)}")
        raise RuntimeError(f"{_TOO_SMALL.get(name, f'{name} should be at least {low}')}\nhint: got {name}={values}")
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


def refuse_absurd(*shapes):
    """An error for spatial shapes whose number of cells no memory holds."""
    if any(prod(shape) >= LIMIT or max(shape, default=0) >= LIMIT for shape in shapes):
        raise RuntimeError(
            f"sizes {' and '.join(str(tuple(shape)) for shape in shapes)} are too large\nhint: an image, with its "
            "padding, must have less than 2**31 cells"
        )


def _by_axis(name, values):
    """`values` under the names of their axes; one dimension is an image of height 1, as in PyTorch."""
    values = (0 if name == "output_padding" else 1, *values) if len(values) == 1 else values
    return " ".join(f"{name}_{axis}: {v}" for axis, v in zip(("depth", "height", "width")[-len(values) :], values))


def _per_channel(sizes):
    return " x ".join(map(str, sizes))


def _check_output_size(sizes, kernel, stride, padding, dilation):
    """An error for kernels that do not fit and for absurd sizes."""
    padded = [n + before + after for n, (before, after) in zip(sizes, padding)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    if any(r > n for r, n in zip(reach, padded)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_per_channel(padded)}). Kernel size: "
            f"({_per_channel(reach)}). Kernel size can't be greater than actual input size\nhint: the kernel size is "
            f"{tuple(kernel)}, the dilation {dilation}"
        )
    refuse_absurd(padded)


def _check(name, rank, input, weight, bias, groups, transposed):
    """Errors for tensors whose ranks, dtypes, channels and groups do not go together."""
    if input.ndim != rank + 2:
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}"
        )
    if weight.ndim < 3:
        raise RuntimeError(
            "weight should have at least three dimensions\nhint: its shape is "
            f"{tuple(weight.shape)}, {name} needs {rank + 2} dimensions"
        )
    if weight.ndim != rank + 2:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight {list(weight.shape)}, but "
            f"got {input.ndim}-dimensional input of size {list(input.shape)} instead"
        )
    channels, (first, second, *kernel) = input._array.shape[1], weight._array.shape
    if groups <= 0:
        raise RuntimeError(f"non-positive groups is not supported\nhint: got groups={groups}")
    if first < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(weight.shape)} instead"
        )
    if first % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{list(weight.shape)}] instead"
        )
    wanted, out = (first, second * groups) if transposed else (second * groups, first)
    given = "transposed=1" if transposed else f"groups={groups}"
    if channels != wanted:
        raise RuntimeError(
            f"Given {given}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have {wanted} "
            f"channels, but got {channels} channels instead\nhint: an input is (N, C, ...) with C = groups · the "
            "weight's second size"
        )
    if 0 in kernel:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_by_axis('kernel', kernel)}")
    if bias is not None and tuple(bias.shape) != (out,):
        given = "transposed=1, weight" if transposed else "weight"
        raise RuntimeError(
            f"Given {given} of size {list(weight.shape)}, expected bias to be 1-dimensional with {out} elements, but "
            f"got bias of size {list(bias.shape)} instead"
        )
    for kind, other in (("weight", weight), ("bias", bias)):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(
                f"Input type ({input.dtype}) and {kind} type ({other.dtype}) should be the same\nhint: convert the "
                f"input with .to({other.dtype}) or the module with .to({input.dtype})"
            )
    if input.dtype.kind == "b":
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'\nhint: use x.float()")


def _refuse_empty(sizes, shape):
    if 0 in sizes:
        raise RuntimeError(f"Only zero batch or zero channel inputs are supported, but got input shape: {list(shape)}")


@lru_cache(1024, typed=True)
def _geometry(shape, kernel, stride, padding, dilation, groups):
    """The checked `Geometry` of a convolution of (N, C, *sizes)."""
    padding = resolve_padding(padding, stride, dilation, kernel)
    _check_output_size(shape[2:], kernel, stride, padding, dilation)
    _refuse_empty(shape[2:], shape)
    return Geometry(stride, padding, dilation, groups)


def _convolution(name, rank, input, weight, bias, stride, padding, dilation, groups):
    """The convolution of `rank` spatial dimensions, batched or not."""
    if input.ndim == rank + 1:
        return _convolution(name, rank, input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    _check(name, rank, input, weight, bias, groups, False)
    stride = tuple_of(stride, rank, "stride", 1)
    dilation = tuple_of(dilation, rank, "dilation", 1)
    if not isinstance(padding, str):
        padding = tuple_of(padding, rank, "padding")
    geometry = _geometry(input._array.shape, weight._array.shape[2:], stride, padding, dilation, groups)
    return Convolution.apply(input, weight, bias, geometry)


def _transposed_convolution(name, rank, input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The transposed convolution of `rank` spatial dimensions, batched or not."""
    if input.ndim == rank + 1:
        return _transposed_convolution(
            name, rank, input.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation
        ).squeeze(0)
    _check(name, rank, input, weight, bias, groups, True)
    stride = tuple_of(stride, rank, "stride", 1)
    dilation = tuple_of(dilation, rank, "dilation", 1)
    padding = tuple_of(padding, rank, "padding")
    output_padding = tuple_of(output_padding, rank, "output_padding")
    n, _, *sizes = input._array.shape
    _refuse_empty(sizes, input._array.shape)
    kernel = weight._array.shape[2:]
    output = [
        (size - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for size, s, p, d, k, extra in zip(sizes, stride, padding, dilation, kernel, output_padding)
    ]
    if any(extra >= s and extra >= d for extra, s, d in zip(output_padding, stride, dilation)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"{_by_axis('output_padding', output_padding)} {_by_axis('stride', stride)} "
            f"{_by_axis('dilation', dilation)}"
        )
    if any(size < 1 for size in output):
        raise RuntimeError(
            f"Given input size per channel: ({_per_channel(sizes)}). Calculated output size per channel: "
            f"({_per_channel(output)}). Output size is too small\nhint: less padding, it is {padding}"
        )
    refuse_absurd(output, [size + 2 * p for size, p in zip(output, padding)])
    # a convolution of the result must read as many windows as x has pixels: what reaches a stride further is cut off
    ends = [(p, p - extra // s * s) for p, extra, s in zip(padding, output_padding, stride)]
    shape = (n, weight._array.shape[1] * groups, *output)
    return TransposedConvolution.apply(input, weight, bias, shape, Geometry(stride, tuple(ends), dilation, groups))


@functional
@function
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The 1-d convolution (cross-correlation) of (N, C, L) or (C, L) with (K, C / groups, R)
    (`torch.nn.functional.conv1d`). Arguments and errors: `conv2d`.

    >>> import minigrad
    >>> conv1d(minigrad.tensor([[[1.0, 2.0, 4.0]]]), minigrad.tensor([[[1.0, -1.0]]]))
    tensor([[[-1., -2.]]])
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


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
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@functional
@function
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The 3-d convolution (cross-correlation) of (N, C, D, H, W) or (C, D, H, W) with (K, C / groups, Q, R, S)
    (`torch.nn.functional.conv3d`). Arguments and errors: `conv2d`.

    >>> import minigrad
    >>> conv3d(minigrad.ones(1, 1, 2, 2, 3), minigrad.ones(1, 1, 2, 2, 2))
    tensor([[[[[8., 8.]]]]])
    """
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@functional
@function
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of the 1-d convolution, of (N, C, L) or (C, L) with (C, K / groups, R)
    (`torch.nn.functional.conv_transpose1d`). Arguments and errors: `conv_transpose2d`.

    >>> import minigrad
    >>> conv_transpose1d(minigrad.tensor([[[1.0, 10.0]]]), minigrad.tensor([[[1.0, -1.0]]]))
    tensor([[[  1.,   9., -10.]]])
    """
    arguments = input, weight, bias, stride, padding, output_padding, groups, dilation
    return _transposed_convolution("conv_transpose1d", 1, *arguments)


@functional
@function
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of the 2-d convolution: each pixel of (N, C, H, W) or (C, H, W) spread by (C, K / groups, R, S)
    (`torch.nn.functional.conv_transpose2d`).

    It is the gradient of `conv2d` in its input for the same stride, padding and dilation. `output_padding` makes the
    result larger at its end, for sizes that the stride does not determine. Sizes that come out below 1 and shapes that
    disagree raise a RuntimeError with the numbers.

    >>> import minigrad
    >>> conv_transpose2d(minigrad.ones(1, 1, 2, 2), minigrad.ones(1, 1, 2, 2))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    arguments = input, weight, bias, stride, padding, output_padding, groups, dilation
    return _transposed_convolution("conv_transpose2d", 2, *arguments)


@functional
@function
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of the 3-d convolution, of (N, C, D, H, W) or (C, D, H, W) with (C, K / groups, Q, R, S)
    (`torch.nn.functional.conv_transpose3d`). Arguments and errors: `conv_transpose2d`.

    >>> import minigrad
    >>> conv_transpose3d(minigrad.ones(1, 1, 1, 1, 2), minigrad.ones(1, 1, 1, 1, 2))
    tensor([[[[[1., 2., 1.]]]]])
    """
    arguments = input, weight, bias, stride, padding, output_padding, groups, dilation
    return _transposed_convolution("conv_transpose3d", 3, *arguments)
