"""The one door to Numba: the decorators of every compiled kernel, their disk cache and the lock of the thread pool.

`jit` compiles a kernel; `pool_jit` an entry point that may spread tasks over the thread pool with
`parallel.parallel_for`. What is compiled is kept on disk in `$MINIGRAD_CACHE`, else `$XDG_CACHE_HOME/minigrad`, else
`~/.cache/minigrad`, in a folder named after all that the machine code depends on: the sources of all kernels, the
versions of Python, Numba and llvmlite, the CPU, Numba's settings. A damaged entry is compiled anew; a place that cannot
be written costs the cache, never the result. While kernels compile for the first time, standard error says so (silent
with `MINIGRAD_QUIET=1`).
"""

import functools
import hashlib
import os
import pickle
import platform
import sys
import threading
import time
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.np.ufunc.parallel import _launch_threads

__all__ = ["inline_jit", "jit", "pool_jit"]

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "arcp", "nsz"}}


@functools.cache
def _cache_folder():
    """Where this process keeps its compiled kernels."""
    root = os.environ.get("MINIGRAD_CACHE")
    if root is None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minigrad"
    digest = hashlib.sha256()
    sources = Path(__file__).parent
    for path in sorted(sources.rglob("*.py")):
        digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes())
    settings = (
        numba.__version__, llvmlite.__version__, platform.python_version(), llvm.get_process_triple(),
        config.CPU_NAME or llvm.get_host_cpu_name(), config.CPU_FEATURES or llvm.get_host_cpu_features().flatten(),
        config.BOUNDSCHECK, config.OPT, config.ENABLE_AVX, config.DEBUGINFO_DEFAULT,
    )  # fmt: skip
    digest.update(repr(settings).encode())
    return Path(root).expanduser() / digest.hexdigest()[:16]


class _Locator(_CacheLocator):
    """Tells Numba's cache where a kernel's files lie; the folder's name stands for the freshness of the sources."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._disambiguator = f"{Path(py_file).parent.name}-{py_func.__code__.co_firstlineno}"

    def get_cache_path(self):
        return str(_cache_folder())

    def get_source_stamp(self):
        return 0

    def get_disambiguator(self):
        return self._disambiguator

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class _Cache(FunctionCache):
    """A kernel's compiled versions on disk, robust to damaged files and to places that cannot be read or written."""

    _impl_class = _CacheImpl

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
        except OSError:
            found = None
        except (EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError,
                RuntimeError, KeyError):  # fmt: skip
            self._purge()
            found = None
        if found is None:
            _progress.start(self._py_func.__name__)
        return found

    def save_overload(self, sig, data):
        _progress.finish()
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self.disable()
            _progress.tell_once(f"compiled kernels cannot be kept in {self.cache_path}: {error}")

    def _purge(self):
        for path in Path(self.cache_path).glob(f"{self._impl.filename_base}.*"):
            path.unlink(missing_ok=True)


class _Progress:
    """What standard error hears of the first compilation: on a terminal one line that vanishes when it is done."""

    def __init__(self):
        self._count = 0
        self._depth = 0
        self._seconds = 0.0
        self._since = 0.0
        self._told = set()

    def start(self, kernel):
        self._depth += 1
        self._count += 1
        if self._depth == 1:
            self._since = time.perf_counter()
        if sys.stderr is not None and sys.stderr.isatty():
            self._write(f"\rminigrad: compiling kernels, once ({self._count}: {kernel}, {self._seconds:.0f} s)\033[K")
        else:
            self.tell_once("compiling kernels, once; they are kept on disk")

    def finish(self):
        self._depth -= 1
        if self._depth == 0:
            self._seconds += time.perf_counter() - self._since
            if sys.stderr is not None and sys.stderr.isatty():
                self._write("\r\033[K")

    def tell_once(self, text):
        if text not in self._told:
            self._told.add(text)
            self._write(f"minigrad: {text}\n")

    @staticmethod
    def _write(text):
        if sys.stderr is not None and os.environ.get("MINIGRAD_QUIET", "0") in ("", "0"):
            sys.stderr.write(text)
            sys.stderr.flush()


_progress = _Progress()


def jit(function):
    """Compile `function` as a kernel: no GIL, NumPy's division, sums that may be reordered."""
    kernel = numba.njit(**_OPTIONS)(function)
    if not config.DISABLE_JIT:
        kernel._cache = _Cache(function)
    return kernel


def inline_jit(function):
    """Compile `function` into the kernels that call it; it is not kept on disk itself."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


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


def _after_fork():
    """In a forked child: GNU OpenMP would end the process if it used the parent's pool, so it works alone."""
    _pool.release()
    if _start_pool.cache_info().currsize and numba.threading_layer() == "omp":
        numba.set_num_threads(1)


# The `workqueue` thread pool aborts the process when two threads enter it, and a child must not inherit a held lock.
_pool = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pool.acquire, after_in_parent=_pool.release, after_in_child=_after_fork)
