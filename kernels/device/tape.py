"""What a CUDA graph is in the simulator: the calls that were made while it was captured, to be made again.

All work on the simulated device goes through `run`. While a tape records, the memory that a call worked on, and the
memory of its result, stay the call's own, as on a device; a replay computes anew from what lies there now, and writes
into the same memory. On a device a capture computes nothing: so when it ends, memory that was there before has its old
contents again, and the results' are NaN. What the host looks at during a capture it could not see: `seen` refuses.

Both on a device and in the simulator `capturing` says whether a graph is captured, and the graph keeps alive what is
`held` for it: memory that no tensor owns, such as tables of numbers, which the captured work reads at every replay.
"""

import contextlib
import functools

import numpy as np

from .library import library, simulated

__all__ = ["Tape", "beside_capture", "capturing", "held", "run", "seen", "uploaded"]


class Tape:
    """The recorded calls of one capture: (function, arguments, named arguments, result)."""

    recording = None  # the tape that records now, in the whole process, as a device captures
    holding = None  # what the graph that is captured keeps alive, on a GPU or in the simulator; None without a capture

    def __init__(self):
        self.calls, self.before = [], {}  # and the memory of arguments: (memory, its contents before), by identity

    def begin(self):
        """Record from now on."""
        Tape.recording = self

    def make(self, function, args, kwargs):
        """Make a call and record it; its result."""
        for memory in _owners((args, tuple(kwargs.values()))):
            if id(memory) not in self.before:
                self.before[id(memory)] = memory, memory.copy()
        result = function(*args, **kwargs)
        result = np.asarray(result) if isinstance(result, np.generic) else result
        self.calls.append((function, args, kwargs, result))
        return result

    def end(self):
        """Record no longer, and undo what was computed."""
        Tape.recording = None
        for memory, contents in self.before.values():
            if memory.flags.writeable:
                memory[...] = contents
        made = {id(memory): memory for *_, result in self.calls for memory in _owners((result,))}
        for number in made.keys() - self.before.keys():
            if made[number].dtype.kind == "f":
                made[number].fill(np.nan)
        self.before = {}

    def replay(self):
        """Make the calls again, in their order, on the same memory."""
        for function, args, kwargs, result in self.calls:
            _put(result, function(*args, **kwargs))


def _owners(values):
    """The arrays that own the memory of those in nested values."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _owners(value)
        elif isinstance(value, np.ndarray):
            while isinstance(base := getattr(value.base, "memory", value.base), np.ndarray):
                value = base
            yield value


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
    return Tape.holding is not None


def held(memory):
    """Memory that captured work will read at every replay: the graph that is being captured keeps it."""
    if Tape.holding is not None:
        Tape.holding.append(memory)
    return memory


@contextlib.contextmanager
def beside_capture():
    """A context whose work is done at once and no part of a graph: while one is captured, on a stream of its own."""
    if simulated() or not capturing():
        yield
        return
    with _side_stream() as stream:
        yield
        stream.synchronize()


@functools.cache
def _side_stream():
    return library().module.cuda.Stream(non_blocking=True)


def uploaded(array):
    """A copy of the host's array on the device, the library's, which a graph that is captured finds there."""
    with beside_capture():
        return held(library().module.array(array))


def run(function, args, kwargs=None):
    """`function(*args, **kwargs)` on the library's arrays, noted by the tape that records."""
    if Tape.recording is not None:
        return Tape.recording.make(function, args, kwargs or {})
    return function(*args, **(kwargs or {}))


def seen(memory):
    """Memory that the host is about to look at: while a graph is captured nothing has been computed yet."""
    if capturing():
        raise RuntimeError(
            "CUDA error: operation not permitted when stream is capturing\nhint: the step waits for a value of the GPU "
            "(.item(), bool(tensor), printing, indexing with a mask, a check of indices); take that out of the capture"
        )
    return memory
