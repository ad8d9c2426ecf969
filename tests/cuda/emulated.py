"""A plugin of pytest, `-p emulated`: `device="cuda"` without a GPU, on the path that a GPU takes.

minigrad finds a CuPy (`emulator/fake_cupy.py`) and a numba-cuda that launches on the host (`emulator/host.py`).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "emulator"))

import fake_cupy
import host

fake_cupy.install()
host.install(fake_cupy.queue)
