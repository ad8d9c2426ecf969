"""Choices between two operands, element by element; `kernels/reference/choice.py` is the definition."""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import select
from .layout import dense, inverse, memory_order, parts


@jit
def _choose(part, count, condition, x, y, result):
    """Part `part` of `count` of result = x where condition else y, all flat; x and y may be of length 1.

    The condition comes as uint8: LLVM makes no vectors of a choice by bool.
    """
    first, last = len(result) * part // count, len(result) * (part + 1) // count
    chosen, results = condition[first:last], result[first:last]
    if len(x) > 1 and len(y) > 1:
        xs, ys = x[first:last], y[first:last]
        for i in range(len(results)):
            results[i] = select(chosen[i] != 0, xs[i], ys[i])
    elif len(x) > 1:
        xs, other = x[first:last], y[0]
        for i in range(len(results)):
            results[i] = select(chosen[i] != 0, xs[i], other)
    elif len(y) > 1:
        one, ys = x[0], y[first:last]
        for i in range(len(results)):
            results[i] = select(chosen[i] != 0, one, ys[i])
    else:
        one, other = x[0], y[0]
        for i in range(len(results)):
            results[i] = select(chosen[i] != 0, one, other)


@pool_jit
def _choose_all(count, condition, x, y, result):
    parallel_for(count, count > 1, _choose, (count, condition, x, y, result))


def choose(condition, x, y):
    """x where the condition holds, else y: condition is of bool, x and y of its shape or of shape (), of one dtype.

    >>> choose(np.array([True, False]), np.array([1.0, 2.0]), np.array(0.0))
    array([1., 0.])
    """
    if not condition.flags.c_contiguous:
        axes = memory_order(condition)
        ordered = [array.transpose(axes) if array.ndim else array for array in (x, y)]
        return choose(dense(condition.transpose(axes)), *ordered).transpose(inverse(axes))
    x, y = dense(x), dense(y)
    result = empty(condition.shape, x.dtype)
    if not result.size:
        return result
    count = parts(result.size, result.size)
    arguments = dense(condition).reshape(-1).view(np.uint8), x.reshape(-1), y.reshape(-1), result.reshape(-1)
    if count == 1:
        _choose(0, 1, *arguments)
    else:
        _choose_all(count, *arguments)
    return result
