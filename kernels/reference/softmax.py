"""Softmax and its logarithm along one axis, written as their definition: one loop per line of the axis.

The fast versions live in `kernels/cpu/softmax.py`.
"""

from math import exp, inf, isfinite, log, nan

import numpy as np


def _lines(shape, axis):
    """An index per line along the axis: every other coordinate fixed, the axis a slice."""
    axis %= len(shape)
    for at in np.ndindex(*shape[:axis], *shape[axis + 1 :]):
        yield (*at[:axis], slice(None), *at[axis:])


def _shifted(line):
    """The line minus its largest value, as floats; NaN throughout when the largest is infinite."""
    largest = -inf
    for value in map(float, line):
        largest = value if value > largest else largest
    return [float(value) - largest if isfinite(largest) else nan for value in line]


def softmax(x, axis):
    """exp(x) over its sum along the axis, of x's shape and dtype (float32 or float64, rank 1 or more).

    The largest value is subtracted first, so nothing overflows; a line of -inf alone, or with a NaN, is NaN. Rules:
    PyTorch's `torch.softmax`.

    >>> softmax(np.array([0.0, 0.0]), 0)
    array([0.5, 0.5])
    """
    y = np.empty_like(x)
    for line in _lines(x.shape, axis):
        powers = [exp(value) for value in _shifted(x[line])]
        total = sum(powers)
        y[line] = [power / total for power in powers]
    return y


def log_softmax(x, axis):
    """Logarithm of `softmax`, of x's shape and dtype, exact where softmax itself would round to 0.

    Rules: PyTorch's `torch.log_softmax`.

    >>> log_softmax(np.array([0.0, -1000.0]), 0)
    array([    0., -1000.])
    """
    y = np.empty_like(x)
    for line in _lines(x.shape, axis):
        shifted = _shifted(x[line])
        total = sum(map(exp, shifted))
        y[line] = [value - log(total) for value in shifted]
    return y


def softmax_grad(dy, y, axis):
    """Gradient of `softmax` from its result y: dx = y (dy - sum(dy y)), of y's shape and dtype.

    >>> softmax_grad(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 0)
    array([ 0.25, -0.25])
    """
    dx = np.empty_like(y)
    for line in _lines(y.shape, axis):
        inner = sum(float(g) * float(p) for g, p in zip(dy[line], y[line]))
        dx[line] = [float(p) * (float(g) - inner) for g, p in zip(dy[line], y[line])]
    return dx


def log_softmax_grad(dy, y, axis):
    """Gradient of `log_softmax` from its result y: dx = dy - exp(y) sum(dy), of y's shape and dtype.

    >>> log_softmax_grad(np.array([-1.0, 0.0]), np.log([0.5, 0.5]), 0)
    array([-0.5,  0.5])
    """
    dx = np.empty_like(y)
    for line in _lines(y.shape, axis):
        total = sum(map(float, dy[line]))
        dx[line] = [float(g) - exp(v) * total for g, v in zip(dy[line], y[line])]
    return dx
