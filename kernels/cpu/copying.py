"""Copies between arrays of any strides: along lines that both have, or turned over in tiles.

Kernels see four axes at the most, for neighbouring axes that lie evenly in both arrays count as one. Targets that no
cache holds are written past the caches: a line that is merely overwritten need not be read before. The definition is
`kernels/reference/layout.py`.
"""

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .vector import VECTOR_BYTES

__all__ = ["COMPILED", "STREAMED", "copy_into", "copy_line"]

TILE = 64  # rows and columns of a tile that is turned over on its way through the first cache
COMPILED = 1 << 14  # elements from which on a compiled copy is faster than NumPy's,
SHORT = 8  # unless the lines would be shorter than this
PIECE = 1 << 14  # bytes of a line that are copied at once; elements of a part of a parallel region
STREAMED = 1 << 25  # bytes from which on a target is written past the caches

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_CASTS = {(np.dtype(a), np.dtype(b)) for a, b in (("f4", "f8"), ("f8", "f4"), ("i8", "f4"), ("i8", "f8"))}


@intrinsic
def _at(typingctx, address, like):
    """A pointer to the elements at an address, which are of the dtype of the array `like`."""
    pointer = types.CPointer(like.dtype)

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(pointer))

    return pointer(address, like), codegen


@intrinsic
def _stream(typingctx, source, target, vectors):
    """Copy vectors from one address to another, which is aligned like a vector, past the caches.

    Other threads see what is written so after the next atomic instruction, with which every task ends.
    """

    def codegen(context, builder, signature, args):
        vector = ir.VectorType(ir.IntType(8), VECTOR_BYTES)
        of, to = (builder.inttoptr(address, vector.as_pointer()) for address in args[:2])
        mark = builder.module.add_metadata([ir.IntType(32)(1)])
        with cgutils.for_range(builder, args[2]) as loop:
            value = builder.load(builder.gep(of, [loop.index]))
            value.align = 1
            store = builder.store(value, builder.gep(to, [loop.index]))
            store.align = VECTOR_BYTES
            store.set_metadata("nontemporal", mark)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@jit
def _copy_bytes(source, target, size):
    """Copy `size` bytes from one address to another."""
    byte = np.empty(0, np.uint8)
    values, results = carray(_at(source, byte), (size,)), carray(_at(target, byte), (size,))
    for n in range(size):
        results[n] = values[n]


@jit
def copy_line(streamed, source, target, size):
    """Copy `size` bytes from one address to another, past the caches if `streamed`."""
    if streamed:
        head = min(-target % VECTOR_BYTES, size)
        vectors = (size - head) // VECTOR_BYTES
        _copy_bytes(source, target, head)
        _stream(source + head, target + head, vectors)
        head += vectors * VECTOR_BYTES
        source, target, size = source + head, target + head, size - head
    _copy_bytes(source, target, size)


