"""Modules made of modules: sequences, lists and dicts."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain, groupby
from operator import index as as_index

from .fusion import fusible
from .module import Module


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
        modules, at = list(self), 0
        while at < len(modules):
            activation = fusible(*modules[at : at + 2]) if at + 1 < len(modules) else None
            input = modules[at](input) if activation is None else modules[at](input, activation=activation)
            at += 1 if activation is None else 2
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
