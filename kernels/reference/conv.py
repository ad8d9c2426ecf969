"""Convolution, written as its definition: every product of an input cell and a weight, one after the other.

The three operations share one loop (`_products`) that lists which cells meet, for any number of spatial axes. The fast
versions live in `kernels/cpu/conv.py`.
"""

from itertools import product

import numpy as np


def _cells(shape):
    return product(*map(range, shape))


def _empty_channels_last(shape, dtype):
    """An uninitialised (N, C, *spatial) array whose memory is (N, *spatial, C)."""
    return np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _products(x_shape, weight_shape, y_shape, stride, padding, dilation, groups):
    """Triples of indices (of x, of the weight, of y) whose product the convolution sums over; padding is left out."""
    per_group = weight_shape[0] // groups if groups else 0
    for n, k, *out in _cells(y_shape):
        for c, *tap in _cells(weight_shape[1:]):
            at = tuple(o * s - before + t * d for o, s, (before, _), t, d in zip(out, stride, padding, tap, dilation))
            if all(0 <= i < size for i, size in zip(at, x_shape[2:])):
                yield (n, k // per_group * weight_shape[1] + c, *at), (k, c, *tap), (n, k, *out)


def conv_forward(x, weight, bias, stride, padding, dilation, groups):
    """y[n, k, o] = bias[k] + sum over c and taps t of x[n, c, o*stride - before + t*dilation] * weight[k, c, t].

    x is (N, C, *spatial), weight (K, C/groups, *kernel), bias (K,) or None, y (N, K, *output) in channels-last memory,
    all float32 or float64; one, two or three spatial axes. stride and dilation hold an int per spatial axis, padding a
    pair (before, after) of zeros; a negative `after` leaves the last pixels unread. Output channel k reads the channels
    of its own group. PyTorch's `conv1d` to `conv3d`.

    >>> conv_forward(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, -1.0]]]), None, (1,), ((0, 0),), (1,), 1)
    array([[[-1., -2.]]])
    """
    output = tuple(
        (size + before + after - d * (k - 1) - 1) // s + 1
        for size, k, s, (before, after), d in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    )
    y = np.zeros((x.shape[0], weight.shape[0], *output))
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(output))
    for at, tap, out in _products(x.shape, weight.shape, y.shape, stride, padding, dilation, groups):
        y[out] += float(x[at]) * float(weight[tap])
    result = _empty_channels_last(y.shape, x.dtype)
    result[...] = y
    return result


def conv_input_grad(dy, weight, input_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in x: dx[at] = sum of dy[out] * weight[tap] over the products that read x[at].

    dy is (N, K, *output), weight (K, C/groups, *kernel), dx of `input_shape` (N, C, *spatial) in channels-last memory.
    PyTorch's `torch.nn.grad.conv2d_input`.

    >>> conv_input_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, -1.0]]]), (1, 1, 3), (1,), ((0, 0),), (1,), 1)
    array([[[  1.,   9., -10.]]])
    """
    dx = np.zeros(input_shape)
    for at, tap, out in _products(input_shape, weight.shape, dy.shape, stride, padding, dilation, groups):
        dx[at] += float(dy[out]) * float(weight[tap])
    result = _empty_channels_last(input_shape, dy.dtype)
    result[...] = dx
    return result


def conv_weight_grad(dy, x, weight_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in the weight: dw[tap] = sum of dy[out] * x[at] over the products that use it.

    dy is (N, K, *output), x (N, C, *spatial), dw of `weight_shape` (K, C/groups, *kernel), C-contiguous. PyTorch's
    `torch.nn.grad.conv2d_weight`.

    >>> conv_weight_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 4.0]]]), (1, 1, 2), (1,), ((0, 0),), (1,), 1)
    array([[[21., 42.]]])
    """
    dw = np.zeros(weight_shape)
    for at, tap, out in _products(x.shape, weight_shape, dy.shape, stride, padding, dilation, groups):
        dw[tap] += float(dy[out]) * float(x[at])
    return dw.astype(dy.dtype)


def channel_sum(x):
    """Sum over every axis but 1: (N, C, *any) gives (C,), the gradient of a bias.

    >>> channel_sum(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([11., 22.])
    """
    total = np.zeros(x.shape[1])
    for index in _cells(x.shape):
        total[index[1]] += float(x[index])
    return total.astype(x.dtype)
