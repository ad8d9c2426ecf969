"""The thread pool behind the kernels: uneven tasks, Python threads, forked children, both of Numba's pools."""

import os
import subprocess
import sys
import textwrap
import threading

import numba
import numpy as np
import pytest
from minigrad.kernels.jit import jit, pool_jit
from minigrad.kernels.parallel import parallel_for


@jit
def _mark(task, counts, sums):
    counts[task] += 1
    for n in range(task * 100):
        sums[task] += n


@pool_jit
def _mark_all(count, parallel, counts, sums):
    parallel_for(count, parallel, _mark, (counts, sums))


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 301])
def test_every_task_runs_once(count, parallel):
    counts, sums = np.zeros(301, np.int64), np.zeros(301)
    _mark_all(count, parallel, counts, sums)
    np.testing.assert_array_equal(counts, np.arange(301) < count)
    tasks = np.arange(count) * 100
    np.testing.assert_array_equal(sums[:count], tasks * (tasks - 1) / 2)


LAYERS = """
    import os, threading
    import numba, numpy as np
    from minigrad.kernels import cpu

    a, b = np.ones((300, 200), np.float32), np.ones((200, 100), np.float32)

    def check():
        for _ in range(20):
            assert (cpu.matmul(a, b) == 200).all()

    check()
    assert numba.threading_layer() == {layer!r}
    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child = os.fork()
    if child == 0:
        check()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_python_threads_and_forked_children(layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    code = textwrap.dedent(LAYERS.format(layer=layer))
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if "No threading layer could be loaded" in result.stderr:
        pytest.skip(f"Numba has no {layer} here")
    assert result.returncode == 0, result.stderr


def test_a_python_thread_has_its_own_number_of_threads():
    before, seen = numba.get_num_threads(), []

    def work():
        numba.set_num_threads(1)
        counts = np.zeros(301, np.int64)
        _mark_all(301, True, counts, np.zeros(301))
        seen.append(counts.sum())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [301]
    assert numba.get_num_threads() == before
