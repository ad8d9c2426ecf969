"""How arrays of any memory order reach kernels that want one: free transposes where the memory allows, else a copy.

Kernels see C-contiguous arrays alone. "Dense" means C-contiguous, aligned, writable and of native byte order: writable
because Numba compiles a kernel afresh for read-only arrays. Also here: how a range of work is cut for the threads.
"""

import numpy as np

SERIAL = 1 << 15  # elements below which a parallel region costs more than it saves
PART = 1 << 14  # elements of one part of a parallel region

_CHANNELS_LAST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_CHANNELS_FIRST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def dense(x):
    """x itself if it is dense, else a dense copy."""
    if x.flags.carray and x.dtype.isnative:
        return x
    return np.array(x, x.dtype.newbyteorder("="), order="C")


def memory_order(x):
    """The axes of x from the largest stride to the smallest: x.transpose(axes) is C-contiguous if any order is."""
    strides = x.strides
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(strides[axis])))


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
    return 1 if elements < SERIAL else max(1, min(units, elements // PART))
