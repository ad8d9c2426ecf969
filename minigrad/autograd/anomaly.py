"""Anomaly mode: every recorded operation remembers the line that made it and a checksum of what it saved.

Backward then stops at the first NaN and names the operation and the user's line; and it finds memory that was written
behind the engine's back (`t.numpy()[0] = 9`), which no version counter sees. All of it costs time: it is for debugging.
"""

import sys
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

from .device import ARRAYS, CPU, placed

_PACKAGE = str(Path(__file__).parent.parent)


class _Anomaly:
    """Whether the mode is on, in the whole process as in PyTorch, and what it does while operations are recorded."""

    enabled = False
    check_nan = True

    @staticmethod
    def note(node):
        """Let `node` remember the stack of calls, up to the line outside minigrad that made it."""
        frame = sys._getframe()
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
        node.made_by = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=20)

    @staticmethod
    def guard(node, saved):
        """`saved`, an array that `node` keeps, as a handle that notices if its memory was written meanwhile."""
        return _Guarded(node, saved) if isinstance(saved, ARRAYS) else saved

    def examine(self, node, grads):
        """Raise if a gradient that `node` computed holds a NaN."""
        if not self.check_nan:
            return
        for index, grad in enumerate(grads):
            if grad is not None and grad._array.dtype.kind == "f" and np.isnan(grad._array).any():
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {index}th output.\nhint: {origin(node)}"
                )


anomaly = _Anomaly()


def origin(node):
    """Where in the user's code an operation was recorded, in words."""
    made_by = getattr(node, "made_by", None)
    if not made_by:
        return f"{node.operation} was recorded outside anomaly mode; run the forward pass in detect_anomaly too"
    frame = made_by[0]
    return f'{node.operation} was recorded at "{frame.filename}", line {frame.lineno}, in {frame.name}: {frame.line}'


class _Guarded:
    """A saved array and the checksum of its bytes; calling it checks and returns the array."""

    def __init__(self, node, array):
        self.node, self.array, self.nbytes = node, array, array.nbytes
        self.checksum = _checksum(array)

    def __call__(self):
        if _checksum(self.array) != self.checksum:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"[{self.array.dtype} {list(self.array.shape)}], behind the version counter.\nhint: its memory was "
                f"written through .numpy(), .data or a shared array between forward and backward; {origin(self.node)}"
            )
        return self.array


def _checksum(array):
    return zlib.adler32(np.ascontiguousarray(placed(array, CPU)).data.cast("B")) if array.size else 0


class detect_anomaly:
    """Find the operation whose backward makes a NaN, and writes behind the engine's back, in a `with` block.

    Operations recorded inside remember the user's line; a backward pass inside raises a RuntimeError that names it.
    With `check_nan=False` NaN is let through. Slow, for debugging. Source: `torch.autograd.detect_anomaly`.

    >>> import minigrad
    >>> x = minigrad.tensor([0.0], requires_grad=True)
    >>> with minigrad.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).backward()
    Traceback (most recent call last):
    ...
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    hint: Sqrt was recorded at ...
    """

    def __init__(self, check_nan=True):
        self._wanted = True, check_nan
        self._previous = []
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self._previous.append((anomaly.enabled, anomaly.check_nan))
        anomaly.enabled, anomaly.check_nan = self._wanted
        return self

    def __exit__(self, *exc):
        anomaly.enabled, anomaly.check_nan = self._previous.pop()


class set_detect_anomaly:
    """Turn anomaly mode on or off, at once or for a `with` block (`torch.autograd.set_detect_anomaly`).

    >>> import minigrad
    >>> with minigrad.autograd.set_detect_anomaly(True):
    ...     minigrad.is_anomaly_enabled()
    True
    """

    def __init__(self, mode, check_nan=True):
        self._before = anomaly.enabled, anomaly.check_nan
        anomaly.enabled, anomaly.check_nan = bool(mode), check_nan

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        anomaly.enabled, anomaly.check_nan = self._before


def is_anomaly_enabled():
    """Whether anomaly mode is on (`torch.is_anomaly_enabled`).

    >>> is_anomaly_enabled()
    False
    """
    return anomaly.enabled
