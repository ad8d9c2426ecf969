"""Where the k-th smallest element stands, row by row over the threads.

`kernels/reference/selection.py` is the definition; it says why the procedure is spelled out.
"""

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, parts


@jit
def _greater(a, b):
    return (a != a and b == b) or a > b


@jit
def _swap(order, i, j):
    order[i], order[j] = order[j], order[i]


@jit
def _quickselect(part, count, rows, k, result):
    """The k-th smallest of part `part` of `count` of the rows."""
    order = np.empty(rows.shape[1], np.int64)
    for m in range(len(rows) * part // count, len(rows) * (part + 1) // count):
        x = rows[m]
        for i in range(len(x)):
            order[i] = i
        left, right = 0, len(x) - 1
        while right > left:
            if right == left + 1:
                if _greater(x[order[left]], x[order[right]]):
                    _swap(order, left, right)
                break
            _swap(order, left + (right - left) // 2, left + 1)
            if _greater(x[order[left + 1]], x[order[right]]):
                _swap(order, left + 1, right)
            if _greater(x[order[left]], x[order[right]]):
                _swap(order, left, right)
            if _greater(x[order[left + 1]], x[order[left]]):
                _swap(order, left + 1, left)
            i, j, pivot = left + 1, right, x[order[left]]
            while True:
                i += 1
                while _greater(pivot, x[order[i]]):
                    i += 1
                j -= 1
                while _greater(x[order[j]], pivot):
                    j -= 1
                if j < i:
                    break
                _swap(order, i, j)
            _swap(order, left, j)
            if j <= k:
                left = i
            if j >= k:
                right = j - 1
        result[m] = order[k]


@pool_jit
def _quickselect_all(count, rows, k, result):
    parallel_for(count, count > 1, _quickselect, (count, rows, k, result))


def kth_smallest(rows, k):
    """Position of the k-th smallest (from 0) in every row by quickselect; NaN counts as the largest.

    rows is (M, N), float64 or int64; 0 <= k < N. Result: (M,) int64.

    >>> kth_smallest(np.array([[3.0, 1.0, 2.0]]), 1)
    array([2])
    """
    result = np.empty(len(rows), np.int64)
    _quickselect_all(parts(len(rows), rows.size), dense(rows), k, result)
    return result
