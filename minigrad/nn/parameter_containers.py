"""Lists and dicts of parameters."""

from collections import OrderedDict
from collections.abc import Iterable
from operator import index as as_index

from minigrad.autograd import Tensor
from minigrad.autograd.printing import options

from .containers import _Keyed
from .module import Module
from .parameter import Parameter


class ParameterList(Module):
    """A list whose tensors are parameters (`torch.nn.ParameterList`).

    >>> import minigrad
    >>> weights = ParameterList([minigrad.ones(2), minigrad.zeros(3)])
    >>> len(list(weights.parameters())), weights[-1].shape
    (2, minigrad.Size([3]))
    """

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _at(self, index):
        index, size = as_index(index), len(self)
        if not -size <= index < size:
            raise IndexError(f"index {index} is out of range")
        return str(index % size)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)([self[number] for number in range(len(self))[index]])
        return getattr(self, self._at(index))

    def __setitem__(self, index, param):
        setattr(self, self._at(index), _as_parameter(param))

    def __len__(self):
        return self._size

    def __iter__(self):
        return (self[number] for number in range(len(self)))

    def __iadd__(self, parameters):
        return self.extend(parameters)

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, value):
        """Add a value at the end; returns the list."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Add values at the end; returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def extra_repr(self):
        kinds = [f"{options.package}.{_dtype(value)}" for value in self]
        return "\n".join(f"  ({n}): {_described(value, kind)}" for n, (value, kind) in enumerate(zip(self, kinds)))

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(_Keyed):
    """A dict whose tensors are parameters (`torch.nn.ParameterDict`).

    >>> import minigrad
    >>> weights = ParameterDict({"left": minigrad.ones(2), "right": minigrad.zeros(3)})
    >>> [name for name, _ in weights.named_parameters()]
    ['left', 'right']
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def _entries(self):
        return {key: self[key] for key in self._keys}

    @staticmethod
    def _attribute(key):
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string (type is "
                f"'{type(key).__name__}'). Open an issue on github if you need non-string keys."
            )
        return key

    def __getitem__(self, key):
        return getattr(self, self._attribute(key))

    def __setitem__(self, key, value):
        attribute = self._attribute(key)
        self._keys[key] = None
        setattr(self, attribute, _as_parameter(value))

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, self._attribute(key))

    def update(self, parameters):
        """Take over the entries of a dict (a plain one in the order of its names), or of (name, value) pairs."""
        self._update(parameters, "ParametersDict", OrderedDict | ParameterDict)

    def setdefault(self, key, default=None):
        """The entry of a name, which is `default` from now on if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def get(self, key, default=None):
        """The entry of a name, or `default`."""
        return self._entries().get(key, default)

    def popitem(self):
        """Remove the last (name, entry), and return it."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def copy(self):
        """Another dict of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def fromkeys(self, keys, default=None):
        """Another dict, in which all names have the entry `default`."""
        return ParameterDict((key, default) for key in keys)

    def __or__(self, other):
        result = self.copy()
        result.update(other)
        return result

    def __ror__(self, other):
        result = other.copy()
        result.update(self)
        return result

    def __ior__(self, other):
        self.update(other)
        return self

    def extra_repr(self):
        return "\n".join(
            f"  ({key}): {_described(value, value.type() if isinstance(value, Tensor) else '')}"
            for key, value in self.items()
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterDict should not be called.")


def _as_parameter(value):
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _dtype(value):
    return value.dtype if isinstance(value, Tensor) else None


def _described(value, kind):
    """An entry of a list or dict of parameters in a line."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    return f"Parameter containing: [{kind} of size {'x'.join(map(str, value.shape))}]"
