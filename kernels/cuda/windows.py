"""Where the windows of a convolution lie, as tables of whole numbers that its kernels read.

A convolution is a matrix product: its rows are the places of the windows, and along the depth lie the cells of a
window, channel by channel, tap by tap. The input gradient is one too, with dy in the place of x: a pixel of dx gathers
the pixels of dy whose windows held it. Where windows are `stride` apart only every stride-th tap meets such a pixel, so
it falls apart into phases, one for each remainder of a pixel's coordinates, each a convolution of stride 1.

A table is a `HEAD` of sizes, then four numbers for each entry of the depth: how far the cell lies from the window's
place along the three axes, and in memory. Then follows, for each place along the depth, the line of the weight that
meets it. Images have three axes here; missing ones have the size 1.
"""

import functools
from itertools import product
from math import prod

from .memory import constant

# Where the sizes stand in a table, most of them for three axes:
PLACES, SCALE = 0, 3  # windows along the axes, and the image's cells from one to the next
SIZE, LINE, CHANNELS = 6, 9, 10  # of the image: its size, all channels, those of a group
RESULT_LINE, FILTERS = 11, 12  # of the result: all channels, those of a group
RESULT, SPACING, FIRST = 13, 16, 19  # the result's size, from one of its pixels to the next, the first of them
CELLS, WINDOWS = 22, 23  # depth and rows of the product
LISTED, GROUP_LINES = 24, 25  # where the list of the weight's lines begins, how many a group has
HEAD = 28  # numbers before the entries
FAR = 1 << 28  # a step that leads out of any image
PADDED = 128  # entries are filled up to a multiple of this, which is what a tile may read


def _three(values, missing):
    values = tuple(values)
    return (missing,) * (3 - len(values)) + values


def _table(
    places, scale, size, line, channels, result, result_line, columns, spacing, first, taps, images, single, all_taps
):  # fmt: skip
    """(the table on the device, rows, depth) of one product; `taps` pairs a tap's offset with its weight's number.

    With `single` there is an entry for each place along the depth, else one for four channels.
    """
    _, height, width = size
    depth, step = len(taps) * channels, 1 if single else 4
    entries, lines = [], []
    for (z, y, x), number in taps:
        for c in range(0, channels, step):
            entries += z, y, x, ((z * height + y) * width + x) * line + c
        lines += range(number * channels, (number + 1) * channels)
    filling = -depth % PADDED
    entries += (FAR, 0, 0, 0) * (filling // step + PADDED // step)
    lines += [0] * (filling + PADDED)
    rows = images * prod(places)
    head = *places, *scale, *size, line, channels, result_line, columns, *result, *spacing, *first
    head = *head, depth, rows, HEAD + len(entries), all_taps * channels
    return constant((*head, *(0,) * (HEAD - len(head)), *entries, *lines)), rows, depth


@functools.lru_cache(512)
def forward_windows(x_shape, weight_shape, output, stride, padding, dilation, groups, single):
    """(table, rows, depth) of the windows that a convolution slides over x."""
    images, line, *size = x_shape
    filters, channels, *kernel = weight_shape
    size, kernel, places = _three(size, 1), _three(kernel, 1), _three(output, 1)
    stride, dilation = _three(stride, 1), _three(dilation, 1)
    before = _three([start for start, _ in padding], 0)
    taps = [
        (tuple(t * d - p for t, d, p in zip(tap, dilation, before)), number)
        for number, tap in enumerate(product(*map(range, kernel)))
    ]
    return _table(
        places, stride, size, line, channels, places, filters, filters // groups, (1, 1, 1), (0, 0, 0), taps, images,
        single, len(taps),
    )  # fmt: skip


@functools.lru_cache(512)
def gradient_windows(dy_shape, weight_shape, input_shape, stride, padding, dilation, groups, single):
    """A list of (table, rows, depth), one for each phase of the pixels of dx."""
    images, line, *places = dy_shape
    filters, channels, *kernel = weight_shape
    size, kernel, result = _three(places, 1), _three(kernel, 1), _three(input_shape[2:], 1)
    stride, dilation = _three(stride, 1), _three(dilation, 1)
    before = _three([start for start, _ in padding], 0)
    found = []
    for first in product(*map(range, map(min, stride, result))):
        places = [-(-(n - f) // s) for n, f, s in zip(result, first, stride)]
        taps = []
        for number, tap in enumerate(product(*map(range, kernel))):
            steps = [f + p - t * d for f, p, t, d in zip(first, before, tap, dilation)]
            if all(step % s == 0 for step, s in zip(steps, stride)):
                taps.append((tuple(step // s for step, s in zip(steps, stride)), number))
        columns = channels * groups, channels, stride, first
        phase = places, (1, 1, 1), size, line, filters // groups, result, *columns, taps, images, single, prod(kernel)
        found.append(_table(*phase))
    return found
