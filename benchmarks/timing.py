"""How the benchmarks measure: candidates interleaved in one process, median and best of many runs.

A figure without its neighbour from the same run says nothing, for machines are shared and their speed drifts.
"""

import os
import platform
import statistics
import time
from pathlib import Path

import numba
import numpy as np
from minigrad.kernels.cpu.tile import TILES, VECTOR_BYTES, indirect_tile
from minigrad.kernels.jit import jit, pool_jit
from minigrad.kernels.parallel import parallel_for

__all__ = ["interleave", "machine", "multiply_add_limit"]


def machine():
    """One line on what the figures were measured with."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} CPUs, {numba.get_num_threads()} threads; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, Numba {numba.__version__}"
    )


def interleave(candidates, seconds=0.5, warm=2):
    """Time functions in turn: {name: (median, best)} in seconds.

    candidates maps names to functions without arguments. They take turns in bursts, so that a drift of the machine
    meets all alike, until about `seconds` have passed for each; the first calls of a burst, which wait for the threads
    of the one before to go to sleep, do not count.
    """
    bursts = {}
    for name, function in candidates.items():
        function()
        start = time.perf_counter()
        function()
        bursts[name] = max(1, min(200, round(0.01 / (time.perf_counter() - start))))
    times = {name: [] for name in candidates}
    end = time.perf_counter() + seconds * len(candidates)
    while time.perf_counter() < end or min(map(len, times.values())) < 5:
        for name, function in candidates.items():
            for _ in range(warm):
                function()
            for _ in range(bursts[name]):
                start = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(series), min(series)) for name, series in times.items()}


_TASKS, _TILES, _DEPTH = 64, 200, 64


@jit
def _multiply_adds(task, x, table, y):
    """Tiles of three vectors whose operands all stay in the first cache."""
    for _ in range(_TILES):
        indirect_tile(4, x, 0, 1, table, 0, 1, 1, _DEPTH, x, 0, 0, 0, 0, y, task * 64, 0, table, 0, 1)


@pool_jit
def _all_threads(tasks, x, table, y):
    parallel_for(tasks, True, _multiply_adds, (x, table, y))


def multiply_add_limit():
    """The multiply-adds that all threads reach on float32 data in the first cache, in GFLOP/s."""
    rows, width = TILES[2], 3 * VECTOR_BYTES // 4
    x, table, y = np.zeros(_DEPTH * width, np.float32), np.zeros(rows, np.int32), np.zeros(_TASKS * 64, np.float32)
    _, best = interleave({"limit": lambda: _all_threads(_TASKS, x, table, y)})["limit"]
    return 2 * _TASKS * _TILES * _DEPTH * rows * width / best / 1e9
