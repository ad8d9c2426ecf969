"""The disk cache of compiled kernels: kept, shared, healed and done without."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

CODE = """
import numpy as np
from minigrad.kernels.cpu.conv import channel_sum, _channel_sum
assert channel_sum(np.ones((2, 3))).tolist() == [2, 2, 2]
kernel = _channel_sum.kernel
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def run(folder, **environment):
    """((cache hits, cache misses) of the entry point, standard error) of a fresh interpreter that sums channels."""
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "MINIGRAD_CACHE": str(folder), "MINIGRAD_QUIET": "", **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return tuple(map(int, result.stdout.split())), result.stderr


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A folder in which the kernels lie compiled, and what standard error said meanwhile."""
    folder = tmp_path_factory.mktemp("cache")
    counts, said = run(folder)
    assert counts == (0, 1)
    return folder, said


def test_compiling_is_told_once_and_then_never(warm):
    folder, said = warm
    assert said.count("minigrad: ") == 1
    assert run(folder) == ((1, 0), "")


def test_quiet(tmp_path):
    assert run(tmp_path, MINIGRAD_QUIET="1") == ((0, 1), "")


def test_settings_have_folders_of_their_own(warm):
    folder, _ = warm
    before = set(folder.iterdir())
    counts, _ = run(folder, NUMBA_BOUNDSCHECK="0" if os.environ.get("NUMBA_BOUNDSCHECK") == "1" else "1")
    assert counts == (0, 1)
    assert set(folder.iterdir()) > before


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("keep", [0, 1, 50])
def test_truncated_files_are_compiled_anew(warm, suffix, keep):
    folder, _ = warm
    for path in folder.glob(f"*/*.{suffix}"):
        path.write_bytes(path.read_bytes()[:keep])
    assert run(folder)[0] == (0, 1)
    assert run(folder)[0] == (1, 0)


def test_garbage_is_compiled_anew(warm):
    folder, _ = warm
    for path in folder.glob("*/*.nbi"):
        path.write_bytes(b"\x80\x05garbage" * 100)
    assert run(folder)[0] == (0, 1)
    assert run(folder)[0] == (1, 0)


def test_a_place_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    counts, said = run(blocked)
    assert counts == (0, 1)
    assert said.count("cannot be kept") == 1


def test_processes_may_start_together(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, [tmp_path] * 3))
    assert run(tmp_path)[0] == (1, 0)
