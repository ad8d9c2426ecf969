"""Sums down the columns of a matrix, as of channels over pixels: each block takes some columns and a stretch of rows.

Neighbouring threads read neighbouring columns. The stretches depend on the shape alone, and their sums, of float64, are
added in order, so the result has the same bits in every run.

Where dy is what arrives at an activation of (x - center) · invstd · weight + bias, it is made the gradient of that on
the way: such are the sums of the gradient of batch normalisation.
"""

import numpy as np

from ..activations import pulled_back
from ._numba import SIMULATED, cuda, f64, i32, inlined, kernel, launch
from .elementwise import constants_for, value_of
from .memory import empty

__all__ = ["MOMENTS", "PRODUCTS", "SQUARES", "SUMS", "column_totals", "shift_of"]

THREADS = 8 if SIMULATED else 256
LANES = 4 if SIMULATED else 32  # columns of a block, at most
MOST_PARTS = 3 if SIMULATED else 264
LEAST_ROWS = 4 if SIMULATED else 64

SUMS, SQUARES, MOMENTS, PRODUCTS = range(4)  # of x; of x²; of x - shift and its square; of g and g · (x - center)


@inlined
def shift_of(value):
    """A number near which the others are expected, to be subtracted before they are squared; 0 if it is not finite."""
    return value if value - value == 0.0 else 0.0


@kernel("T*, T*, T*, T*, T*, T*, f64*, T, T, T, i32, i32, i32")
def add_rows(
    x, dy, center, invstd, weight, bias, parts, p, q, r, rows, columns, part, *, T, THREADS, LANES, KIND, FUNCTION,
    BINARY, PARAMETERS, WEIGHT, BIAS,
):  # fmt: skip
    """parts[stretch, 0 and 1, column] = two sums over a stretch of rows, of what KIND says."""
    firsts = cuda.shared.array(THREADS, f64)
    seconds = cuda.shared.array(THREADS, f64)
    thread = i32(cuda.threadIdx.x)
    lane = i32(thread % LANES)
    column = i32(cuda.blockIdx.x * LANES + lane)
    first, second = f64(0.0), f64(0.0)
    if column < columns:
        shift = f64(0.0)
        if KIND == MOMENTS:
            shift = shift_of(f64(x[column]))
        if KIND == PRODUCTS:
            shift = f64(center[column])
            scale = invstd[column]
            if WEIGHT:
                scale = scale * weight[column]
            bottom = T(0.0)
            if BIAS:
                bottom = bias[column]
        start = cuda.blockIdx.y * part
        for row in range(start + thread // LANES, min(rows, start + part), THREADS // LANES):
            value = f64(x[row * columns + column]) - shift
            if KIND == PRODUCTS:
                z = (x[row * columns + column] - center[column]) * scale + bottom
                grad = f64(value_of(dy[row * columns + column], z, p, q, r))
                first += grad
                second += grad * value
            else:
                if KIND != SQUARES:
                    first += value
                if KIND != SUMS:
                    second += value * value
    firsts[thread], seconds[thread] = first, second
    cuda.syncthreads()
    if thread < LANES and column < columns:
        for other in range(1, THREADS // LANES):
            first += firsts[other * LANES + thread]
            second += seconds[other * LANES + thread]
        parts[2 * cuda.blockIdx.y * columns + column] = first
        parts[(2 * cuda.blockIdx.y + 1) * columns + column] = second


@kernel("f64*, f64*, i32, i32")
def add_stretches(parts, totals, stretches, numbers, *, THREADS):
    """totals[i] = sum over the stretches, in order, of parts[stretch, i]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < numbers:
        total = f64(0.0)
        for stretch in range(stretches):
            total += parts[stretch * numbers + number]
        totals[number] = total


def column_totals(kind, x, dy=None, center=None, invstd=None, weight=None, bias=None, activation=None):
    """(2, columns) float64: the two sums of `kind` down the columns of the dense matrix x, and of dy like it.

    g, of which PRODUCTS are the sums, is dy times the derivative of the activation there; the others are by column.
    """
    rows, columns = x.shape
    totals = empty((2, columns), np.float64)
    if not rows:
        totals.fill(0)
        return totals
    lanes = min(LANES, 1 << (columns - 1).bit_length()) if columns else 1
    across = -(-columns // lanes)
    stretches = max(1, min(MOST_PARTS // max(1, across), -(-rows // LEAST_ROWS)))
    part = -(-rows // stretches)
    stretches = -(-rows // part)
    parts = totals if stretches == 1 else empty((stretches, 2, columns), np.float64)
    numbers, constants = constants_for(*pulled_back(activation), x.dtype, True, THREADS)
    launch(
        add_rows, (across, stretches), THREADS, x, dy, center, invstd, weight, bias, parts, *numbers, rows, columns,
        part, LANES=lanes, KIND=kind, WEIGHT=weight is not None, BIAS=bias is not None, **constants,
    )  # fmt: skip
    if stretches > 1:
        blocks = -(-2 * columns // THREADS)
        launch(add_stretches, blocks, THREADS, parts, totals, stretches, 2 * columns, THREADS=THREADS)
    return totals
