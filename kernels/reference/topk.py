"""The largest of each row, written as its definition.

The fast version lives in `kernels/cpu/selection.py`.
"""

import numpy as np


def top_k(x, k, largest, ordered):
    """Indices of the k largest (or smallest) of every row, the extreme one first if ordered.

    x is (R, N), float32, float64 or int64, 0 <= k <= N; the result is (R, k) int64. NaN is larger than all else, NaNs
    are equal, as are 0 and -0; which of equals, and their order, is open.

    >>> top_k(np.array([[5.0, 7.0, np.nan]]), 2, True, True)
    array([[2, 1]])
    """
    rows = []
    for row in x.tolist():
        in_order = sorted(range(len(row)), key=lambda i, row=row: (row[i] != row[i], row[i] if row[i] == row[i] else 0))
        rows.append(in_order[::-1][:k] if largest else in_order[:k])
    return np.array(rows, np.int64).reshape(len(x), k)
