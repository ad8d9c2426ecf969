"""The pool of large arrays: memory comes back when nothing is left on it, and the pool stays within what was in use."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad.kernels import buffers, cpu

MB = 1 << 18  # float32 elements


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """A pool of the test's own."""
    fresh = buffers._Pool()
    monkeypatch.setattr(buffers, "_pool", fresh)
    return fresh


@pytest.mark.parametrize("shape", [(0, 3), (), 5, (2, 3), (4 * MB,), (4, MB)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_like_numpys_empty(shape, dtype):
    array, expected = buffers.empty(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.strides, array.dtype) == (expected.shape, expected.strides, expected.dtype)
    assert array.flags.carray
    array[...] = 1
    assert array.all()


def test_memory_is_used_again_only_when_nothing_lies_on_it():
    array = buffers.empty((4, MB), np.float32)
    address, part = array.ctypes.data, array.T[10:20]
    assert address % 64 == 0
    del array
    other = buffers.empty((4, MB), np.float32)
    assert other.ctypes.data != address
    del part
    assert buffers.empty((4 * MB,), np.float32).ctypes.data == address


def test_idle_memory_stays_within_what_was_in_use_at_once(pool):
    for size in range(4, 20):
        array = buffers.empty(size * MB, np.float32)
        del array
        found = buffers.statistics()
        assert found["used"] == 0 and found["idle"] <= found["peak"] <= (size * MB * 4) + 4096
    assert buffers.release() == found["idle"] > 0
    assert buffers.statistics()["idle"] == 0


def test_threads_never_get_the_same_memory():
    wrong = []

    def work(mark):
        for _ in range(50):
            array = buffers.empty(MB, np.float32)
            array[:] = mark
            wrong.append(not (array == mark).all())

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(wrong)


def test_what_the_system_refuses_leaves_no_trace(pool):
    keep = buffers.empty(MB, np.float32)
    buffers.empty(2 * MB, np.float32)  # idle at once
    with pytest.raises(MemoryError):
        buffers.empty((1 << 50,), np.float32)
    assert buffers.statistics() == {"used": keep.nbytes, "idle": 0, "peak": 3 * keep.nbytes}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_can_allocate_while_a_thread_of_the_parent_was_doing_so():
    code = """
import os, threading
import numpy as np
from minigrad.kernels import buffers

def hold():
    for _ in range(20_000):
        buffers.empty(1 << 18, np.float32)

thread = threading.Thread(target=hold)
thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        buffers.empty(1 << 18, np.float32)[:] = 1
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
thread.join()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=300)


def test_large_results_come_from_the_pool_and_go_back(pool):
    x = np.ones((1, 8, 256, 256), np.float32)
    y = cpu.conv_forward(x, np.ones((8, 8, 1, 1), np.float32), None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    assert pool.used_bytes >= y.nbytes
    del y
    assert pool.used_bytes == 0


def test_what_is_unshared():
    owner = np.ones((3, 4))
    assert buffers.unshared(owner)
    turned = owner.T
    assert not buffers.unshared(owner) and not buffers.unshared(turned)
    del owner
    assert buffers.unshared(turned)
    same = turned
    assert not buffers.unshared(turned) and buffers.unshared(turned, 2)
    del same
    pooled = buffers.empty((2, MB), np.float32).T
    assert buffers.unshared(pooled)
    foreign = np.frombuffer(bytearray(8), np.float64)
    assert not buffers.unshared(foreign)
