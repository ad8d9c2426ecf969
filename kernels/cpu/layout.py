"""How arrays of any memory order reach kernels that want one: free transposes where the memory allows, else a copy.

Kernels see C-contiguous arrays alone. "Dense" means C-contiguous, aligned, writable and of native byte order: writable
because Numba compiles a kernel afresh for read-only arrays. `contiguous` makes the copies;
`kernels/reference/layout.py` is its definition. Also here: how a range of work is cut for the threads.
"""

from functools import lru_cache

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for

SERIAL = 1 << 15  # elements below which a parallel region costs more than it saves
PART = 1 << 14  # elements of one part of a parallel region

_CHANNELS_LAST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_CHANNELS_FIRST = {2: (0, 1), 3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}

TILE = 64  # rows and columns of a tile that is turned over on its way through the first cache
COMPILED = 1 << 14  # elements from which on a compiled copy is faster than NumPy's,
SHORT = 8  # unless the lines of the tiles would be shorter than this

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def dense(x):
    """x itself if it is dense, else a dense copy."""
    return x if x.flags.carray and x.dtype.isnative else contiguous(x)


@intrinsic
def _first(typingctx, array):
    """A pointer to the first element of an array."""

    def codegen(context, builder, signature, args):
        return context.make_array(array)(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@jit
def _copy_tiles(part, count, source, target):
    """Part `part` of `count` of the tiles of target[...] = source; the source's last axis but one is contiguous,
    and so is the target's last one.

    A tile goes through memory of its own: read along the source's lines and written along the target's, it needs every
    line of the cache once, however far apart they lie.
    """
    planes, slices, rows, columns = source.shape
    across, down = -(-columns // TILE), -(-rows // TILE)
    tiles = planes * slices * down * across
    buffer = np.empty((TILE, TILE), source.dtype)
    for tile in range(tiles * part // count, tiles * (part + 1) // count):
        rest, place = divmod(tile, down * across)
        plane, piece = divmod(rest, slices)
        row, column = place // across * TILE, place % across * TILE
        height, width = min(TILE, rows - row), min(TILE, columns - column)
        for j in range(width):
            line = carray(_first(source[plane, piece, row:, column + j]), (height,))
            for i in range(height):
                buffer[j, i] = line[i]
        for i in range(height):
            line = carray(_first(target[plane, piece, row + i, column:]), (width,))
            for j in range(width):
                line[j] = buffer[j, i]


@pool_jit
def _copy(count, source, target):
    parallel_for(count, count > 1, _copy_tiles, (count, source, target))


@lru_cache(1024)
def _tiling(shape, strides, itemsize):
    """(shape, axes) that make an array one of four axes whose copy is turned over in tiles; None where that is no gain.

    Neighbouring axes that lie evenly in memory count as one. The contiguous one comes to the last place but one.
    """
    merged = []  # (size, stride)
    for size, stride in zip(shape, strides):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = merged[-1][0] * size, stride
        else:
            merged.append((size, stride))
    if not 2 <= len(merged) <= 4:
        return None
    merged = [(1, 0)] * (4 - len(merged)) + merged
    for axis in range(3):
        if merged[axis][1] == itemsize and min(merged[axis][0], merged[3][0]) >= SHORT:
            axes = *[other for other in range(3) if other != axis], axis, 3
            return tuple(size for size, _ in merged), axes
    return None


def contiguous(x):
    """A C-contiguous copy of an array of any dtype, in the machine's byte order.

    >>> contiguous(np.arange(4).reshape(2, 2).T).strides
    (16, 8)
    """
    dtype = x.dtype.newbyteorder("=")
    if x.size >= COMPILED and x.flags.behaved and x.dtype.isnative and x.itemsize in _WORDS:
        tiling = _tiling(x.shape, x.strides, x.itemsize)
        if tiling is not None:
            result = empty(x.shape, dtype)
            shape, axes = tiling
            word = _WORDS[x.itemsize]
            views = [array.view(word).reshape(shape).transpose(axes) for array in (x, result)]
            _copy(parts(x.size // PART, x.size), *views)
            return result
    return np.array(x, dtype, order="C")


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
    return 1 if elements < SERIAL else max(1, min(units, elements // PART))
