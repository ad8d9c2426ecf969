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

__all__ = ["interleave", "machine"]


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
    meets all alike, until about `seconds` have passed for each. Before a burst nothing runs for a while, for OpenBLAS
    lets its threads spin for some 30 ms after a product; and the first calls of a burst, which wake threads, do not
    count.
    """
    bursts = {}
    for name, function in candidates.items():
        function()
        start = time.perf_counter()
        function()
        bursts[name] = max(1, min(1000, round(0.05 / (time.perf_counter() - start))))
    times = {name: [] for name in candidates}
    end = time.perf_counter() + seconds * len(candidates)
    while time.perf_counter() < end or min(map(len, times.values())) < 5:
        for name, function in candidates.items():
            time.sleep(0.05)
            for _ in range(warm):
                function()
            for _ in range(bursts[name]):
                start = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(series), min(series)) for name, series in times.items()}
