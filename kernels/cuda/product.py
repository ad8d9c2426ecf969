"""The heart of matrix products and convolutions: tiles of a block in shared memory, tiles of a thread in registers.

A block computes ROWS x COLUMNS of the result, DEPTH terms of the sums at a time. It keeps these pieces of the two
factors in shared memory, `left` as DEPTH lines of ROWS and `right` as DEPTH lines of COLUMNS, twice, so that the next
piece is written while the present one is read. A thread computes 4 HIGH x 4 WIDE results, as HIGH x WIDE squares of
four by four that lie DOWN and ACROSS from each other: then neighbours read neighbouring groups of four, with 128 bits
an instruction and without conflicts. What a kernel adds is how it gathers the pieces and where it puts the results.

With TF32 tensor cores compute (`tensor_cores.py`). A thread's squares are then two by two, its share of the 16 x 8
results of its warp, of which a warp has HIGH x WIDE side by side; and from the lines t and t + 4, t = thread % 4, it
reads pairs of the left factor and single numbers of the right one. Lines begin eight banks after the one before, so
that the 32 threads, which read four lines at eight places at a time, meet all 32 banks. Threads that write across write
lines four apart at a time, which begin at the same bank; so every second four lines have neighbouring sixteens swapped.
"""

from typing import NamedTuple

from .. import precision
from ._numba import SIMULATED, has_tensor_cores, i32, inlined, unrolled
from .tensor_cores import mma, to_tf32
from .vector import add_square, put1, put2, put4, take1, take2, take4


