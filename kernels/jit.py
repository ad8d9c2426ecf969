"""The one door to Numba: the decorators of every compiled kernel, and the lock of the thread pool.

`jit` compiles a kernel; `pool_jit` an entry point that may spread tasks over the thread pool with
`parallel.parallel_for`. What is compiled is kept on disk (`cache`). While kernels compile for the first time, standard
error says so (silent with `MINIGRAD_QUIET=1`).
"""

import functools
import os
import threading
import weakref

import numba
from numba.core import config
from numba.np.ufunc.parallel import _launch_threads

from .cache import Cache

__all__ = ["TILED", "inline_jit", "jit", "part_jit", "pool_jit", "threads_in_use", "tile_jit", "use_threads"]

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "no_cfunc_wrapper": True,  # for callers in C, of which there are none
}


def jit(function):
    """Compile `function` as a kernel: no GIL, NumPy's division, sums that may be reordered."""
    kernel = numba.njit(**_OPTIONS)(function)
    if not config.DISABLE_JIT:
        kernel._cache = Cache(function)
    return kernel


TILED: weakref.WeakSet = weakref.WeakSet()  # kernels that `tile_jit` made


def tile_jit(function):
    """Compile `function` as a task of `parallel_for` whose inner loops are written as LLVM vectors.

    LLVM works on tasks twice, alone and with their entry points, for it then finds more loops to make vectors of. Here
    there are none to find, and once is enough.
    """
    kernel = jit(function)
    TILED.add(kernel)
    return kernel


def inline_jit(function):
    """Compile `function` into the kernels that call it; it is not kept on disk itself."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def part_jit(function):
    """Write `function` out wherever a kernel calls it, so that it is compiled with that kernel alone.

    Cheaper to compile than `inline_jit`, but calls may not have starred arguments.
    """
    return numba.njit(inline="always", **_OPTIONS)(function)


def pool_jit(function):
    """Compile `function` as an entry point whose `parallel_for` loops use the thread pool, one call at a time."""
    kernel = jit(function)

    @functools.wraps(function)
    def call(*args):
        with _pool:
            _start_pool()
            return kernel(*args)

    call.kernel = kernel
    return call


_SPINS = "20000"  # some 50 µs: the next kernel mostly comes sooner


@functools.cache
def _start_pool():
    """Start Numba's thread pool, whose functions compiled code is linked against.

    GNU OpenMP lets threads that wait for work spin for milliseconds; with other work on the machine, a step of a small
    network then takes ten times as long. It reads its settings when it is loaded, which is here.
    """
    chosen = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}.isdisjoint(os.environ)
    if chosen:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
    _launch_threads()
    if chosen:
        del os.environ["GOMP_SPINCOUNT"]


def use_threads(number):
    """Let this Python thread's kernels work on `number` threads, or on all there are."""
    _start_pool()
    numba.set_num_threads(min(number, config.NUMBA_NUM_THREADS))


def threads_in_use():
    """On how many threads this Python thread's kernels work."""
    _start_pool()
    return numba.get_num_threads()


def _after_fork():
    """In a forked child: GNU OpenMP would end the process if it used the parent's pool, so it works alone."""
    _pool.release()
    if _start_pool.cache_info().currsize and numba.threading_layer() == "omp":
        numba.set_num_threads(1)


# The `workqueue` thread pool aborts the process when two threads enter it, and a child must not inherit a held lock.
_pool = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pool.acquire, after_in_parent=_pool.release, after_in_child=_after_fork)
