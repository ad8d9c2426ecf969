"""Sums, extremes and moments over axes: a block takes a line, or a stretch of one where lines are few.

Sums are of float64; the stretches' are added in order, so the result has the same bits in every run. Where the axes
that stay lie innermost in memory, columns are summed instead (`columns.py`). `kernels/reference/reduction.py` is the
definition.
"""

from math import prod

import numpy as np

from ._numba import SIMULATED, cuda, f64, i32, inlined, kernel, launch, on_device
from .block import block_sum
from .columns import SQUARES, SUMS, column_totals, shift_of
from .memory import dense, empty, memory_order

__all__ = ["extreme", "moments", "square_total", "total"]

THREADS = 8 if SIMULATED else 256
ENOUGH_LINES = 2 if SIMULATED else 264
LEAST = 4 if SIMULATED else 2048  # elements of a stretch


@kernel("T*, f64*, i32, i32")
def line_sums(x, parts, count, part, *, T, KIND, THREADS):
    """parts[line, stretch] = the sum over a stretch of a line, of squares if KIND says so."""
    shared = cuda.shared.array(THREADS, f64)
    start, total = cuda.blockIdx.x * count, f64(0.0)
    first = cuda.blockIdx.y * part
    for i in range(first + cuda.threadIdx.x, min(count, first + part), THREADS):
        value = f64(x[start + i])
        if KIND == SQUARES:
            value = value * value
        total += value
    total = block_sum(total, shared)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y] = total


@kernel("f64*, T*, i32, i32")
def add_line(parts, result, lines, stretches, *, T, THREADS):
    """result[line] = the sum of its stretches, in order."""
    line = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if line < lines:
        total = f64(0.0)
        for stretch in range(stretches):
            total += parts[line * stretches + stretch]
        result[line] = total


@inlined
def better(best, value, *, LARGEST):
    """The extreme of two numbers; NaN, the later one, over both."""
    if LARGEST:
        return value if value > best or value != value else best
    return value if value < best or value != value else best


@kernel("T*, T*, i32, i32")
def line_extremes(x, parts, count, part, *, T, LARGEST, THREADS):
    """parts[line, stretch] = the extreme of a stretch of a line; NaN if there is one."""
    shared = cuda.shared.array(THREADS, T)
    start, first, thread = cuda.blockIdx.x * count, cuda.blockIdx.y * part, cuda.threadIdx.x
    best = x[start + first]
    for i in range(first + thread, min(count, first + part), THREADS):
        best = better(best, x[start + i])
    shared[thread] = best
    cuda.syncthreads()
    if thread == 0:
        for other in range(1, THREADS):
            best = better(best, shared[other])
        parts[cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y] = best


@kernel("T*, f64*, f64*, i32")
def line_moments(x, mean, deviation, count, *, T, THREADS):
    """The mean of line blockIdx.x and the sum of squared distances from it, measured from the first element."""
    shared = cuda.shared.array(THREADS, f64)
    start, offset, squares = cuda.blockIdx.x * count, f64(0.0), f64(0.0)
    shift = shift_of(f64(x[start]))
    for i in range(cuda.threadIdx.x, count, THREADS):
        distance = f64(x[start + i]) - shift
        offset += distance
        squares += distance * distance
    offset = block_sum(offset, shared) / count
    squares = block_sum(squares, shared) - offset * offset * count
    if cuda.threadIdx.x == 0:
        mean[cuda.blockIdx.x] = shift + offset
        deviation[cuda.blockIdx.x] = squares if squares > 0.0 or squares != squares else 0.0


def _lines(x, axes):
    """(x as a dense (lines, elements), the shape of a result)."""
    axes = [axis % x.ndim for axis in axes]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = tuple([x.shape[axis] for axis in kept])
    order = [axis for axis in memory_order(x) if axis in axes]
    return dense(x.transpose(*kept, *order)).reshape(prod(shape), prod([x.shape[axis] for axis in axes])), shape


def _stretches(lines, count):
    """(how many stretches a line falls into, the elements of one)."""
    stretches = max(1, min(ENOUGH_LINES // max(1, lines), -(-count // LEAST)))
    part = -(-count // stretches)
    return -(-count // part) if part else 1, part


def _sum(kind, x, axes):
    axes = {axis % x.ndim for axis in axes}
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = memory_order(x)
    if kept and order[-len(kept) :] == tuple(kept) and x.transpose(order).flags.c_contiguous:
        shape = tuple([x.shape[axis] for axis in kept])
        columns = prod(shape)
        result = empty(shape, x.dtype)
        rows = x.transpose(order).reshape(x.size // columns if columns else 0, columns)
        totals = column_totals(kind, rows)
        parts, stretches = totals[1 if kind == SQUARES else 0], 1
    else:
        lines, shape = _lines(x, axes)
        result = empty(shape, x.dtype)
        stretches, part = _stretches(*lines.shape)
        parts = empty(len(lines) * stretches, np.float64)
        launch(
            line_sums, (len(lines), stretches), THREADS, lines, parts, lines.shape[1], part,
            T=x.dtype, KIND=kind, THREADS=THREADS,
        )  # fmt: skip
    launch(
        add_line, -(-result.size // THREADS), THREADS, parts, result, result.size, stretches,
        T=x.dtype, THREADS=THREADS,
    )  # fmt: skip
    return result


@on_device
def total(x, axes):
    """The sum over `axes`, added in float64 and rounded once: `kernels.reference.total`."""
    return _sum(SUMS, x, axes)


@on_device
def square_total(x, axes):
    """The sum of squares over `axes`, added in float64 and rounded once: `kernels.reference.square_total`."""
    return _sum(SQUARES, x, axes)


@on_device
def extreme(x, axes, largest):
    """The largest or the smallest element over `axes`, NaN if there is one: `kernels.reference.extreme`."""
    lines, shape = _lines(x, axes)
    while True:
        stretches, part = _stretches(*lines.shape)
        parts = empty((len(lines), stretches), x.dtype)
        launch(
            line_extremes, (len(lines), stretches), THREADS, lines, parts, lines.shape[1], part,
            T=x.dtype, LARGEST=bool(largest), THREADS=THREADS,
        )  # fmt: skip
        if stretches == 1:
            return parts.reshape(shape)
        lines = parts


@on_device
def moments(x, axes):
    """The mean and the sum of squared distances from it over `axes`, float64: `kernels.reference.moments`."""
    lines, shape = _lines(x, axes)
    mean, deviation = empty(shape, np.float64), empty(shape, np.float64)
    if lines.size:
        launch(
            line_moments, len(lines), THREADS, lines, mean, deviation, lines.shape[1], T=x.dtype, THREADS=THREADS
        )  # fmt: skip
    else:
        mean.fill(np.nan)
        deviation.fill(0)
    return mean, deviation
