"""Functions of numbers applied to arrays: one loop over the elements in memory order, vectorised by LLVM.

Each function of `kernels/scalars.py` is compiled when it is first used, from the code that `kernels/reference` runs.
Two things change on the way: its numbers get the arrays' dtype, for a float64 among them would make float32 arithmetic
twice as slow; and the vocabulary of that file gets the meanings below, which LLVM can vectorise.
"""

import functools
from types import FunctionType

import numpy as np

from .. import scalars
from ..activations import identity, identity_grad
from ..buffers import empty
from ..jit import inline_jit, jit, pool_jit
from ..parallel import parallel_for
from . import exponential
from .layout import dense, inverse, memory_order, parts

VOCABULARY = {
    scalars.where: exponential.select,
    scalars.real: exponential.identity,
    scalars.absolute: abs,
    scalars.exp: exponential.exp,
    scalars.expm1: exponential.expm1,
    scalars.log1p: exponential.log1p,
    scalars.log: exponential.log,
    scalars.sqrt: np.sqrt,
    scalars.erf: exponential.erf,
    scalars.quotient: exponential.quotient,
    scalars.larger: exponential.maximum,
}
SERIES = {scalars.exp, scalars.expm1, scalars.log1p, scalars.log, scalars.erf}
HARD, EASY = 1, 0.25  # the work of an element with and without a series: it takes 1 ns and an eighth of that


@functools.cache
def _compiled(function, dtype):
    """A function of scalars for elements of one dtype, and what it calls likewise."""
    if function in VOCABULARY:
        return VOCABULARY[function]
    code, names = function.__code__, {"__name__": __name__}
    for name in code.co_names:
        value = function.__globals__.get(name)
        names[name] = dtype.type(value) if isinstance(value, float) else value and _compiled(value, dtype)
    numbers = tuple(dtype.type(number) if isinstance(number, float) else number for number in code.co_consts)
    return inline_jit(FunctionType(code.replace(co_consts=numbers), names, function.__name__))


def _unary(part, count, parameters, result, x):
    """Part `part` of `count` of result = function(x); `function` and `task` below are put in place by `_kernel`."""
    first, last = len(x) * part // count, len(x) * (part + 1) // count
    values, results = x[first:last], result[first:last]
    for i in range(len(results)):
        results[i] = function(values[i], *parameters)  # noqa: F821


def _binary(part, count, parameters, result, x, y):
    """Part `part` of `count` of result = function(x, y)."""
    first, last = len(x) * part // count, len(x) * (part + 1) // count
    values, others, results = x[first:last], y[first:last], result[first:last]
    for i in range(len(results)):
        results[i] = function(values[i], others[i], *parameters)  # noqa: F821


def _unary_all(count, parameters, result, x):
    parallel_for(count, count > 1, task, (count, parameters, result, x))  # noqa: F821


def _binary_all(count, parameters, result, x, y):
    parallel_for(count, count > 1, task, (count, parameters, result, x, y))  # noqa: F821


@functools.cache
def _kernel(function, dtype, operands):
    """What applies `function` to so many flat arrays of one dtype: the task, all tasks over the thread pool, and the
    work that an element is.
    """
    template, entry = ((_unary, _unary_all), (_binary, _binary_all))[operands - 1]
    name = f"{function.__name__}_{dtype}"
    task = jit(_bound(template, name, function=_compiled(function, dtype)))
    return task, pool_jit(_bound(entry, f"{name}_all", task=task)), HARD if _is_hard(function) else EASY


def _is_hard(function):
    """Whether a function, or one that it calls, is a series for each element."""
    if function in VOCABULARY:
        return function in SERIES
    values = [function.__globals__.get(name) for name in function.__code__.co_names]
    return any(_is_hard(value) for value in values if callable(value))


def _bound(template, name, **names):
    """The template with these names among its globals. Its own name is what the disk cache knows it by."""
    kernel = FunctionType(template.__code__, {**template.__globals__, **names}, name)
    kernel.__qualname__ = name
    return kernel


def typed(function, parameters, dtype):
    """A function and its parameters, these in the dtype of the arrays."""
    return function, tuple([dtype.type(parameter) for parameter in parameters])


@functools.cache
def kernel_with(entry, function, dtype, **tasks):
    """An entry point and the tasks that it calls by these names, templates all, with `function` compiled into them.

    `plain` tells the tasks whether the function does nothing.
    """
    name, plain = f"{function.__name__}{entry.__name__}_{dtype}", function in (identity, identity_grad)
    known = {"function": _compiled(function, dtype), "plain": plain}
    names = {task: jit(_bound(template, f"{name}_{task}", **known)) for task, template in tasks.items()}
    return pool_jit(_bound(entry, name, **names))


def elementwise(function, parameters, *arrays):
    """function(*elements, *parameters) for the elements of one array or of two with one shape and dtype.

    `function` is one of `kernels.scalars`, `parameters` a tuple of numbers. Arrays are float32 or float64; the result
    has the memory order of the last one, if that is dense.

    >>> from minigrad.kernels import scalars
    >>> elementwise(scalars.leaky_relu, (0.5,), np.array([-1.0, 2.0]))
    array([-0.5,  2. ])
    """
    axes = None if arrays[-1].flags.c_contiguous else memory_order(arrays[-1])
    if axes is not None:
        arrays = [array.transpose(axes) for array in arrays]
    flat = [dense(array).ravel() for array in arrays]
    x, dtype = flat[-1], flat[-1].dtype
    result = empty(arrays[-1].shape, dtype)
    if parameters:
        parameters = tuple([dtype.type(parameter) for parameter in parameters])
    task, over_the_pool, work = _kernel(function, dtype, len(arrays))
    count = parts(x.size, int(work * x.size))
    if count == 1:  # without the thread pool and its lock a call costs half as much
        task(0, 1, parameters, result.ravel(), *flat)
    else:
        over_the_pool(count, parameters, result.ravel(), *flat)
    return result if axes is None else result.transpose(inverse(axes))
