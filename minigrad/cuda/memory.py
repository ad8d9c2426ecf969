"""How much of the GPU's memory tensors have, and how much is kept for others to come.

CuPy's pool gives the figures. The simulator counts the bytes of the arrays that are alive; of a pool there is none.
"""

import os

from minigrad.autograd import present
from minigrad.kernels.device import library, memory_in_use, missing, simulated

__all__ = [
    "empty_cache",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
]

_peak = [0]  # the most that was seen when somebody asked


def memory_allocated(device=None):
    """Bytes of GPU memory in tensors; 0 without a GPU (`torch.cuda.memory_allocated`).

    >>> memory_allocated() >= 0
    True
    """
    if missing():
        return 0
    used = memory_in_use() if simulated() else library().module.get_default_memory_pool().used_bytes()
    _peak[0] = max(_peak[0], used)
    return used


def memory_reserved(device=None):
    """Bytes of GPU memory in tensors or kept for new ones (`torch.cuda.memory_reserved`).

    >>> memory_reserved() >= memory_allocated()
    True
    """
    if missing() or simulated():
        return memory_allocated()
    return library().module.get_default_memory_pool().total_bytes()


def max_memory_allocated(device=None):
    """The most that `memory_allocated` found since the start or `reset_peak_memory_stats`.

    CuPy keeps no peak, so it is the largest figure at the moments when one was asked for. Source:
    `torch.cuda.max_memory_allocated`.

    >>> max_memory_allocated() >= 0
    True
    """
    memory_allocated()
    return _peak[0]


def max_memory_reserved(device=None):
    """The same as `memory_reserved`: what CuPy's pool has it keeps until `empty_cache`
    (`torch.cuda.max_memory_reserved`).

    >>> max_memory_reserved() >= 0
    True
    """
    return memory_reserved()


def reset_peak_memory_stats(device=None):
    """Forget the largest use of GPU memory (`torch.cuda.reset_peak_memory_stats`).

    >>> reset_peak_memory_stats()
    """
    _peak[0] = 0


def empty_cache():
    """Give unused GPU memory back (`torch.cuda.empty_cache`).

    >>> empty_cache()
    """
    if not missing() and not simulated():
        library().module.get_default_memory_pool().free_all_blocks()


def mem_get_info(device=None):
    """(free, total) bytes of GPU memory; the simulator's is the machine's (`torch.cuda.mem_get_info`).

    >>> from minigrad.cuda import is_available
    >>> free, total = mem_get_info() if is_available() else (0, 0)
    >>> free <= total
    True
    """
    present("cuda")
    if simulated():
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
    return library().module.cuda.runtime.memGetInfo()
