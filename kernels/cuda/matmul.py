"""The matrix product, by tiles in shared memory and registers (`product.py`).

Either factor may lie in memory by rows or by columns, so that transposed views, which the gradients of a product are
full of, are read in place. `kernels/reference/matmul.py` is the definition.
"""

from ._numba import MOST_ACROSS, cuda, i32, kernel, launch, on_device, unrolled
from .memory import aligned, dense, empty
from .product import (
    accumulate,
    choose_tile,
    clear,
    fetch,
    lay_left,
    lay_right,
    left_start,
    own_column,
    own_row,
    put,
    right_start,
)  # fmt: skip

__all__ = ["matmul"]

LEAST_COLUMNS = 8  # of any tile


@kernel("T*, T*, T*, i32, i32, i32")
def tiled_product(
    a, b, c, rows, columns, depth, *,
    T, ROWS, COLUMNS, DEPTH, HIGH, WIDE, SQUARE, DOWN, ACROSS, PAD, THREADS, TF32, LEFT_ACROSS, RIGHT_ACROSS, VECTOR,
):  # fmt: skip
    """c = a · b for matrix blockIdx.z of a batch."""
    left = cuda.shared.array(2 * DEPTH * (ROWS + PAD), T, alignment=16)
    right = cuda.shared.array(2 * DEPTH * (COLUMNS + PAD), T, alignment=16)
    sums = cuda.local.array(SQUARE * SQUARE * HIGH * WIDE, T)
    a_piece = cuda.local.array(4 * HIGH, T)
    b_piece = cuda.local.array(4 * WIDE, T)
    staged_a = cuda.local.array(ROWS * DEPTH // THREADS, T)
    staged_b = cuda.local.array(COLUMNS * DEPTH // THREADS + 4, T)
    thread = i32(cuda.threadIdx.x)
    first_row, first_column = i32(cuda.blockIdx.x * ROWS), i32(cuda.blockIdx.y * COLUMNS)
    a_start, b_start = cuda.blockIdx.z * rows * depth, cuda.blockIdx.z * depth * columns
    left_at, right_at = left_start(thread), right_start(thread)
    clear(sums)
    pieces = i32((depth + DEPTH - 1) // DEPTH)
    for piece in range(-1, pieces):
        if piece + 1 < pieces:
            k = i32((piece + 1) * DEPTH)
            for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
                group = thread + load * THREADS
                if LEFT_ACROSS:
                    m, at = first_row + group // (DEPTH // 4), k + group % (DEPTH // 4) * 4
                    count, start = (depth - at if m < rows else 0), a_start + m * depth + at
                else:
                    m, at = first_row + group % (ROWS // 4) * 4, k + group // (ROWS // 4)
                    count, start = (rows - m if at < depth else 0), a_start + at * rows + m
                fetch(staged_a, 4 * load, a, start, count)
            for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
                group = thread + load * THREADS
                if RIGHT_ACROSS:
                    n, at = first_column + group // (DEPTH // 4), k + group % (DEPTH // 4) * 4
                    count, start = (depth - at if n < columns else 0), b_start + n * depth + at
                else:
                    n, at = first_column + group % (COLUMNS // 4) * 4, k + group // (COLUMNS // 4)
                    count, start = (columns - n if at < depth else 0), b_start + at * columns + n
                fetch(staged_b, 4 * load, b, start, count if group < COLUMNS * DEPTH // 4 else 0)
        if piece >= 0:
            accumulate(left, right, piece & 1, left_at, right_at, sums, a_piece, b_piece)
        if piece + 1 < pieces:
            lay_left(left, (piece + 1) & 1, thread, staged_a)
            lay_right(right, (piece + 1) & 1, thread, staged_b)
        cuda.syncthreads()
    row, column = first_row + own_row(thread), first_column + own_column(thread)
    for i in unrolled(HIGH):
        for r in unrolled(SQUARE):
            m = row + i * DOWN + r
            if m < rows:
                for j in unrolled(WIDE):
                    n = column + j * ACROSS
                    start = (cuda.blockIdx.z * rows + m) * columns + n
                    put(c, start, columns - n, sums, SQUARE * (SQUARE * (WIDE * i + j) + r))


def _lying(matrix):
    """(a dense array with the lines of a matrix or of a batch, whether these are its rows)."""
    across = matrix.swapaxes(-1, -2)
    if not matrix.flags.c_contiguous and across.flags.c_contiguous:
        return across, False
    return dense(matrix), True


@on_device
def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or batches of them: `kernels.reference.matmul`.

    A sum is taken in the order of k, so that the result has the same bits in every run.
    """
    if b.shape[-1] > LEAST_COLUMNS * MOST_ACROSS:  # only along the rows there may be so many tiles
        return _product(b.swapaxes(-1, -2), a.swapaxes(-1, -2)).swapaxes(-1, -2)
    return _product(a, b)


def _product(a, b):
    """The product, in as many launches as its matrices need."""
    batch = a.shape[:-2]
    c = empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    for first in range(0, batch[0] if batch else 1, MOST_ACROSS):
        some = slice(first, first + MOST_ACROSS) if batch else ...
        _multiply(a[some], b[some], c[some])
    return c


def _multiply(a, b, c):
    """c = a · b in one launch."""
    if 0 in c.shape:
        return
    (*batch, rows, depth), columns = a.shape, b.shape[-1]
    (a, a_by_rows), (b, b_by_rows) = _lying(a), _lying(b)
    matrices = batch[0] if batch else 1
    tile = choose_tile(rows, columns, matrices, a.dtype, "matmul")
    grid = -(-rows // tile.ROWS), -(-columns // tile.COLUMNS), matrices
    launch(
        tiled_product, grid, tile.threads, a, b, c, rows, columns, depth,
        T=a.dtype, **tile.constants, LEFT_ACROSS=a_by_rows, RIGHT_ACROSS=not b_by_rows,
        VECTOR=rows % 4 == columns % 4 == depth % 4 == 0 and aligned(a, b),
    )  # fmt: skip
