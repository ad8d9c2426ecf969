"""Copies in another memory order. These are the library's own. `kernels/reference/layout.py` is the definition."""

from ._numba import on_device
from .memory import empty, inverse, memory_order

__all__ = ["concatenate", "contiguous", "copy_into", "duplicate"]


def _filled(result, source):
    result[...] = source
    return result


@on_device
def contiguous(x):
    """A C-contiguous copy of an array: `kernels.reference.contiguous`."""
    return _filled(empty(x.shape, x.dtype), x)


@on_device
def duplicate(x, dtype):
    """A copy of x in a dtype, in its own memory order: `kernels.reference.duplicate`."""
    axes = memory_order(x)
    return _filled(empty([x.shape[axis] for axis in axes], dtype).transpose(inverse(axes)), x)


@on_device
def copy_into(target, source):
    """target[...] = source, for arrays of one shape: `kernels.reference.copy_into`."""
    target[...] = source


@on_device
def concatenate(arrays, axis):
    """Arrays of one dtype one after another along an axis: `kernels.reference.concatenate`."""
    axes, shape = memory_order(arrays[0]), list(arrays[0].shape)
    shape[axis] = sum([x.shape[axis] for x in arrays])
    result, start = empty([shape[a] for a in axes], arrays[0].dtype).transpose(inverse(axes)), 0
    place = [slice(None)] * len(axes)
    for x in arrays:
        place[axis] = slice(start, start + x.shape[axis])
        result[tuple(place)] = x
        start += x.shape[axis]
    return result
