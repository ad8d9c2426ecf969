"""Windows of images as columns of a matrix, and back, written as their definition: one cell after the other."""

from itertools import product

import numpy as np


def _pairs(size, kernel, stride, padding, dilation, output_size):
    """((row, column) of a cell, (tap, window) that reads it), cells beyond the border left out."""
    for tap, window in product(np.ndindex(*kernel), np.ndindex(*output_size)):
        at = tuple(o * s - p + t * d for o, s, p, t, d in zip(window, stride, padding, tap, dilation))
        if all(0 <= i < n for i, n in zip(at, size)):
            yield at, (tap[0] * kernel[1] + tap[1], window[0] * output_size[1] + window[1])


def unfold(x, kernel, stride, padding, dilation, output_size):
    """Every window of x (N, C, H, W) as a column: (N, C * taps, windows), the cells beyond the border as zeros.

    kernel, stride, padding, dilation and output_size, the number of windows, hold an int for H and one for W. PyTorch's
    `torch.nn.Unfold`.

    >>> unfold(np.array([[[[1.0, 2.0, 3.0]]]]), (1, 2), (1, 1), (0, 0), (1, 1), (1, 2))
    array([[[1., 2.],
            [2., 3.]]])
    """
    n, c, *size = x.shape
    taps, windows = kernel[0] * kernel[1], output_size[0] * output_size[1]
    y = np.zeros((n, c, taps, windows), x.dtype.newbyteorder("="))
    for at, (tap, window) in _pairs(size, kernel, stride, padding, dilation, output_size):
        for image, channel in np.ndindex(n, c):
            y[image, channel, tap, window] = x[(image, channel, *at)]
    return y.reshape(n, c * taps, windows)


def fold(y, size, kernel, stride, padding, dilation, output_size):
    """The adjoint of `unfold`: every column of y (N, C * taps, windows) added to its window of x (N, C, *size).

    >>> fold(np.array([[[1.0, 2.0], [2.0, 3.0]]]), (1, 3), (1, 2), (1, 1), (0, 0), (1, 1), (1, 2))
    array([[[[1., 4., 3.]]]])
    """
    n, taps = len(y), kernel[0] * kernel[1]
    c = y.shape[1] // taps
    x = np.zeros((n, c, *size), y.dtype.newbyteorder("="))
    for at, (tap, window) in _pairs(size, kernel, stride, padding, dilation, output_size):
        for image, channel in np.ndindex(n, c):
            x[(image, channel, *at)] += y[image, channel * taps + tap, window]
    return x
