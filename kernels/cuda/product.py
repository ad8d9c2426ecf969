"""The heart of matrix products and convolutions: tiles of a block in shared memory, tiles of a thread in registers.

A block computes ROWS x COLUMNS of the result, DEPTH terms of the sums at a time. It keeps these pieces of the two
factors in shared memory, `left` as DEPTH lines of ROWS and `right` as DEPTH lines of COLUMNS, twice, so that the next
piece is written while the present one is read. A thread computes 4 HIGH x 4 WIDE results, as HIGH x WIDE squares of
four by four that lie a fraction of the tile apart: then neighbours read neighbouring groups of four, with 128 bits an
instruction and without conflicts. What a kernel adds is how it gathers the pieces and where it puts the results.
"""

from typing import NamedTuple

from ._numba import SIMULATED, inlined, u32, unrolled
from .vector import add_square, put4, take4

PAD = 4  # numbers between the lines in shared memory, which are also written across


class Tile(NamedTuple):
    """What a block computes: its rows, columns and depth, and the groups of four rows and columns of a thread."""

    ROWS: int
    COLUMNS: int
    DEPTH: int
    HIGH: int
    WIDE: int

    @property
    def threads(self):
        """Threads of a block."""
        return self.ROWS // (4 * self.HIGH) * (self.COLUMNS // (4 * self.WIDE))


LARGE, NARROW, SLIM = Tile(128, 128, 8, 2, 2), Tile(128, 64, 16, 2, 1), Tile(128, 32, 8, 2, 1)
SMALL, DOUBLE = Tile(32, 32, 8, 1, 1), Tile(64, 64, 8, 1, 1)  # the latter for float64, which takes two registers
TINY = Tile(16, 8, 8, 1, 1), Tile(8, 16, 4, 1, 1), Tile(16, 16, 4, 2, 1)  # for the simulator
ENOUGH = 128  # blocks that keep a GPU busy


def choose_tile(rows, columns, batch, dtype):
    """The tile for a result of so many rows and columns, so many times: the largest one that makes enough blocks."""
    if SIMULATED:
        return TINY[(rows + columns) % len(TINY)]
    for tile in (LARGE, NARROW, SLIM) if dtype.itemsize == 4 else (DOUBLE,):
        blocks = -(-rows // tile.ROWS) * -(-columns // tile.COLUMNS) * batch
        if blocks >= ENOUGH and columns > tile.COLUMNS // 2:
            return tile
    return SMALL


@inlined
def clear(sums, *, T, HIGH, WIDE):
    """Set a thread's sums to 0."""
    for i in unrolled(16 * HIGH * WIDE):
        sums[i] = T(0)


@inlined
def accumulate(left, right, buffer, row, column, sums, a, b, *, ROWS, COLUMNS, DEPTH, HIGH, WIDE):
    """Add the products of one piece: for each square of the thread left[k, i] · right[k, j] for its i and j."""
    for k in unrolled(DEPTH):
        for i in unrolled(HIGH):
            take4(a, 4 * i, left, (buffer * DEPTH + k) * (ROWS + PAD) + i * (ROWS // HIGH) + row)
        for j in unrolled(WIDE):
            take4(b, 4 * j, right, (buffer * DEPTH + k) * (COLUMNS + PAD) + j * (COLUMNS // WIDE) + column)
        for i in unrolled(HIGH):
            for j in unrolled(WIDE):
                add_square(sums, 16 * (WIDE * i + j), a, 4 * i, b, 4 * j)


@inlined
def fetch(staged, slot, array, start, count, *, T, VECTOR):
    """staged[slot : slot + 4] = array[start : start + 4], of which the first `count` exist; the others are 0."""
    if VECTOR:
        if count > 0:
            take4(staged, slot, array, start)
        else:
            for i in unrolled(4):
                staged[slot + i] = T(0)
    else:
        for i in unrolled(4):
            staged[slot + i] = array[start + i] if count > i else T(0)


@inlined
def put(array, start, count, local, i, *, VECTOR):
    """array[start : start + 4] = local[i : i + 4], of which the first `count` are wanted."""
    if VECTOR:
        if count > 0:
            put4(array, start, local, i)
    else:
        for j in unrolled(4):
            if count > j:
                array[start + j] = local[i + j]


@inlined
def lay_along(lines, width, buffer, k, place, values, slot, *, DEPTH):
    """Put four numbers, from values[slot] on, beside each other, into line k from `place` on."""
    put4(lines, (buffer * DEPTH + k) * width + place, values, slot)


@inlined
def lay_across(lines, width, buffer, k, place, values, slot, *, DEPTH):
    """Put four numbers, from values[slot] on, below each other, into the lines k to k + 3 at `place`."""
    for i in unrolled(4):
        lines[u32((buffer * DEPTH + k + i) * width + place)] = values[slot + i]
