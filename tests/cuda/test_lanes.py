"""The simulator's tests in two processes of their own: the simulator is chosen before anything is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.kernels.device import simulated

HERE = Path(__file__).parent


@pytest.mark.skipif(simulated(), reason="this is the simulator's process")
@pytest.mark.parametrize("kind", ["device", "simulator"])
def test_in_the_simulator(kind):
    files = sorted(map(str, HERE.glob(f"test_{kind}_*.py")))
    assert files
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
