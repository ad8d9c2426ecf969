"""Sums, extremes and moments over axes, element by element. The fast version lives in `kernels/cpu/reduction.py`."""

import math

import numpy as np


def _lines(x, axes):
    """An uninitialised result, and for each of its places the list of elements that are reduced to it."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = tuple([x.shape[axis] for axis in kept])
    lines = {at: [] for at in np.ndindex(shape)}
    for at in np.ndindex(x.shape):
        lines[tuple([at[axis] for axis in kept])].append(float(x[at]))
    return np.empty(shape, x.dtype.newbyteorder("=")), lines


def total(x, axes):
    """The sum over `axes`, one or more, of float32 or float64, added in float64 and rounded once.

    The reduced axes fall away. Rules: PyTorch's `torch.sum`.

    >>> total(np.array([[1.0, 2.0], [3.0, 4.0]]), (0,))
    array([4., 6.])
    """
    result, lines = _lines(x, axes)
    for at, values in lines.items():
        result[at] = sum(values)
    return result


def square_total(x, axes):
    """The sum of squares over `axes`, one or more, of float32 or float64, added in float64 and rounded once.

    >>> square_total(np.array([[1.0, 2.0], [3.0, 4.0]]), (0, 1))
    array(30.)
    """
    result, lines = _lines(x, axes)
    for at, values in lines.items():
        result[at] = sum(value * value for value in values)
    return result


def extreme(x, axes, largest):
    """The largest or the smallest element over `axes`, one or more and none of them empty; NaN if there is one.

    Rules: PyTorch's `torch.amax` and `torch.amin`.

    >>> extreme(np.array([[1.0, 2.0], [3.0, 4.0]]), (1,), True)
    array([2., 4.])
    """
    result, lines = _lines(x, axes)
    for at, values in lines.items():
        best = values[0]
        for value in values[1:]:
            wins = value > best if largest else value < best
            best = value if wins or math.isnan(value) else best
        result[at] = best
    return result


def moments(x, axes):
    """The mean and the sum of squared distances from it over `axes`, one or more: `(mean, deviation)`, float64.

    No elements have the mean NaN.

    >>> moments(np.array([[1.0, 3.0]]), (1,))
    (array([2.]), array([2.]))
    """
    result, lines = _lines(x, axes)
    mean, deviation = np.empty(result.shape), np.empty(result.shape)
    for at, values in lines.items():
        center = sum(values) / len(values) if values else math.nan
        mean[at] = center
        deviation[at] = sum((value - center) ** 2 for value in values)
    return mean, deviation
