"""The disk cache of compiled kernels.

What is compiled is kept in `$MINIGRAD_CACHE`, else `$XDG_CACHE_HOME/minigrad`, else `~/.cache/minigrad`, in a folder
named after all that the machine code depends on: the sources of all kernels, the versions of Python, Numba and
llvmlite, the CPU, Numba's settings. A damaged entry is compiled anew; a place that cannot be written costs the cache,
never the result; folders that nobody has used for a month are removed.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import shutil
import time
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.runtime import rtsys

from .compilation import progress

__all__ = ["Cache", "cache_root", "folder"]

_MONTH = 30 * 24 * 3600  # seconds; a folder of that age belongs to sources, versions or settings that are gone
_DAY = 24 * 3600


def cache_root():
    """The place of all folders of compiled kernels."""
    root = os.environ.get("MINIGRAD_CACHE")
    if root is None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minigrad"
    return Path(root).expanduser()


@functools.cache
def folder():
    """Where this process keeps its compiled kernels."""
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
    own = cache_root() / digest.hexdigest()[:16]
    with contextlib.suppress(OSError):  # not there yet, or not ours to write
        if time.time() - own.stat().st_mtime > _DAY:
            os.utime(own)
    return own


@functools.cache
def _remove_stale_folders():
    """Remove the folders beside this process's own that no process has used for a month.

    A folder's time is that of its last new file, and is renewed by use. One that is removed under a process that still
    runs costs that process nothing: its kernels are in memory.
    """
    own, now = folder(), time.time()
    with contextlib.suppress(OSError):
        for other in list(own.parent.iterdir()):
            name = other.name
            ours = len(name) == 16 and set(name) <= set("0123456789abcdef")
            if ours and other != own and not other.is_symlink() and now - other.stat().st_mtime > _MONTH:
                shutil.rmtree(other, ignore_errors=True)


class _Locator(_CacheLocator):
    """Tells Numba's cache where a kernel's files lie; the folder's name stands for the freshness of the sources."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._disambiguator = f"{Path(py_file).parent.name}-{py_func.__code__.co_firstlineno}"

    def get_cache_path(self):
        return str(folder())

    def get_source_stamp(self):
        return 0

    def get_disambiguator(self):
        return self._disambiguator

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class Cache(FunctionCache):
    """A kernel's compiled versions on disk, robust to damaged files and to places that cannot be read or written."""

    _impl_class = _CacheImpl

    def load_overload(self, sig, target_context):
        """The compiled kernel from disk; None, and the compilation counts as begun, if it is not there or damaged."""
        since = time.perf_counter()
        # Numba would set up its compiler first, half a second of imports (SciPy's among them). Machine code needs but
        # the functions of Numba's run time that it is linked against.
        rtsys.initialize(target_context)
        try:
            found = self._load_overload(sig, target_context)
        except OSError:
            found = None
        except (EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError,
                RuntimeError, KeyError):  # fmt: skip
            self._purge()
            found = None
        if found is None:
            progress.start(self._py_func.__name__, sig)
        else:
            progress.loaded(self._py_func.__name__, sig, since)
        return found

    def save_overload(self, sig, data):
        """Keep a kernel that has been compiled."""
        progress.finish(self._py_func.__name__, sig)
        try:
            super().save_overload(sig, data)
            _remove_stale_folders()
        except OSError as error:
            self._do_without(error)

    def _purge(self):
        try:
            for path in Path(self.cache_path).glob(f"{self._impl.filename_base}.*"):
                path.unlink(missing_ok=True)
        except OSError as error:
            self._do_without(error)

    def _do_without(self, error):
        self.disable()
        progress.tell_once(f"compiled kernels cannot be kept in {self.cache_path}: {error}")
