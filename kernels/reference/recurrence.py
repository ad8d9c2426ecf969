"""The first-order linear recurrence, written as its definition. The fast version is in `kernels/cpu/recurrence.py`."""

import numpy as np


def linear_recurrence(a, b):
    """r[i] = b[i] + a[i] * r[i - 1] along every row, from r[0] = b[0].

    a and b are (rows, n), both float32 or both float64.

    >>> linear_recurrence(np.array([[9.0, 2.0, 2.0]]), np.array([[1.0, 1.0, 1.0]]))
    array([[1., 3., 7.]])
    """
    r = np.array(b)
    for row, i in np.ndindex(r.shape):
        if i > 0:
            r[row, i] = b[row, i] + a[row, i] * r[row, i - 1]
    return r
