"""The two compiled loops around the register tiles, from which convolution is made.

`indirect_product` multiplies rows found through a table with packed weights: convolution and its input gradient.
`outer_product` sums products of the columns of two matrices over their common rows: the weight gradient. Each
is one compiled call: packing, product and epilogue are inside. Sums run in an order that the shapes alone fix, so that
results do not depend on the number of threads.
"""

import itertools
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..buffers import empty
from ..jit import jit, part_jit, pool_jit, tile_jit
from ..parallel import parallel_for
from .tile import COSTS, TILES, copy_run, gather_runs, indirect_tile, outer_tile
from .vector import VECTOR_BYTES

__all__ = ["indirect_plan", "indirect_product", "outer_plan", "outer_product", "pack"]

_STEPS = 128  # pixels of a block of the outer product: its panel stays in the first cache
_PIXEL_BYTES = (
    256  # of a pixel whose runs are read in place: further apart they drive each other out of the first cache
)
_LAID_OUT = 8  # multiply-adds of vectors that laying out one vector takes
_SERIAL = 1 << 20  # multiply-adds below which a parallel region costs more than it saves
_DEPTH = 256  # products that are summed up at once: longer sums round more
_WEIGHT_BYTES = 1 << 18  # bytes of packed weights that a range of rows passes over: they stay in the second cache
_ROW_BYTES = 1 << 17  # bytes of x that a range of rows reads for every block of columns
_TASKS = 16  # parts that work is cut into at least, where it allows, so that threads finish together


class IndirectPlan(NamedTuple):
    """Shapes and strides (in elements) of an indirect product: units x groups matrices of rows x columns."""

    units: int
    groups: int
    rows: int
    columns: int
    taps: int
    channels: int
    x_unit: int
    x_group: int
    x_row: int
    y_unit: int
    y_group: int
    y_row: int
    weight_units: int  # 1: every unit uses the same weights, else `units`
    weight_unit: int
    weight_channels: int  # of a tap
    # `spread` pixels' columns stand side by side over a common window of the last axis, of which each reads last_taps:
    # at a place in the window, pixel p has tap origin + place * place_step + p * pixel_step
    last_taps: int
    spread: int
    window: int
    origin: int
    place_step: int
    pixel_step: int
    weight_start: int
    weight_group: int
    weight_column: int
    weight_tap: int
    weight_channel: int
    # how the work is cut
    vectors: int
    blocks: int
    tap_block: int
    channel_block: int
    row_parts: int
    column_parts: int


_INDIRECT_FIELDS = len(IndirectPlan._fields)


