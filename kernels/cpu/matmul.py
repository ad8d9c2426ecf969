"""The matrix product, single or batched, of matrices in any memory order."""

from functools import lru_cache

import numpy as np

from .indirection import fold_images, pixel_table
from .layout import dense
from .product import indirect_plan, indirect_product, outer_plan, outer_product

__all__ = ["matmul"]

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


def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or for batches of them.

    a is (M, K) and b (K, N), or a (B, M, K) and b (B, K, N), both float32 or both float64; c is (M, N) or (B, M, N).
    PyTorch's `torch.mm` and `torch.bmm`.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    c = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    *batch, m, k = a.shape
    batch, n = batch[0] if batch else 1, b.shape[-1]
    if not a.size or not b.size:
        c[...] = 0
    elif not a.flags.carray and (columns := a.swapaxes(-1, -2)).flags.carray:
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
