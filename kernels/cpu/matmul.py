"""The matrix product, single or batched, of matrices in any memory order.

A product with a vector, or with a matrix of few rows, is bound by reading the other matrix: it has loops of its own.
"""

from functools import lru_cache

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .indirection import fold_images, pixel_table
from .layout import dense, parts
from .product import indirect_plan, indirect_product, outer_plan, outer_product

__all__ = ["matmul"]

SMALL_RESULT = 1 << 10  # elements of a result up to which a column-major factor is used as it lies
RUN = 1024  # elements of a row whose products are added in the arrays' dtype
SMALL = 1 << 18  # multiply-adds up to which NumPy's BLAS, which uses one thread for them, has the quicker call
FEW = 16  # rows, or summands, up to which a product is bound by memory
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
def _inner_products(part, count, rows, lines, result):
    """Part `part` of `count` of result[r, n] = the sum of rows[r] * lines[n]: every line is read once for all rows."""
    depth = lines.shape[1]
    totals = np.empty(len(rows))
    for n in range(len(lines) * part // count, len(lines) * (part + 1) // count):
        totals[:] = 0
        for start in range(0, depth, RUN):
            line = lines[n, start : start + RUN]
            for r in range(len(rows)):
                row = rows[r, start : start + RUN]
                partial = lines.dtype.type(0)
                for k in range(len(line)):
                    partial += line[k] * row[k]
                totals[r] += partial
        for r in range(len(rows)):
            result[r, n] = totals[r]


@jit
def _weighted_sums(part, count, rows, lines, result):
    """Part `part` of `count` of result[r] = the sum of rows[r, k] * lines[k] over k, in blocks of columns."""
    depth, columns = lines.shape
    blocks = -(-columns // BLOCK)
    whole = depth // 4 * 4
    for block in range(blocks * part // count, blocks * (part + 1) // count):
        first, last = block * BLOCK, min(columns, (block + 1) * BLOCK)
        for k in range(0, whole, 4):  # four lines at once: the sums are read and written less
            line, second, third, fourth = (
                lines[k, first:last], lines[k + 1, first:last], lines[k + 2, first:last], lines[k + 3, first:last]
            )  # fmt: skip
            for r in range(len(rows)):
                a, b, c, d = rows[r, k], rows[r, k + 1], rows[r, k + 2], rows[r, k + 3]
                sums = result[r, first:last]
                if k == 0:
                    for j in range(len(sums)):
                        sums[j] = (a * line[j] + b * second[j]) + (c * third[j] + d * fourth[j])
                else:
                    for j in range(len(sums)):
                        sums[j] += (a * line[j] + b * second[j]) + (c * third[j] + d * fourth[j])
        for k in range(whole, depth):
            line = lines[k, first:last]
            for r in range(len(rows)):
                a, sums = rows[r, k], result[r, first:last]
                if k == 0:
                    for j in range(len(sums)):
                        sums[j] = a * line[j]
                else:
                    for j in range(len(sums)):
                        sums[j] += a * line[j]


@pool_jit
def _streamed_product(count, inner, rows, lines, result):
    if inner:
        parallel_for(count, count > 1, _inner_products, (count, rows, lines, result))
    else:
        parallel_for(count, count > 1, _weighted_sums, (count, rows, lines, result))


def _streamed(rows, matrix, c):
    """c = rows @ matrix, where one of the sizes is so small that the large matrix is best read once, as it lies."""
    inner = not matrix.flags.carray and matrix.T.flags.carray
    lines = dense(matrix.T if inner else matrix)
    units = len(lines) if inner else -(-lines.shape[1] // BLOCK)
    _streamed_product(parts(units, max(lines.size, c.size)), inner, dense(rows), lines, c)


def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or for batches of them.

    a is (M, K) and b (K, N), or a (B, M, K) and b (B, K, N), both float32 or both float64; c is (M, N) or (B, M, N).
    PyTorch's `torch.mm` and `torch.bmm`.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    *batch, m, k = a.shape
    single, batch, n = not batch, batch[0] if batch else 1, b.shape[-1]
    if batch * m * n * k <= SMALL:
        with np.errstate(all="ignore"):  # infinities are no news
            return np.matmul(a, b)
    c = empty((*a.shape[:-1], n), a.dtype)
    if single and (m <= FEW or k <= FEW):
        _streamed(a, b, c)
    elif single and n == 1:
        _streamed(b.T, a.T, c.T)
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
