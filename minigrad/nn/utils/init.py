"""Modules whose weights are about to be loaded."""

import inspect

from ..module import Module


def skip_init(module_cls, *args, **kwargs):
    """A module whose parameters hold no particular values (`torch.nn.utils.skip_init`).

    PyTorch saves the time of drawing them, here they are drawn.

    >>> import minigrad
    >>> skip_init(minigrad.nn.Linear, 3, 2).weight.shape
    minigrad.Size([2, 3])
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    return module_cls(*args, **kwargs)
