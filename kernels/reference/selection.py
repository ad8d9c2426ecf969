"""Where the k-th smallest element stands, written as the procedures that PyTorch follows on a list of positions.

Which of several equal elements is named depends on the procedure, so both are spelled out: Hoare's quickselect for
`kthvalue`, the introspective selection of C++'s standard library for `median`. The fast versions are in
`kernels/cpu/selection.py`.
"""

import numpy as np


def kth_smallest(rows, k):
    """Position of the k-th smallest (from 0) in every row by quickselect; NaN counts as the largest.

    rows is (M, N), float64 or int64; 0 <= k < N. Result: (M,) int64.

    >>> kth_smallest(np.array([[3.0, 1.0, 2.0]]), 1)
    array([2])
    """
    result = np.empty(len(rows), np.int64)
    for m in range(len(rows)):
        x = rows[m]
        order = np.arange(len(x))

        def greater(a, b):
            return (a != a and b == b) or a > b

        def swap(i, j, order=order):
            order[i], order[j] = order[j], order[i]

        left, right = 0, len(x) - 1
        while right > left:
            if right == left + 1:
                if greater(x[order[left]], x[order[right]]):
                    swap(left, right)
                break
            swap(left + (right - left) // 2, left + 1)  # the median of three becomes the pivot, at `left`
            if greater(x[order[left + 1]], x[order[right]]):
                swap(left + 1, right)
            if greater(x[order[left]], x[order[right]]):
                swap(left, right)
            if greater(x[order[left + 1]], x[order[left]]):
                swap(left + 1, left)
            i, j, pivot = left + 1, right, x[order[left]]
            while True:
                i += 1
                while greater(pivot, x[order[i]]):
                    i += 1
                j -= 1
                while greater(x[order[j]], pivot):
                    j -= 1
                if j < i:
                    break
                swap(i, j)
            swap(left, j)
            if j <= k:
                left = i
            if j >= k:
                right = j - 1
        result[m] = order[k]
    return result


def median_position(rows, ignore_nan):
    """Position of the lower median of every row: the first NaN if there is one, or the median of the others.

    rows is (M, N), float64 or int64, N > 0; with `ignore_nan` NaN is left out (a row of NaN has position 0's, as the
    selection leaves it). Result: (M,) int64.

    >>> median_position(np.array([[3.0, 1.0, 2.0, 4.0]]), False)
    array([2])
    """
    result = np.empty(len(rows), np.int64)
    for m in range(len(rows)):
        x = rows[m]
        nans = [i for i in range(len(x)) if x[i] != x[i]]
        if nans and not ignore_nan:
            result[m] = nans[0]
            continue
        count = len(x) - len(nans)
        order = list(range(len(x)))
        nth = (count - 1) // 2 if count else 0

        def less(i, j, x=x):
            return x[i] < x[j] or (x[i] == x[i] and x[j] != x[j])

        first, last = 0, len(x)
        while last - first > 3:
            # the median of three becomes the pivot, at `first`
            a, b, c = first + 1, first + (last - first) // 2, last - 1
            if less(order[a], order[b]):
                middle = b if less(order[b], order[c]) else c if less(order[a], order[c]) else a
            else:
                middle = a if less(order[a], order[c]) else c if less(order[b], order[c]) else b
            order[first], order[middle] = order[middle], order[first]
            i, j = first + 1, last
            while True:
                while less(order[i], order[first]):
                    i += 1
                j -= 1
                while less(order[first], order[j]):
                    j -= 1
                if i >= j:
                    break
                order[i], order[j] = order[j], order[i]
                i += 1
            if i <= nth:
                first = i
            else:
                last = i
        for i in range(first + 1, last):  # three or fewer are left: sort them by insertion
            moving, j = order[i], i
            while j > first and less(moving, order[j - 1]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = moving
        result[m] = order[nth]
    return result
