"""Where the windows of pooling lie along the axes, and which elements a thread reads and writes.

Memory is channels-last; a thread has a group of WIDE neighbouring channels, four where there are whole groups of four.
Windows have a stride, padding and dilation, or, ADAPTIVE, divide the input evenly. Images have three axes here; missing
ones have the size 1.
"""

from ._numba import div, i32, inlined
from .memory import aligned, constant
from .vector import put4, take4

# In the tables of sizes, 0: groups of WIDE channels, 1: the input's size, 4: the output's, 7: the window's, 10: stride,
# 13: padding, 16: dilation, each for three axes.


@inlined
def place_of(number, sizes, first):
    """(image, z, y, x, group of channels) of a place whose axes' sizes begin at entry `first`."""
    place = div(number, sizes[0])
    row = div(place, sizes[first + 2])
    plane = div(row, sizes[first + 1])
    image = div(plane, sizes[first])
    z, y, x = plane - image * sizes[first], row - plane * sizes[first + 1], place - row * sizes[first + 2]
    return image, i32(z), i32(y), i32(x), i32(number - place * sizes[0])


@inlined
def load(values, array, group, *, WIDE):
    """The numbers of a group of channels."""
    if WIDE == 4:
        take4(values, 0, array, 4 * group)
    else:
        values[0] = array[group]


@inlined
def store(array, group, values, *, WIDE):
    """Write the numbers of a group of channels."""
    if WIDE == 4:
        put4(array, 4 * group, values, 0)
    else:
        array[group] = values[0]


@inlined
def window_start(o, axis, sizes, *, ADAPTIVE):
    """Where window o begins along an axis; in the padding it is negative."""
    if ADAPTIVE:
        return i32(o * sizes[1 + axis] // sizes[4 + axis])
    return i32(o * sizes[10 + axis] - sizes[13 + axis])


@inlined
def window_stop(o, axis, sizes, *, ADAPTIVE):
    """One more than the last cell of window o along an axis, in the input or its padding."""
    if ADAPTIVE:
        return i32(((o + 1) * sizes[1 + axis] + sizes[4 + axis] - 1) // sizes[4 + axis])
    start = o * sizes[10 + axis] - sizes[13 + axis]
    return i32(min(start + (sizes[7 + axis] - 1) * sizes[16 + axis] + 1, sizes[1 + axis] + sizes[13 + axis]))


@inlined
def step_of(axis, sizes, *, ADAPTIVE):
    """The distance of a window's cells."""
    if ADAPTIVE:
        return i32(1)
    return sizes[16 + axis]


@inlined
def into(start, step):
    """The first cell of a window that is not before the image."""
    if start < 0:
        return i32(start + (-start + step - 1) // step * step)
    return i32(start)


@inlined
def first_window(i, axis, sizes, *, ADAPTIVE):
    """The first window that reaches over cell i of an axis."""
    if ADAPTIVE:
        return i32(i * sizes[4 + axis] // sizes[1 + axis])
    reach = (sizes[7 + axis] - 1) * sizes[16 + axis] + 1
    return div(max(0, i + sizes[13 + axis] - reach + sizes[10 + axis]), sizes[10 + axis])


@inlined
def last_window(i, axis, sizes, *, ADAPTIVE):
    """The last window that reaches over cell i of an axis."""
    if ADAPTIVE:
        return i32(((i + 1) * sizes[4 + axis] + sizes[1 + axis] - 1) // sizes[1 + axis] - 1)
    return i32(min(div(i + sizes[13 + axis], sizes[10 + axis]), sizes[4 + axis] - 1))


def wide_of(channels, *arrays):
    """How many channels a thread takes at once."""
    return 4 if channels % 4 == 0 and aligned(*arrays) else 1


def sizes_of(channels, spatial, output, kernel=(), stride=(), padding=(), dilation=()):
    """The table of sizes on the device."""

    def three(values, missing):
        return (missing,) * (3 - len(values)) + tuple(map(int, values))

    sizes = three(spatial, 1), three(output, 1), three(kernel, 1)
    steps = three(stride, 1), three(padding, 0), three(dilation, 1)
    return constant((channels, *sum(sizes + steps, ())))
