"""What tensors do outside the graph: comparisons, `argmax`, `detach`, `item`: no operation of the engine stands for it.

Inside a recording the public functions and methods of tensors are replaced by ones that look at what came out, and put
back at the end, as the profiler does; so none of it costs anything otherwise.
"""

import functools
import inspect

import minigrad
from minigrad.autograd import Tensor
from minigrad.nn import functional
from minigrad.ops.registry import functionals, functions
from minigrad.utils.data import DataLoader

# methods whose result is no tensor any more, which ends every path
NUMBERS = ("__array__", "__bool__", "__float__", "__index__", "__int__", "item", "numpy", "tolist")
_PLAIN = ("__class__", "__format__", "__new__", "__init__", "__hash__", "__reduce__", "__setattr__", "__getattribute__")


class Replaced:
    """The replacements, from `put` to `restore`; `called(...)` is told of each outermost call."""

    def __init__(self, called, quiet):
        self._called, self._quiet = called, quiet
        self._deep = False
        self._before = []

    def put(self):
        """Replace the functions."""
        for name, value in list(vars(Tensor).items()):
            if inspect.isfunction(value) and name not in _PLAIN:
                self.replace(Tensor, name, self._wrapped(name, value))
        self.replace(Tensor, "data", property(self._wrapped("data", Tensor.data.fget), Tensor.data.fset))
        for room, known in ((minigrad, functions), (functional, functionals)):
            for name, value in known.items():
                if vars(room).get(name) is value:
                    self.replace(room, name, self._wrapped(name, value))
        self.replace(DataLoader, "__iter__", self._silent(DataLoader.__iter__))

    def restore(self):
        """Put everything back."""
        while self._before:
            setattr(*self._before.pop())

    def replace(self, owner, name, value):
        """Let an attribute be `value` until `restore`."""
        self._before.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    def _wrapped(self, name, function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            if self._deep:
                return function(*args, **kwargs)
            self._deep = True
            try:
                result = function(*args, **kwargs)
            finally:
                self._deep = False
            self._called(name, args, kwargs, result)
            return result

        return call

    def _silent(self, iterate):
        """Loading data is no part of the computation."""

        @functools.wraps(iterate)
        def batches(*args):
            iterator = iterate(*args)
            while True:
                with self._quiet():
                    batch = next(iterator, self)
                if batch is self:
                    return
                yield batch

        return batches
