"""Whose functions work on the device's memory: CuPy's, or NumPy's own in the simulator, held to what CuPy offers.

The simulator is there so that a machine without a GPU finds what would fail on one with it. So a NumPy function that
CuPy lacks, or an argument that CuPy's does not take, is refused; `cupy_signatures.txt` lists what there is.
"""

import functools
import inspect
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

__all__ = ["current_stream", "library", "missing", "simulated"]


def simulated():
    """Whether Numba's CUDA simulator stands in for the GPU: NUMBA_ENABLE_CUDASIM=1 in the environment.

    >>> isinstance(simulated(), bool)
    True
    """
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0").strip() not in ("", "0")


@functools.cache
def missing():
    """What keeps this process from a GPU, in words with a remedy; an empty string if nothing does.

    >>> isinstance(missing(), str)
    True
    """
    if simulated():
        return ""
    if find_spec("cupy") is None:
        return 'CuPy is not installed; pip install "minigrad[cuda]"'
    try:
        runtime = import_module("cupy").cuda.runtime
    except ImportError as error:
        return f"CuPy cannot be imported ({error}); install the CuPy of this machine's CUDA version"
    try:
        return "" if runtime.getDeviceCount() else "CuPy finds no GPU in this machine"
    except runtime.CUDARuntimeError as error:
        return f"CuPy finds no GPU: {error}; look what nvidia-smi says of the driver"


_ARRAYS_IN_CUPY = "allclose", "array_equal", "array_equiv", "count_nonzero"  # NumPy's are Python's bool and int


def _raising(function):
    """CuPy's function of matrices with NumPy's LinAlgError, in whose place CuPy gives what happens to come out."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        with import_module("cupyx").errstate(linalg="raise"):
            return function(*args, **kwargs)

    return call


class _Library:
    """Functions on the memory behind device arrays, by those of NumPy that they stand for."""

    def __init__(self, module):
        self.module = module

    @functools.cache  # noqa: B019
    def function(self, function):
        """The library's counterpart of a NumPy function or ufunc; a NotImplementedError if it has none."""
        path, name = _path(function)
        if path == ("special",):
            found = getattr(import_module("cupyx.scipy.special"), name, None)
        else:
            found = functools.reduce(lambda place, part: getattr(place, part, None), (*path, name), self.module)
        if found is None or found is function:
            raise _no_counterpart(function)
        return _raising(found) if path == ("linalg",) else found

    def method(self, array, name):
        """The method of the library's array."""
        return getattr(array, name)


class _Simulated(_Library):
    """NumPy in CuPy's place: the same functions, with CuPy's arguments alone."""

    def __init__(self):
        super().__init__(np)
        lines = Path(__file__).with_name("cupy_signatures.txt").read_text(encoding="utf-8").splitlines()
        self._arguments = dict(line.partition(" ")[::2] for line in lines if line)

    @functools.cache  # noqa: B019
    def function(self, function):
        """The NumPy function itself, checking its arguments; a NotImplementedError if CuPy has none of the name."""
        path, name = _path(function)
        name = ".".join([*path, name])
        if name not in self._arguments:
            raise _no_counterpart(function)
        return function if isinstance(function, np.ufunc) else self._checked(name, function)

    def method(self, array, name):
        """The method of the NumPy array, checking its arguments."""
        return self._checked(f"ndarray.{name}", getattr(array, name))

    def _checked(self, name, function):
        signature = self._signature(name)

        def call(*args, **kwargs):
            if signature is not None:
                try:
                    signature.bind(*args, **kwargs)
                except TypeError as error:
                    raise NotImplementedError(
                        f"CuPy's {name} does not take what NumPy's does: {error}\nhint: compute it on the CPU: x.cpu()"
                    ) from None
            result = function(*args, **kwargs)
            return np.asarray(result) if name in _ARRAYS_IN_CUPY else result

        return call

    @functools.cache  # noqa: B019
    def _signature(self, name):
        """The arguments that CuPy's function or method takes; None where they are not known."""
        parameters, kind = [], inspect.Parameter.POSITIONAL_OR_KEYWORD
        words = self._arguments.get(name, "?").split()
        if words == ["?"]:
            return None
        for word in words:
            if word == "*":
                kind = inspect.Parameter.KEYWORD_ONLY
            elif word.startswith("**"):
                parameters.append(inspect.Parameter(word[2:], inspect.Parameter.VAR_KEYWORD))
            elif word.startswith("*"):
                parameters.append(inspect.Parameter(word[1:], inspect.Parameter.VAR_POSITIONAL))
                kind = inspect.Parameter.KEYWORD_ONLY
            else:
                default = None if word.endswith("=") else inspect.Parameter.empty
                parameters.append(inspect.Parameter(word.rstrip("="), kind, default=default))
        return inspect.Signature(parameters)


def _path(function):
    """(modules below NumPy, name) of a function; SciPy's special functions are ufuncs that NumPy does not have."""
    if isinstance(function, np.ufunc):
        return () if getattr(np, function.__name__, None) is function else ("special",), function.__name__
    return tuple(function.__module__.split(".")[1:]), function.__name__


def _no_counterpart(function):
    path, name = _path(function)
    return NotImplementedError(
        f"{'.'.join(['numpy', *path, name])} has no counterpart on the GPU: CuPy lacks it\nhint: compute it on the "
        "CPU: x.cpu()"
    )


@functools.cache
def library():
    """The library of this process; call it only where nothing is `missing()`."""
    return _Simulated() if simulated() else _Library(import_module("cupy"))


def current_stream():
    """CuPy's current stream, on which kernels are to be launched; None in the simulator."""
    return None if simulated() else library().module.cuda.get_current_stream()
