"""What a thread carries while it computes: whether operations are recorded, and in which module it is.

`no_grad`, `enable_grad` and `set_grad_enabled` work as context managers and as decorators, as in PyTorch. A `Scope` is
one frame of the stack of modules being called; each recorded operation keeps the frame it was made in, for pictures and
errors.
"""

import functools
import inspect
import threading


class _State(threading.local):
    grad_enabled = True
    inference = False
    scope = None
    saving = None  # what becomes of an array that an operation saves: a function from it to a handle


state = _State()


class _Watch:
    """Who looks on while operations and backward passes run: None, or what has an observer's methods.

    `enters(node)` and `ran(node, args, tensors)` are told of operations, `stands_for(before, tensor)` and
    `wrote(tensor, result)` of writes in place, `starts(...)` of a backward pass, whose observer it returns
    (`viz.recording.Recording` and `viz.passes.Pass` are the two). It serves the whole process, for every operation
    looks at it, and what a thread keeps for itself takes ten times as long to look at.
    """

    __slots__ = ("observer",)

    def __init__(self):
        self.observer = None


watch = _Watch()


class Scope:
    """One call of a module: the module and the frame of the module that called it."""

    __slots__ = ("module", "parent")

    def __init__(self, module, parent):
        self.module, self.parent = module, parent


class _GradMode:
    """Sets the recording of operations on entry and restores it on exit; also decorates functions and generators."""

    mode: bool

    def __init__(self):
        self._previous = []

    def __enter__(self):
        self._previous.append(state.grad_enabled)
        state.grad_enabled = self.mode

    def __exit__(self, *exc):
        state.grad_enabled = self._previous.pop()

    def _clone(self):
        return type(self)()

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self._clone():
                return function(*args, **kwargs)

        return wrapped

    def _wrap_generator(self, function):
        """The mode holds while the generator runs, not while its consumer does."""

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            generator, step, value = function(*args, **kwargs), "send", None
            while True:
                try:
                    with self._clone():
                        item = getattr(generator, step)(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    step, value = "send", (yield item)
                except GeneratorExit:
                    with self._clone():
                        generator.close()
                    raise
                except BaseException as error:
                    step, value = "throw", error

        return wrapped


class no_grad(_GradMode):
    """Operations inside are not recorded, their results need no gradient (`torch.no_grad`).

    >>> import minigrad
    >>> x = minigrad.ones(3, requires_grad=True)
    >>> with minigrad.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    mode = False

    def __new__(cls, function=None):
        self = super().__new__(cls)
        if function is None:
            return self
        self.__init__()
        return self(function)


class enable_grad(no_grad):
    """Operations inside are recorded, also within `no_grad` (`torch.enable_grad`).

    >>> import minigrad
    >>> with minigrad.no_grad(), minigrad.enable_grad():
    ...     minigrad.is_grad_enabled()
    True
    """

    mode = True


class set_grad_enabled(_GradMode):
    """Turn recording on or off, at once or for a `with` block (`torch.set_grad_enabled`).

    >>> import minigrad
    >>> with minigrad.set_grad_enabled(False):
    ...     minigrad.is_grad_enabled()
    False
    """

    def __init__(self, mode):
        super().__init__()
        self.mode = bool(mode)
        self._before = state.grad_enabled
        state.grad_enabled = self.mode

    def __enter__(self):
        self._previous.append(self._before)
        state.grad_enabled = self.mode

    def _clone(self):
        return set_grad_enabled(self.mode)

    def __call__(self, function):
        state.grad_enabled = self._before
        return super().__call__(function)


def is_grad_enabled():
    """Whether operations are being recorded in this thread (`torch.is_grad_enabled`).

    >>> is_grad_enabled()
    True
    """
    return state.grad_enabled


class inference_mode(_GradMode):
    """`no_grad` whose results stay outside autograd for good (`torch.inference_mode`).

    A tensor computed inside is an inference tensor: it cannot be written to or be saved for backward outside, so what
    was promised to need no gradient never gets one by mistake. `clone()` makes an ordinary tensor of it.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.inference_mode():
    ...     y = x * 2
    >>> y.is_inference()
    True
    """

    used = False  # whether any thread ever was in this mode; until then nobody needs to ask

    def __new__(cls, mode=True):
        if callable(mode):
            return cls()(mode)
        return super().__new__(cls)

    def __init__(self, mode=True):
        super().__init__()
        self._inference = bool(mode)

    def __enter__(self):
        self._previous.append((state.grad_enabled, state.inference))
        state.inference = self._inference
        state.grad_enabled = not self._inference
        inference_mode.used = True

    def __exit__(self, *exc):
        state.grad_enabled, state.inference = self._previous.pop()

    def _clone(self):
        return inference_mode(self._inference)


def is_inference_mode_enabled():
    """Whether this thread is in inference mode (`torch.is_inference_mode_enabled`).

    >>> is_inference_mode_enabled()
    False
    """
    return state.inference
