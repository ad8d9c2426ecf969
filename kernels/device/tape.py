"""What a CUDA graph is in the simulator: the calls that were made while it was captured, to be made again.

All work on the simulated device goes through `run`. While a tape records, the memory that a call worked on, and the
memory of its result, stay the call's own, as on a device; a replay computes anew from what lies there now, and writes
into the same memory. What the host looks at during a capture it could not see on a device: `seen` refuses.
"""

import numpy as np

__all__ = ["Tape", "capturing", "run", "seen"]


class Tape:
    """The recorded calls of one capture: (function, arguments, named arguments, result)."""

    recording = None  # the tape that records now, in the whole process, as a device captures
    capturing = False  # whether a graph is captured, on a GPU or by a tape

    def __init__(self):
        self.calls = []

    def begin(self):
        """Record from now on."""
        Tape.recording = self

    def end(self):
        """Record no longer."""
        Tape.recording = None

    def replay(self):
        """Make the calls again, in their order, on the same memory."""
        for function, args, kwargs, result in self.calls:
            _put(result, function(*args, **kwargs))


def _put(kept, fresh):
    """Write fresh results into the memory of those that were kept."""
    if isinstance(kept, np.ndarray):
        if not np.may_share_memory(kept, fresh):  # else it is written already
            np.copyto(kept, fresh)
    elif isinstance(kept, (tuple, list)):
        for old, new in zip(kept, fresh):
            _put(old, new)


def capturing():
    """Whether a CUDA graph is being captured."""
    return Tape.capturing


def run(function, args, kwargs=None):
    """`function(*args, **kwargs)` on the library's arrays, noted by the tape that records."""
    result = function(*args, **(kwargs or {}))
    if Tape.recording is not None:
        result = np.asarray(result) if isinstance(result, np.generic) else result
        Tape.recording.calls.append((function, args, kwargs or {}, result))
    return result


def seen(memory):
    """Memory that the host is about to look at: while a graph is captured nothing has been computed yet."""
    if Tape.capturing:
        raise RuntimeError(
            "CUDA error: operation not permitted when stream is capturing\nhint: the step waits for a value of the GPU "
            "(.item(), bool(tensor), printing, indexing with a mask, a check of indices); take that out of the capture"
        )
    return memory
