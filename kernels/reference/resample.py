"""Resampling along one axis, written as its definition: every cell of the result is a weighted sum of cells."""

import numpy as np


def resample(x, axis, starts, indices, weights):
    """y[..., j, ...] = sum of weights[t] * x[..., indices[t], ...] for t from starts[j] up to starts[j + 1], on `axis`.

    x is an array of any rank, float32 or float64, and y has its dtype and order of memory, with len(starts) - 1 cells
    along the axis; starts and indices are int64.

    >>> table = np.array([0, 1, 3]), np.array([0, 0, 1]), np.array([1.0, 0.5, 0.5])
    >>> resample(np.array([[2.0, 4.0]]), 1, *table)
    array([[2., 3.]])
    """
    shape = list(x.shape)
    shape[axis] = len(starts) - 1
    y = np.zeros_like(x, dtype=x.dtype.newbyteorder("="), shape=shape)
    for at in np.ndindex(*shape):
        j = at[axis]
        for t in range(starts[j], starts[j + 1]):
            y[at] += x[(*at[:axis], indices[t], *at[axis + 1 :])] * weights[t]
    return y
