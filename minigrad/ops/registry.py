"""How an operation gets its public names: as a function of `minigrad`, as a method of `Tensor`, or both."""

from collections.abc import Callable

from minigrad.autograd import Tensor

functions: dict[str, Callable] = {}  # the public functions of `minigrad` that operations offer, by name


def function(definition):
    """Offer `definition` as `minigrad.<name>`."""
    functions[definition.__name__] = definition
    return definition


def method(*names):
    """Offer the decorated function as methods of Tensor, under its own name and `names` (operators, aliases)."""

    def register(definition):
        for name in (definition.__name__, *names):
            setattr(Tensor, name, definition)
        return definition

    return register


def both(*names):
    """Offer the decorated function as `minigrad.<name>` and as methods of Tensor; `names` are further method names."""

    def register(definition):
        return function(method(*names)(definition))

    return register


def alias(name, definition, *, methods=True):
    """Offer `definition` under a second public name, as PyTorch does (`true_divide` for `div`)."""
    functions[name] = definition
    if methods:
        setattr(Tensor, name, definition)
