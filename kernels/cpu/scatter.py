"""Picking and placing by index arrays: along the middle of three axes, and whole rows, as embeddings do.

Every cell belongs to one task, which meets the indices in their order: so sums have the same bits for any number of
threads. `kernels/reference/scatter.py` is the definition.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .copying import STREAMED, copy_line
from .layout import dense, parts

REDUCTIONS = {"set": 0, "sum": 1, "prod": 2, "amax": 3, "amin": 4}
LINE = 16  # elements of a block of columns: a cache line of float32
BLOCKS = 4  # of columns at the most, for every block reads all indices


@jit
def _gather(part, count, x, index, y):
    """Part `part` of `count` of the rows (a, m) of y."""
    outer, picked, inner = index.shape
    rows = outer * picked
    row, last = rows * part // count, rows * (part + 1) // count
    while row < last:
        a, first = row // picked, row % picked
        stop = min(picked, first + last - row)
        source, at, result = x[a], index[a], y[a]
        if inner == 1:
            column, places, picks = source[:, 0], at[:, 0], result[:, 0]
            for m in range(first, stop):
                picks[m] = column[places[m]]
        else:
            for m in range(first, stop):
                for b in range(inner):
                    result[m, b] = source[at[m, b], b]
        row += stop - first


@pool_jit
def _gather_all(count, x, index, y):
    parallel_for(count, count > 1, _gather, (count, x, index, y))


def gather(x, index):
    """y[a, m, b] = x[a, index[a, m, b], b].

    x is (A, N, B), float32, float64 or int64; index is (A, M, B) int64 in [0, N), as is y, of x's dtype.

    >>> gather(np.array([[[1.0], [2.0]]]), np.array([[[1], [1], [0]]])).ravel()
    array([2., 2., 1.])
    """
    source = dense(x)
    y = np.empty(index.shape, source.dtype)
    if y.size:
        _gather_all(parts(index.shape[0] * index.shape[1], y.size), source, dense(index), y)
    return y


@jit
def _scatter(part, count, blocks, reduction, index, src, y):
    """Part `part` of `count` of the units, of which each is one a and one of `blocks` blocks of the b."""
    outer, picked, inner = index.shape
    units = outer * blocks
    for unit in range(units * part // count, units * (part + 1) // count):
        a, block = divmod(unit, blocks)
        low, high = inner * block // blocks, inner * (block + 1) // blocks
        at, new, cells = index[a], src[a], y[a]
        for m in range(picked):
            if reduction == 0:
                for b in range(low, high):
                    cells[at[m, b], b] = new[m, b]
            elif reduction == 1:
                for b in range(low, high):
                    cells[at[m, b], b] += new[m, b]
            elif reduction == 2:
                for b in range(low, high):
                    cells[at[m, b], b] *= new[m, b]
            else:
                for b in range(low, high):
                    old, value = cells[at[m, b], b], new[m, b]
                    wins = value > old if reduction == 3 else value < old
                    if wins or value != value:
                        cells[at[m, b], b] = value


@pool_jit
def _scatter_all(count, blocks, reduction, index, src, y):
    parallel_for(count, count > 1, _scatter, (count, blocks, reduction, index, src, y))


def scatter(x, index, src, reduction):
    """A copy of x where src[a, m, b], for m from 0 on, is brought into the cell [a, index[a, m, b], b].

    x is (A, N, B), float32, float64 or int64; index is (A, M, B) int64 in [0, N), as is src, of x's dtype. reduction is
    "set" (the last one stays), "sum", "prod", "amax" or "amin" (NaN stays).

    >>> scatter(np.zeros((1, 2, 1)), np.array([[[1], [1]]]), np.array([[[3.0], [4.0]]]), "sum").ravel()
    array([0., 7.])
    """
    y = np.array(x, x.dtype.newbyteorder("="), order="C")
    if index.size:
        blocks = _blocks(index.shape[2])
        count = parts(index.shape[0] * blocks, index.size)
        _scatter_all(count, blocks, REDUCTIONS[reduction], dense(index), dense(src), y)
    return y


def _blocks(columns):
    """The number of blocks that so many columns are worth."""
    return max(1, min(columns // LINE, BLOCKS))


@jit
def _gather_rows(part, count, streamed, source, index, target, size):
    """Part `part` of `count` of the rows at the address `target`, of `size` bytes each, from those at `source`."""
    for m in range(len(index) * part // count, len(index) * (part + 1) // count):
        copy_line(streamed, source + index[m] * size, target + m * size, size)


@pool_jit
def _gather_rows_all(count, streamed, source, index, target, size):
    parallel_for(count, count > 1, _gather_rows, (count, streamed, source, index, target, size))


def gather_rows(x, index):
    """The rows of x that index names: x is (R, D) of any dtype, index (M,) int64 in [0, R), y (M, D).

    >>> gather_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 1]))
    array([[3., 4.],
           [3., 4.]])
    """
    source = dense(x)
    y = empty((len(index), x.shape[1]), source.dtype)
    if y.size:
        count, row = parts(len(index), y.size), x.shape[1] * x.itemsize
        _gather_rows_all(count, y.nbytes >= STREAMED, source.ctypes.data, dense(index), y.ctypes.data, row)
    return y


@jit
def _scatter_add_rows(block, blocks, dy, index, dx):
    """Block `block` of `blocks` of the columns of dx."""
    low, high = dx.shape[1] * block // blocks, dx.shape[1] * (block + 1) // blocks
    for r in range(len(dx)):
        dx[r, low:high] = 0
    for m in range(len(index)):
        source, result = dy[m, low:high], dx[index[m], low:high]
        for d in range(len(result)):
            result[d] += source[d]


@pool_jit
def _scatter_add_rows_all(blocks, parallel, dy, index, dx):
    parallel_for(blocks, parallel, _scatter_add_rows, (blocks, dy, index, dx))


def scatter_add_rows(dy, index, rows):
    """(rows, D) zeros to which every row dy[m] is added at index[m], in order: the adjoint of `gather_rows`.

    dy is (M, D), float32, float64 or int64, index (M,) int64 in [0, rows).

    >>> scatter_add_rows(np.array([[1.0], [2.0]]), np.array([1, 1]), 2)
    array([[0.],
           [3.]])
    """
    source = dense(dy)
    dx = empty((rows, dy.shape[1]), source.dtype)
    if dx.size:
        blocks = _blocks(dy.shape[1])
        _scatter_add_rows_all(blocks, blocks > 1 and parts(blocks, dx.size) > 1, source, dense(index), dx)
    return dx
