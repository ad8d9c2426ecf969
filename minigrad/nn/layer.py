"""What layers are declared with: a module that keeps its arguments and calls one function, and fresh parameters.

Most layers say no more than which function they call and with what; those are declarations, as `Layer` shows. Layers
with parameters of their own are classes with an `__init__` in their rooms (`linear`, `convolution`, ...).
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import dataclass_transform

from minigrad.ops import functions

from .module import Module
from .parameter import Parameter


@dataclass_transform(eq_default=False)
class Layer(Module):
    """A module that keeps the arguments of one function and calls it.

    A subclass declared with `call=` (the function) or `text=` (what its repr shows of the arguments) lists the
    constructor's arguments as a dataclass does; `forward(*inputs)` is `call(*inputs, **arguments)`. `tensors=` names
    the arguments that are buffers. Subclasses declared without `call` and `text` are ordinary modules.

    >>> import minigrad
    >>> class Power(Layer, call=minigrad.pow, text="{exponent}"):
    ...     exponent: float = 2.0
    >>> Power(3.0), Power()(minigrad.tensor([3.0]))
    (Power(3.0), tensor([9.]))
    """

    _call = None
    _text = ""
    _tensors: tuple[str, ...] = ()
    _names: tuple[str, ...] = ()  # of the arguments: asked for at each call, hence kept

    def __init_subclass__(cls, call=None, text=None, tensors=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if call is not None:
            cls._call = staticmethod(call)
        if text is not None:
            cls._text = text
        if tensors is not None:
            cls._tensors = tensors
        own = inspect.get_annotations(cls)
        if own and not (call is None and text is None):
            dataclass(eq=False, repr=False, match_args=False)(cls)
            cls._names = tuple([field.name for field in fields(cls)])
            for name in own:
                if name in cls.__dict__:
                    delattr(cls, name)  # the default is the constructor's; here it would hide a buffer of that name

    def __new__(cls, *args, **kwargs):
        """A module ready for its arguments to be kept: the constructors of declared layers do nothing else."""
        module = super().__new__(cls)
        Module.__init__(module)
        for name in cls._tensors:
            module.register_buffer(name, None)
        return module

    def _arguments(self):
        return {name: getattr(self, name) for name in self._names}

    def forward(self, *inputs, **named):
        return type(self)._call(*inputs, **named, **self._arguments())

    def extra_repr(self):
        return self._text.format_map(vars(self))


def new_parameter(*shape, device=None, dtype=None):
    """A parameter whose values are yet to be drawn."""
    return Parameter(functions["empty"](*shape, device=device, dtype=dtype))


def as_tuple(value, count):
    """A number as a tuple of `count` equal ones; whatever is iterable as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * count
