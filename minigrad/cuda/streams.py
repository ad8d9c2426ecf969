"""Streams, in which the GPU's work is queued, and events, which mark places in them.

On a GPU they are CuPy's, on which CuPy's work and minigrad's kernels are queued alike. In the simulator all work is
done at once: waiting returns, queries say that it is done, and events note the time.
"""

import time

from minigrad.autograd import present
from minigrad.kernels.device import current_stream as _device_stream
from minigrad.kernels.device import library, missing, simulated

__all__ = ["Event", "Stream", "current_stream", "default_stream", "set_stream", "stream", "synchronize"]


class Stream:
    """A queue of work that runs beside that of other streams (`torch.cuda.Stream`); a context that uses it.

    Work of one stream on the results of another's needs `wait_stream` or an event between them. `priority` below 0 goes
    first.

    >>> from minigrad import cuda
    >>> if cuda.is_available():
    ...     with cuda.stream(Stream()):
    ...         pass
    """

    def __init__(self, device=None, priority=0, *, queue=None):
        present("cuda" if device is None else device)
        self._before = []
        if queue is None and not simulated():
            queue = library().module.cuda.Stream(non_blocking=True, priority=priority)
        self.queue, self.priority = queue, priority

    @property
    def cuda_stream(self):
        """The address of the CUDA stream, 0 for the default one and in the simulator."""
        return 0 if self.queue is None else self.queue.ptr

    def synchronize(self):
        """Let the host wait until all work in the stream is done."""
        if self.queue is not None:
            self.queue.synchronize()

    def query(self):
        """Whether all work in the stream is done."""
        return self.queue is None or self.queue.done

    def record_event(self, event=None):
        """Put an event, a new one by default, into the stream; returns it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        """Let what comes after in this stream wait for an event."""
        event.wait(self)

    def wait_stream(self, stream):
        """Let what comes after in this stream wait for all that another holds now."""
        self.wait_event(stream.record_event())

    def __enter__(self):
        self._before.append(current_stream())
        set_stream(self)
        return self

    def __exit__(self, *error):
        set_stream(self._before.pop())

    def __eq__(self, other):
        return (
            isinstance(other, Stream)
            and self.cuda_stream == other.cuda_stream
            and (self.queue is not None or self is other)
        )

    def __hash__(self):
        return hash(self.cuda_stream) if self.queue is not None else id(self)

    def __repr__(self):
        return f"<minigrad.cuda.Stream device=cuda:0 cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a stream, which can be waited for, and whose time can be taken (`torch.cuda.Event`).

    >>> from minigrad import cuda
    >>> if cuda.is_available():
    ...     start, end = Event(enable_timing=True), Event(enable_timing=True)
    ...     start.record(); end.record(); end.synchronize()
    ...     assert start.elapsed_time(end) >= 0
    """

    def __init__(self, enable_timing=False, blocking=False, interprocess=False):
        present("cuda")
        self._timing, self._time = enable_timing, None
        self._event = (
            None if simulated() else library().module.cuda.Event(block=blocking, disable_timing=not enable_timing)
        )

    def record(self, stream=None):
        """Mark the place after all that is in the stream now, by default the current one."""
        self._time = time.perf_counter()
        if self._event is not None:
            self._event.record((current_stream() if stream is None else stream).queue)

    def wait(self, stream=None):
        """Let what comes after in a stream, by default the current one, wait for the mark."""
        if self._event is not None and self._time is not None:
            (current_stream() if stream is None else stream).queue.wait_event(self._event)

    def synchronize(self):
        """Let the host wait for the mark."""
        if self._event is not None and self._time is not None:
            self._event.synchronize()

    def query(self):
        """Whether the stream has come past the mark."""
        return self._event is None or self._time is None or self._event.done

    def elapsed_time(self, end_event):
        """Milliseconds from this mark to another; both must have been recorded, with `enable_timing`."""
        if not (self._timing and end_event._timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._time is None or end_event._time is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        if self._event is None:
            return (end_event._time - self._time) * 1e3
        return library().module.cuda.get_elapsed_time(self._event, end_event._event)


_simulated: list = []  # the simulator's default stream, once there is one, and the current one after it


def default_stream(device=None):
    """The stream of all who choose none (`torch.cuda.default_stream`).

    >>> from minigrad import cuda
    >>> default_stream() == current_stream() if cuda.is_available() else True
    True
    """
    present("cuda")
    if not simulated():
        return Stream(queue=library().module.cuda.Stream.null)
    if not _simulated:
        _simulated.append(Stream())
    return _simulated[0]


def current_stream(device=None):
    """The stream into which work goes now (`torch.cuda.current_stream`).

    >>> from minigrad import cuda
    >>> current_stream().query() if cuda.is_available() else True
    True
    """
    present("cuda")
    if not simulated():
        return Stream(queue=_device_stream())
    default_stream()
    return _simulated[-1]


def set_stream(stream):
    """Let work go into `stream` from now on (`torch.cuda.set_stream`).

    >>> from minigrad import cuda
    >>> set_stream(current_stream()) if cuda.is_available() else None
    """
    if stream.queue is not None:
        stream.queue.use()
        return
    _simulated[1:] = [stream]


def stream(stream):
    """A context in which work goes into `stream`; None changes nothing (`torch.cuda.stream`).

    >>> from minigrad import cuda
    >>> if cuda.is_available():
    ...     side = cuda.Stream()
    ...     with stream(side):
    ...         assert current_stream() == side
    """
    return current_stream() if stream is None else stream


def synchronize(device=None):
    """Let the host wait until all work on the GPU is done; an AssertionError without one (`torch.cuda.synchronize`).

    >>> from minigrad import cuda
    >>> synchronize() if cuda.is_available() else None
    """
    present("cuda" if device is None else device)
    if not missing() and not simulated():
        library().module.cuda.Device().synchronize()
