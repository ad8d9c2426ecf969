"""The disk cache of compiled kernels: kept, shared, healed and done without."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad.kernels import cache
from minigrad.kernels.jit import jit

CODE = """
import numpy as np
from minigrad.kernels.cpu.conv import channel_sum, _channel_sum
assert channel_sum(np.ones((2, 3))).tolist() == [2, 2, 2]
kernel = _channel_sum.kernel
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


READ_ONLY = """
import builtins, errno, io, os
def refuse(*args, **kwargs):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
for name in ("mkdir", "makedirs", "replace", "rename", "unlink", "utime"):
    setattr(os, name, refuse)
plain = io.open
def guarded(file, mode="r", *args, **kwargs):
    return refuse() if set(mode) & set("wax+") else plain(file, mode, *args, **kwargs)
builtins.open = io.open = guarded
"""  # for those who run the tests as root, whom no permission stops


def run(folder, before="", after="", **environment):
    """((cache hits, cache misses) of the entry point, standard error) of a fresh interpreter that sums channels."""
    result = subprocess.run(
        [sys.executable, "-c", before + CODE + after],
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


def test_settings_have_folders_of_their_own_and_quiet_is_quiet(warm):
    folder, _ = warm
    before = set(folder.iterdir())
    other = "0" if os.environ.get("NUMBA_BOUNDSCHECK") == "1" else "1"
    assert run(folder, NUMBA_BOUNDSCHECK=other, MINIGRAD_QUIET="1") == ((0, 1), "")
    assert set(folder.iterdir()) > before


def count(numbers):
    """What the tests of damaged files compile."""
    found = 0
    for _ in numbers:
        found += 1
    return found


@pytest.fixture
def again(tmp_path, monkeypatch):
    """`again()` calls the kernel as a new process would: (cache hits, cache misses)."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)

    def call():
        kernel = jit(count)
        assert kernel(np.ones(3)) == 3
        return sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values())

    assert call() == (0, 1)
    assert call() == (1, 0)
    return call


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("keep", [0, 1, 50])
def test_truncated_files_are_compiled_anew(again, tmp_path, suffix, keep):
    (path,) = tmp_path.glob(f"*.{suffix}")
    path.write_bytes(path.read_bytes()[:keep])
    assert again() == (0, 1)
    assert again() == (1, 0)


def test_garbage_is_compiled_anew(again, tmp_path):
    (path,) = tmp_path.glob("*.nbi")
    path.write_bytes(b"\x80\x05garbage" * 100)
    assert again() == (0, 1)
    assert again() == (1, 0)


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
    assert not list(tmp_path.glob("*/*.tmp.*"))


def test_a_read_only_system_compiles_in_every_process(tmp_path):
    counts, said = run(tmp_path, READ_ONLY)
    assert counts == (0, 1)
    assert said.count("cannot be kept") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_cache_is_used(warm):
    folder, _ = warm
    assert run(folder, READ_ONLY) == ((1, 0), "")


def test_a_damaged_file_in_a_read_only_cache_is_compiled_anew(tmp_path):
    run(tmp_path)
    for path in tmp_path.glob("*/*.nbi"):
        path.write_bytes(b"")
    counts, said = run(tmp_path, READ_ONLY)
    assert counts == (0, 1)
    assert said.count("cannot be kept") == 1


def test_loading_leaves_the_compiler_alone(warm):
    """What is on disk needs neither Numba's typing and lowering rules nor SciPy, half a second of imports."""
    folder, _ = warm
    after = "import sys; assert not {'scipy.linalg', 'numba.np.linalg', 'numba.np.npyimpl'} & set(sys.modules)"
    assert run(folder, after=after)[0] == (1, 0)


def test_folders_unused_for_a_month_are_removed(tmp_path):
    names = {"0123456789abcdef": 40, "fedcba9876543210": 20, "somebody-else's": 40, "0123456789abcdeg": 40}
    now = time.time()
    for name, days in names.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernel.nbc").write_bytes(b"")
        os.utime(tmp_path / name, (now - days * 86400,) * 2)
    run(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert set(names) - left == {"0123456789abcdef"}


def test_a_folder_in_use_stays_young(warm):
    folder, _ = warm
    for path in folder.iterdir():
        os.utime(path, (time.time() - 20 * 86400,) * 2)
    run(folder)
    assert sum(time.time() - path.stat().st_mtime < 86400 for path in folder.iterdir()) == 1
