"""The element types of files, those here, and arrays filled from a file in the one that minigrad computes in."""

import sys

import numpy as np

from minigrad.autograd.dtypes import SUPPORTED

from .files import Malformed, brief

BLOCK = 1 << 20  # bytes converted at a time


class Elements:
    """An element type of files: its name there, how it lies there, and the dtype it becomes here."""

    __slots__ = ("dtype", "name", "raw")

    def __init__(self, name, raw, dtype=None):
        self.name, self.raw = name, np.dtype(raw)
        self.dtype = self.raw if dtype is None else np.dtype(dtype)

    @property
    def converted(self):
        """Whether elements become something else here."""
        return self.raw != self.dtype

    @property
    def mappable(self):
        """Whether the bytes of a file can be the memory of a tensor as they are."""
        return not self.converted and self.raw.kind != "b"  # a bool is 0 or 1, a byte of a file may be anything

    def convert(self, block):
        """The elements of `block`, an array of the raw dtype, in the dtype they become."""
        if self.name == "bfloat16":
            return (block.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
        if self.name == "uint64" and block.size and block.max() >= 2**63:
            raise Malformed("a uint64 tensor holds numbers that int64, minigrad's widest, does not")
        return block.astype(self.dtype)


BY_NAME = {
    **{str(dtype): Elements(str(dtype), dtype) for dtype in SUPPORTED},
    "float16": Elements("float16", "f2", "f4"),
    "bfloat16": Elements("bfloat16", "u2", "f4"),
    "uint16": Elements("uint16", "u2", "i8"),
    "uint32": Elements("uint32", "u4", "i8"),
    "uint64": Elements("uint64", "u8", "i8"),
}


def fill(array, elements, readinto, byteorder=sys.byteorder):
    """Fill `array`, 1-d and fresh, from a function that fills a memoryview with the next bytes of a file.

    Elements that become others here are converted block by block, so that the raw ones never lie beside all of them.
    """
    step = max(BLOCK // elements.raw.itemsize, 1)
    block = np.empty(min(step, array.size), elements.raw) if elements.converted else None
    for start in range(0, array.size, step):
        part = array[start : start + step]
        raw = part if block is None else block[: part.size]
        readinto(memoryview(raw.view(np.uint8)))
        if byteorder != sys.byteorder:
            raw.byteswap(inplace=True)
        if elements.raw.kind == "b":
            np.not_equal(raw.view(np.uint8), 0, out=part)  # any other byte counts as true
        elif block is not None:
            part[...] = elements.convert(raw)


def strided(memory, shape, strides, offset):
    """The view of `memory`, a 1-d array, that has `shape`, `strides` and `offset`, all in elements.

    Where they are no whole numbers, leave the memory, or repeat a few elements without end, it is `Malformed`.
    """
    numbers = [offset, *shape, *strides]
    if (
        len(shape) != len(strides)
        or any(type(n) is not int for n in numbers)
        or offset < 0
        or min(shape, default=0) < 0
    ):
        raise Malformed(f"a tensor has shape {brief(shape)}, strides {brief(strides)} and offset {brief(offset)}")
    if 0 in shape:
        return empty(shape, memory.dtype)
    walked = [(n, s) for n, s in zip(shape, strides) if n > 1]
    low, high = (offset + sum((n - 1) * s for n, s in walked if s * sign > 0) for sign in (-1, 1))
    if low < 0 or high >= memory.size:
        raise Malformed(
            f"a tensor of shape {brief(shape)} with strides {brief(strides)} and offset {offset} leaves its memory of "
            f"{memory.size} elements"
        )
    count = 1
    for n, _ in walked:
        count *= n
    if count > max(1 << 24, 16 * memory.size):
        raise Malformed(f"a tensor of shape {brief(shape)} is made of {memory.size} elements of memory")
    if len(shape) > 64:
        raise Malformed(f"a tensor has {len(shape)} dimensions")
    itemsize = memory.itemsize
    steps = [(s if n > 1 else 1) * itemsize for n, s in zip(shape, strides)]
    return np.ndarray(tuple(shape), memory.dtype, memory, offset * itemsize, steps)


def empty(shape, dtype):
    """An array without elements; NumPy knows no shapes of more than 64 dimensions or too large ones."""
    try:
        return np.empty(tuple(shape), dtype)
    except (ValueError, MemoryError) as error:
        raise Malformed(f"a tensor has shape {brief(shape)}: {error}") from error
