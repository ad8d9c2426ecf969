"""Convolution in one, two or three dimensions and both of its gradients, on channels-last memory.

Forward and input gradient are indirect products, the weight gradient is an outer product (see `product.py`). What
depends on the geometry alone, tables and plans, is worked out once and kept.
"""

from functools import lru_cache
from math import prod

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .indirection import fold, fold_images, forward_table, output_size, transposed_table
from .layout import channels_first, channels_last, dense
from .product import indirect_plan, indirect_product, outer_plan, outer_product

__all__ = ["channel_sum", "conv_forward", "conv_input_grad", "conv_weight_grad"]

_ROWS = 64  # rows below which several images are treated as one


@lru_cache(512)
def _forward_geometry(itemsize, x_shape, weight_shape, stride, padding, dilation, groups):
    """(shape of y in channels-last order, table, out, plan)."""
    n, _, *size = x_shape
    k, channels, *kernel = weight_shape
    output = output_size(size, kernel, stride, padding, dilation)
    pixels_in, pixels_out = prod(size), prod(output)
    y_shape = (n, *output, k)
    if 0 in y_shape or 0 in weight_shape:
        return y_shape, None, None, None
    merged = _merged(kernel, padding, dilation, groups)
    run = kernel[-1] * channels if merged else channels
    table, out = forward_table(size, output, (*kernel[:-1], 1) if merged else kernel, stride, padding, dilation)
    together = fold(n, pixels_out, _ROWS)
    table, out = fold_images(table, out, together, pixels_in, pixels_out)
    taps = prod(kernel)
    c = channels * groups
    plan = indirect_plan(
        itemsize, n // together, groups, together * pixels_out, k // groups, taps * channels // run, run,
        together * pixels_in * c, channels, c, together * pixels_out * k, k // groups, k,
        1, 0, k // groups * channels * taps, channels * taps, 1, taps, taps, channels,
    )  # fmt: skip
    return y_shape, table, out, plan


def _merged(kernel, padding, dilation, groups):
    """Whether the taps along the last axis read one contiguous run of memory."""
    return groups == 1 and dilation[-1] == 1 and padding[-1] == (0, 0) and kernel[-1] > 1


@lru_cache(512)
def _input_grad_geometry(itemsize, dy_shape, weight_shape, input_shape, stride, padding, dilation, groups):
    """(shape of dx in channels-last order, table, out, plan)."""
    n, c, *size = input_shape
    k, channels, *kernel = weight_shape
    output = dy_shape[2:]
    dx_shape = (n, *size, c)
    if 0 in dx_shape or 0 in dy_shape or 0 in weight_shape:
        return dx_shape, None, None, None
    pixels_in, pixels_out = prod(size), prod(output)
    table, out = transposed_table(size, output, kernel, stride, padding, dilation)
    together = fold(n, pixels_in, _ROWS)
    table, out = fold_images(table, out, together, pixels_out, pixels_in)
    taps = prod(kernel)
    plan = indirect_plan(
        itemsize, n // together, groups, together * pixels_in, channels, taps, k // groups,
        together * pixels_out * k, k // groups, k, together * pixels_in * c, channels, c,
        1, 0, k // groups * channels * taps, taps, 1, channels * taps, taps, k // groups,
    )  # fmt: skip
    return dx_shape, table, out, plan


@lru_cache(512)
def _weight_grad_geometry(itemsize, dy_shape, x_shape, weight_shape, stride, padding, dilation, groups):
    """(table, plan); both None where there is nothing to sum."""
    n, c, *size = x_shape
    k, channels, *kernel = weight_shape
    output = dy_shape[2:]
    if 0 in x_shape or 0 in dy_shape or 0 in weight_shape:
        return None, None
    pixels_in, pixels_out = prod(size), prod(output)
    merged = _merged(kernel, padding, dilation, groups)
    run = kernel[-1] * channels if merged else channels
    table, out = forward_table(size, output, (*kernel[:-1], 1) if merged else kernel, stride, padding, dilation)
    together = fold(n, pixels_out, _ROWS)
    table, _ = fold_images(table, out, together, pixels_in, pixels_out, by_pixel=False)
    plan = outer_plan(
        itemsize, groups, n // together, together * pixels_out, k // groups, prod(kernel) * channels // run, run, channels,
        k, k // groups, together * pixels_in * c, c, channels,
    )  # fmt: skip
    return table, plan


