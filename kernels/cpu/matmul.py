"""The matrix product, single or batched, of matrices in any memory order.

A product with a vector, or with a matrix of few rows, is bound by reading the other matrix: it has loops of its own.
"""

import itertools
import threading
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import numpy as np
from numba import config
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..buffers import empty
from ..jit import jit, pool_jit, tile_jit
from ..parallel import parallel_for
from .layout import dense, parts
from .panel import WIDEST, copy_panel, panel_tile, turn_panel
from .tile import TILES
from .vector import VECTOR_BYTES

__all__ = ["matmul"]

DEPTH = 256  # products that are summed up at once: longer sums round more
BLOCK_BYTES = 200 << 10  # of a block of b: it stays in the second cache
STEPS = 64  # of a block of b that are laid out at once: few enough to be read from rows far apart
LINE = 64  # bytes of a line of the cache
KEPT = 1 << 20  # bytes of memory for panels that a thread keeps
RUN = 1024  # elements of a row whose products are added in the arrays' dtype
SMALL = 1 << 18  # multiply-adds up to which NumPy's BLAS, which uses one thread for them, has the quicker call
FEW = 16  # rows, or summands, up to which a product is bound by memory
BLOCK = 256  # columns whose sums stay in the first cache

# About how many cycles things take, for the choice between plans: two multiply-adds of vectors start in a cycle, and
# each takes four.
MULTIPLY_ADD, LATENCY = 0.5, 4
TILE_CALL = 60
COPY, TURN = 0.3, 0.65  # an element that is laid out along, or across, the lines of memory
REREAD = 0.0005  # an element of a that is read as it lies, for each column of the product
REGION = 10_000  # a parallel region
LONG = 1 << 24  # a product that is worth more parts than threads


class _Plan(NamedTuple):
    """Shapes and strides (in elements) of a batch of products, and how they are cut."""

    batch: int
    m: int
    n: int
    k: int
    a_row: int
    a_step: int
    b_step: int
    b_column: int
    widest: int  # vectors of a tile
    packs: int  # 1: the rows of a are laid out for the tile, 0: they are read as they lie
    depth: int  # steps, and
    width: int  # columns, of a block of b
    row_parts: int
    column_parts: int
    scratch: int  # elements for the panels of a part


_FIELDS = len(_Plan._fields)


@jit
def _lay_out(target, at, target_step, source, source_at, source_row, source_step, count, steps):
    """A panel of `count` rows and `steps` steps, as the tile reads it."""
    if source_row == 1:
        copy_panel(target, at, target_step, source, source_at, source_step, steps, count)
    else:
        turn_panel(target, at, target_step, source, source_at, source_row, steps, count)


