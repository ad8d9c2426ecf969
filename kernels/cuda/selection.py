"""The largest of each row, and where the k-th smallest stands.

`kernels/reference/selection.py` and `kernels/reference/topk.py` are the definitions.
"""

import numpy as np

from ..device import library
from ._numba import SIMULATED, cuda, i32, i64, inlined, kernel, launch, on_device
from .memory import dense, empty

__all__ = ["kth_smallest", "top_k"]

THREADS = 4 if SIMULATED else 64


@inlined
def greater(a, b):
    """a > b, where NaN is greater than all else."""
    return (a != a and b == b) or a > b


@inlined
def swap(order, i, j):
    """Exchange two positions."""
    kept = order[i]
    order[i] = order[j]
    order[j] = kept


@kernel("T*, i64*, i64*, i64, i32, i32")
def select_in_row(x, order, result, k, rows, count, *, T, THREADS):
    """Hoare's quickselect on the positions in one row, step by step as the reference has it."""
    row = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if row < rows:
        first = i64(row) * count
        for i in range(count):
            order[first + i] = i
        left, right = i64(0), i64(count - 1)
        while right > left:
            if right == left + 1:
                if greater(x[first + order[first + left]], x[first + order[first + right]]):
                    swap(order, first + left, first + right)
                left = right
            else:
                swap(order, first + left + (right - left) // 2, first + left + 1)
                if greater(x[first + order[first + left + 1]], x[first + order[first + right]]):
                    swap(order, first + left + 1, first + right)
                if greater(x[first + order[first + left]], x[first + order[first + right]]):
                    swap(order, first + left, first + right)
                if greater(x[first + order[first + left + 1]], x[first + order[first + left]]):
                    swap(order, first + left + 1, first + left)
                i, j, pivot, going = left + 1, right, x[first + order[first + left]], True
                while going:
                    i += 1
                    while greater(pivot, x[first + order[first + i]]):
                        i += 1
                    j -= 1
                    while greater(x[first + order[first + j]], pivot):
                        j -= 1
                    going = j >= i
                    if going:
                        swap(order, first + i, first + j)
                swap(order, first + left, first + j)
                if j <= k:
                    left = i
                if j >= k:
                    right = j - 1
        result[row] = order[first + k]


@on_device
def kth_smallest(rows, k):
    """Position of the k-th smallest (from 0) in every row by quickselect: `kernels.reference.kth_smallest`."""
    order, result = empty(rows.shape, np.int64), empty(len(rows), np.int64)
    launch(
        select_in_row, -(-len(rows) // THREADS), THREADS, dense(rows), order, result, k, len(rows), rows.shape[1],
        T=rows.dtype, THREADS=THREADS,
    )  # fmt: skip
    return result


@on_device
def top_k(x, k, largest, ordered):
    """Indices of the k largest (or smallest) of every row: `kernels.reference.top_k`. The library sorts."""
    order = library().module.argsort(x, axis=1)
    return order[:, ::-1][:, :k] if largest else order[:, :k]
