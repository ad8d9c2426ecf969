"""The matrix product, single or batched, of matrices in any memory order.

A product with a vector, or with a matrix of few rows, is bound by reading the other matrix: it has loops of its own.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import config
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, parts
from .panel import WIDEST, copy_panel, panel_tile, turn_panel
from .tile import TILES
from .vector import VECTOR_BYTES

__all__ = ["matmul"]

import os
DEPTH = int(os.environ.get("DEPTH","384"))
BLOCK_BYTES = int(os.environ.get("BLOCK","300000"))
STEPS = 64
LINE = 64
RUN = 1024  # elements of a row whose products are added in the arrays' dtype
SMALL = 1 << 18  # multiply-adds up to which NumPy's BLAS, which uses one thread for them, has the quicker call
FEW = 16  # rows, or summands, up to which a product is bound by memory
BLOCK = 256  # columns whose sums stay in the first cache


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


@jit
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


def _part_cycles(lanes, m, n, k, widest, packs, a_turned, b_turned, row_parts, column_parts):
    """About how many cycles the largest part of a product takes."""
    height = TILES[widest - 1]
    whole, rest = divmod(-(-n // lanes), widest)
    panels = -(-(whole + (rest > 0)) // column_parts)
    columns = panels * widest * 8 if column_parts > 1 else whole * widest * 8 + rest * 8
    rows = -(-(-(-m // height)) // row_parts) * height
    if column_parts > 1:
        vectors = panels * widest
    else:
        vectors = whole * widest + (max(rest, -(-8 // height)) if rest else 0)
    cycles = rows * vectors * (0.5 if widest == 2 else 0.51) * k
    cycles += rows / height * panels * 60 * -(-k // DEPTH)
    cycles += k * vectors * lanes * (0.6 if b_turned else 0.25)
    if packs:
        cycles += k * rows * (0.35 if a_turned else 0.7)
    return cycles


@lru_cache(1024)
def _plan(itemsize, batch, m, n, k, a_turned, b_turned):
    """(numbers of the plan, elements of scratch memory, whether the product is worth several threads)."""
    lanes = VECTOR_BYTES // itemsize
    threads = config.NUMBA_NUM_THREADS
    best = None
    for widest in (WIDEST - 1, WIDEST):
        for packs in (False, True):
            if not packs and (a_turned or widest < WIDEST):
                continue
            for row_parts in range(1, threads + 1):
                for column_parts in range(1, threads // row_parts + 1):
                    parts = batch * row_parts * column_parts
                    cycles = _part_cycles(lanes, m, n, k, widest, packs, a_turned, b_turned, row_parts, column_parts)
                    for parallel in (False, True):
                        total = cycles * -(-parts // (threads if parallel else 1)) + 1e4 * parallel
                        if best is None or total < best[0]:
                            best = total, widest, packs, row_parts, column_parts, parallel
    _, widest, packs, row_parts, column_parts, parallel = best
    if os.environ.get("SHOW"): print(best)
    height, width = TILES[widest - 1], widest * lanes
    depth = -(-k // -(-k // DEPTH))
    columns = -(-(-(-n // width)) // column_parts) * width
    blocks = -(-columns // (BLOCK_BYTES // itemsize // depth))
    block = -(-columns // width // blocks) * width
    rows = -(-(-(-m // height)) // row_parts) * height if packs else 0
    line = LINE // itemsize
    scratch = -(-(depth * (block + rows) + lanes) // line) * line
    plan = _Plan(
        batch, m, n, k, *((1, m) if a_turned else (k, 1)), *((1, k) if b_turned else (n, 1)), widest, packs, depth,
        block, row_parts, column_parts, scratch,
    )  # fmt: skip
    return np.array(plan, np.int64), scratch * batch * row_parts * column_parts + line, parallel


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
    single, batch, n = not batch, batch[0] if batch else 1, b.shape[-1]
    if batch * m * n * k <= SMALL:
        if single:
            return a.dot(b)  # unlike matmul, it does not look for infinities
        with np.errstate(all="ignore"):  # infinities are no news
            return np.matmul(a, b)
    c = empty((*a.shape[:-1], n), a.dtype)
    if single and (m <= FEW or k <= FEW):
        _streamed(a, b, c)
    elif single and n == 1:
        _streamed(b.T, a.T, c.T)
    else:
        a_lines, a_turned = _lines(a)
        b_lines, b_turned = _lines(b)
        numbers, scratch, parallel = _plan(a.itemsize, batch, m, n, k, a_turned, b_turned)
        _product(parallel, a_lines, b_lines, _workspace(scratch, a.dtype), c.reshape(-1), numbers)
    return c


_SC = {}
def _workspace(n, dtype):
    x = _SC.get(dtype)
    if x is None or x.size < n:
        _SC[dtype] = x = np.empty(n, dtype)
    return x


def _lines(matrix):
    """(the elements of dense memory, whether they lie column by column)."""
    if matrix.flags.carray:
        return matrix.reshape(-1), False
    turned = matrix.swapaxes(-1, -2)
    if turned.flags.carray:
        return turned.reshape(-1), True
    return dense(matrix).reshape(-1), False