class Tile(NamedTuple):
    """What a block computes: its rows, columns and depth, the groups of four rows and columns of a thread, and how."""

    ROWS: int
    COLUMNS: int
    DEPTH: int
    HIGH: int
    WIDE: int
    TF32: bool = False

    @property
    def square(self):
        """Rows and columns of a thread's squares."""
        return 2 if self.TF32 else 4

    @property
    def threads(self):
        """Threads of a block."""
        return self.ROWS // (self.square * self.HIGH) * (self.COLUMNS // (self.square * self.WIDE))

    @property
    def constants(self):
        """The constants of a kernel's compilation.

        DOWN and ACROSS are the distances of a thread's squares; PAD counts the numbers between the lines in shared
        memory, which are also written across.
        """
        down, across = (16, 8) if self.TF32 else (self.ROWS // self.HIGH, self.COLUMNS // self.WIDE)
        pad = 8 if self.TF32 else 4
        return {
            **self._asdict(), "SQUARE": self.square, "DOWN": down, "ACROSS": across, "PAD": pad, "THREADS": self.threads
        }  # fmt: skip


LARGE, NARROW, SLIM = Tile(128, 128, 8, 2, 2), Tile(128, 64, 16, 2, 1), Tile(128, 32, 8, 2, 1)
SMALL, DOUBLE = Tile(32, 32, 8, 1, 1), Tile(64, 64, 8, 1, 1)  # the latter for float64, which takes two registers
TINY = Tile(16, 8, 8, 1, 1), Tile(8, 16, 4, 1, 1), Tile(16, 16, 4, 2, 1)  # for the simulator
TENSOR = Tile(128, 128, 8, 4, 4, True), Tile(128, 64, 8, 2, 4, True), Tile(128, 32, 8, 2, 4, True)
TENSOR_SMALL = Tile(64, 32, 8, 2, 4, True)
TENSOR_TINY = Tile(32, 32, 8, 2, 4, True), Tile(64, 32, 16, 4, 4, True), Tile(32, 64, 8, 2, 4, True)
ENOUGH = 128  # blocks that keep a GPU busy


def choose_tile(rows, columns, batch, dtype, operation):
    """The tile for a result of so many rows and columns, so many times: the largest one that makes enough blocks.

    `operation` is "matmul" or "conv", which may or may not use TF32 (`kernels.precision`).
    """
    tensor = dtype.name == "float32" and precision.tf32_allowed(operation) and has_tensor_cores()
    if SIMULATED:
        tiles = TENSOR_TINY if tensor else TINY
        return tiles[(rows + columns) % len(tiles)]
    for tile in TENSOR if tensor else (LARGE, NARROW, SLIM) if dtype.itemsize == 4 else (DOUBLE,):
        blocks = -(-rows // tile.ROWS) * -(-columns // tile.COLUMNS) * batch
        if blocks >= ENOUGH and columns > tile.COLUMNS // 2:
            return tile
    return TENSOR_SMALL if tensor else SMALL


@inlined
def own_row(thread, *, COLUMNS, HIGH, WIDE, TF32):
    """The row in the tile where a thread's first square begins."""
    if TF32:
        return i32(thread // 32 // (COLUMNS // (8 * WIDE)) * (16 * HIGH) + thread % 32 // 4 * 2)
    return i32(thread // (COLUMNS // (4 * WIDE)) * 4)


@inlined
def own_column(thread, *, COLUMNS, WIDE, TF32):
    """The column in the tile where a thread's first square begins."""
    if TF32:
        return i32(thread // 32 % (COLUMNS // (8 * WIDE)) * (8 * WIDE) + thread % 4 * 2)
    return i32(thread % (COLUMNS // (4 * WIDE)) * 4)


@inlined
def left_start(thread, *, ROWS, PAD, TF32):
    """Where a thread begins to read in the lines of the left factor."""
    if TF32:
        return i32(thread % 4 * (ROWS + PAD) + own_row(thread))
    return own_row(thread)


@inlined
def right_start(thread, *, COLUMNS, WIDE, PAD, TF32):
    """Where a thread begins to read in the lines of the right factor."""
    if TF32:
        column = thread // 32 % (COLUMNS // (8 * WIDE)) * (8 * WIDE) + thread % 32 // 4
        return i32(thread % 4 * (COLUMNS + PAD) + column)
    return own_column(thread)


@inlined
def swapped(place, line, *, TF32):
    """Where in its line, counted in the piece, a place lies: in every second four lines sixteens are swapped."""
    if TF32:
        return place ^ (line // 4 % 2 * 16)
    return place


@inlined
def clear(sums, *, T, HIGH, WIDE, SQUARE):
    """Set a thread's sums to 0."""
    for i in unrolled(SQUARE * SQUARE * HIGH * WIDE):
        sums[i] = T(0)


@inlined
def accumulate(left, right, buffer, left_at, right_at, sums, a, b, *, TF32):
    """Add the products of one piece to a thread's sums: left[k, i] · right[k, j] for rows i and columns j of each."""
    if TF32:
        accumulate_by_warp(left, right, buffer, left_at, right_at, sums, a, b)
    else:
        accumulate_by_thread(left, right, buffer, left_at, right_at, sums, a, b)


@inlined
def accumulate_by_thread(
    left, right, buffer, left_at, right_at, sums, a, b, *, ROWS, COLUMNS, DEPTH, HIGH, WIDE, DOWN, ACROSS, PAD
):  # fmt: skip
    """A thread multiplies what it reads, a line at a time."""
    for k in unrolled(DEPTH):
        for i in unrolled(HIGH):
            take4(a, 4 * i, left, (buffer * DEPTH + k) * (ROWS + PAD) + i * DOWN + left_at)
        for j in unrolled(WIDE):
            take4(b, 4 * j, right, (buffer * DEPTH + k) * (COLUMNS + PAD) + j * ACROSS + right_at)
        for i in unrolled(HIGH):
            for j in unrolled(WIDE):
                add_square(sums, 16 * (WIDE * i + j), a, 4 * i, b, 4 * j)


@inlined
def accumulate_by_warp(left, right, buffer, left_at, right_at, sums, a, b, *, ROWS, COLUMNS, DEPTH, HIGH, WIDE, PAD):
    """The threads of a warp multiply together, eight lines at a time, of which each reads two that lie four apart."""
    for k in unrolled(0, DEPTH, 8):
        for half in unrolled(2):
            for i in unrolled(HIGH):
                line = (buffer * DEPTH + k + 4 * half) * (ROWS + PAD)
                take2(a, 4 * i + 2 * half, left, line + 16 * (i ^ half) + left_at)
            for j in unrolled(WIDE):
                line = (buffer * DEPTH + k + 4 * half) * (COLUMNS + PAD)
                take1(b, 2 * j + half, right, line + 8 * (j ^ 2 * half) + right_at)
        for i in unrolled(HIGH):
            for j in unrolled(WIDE):
                at = 4 * (WIDE * i + j)
                sums[at], sums[at + 1], sums[at + 2], sums[at + 3] = mma(
                    a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3], b[2 * j], b[2 * j + 1],
                    sums[at], sums[at + 1], sums[at + 2], sums[at + 3],
                )  # fmt: skip


@inlined
def zero4(staged, slot, *, T):
    """staged[slot : slot + 4] = 0."""
    for i in unrolled(4):
        staged[slot + i] = T(0)


@inlined
def take4_if(staged, slot, array, start, inside):
    """staged[slot : slot + 4] = array[start : start + 4] inside, else 0."""
    if inside:
        take4(staged, slot, array, start)
    else:
        zero4(staged, slot)


@inlined
def fetch(staged, slot, array, start, count, *, T, VECTOR):
    """staged[slot : slot + 4] = array[start : start + 4], of which the first `count` exist; the others are 0."""
    if VECTOR:
        take4_if(staged, slot, array, start, count > 0)
    else:
        for i in unrolled(4):
            staged[slot + i] = array[start + i] if count > i else T(0)


@inlined
def put(array, start, count, sums, i, *, SQUARE, VECTOR):
    """Write a line of a square, from sums[i] on, to array[start : start + SQUARE]; the first `count` are wanted."""
    if VECTOR:
        if count > 0:
            if SQUARE == 4:
                put4(array, start, sums, i)
            else:
                put2(array, start, sums, i)
    else:
        for j in unrolled(SQUARE):
            if count > j:
                array[start + j] = sums[i + j]


@inlined
def lay_left(left, buffer, thread, staged, *, ROWS, DEPTH, PAD, THREADS, LEFT_ACROSS, TF32):
    """Write a thread's share of the next piece of the left factor: groups of four beside or below each other."""
    for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
        group = thread + load * THREADS
        if TF32:
            for i in unrolled(4):
                staged[4 * load + i] = to_tf32(staged[4 * load + i])
        if LEFT_ACROSS:
            line, place = group % (DEPTH // 4) * 4, group // (DEPTH // 4)
            for i in unrolled(4):
                at = (buffer * DEPTH + line + i) * (ROWS + PAD) + swapped(place, line)
                put1(left, at, staged, 4 * load + i)
        else:
            line, place = group // (ROWS // 4), group % (ROWS // 4) * 4
            put4(left, (buffer * DEPTH + line) * (ROWS + PAD) + swapped(place, line), staged, 4 * load)


@inlined
def lay_right(right, buffer, thread, staged, *, COLUMNS, DEPTH, PAD, THREADS, RIGHT_ACROSS, TF32):
    """The same for the right factor."""
    for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
        group = thread + load * THREADS
        if group < COLUMNS * DEPTH // 4:
            if TF32:
                for i in unrolled(4):
                    staged[4 * load + i] = to_tf32(staged[4 * load + i])
            if RIGHT_ACROSS:
                line, place = group % (DEPTH // 4) * 4, group // (DEPTH // 4)
                for i in unrolled(4):
                    at = (buffer * DEPTH + line + i) * (COLUMNS + PAD) + swapped(place, line)
                    put1(right, at, staged, 4 * load + i)
            else:
                line, place = group // (COLUMNS // 4), group % (COLUMNS // 4) * 4
                put4(right, (buffer * DEPTH + line) * (COLUMNS + PAD) + swapped(place, line), staged, 4 * load)
