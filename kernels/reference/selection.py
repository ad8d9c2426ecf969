"""Where the k-th smallest element stands: Hoare's quickselect on a list of positions.

Which of several equal elements is named depends on the procedure, so PyTorch's is spelled out, step by step. The fast
version is in `kernels/cpu/selection.py`.
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
