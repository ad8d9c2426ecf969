"""Memory for large results, used again: a fresh large array costs a page fault for every 4 KB that is written.

`empty` is `numpy.empty` for arrays that a kernel fills at once. Where they are large their memory comes from a pool,
and goes back there when the last array on it is gone. The pool never makes the process larger than its arrays alone
once were: before it asks the system for more, it gives back blocks that lie idle.
"""

import os
import threading
from math import prod
from sys import getrefcount

import numpy as np

__all__ = ["empty", "references", "release", "statistics", "unshared"]

_LARGE = 1 << 20  # bytes from which on the pool is asked; malloc keeps what is smaller itself
_FEW = _LARGE >> 3  # elements that are not so many bytes, whatever their dtype
_PAGE = 1 << 12
_ALIGNED = 64  # a cache line, and the widest vector


class _Pool:
    """Idle blocks by size, and how many bytes are, and ever were, in use."""

    def __init__(self):
        self.lock = threading.RLock()  # a block may come back, by garbage collection, while another is taken
        self.idle = {}  # size -> [(address, block)]
        self.idle_bytes = self.used_bytes = self.peak_bytes = 0

    def take(self, size):
        """(address, block) of `size` bytes that nobody uses."""
        with self.lock:
            blocks = self.idle.get(size)
            if blocks:
                self.idle_bytes -= size
                self.used_bytes += size
                return blocks.pop()
            self.shrink(max(0, self.peak_bytes - self.used_bytes - size))
        try:
            block = np.empty(size + _ALIGNED, np.uint8)
        except MemoryError:
            with self.lock:
                self.shrink(0)
            block = np.empty(size + _ALIGNED, np.uint8)
        with self.lock:
            self.used_bytes += size
            self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        address = block.ctypes.data
        return address + -address % _ALIGNED, block

    def give_back(self, size, block):
        """Let the next array of this size have the block."""
        with self.lock:
            self.used_bytes -= size
            self.idle.setdefault(size, []).append(block)
            self.idle_bytes += size

    def shrink(self, limit):
        """Give idle blocks back to the system until at most `limit` bytes of them are left."""
        for size, blocks in list(self.idle.items()):
            while blocks and self.idle_bytes > limit:
                blocks.pop()
                self.idle_bytes -= size
            if not blocks:
                del self.idle[size]


class _Lease:
    """The memory of one array, as NumPy asks for it; lives as long as any array on that memory."""

    __slots__ = ("__array_interface__", "_block", "_size")

    def __init__(self, shape, dtype, size, block):
        self._size, self._block = size, block
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (block[0], False)}

    def __del__(self):
        _pool.give_back(self._size, self._block)


_pool = _Pool()
if hasattr(os, "register_at_fork"):  # a child must not inherit a lock that another thread holds
    os.register_at_fork(
        before=_pool.lock.acquire, after_in_parent=_pool.lock.release, after_in_child=_pool.lock.release
    )


def empty(shape, dtype):
    """An uninitialised C-contiguous array of `shape`, an int or a tuple, and `dtype`.

    >>> empty((2, 3), np.float32).shape
    (2, 3)
    """
    if not isinstance(shape, tuple):
        shape = (shape,)
    elements = prod(shape)
    if elements < _FEW:
        return np.empty(shape, dtype)
    dtype = np.dtype(dtype)
    size = elements * dtype.itemsize
    if size < _LARGE:
        return np.empty(shape, dtype)
    pages = -(-size // _PAGE) * _PAGE
    return np.asarray(_Lease(shape, dtype, pages, _pool.take(pages)))


def references(thing):
    """How many references there are to `thing`, those that this call itself makes left out.

    >>> thing = object()
    >>> references(thing)
    1
    """
    return getrefcount(thing) - _OF_REFERENCES


def unshared(array, names=1):
    """Whether nothing but `names` references, the caller's among them, knows `array`, and nothing else its memory.

    What nobody else can see may be written, or given away, instead of being copied.

    >>> array = np.ones(3)
    >>> unshared(array)
    True
    >>> part = array[1:]
    >>> unshared(array), unshared(part)
    (False, False)
    """
    base = owner = array.base
    if isinstance(base, np.ndarray):
        if references(base) > 3:  # known as `array.base`, `base` and `owner`
            return False
        owner = base.base
    return references(array) <= names + _OF_UNSHARED and (owner is None or type(owner) is _Lease)


def _references_of_calls():
    """How many references it takes to call `references`, and to call a function that calls it: Pythons differ."""
    thing = np.empty(0)

    def pass_on(array):
        return references(array)

    return references(thing) - 1, pass_on(thing) - 1


_OF_REFERENCES = 0
_OF_REFERENCES, _OF_UNSHARED = _references_of_calls()
_OF_UNSHARED -= _OF_REFERENCES


def release():
    """Give all idle memory back to the system; returns how many bytes that was.

    >>> array = empty(1 << 20, np.float32)
    >>> del array
    >>> release() >= 1 << 22
    True
    """
    with _pool.lock:
        idle = _pool.idle_bytes
        _pool.shrink(0)
    return idle


def statistics():
    """Bytes of the pool: `used` by arrays, `idle`, and `peak`, the most that was ever used.

    >>> sorted(statistics())
    ['idle', 'peak', 'used']
    """
    with _pool.lock:
        return {"used": _pool.used_bytes, "idle": _pool.idle_bytes, "peak": _pool.peak_bytes}
