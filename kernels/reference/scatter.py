"""Picking and placing by index arrays, written as their definition: one loop over the indices.

The fast versions live in `kernels/cpu/scatter.py`.
"""

import numpy as np


def gather(x, index):
    """y[a, m, b] = x[a, index[a, m, b], b].

    x is (A, N, B), float32, float64 or int64; index is (A, M, B) int64 in [0, N), as is y, of x's dtype.

    >>> gather(np.array([[[1.0], [2.0]]]), np.array([[[1], [1], [0]]])).ravel()
    array([2., 2., 1.])
    """
    y = np.empty(index.shape, x.dtype)
    for a, m, b in np.ndindex(index.shape):
        y[a, m, b] = x[a, index[a, m, b], b]
    return y


_REDUCTIONS = {
    "set": lambda old, new: new,
    "sum": lambda old, new: old + new,
    "prod": lambda old, new: old * new,
    "amax": lambda old, new: new if new > old or new != new else old,
    "amin": lambda old, new: new if new < old or new != new else old,
}


def scatter(x, index, src, reduction):
    """A copy of x where src[a, m, b], for m from 0 on, is brought into the cell [a, index[a, m, b], b].

    x is (A, N, B), float32, float64 or int64; index is (A, M, B) int64 in [0, N), as is src, of x's dtype. reduction is
    "set" (the last one stays), "sum", "prod", "amax" or "amin" (NaN stays).

    >>> scatter(np.zeros((1, 2, 1)), np.array([[[1], [1]]]), np.array([[[3.0], [4.0]]]), "sum").ravel()
    array([0., 7.])
    """
    y = x.copy()
    for a, m, b in np.ndindex(index.shape):
        cell = a, index[a, m, b], b
        y[cell] = _REDUCTIONS[reduction](y[cell], src[a, m, b])
    return y


def gather_rows(x, index):
    """The rows of x that index names: x is (R, D), float32, float64 or int64, index (M,) int64 in [0, R), y (M, D).

    >>> gather_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 1]))
    array([[3., 4.],
           [3., 4.]])
    """
    y = np.empty((len(index), x.shape[1]), x.dtype)
    for m in range(len(index)):
        y[m] = x[index[m]]
    return y


def scatter_add_rows(dy, index, rows):
    """(rows, D) zeros to which every row dy[m] is added at index[m], in order: the adjoint of `gather_rows`.

    dy is (M, D), float32, float64 or int64, index (M,) int64 in [0, rows).

    >>> scatter_add_rows(np.array([[1.0], [2.0]]), np.array([1, 1]), 2)
    array([[0.],
           [3.]])
    """
    dx = np.zeros((rows, dy.shape[1]), dy.dtype)
    for m in range(len(index)):
        dx[index[m]] += dy[m]
    return dx
