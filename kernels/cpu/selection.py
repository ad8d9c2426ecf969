"""Where the k-th smallest element stands, row by row over the threads.

`kernels/reference/selection.py` is the definition; it says why the procedures are spelled out.
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


@jit
def _less(x, i, j):
    return x[i] < x[j] or (x[i] == x[i] and x[j] != x[j])


@jit
def _median(part, count, rows, ignore_nan, result):
    """The medians of part `part` of `count` of the rows."""
    order = np.empty(rows.shape[1], np.int64)
    for m in range(len(rows) * part // count, len(rows) * (part + 1) // count):
        x = rows[m]
        nans, first_nan = 0, 0
        for i in range(len(x) - 1, -1, -1):
            order[i] = i
            if x[i] != x[i]:
                nans += 1
                first_nan = i
        if nans and not ignore_nan:
            result[m] = first_nan
            continue
        nth = max(len(x) - nans - 1, 0) // 2
        first, last = 0, len(x)
        while last - first > 3:
            a, b, c = first + 1, first + (last - first) // 2, last - 1
            if _less(x, order[a], order[b]):
                middle = b if _less(x, order[b], order[c]) else c if _less(x, order[a], order[c]) else a
            else:
                middle = a if _less(x, order[a], order[c]) else c if _less(x, order[b], order[c]) else b
            _swap(order, first, middle)
            i, j = first + 1, last
            while True:
                while _less(x, order[i], order[first]):
                    i += 1
                j -= 1
                while _less(x, order[first], order[j]):
                    j -= 1
                if i >= j:
                    break
                _swap(order, i, j)
                i += 1
            if i <= nth:
                first = i
            else:
                last = i
        for i in range(first + 1, last):
            moving, j = order[i], i
            while j > first and _less(x, moving, order[j - 1]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = moving
        result[m] = order[nth]


@pool_jit
def _median_all(count, rows, ignore_nan, result):
    parallel_for(count, count > 1, _median, (count, rows, ignore_nan, result))


def kth_smallest(rows, k):
    """Position of the k-th smallest (from 0) in every row by quickselect; NaN counts as the largest.

    rows is (M, N), float64 or int64; 0 <= k < N. Result: (M,) int64.

    >>> kth_smallest(np.array([[3.0, 1.0, 2.0]]), 1)
    array([2])
    """
    result = np.empty(len(rows), np.int64)
    _quickselect_all(parts(len(rows), rows.size), dense(rows), k, result)
    return result


def median_position(rows, ignore_nan):
    """Position of the lower median of every row: the first NaN if there is one, or the median of the others.

    rows is (M, N), float64 or int64, N > 0; with `ignore_nan` NaN is left out (a row of NaN has position 0's, as the
    selection leaves it). Result: (M,) int64.

    >>> median_position(np.array([[3.0, 1.0, 2.0, 4.0]]), False)
    array([2])
    """
    result = np.empty(len(rows), np.int64)
    _median_all(parts(len(rows), rows.size), dense(rows), ignore_nan, result)
    return result
