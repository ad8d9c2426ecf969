"""Sums, extremes and moments over axes of memory of any order.

Kernels see a dense array as (outer, length, inner), the reduced axis in the middle. It is cut into pieces whose size
depends on the shape alone: of lines where inner is 1, else of rows, of which several short ones are walked as one long
row. Sums are float64 throughout, and those of pieces are put together in order: the result has the same bits for any
number of threads. `kernels/reference/reduction.py` is the definition.
"""

from functools import lru_cache

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import call, parallel_for
from .exponential import maximum
from .layout import dense, memory_order, parts

TOTAL, SQUARES, LARGEST, SMALLEST, MOMENTS = range(5)
LONG_ROW = 512  # elements of a row, or of several rows, that are walked at once
PIECE = 1 << 14  # elements of a piece
ROWS = 128  # rows of a piece at least: what a piece leaves behind is a row


@jit
def _four_sums(a, b, c, d, centers, square):
    """The sums of what lies in four lines of one length, less the lines' centers, or of its squares.

    Memory answers four lines sooner than one after the other.
    """
    t = u = v = w = 0.0
    p, q, r, s = centers
    if square:
        for i in range(len(a)):
            e, f, g, h = np.float64(a[i]) - p, np.float64(b[i]) - q, np.float64(c[i]) - r, np.float64(d[i]) - s
            t += e * e
            u += f * f
            v += g * g
            w += h * h
    else:
        for i in range(len(a)):
            t += np.float64(a[i])
            u += np.float64(b[i])
            v += np.float64(c[i])
            w += np.float64(d[i])
    return t, u, v, w


@jit
def _sum_of(values, center, square):
    """The sum of the values, or of the squares of values - center: of quarters, and what is left."""
    n = len(values) // 4
    a, b, c, d = values[:n], values[n : 2 * n], values[2 * n : 3 * n], values[3 * n : 4 * n]
    t, u, v, w = _four_sums(a, b, c, d, (center, center, center, center), square)
    total = (t + u) + (v + w)
    for i in range(4 * n, len(values)):
        distance = np.float64(values[i]) - center
        total += distance * distance if square else np.float64(values[i])
    return total


@jit
def _largest_of(values, sign):
    """The largest of the values times `sign`, which is 1 or -1."""
    n = len(values) // 4
    t = u = v = w = values.dtype.type(-np.inf)
    for i in range(n):
        t, u = maximum(t, sign * values[i]), maximum(u, sign * values[i + n])
        v, w = maximum(v, sign * values[i + 2 * n]), maximum(w, sign * values[i + 3 * n])
    for i in range(4 * n, len(values)):
        t = maximum(t, sign * values[i])
    return maximum(maximum(t, u), maximum(v, w))