@jit
def _copy_lines(part, count, streamed, source, target, shape, of, to):
    """Part `part` of `count` of the pieces of lines of an array at `target`, copied from one at `source`.

    The shape's last entry is the bytes of a line; `of` and `to` are the strides of the axes before.
    """
    first, second, third, length = shape
    pieces = -(-length // PIECE)
    units = first * second * third * pieces
    for unit in range(units * part // count, units * (part + 1) // count):
        line, piece = divmod(unit, pieces)
        rest, k = divmod(line, third)
        i, j = divmod(rest, second)
        begin, end = piece * PIECE, min(piece * PIECE + PIECE, length)
        values, results = source + i * of[0] + j * of[1] + k * of[2], target + i * to[0] + j * to[1] + k * to[2]
        copy_line(streamed, values + begin, results + begin, end - begin)


@pool_jit
def _copy_all_lines(count, streamed, source, target, shape, of, to):
    parallel_for(count, count > 1, _copy_lines, (count, streamed, source, target, shape, of, to))


@jit
def _copy_tiles(part, count, words, source, target, shape, of, to):
    """Part `part` of `count` of the tiles of an array at `target`, copied from one at `source`.

    The source's last axis but one is contiguous, and so is the target's last one; `words` has the dtype. A tile goes
    through memory of its own: read along the source's lines and written along the target's, it needs every line of the
    cache once, however far apart they lie.
    """
    planes, slices, rows, columns = shape
    across, down = -(-columns // TILE), -(-rows // TILE)
    tiles = planes * slices * down * across
    buffer = np.empty((TILE, TILE), words.dtype)
    for tile in range(tiles * part // count, tiles * (part + 1) // count):
        rest, place = divmod(tile, down * across)
        plane, piece = divmod(rest, slices)
        row, column = place // across * TILE, place % across * TILE
        height, width = min(TILE, rows - row), min(TILE, columns - column)
        start = source + plane * of[0] + piece * of[1] + row * of[2] + column * of[3]
        for j in range(width):
            line = carray(_at(start + j * of[3], words), (height,))
            for i in range(height):
                buffer[j, i] = line[i]
        start = target + plane * to[0] + piece * to[1] + row * to[2] + column * to[3]
        for i in range(height):
            line = carray(_at(start + i * to[2], words), (width,))
            for j in range(width):
                line[j] = buffer[j, i]


@pool_jit
def _copy_all_tiles(count, words, source, target, shape, of, to):
    parallel_for(count, count > 1, _copy_tiles, (count, words, source, target, shape, of, to))


@jit
def _cast(part, count, source, target):
    """Part `part` of `count` of target[:] = source, both flat, the dtypes different."""
    first, last = len(source) * part // count, len(source) * (part + 1) // count
    values, results = source[first:last], target[first:last]
    for n in range(len(results)):
        results[n] = values[n]


@pool_jit
def _cast_all(count, source, target):
    parallel_for(count, count > 1, _cast, (count, source, target))


@lru_cache(1024)
def _plan(shape, source, target, itemsize):
    """(whether lines are copied, shape, source strides, target strides) of a copy over four axes.

    `source` and `target` are strides; None where kernels are no gain. In tiles the axis that the source has contiguous
    comes to the last place but one; lines are counted in bytes.
    """
    merged = []  # (size, source stride, target stride)
    order = sorted(range(len(shape)), key=lambda axis: (-target[axis], -source[axis]))
    for size, a, b in [(shape[axis], source[axis], target[axis]) for axis in order if shape[axis] != 1]:
        if merged and merged[-1][1:] == (a * size, b * size):
            merged[-1] = merged[-1][0] * size, a, b
        else:
            merged.append((size, a, b))
    if not 1 <= len(merged) <= 4 or merged[-1][0] < SHORT or merged[-1][2] != itemsize:
        return None
    merged = [(1, 0, 0)] * (4 - len(merged)) + merged
    lines = merged[-1][1] == itemsize
    if lines:
        merged[-1] = merged[-1][0] * itemsize, 1, 1
    else:
        axis = next((axis for axis in range(3) if merged[axis][1] == itemsize), None)
        if axis is None or merged[axis][0] < SHORT:
            return None
        merged = [*merged[:axis], *merged[axis + 1 : 3], merged[axis], merged[3]]
    return lines, *zip(*merged)


def copy_into(target, source):
    """target[...] = source, for arrays of one shape that do not overlap; nothing is returned.

    >>> target = np.zeros((2, 2))
    >>> copy_into(target.T, np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> target
    array([[1., 3.],
           [2., 4.]])
    """
    if source.size >= COMPILED and source.flags.aligned and source.dtype.isnative and target.flags.behaved:
        dtype, count = source.dtype, source.size // PIECE
        if dtype == target.dtype and dtype.itemsize in _WORDS:
            plan = _plan(source.shape, source.strides, target.strides, dtype.itemsize)
            if plan is not None:
                lines, *geometry = plan
                addresses = source.ctypes.data, target.ctypes.data
                if lines:
                    _copy_all_lines(count, target.nbytes >= STREAMED, *addresses, *geometry)
                else:
                    _copy_all_tiles(count, np.empty(0, _WORDS[dtype.itemsize]), *addresses, *geometry)
                return
        elif (dtype, target.dtype) in _CASTS and source.flags.carray and target.flags.carray:
            _cast_all(count, source.reshape(-1), target.reshape(-1))
            return
    target[...] = source
