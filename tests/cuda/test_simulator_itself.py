"""The simulator: what it must notice about a kernel, and the order in which its threads run."""

import sys
import threading

import numpy as np
import pytest

from minigrad.kernels.cuda._numba import cuda, i32, kernel, launch, u32
from minigrad.kernels.cuda.simulator import run


@kernel("i32*, i32")
def missing_barrier(result, count, *, THREADS):
    """Each thread reads what its neighbour wrote without waiting for it."""
    shared = cuda.shared.array(THREADS, i32)
    thread = cuda.threadIdx.x
    shared[thread] = thread
    result[thread] = shared[(thread + 1) % THREADS]


@kernel("i32*, i32")
def shifted(result, count, *, THREADS):
    """The same with a barrier."""
    shared = cuda.shared.array(THREADS, i32)
    thread = cuda.threadIdx.x
    shared[thread] = cuda.blockIdx.x * THREADS + thread
    cuda.syncthreads()
    result[cuda.blockIdx.x * THREADS + thread] = shared[(thread + 1) % THREADS]


@kernel("i32*, i32")
def divided(result, count, *, THREADS):
    """Half of the threads miss a barrier."""
    if cuda.threadIdx.x < count:
        cuda.syncthreads()


@kernel("i32*, i32")
def beyond(result, count, *, THREADS):
    """A thread writes where nothing is, while the others wait."""
    if cuda.threadIdx.x == count:
        result[100] = 1
    cuda.syncthreads()


def test_threads_share_memory():
    result = np.zeros(12, np.int32)
    launch(shifted, 3, 4, result, 0, THREADS=4)
    np.testing.assert_array_equal(result, [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8])


def test_a_missing_barrier_shows():
    with pytest.raises(TypeError):  # NaN is no whole number
        launch(missing_barrier, 1, 4, np.zeros(4, np.int32), 0, THREADS=4)


def test_a_barrier_for_some_threads_is_an_error():
    with pytest.raises(RuntimeError, match="2 threads wait at a barrier"):
        launch(divided, 1, 4, np.zeros(4, np.int32), 2, THREADS=4)


def test_an_index_beyond_the_end_is_an_error_that_names_the_thread():
    with pytest.raises(IndexError) as caught:
        launch(beyond, 1, 4, np.zeros(4, np.int32), 2, THREADS=4)
    assert caught.value.__notes__ == ["in thread 2 of block (0, 0, 0)"]


def test_a_debugger_sees_every_thread():
    seen = set()

    def trace(frame, event, arg):
        if frame.f_code.co_name == "shifted":
            seen.add(threading.get_ident())

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        launch(shifted, 2, 4, np.zeros(8, np.int32), 0, THREADS=4)
    finally:
        sys.settrace(before)
    assert len(seen) == 4


def test_a_grid_has_three_sides_and_a_block_a_number_of_threads():
    for grid, threads in (((2, 1), 4), ((1, 1, 1), (4, 1, 1))):
        with pytest.raises(TypeError, match=r"^a grid is \(x, y, z\) and the threads of a block a number, not \("):
            run(print, grid, threads, [])


def test_only_contiguous_arrays_reach_a_kernel():
    with pytest.raises(ValueError, match="contiguous"):
        launch(shifted, 3, 4, np.zeros(24, np.int32)[::2], 0, THREADS=4)


def test_unsigned_numbers_wrap():
    assert u32(-1) == 2**32 - 1