@jit
def _piece(index, length, piece):
    """Where piece `index` of lines of this length begins and how long it is."""
    pieces = -(-length // piece)
    line, place = divmod(index, pieces)
    return line * length + place * piece, min(piece, length - place * piece)


@jit
def _line_pieces(part, count, kind, x, length, piece, partials):
    """Part `part` of `count` of partials: what `kind` asks of every piece of the lines of the flat x.

    Four pieces of one size are walked at once.
    """
    number = len(x) // length * -(-length // piece)
    index, last = number * part // count, number * (part + 1) // count
    sign = x.dtype.type(-1 if kind == SMALLEST else 1)
    zeros = (0.0, 0.0, 0.0, 0.0)
    while index < last:
        at, size = _piece(index, length, piece)
        four = index + 4 <= last
        for other in range(index + 1, index + 4):
            four = four and _piece(other, length, piece)[1] == size
        if not four:
            values = x[at : at + size]
            if kind in (LARGEST, SMALLEST):
                partials[0, index] = sign * _largest_of(values, sign)
            else:
                partials[0, index] = _sum_of(values, 0.0, kind == SQUARES)
                if kind == MOMENTS:
                    partials[0, index] /= size
                    partials[1, index] = _sum_of(values, partials[0, index], True)
            index += 1
            continue
        second, third = _piece(index + 1, length, piece)[0], _piece(index + 2, length, piece)[0]
        fourth = _piece(index + 3, length, piece)[0]
        a, b, c, d = x[at : at + size], x[second : second + size], x[third : third + size], x[fourth : fourth + size]
        results = partials[0, index : index + 4]
        if kind in (LARGEST, SMALLEST):
            t = u = v = w = x.dtype.type(-np.inf)
            for i in range(size):
                t, u = maximum(t, sign * a[i]), maximum(u, sign * b[i])
                v, w = maximum(v, sign * c[i]), maximum(w, sign * d[i])
            results[0], results[1], results[2], results[3] = sign * t, sign * u, sign * v, sign * w
        else:
            results[0], results[1], results[2], results[3] = _four_sums(a, b, c, d, zeros, kind == SQUARES)
            if kind == MOMENTS:
                results /= size
                centers, squares = (results[0], results[1], results[2], results[3]), partials[1, index : index + 4]
                squares[0], squares[1], squares[2], squares[3] = _four_sums(a, b, c, d, centers, True)
        index += 4


@jit
def _rows_of(index, blocks, length, inner, piece):
    """Piece `index` of rows: its number among the pieces of a block, its rows, first column, columns, begin and end."""
    place, block = divmod(index, blocks)
    line, number = divmod(place, -(-length // piece))
    rows, column = min(piece, length - number * piece), block * LONG_ROW
    columns = min(LONG_ROW, inner - column)
    begin = (line * length + number * piece) * inner + column
    return place, rows, column, columns, begin, begin + (rows - 1) * inner + columns


@jit
def _row_extremes(part, count, kind, x, length, inner, piece, partials):
    """Part `part` of `count` of partials, (1, outer * pieces, inner): the extremes of pieces of `piece` rows."""
    times = max(1, LONG_ROW // inner)
    step, blocks = inner * times, -(-inner // LONG_ROW)
    number = partials.shape[1] * blocks
    sign = x.dtype.type(-1 if kind == SMALLEST else 1)
    bests = np.empty(min(LONG_ROW, inner) * times, x.dtype)
    for index in range(number * part // count, number * (part + 1) // count):
        place, _, column, columns, start, end = _rows_of(index, blocks, length, inner, piece)
        bests[:] = -np.inf
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
        results = partials[0, place, column : column + columns]
        for j in range(columns):
            best = bests[j]
            for k in range(1, times):
                best = maximum(best, bests[j + k * columns])
            results[j] = sign * best


@jit
def _row_sums(part, count, kind, x, length, inner, piece, partials):
    """Part `part` of `count` of partials, (planes, outer * pieces, inner): the same of sums, squares or moments."""
    times = max(1, LONG_ROW // inner)
    step, blocks = inner * times, -(-inner // LONG_ROW)
    number, width = partials.shape[1] * blocks, min(LONG_ROW, inner) * times
    sums, centers = np.empty(width), np.zeros(width)
    for index in range(number * part // count, number * (part + 1) // count):
        place, rows, column, columns, begin, end = _rows_of(index, blocks, length, inner, piece)
        results = partials[:, place, column : column + columns]
        for plane in range(len(partials)):
            sums[:] = 0
            start = begin
            while start + 3 * step + columns * times <= end:  # four long rows at once here, too
                values, others = x[start : start + columns * times], x[start + step : start + step + columns * times]
                third, fourth = start + 2 * step, start + 3 * step
                thirds, fourths = x[third : third + columns * times], x[fourth : fourth + columns * times]
                if plane == 1 or kind == SQUARES:
                    for j in range(len(values)):
                        a, b = values[j] - centers[j], others[j] - centers[j]
                        c, d = thirds[j] - centers[j], fourths[j] - centers[j]
                        sums[j] += (a * a + b * b) + (c * c + d * d)
                else:
                    for j in range(len(values)):
                        pair = np.float64(values[j]) + np.float64(others[j])
                        sums[j] += pair + (np.float64(thirds[j]) + np.float64(fourths[j]))
                start += 4 * step
            while start < end:
                values = x[start : min(start + columns * times, end)]
                if plane == 1 or kind == SQUARES:
                    for j in range(len(values)):
                        distance = values[j] - centers[j]
                        sums[j] += distance * distance
                else:
                    for j in range(len(values)):
                        sums[j] += values[j]
                start += step
            for j in range(columns):
                total = sums[j]
                for k in range(1, times):
                    total += sums[j + k * columns]
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
    call(_line_pieces, (0, 1, kind, x, length, piece, partials))
    call(_put_together, (kind, partials.reshape(planes, -1, 1), length, piece, 1, results))


@pool_jit
def _reduce_lines(count, kind, x, length, piece, results):
    planes, outer, _ = results.shape
    partials = np.empty((planes, outer * -(-length // piece)))
    parallel_for(count, count > 1, _line_pieces, (count, kind, x, length, piece, partials))
    call(_put_together, (kind, partials.reshape(planes, -1, 1), length, piece, 1, results))


@jit
def _few_row_extremes(kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    call(_row_extremes, (0, 1, kind, x, length, inner, piece, partials))
    call(_put_together, (kind, partials, length, piece, inner, results))


@jit
def _few_row_sums(kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    call(_row_sums, (0, 1, kind, x, length, inner, piece, partials))
    call(_put_together, (kind, partials, length, piece, inner, results))


@pool_jit
def _all_row_extremes(count, kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    parallel_for(count, count > 1, _row_extremes, (count, kind, x, length, inner, piece, partials))
    call(_put_together, (kind, partials, length, piece, inner, results))


@pool_jit
def _all_row_sums(count, kind, x, length, piece, results):
    planes, outer, inner = results.shape
    partials = np.empty((planes, outer * -(-length // piece), inner))
    parallel_for(count, count > 1, _row_sums, (count, kind, x, length, inner, piece, partials))
    call(_put_together, (kind, partials, length, piece, inner, results))


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
            piece = max(ROWS, PIECE // inner)
            few, many = _few_row_sums, _all_row_sums
            if kind in (LARGEST, SMALLEST):
                few, many = _few_row_extremes, _all_row_extremes
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
