"""Sums, extremes and moments over axes of memory of any order.

Kernels see a dense array as (outer, length, inner), the reduced axis in the middle. It is cut into pieces whose size
depends on the shape alone: of lines where inner is 1, else of rows, of which several short ones are walked as one long
row. Sums are float64 throughout, and those of pieces are put together in order: the result has the same bits for any
number of threads. `kernels/reference/reduction.py` is the definition.
"""

from functools import lru_cache

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import maximum
from .layout import dense, memory_order, parts

TOTAL, SQUARES, LARGEST, SMALLEST, MOMENTS = range(5)
RUN = 256  # elements whose sum is added to the sum of the others
LONG_ROW = 512  # elements of a row, or of several rows, that are walked at once
PIECE = 1 << 14  # elements of a piece
ROWS = 128  # rows of a piece at least: what a piece leaves behind is a row


@jit
def _sum_of(values, center, square):
    """The sum of values - center, or of its squares."""
    total = 0.0
    for start in range(0, len(values), RUN):
        run = values[start : start + RUN]
        partial = 0.0
        if square:
            for i in range(len(run)):
                distance = np.float64(run[i]) - center
                partial += distance * distance
        else:
            for i in range(len(run)):
                partial += np.float64(run[i])
        total += partial
    return total


@jit
def _line_pieces(part, count, kind, x, length, piece, partials):
    """Part `part` of `count` of partials: what `kind` asks of every piece of the lines of the flat x."""
    pieces = -(-length // piece)
    number = len(x) // length * pieces
    for index in range(number * part // count, number * (part + 1) // count):
        line, place = divmod(index, pieces)
        values = x[line * length + place * piece : line * length + min(length, (place + 1) * piece)]
        if kind in (LARGEST, SMALLEST):
            sign, best = x.dtype.type(1 if kind == LARGEST else -1), x.dtype.type(-np.inf)
            for i in range(len(values)):
                best = maximum(best, sign * values[i])
            partials[0, index] = sign * best
        else:
            total = _sum_of(values, 0.0, kind == SQUARES)
            partials[0, index] = total
            if kind == MOMENTS:
                partials[0, index] = total / len(values)
                partials[1, index] = _sum_of(values, partials[0, index], True)


@jit
def _row_pieces(part, count, kind, x, length, inner, piece, partials):
    """Part `part` of `count` of partials, (planes, outer * pieces, inner): the same for pieces of `piece` rows."""
    times = max(1, LONG_ROW // inner)
    width = min(LONG_ROW, inner) * times
    blocks, pieces = -(-inner // LONG_ROW), -(-length // piece)
    number = partials.shape[1] * blocks
    sign = x.dtype.type(-1 if kind == SMALLEST else 1)
    bests = np.empty(width, x.dtype)
    sums, centers = np.empty(width), np.empty(width)
    for index in range(number * part // count, number * (part + 1) // count):
        place, block = divmod(index, blocks)
        line, row = place // pieces, place % pieces * piece
        rows = min(piece, length - row)
        columns = min(LONG_ROW, inner - block * LONG_ROW)
        begin = (line * length + row) * inner + block * LONG_ROW
        end = begin + (rows - 1) * inner + columns
        results = partials[:, place, block * LONG_ROW : block * LONG_ROW + columns]
        if kind in (LARGEST, SMALLEST):
            bests[:] = -np.inf
            step, start = inner * times, begin
            while start + 3 * step + columns * times <= end:  # four long rows at once: bests is read and written less
                values, others = x[start : start + columns * times], x[start + step : start + step + columns * times]
                third, fourth = start + 2 * step, start + 3 * step
                thirds, fourths = x[third : third + columns * times], x[fourth : fourth + columns * times]
                for j in range(len(values)):
                    best = maximum(sign * values[j], sign * others[j])
                    bests[j] = maximum(bests[j], maximum(best, maximum(sign * thirds[j], sign * fourths[j])))
                start += 4 * step
            while start < end:
                values = x[start : min(start + columns * times, end)]
                for j in range(len(values)):
                    bests[j] = maximum(bests[j], sign * values[j])
                start += step
            for j in range(columns):
                best = bests[j]
                for k in range(j + columns, columns * times, columns):
                    best = maximum(best, bests[k])
                results[0, j] = sign * best
            continue
        for plane in range(len(partials)):
            sums[:] = 0
            for start in range(begin, end, inner * times):
                values = x[start : min(start + columns * times, end)]
                if plane == 1:
                    for j in range(len(values)):
                        distance = values[j] - centers[j]
                        sums[j] += distance * distance
                elif kind == SQUARES:
                    for j in range(len(values)):
                        sums[j] += np.float64(values[j]) * values[j]
                else:
                    for j in range(len(values)):
                        sums[j] += values[j]
            for j in range(columns):
                total = 0.0
                for k in range(j, columns * times, columns):
                    total += sums[k]
                results[plane, j] = total / rows if kind == MOMENTS and plane == 0 else total
            if kind == MOMENTS:
                for k in range(columns * times):
                    centers[k] = results[0, k % columns]


@jit
def _put_together(kind, partials, length, piece, inner, results):
    """results, (planes, outer, inner), from those of the pieces, (planes, outer * pieces, inner)."""
    pieces = -(-length // piece)
    for line in range(results.shape[1]):
        totals = partials[:, line * pieces]
        for number in range(1, pieces):
            others = partials[:, line * pieces + number]
            if kind == MOMENTS:  # Chan, Golub and LeVeque, 1979
                before, more = number * piece, min(piece, length - number * piece)
                for j in range(inner):
                    delta = others[0, j] - totals[0, j]
                    totals[0, j] += delta * more / (before + more)
                    totals[1, j] += others[1, j] + delta * delta * before * more / (before + more)
            elif kind == LARGEST:
                for j in range(inner):
                    totals[0, j] = maximum(totals[0, j], others[0, j])
            elif kind == SMALLEST:
                for j in range(inner):
                    totals[0, j] = -maximum(-totals[0, j], -others[0, j])
            else:
                for j in range(inner):
                    totals[0, j] += others[0, j]
        for plane in range(len(results)):
            for j in range(inner):
                results[plane, line, j] = totals[plane, j]


@jit
def _reduce_few_lines(kind, x, length, piece, results):
    """All lines in the calling thread: without the thread pool and its lock a call costs less."""
    planes, outer, _ = results.shape
    partials = np.empty((planes, outer * -(-length // piece)))
    _line_pieces(0, 1, kind, x, length, piece, partials)
    _put_together(kind, partials.reshape(planes, -1, 1), length, piece, 1, results)


@pool_jit
def _reduce_lines(count, kind, x, length, piece, results):
    planes, outer, _ = results.shape
    partials = np.empty((planes, outer * -(-length // piece)))
    parallel_for(count, count > 1, _line_pieces, (count, kind, x, length, piece, partials))
    _put_together(kind, partials.reshape(planes, -1, 1), length, piece, 1, results)


@jit
def _reduce_few_rows(kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    _row_pieces(0, 1, kind, x, length, inner, piece, partials)
    _put_together(kind, partials, length, piece, inner, results)


@pool_jit
def _reduce_rows(count, kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    parallel_for(count, count > 1, _row_pieces, (count, kind, x, length, inner, piece, partials))
    _put_together(kind, partials, length, piece, inner, results)


@lru_cache(1024)
def _runs(shape, axes):
    """(length, inner) of every run of neighbouring axes among `axes`, the last run first; the shape that is left."""
    runs, inner, below = [], 1, False
    for axis in reversed(range(len(shape))):
        if axis not in axes:
            inner *= shape[axis]
        elif below:
            runs[-1] = runs[-1][0] * shape[axis], runs[-1][1]
        else:
            runs.append((shape[axis], inner))
        below = axis in axes
    return runs, tuple([size for axis, size in enumerate(shape) if axis not in axes])


def _reduce(kind, x, axes):
    """What `kind` asks over the axes, in planes: (1, *kept) or, for moments, (2, *kept)."""
    if not x.flags.c_contiguous:
        order = memory_order(x)
        results = _reduce(kind, dense(x.transpose(order)), tuple([order.index(axis) for axis in axes]))
        kept = [axis for axis in order if axis not in axes]
        return results.transpose(0, *[1 + kept.index(axis) for axis in sorted(kept)])
    runs, kept = _runs(x.shape, axes)
    if kind == MOMENTS and len(runs) > 1:
        x = x.transpose(*[axis for axis in range(x.ndim) if axis not in axes], *axes)
        runs, _ = _runs(x.shape, tuple(range(len(kept), x.ndim)))
    x = dense(x)
    values, planes = x.ravel(), 2 if kind == MOMENTS else 1
    for number, (length, inner) in enumerate(runs, 1):
        outer = values.size // (length * inner)
        wide = kind == MOMENTS or number < len(runs)
        results = np.empty((planes, outer, inner), np.float64 if wide else x.dtype)
        if inner == 1:
            piece, few, many = PIECE, _reduce_few_lines, _reduce_lines
            units = outer * -(-length // piece)
        else:
            piece, few, many = max(ROWS, PIECE // inner), _reduce_few_rows, _reduce_rows
            units = outer * -(-length // piece) * -(-inner // LONG_ROW)
        count = parts(units, values.size)
        if count == 1:
            few(kind, values, length, piece, results)
        else:
            many(count, kind, values, length, piece, results)
        values, kind = results.ravel(), TOTAL if kind == SQUARES else kind
    return results.reshape(planes, *kept)


def total(x, axes):
    """The sum over `axes`, one or more, of float32 or float64, added in float64 and rounded once.

    The reduced axes fall away. Rules: PyTorch's `torch.sum`.

    >>> total(np.array([[1.0, 2.0], [3.0, 4.0]]), (0,))
    array([4., 6.])
    """
    return _reduce(TOTAL, x, axes)[0, ...] if x.size else _none(x, axes)[0, ...]


def square_total(x, axes):
    """The sum of squares over `axes`, one or more, of float32 or float64, added in float64 and rounded once.

    >>> square_total(np.array([[1.0, 2.0], [3.0, 4.0]]), (0, 1))
    array(30.)
    """
    return _reduce(SQUARES, x, axes)[0, ...] if x.size else _none(x, axes)[0, ...]


def extreme(x, axes, largest):
    """The largest or the smallest element over `axes`, one or more and none of them empty; NaN if there is one.

    Rules: PyTorch's `torch.amax` and `torch.amin`.

    >>> extreme(np.array([[1.0, 2.0], [3.0, 4.0]]), (1,), True)
    array([2., 4.])
    """
    return _reduce(LARGEST if largest else SMALLEST, x, axes)[0, ...] if x.size else _none(x, axes)[0, ...]


def moments(x, axes):
    """The mean and the sum of squared distances from it over `axes`, one or more: `(mean, deviation)`, float64.

    No elements have the mean NaN.

    >>> moments(np.array([[1.0, 3.0]]), (1,))
    (array([2.]), array([2.]))
    """
    if x.size == 0:
        mean, deviation = np.float64(_none(x, axes))
        return mean * np.nan, deviation
    results = _reduce(MOMENTS, x, axes)
    return results[0, ...], results[1, ...]


def _none(x, axes):
    """What is left of no elements, in two planes."""
    return np.zeros((2, *_runs(x.shape, axes)[1]), x.dtype.newbyteorder("="))
