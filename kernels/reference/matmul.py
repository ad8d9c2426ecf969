"""The matrix product, written as its definition. The fast version lives in `kernels/cpu/matmul.py`."""

from itertools import product

import numpy as np


def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or for batches of them.

    a is (M, K) and b (K, N), or a (B, M, K) and b (B, K, N), both float32 or both float64; c is (M, N) or (B, M, N).
    PyTorch's `torch.mm` and `torch.bmm`.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    c = np.zeros((*a.shape[:-1], b.shape[-1]))
    for *batch, m, n in product(*map(range, c.shape)):
        for k in range(a.shape[-1]):
            c[(*batch, m, n)] += float(a[(*batch, m, k)]) * float(b[(*batch, k, n)])
    return c.astype(a.dtype)
