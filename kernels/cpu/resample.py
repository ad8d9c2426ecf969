"""Resampling along one axis: every cell of the result is a weighted sum of cells of the input.

Interpolation of any kind, its gradient and padding by copies are all such sums, one axis after the other, and the
gradient is the same sum with the transposed table, so no two threads write to one cell. Where other axes lie within the
axis, their elements are worked off side by side. Along the last axis the cells are: most of them have the same number
of terms, which stand in rows as long as the axis; what remains follows one by one. `kernels/reference/resample.py` is
the definition.
"""

from math import prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, inverse, memory_order, parts

__all__ = ["resample"]

_FEW = 16  # elements side by side along the other axes below which the table is repeated for each of them
_BLOCK = 1024  # elements side by side that a task works off at once


@jit
def _beside_part(part, count, x, y, blocks, size, inner, starts, indices, weights):
    """Part `part` of `count` of y (outer, cells, inner) from x (outer, size, inner), both flat, inner in `blocks`."""
    cells = len(starts) - 1
    units = len(y) // (cells * inner) * blocks
    for unit in range(units * part // count, units * (part + 1) // count):
        outer, block = divmod(unit, blocks)
        low, high = inner * block // blocks, inner * (block + 1) // blocks
        for j in range(cells):
            begin = (outer * cells + j) * inner
            result = y[begin + low : begin + high]
            for i in range(len(result)):
                result[i] = 0
            for term in range(starts[j], starts[j + 1]):
                begin, weight = (outer * size + indices[term]) * inner, weights[term]
                source = x[begin + low : begin + high]
                for i in range(len(result)):
                    result[i] += source[i] * weight


@jit
def _along_part(part, count, x, y, size, places, weights, rows, extra_places, extra_weights):
    """Part `part` of `count` of y (outer, cells) from x (outer, size), both flat.

    Every cell has a term in each row of places and weights, a place of `size` standing for none; rows, extra_places and
    extra_weights are the terms that remain.
    """
    cells = places.shape[1]
    units = len(y) // cells
    line = np.zeros(size + 1, x.dtype)
    for unit in range(units * part // count, units * (part + 1) // count):
        result = y[unit * cells : (unit + 1) * cells]
        source = x[unit * size : (unit + 1) * size]
        for i in range(size):
            line[i] = source[i]
        for j in range(cells):
            result[j] = 0
        for term in range(len(places)):
            at, weight = places[term], weights[term]
            for j in range(cells):
                result[j] += line[at[j]] * weight[j]
        for k in range(len(rows)):
            result[rows[k]] += line[extra_places[k]] * extra_weights[k]


@pool_jit
def _beside_all(count, x, y, blocks, size, inner, starts, indices, weights):
    parallel_for(count, count > 1, _beside_part, (count, x, y, blocks, size, inner, starts, indices, weights))


@pool_jit
def _along_all(count, x, y, size, places, weights, rows, extra_places, extra_weights):
    arguments = count, x, y, size, places, weights, rows, extra_places, extra_weights
    parallel_for(count, count > 1, _along_part, arguments)


def _in_rows(starts, indices, weights, size, repeats):
    """The table in the form that `_along_part` takes, repeated for `repeats` elements side by side."""
    counts = np.diff(starts)
    terms = max(1, int(np.sort(counts)[len(counts) * 9 // 10]))
    places = np.full((terms, len(counts)), size, np.uint64)
    dense_weights = np.zeros((terms, len(counts)), weights.dtype)
    cell = np.repeat(np.arange(len(counts)), counts)
    term = np.arange(len(cell)) - np.repeat(starts[:-1], counts)
    first = term < terms
    places[term[first], cell[first]] = indices[first]
    dense_weights[term[first], cell[first]] = weights[first]
    rows, extra_places, extra_weights = (v[~first] for v in (cell, indices, weights))
    if repeats > 1:
        beside = np.arange(repeats)
        places = np.where(places == size, size * repeats, places * repeats)[:, :, None]
        places = (places + np.where(places == size * repeats, 0, beside).astype(np.uint64)).reshape(terms, -1)
        dense_weights = np.repeat(dense_weights, repeats, axis=1)
        rows, extra_places = ((v[:, None] * repeats + beside).reshape(-1) for v in (rows, extra_places))
        extra_weights = np.repeat(extra_weights, repeats)
    return places, dense_weights, rows.astype(np.uint64), extra_places.astype(np.uint64), extra_weights


def resample(x, axis, starts, indices, weights):
    """y[..., j, ...] = sum of weights[t] * x[..., indices[t], ...] for t from starts[j] up to starts[j + 1], on `axis`.

    x is an array of any rank, float32 or float64, and y has its dtype and order of memory, with len(starts) - 1 cells
    along the axis; starts and indices are int64.

    >>> table = np.array([0, 1, 3]), np.array([0, 0, 1]), np.array([1.0, 0.5, 0.5])
    >>> resample(np.array([[2.0, 4.0]]), 1, *table)
    array([[2., 3.]])
    """
    order = memory_order(x)
    source = dense(x.transpose(order))
    at = order.index(axis)
    outer, size, inner = prod(source.shape[:at]), source.shape[at], prod(source.shape[at + 1 :])
    cells = len(starts) - 1
    y = empty((*source.shape[:at], cells, *source.shape[at + 1 :]), source.dtype)
    if y.size:
        flat, result, weights = source.reshape(-1), y.reshape(-1), weights.astype(source.dtype, copy=False)
        if inner < _FEW:
            table = _in_rows(starts, indices, weights, size, inner)
            _along_all(parts(outer, x.size + y.size), flat, result, size * inner, *table)
        else:
            blocks = -(-inner // _BLOCK)
            count = parts(outer * blocks, x.size + y.size)
            _beside_all(count, flat, result, blocks, size, inner, starts, indices, weights)
    return y.transpose(inverse(order))
