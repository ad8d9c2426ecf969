"""The device's memory as kernels want it: new arrays, dense copies, views with the channels last.

Arrays here are the library's own, CuPy's or in the simulator NumPy's; `_numba.on_device` puts the wrapper around them.
"""

import functools

import numpy as np

from ..device import held, library, uploaded
from ._numba import SIMULATED

__all__ = [
    "address", "aligned", "channels_first", "channels_last", "constant", "dense", "empty", "flat_alike", "inverse",
    "memory_order",
]  # fmt: skip


def empty(shape, dtype):
    """An uninitialised C-contiguous array; in the simulator NaN, so that a place that no kernel writes shows."""
    result = library().module.empty(shape, dtype)
    if SIMULATED and result.dtype.kind == "f":
        result.fill(np.nan)
    return result


def dense(x):
    """x itself if it is C-contiguous, else a copy that is."""
    return x if x.flags.c_contiguous else x.copy(order="C")


def address(array):
    """Where an array starts in the device's memory."""
    return array.data.ptr


def aligned(*arrays):
    """Whether the arrays start where 128 bits can be read at once. All arrays of the simulator count as such."""
    return SIMULATED or all(address(array) % 16 == 0 for array in arrays)


def memory_order(x):
    """The axes of x from the largest stride to the smallest: x.transpose(axes) is C-contiguous if any order is."""
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))


def inverse(axes):
    """The permutation that undoes x.transpose(axes)."""
    return tuple(map(axes.index, range(len(axes))))


def channels_last(x):
    """(N, C, *spatial) to a dense (N, *spatial, C)."""
    return dense(x.transpose(0, *range(2, x.ndim), 1))


def channels_first(x):
    """(N, *spatial, C) to its (N, C, *spatial) view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def flat_alike(*arrays):
    """(the arrays transposed alike so that the last one is dense if any order makes it so, the axes that undo it)."""
    axes = memory_order(arrays[-1])
    return [dense(x.transpose(axes)) for x in arrays], inverse(axes)


@functools.lru_cache(512)
def _constant(numbers):
    return uploaded(np.array(numbers, np.int32))


def constant(numbers):
    """A tuple of whole numbers as an int32 array on the device, made once."""
    return held(_constant(numbers))
