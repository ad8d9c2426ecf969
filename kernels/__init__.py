"""The kernels: arrays in, arrays out, nothing of tensors or gradients.

Each backend is a package that offers the same functions with the same arguments: `cpu` (Numba, fast), `reference`
(literal loops in plain Python, the readable definition and the oracle of the tests) and `cuda` (Numba, for arrays on
the GPU). A backend is imported when it is first used, for Numba takes half a second to import. `use` chooses the
backend for the host's arrays, `kernels_for` hands it out; `winograd` chooses between speed and the last digits.
"""

import threading
from importlib import import_module

import numpy as np

from .device import DeviceArray
from .precision import winograd

__all__ = ["kernels_for", "use", "winograd"]

_BACKENDS = ("cpu", "reference")


class _Active(threading.local):
    """The backend of the calling thread: None until the first kernel is asked for."""

    module = None


_active = _Active()


def kernels_for(array):
    """The backend module that works on `array`: for an array on the GPU it is `cuda`, whatever the thread uses else.

    Raises TypeError for anything but an array.

    >>> kernels_for(np.ones(3)).softmax(np.array([0.0, 0.0]), 0)
    array([0.5, 0.5])
    """
    if not isinstance(array, np.ndarray):
        if type(array) is DeviceArray:
            return import_module(".cuda", __name__)
        raise TypeError(f"no kernels for arrays of type {type(array).__name__}; expected numpy.ndarray")
    return _active.module or use("cpu")._module


class use:
    """Switch the calling thread to a backend: "cpu", "reference", or an object of one's own with the same functions.

    The switch holds from the call on; as a context manager it is undone at the end of the block. Threads start with
    "cpu". Raises ValueError for an unknown name.

    >>> with use("reference"):
    ...     kernels_for(np.ones(3)).__name__
    'minigrad.kernels.reference'
    """

    def __init__(self, backend):
        if isinstance(backend, str) and backend not in _BACKENDS:
            raise ValueError(f"unknown kernels {backend!r}; expected one of {', '.join(map(repr, _BACKENDS))}")
        self._previous = _active.module
        named = isinstance(backend, str)
        self._module = _active.module = import_module(f".{backend}", __name__) if named else backend

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        _active.module = self._previous
