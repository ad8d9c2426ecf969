"""What this machine can do at most: the limits that a kernel's speed is compared with.

Measured when asked for, with all of the current threads, for a clock that rises and falls and a machine that is shared
make a limit that is an hour old worthless. Each function takes a fraction of a second.
"""

import time

import numba
import numpy as np

from .cpu.tile import multiply_add_chains
from .cpu.vector import VECTOR_BYTES
from .jit import jit, pool_jit
from .parallel import parallel_for

__all__ = ["copy_bandwidth", "multiply_add_limit"]

_SECONDS = 0.2  # for each limit
_STEPS = 500_000  # multiply-adds of a chain: about a millisecond
_COPIED = 1 << 26  # bytes: more than caches hold
_PART = 1 << 17  # numbers that a thread copies at a time


@jit
def _multiply_add(task, steps, numbers, counts):
    """One thread's multiply-adds, on vectors of its own."""
    size = numbers.size // counts.size
    counts[task] = multiply_add_chains(steps, numbers[task * size : (task + 1) * size])


@pool_jit
def _multiply_adds(steps, numbers, counts):
    parallel_for(counts.size, True, _multiply_add, (steps, numbers, counts))


@jit
def _copy_part(task, source, target):
    part, place = source[task * _PART : (task + 1) * _PART], target[task * _PART : (task + 1) * _PART]
    for n in range(_PART):
        place[n] = part[n]


@pool_jit
def _copy(source, target):
    parallel_for(source.size // _PART, True, _copy_part, (source, target))


def _shortest(function):
    """The shortest of the times, in seconds, that function() takes."""
    function()
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while (start := time.perf_counter()) < end:
        function()
        best = min(best, time.perf_counter() - start)
    return best


def multiply_add_limit(dtype):
    """The most that this machine multiplies and adds on all current threads, in GFLOP/s (a multiply-add counts as two).

    dtype is float32 or float64. The sums never leave the vector registers, so no product of matrices is faster.

    >>> multiply_add_limit("float32") > 1
    True
    """
    threads = numba.get_num_threads()
    lines = 4 * VECTOR_BYTES // np.dtype(dtype).itemsize  # one vector more than is used keeps the threads' lines apart
    numbers, counts = np.full(threads * lines, 0.5, dtype), np.zeros(threads, np.int64)
    seconds = _shortest(lambda: _multiply_adds(_STEPS, numbers, counts))
    return 2e-9 * int(counts.sum()) / seconds


def copy_bandwidth():
    """The most that this machine copies from memory to memory on all current threads, in GB/s (read plus written).

    >>> copy_bandwidth() > 0.1
    True
    """
    source, target = np.ones(_COPIED // 8), np.zeros(_COPIED // 8)
    return 2e-9 * _COPIED / _shortest(lambda: _copy(source, target))
