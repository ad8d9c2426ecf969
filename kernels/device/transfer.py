"""Memory between host and device: new arrays there, copies over and back, page-locked memory that copies overlap with.

The order of the elements in memory travels along, so that channels-last stays channels-last.
"""

import gc
from collections import deque
from operator import setitem

import numpy as np

from .array import DeviceArray
from .library import current_stream, library, simulated
from .tape import capturing, held, run, seen, uploaded

__all__ = ["empty", "in_pinned_memory", "memory_in_use", "pinned", "to_device", "to_host"]

_under_way: deque = deque()  # (event, host array) of copies that may not have ended: the memory stays theirs


def empty(shape, dtype):
    """An uninitialised C-contiguous device array."""
    return DeviceArray(library().module.empty(shape, dtype))


def _order(array):
    """The axes from the one with the longest steps to the one with the shortest."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _back(order):
    return sorted(range(len(order)), key=order.__getitem__)


def to_device(array, non_blocking=False):
    """A copy of a host array on the device; with `non_blocking` the host need not wait for it.

    Only from page-locked memory does the copy overlap with work; that memory must not be written meanwhile. A graph
    that is captured copies again at every replay: with `non_blocking` what is in page-locked memory then, else what the
    array holds now.
    """
    order = _order(array)
    dense = np.asarray(array.transpose(order), order="C")
    memory = library().module.empty(dense.shape, dense.dtype)
    if capturing() and not (non_blocking and in_pinned_memory(dense)):
        run(setitem, (memory, ..., uploaded(dense)))
    elif simulated():
        run(np.copyto, (memory, dense))
    elif capturing():
        memory.set(held(dense), current_stream())
    else:
        stream = current_stream()
        memory.set(dense, stream)
        if non_blocking:
            _under_way.append((stream.record(), dense))
            while _under_way[0][0].done and len(_under_way) > 1:
                _under_way.popleft()
        else:
            stream.synchronize()
    return DeviceArray(memory.transpose(_back(order)))


def to_host(array):
    """A copy of a device array in the host's memory, complete on return."""
    order = _order(array)
    dense = seen(array.memory).transpose(order)
    host = dense.copy() if simulated() else dense.get()
    return host.transpose(_back(order))


def pinned(array):
    """A copy of a host array in page-locked memory, from which copies to the device overlap with its work."""
    order = _order(array)
    dense = np.asarray(array.transpose(order), order="C")
    memory = _Pinned(dense.nbytes) if simulated() else library().module.cuda.alloc_pinned_memory(dense.nbytes)
    locked = np.frombuffer(memory, dense.dtype, dense.size).reshape(dense.shape)
    locked[...] = dense
    return locked.transpose(_back(order))


def memory_in_use():
    """Bytes of the simulated device's memory in arrays that are alive."""
    owners = {}
    for array in gc.get_objects():
        if type(array) is DeviceArray:
            memory = array.memory
            while isinstance(memory.base, np.ndarray):
                memory = memory.base
            owners[id(memory)] = memory.nbytes
    return sum(owners.values())


class _Pinned(bytearray):
    """What the simulator takes for page-locked memory."""


def in_pinned_memory(array):
    """Whether a host array lies in page-locked memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    owner = array.obj if isinstance(array, memoryview) else array
    return type(owner).__name__ in ("_Pinned", "PinnedMemoryPointer")
