"""Windows of images as columns of a matrix, and back: a copy and its adjoint.

`kernels/reference/unfold.py` is the definition.
"""

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, parts

__all__ = ["fold", "unfold"]


@jit
def _reach(outputs, size, stride, offset):
    """First and stop of the windows o for which 0 <= o * stride + offset < size."""
    first = max(0, -(offset // stride))
    return first, max(first, min(outputs, (size - 1 - offset) // stride + 1))


@jit
def _unfold_part(part, count, x, y, kernel, stride, padding, dilation):
    """Part `part` of `count` of y (planes, *kernel, *outputs) from x (planes, height, width)."""
    height, width = x.shape[1:]
    rows, columns = y.shape[3:]
    units = len(x) * kernel[0] * kernel[1]
    for unit in range(units * part // count, units * (part + 1) // count):
        plane, tap = divmod(unit, kernel[0] * kernel[1])
        r, s = divmod(tap, kernel[1])
        above, left = r * dilation[0] - padding[0], s * dilation[1] - padding[1]
        top, bottom = _reach(rows, height, stride[0], above)
        first, stop = _reach(columns, width, stride[1], left)
        for o in range(rows):
            line = y[plane, r, s, o]
            inside = top <= o < bottom
            source = x[plane, o * stride[0] + above if inside else 0]
            for p in range(columns):
                line[p] = source[p * stride[1] + left] if inside and first <= p < stop else 0


@jit
def _fold_part(part, count, y, x, kernel, stride, padding, dilation):
    """Part `part` of `count` of the planes of x, the adjoint of `_unfold_part`: what it reads added where it stands."""
    height, width = x.shape[1:]
    rows, columns = y.shape[3:]
    for plane in range(len(x) * part // count, len(x) * (part + 1) // count):
        for o in range(height):
            for p in range(width):
                x[plane, o, p] = 0
        for r in range(kernel[0]):
            above = r * dilation[0] - padding[0]
            top, bottom = _reach(rows, height, stride[0], above)
            for s in range(kernel[1]):
                left = s * dilation[1] - padding[1]
                first, stop = _reach(columns, width, stride[1], left)
                for o in range(top, bottom):
                    line, target = y[plane, r, s, o], x[plane, o * stride[0] + above]
                    for p in range(first, stop):
                        target[p * stride[1] + left] += line[p]


@pool_jit
def _unfold_all(count, x, y, kernel, stride, padding, dilation):
    parallel_for(count, count > 1, _unfold_part, (count, x, y, kernel, stride, padding, dilation))


@pool_jit
def _fold_all(count, y, x, kernel, stride, padding, dilation):
    parallel_for(count, count > 1, _fold_part, (count, y, x, kernel, stride, padding, dilation))


def unfold(x, kernel, stride, padding, dilation, output_size):
    """Every window of x (N, C, H, W) as a column: (N, C * taps, windows), the cells beyond the border as zeros.

    kernel, stride, padding, dilation and output_size, the number of windows, hold an int for H and one for W. PyTorch's
    `torch.nn.Unfold`.

    >>> import numpy as np
    >>> unfold(np.array([[[[1.0, 2.0, 3.0]]]]), (1, 2), (1, 1), (0, 0), (1, 1), (1, 2))
    array([[[1., 2.],
            [2., 3.]]])
    """
    n, c, *size = x.shape
    y = empty((n * c, *kernel, *output_size), x.dtype.newbyteorder("="))
    if y.size:
        source = dense(x).reshape(n * c, *size)
        _unfold_all(parts(n * c * kernel[0] * kernel[1], y.size), source, y, kernel, stride, padding, dilation)
    return y.reshape(n, c * kernel[0] * kernel[1], output_size[0] * output_size[1])


def fold(y, size, kernel, stride, padding, dilation, output_size):
    """The adjoint of `unfold`: every column of y (N, C * taps, windows) added to its window of x (N, C, *size).

    >>> import numpy as np
    >>> fold(np.array([[[1.0, 2.0], [2.0, 3.0]]]), (1, 3), (1, 2), (1, 1), (0, 0), (1, 1), (1, 2))
    array([[[[1., 4., 3.]]]])
    """
    n, c = len(y), y.shape[1] // (kernel[0] * kernel[1])
    x = empty((n * c, *size), y.dtype.newbyteorder("="))
    if x.size:
        source = dense(y).reshape(n * c, *kernel, *output_size)
        _fold_all(parts(n * c, y.size), source, x, kernel, stride, padding, dilation)
    return x.reshape(n, c, *size)