@tile_jit
def _part(task, a, b, packed, c, plan):
    """A range of the rows times a range of the columns of one product.

    A block of b stays in the second cache while the rows of a pass over it, a few rows of a in the first one.
    """
    lanes = VECTOR_BYTES // c.itemsize
    height, width = TILES[plan.widest - 1], plan.widest * lanes
    b_panels = task * plan.scratch + -packed.ctypes.data % LINE // c.itemsize
    a_panels = b_panels + plan.depth * plan.width
    row_part, task = task % plan.row_parts, task // plan.row_parts
    column_part, matrix = task % plan.column_parts, task // plan.column_parts
    tiles, panels = -(-plan.m // height), -(-plan.n // width)
    top, bottom = row_part * tiles // plan.row_parts * height, (row_part + 1) * tiles // plan.row_parts * height
    left = column_part * panels // plan.column_parts * width
    right = min(plan.n, (column_part + 1) * panels // plan.column_parts * width)
    a_matrix, b_matrix = matrix * plan.m * plan.k, matrix * plan.k * plan.n
    for k in range(0, plan.k, plan.depth):
        steps = min(plan.depth, plan.k - k)
        a_at, b_at = a_matrix + k * plan.a_step, b_matrix + k * plan.b_step
        if plan.packs:
            for row in range(top, bottom, height):
                _lay_out(
                    packed, a_panels + (row - top) * plan.depth, height, a, a_at + row * plan.a_row, plan.a_row,
                    plan.a_step, min(height, plan.m - row), steps,
                )  # fmt: skip
        for first in range(left, right, plan.width):
            last = min(right, first + plan.width)
            for start in range(0, steps, STEPS):
                for column in range(first, last, width):
                    _lay_out(
                        packed, b_panels + (column - first) * plan.depth + start * width, width, b,
                        b_at + start * plan.b_step + column * plan.b_column, plan.b_column, plan.b_step,
                        min(width, last - column), min(STEPS, steps - start),
                    )  # fmt: skip
            for row in range(top, bottom, height):
                source, at, a_row, a_step = a, a_at + row * plan.a_row, plan.a_row, plan.a_step
                if plan.packs:
                    source, at, a_row, a_step = packed, a_panels + (row - top) * plan.depth, 1, height
                for column in range(first, last, width):
                    valid = min(width, last - column)
                    panel_tile(
                        plan.widest, -(-valid // lanes), source, at, a_row, a_step, min(height, plan.m - row),
                        packed, b_panels + (column - first) * plan.depth, width, steps,
                        k, c, (matrix * plan.m + row) * plan.n + column, plan.n, valid,
                    )  # fmt: skip


@pool_jit
def _product(parallel, a, b, packed, c, numbers):
    plan = _Plan(*to_fixed_tuple(numbers, _FIELDS))
    parallel_for(plan.batch * plan.row_parts * plan.column_parts, parallel, _part, (a, b, packed, c, plan))


def _cycles(lanes, m, n, k, widest, packs, a_turned, b_turned):
    """About how many cycles a part of m rows and n columns takes."""
    height = TILES[widest - 1]
    tiles = ceil(m / height)
    panels, rest = divmod(ceil(n / lanes), widest)
    step = panels * height * widest * MULTIPLY_ADD
    if rest:
        panels += 1
        step += max(height * rest * MULTIPLY_ADD, LATENCY)
    call = TILE_CALL * panels * ceil(k / DEPTH)
    a_element = (COPY if a_turned else TURN) if packs else REREAD * n
    b_element = TURN if b_turned else COPY
    return tiles * (step * k + call) + a_element * m * k + b_element * k * n


@lru_cache(1024)
def _plan(itemsize, batch, m, n, k, a_turned, b_turned):
    """(whether the product is worth several threads, elements of memory for panels, numbers of the plan)."""
    lanes, line = VECTOR_BYTES // itemsize, LINE // itemsize
    best = float("inf")
    threads = config.NUMBA_NUM_THREADS
    # A long product has parts to spare: a thread whose processor others use as well then does fewer of them.
    long = batch * m * n * k / (2 * lanes * threads) > LONG
    least, most = (2 * threads, 2 * threads) if long else (1, threads)
    cuts = [(r, c) for r in range(most, 0, -1) for c in range(1, most // r + 1) if batch * r * c >= least]
    # Rows that are read as they lie must be few: they often begin at the same place of a page, and thus of the cache.
    kinds = [(WIDEST - 1, 1), (WIDEST, 1)] if a_turned else [(WIDEST - 1, 1), (WIDEST, 0)]
    for (row_parts, column_parts), (widest, packs), parallel in itertools.product(cuts, kinds, (False, True)):
        height, width = TILES[widest - 1], widest * lanes
        rows = min(m, ceil(ceil(m / height) / row_parts) * height)
        columns = min(n, ceil(ceil(n / width) / column_parts) * width)
        rounds = ceil(batch * row_parts * column_parts / (threads if parallel else 1))
        cycles = rounds * _cycles(lanes, rows, columns, k, widest, packs, a_turned, b_turned) + parallel * REGION
        if cycles < best:
            depth = ceil(k / ceil(k / DEPTH))
            blocks = ceil(columns * depth * itemsize / BLOCK_BYTES)
            block = ceil(columns / blocks / width) * width
            size = depth * (block + packs * ceil(rows / height) * height) + 2 * lanes
            size = ceil(size / line) * line
            plan = _Plan(
                batch, m, n, k, *((1, m) if a_turned else (k, 1)), *((1, k) if b_turned else (n, 1)), widest, packs,
                depth, block, row_parts, column_parts, size,
            )  # fmt: skip
            best, result = cycles, (parallel, batch * row_parts * column_parts * size + line, plan)
    return *result[:2], np.array(result[2], np.int64)


@jit
def _inner_products(part, count, rows, lines, result):
    """Part `part` of `count` of result[r, n] = the sum of rows[r] * lines[n]: every line is read once for all rows."""
    depth = lines.shape[1]
    totals = np.empty(len(rows))
    for n in range(len(lines) * part // count, len(lines) * (part + 1) // count):
        totals[:] = 0
        for start in range(0, depth, RUN):
            line = lines[n, start : start + RUN]
            for r in range(len(rows)):
                row = rows[r, start : start + RUN]
                partial = lines.dtype.type(0)
                for k in range(len(line)):
                    partial += line[k] * row[k]
                totals[r] += partial
        for r in range(len(rows)):
            result[r, n] = totals[r]


@jit
def _weighted_sums(part, count, rows, lines, result):
    """Part `part` of `count` of result[r] = the sum of rows[r, k] * lines[k] over k, in blocks of columns."""
    depth, columns = lines.shape
    blocks = -(-columns // BLOCK)
    whole = depth // 4 * 4
    for block in range(blocks * part // count, blocks * (part + 1) // count):
        first, last = block * BLOCK, min(columns, (block + 1) * BLOCK)
        for k in range(0, whole, 4):  # four lines at once: the sums are read and written less
            line, second, third, fourth = (
                lines[k, first:last], lines[k + 1, first:last], lines[k + 2, first:last], lines[k + 3, first:last]
            )  # fmt: skip
            for r in range(len(rows)):
                a, b, c, d = rows[r, k], rows[r, k + 1], rows[r, k + 2], rows[r, k + 3]
                sums = result[r, first:last]
                if k == 0:
                    for j in range(len(sums)):
                        sums[j] = (a * line[j] + b * second[j]) + (c * third[j] + d * fourth[j])
                else:
                    for j in range(len(sums)):
                        sums[j] += (a * line[j] + b * second[j]) + (c * third[j] + d * fourth[j])
        for k in range(whole, depth):
            line = lines[k, first:last]
            for r in range(len(rows)):
                a, sums = rows[r, k], result[r, first:last]
                if k == 0:
                    for j in range(len(sums)):
                        sums[j] = a * line[j]
                else:
                    for j in range(len(sums)):
                        sums[j] += a * line[j]


@pool_jit
def _streamed_product(count, inner, rows, lines, result):
    if inner:
        parallel_for(count, count > 1, _inner_products, (count, rows, lines, result))
    else:
        parallel_for(count, count > 1, _weighted_sums, (count, rows, lines, result))


def _streamed(rows, matrix, c):
    """c = rows @ matrix, where one of the sizes is so small that the large matrix is best read once, as it lies."""
    inner = not matrix.flags.carray and matrix.T.flags.carray
    lines = dense(matrix.T if inner else matrix)
    units = len(lines) if inner else -(-lines.shape[1] // BLOCK)
    _streamed_product(parts(units, max(lines.size, c.size)), inner, dense(rows), lines, c)


def matmul(a, b):
    """c[m, n] = sum over k of a[m, k] * b[k, n], for matrices or for batches of them.

    a is (M, K) and b (K, N), or a (B, M, K) and b (B, K, N), both float32 or both float64; c is (M, N) or (B, M, N).
    PyTorch's `torch.mm` and `torch.bmm`.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    *batch, m, k = a.shape
    n = b.shape[-1]
    count = batch[0] if batch else 1
    work = count * m * n * k
    if work <= SMALL:
        with np.errstate(all="ignore"):  # infinities are no news
            return np.matmul(a, b) if batch else a.dot(b)
    c = (empty if count * m * n > SMALL else np.empty)((*batch, m, n), a.dtype)
    if not batch and (m <= FEW or k <= FEW):
        _streamed(a, b, c)
    elif not batch and n == 1:
        _streamed(b.T, a.T, c.T)
    else:
        a, a_turned = _lines(a)
        b, b_turned = _lines(b)
        parallel, scratch, numbers = _plan(a.itemsize, count, m, n, k, a_turned, b_turned)
        _product(parallel, a, b, _workspace(scratch, a.dtype), c.reshape(-1, n) if batch else c, numbers)
    return c


def _lines(factor):
    """(the rows of a dense factor or, if these are dense, its columns, whether it is its columns)."""
    turned = False
    if not (factor.flags.carray and factor.dtype.isnative):
        columns = factor.swapaxes(-1, -2)
        turned = columns.flags.carray
        factor = columns if turned else dense(factor)
    return (factor if factor.ndim == 2 else factor.reshape(-1, factor.shape[-1])), turned


class _Workspaces(threading.local):
    """Memory for panels, which a thread keeps from call to call: new memory costs a page fault for every 4 KB."""

    def __init__(self):
        self.memory = {dtype: np.empty((1, 0), dtype) for dtype in (np.dtype("f4"), np.dtype("f8"))}


_workspaces = _Workspaces()


def _workspace(size, dtype):
    """(1, at least `size`) elements, for this call."""
    memory = _workspaces.memory[dtype]
    if memory.size < size:
        if size * dtype.itemsize > KEPT:
            return empty((1, size), dtype)
        memory = _workspaces.memory[dtype] = np.empty((1, size), dtype)
    return memory
