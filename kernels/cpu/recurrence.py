"""The first-order linear recurrence, row by row; `kernels/reference/recurrence.py` is the definition."""

import numpy as np

from ..jit import jit
from .layout import dense


@jit
def _recur(a, b, r):
    for row in range(a.shape[0]):
        last = a.dtype.type(0)
        for i in range(a.shape[1]):
            last = b[row, i] + a[row, i] * last if i else b[row, i]
            r[row, i] = last


def linear_recurrence(a, b):
    """r[i] = b[i] + a[i] * r[i - 1] along every row, from r[0] = b[0].

    a and b are (rows, n), both float32 or both float64.

    >>> linear_recurrence(np.array([[9.0, 2.0, 2.0]]), np.array([[1.0, 1.0, 1.0]]))
    array([[1., 3., 7.]])
    """
    r = np.empty(b.shape, b.dtype.newbyteorder("="))
    _recur(dense(a), dense(b), r)
    return r
