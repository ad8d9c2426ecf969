"""Functions of numbers applied to arrays, four elements a thread at a time.

The functions are those of `kernels/scalars.py`, compiled for the device from the code that `kernels/reference` runs,
with the processor's own functions in the place of that file's vocabulary.
"""

import functools
import math
from types import FunctionType

from .. import scalars
from ..device import library
from ._numba import SIMULATED, cuda, div, inlined, kernel, launch, on_device, quotient, unrolled
from .memory import aligned, dense, empty, flat_alike, inverse, memory_order
from .vector import put4, take4

__all__ = ["constants_for", "elementwise", "elementwise_broadcast", "elementwise_in_place", "value_of"]

THREADS = 8 if SIMULATED else 256
MOST_BLOCKS = 2 if SIMULATED else 132 * 16


def _select(condition, a, b):
    return a if condition else b


def _same(x):
    return x


def _larger(x, y):
    return x if x > y or x != x else y


VOCABULARY = {
    scalars.where: _select,
    scalars.real: _same,
    scalars.absolute: abs,
    scalars.exp: math.exp,
    scalars.expm1: math.expm1,
    scalars.log1p: math.log1p,
    scalars.log: math.log,
    scalars.sqrt: math.sqrt,
    scalars.erf: math.erf,
    scalars.larger: _larger,
}


@functools.cache
def device_function(function, dtype):
    """A function of scalars for kernels on elements of one dtype, and what it calls likewise."""
    if function is scalars.quotient and SIMULATED:
        return quotient
    if function in VOCABULARY:
        if SIMULATED:
            return function
        known = VOCABULARY[function]
        return known if type(known) is not FunctionType else cuda.jit(device=True, forceinline=True)(known)
    code, names = function.__code__, {"__builtins__": __builtins__, "__name__": __name__}
    for name in code.co_names:
        value = function.__globals__.get(name)
        if callable(value) and type(value) is FunctionType:
            value = device_function(value, dtype)
        elif isinstance(value, float) and not SIMULATED:
            value = dtype.type(value)
        if value is not None:
            names[name] = value
    if SIMULATED:
        return FunctionType(code, names, function.__name__)
    numbers = tuple(dtype.type(number) if isinstance(number, float) else number for number in code.co_consts)
    code = code.replace(co_consts=numbers)
    return cuda.jit(device=True, forceinline=True)(FunctionType(code, names, function.__name__))


@inlined
def value_of(a, b, p, q, r, *, FUNCTION, BINARY, PARAMETERS):
    """The function of one number or of two, with so many of the parameters."""
    if BINARY:
        if PARAMETERS == 0:
            return FUNCTION(a, b)
        if PARAMETERS == 1:
            return FUNCTION(a, b, p)
        if PARAMETERS == 2:
            return FUNCTION(a, b, p, q)
        return FUNCTION(a, b, p, q, r)
    if PARAMETERS == 0:
        return FUNCTION(a)
    if PARAMETERS == 1:
        return FUNCTION(a, p)
    if PARAMETERS == 2:
        return FUNCTION(a, p, q)
    return FUNCTION(a, p, q, r)


@kernel("T*, T*, T*, T, T, T, i32")
def map_elements(x, y, result, p, q, r, count, *, T, FUNCTION, BINARY, PARAMETERS, THREADS, VECTOR):
    """result[i] = FUNCTION(x[i], y[i], p, q, r), as far as there are a y and parameters."""
    a, b = cuda.local.array(4, T), cuda.local.array(4, T)
    first, step = cuda.blockIdx.x * THREADS + cuda.threadIdx.x, cuda.gridDim.x * THREADS
    fours = div(count, 4) if VECTOR else 0
    for group in range(first, fours, step):
        take4(a, 0, x, 4 * group)
        if BINARY:
            take4(b, 0, y, 4 * group)
        for i in unrolled(4):
            a[i] = value_of(a[i], b[i], p, q, r)
        put4(result, 4 * group, a, 0)
    for i in range(4 * fours + first, count, step):
        if BINARY:
            result[i] = value_of(x[i], y[i], p, q, r)
        else:
            result[i] = value_of(x[i], x[i], p, q, r)


@kernel("T*, T*, T*, T, T, T, i32, i32, i32")
def map_broadcast(x, y, result, p, q, r, count, inner, middle, *, T, FUNCTION, BINARY, PARAMETERS, THREADS):
    """result[i] = FUNCTION(x[i], y[i // inner % middle], p, q, r)."""
    for i in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, count, cuda.gridDim.x * THREADS):
        result[i] = value_of(x[i], y[i // inner % middle], p, q, r)


def constants_for(function, parameters, dtype, binary, threads=THREADS):
    """Numbers of the dtype, three of them, and the constants of a kernel that asks for `value_of` them."""
    numbers = [float(dtype.type(parameter)) for parameter in parameters] + [0.0] * (3 - len(parameters))
    return numbers, {
        "T": dtype, "FUNCTION": device_function(function, dtype), "BINARY": binary, "PARAMETERS": len(parameters),
        "THREADS": threads,
    }  # fmt: skip


def _map(function, parameters, arrays, result):
    """Fill `result` from one flat array or two."""
    numbers, constants = constants_for(function, parameters, result.dtype, len(arrays) == 2)
    blocks = min(-(-result.size // (4 * THREADS)), MOST_BLOCKS)
    other = arrays[1] if len(arrays) == 2 else None
    launch(
        map_elements, blocks, THREADS, arrays[0], other, result, *numbers, result.size,
        **constants, VECTOR=aligned(*arrays, result),
    )  # fmt: skip


@on_device
def elementwise(function, parameters, *arrays):
    """function(*elements, *parameters) for the elements of one array or of two with one shape and dtype.

    As `kernels.reference.elementwise`; the result has the memory order of the last array, if that is dense.
    """
    flat, back = flat_alike(*arrays)
    result = empty(flat[-1].shape, flat[-1].dtype)
    _map(function, parameters, flat, result)
    return result.transpose(back)


@on_device
def elementwise_in_place(function, parameters, x, *others):
    """x[...] = function(x, *others, *parameters): `kernels.reference.elementwise_in_place`."""
    axes = memory_order(x)
    target = x.transpose(axes)
    arrays = [dense(target), *(dense(other.transpose(axes)) for other in others)]
    _map(function, parameters, arrays, arrays[0])
    if not target.flags.c_contiguous:
        target[...] = arrays[0]


@on_device
def elementwise_broadcast(function, parameters, x, y):
    """function(element of x, element of y, *parameters), where y has the size 1 on some of x's axes.

    As `kernels.reference.elementwise_broadcast`. Where y's other axes lie side by side in x's memory, as those of a
    bias do, its elements are found by two divisions; otherwise it is written out first.
    """
    axes = memory_order(x)
    x, y = dense(x.transpose(axes)), y.transpose(axes)
    result = empty(x.shape, x.dtype)
    wide = [axis for axis in range(x.ndim) if y.shape[axis] != 1]
    if wide and wide != list(range(wide[0], wide[-1] + 1)):
        y = library().module.broadcast_to(y, x.shape)
        wide = list(range(x.ndim))
    numbers, constants = constants_for(function, parameters, x.dtype, True)
    inner = math.prod(x.shape[wide[-1] + 1 :]) if wide else 1
    launch(
        map_broadcast, min(-(-x.size // THREADS), MOST_BLOCKS), THREADS, x, dense(y), result, *numbers, x.size, inner,
        max(1, y.size), **constants,
    )  # fmt: skip
    return result.transpose(inverse(axes))
