"""Functions of numbers applied in place, and to an operand that repeats along some axes.

How the functions are compiled is told in `elementwise.py`, what is computed in `kernels/reference/elementwise.py`.
"""

import functools
from math import prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .elementwise import _bound, _compiled
from .layout import dense, inverse, memory_order, parts

PIECE = 1 << 12  # elements of a line that are computed at once


def _unary(part, count, parameters, x):
    """Part `part` of `count` of x = function(x), flat; `function` and `task` below are put in place by `_kernel`."""
    values = x[len(x) * part // count : len(x) * (part + 1) // count]
    for i in range(len(values)):
        values[i] = function(values[i], *parameters)  # noqa: F821


def _binary(part, count, parameters, x, y):
    """Part `part` of `count` of x = function(x, y), flat."""
    first, last = len(x) * part // count, len(x) * (part + 1) // count
    values, others = x[first:last], y[first:last]
    for i in range(len(values)):
        values[i] = function(values[i], others[i], *parameters)  # noqa: F821


def _lines(part, count, parameters, result, x, y, inner):
    """Part `part` of `count` of result = function(x, y), flat, where each of y's numbers serves `inner` of x's.

    After the last number y begins anew.
    """
    if inner == 1:
        width = min(len(y), PIECE)
    else:
        width = min(inner, PIECE)
    run = len(y) if inner == 1 else inner
    pieces = -(-run // width)
    units = len(x) // run * pieces
    for unit in range(units * part // count, units * (part + 1) // count):
        line, piece = divmod(unit, pieces)
        begin = piece * width
        end = min(begin + width, run)
        values, results = x[line * run + begin : line * run + end], result[line * run + begin : line * run + end]
        if inner == 1:
            others = y[begin:end]
            for i in range(len(results)):
                results[i] = function(values[i], others[i], *parameters)  # noqa: F821
        else:
            other = y[line % len(y)]
            for i in range(len(results)):
                results[i] = function(values[i], other, *parameters)  # noqa: F821


def _unary_all(count, parameters, x):
    parallel_for(count, count > 1, task, (count, parameters, x))  # noqa: F821


def _binary_all(count, parameters, x, y):
    parallel_for(count, count > 1, task, (count, parameters, x, y))  # noqa: F821


def _lines_all(count, parameters, result, x, y, inner):
    parallel_for(count, count > 1, task, (count, parameters, result, x, y, inner))  # noqa: F821


@functools.cache
def _kernel(template, entry, function, dtype):
    """What applies `function` to flat arrays of one dtype over the thread pool."""
    name = f"{function.__name__}{template.__name__}_in_place_{dtype}"
    task = jit(_bound(template, name, function=_compiled(function, dtype)))
    return pool_jit(_bound(entry, f"{name}_all", task=task))


def elementwise_in_place(function, parameters, x, *others):
    """x[...] = function(x, *others, *parameters), element by element; others are none or one array like x.

    x is writable, and the other array, if it overlaps with it, is the same. Nothing is returned.

    >>> from minigrad.kernels import scalars
    >>> x = np.array([1.0, 2.0])
    >>> elementwise_in_place(scalars.add, (), x, np.array([3.0, 4.0]))
    >>> x
    array([4., 6.])
    """
    axes = memory_order(x)
    ordered = x.transpose(axes)
    if not (ordered.flags.carray and x.dtype.isnative):  # gaps: through a copy
        values = dense(x)
        elementwise_in_place(function, parameters, values.copy() if values is x else values, *others)
        x[...] = values
        return
    flat = [ordered.reshape(-1), *[dense(other.transpose(axes)).reshape(-1) for other in others]]
    parameters = tuple([x.dtype.type(parameter) for parameter in parameters])
    forms = (_binary, _binary_all) if others else (_unary, _unary_all)
    _kernel(*forms, function, x.dtype)(parts(x.size, x.size), parameters, *flat)


def elementwise_broadcast(function, parameters, x, y):
    """function(element of x, element of y, *parameters), where y has x's rank and, on some axes, the size 1.

    x and y are of one dtype, float32 or float64; the result has x's memory order, if that is dense.

    >>> from minigrad.kernels import scalars
    >>> elementwise_broadcast(scalars.subtract, (), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [2.0]]))
    array([[0., 1.],
           [1., 2.]])
    """
    axes = memory_order(x)
    ordered, other = dense(x.transpose(axes)), y.transpose(axes)
    kept = [axis for axis in range(x.ndim) if other.shape[axis] > 1]
    first, last = (kept[0], kept[-1]) if kept else (0, -1)
    within = ordered.shape[first : last + 1]
    if within != other.shape[first : last + 1]:  # y repeats in between, too
        other = np.broadcast_to(other, (*other.shape[:first], *within, *other.shape[last + 1 :]))
    result = empty(ordered.shape, ordered.dtype)
    if result.size:
        inner = prod(ordered.shape[last + 1 :])
        parameters = tuple([x.dtype.type(parameter) for parameter in parameters])
        _kernel(_lines, _lines_all, function, ordered.dtype)(
            parts(x.size, x.size), parameters, result.reshape(-1), ordered.reshape(-1), dense(other).reshape(-1), inner
        )
    return result.transpose(inverse(axes))
