"""How arrays of any memory order reach kernels that want one: free transposes where the memory allows, else a copy.

Kernels see C-contiguous arrays alone. "Dense" means C-contiguous, aligned, writable and of native byte order: writable
because Numba compiles a kernel afresh for read-only arrays. `contiguous` makes the copies;
`kernels/reference/layout.py` is its definition. Also here: how a range of work is cut for the threads.
"""

from functools import lru_cache

import numpy as np

from ..buffers import empty
from .copying import COMPILED, copy_into

SERIAL = 1 << 15  # elements below which a parallel region costs more than it saves
PART = 1 << 14  # elements of one part of a parallel region,
MOST = 256  # unless the parts would be more than this: long runs of memory are read faster

_CHANNELS_LAST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_CHANNELS_FIRST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def dense(x):
    """x itself if it is dense, else a dense copy."""
    return x if x.flags.carray and x.dtype.isnative else contiguous(x)


def contiguous(x):
    """A C-contiguous copy of an array of any dtype, in the machine's byte order.

    >>> contiguous(np.arange(4).reshape(2, 2).T).strides
    (16, 8)
    """
    if x.size < COMPILED:
        return np.array(x, x.dtype.newbyteorder("="), order="C")
    result = empty(x.shape, x.dtype.newbyteorder("="))
    copy_into(result, x)
    return result


def duplicate(x, dtype):
    """A copy of x in a dtype, in its own memory order if that has no gaps; numbers out of the dtype's range are lost.

    >>> duplicate(np.arange(4).reshape(2, 2).T, np.float32).strides
    (4, 8)
    """
    if x.size < COMPILED:
        return x.astype(dtype)
    axes = memory_order(x)
    result = empty(tuple([x.shape[axis] for axis in axes]), dtype)
    copy_into(result, x.transpose(axes))
    return result.transpose(inverse(axes))


def concatenate(arrays, axis):
    """Arrays of one dtype one after another along an axis; in the first one's memory order, if that has no gaps.

    >>> concatenate([np.ones(2), np.zeros(1)], 0)
    array([1., 1., 0.])
    """
    axes, shape = memory_order(arrays[0]), list(arrays[0].shape)
    shape[axis] = sum([x.shape[axis] for x in arrays])
    result = empty(tuple([shape[a] for a in axes]), arrays[0].dtype.newbyteorder("=")).transpose(inverse(axes))
    place, start = [slice(None)] * len(axes), 0
    for x in arrays:
        place[axis] = slice(start, start + x.shape[axis])
        copy_into(result[tuple(place)], x)
        start += x.shape[axis]
    return result


def memory_order(x):
    """The axes of x from the largest stride to the smallest: x.transpose(axes) is C-contiguous if any order is."""
    return _falling(x.strides)


@lru_cache(1024)
def _falling(strides):
    return tuple(sorted(range(len(strides)), key=lambda axis: -abs(strides[axis])))


@lru_cache(1024)
def inverse(axes):
    """The permutation that undoes x.transpose(axes)."""
    return tuple(map(axes.index, range(len(axes))))


def channels_last(x):
    """(N, C, *spatial) to a dense (N, *spatial, C)."""
    return dense(x.transpose(channels_last_axes(x.ndim)))


def channels_last_axes(ndim):
    """The axes that take (N, C, *spatial) to (N, *spatial, C)."""
    return _CHANNELS_LAST[ndim] if ndim in _CHANNELS_LAST else (0, *range(2, ndim), 1)


def channels_first(x):
    """(N, *spatial, C) to its (N, C, *spatial) view."""
    return x.transpose(_CHANNELS_FIRST[x.ndim] if x.ndim in _CHANNELS_FIRST else (0, x.ndim - 1, *range(1, x.ndim - 1)))


def parts(units, elements):
    """Number of parts to cut `units` of work into, which hold `elements` elements altogether; 1 means: serial."""
    return 1 if elements < SERIAL else max(1, min(units, elements // PART, MOST))
