"""Running sums along one axis of memory of any order; `kernels/reference/cumulative.py` is the definition.

Kernels see a dense array as (outer, length, inner), the axis in the middle.
"""

from math import prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, inverse, memory_order, parts

BLOCK = 2048  # neighbouring lines that are walked at once where the axis is not the last one


@jit
def _lines(part, count, x, y, length, reverse):
    """Part `part` of `count` of the lines of y, the running sums of x; both flat.

    Four lines are walked side by side, for each sum waits for the one before it. Indices are unsigned, for Numba then
    need not ask whether they count from the end.
    """
    lines, n = len(x) // length, np.uint64(length)
    line, last = lines * part // count, lines * (part + 1) // count
    while line < last:
        four = line + 4 <= last
        first, p, q, r, s = np.uint64(line * length), 0.0, 0.0, 0.0, 0.0
        if four:
            for i in range(length):
                a = first + np.uint64(length - 1 - i if reverse else i)
                b, c, d = a + n, a + n + n, a + n + n + n
                p += x[a]
                q += x[b]
                r += x[c]
                s += x[d]
                y[a], y[b], y[c], y[d] = p, q, r, s
        else:
            for i in range(length):
                a = first + np.uint64(length - 1 - i if reverse else i)
                p += x[a]
                y[a] = p
        line += 4 if four else 1


@jit
def _blocks(part, count, x, y, length, inner, reverse):
    """The same for blocks of neighbouring lines."""
    across = -(-inner // BLOCK)
    blocks = len(x) // (length * inner) * across
    totals = np.empty(min(BLOCK, inner))
    for number in range(blocks * part // count, blocks * (part + 1) // count):
        outer, block = divmod(number, across)
        start, width = outer * length * inner + block * BLOCK, min(BLOCK, inner - block * BLOCK)
        totals[:] = 0
        for i in range(length):
            at = start + (length - 1 - i if reverse else i) * inner
            values, results = x[at : at + width], y[at : at + width]
            for j in range(width):
                totals[j] += values[j]
                results[j] = totals[j]


@pool_jit
def _all(count, x, y, length, inner, reverse):
    if inner == 1:
        parallel_for(count, count > 1, _lines, (count, x, y, length, reverse))
    else:
        parallel_for(count, count > 1, _blocks, (count, x, y, length, inner, reverse))


def running_total(x, axis, reverse):
    """y[k] = the sum of x[i] over i <= k along the axis, or over i >= k with `reverse`, added in float64.

    x is of float32 or float64, of rank 1 or more; y is like it. PyTorch's `torch.cumsum`.

    >>> running_total(np.array([1.0, 2.0, 3.0]), 0, False)
    array([1., 3., 6.])
    """
    if not x.flags.c_contiguous:
        axes = memory_order(x)
        ordered = dense(x.transpose(axes))
        return running_total(ordered, axes.index(axis % x.ndim), reverse).transpose(inverse(axes))
    x = dense(x)
    y = empty(x.shape, x.dtype)
    if y.size:
        axis %= x.ndim
        length, inner = x.shape[axis], prod(x.shape[axis + 1 :])
        units = x.size // length // (4 if inner == 1 else min(inner, BLOCK))
        _all(parts(max(1, units), x.size), x.reshape(-1), y.reshape(-1), length, inner, reverse)
    return y
