"""Softmax, its logarithm and their gradients along one axis of memory of any order.

Kernels see a dense array as (outer, length, inner), the axis in the middle. With inner = 1 a line of the axis is
contiguous and the inner loop runs along it; else it runs over a block of neighbouring lines.
`kernels/reference/softmax.py` is the definition.
"""

from math import log, prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import exp, maximum, select
from .layout import dense, inverse, memory_order, parts

SOFTMAX, LOG_SOFTMAX, SOFTMAX_GRAD, LOG_SOFTMAX_GRAD = range(4)
BLOCK = 1024  # neighbouring lines that are walked at once
CHUNK = 16  # elements of each of these lines: together they stay in the second cache for another look


@jit
def _lines(part, count, function, dy, y, result):
    """Part `part` of `count` of the lines of result = function(dy, y), all (lines, length).

    The forward functions have y alone, their input.
    """
    lines, length = y.shape
    zero = y.dtype.type(0)
    for line in range(lines * part // count, lines * (part + 1) // count):
        total = zero
        if function in (SOFTMAX, LOG_SOFTMAX):
            largest = y.dtype.type(-np.inf)
            for i in range(length):
                largest = maximum(largest, y[line, i])
            for i in range(length):
                result[line, i] = exp(y[line, i] - largest)
                total += result[line, i]
            if function == SOFTMAX:
                for i in range(length):
                    result[line, i] /= total
            else:
                total = y.dtype.type(log(total))
                for i in range(length):
                    result[line, i] = (y[line, i] - largest) - total
        elif function == SOFTMAX_GRAD:
            for i in range(length):
                total += dy[line, i] * y[line, i]
            for i in range(length):
                result[line, i] = y[line, i] * (dy[line, i] - total)
        else:
            for i in range(length):
                total += dy[line, i]
            for i in range(length):
                result[line, i] = dy[line, i] - exp(y[line, i]) * total


@pool_jit
def _all_lines(count, function, dy, y, result):
    parallel_for(count, count > 1, _lines, (count, function, dy, y, result))


@jit
def _block(function, dy, y, result, start, length, inner, width):
    """The same for `width` neighbouring lines, the first of which starts at `start` of the flat arrays."""
    real = y.dtype.type
    stop = start + length * inner
    totals = np.zeros(width, y.dtype)
    if function in (SOFTMAX, LOG_SOFTMAX):
        # Each chunk of a line is read once: its powers are taken around the largest value so far, `centers[chunk]`.
        largest, powers = np.full(width, real(-np.inf)), np.empty(width, y.dtype)
        centers = np.zeros((-(-length // CHUNK), width), y.dtype)
        for chunk in range(len(centers)):
            first, end = start + chunk * CHUNK * inner, min(start + (chunk + 1) * CHUNK * inner, stop)
            for at in range(first, end, inner):
                values = y[at : at + width]
                for i in range(width):  # NaN need not win here: it is among the powers
                    value, best = values[i], largest[i]
                    largest[i] = select(value > best, value, best)
            before, center = centers[max(0, chunk - 1)], centers[chunk]
            for i in range(width):
                best, total = largest[i], totals[i]
                around = select(best == -np.inf, real(0), best)
                totals[i] = total * select(total == 0, real(1), exp(before[i] - around))
                center[i] = around
            for at in range(first, end, inner):
                values, results = y[at : at + width], result[at : at + width]
                for i in range(width):
                    powers[i] = exp(values[i] - center[i])
                    totals[i] += powers[i]
                if function == SOFTMAX:
                    for i in range(width):
                        results[i] = powers[i]
        if function == SOFTMAX:
            for chunk in range(len(centers)):
                first, end = start + chunk * CHUNK * inner, min(start + (chunk + 1) * CHUNK * inner, stop)
                for i in range(width):
                    powers[i] = exp(centers[chunk, i] - largest[i]) / totals[i]
                for at in range(first, end, inner):
                    results = result[at : at + width]
                    for i in range(width):
                        results[i] *= powers[i]
        else:
            for i in range(width):
                totals[i] = log(totals[i])
            for at in range(start, stop, inner):
                values, results = y[at : at + width], result[at : at + width]
                for i in range(width):
                    results[i] = (values[i] - largest[i]) - totals[i]
    else:
        for at in range(start, stop, inner):
            grads, values = dy[at : at + width], y[at : at + width]
            for i in range(width):
                totals[i] += grads[i] * (values[i] if function == SOFTMAX_GRAD else real(1))
        for at in range(start, stop, inner):
            grads, values, results = dy[at : at + width], y[at : at + width], result[at : at + width]
            if function == SOFTMAX_GRAD:
                for i in range(width):
                    results[i] = values[i] * (grads[i] - totals[i])
            else:
                for i in range(width):
                    results[i] = grads[i] - exp(values[i]) * totals[i]


@jit
def _blocks(part, count, function, dy, y, result, length, inner):
    """Part `part` of `count` of the blocks of up to BLOCK neighbouring lines of the flat arrays."""
    across = -(-inner // BLOCK)
    blocks = len(y) // (length * inner) * across
    for number in range(blocks * part // count, blocks * (part + 1) // count):
        outer, block = divmod(number, across)
        start, width = outer * length * inner + block * BLOCK, min(BLOCK, inner - block * BLOCK)
        _block(function, dy, y, result, start, length, inner, width)


@pool_jit
def _all_blocks(count, function, dy, y, result, length, inner):
    parallel_for(count, count > 1, _blocks, (count, function, dy, y, result, length, inner))


def _along(function, dy, y, axis):
    """function(dy, y) along the axis, in y's memory order; the forward functions have y alone, as dy too."""
    axis %= y.ndim
    if not y.flags.c_contiguous:
        axes = memory_order(y)
        ordered = dense(y.transpose(axes))
        grads = ordered if dy is y else dy.transpose(axes)
        return _along(function, grads, ordered, axes.index(axis)).transpose(inverse(axes))
    values = dense(y)
    result = empty(y.shape, values.dtype)
    if result.size:
        grads = values if dy is y else dense(dy)
        length, inner = y.shape[axis], prod(y.shape[axis + 1 :])
        if inner == 1:
            lines = [array.reshape(-1, length) for array in (grads, values, result)]
            _all_lines(parts(y.size // length, y.size), function, *lines)
        else:
            flat = [array.reshape(-1) for array in (grads, values, result)]
            blocks = y.size // (length * inner) * -(-inner // BLOCK)
            _all_blocks(parts(blocks, y.size), function, *flat, length, inner)
    return result


def softmax(x, axis):
    """exp(x) over its sum along the axis, of x's shape and dtype (float32 or float64, rank 1 or more).

    The largest value is subtracted first, so nothing overflows; a line of -inf alone, or with a NaN, is NaN. Rules:
    PyTorch's `torch.softmax`.

    >>> softmax(np.array([0.0, 0.0]), 0)
    array([0.5, 0.5])
    """
    return _along(SOFTMAX, x, x, axis)


def log_softmax(x, axis):
    """Logarithm of `softmax`, of x's shape and dtype, exact where softmax itself would round to 0.

    Rules: PyTorch's `torch.log_softmax`.

    >>> log_softmax(np.array([0.0, -1000.0]), 0)
    array([    0., -1000.])
    """
    return _along(LOG_SOFTMAX, x, x, axis)


def softmax_grad(dy, y, axis):
    """Gradient of `softmax` from its result y: dx = y (dy - sum(dy y)), of y's shape and dtype.

    >>> softmax_grad(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 0)
    array([ 0.25, -0.25])
    """
    return _along(SOFTMAX_GRAD, dy, y, axis)


def log_softmax_grad(dy, y, axis):
    """Gradient of `log_softmax` from its result y: dx = dy - exp(y) sum(dy), of y's shape and dtype.

    >>> log_softmax_grad(np.array([-1.0, 0.0]), np.log([0.5, 0.5]), 0)
    array([-0.5,  0.5])
    """
    return _along(LOG_SOFTMAX_GRAD, dy, y, axis)
