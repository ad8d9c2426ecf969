"""How an operation gets its public names: in `minigrad`, as a method of `Tensor`, in `nn.functional`, in `linalg`."""

import functools
from collections.abc import Callable

from minigrad.autograd import Tensor

functions: dict[str, Callable] = {}  # what `minigrad` offers, by name
functionals: dict[str, Callable] = {}  # what `minigrad.nn.functional` offers
linalg: dict[str, Callable] = {}  # what `minigrad.linalg` offers
twins: dict[str, Callable] = {}  # what Tensor offers in place too, under the name with `_` added


def function(definition):
    """Offer `definition` as `minigrad.<name>`."""
    functions[definition.__name__] = definition
    return definition


def functional(definition):
    """Offer `definition` as `minigrad.nn.functional.<name>`."""
    functionals[definition.__name__] = definition
    return definition


def linear_algebra(definition):
    """Offer `definition` as `minigrad.linalg.<name>`."""
    linalg[definition.__name__] = definition
    return definition


def method(*names, inplace=False):
    """Offer the decorated function as methods of Tensor, under its own name and `names` (operators, aliases).

    With `inplace` there is also `<name>_`, which writes the result into the tensor.
    """

    def register(definition):
        for name in (definition.__name__, *names):
            setattr(Tensor, name, definition)
            if inplace and not name.startswith("__"):
                twins[name] = definition
        return definition

    return register


def both(*names, inplace=False):
    """Offer the decorated function as `minigrad.<name>` and as methods of Tensor, under `names` too (but operators
    are methods alone).
    """

    def register(definition):
        for name in names:
            if not name.startswith("__"):
                functions[name] = definition
        return function(method(*names, inplace=inplace)(definition))

    return register


_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(definition):
    """Let callers say `axis` for `dim` and `keepdims` for `keepdim`, NumPy's words, as PyTorch does."""

    @functools.wraps(definition)
    def call(*args, **kwargs):
        if kwargs:
            for theirs, ours in _NUMPY_NAMES.items():
                if theirs in kwargs and ours not in kwargs:
                    kwargs[ours] = kwargs.pop(theirs)
        return definition(*args, **kwargs)

    return call
