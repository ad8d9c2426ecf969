"""The path of a real GPU, on the host: what numba-cuda compiles for the device is run, with CuPy's place taken.

A sample by default, of every kind of kernel and of what only that path has (launches, streams, captures); all of
`test_simulator_*.py` and `test_device_*.py` run so with `MINIGRAD_CUDA_DEVICE=1 pytest -p emulated tests/cuda`.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLE = (
    "test_matmul or test_softmax_of or test_max_pool_of or captured_step or go_on_at_every_replay or page_locked or "
    "streams or test_copies or test_views_share or one_instruction or needs_numbers_of_the_host or unlike_its_parameter"
)


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason='needs pip install "minigrad[cuda-test]"')
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="the simulator stands in for the GPU")
def test_the_path_of_a_gpu():
    sys.path.insert(0, str(HERE / "emulator"))
    from host import COMPILER

    if COMPILER is None:
        pytest.skip("needs a C compiler")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "emulated", "-p", "no:cacheprovider", "-p", "no:xdist", "-k",
         SAMPLE, str(HERE)],
        env={**os.environ, "MINIGRAD_CUDA_DEVICE": "1", "MINIGRAD_EXAMPLES": "1",
             "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0 and "passed" in result.stdout, result.stdout + result.stderr
