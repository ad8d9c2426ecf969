"""Choices between two operands, element by element; `kernels/reference/choice.py` is the definition."""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import select as either
from .layout import dense, inverse, memory_order, parts

BLOCK = 1024  # elements whose picked ones are put together in the first cache


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
            results[i] = either(chosen[i] != 0, xs[i], ys[i])
    elif len(x) > 1:
        xs, other = x[first:last], y[0]
        for i in range(len(results)):
            results[i] = either(chosen[i] != 0, xs[i], other)
    elif len(y) > 1:
        one, ys = x[0], y[first:last]
        for i in range(len(results)):
            results[i] = either(chosen[i] != 0, one, ys[i])
    else:
        one, other = x[0], y[0]
        for i in range(len(results)):
            results[i] = either(chosen[i] != 0, one, other)


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


@jit
def _count(part, count, mask, found):
    """found[part]: how many of the mask's bytes in part `part` of `count` are 1."""
    total = 0
    for flag in mask[len(mask) * part // count : len(mask) * (part + 1) // count]:
        total += flag
    found[part] = total


@jit
def _pack(part, count, words, mask, starts, y):
    """Part `part` of `count` of y, from starts[part] on: the words where the mask is 1."""
    first, last = len(mask) * part // count, len(mask) * (part + 1) // count
    buffer = np.empty(BLOCK + 1, words.dtype)
    place = starts[part]
    for begin in range(first, last, BLOCK):
        values, flags = words[begin : min(begin + BLOCK, last)], mask[begin : min(begin + BLOCK, last)]
        number = 0
        for i in range(len(values)):  # without a branch: what is not picked is overwritten by the next
            buffer[number] = values[i]
            number += flags[i]
        y[place : place + number] = buffer[:number]
        place += number


@pool_jit
def _select(count, words, mask, found, starts, y):
    """Count, if y is empty, or pack."""
    if len(y) == 0:
        parallel_for(count, count > 1, _count, (count, mask, found))
    else:
        parallel_for(count, count > 1, _pack, (count, words, mask, starts, y))


def select(x, mask):
    """The elements of x, in order, where the bool mask of its shape holds; 1-d, of any dtype of up to 8 bytes.

    >>> select(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    array([1., 3.])
    """
    source, flags = dense(x), dense(mask).reshape(-1).view(np.uint8)
    words = source.reshape(-1).view(f"u{source.itemsize}")
    count = parts(flags.size, flags.size)
    found, nothing = np.zeros(count, np.int64), words[:0]
    if flags.size:
        _select(count, words, flags, found, found, nothing)
    starts = np.cumsum(found) - found
    y = empty(int(found.sum()), source.dtype)
    if y.size:
        _select(count, words, flags, found, starts, y.view(words.dtype))
    return y
