"""These tests need the simulator, which has to be chosen before the kernels are imported: a process of its own.

In any other process (the one of the whole suite, with the CPU's kernels in it) `test_lanes.py` starts that process and
reports what it says. On a machine with a GPU, MINIGRAD_CUDA_DEVICE=1 runs them on it, and none that are of other lanes;
with MINIGRAD_CUDA_POOL=0 each array is then a piece of memory of its own, beyond which compute-sanitizer looks.
"""

import os
from importlib import import_module

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
ON_DEVICE = os.environ.get("MINIGRAD_CUDA_DEVICE") == "1" and not SIMULATED

collect_ignore_glob = [] if SIMULATED else ["test_simulator_*.py", "test_device_*.py"]
if ON_DEVICE:
    collect_ignore_glob = ["test_lanes.py", "test_compile.py", "test_emulated.py", "test_simulator_itself.py"]
    if os.environ.get("MINIGRAD_CUDA_POOL") == "0":
        import_module("cupy").cuda.set_allocator(None)