@jit
def pack(index, weight, bias, packed, plan):
    """Lay one block of columns of the weights out as the tile reads them, [tap][channel][width], its bias and zeros."""
    width = plan.vectors * (VECTOR_BYTES // packed.itemsize)
    block, matrix = index % plan.blocks, index // plan.blocks
    group, unit = matrix % plan.groups, matrix // plan.groups
    first = block * width
    count = min(width, plan.columns - first)
    source = plan.weight_start + unit * plan.weight_unit + group * plan.weight_group
    target = index * plan.taps * plan.channels * width
    if plan.spread == 1:
        source += first * plan.weight_column
        taps = plan.taps * plan.channels // plan.weight_channels
        for c in range(plan.weight_channels):
            for tap in range(taps):
                start = source + tap * plan.weight_tap + c * plan.weight_channel
                at = target + (tap * plan.weight_channels + c) * width
                if plan.weight_column == 1:
                    copy_run(packed, at, weight, start, count)
                else:
                    row, columns = packed[at : at + width], weight[start :: plan.weight_column]
                    for n in range(count):
                        row[n] = columns[n]
                for n in range(count, width):
                    packed[at + n] = 0
    else:
        # Column j * columns + k is channel k of pixel j.
        columns = plan.columns // plan.spread
        for depth in range(plan.taps * plan.channels):
            c, tap = depth % plan.weight_channels, depth // plan.weight_channels
            line, place = tap // plan.window, tap % plan.window
            for n in range(width):
                pixel, k = (first + n) // columns, (first + n) % columns
                last = plan.origin + place * plan.place_step + pixel * plan.pixel_step
                value = weight.dtype.type(0)
                if n < count and 0 <= last < plan.last_taps:
                    tap = line * plan.last_taps + last
                    value = weight[source + k * plan.weight_column + tap * plan.weight_tap + c * plan.weight_channel]
                packed[target + depth * width + n] = value
    biases = plan.weight_units * plan.groups * plan.blocks * plan.taps * plan.channels * width
    if unit == 0:
        at = biases + (group * plan.blocks + block) * width
        for n in range(width):
            packed[at + n] = 0
            if bias.size > 0 and n < count:
                packed[at + n] = bias[group * plan.columns + (first + n) % (plan.columns // plan.spread)]
    if index == 0:
        zeros = biases + plan.groups * plan.blocks * width
        for c in range(plan.channels):
            packed[zeros + c] = 0


@tile_jit
def _rows(task, x, table, out, packed, y, plan):
    """A range of rows times a range of column blocks."""
    width = plan.vectors * (VECTOR_BYTES // packed.itemsize)
    height = TILES[plan.vectors - 1]
    group, task = task % plan.groups, task // plan.groups  # groups, which share the pixels' lines, one after another
    part, task = task % plan.row_parts, task // plan.row_parts
    column_part, unit = task % plan.column_parts, task // plan.column_parts
    tiles = plan.rows // height
    first = part * tiles // plan.row_parts * height
    last = plan.rows if part == plan.row_parts - 1 else (part + 1) * tiles // plan.row_parts * height
    x_at = unit * plan.x_unit + group * plan.x_group
    depth = plan.taps * plan.channels
    biases = plan.weight_units * plan.groups * plan.blocks * depth * width
    zeros = biases + plan.groups * plan.blocks * width
    matrix = group if plan.weight_units == 1 else unit * plan.groups + group
    first_block = column_part * plan.blocks // plan.column_parts
    last_block = (column_part + 1) * plan.blocks // plan.column_parts
    for block in range(first_block, last_block):
        weight_at = (matrix * plan.blocks + block) * depth * width
        bias_at = biases + (group * plan.blocks + block) * width
        y_at = unit * plan.y_unit + group * plan.y_group + block * width
        valid = plan.columns - block * width
        # Whole tiles pass over the depth block by block. Rows that are left over get a tile that overlaps the one
        # before and sums its whole depth anew; fewer rows than a tile has go one by one.
        whole = first + (last - first) // height * height
        for rest in range(2):
            start, stop, step, tile = first, whole, height, 2 * plan.vectors - 2
            if rest:
                start, stop = whole, last
                if last - first < height:
                    step, tile = 1, tile + 1
                elif whole < last:
                    start = last - height
            for tap in range(0, plan.taps, plan.tap_block):
                taps = min(plan.tap_block, plan.taps - tap)
                for c in range(0, plan.channels, plan.channel_block):
                    channels = min(plan.channel_block, plan.channels - c)
                    at = weight_at + (tap * plan.channels + c) * width
                    for row in range(start, stop, step):
                        indirect_tile(
                            tile, x, x_at + c, plan.x_row, table, row * plan.taps + tap, plan.taps, taps, channels,
                            packed, zeros, at, bias_at, tap + c, y, y_at, plan.y_row, out, row, valid,
                        )  # fmt: skip


@lru_cache(1024)
def _numbers(plan):
    """A plan as an array: Numba takes one in a tenth of the time that it takes for a tuple of its length."""
    return np.array(plan, np.int64)


@pool_jit
def _indirect_product(parallel, x, table, out, weight, bias, packed, y, numbers):
    plan = IndirectPlan(*to_fixed_tuple(numbers, _INDIRECT_FIELDS))
    blocks = plan.weight_units * plan.groups * plan.blocks
    parallel_for(blocks, parallel, pack, (weight, bias, packed, plan))
    tasks = plan.units * plan.groups * plan.column_parts * plan.row_parts
    parallel_for(tasks, parallel, _rows, (x, table, out, packed, y, plan))


def indirect_plan(itemsize, units, groups, rows, columns, taps, channels, *strides, present=None):
    """The plan of an indirect product: how the work is cut so that weights and rows stay in the caches.

    `present` is the number of taps that a row has on average, by default all of them.
    """
    lanes = VECTOR_BYTES // itemsize
    needed = -(-columns // lanes)
    vectors = min((4, 3, 2, 1), key=lambda n: -(-needed // n) * n * COSTS[n - 1])
    width = vectors * lanes
    blocks = -(-columns // width)
    parts = -(-(present or taps) * channels // min(_DEPTH, _WEIGHT_BYTES // (width * itemsize)))
    tap_block = -(-taps // parts)
    channel_block = channels if taps > 1 else -(-channels // parts)
    tiles = max(1, rows // TILES[vectors - 1])
    few = max(1, _ROW_BYTES // (TILES[vectors - 1] * channels * groups * itemsize), 4)
    row_parts = max(1, tiles // few)
    column_parts = max(1, min(blocks, _TASKS // (units * groups * row_parts)))
    return IndirectPlan(
        units, groups, rows, columns, taps, channels, *strides, vectors, blocks, tap_block, channel_block, row_parts,
        column_parts,
    )  # fmt: skip


def indirect_product(x, table, out, weight, bias, y, plan):
    """y[unit, out[row], group, column] = bias + sum over tap and channel of x[unit, table[row, tap]] * weight."""
    columns = plan.blocks * plan.vectors * (VECTOR_BYTES // x.itemsize)
    matrices = plan.weight_units * plan.groups
    depth = plan.taps * plan.channels
    packed = empty(columns * (matrices * depth + plan.groups) + plan.channels, x.dtype)
    work = plan.units * plan.groups * plan.rows * columns * depth
    _indirect_product(work >= _SERIAL, x, table, out, weight, bias, packed, y, _numbers(plan))


class OuterPlan(NamedTuple):
    """Shapes and strides (in elements) of `groups` outer products, `rows` by runs * run, over units of pixels."""

    groups: int
    units: int
    pixels: int
    rows: int
    runs: int
    run: int
    room: int  # of a run among the columns: whole vectors if it is read in place, else its length
    channels: int  # of the result, whose columns are [runs * run // channels][channels]
    a_row: int
    a_group: int
    x_unit: int
    x_row: int
    x_group: int
    # how the work is cut
    vectors: int
    tiles: int
    panels: int
    panel_parts: int
    blocks: int
    parts: int


_OUTER_FIELDS = len(OuterPlan._fields)


@part_jit
def _multiples(count, step):
    """0, step, ..., (count - 1) · step; NumPy's expression takes a second longer to compile."""
    result = np.empty(count, np.int64)
    for number in range(count):
        result[number] = number * step
    return result


@jit
def _block_sums(task, a, x, table, sums, plan):
    """The sums of a range of panels of columns over one part of the pixels.

    Blocks of pixels are laid out as the tile reads them, one row of a tile behind the other: a panel of columns stays
    in the first cache while all tiles pass over it. What is whole and lies close together is read where it is.
    """
    lanes = VECTOR_BYTES // x.itemsize
    width = plan.vectors * lanes
    height = TILES[plan.vectors - 1]
    panel_part, rest = task % plan.panel_parts, task // plan.panel_parts
    part, group = rest % plan.parts, rest // plan.parts
    first = panel_part * plan.panels // plan.panel_parts
    last = (panel_part + 1) * plan.panels // plan.panel_parts
    size = plan.tiles * height * width
    sums_at = (group * plan.parts + part) * plan.panels * size
    for n in range(first * size, last * size):
        sums[sums_at + n] = 0
    in_place = plan.room % lanes == 0 and plan.x_row * x.itemsize <= _PIXEL_BYTES
    zeros = np.zeros(plan.room, x.dtype)
    # The last runs again, before zeros: read in vectors, they would be read beyond the end.
    behind = x.size - plan.room
    tail = np.zeros(2 * plan.room, x.dtype)
    for n in range(max(0, -behind), plan.room):
        tail[n] = x[behind + n]
    block = -(-plan.pixels // plan.blocks)
    starts = np.empty((plan.runs + 1) * block, np.int64)  # of each pixel's runs, and of zeros
    a_starts = _multiples(block, plan.a_row)
    left_in_place = plan.rows % height == 0 and plan.a_row * a.itemsize <= _PIXEL_BYTES
    left_cells = np.zeros(0 if left_in_place else plan.tiles * block * height + lanes, x.dtype)
    left, left_row = (a, plan.a_row) if left_in_place else (left_cells, height)
    row = width if plan.run % lanes == 0 else width + lanes  # room for what a run that ends amid a vector overwrites
    panel_cells = np.zeros(0 if in_place else block * row + 2 * lanes, x.dtype)
    aligned = -panel_cells.ctypes.data % VECTOR_BYTES // x.itemsize
    panel_starts = _multiples(block, row)
    places = np.zeros(2 * plan.vectors, np.int64)
    columns = plan.runs * plan.room
    total = plan.units * plan.blocks
    for number in range(part * total // plan.parts, (part + 1) * total // plan.parts):
        unit, start = number // plan.blocks, number % plan.blocks * block
        count = min(block, plan.pixels - start)
        if count <= 0:
            continue
        a_at = (unit * plan.pixels + start) * plan.a_row + group * plan.a_group
        x_at = unit * plan.x_unit + group * plan.x_group
        left_at, left_tile = (a_at, height) if left_in_place else (0, block * height)
        for tile in range(0 if left_in_place else plan.tiles):
            wanted = min(height, plan.rows - tile * height)
            gather_runs(left_cells, tile * left_tile, height, a, a_at + tile * height, a_starts, 0, count, wanted)
        zero = (zeros.ctypes.data - x.ctypes.data) // x.itemsize - x_at
        last_start = behind - x_at if plan.room > plan.run else x.size
        in_tail = (tail.ctypes.data - x.ctypes.data) // x.itemsize - behind
        for run in range(plan.runs):
            pixels = table[run * plan.pixels + start : run * plan.pixels + start + count]
            places_of_run = starts[run * block : run * block + count]
            for p in range(count):
                place = pixels[p] * plan.x_row
                place += in_tail if place > last_start else 0
                places_of_run[p] = place if pixels[p] >= 0 else zero
        for n in range(block):
            starts[plan.runs * block + n] = zero
        for panel in range(first, last):
            column = panel * width
            end = min(column + width, columns)
            if in_place:
                for n in range(plan.vectors):
                    run, skip = (column + n * lanes) // plan.room, (column + n * lanes) % plan.room
                    places[2 * n] = x_at + (skip if run < plan.runs else 0)
                    places[2 * n + 1] = min(run, plan.runs) * block
            else:
                place = aligned
                for n in range(plan.vectors):
                    places[2 * n] = aligned + n * lanes
                while column < end:
                    run, skip = column // plan.run, column % plan.run
                    length = min(plan.run - skip, end - column)
                    gather_runs(panel_cells, place, row, x, x_at + skip, starts, run * block, count, length)
                    column += length
                    place += length
            cells, cell_starts = (x, starts) if in_place else (panel_cells, panel_starts)
            for tile in range(plan.tiles):
                outer_tile(
                    plan.vectors, left, left_at + tile * left_tile, left_row, cells, places, cell_starts, count,
                    sums, sums_at + panel * size + tile * height * width,
                )  # fmt: skip


@jit
def _collect(index, sums, result, plan):
    """Add the parts of one tile's rows in order and lay them out as [row][channel][tap]."""
    width = plan.vectors * (VECTOR_BYTES // sums.itemsize)
    height = TILES[plan.vectors - 1]
    size = plan.tiles * height * width
    group, tile = index // plan.tiles, index % plan.tiles
    columns, taps = plan.runs * plan.run, plan.runs * plan.run // plan.channels
    for panel in range(plan.panels):
        at = (group * plan.parts * plan.panels + panel) * size + tile * height * width
        for part in range(1, plan.parts):
            ahead = at + part * plan.panels * size
            total, more = sums[at : at + height * width], sums[ahead : ahead + height * width]
            for n in range(height * width):
                total[n] += more[n]
        for m in range(min(height, plan.rows - tile * height)):
            source, column = at + m * width, panel * width
            target = (group * plan.rows + tile * height + m) * columns
            left = min(width, plan.runs * plan.room - column)
            while left > 0:
                run, skip = column // plan.room, column % plan.room
                channel = skip % plan.channels
                count = min(left, plan.channels - channel, plan.room - skip)
                if skip < plan.run:
                    row = sums[source : source + count]
                    start = target + channel * taps + (run * plan.run + skip) // plan.channels
                    place = result[start : target + columns : taps]
                    for n in range(count):
                        place[n] = row[n]
                source += count
                column += count
                left -= count


@pool_jit
def _outer_product(parallel, a, x, table, sums, result, numbers):
    plan = OuterPlan(*to_fixed_tuple(numbers, _OUTER_FIELDS))
    parallel_for(plan.groups * plan.parts * plan.panel_parts, parallel, _block_sums, (a, x, table, sums, plan))
    parallel_for(plan.groups * plan.tiles, parallel, _collect, (sums, result, plan))


def outer_plan(itemsize, groups, units, pixels, rows, runs, run, channels, *strides):
    """The plan of an outer product: the cheapest tile, and a number of parts that the shapes fix."""
    lanes = VECTOR_BYTES // itemsize
    whole = -(-run // lanes)

    def cost(choice):
        """Vectors that are multiplied for a pixel, and what it costs to lay the pixel out where runs need not be."""
        vectors, room = choice
        height = TILES[vectors - 1]
        multiplied = -(-rows // height) * height * -(-runs * room // (vectors * lanes)) * vectors * COSTS[vectors - 1]
        return multiplied + (0 if room % lanes == 0 else _LAID_OUT * runs * whole)

    near = strides[3] * itemsize <= _PIXEL_BYTES  # x_row
    rooms = {run, whole * lanes} if near else {run}
    vectors, room = min(itertools.product((4, 3, 2, 1), sorted(rooms)), key=cost)
    columns = runs * room
    panels = -(-columns // (vectors * lanes))
    tiles = -(-rows // TILES[vectors - 1])
    panel_size = tiles * TILES[vectors - 1] * vectors * VECTOR_BYTES
    panel_parts = -(-panels // max(1, _WEIGHT_BYTES // panel_size))
    blocks = -(-pixels // _STEPS)
    parts = max(1, min(_TASKS // (groups * panel_parts), units * pixels // (8 * _STEPS)))
    return OuterPlan(
        groups, units, pixels, rows, runs, run, room, channels, *strides, vectors, tiles, panels, panel_parts, blocks,
        parts,
    )  # fmt: skip


def outer_product(a, x, table, result, plan):
    """result[group, row, channel, tap] = sum over units and pixels of a[pixel, row] * x[table[tap, pixel], channel]."""
    size = plan.tiles * TILES[plan.vectors - 1] * plan.vectors * (VECTOR_BYTES // x.itemsize)
    sums = empty(plan.groups * plan.panels * plan.parts * size, x.dtype)
    work = plan.groups * plan.panels * size * plan.units * plan.pixels
    _outer_product(work >= _SERIAL, a, x, table, sums, result, _numbers(plan))
