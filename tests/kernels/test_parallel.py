"""The thread pool behind the kernels: uneven tasks, Python threads, forked children, all of Numba's pools."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

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
    import minigrad as mg
    from minigrad.kernels import cpu

    a, b = np.ones((300, 200), np.float32), np.ones((200, 100), np.float32)
    net = mg.vision.models.LeNet5()
    image = mg.from_numpy(np.random.default_rng(0).standard_normal((16, 1, 32, 32)).astype(np.float32))

    def step():
        x = image.clone().requires_grad_()
        scores = net(x)
        grads = mg.autograd.grad(mg.nn.functional.cross_entropy(scores, mg.arange(16) % 10), [x, *net.parameters()])
        return b"".join(t.numpy(force=True).tobytes() for t in (scores, *grads))

    def check():
        for _ in range(3):
            assert (cpu.matmul(a, b) == 200).all()
            assert step() == alone
        passed.append(True)

    alone, passed = step(), []
    assert numba.threading_layer() == {layer!r}
    numba.set_num_threads(1)
    assert step() == alone  # one thread and two give the same bits
    numba.set_num_threads(2)
    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 4
    child = os.fork()
    if child == 0:
        check()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["omp", "workqueue", "tbb"])
def test_python_threads_and_forked_children(layer):
    libraries = os.pathsep.join([str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")])
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2", "LD_LIBRARY_PATH": libraries}
    code = textwrap.dedent(LAYERS.format(layer=layer))
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
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
