"""These tests need the simulator, which has to be chosen before the kernels are imported: a process of its own.

In any other process (the one of the whole suite, with the CPU's kernels in it) `test_lanes.py` starts that process and
reports what it says. On a machine with a GPU, MINIGRAD_CUDA_DEVICE=1 runs them on it.
"""

import os

CHOSEN = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" or os.environ.get("MINIGRAD_CUDA_DEVICE") == "1"

collect_ignore_glob = [] if CHOSEN else ["test_simulator_*.py", "test_device_*.py"]
