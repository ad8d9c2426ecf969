"""Modules made of modules."""

from collections import OrderedDict
from itertools import groupby

from .module import Module


class _Numbered(Module):
    """Submodules named "0", "1", ... that can be indexed, counted and walked over."""

    def _at(self, index):
        size = len(self._modules)
        if not -size <= index < size:
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index % size]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return (
                type(self)(OrderedDict(list(self._modules.items())[index]))
                if isinstance(self, Sequential)
                else type(self)(list(self._modules.values())[index])
            )
        return self._modules[self._at(index)]

    def __setitem__(self, index, module):
        setattr(self, self._at(index), module)

    def __delitem__(self, index):
        doomed = list(self._modules)[index] if isinstance(index, slice) else [self._at(index)]
        kept = [module for name, module in self._modules.items() if name not in doomed]
        self._modules.clear()
        self.extend(kept)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def append(self, module):
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add modules at the end; returns the container."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_Numbered):
    """Modules one after another (`torch.nn.Sequential`): given in order, or as one OrderedDict of names.

    >>> import minigrad
    >>> net = Sequential(minigrad.nn.Linear(4, 3), minigrad.nn.ReLU())
    >>> net(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules whose parameters are found (`torch.nn.ModuleList`).

    >>> import minigrad
    >>> len(ModuleList([minigrad.nn.Linear(2, 2) for _ in range(3)]))
    3
    """

    def __init__(self, modules=()):
        super().__init__()
        self.extend(modules)

    def __repr__(self):
        lines, start = [], 0
        for text, same in groupby(map(repr, self)):  # equal neighbours share a line
            end = start + sum(1 for _ in same)
            label = f"({start}): " if end == start + 1 else f"({start}-{end - 1}): {end - start} x "
            lines.append((label + text).replace("\n", "\n  "))
            start = end
        return "ModuleList(" + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")
