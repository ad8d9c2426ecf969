"""Modules made of modules, and lists and dicts of parameters."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain, groupby
from operator import index as as_index

from minigrad.autograd import Tensor

from .module import Module
from .parameter import Parameter


class _Numbered(Module):
    """Submodules named "0", "1", ... that can be indexed, counted and walked over."""

    def _at(self, index):
        index, size = as_index(index), len(self)
        if not -size <= index < size:
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index % size]

    def __setitem__(self, index, module):
        setattr(self, self._at(index), module)

    def __delitem__(self, index):
        doomed = list(self._modules)[index] if isinstance(index, slice) else [self._at(index)]
        kept = [module for name, module in self._modules.items() if name not in doomed]
        self._modules.clear()
        self._modules.update((str(number), module) for number, module in enumerate(kept))

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, module):
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key):
        """Take the module at an index (or the modules of a slice) out, and return it."""
        module = self[key]
        del self[key]
        return module

    def _insert(self, index, module):
        for number in range(len(self), index, -1):
            self._modules[str(number)] = self._modules[str(number - 1)]
        self._modules[str(index)] = module


class Sequential(_Numbered):
    """Modules one after another (`torch.nn.Sequential`): given in order, or as one OrderedDict of names.

    >>> import minigrad
    >>> net = Sequential(minigrad.nn.Linear(4, 3), minigrad.nn.ReLU())
    >>> net(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._at(index)]

    def insert(self, index, module):
        """Put a module before the one at `index`; returns the container."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self)
        if not -size <= index <= size:
            raise IndexError(f"Index out of range: {index}")
        self._insert(index + size if index < 0 else index, module)
        return self

    def extend(self, sequential):
        """Add modules at the end; returns the container."""
        for module in sequential:
            self.append(module)
        return self

    def __add__(self, other):
        return Sequential(*self, *_sequence(other))

    def __iadd__(self, other):
        return self.extend(list(_sequence(other)))

    def __mul__(self, other):
        return Sequential(*(list(self) * _factor(self, other)))

    __rmul__ = __mul__

    def __imul__(self, other):
        return self.extend(list(self) * (_factor(self, other) - 1))


def _sequence(other):
    if not isinstance(other, Sequential):
        raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


def _factor(sequence, other):
    if not isinstance(other, int):
        raise TypeError(f"unsupported operand type(s) for *: {type(sequence)} and {type(other)}")
    if other <= 0:
        raise ValueError(f"Non-positive multiplication factor {other} for {type(sequence)}")
    return other


class ModuleList(_Numbered):
    """A list of modules whose parameters are found (`torch.nn.ModuleList`).

    >>> import minigrad
    >>> len(ModuleList([minigrad.nn.Linear(2, 2) for _ in range(3)]))
    3
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self._modules.values())[index])
        return self._modules[self._at(index)]

    def insert(self, index, module):
        """Put a module before the one at `index`."""
        self._insert(index, module)

    def extend(self, modules):
        """Add modules at the end; returns the container."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return ModuleList(chain(self, other))

    def __repr__(self):
        lines, start = [], 0
        for text, same in groupby(map(repr, self)):  # equal neighbours share a line
            end = start + sum(1 for _ in same)
            label = f"({start}): " if end == start + 1 else f"({start}-{end - 1}): {end - start} x "
            lines.append((label + text).replace("\n", "\n  "))
            start = end
        return self._get_name() + "(" + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")


class _Keyed(Module):
    """What a dict can do, on entries that are the module's own."""

    def _entries(self):
        raise NotImplementedError

    def __len__(self):
        return len(self._entries())

    def __iter__(self):
        return iter(self._entries())

    def __reversed__(self):
        return reversed(self._entries())

    def __contains__(self, key):
        return key in self._entries()

    def keys(self):
        """The names."""
        return self._entries().keys()

    def items(self):
        """(name, entry) of each."""
        return self._entries().items()

    def values(self):
        """The entries."""
        return self._entries().values()

    def clear(self):
        """Remove all."""
        for key in list(self):
            del self[key]

    def pop(self, key):
        """Remove the entry of a name, and return it."""
        value = self[key]
        del self[key]
        return value

    def _update(self, entries, name, ordered):
        if not isinstance(entries, Iterable):
            raise TypeError(
                f"{name}.update should be called with an iterable of key/value pairs, but got {type(entries).__name__}"
            )
        if isinstance(entries, Mapping | _Keyed):
            pairs = list(entries.items())
            for key, value in pairs if isinstance(entries, ordered) else sorted(pairs):
                self[key] = value
            return
        for number, pair in enumerate(entries):
            kind = type(self).__name__
            if not isinstance(pair, Iterable):
                raise TypeError(f"{kind} update sequence element #{number} should be Iterable; is{type(pair).__name__}")
            if len(pair) != 2:
                raise ValueError(f"{kind} update sequence element #{number} has length {len(pair)}; 2 is required")
            self[pair[0]] = pair[1]


class ModuleDict(_Keyed):
    """A dict of modules whose parameters are found (`torch.nn.ModuleDict`).

    >>> import minigrad
    >>> choices = ModuleDict({"relu": minigrad.nn.ReLU(), "tanh": minigrad.nn.Tanh()})
    >>> choices["relu"](minigrad.tensor([-1.0, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def _entries(self):
        return self._modules

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def update(self, modules):
        """Take over the modules of a dict, or of (name, module) pairs."""
        self._update(modules, "ModuleDict", Mapping | _Keyed)


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
        return "\n".join(f"  ({n}): {_described(value, f'minigrad.{_dtype(value)}')}" for n, value in enumerate(self))

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
