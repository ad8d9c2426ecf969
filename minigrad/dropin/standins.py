"""The modules that a program gets when it imports PyTorch: their names are minigrad's."""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

from .names import MODULES, counterpart, describe_missing, lookup

ROOTS = ("torch", "torchvision")
VERSIONS = {"torch": "2.13.0+minigrad", "torchvision": "0.28.0+minigrad"}  # scripts compare them


class MissingName(AttributeError):
    """A name of PyTorch's that minigrad lacks; the message says which and what is near it."""


class StandIn(types.ModuleType):
    """Stands for one of PyTorch's modules: its attributes are those of minigrad's counterpart, live."""

    def __getattr__(self, name):
        full = f"{self.__name__}.{name}"
        if name.startswith("__"):
            if name == "__version__" and self.__name__ in VERSIONS:
                return VERSIONS[self.__name__]
            if name == "__all__":  # what `from torch.nn import *` brings
                return [name for name in dir(self) if name[0] != "_" and hasattr(self, name)]
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        try:
            found = lookup(self.__name__, name)
        except AttributeError:
            if full in MODULES or isinstance(sys.modules.get(full), StandIn):  # a module in PyTorch alone
                return importlib.import_module(full)
            raise MissingName(describe_missing(full), name=name, obj=self) from None
        return importlib.import_module(full) if isinstance(found, types.ModuleType) else found

    def __setattr__(self, name, value):
        if name.startswith("__"):
            super().__setattr__(name, value)
        elif not isinstance(value, (StandIn, Missing)):  # the import system ties modules to their parents itself
            setattr(counterpart(self.__name__), name, value)

    def __dir__(self):
        return dir(counterpart(self.__name__))


class Missing(types.ModuleType):
    """What `from torch import name` gives for a name that minigrad lacks: an error as soon as it is used."""

    def _refuse(self, *args, **kwargs):
        raise MissingName(describe_missing(self.__name__), name=self.__name__.rpartition(".")[2], obj=self)

    __call__ = __mro_entries__ = __getitem__ = __iter__ = __len__ = __bool__ = __enter__ = __exit__ = _refuse

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        raise MissingName(describe_missing(f"{self.__name__}.{name}"), name=name, obj=self)

    def __instancecheck__(self, instance):
        return False  # nothing is of a type that does not exist


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds PyTorch's modules, before any that may be installed."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of a stand-in for `fullname`, if it is PyTorch's."""
        if fullname.partition(".")[0] not in ROOTS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        """A stand-in, or what raises when used if minigrad has nothing of that name."""
        kind = Missing if counterpart(spec.name) is None else StandIn
        return kind(spec.name, f"Stands for {spec.name} while a script runs on minigrad.")

    def exec_module(self, module):
        """Nothing: all names are looked up when they are used."""


_finder = Finder()
_set_aside: dict[str, types.ModuleType] = {}  # PyTorch's own modules, which cannot be loaded a second time


def _take_away():
    names = [name for name in sys.modules if name.partition(".")[0] in ROOTS]
    return {name: sys.modules.pop(name) for name in names}


def install():
    """Let `import torch` and `import torchvision` mean minigrad in this process from now on.

    >>> install()
    >>> import torch
    >>> import torch.nn.functional as F
    >>> F.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> uninstall()
    """
    if _finder not in sys.meta_path:
        _set_aside.update(_take_away())
        sys.meta_path.insert(0, _finder)


def uninstall():
    """Let the imports mean what they meant before `install`."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        _take_away()
        sys.modules.update(_set_aside)
        _set_aside.clear()