def conv_forward(x, weight, bias, stride, padding, dilation, groups):
    """y[n, k, o] = bias[k] + sum over c and taps t of x[n, c, o*stride - before + t*dilation] * weight[k, c, t].

    x is (N, C, *spatial), weight (K, C/groups, *kernel), bias (K,) or None, y (N, K, *output) in channels-last memory,
    all float32 or float64; one, two or three spatial axes. stride and dilation hold an int per spatial axis, padding a
    pair (before, after) of zeros. Output channel k reads the channels of its own group. PyTorch's `conv1d` to `conv3d`.

    >>> conv_forward(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, -1.0]]]), None, (1,), ((0, 0),), (1,), 1)
    array([[[-1., -2.]]])
    """
    shape, table, out, plan = _forward_geometry(
        x.itemsize, x.shape, weight.shape, stride, padding, dilation, groups
    )  # fmt: skip
    y = np.empty(shape, x.dtype)
    bias = _NONE[x.itemsize] if bias is None else dense(bias)
    if plan is None:
        y[...] = bias if bias.size else 0
    else:
        indirect_product(
            channels_last(x).reshape(-1), table, out, dense(weight).reshape(-1), bias, y.reshape(-1), plan
        )  # fmt: skip
    return channels_first(y)


def conv_input_grad(dy, weight, input_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in x: dx[at] = sum of dy[out] * weight[tap] over the products that read x[at].

    dy is (N, K, *output), weight (K, C/groups, *kernel), dx of `input_shape` (N, C, *spatial) in channels-last memory.
    PyTorch's `torch.nn.grad.conv2d_input`.

    >>> conv_input_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, -1.0]]]), (1, 1, 3), (1,), ((0, 0),), (1,), 1)
    array([[[  1.,   9., -10.]]])
    """
    shape, table, out, plan = _input_grad_geometry(
        dy.itemsize, dy.shape, weight.shape, tuple(input_shape), stride, padding, dilation, groups
    )
    if plan is None:
        return channels_first(np.zeros(shape, dy.dtype))
    dx = np.empty(shape, dy.dtype)
    indirect_product(
        channels_last(dy).reshape(-1), table, out, dense(weight).reshape(-1), _NONE[dy.itemsize], dx.reshape(-1), plan
    )  # fmt: skip
    return channels_first(dx)


def conv_weight_grad(dy, x, weight_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in the weight: dw[tap] = sum of dy[out] * x[at] over the products that use it.

    dy is (N, K, *output), x (N, C, *spatial), dw of `weight_shape` (K, C/groups, *kernel), C-contiguous. PyTorch's
    `torch.nn.grad.conv2d_weight`.

    >>> conv_weight_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 4.0]]]), (1, 1, 2), (1,), ((0, 0),), (1,), 1)
    array([[[21., 42.]]])
    """
    table, plan = _weight_grad_geometry(
        x.itemsize, dy.shape, x.shape, tuple(weight_shape), stride, padding, dilation, groups
    )
    if plan is None:
        return np.zeros(weight_shape, x.dtype)
    dw = np.empty(weight_shape, x.dtype)
    outer_product(channels_last(dy).reshape(-1), channels_last(x).reshape(-1), table, dw.reshape(-1), plan)
    return dw


_NONE = {4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}  # in place of a bias that is None
_CHUNK = 1 << 14  # elements of a chunk of `channel_sum`


@jit
def _sum_chunk(chunk, x, channels, period, size, totals):
    """Sum chunk `chunk` of `size` elements of (pixels, channels), over `period` elements side by side."""
    sums = np.zeros(period, x.dtype)
    last = min(x.size, (chunk + 1) * size)
    whole = (last - chunk * size) // period
    for at in range(chunk * size, chunk * size + whole * period, period):
        for n in range(period):
            sums[n] += x[at + n]
    for n in range(last - chunk * size - whole * period):
        sums[n] += x[chunk * size + whole * period + n]
    for c in range(channels):
        total = sums[c]
        for n in range(c + channels, period, channels):
            total += sums[n]
        totals[chunk * channels + c] = total


@pool_jit
def _channel_sum(parallel, x, channels, period, size, totals, result):
    parallel_for(totals.size // channels, parallel, _sum_chunk, (x, channels, period, size, totals))
    for at in range(0, totals.size, channels):
        for c in range(channels):
            result[c] += totals[at + c]


def channel_sum(x):
    """Sum over every axis but 1: (N, C, *any) gives (C,), the gradient of a bias.

    >>> channel_sum(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([11., 22.])
    """
    channels = x.shape[1]
    result = np.zeros(channels, x.dtype)
    if x.size:
        flat = channels_last(x).reshape(-1)
        period = channels * max(1, 64 // channels)
        size = max(1, _CHUNK // period) * period
        chunks = -(-flat.size // size)
        totals = np.empty(chunks * channels, x.dtype)
        _channel_sum(chunks > 2, flat, channels, period, size, totals, result)
    return result
