"""Notes every operation, kernel and module call of a block.

Nothing in the engine knows of it. While a `profile` is active, the `forward` and `backward` of every operation, the
engine's walk, the calls of modules and the steps of optimizers are replaced by versions that look at the clock, and the
kernels' backend by one whose functions do; at the end of the block everything is put back. So it costs nothing when it
is off.
"""

import functools
import json
import os
import threading
import time

import numpy as np

from minigrad import kernels
from minigrad.autograd import Operation, engine, state
from minigrad.kernels.compilation import progress
from minigrad.nn import Module
from minigrad.optim import Optimizer

from .costs import Limits, arrays_in, flops_of, memory, moved
from .tables import Averages, module_path, summary

__all__ = ["Event", "profile", "record_function"]

_active: list["profile"] = []  # the profiles whose blocks are being run, the outermost first


class Event:
    """Something that took time: an operation, a kernel, a module's call, the engine's walk, an optimizer's step or a
    range of the user's.
    """

    __slots__ = (
        "allocated",
        "bytes",
        "children",
        "dtype",
        "flops",
        "kernel",
        "kind",
        "name",
        "parent",
        "phase",
        "scope",
        "seconds",
        "shapes",
        "start",
    )

    def __init__(self, kind, name, phase, scope, parent):
        self.kind, self.name, self.phase, self.scope, self.parent = kind, name, phase, scope, parent
        self.seconds = self.children = self.kernel = 0.0  # all of it; other events inside; kernels called directly
        self.flops = self.bytes = self.allocated = 0
        self.dtype, self.shapes = None, ()
        self.start = time.perf_counter()

    @property
    def self_seconds(self):
        """The time without that of other events inside, kernels excepted."""
        return self.seconds - self.children


class profile:
    """Record where the time goes in a block; printed, a table (`torch.profiler.profile`).

    The rows of the table are operations. Forward and backward are apart, and the operations of which a backward is made
    have rows of their own: `self ms` is the time of an operation without that of others inside, `kernel ms` the part of
    it spent in compiled kernels; the rest is Python and NumPy. GFLOP/s are given for what is bound by multiply-adds
    (convolutions and products), GB/s (arguments and results, each once) for everything else, and `% of limit` compares
    with what this machine reaches at most (`minigrad.kernels.limits`, measured when the table is made); what lies in
    caches can be faster than a copy of memory. `allocated` counts new arrays: results that are no views, and what is
    saved for backward besides.

    What the thread that entered the block does is recorded. The first run of a program also compiles or loads its
    kernels, so profile a later one.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(8, 4)
    >>> x = minigrad.ones(2, 8)
    >>> with minigrad.profile() as p:
    ...     layer(x).sum().backward()
    >>> [row.key for row in p.key_averages() if row.phase == "forward"]
    ['Linear', 'Sum']
    """

    def __init__(self):
        self.events = []
        self.seconds = 0.0
        self._limits = Limits()
        self._top, self._phase = None, "forward"
        self._replaced = []

    def __enter__(self):
        self._thread = threading.get_ident()
        self._compiled = len(progress.finished)
        backend = kernels.kernels_for(np.empty(0))
        for cls in _subclasses(Operation):
            for name, timed in (("forward", self._forward), ("backward", self._backward)):
                if isinstance(cls.__dict__.get(name), staticmethod):
                    self._replace(cls, name, staticmethod(timed(cls.__dict__[name].__func__, cls)))
        self._replace(engine, "run", self._ranged(engine.run, "walk", lambda *_: "backward"))
        self._replace(Module, "__call__", self._ranged(Module.__call__, "module", lambda m, *_: type(m).__name__))
        step = self._ranged(Optimizer.step, "optimizer", lambda o, *_: f"{type(o).__name__}.step")
        self._replace(Optimizer, "step", step)
        self._backend = kernels.use(_TimedKernels(self, backend))
        _active.append(self)
        self._entered = time.perf_counter()
        return self

    def __exit__(self, *exc):
        self.seconds += time.perf_counter() - self._entered
        _active.remove(self)
        self._backend.__exit__(*exc)
        while self._replaced:
            setattr(*self._replaced.pop())

    def _replace(self, owner, name, replacement):
        self._replaced.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, replacement)

    # recording ------------------------------------------------------------------------------------------------------

    def _begin(self, kind, name, scope):
        self._top = event = Event(kind, name, self._phase, scope, self._top)
        self.events.append(event)
        return event

    def _end(self, event):
        """The event is over, and what it was found to do is noted: looking at it counts for no other event."""
        parent = self._top = event.parent
        if parent is not None:
            spent = time.perf_counter() - event.start
            if event.kind == "kernel":
                parent.kernel += event.seconds
                parent.children += spent - event.seconds
                parent.flops += event.flops
                parent.dtype = parent.dtype or event.dtype
                if parent.kind != "operation":
                    parent.bytes += event.bytes
            else:
                parent.children += spent

    def _forward(self, function, cls):
        """An operation's forward that is recorded."""

        @functools.wraps(function)
        def forward(*args):
            if threading.get_ident() != self._thread:
                return function(*args)
            ctx = args[0] if args and isinstance(args[0], Operation) else None
            event = self._begin("operation", (cls if ctx is None else type(ctx)).__name__, state.scope)
            if state.scope is None and event.parent is not None:
                event.scope = event.parent.scope  # in backward, that of the node
            try:
                result = function(*args)
                event.seconds = time.perf_counter() - event.start
                _note(event, cls.is_view, args, result, getattr(ctx, "_saved", ()))
                return result
            finally:
                self._end(event)

        return forward

    def _backward(self, function, _):
        """A node's backward that is recorded."""

        @functools.wraps(function)
        def backward(node, *grads):
            if threading.get_ident() != self._thread:
                return function(node, *grads)
            event = self._begin("operation", node.name(), node.scope)
            count = len(self.events)
            try:
                results = function(node, *grads)
                event.seconds = time.perf_counter() - event.start
                alone = not any(e.kind == "operation" for e in self.events[count:])
                _note(event, not alone, grads, results, ())
                return results
            finally:
                self._end(event)

        return backward

    def _ranged(self, function, kind, name):
        """A function whose calls are recorded as ranges; the engine's walk and optimizers are phases, too."""
        phase = {"walk": "backward", "optimizer": "optimizer"}.get(kind)

        @functools.wraps(function)
        def call(*args, **kwargs):
            if threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            before = self._phase
            self._phase = phase or before
            event = self._begin(kind, name(*args), state.scope)
            try:
                return function(*args, **kwargs)
            finally:
                event.seconds = time.perf_counter() - event.start
                self._end(event)
                self._phase = before

        return call

    # what came of it ------------------------------------------------------------------------------------------------

    def key_averages(self, group_by_input_shape=False):
        """Sums by operation and phase, as rows with PyTorch's names (`torch.profiler.profile.key_averages`)."""
        return Averages(self.events, self._limits, by="shape" if group_by_input_shape else "operation")

    def by_module(self):
        """Sums by module (its path from the outermost one called) and phase, in the order of first use."""
        return Averages(self.events, self._limits, by="module")

    def table(self, sort_by="self_cpu_time_total", row_limit=40):
        """The table of operations, the table of modules, and where the rest of the time went, as text."""
        compiled = [entry for entry in progress.finished[self._compiled :] if not entry.cached]
        parts = [self.key_averages().table(sort_by, row_limit)]
        modules = self.by_module()
        if any(row.key != modules.outside for row in modules):
            parts.append(modules.table(None, row_limit))
        return "\n\n".join([*parts, summary(self.events, self.seconds, compiled)])

    def __str__(self):
        return self.table()

    def export_chrome_trace(self, path):
        """Write the events to a file for `chrome://tracing` or https://ui.perfetto.dev (JSON; any path-like)."""
        begin = self.events[0].start if self.events else 0.0
        events = []
        for event in self.events:
            details = {"phase": event.phase, "module": module_path(event.scope)}
            if event.shapes:
                details["shapes"] = str(list(event.shapes))
            details |= {name: getattr(event, name) for name in ("flops", "bytes", "allocated") if getattr(event, name)}
            events.append(
                {
                    "name": event.name,
                    "cat": event.kind,
                    "ph": "X",
                    "ts": 1e6 * (event.start - begin),
                    "dur": 1e6 * event.seconds,
                    "pid": os.getpid(),
                    "tid": 0,
                    "args": details,
                }
            )
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)


