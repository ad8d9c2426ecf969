"""Indirection tables: which pixel each output pixel reads at each tap of a kernel.

A convolution is a matrix product whose left rows are found through a table (Dukhan, "The Indirect Convolution
Algorithm", 2019): entry [row, tap] is the number of the pixel to read, or -1 for zeros. Stride, padding and dilation
live in the table alone, for any number of spatial axes. `out` says which pixel of the result a row of the table is.
Tables depend on the geometry, not on channels or data, and the callers keep them.
"""

import numpy as np

__all__ = [
    "fold",
    "fold_images",
    "forward_table",
    "output_size",
    "pixel_table",
    "spread_table",
    "strips",
    "transposed_table",
]


def output_size(size, kernel, stride, padding, dilation):
    """Spatial shape of a convolution's result."""
    return tuple(
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, (before, after), d in zip(size, kernel, stride, padding, dilation)
    )


def forward_table(size, output, kernel, stride, padding, dilation):
    """(table, out) of the forward convolution: rows are output pixels, entries input pixels."""
    axes = []
    for n, o, k, s, (before, _), d in zip(size, output, kernel, stride, padding, dilation):
        read = np.arange(o)[:, None] * s - before + np.arange(k) * d  # (output, kernel)
        axes.append(np.where((read >= 0) & (read < n), read, -1))
    table = _combine(axes, size)
    return table, np.arange(len(table))


def transposed_table(size, output, kernel, stride, padding, dilation):
    """(table, out) of the input gradient: rows are input pixels, entries the output pixels that read them.

    Rows are ordered by their phase, the remainder of the pixel's position by the stride, so that neighbouring rows have
    the same empty taps.
    """
    axes = [_transposed_axis(*axis) for axis in zip(size, output, kernel, stride, padding, dilation)]
    return _by_phase(axes, output, padding, stride)


def spread_table(size, output, kernel, stride, padding, dilation, spread, window, first):
    """`transposed_table` for rows of `spread` input pixels side by side along the last axis.

    Their entries along that axis are the `window` output pixels, from number `first` on for the first row, that any of
    them is read by; `spread` is a multiple of the stride there.
    """
    axes = [_transposed_axis(*axis) for axis in zip(size[:-1], output, kernel, stride, padding, dilation)]
    read = np.arange(-(-size[-1] // spread))[:, None] * (spread // stride[-1]) + first + np.arange(window)
    axes.append(np.where((read >= 0) & (read < output[-1]), read, -1))
    return _by_phase(axes, output, (*padding[:-1], (0, 0)), (*stride[:-1], 1))


def _transposed_axis(n, o, k, s, edges, d):
    """The (input, kernel) coordinates of the output pixels that read each input pixel of an axis."""
    ahead = np.arange(n)[:, None] + edges[0] - np.arange(k) * d
    read = ahead // s
    return np.where((ahead % s == 0) & (read >= 0) & (read < o), read, -1)


def _by_phase(axes, output, padding, stride):
    """(table, out) from one table of coordinates per axis, its rows in the order of their phases."""
    phase = np.zeros((1,), np.int64)
    for axis, (before, _), s in zip(axes, padding, stride):
        phase = (phase[:, None] * s + (np.arange(len(axis)) + before) % s).ravel()
    out = np.argsort(phase, kind="stable")
    return _combine(axes, output)[out], out


def strips(table, out, heights, size):
    """(strips, entries) of a table: its rows in groups that read, and write, evenly spaced pixels, and have no gaps.

    A strip's rows have the same taps, of which each reads a pixel that lies `offset` behind what the first tap reads. A
    strip is (number of its height in `heights`, first entry, entries, first pixel read, step, first pixel written,
    step), an entry (tap, offset); pixels are counted in elements, of which they have `size`. Heights fall to 1.
    """
    has = table >= 0
    patterns, first, pattern = np.unique(has, axis=0, return_index=True, return_inverse=True)
    pattern = pattern.reshape(-1)
    anchor = np.where(has.any(1), table[np.arange(len(table)), has.argmax(1)], 0)
    entries = []
    for row, taps in zip(first, map(np.flatnonzero, patterns)):
        pairs = np.stack([taps, table[row, taps] - anchor[row]], 1)
        entries.append(pairs[np.argsort(pairs[:, 1])])  # in the order of memory
    ends = np.cumsum([0, *map(len, entries)])

    # Chains of rows with one pattern and one step; at the edges of images they run across the lines.
    order = np.argsort(pattern, kind="stable")
    rows = np.stack([pattern[order], anchor[order], out[order]], 1)
    links = np.diff(rows, axis=0)
    changes = np.append(np.flatnonzero((links[1:] != links[:-1]).any(1)) + 1, len(links))
    found, row = [], 0
    while row < len(rows):
        number, *start = rows[row].tolist()
        length, steps = 1, (0, 0)
        if row < len(links) and links[row, 0] == 0:
            length, steps = changes[np.searchsorted(changes, row, "right")] - row + 1, links[row, 1:].tolist()
        row += length
        for kind, height in enumerate(heights):
            while length >= height:
                (read, written), (read_step, written_step) = start, steps
                found.append((kind, ends[number], len(entries[number]), read, read_step, written, written_step))
                start = [read + height * read_step, written + height * written_step]
                length -= height
    found = np.array(sorted(found, key=lambda strip: strip[5]), np.int64)
    found[:, 3:] *= size
    return found, (np.concatenate([*entries, [[0, 0]]]) * [1, size]).astype(np.int64)


def pixel_table(pixels):
    """(table, out) that reads every pixel as it stands: a matrix, or a 1x1 convolution of stride 1."""
    out = np.arange(pixels)
    return out[:, None], out


def _combine(axes, size):
    """(pixels, taps) table of flat pixel numbers from one (pixels, taps) table of coordinates per axis."""
    table = np.zeros((1, 1), np.int64)
    for axis, n in zip(axes, size):
        flat = table[:, None, :, None] * n + axis[:, None, :]
        inside = (table[:, None, :, None] >= 0) & (axis[:, None, :] >= 0)
        table = np.where(inside, flat, -1).reshape(len(table) * len(axis), -1)
    return table


def fold_images(table, out, images, pixels_in, pixels_out, by_pixel=True):
    """(table, out) for `images` images at once, one behind the other in memory, flat.

    Rows stand together by pixel, so that those of a tile share their padding, which the tile skips; else by image, in
    the order of memory. Entries are 32 bits wide unless the images are larger than that.
    """
    image = np.arange(images)
    table = np.where(table >= 0, table + image[:, None, None] * pixels_in, -1)  # (image, pixel, tap)
    out = out + image[:, None] * pixels_out
    if by_pixel:
        table, out = table.swapaxes(0, 1), out.T
    wide = images * max(pixels_in, pixels_out) > np.iinfo(np.int32).max
    dtype = np.int64 if wide else np.int32
    return np.ascontiguousarray(table, dtype).reshape(-1), np.ascontiguousarray(out, dtype).reshape(-1)


def fold(images, pixels, enough):
    """Number of images to treat as one: the smallest divisor of `images` that gives `enough` rows."""
    return next((n for n in range(1, images) if images % n == 0 and n * pixels >= enough), max(images, 1))
