"""Compiles ahead what a program needs, so that its first step is as fast as the others."""

import importlib
import importlib.util
import sys
from pathlib import Path

import minigrad
from minigrad.kernels.compilation import CompileReport, progress
from minigrad.nn.functional import cross_entropy
from minigrad.vision import models

__all__ = ["NETWORKS", "find", "warmup"]


def warmup(work):
    """Call work(), a function without arguments such as a training step, and return the `CompileReport` of the kernels
    that it compiled or loaded. What was compiled stays on disk: no process compiles it again.

    Kernels are specialised on dtypes and ranks but not on sizes; yet small arrays are left to NumPy, so let the batch
    be of the usual size, and the layers, the optimizer and the loss those of the program.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(8, 4)
    >>> report = minigrad.warmup(lambda: layer(minigrad.ones(2, 8)).sum().backward())
    >>> all(entry.milliseconds > 0 for entry in report)
    True
    """
    before = len(progress.finished)
    work()
    return CompileReport(progress.finished[before:])


def _training(network, image):
    """A function that trains a network on noise for a step with each optimizer, and runs it once without gradients."""

    def work():
        images, labels = minigrad.rand(128, *image), minigrad.randint(10, (128,))
        for optimizer_class in (minigrad.optim.SGD, minigrad.optim.Adam):
            model = network()
            settings = {"momentum": 0.9} if optimizer_class is minigrad.optim.SGD else {}
            optimizer = optimizer_class(model.parameters(), lr=1e-3, **settings)
            cross_entropy(model(images), labels).backward()
            optimizer.step()
        with minigrad.no_grad():
            model.eval()(images).argmax(1)

    return work


NETWORKS = {
    "lenet5": _training(models.LeNet5, (1, 32, 32)),
    "resnet20": _training(models.resnet20, (3, 32, 32)),
}


def find(target):
    """The function that `target` names: a network of `NETWORKS`, or "package.module:function" or "script.py:function".

    Raises ValueError, with what there is, for a target that names nothing.
    """
    if target in NETWORKS:
        return NETWORKS[target]
    place, colon, name = target.rpartition(":")
    if not colon:
        known = ", ".join(NETWORKS)
        raise ValueError(
            f"no network {target!r}; there are {known}, or name a function: module:function, file.py:function"
        )
    module = _load(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    if not callable(getattr(module, name, None)):
        raise ValueError(f"{place} has no function {name!r}")
    return getattr(module, name)


def _load(path):
    """A script as a module, with its folder on the path as when it is run."""
    if not path.is_file():
        raise ValueError(f"no file {str(path)!r}")
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # a name in .py always has one
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
