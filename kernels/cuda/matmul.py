"""The matrix product, by tiles in shared memory and registers (`product.py`).

Either factor may lie in memory by rows or by columns, so that transposed views, which the gradients of a product are
full of, are read in place. `kernels/reference/matmul.py` is the definition.
"""

from ._numba import MOST_ACROSS, cuda, i32, kernel, launch, on_device, unrolled
from .memory import aligned, dense, empty
from .product import PAD, accumulate, choose_tile, clear, fetch, lay_across, lay_along, put

__all__ = ["matmul"]

LEAST_COLUMNS = 8  # of any tile


@kernel("T*, T*, T*, i32, i32, i32")
def tiled_product(
    a, b, c, rows, columns, depth, *,
    T, ROWS, COLUMNS, DEPTH, HIGH, WIDE, THREADS, A_BY_ROWS, B_BY_ROWS, VECTOR,
):  # fmt: skip
    """c = a · b for matrix blockIdx.z of a batch."""
    left = cuda.shared.array(2 * DEPTH * (ROWS + PAD), T, alignment=16)
    right = cuda.shared.array(2 * DEPTH * (COLUMNS + PAD), T, alignment=16)
    sums = cuda.local.array(16 * HIGH * WIDE, T)
    a_piece = cuda.local.array(4 * HIGH, T)
    b_piece = cuda.local.array(4 * WIDE, T)
    staged_a = cuda.local.array(ROWS * DEPTH // THREADS, T)
    staged_b = cuda.local.array(COLUMNS * DEPTH // THREADS + 4, T)
    thread = i32(cuda.threadIdx.x)
    first_row, first_column = i32(cuda.blockIdx.x * ROWS), i32(cuda.blockIdx.y * COLUMNS)
    a_start, b_start = cuda.blockIdx.z * rows * depth, cuda.blockIdx.z * depth * columns
    row = i32(thread // (COLUMNS // (4 * WIDE)) * 4)
    column = i32(thread % (COLUMNS // (4 * WIDE)) * 4)
    clear(sums)
    pieces = i32((depth + DEPTH - 1) // DEPTH)
    for piece in range(-1, pieces):
        if piece + 1 < pieces:
            k = i32((piece + 1) * DEPTH)
            for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
                group = thread + load * THREADS
                if A_BY_ROWS:
                    m, at = first_row + group // (DEPTH // 4), k + group % (DEPTH // 4) * 4
                    count, start = (depth - at if m < rows else 0), a_start + m * depth + at
                else:
                    m, at = first_row + group % (ROWS // 4) * 4, k + group // (ROWS // 4)
                    count, start = (rows - m if at < depth else 0), a_start + at * rows + m
                fetch(staged_a, 4 * load, a, start, count)
            for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
                group = thread + load * THREADS
                if B_BY_ROWS:
                    n, at = first_column + group % (COLUMNS // 4) * 4, k + group // (COLUMNS // 4)
                    count, start = (columns - n if at < depth else 0), b_start + at * columns + n
                else:
                    n, at = first_column + group // (DEPTH // 4), k + group % (DEPTH // 4) * 4
                    count, start = (depth - at if n < columns else 0), b_start + n * depth + at
                fetch(staged_b, 4 * load, b, start, count if group < COLUMNS * DEPTH // 4 else 0)
        if piece >= 0:
            accumulate(left, right, piece & 1, row, column, sums, a_piece, b_piece)
        if piece + 1 < pieces:
            buffer = (piece + 1) & 1
            for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
                group = thread + load * THREADS
                if A_BY_ROWS:
                    k_line, place = group % (DEPTH // 4) * 4, group // (DEPTH // 4)
                    lay_across(left, ROWS + PAD, buffer, k_line, place, staged_a, 4 * load)
                else:
                    k_line, place = group // (ROWS // 4), group % (ROWS // 4) * 4
                    lay_along(left, ROWS + PAD, buffer, k_line, place, staged_a, 4 * load)
            for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
                group = thread + load * THREADS
                if group < COLUMNS * DEPTH // 4:
                    if B_BY_ROWS:
                        k_line, place = group // (COLUMNS // 4), group % (COLUMNS // 4) * 4
                        lay_along(right, COLUMNS + PAD, buffer, k_line, place, staged_b, 4 * load)
                    else:
                        k_line, place = group % (DEPTH // 4) * 4, group // (DEPTH // 4)
                        lay_across(right, COLUMNS + PAD, buffer, k_line, place, staged_b, 4 * load)
        cuda.syncthreads()
    for i in unrolled(HIGH):
        for r in unrolled(4):
            m = first_row + i * (ROWS // HIGH) + row + r
            if m < rows:
                for j in unrolled(WIDE):
                    n = first_column + j * (COLUMNS // WIDE) + column
                    start = (cuda.blockIdx.z * rows + m) * columns + n
                    put(c, start, columns - n, sums, 16 * (WIDE * i + j) + 4 * r)


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
    tile = choose_tile(rows, columns, matrices, a.dtype)
    grid = -(-rows // tile.ROWS), -(-columns // tile.COLUMNS), matrices
    launch(
        tiled_product, grid, tile.threads, a, b, c, rows, columns, depth,
        T=a.dtype, **tile._asdict(), THREADS=tile.threads, A_BY_ROWS=a_by_rows, B_BY_ROWS=b_by_rows,
        VECTOR=rows % 4 == columns % 4 == depth % 4 == 0 and aligned(a, b),
    )  # fmt: skip