def _note(event, free, args, result, saved):
    """What an operation worked on and made; `free` if it moves nothing itself."""
    arrays, made = arrays_in(args), arrays_in(result)
    event.shapes = tuple([array.shape for array in arrays])
    event.dtype = event.dtype or next((a.dtype for a in (*made, *arrays) if a.dtype.kind == "f"), None)
    if free:
        return
    event.bytes = sum(map(memory, arrays)) + sum(map(memory, made))
    new = []
    for array in [*made, *arrays_in([item[0] if type(item) is tuple else item for item in saved or ()])]:
        if not any(array is other or np.may_share_memory(array, other) for other in (*arrays, *new)):
            new.append(array)
    event.allocated = sum(map(memory, new))


class _TimedKernels:
    """A kernels' backend whose calls are recorded."""

    def __init__(self, recorder, backend):
        self._recorder, self._backend = recorder, backend
        self.__name__ = backend.__name__

    def __getattr__(self, name):
        function, recorder = getattr(self._backend, name), self._recorder

        @functools.wraps(function)
        def kernel(*args):
            event = recorder._begin("kernel", name, state.scope)
            try:
                result = function(*args)
                event.seconds = time.perf_counter() - event.start
                event.flops, event.bytes = flops_of(name, args, result), moved(name, args, result)
                event.dtype = next((a.dtype for a in arrays_in(args) if a.dtype.kind == "f"), None)
                return result
            finally:
                recorder._end(event)

        setattr(self, name, kernel)
        return kernel


def _subclasses(cls):
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


class record_function:
    """Give a block a name in the tables and traces of the profiles around it (`torch.profiler.record_function`).

    >>> import minigrad
    >>> with minigrad.profile() as p, minigrad.profiler.record_function("warm-up"):
    ...     y = minigrad.ones(3) * 2
    >>> "warm-up" in [row.key for row in p.key_averages()]
    True
    """

    def __init__(self, name):
        self._name = name

    def __enter__(self):
        self._events = [(p, p._begin("range", self._name, state.scope)) for p in _active]
        return self

    def __exit__(self, *exc):
        for recorder, event in reversed(self._events):
            event.seconds = time.perf_counter() - event.start
            recorder._end(event)
