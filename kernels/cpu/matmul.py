"""The matrix product, single or batched, of matrices in any memory order.

A product with a vector reads every element of the matrix once and is bound by that: it has loops of its own.
"""

from functools import lru_cache

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .indirection import fold_images, pixel_table
from .layout import dense, parts
from .product import indirect_plan, indirect_product, outer_plan, outer_product

__all__ = ["matmul"]

SMALL_RESULT = 1 << 10  # elements of a result up to which a column-major factor is used as it lies
RUN = 1024  # elements of a row whose products are added in the arrays' dtype
BLOCK = 256  # columns whose sums stay in the first cache

_NO_BIAS = {4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}


@lru_cache(512)
def _row_geometry(itemsize, batch, m, n, k, column, channel):
    """(table, out, plan) of the product with a row-major a; a column of b is `column` apart, a row `channel`."""
    table, out = fold_images(*pixel_table(m), 1, m, m)
    plan = indirect_plan(
        itemsize, batch, 1, m, n, 1, k, m * k, 0, k, m * n, 0, n, batch, k * n, k, *(1, 1, 1, 0, 1, 0), 0, 0, column, 0,
        channel,
    )  # fmt: skip
    return table, out, plan


@lru_cache(512)
def _column_geometry(itemsize, batch, m, n, k):
    """(table, plan) of the product with a column-major a and a row-major b."""
    table, _ = fold_images(*pixel_table(k), 1, k, k)
    return table, outer_plan(itemsize, batch, 1, k, m, 1, n, n, m, k * m, 0, n, k * n)


@jit
def _row_products(part, count, matrix, vector, result):
    """Part `part` of `count` of result[row] = the sum of matrix[row] * vector."""
    rows, depth = matrix.shape
    for row in range(rows * part // count, rows * (part + 1) // count):
        total = 0.0
        for start in range(0, depth, RUN):
            left, right = matrix[row, start : start + RUN], vector[start : start + RUN]
            partial = matrix.dtype.type(0)
            for k in range(len(left)):
                partial += left[k] * right[k]
            total += partial
        result[row] = total


@jit
def _column_products(part, count, matrix, vector, result):
    """Part `part` of `count` of result[column] = the sum of matrix[:, column] * vector."""
    depth, columns = matrix.shape
    blocks = -(-columns // BLOCK)
    for block in range(blocks * part // count, blocks * (part + 1) // count):
        first, last = block * BLOCK, min(columns, (block + 1) * BLOCK)
        sums = result[first:last]
        sums[:] = 0
        for k in range(0, depth - 3, 4):  # four rows at once: the sums are read and written less
            a, b, c, d = vector[k], vector[k + 1], vector[k + 2], vector[k + 3]
            row, second, third, fourth = (
                matrix[k, first:last], matrix[k + 1, first:last], matrix[k + 2, first:last], matrix[k + 3, first:last]
            )  # fmt: skip
            for j in range(len(row)):
                sums[j] += (a * row[j] + b * second[j]) + (c * third[j] + d * fourth[j])
        for k in range(depth // 4 * 4, depth):
            a, row = vector[k], matrix[k, first:last]
            for j in range(len(row)):
                sums[j] += a * row[j]


@pool_jit
def _vector_product(count, by_rows, matrix, vector, result):
    if by_rows:
        parallel_for(count, count > 1, _row_products, (count, matrix, vector, result))
    else:
        parallel_for(count, count > 1, _column_products, (count, matrix, vector, result))


def _times_vector(matrix, vector):
    """matrix @ vector, for a matrix of rows or of columns that are contiguous."""
    by_rows = matrix.flags.carray or not matrix.T.flags.carray
    lines = dense(matrix if by_rows else matrix.T)
    result = np.empty(len(matrix), lines.dtype)
    units = len(matrix) if by_rows else -(-len(matrix) // BLOCK)
    _vector_product(parts(units, lines.size), by_rows, lines, dense(vector), result)
    return result


def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or for batches of them.

    a is (M, K) and b (K, N), or a (B, M, K) and b (B, K, N), both float32 or both float64; c is (M, N) or (B, M, N).
    PyTorch's `torch.mm` and `torch.bmm`.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    *batch, m, k = a.shape
    if not batch and 1 in (m, b.shape[1]) and a.size and b.size:
        if m == 1:
            return _times_vector(b.T, a[0]).reshape(1, -1)
        return _times_vector(a, b[:, 0]).reshape(-1, 1)
    c = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    batch, n = batch[0] if batch else 1, b.shape[-1]
    if not a.size or not b.size:
        c[...] = 0
    elif m * n <= SMALL_RESULT and not a.flags.carray and (columns := a.swapaxes(-1, -2)).flags.carray:
        table, plan = _column_geometry(a.itemsize, batch, m, n, k)
        outer_product(columns.reshape(-1), dense(b).reshape(-1), table, c.reshape(-1), plan)
    else:
        columns = b.swapaxes(-1, -2)
        if not b.flags.carray and columns.flags.carray:
            b, column, channel = columns, k, 1
        else:
            column, channel = 1, n
        table, out, plan = _row_geometry(a.itemsize, batch, m, n, k, column, channel)
        indirect_product(
            dense(a).reshape(-1), table, out, dense(b).reshape(-1), _NO_BIAS[a.itemsize], c.reshape(-1), plan
        )  # fmt: skip
    return c
