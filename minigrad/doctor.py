"""What minigrad finds on this machine: processor, threads, measured limits, versions, the cache of compiled kernels."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from minigrad import __version__
from minigrad.kernels import cache, limits, threads
from minigrad.kernels.cpu.vector import VECTOR_BYTES

__all__ = ["examine", "report"]

_TELLING = ("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512bf16", "amx-tile", "neon", "sve")


def examine():
    """The facts, as a dict of dicts of numbers, texts and booleans; takes a second, since limits are measured.

    >>> sorted(examine())
    ['cache', 'limits', 'pictures', 'processor', 'threads', 'versions']
    """
    in_use = threads.get_num_threads()  # starts the pool, so that its layer is known
    features = llvm.get_host_cpu_features()
    return {
        "processor": {
            "model": _model(),
            "architecture": platform.machine(),
            "llvm name": numba.config.CPU_NAME or llvm.get_host_cpu_name(),
            "features": " ".join(name for name in _TELLING if features.get(name)),
            "vector bits": 8 * VECTOR_BYTES,
            "float32 in a vector": VECTOR_BYTES // 4,
        },
        "threads": {
            "in use": in_use,
            "in the pool": numba.config.NUMBA_NUM_THREADS,
            "processors": os.cpu_count(),
            "layer": numba.threading_layer(),
        },
        "limits": {
            "float32 multiply-adds, GFLOP/s": round(limits.multiply_add_limit(np.float32), 1),
            "float64 multiply-adds, GFLOP/s": round(limits.multiply_add_limit(np.float64), 1),
            "copy, GB/s": round(limits.copy_bandwidth(), 1),
        },
        "cache": _cache(),
        "pictures": {"drawn by": _drawn_by()},
        "versions": {
            "minigrad": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": numba.__version__,
            "llvmlite": llvmlite.__version__,
            **{name: _version(name) for name in ("scipy", "graphviz", "pygraphviz", "safetensors")},
            "system": platform.platform(),
        },
    }


def _drawn_by():
    """What lays graphs out: as `minigrad.viz` chooses it."""
    bundled = importlib.util.find_spec("pygraphviz") and "pygraphviz"
    return shutil.which("dot") or bundled or "nothing: install Graphviz, or pygraphviz, to draw graphs"


def report(facts):
    """The facts as text."""
    lines = []
    for heading, entries in facts.items():
        lines.append(heading)
        width = max(map(len, entries))
        lines += [f"    {name:{width}}  {_words(value)}" for name, value in entries.items()]
    return "\n".join(lines)


def _words(value):
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _model():
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cache():
    """Where compiled kernels are kept, how much lies there, and whether more can."""
    folder, root = cache.folder(), cache.cache_root()
    files = [path for path in root.glob("*/*.nb[ic]") if path.is_file()]
    return {
        "folder": str(folder),
        "compiled kernels": sum(path.suffix == ".nbc" for path in files if path.parent == folder),
        "MB, older versions included": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "folders": len({path.parent for path in files}),
        "writable": _writable(folder),
    }


def _writable(folder):
    """Whether files can be made in a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not found"
