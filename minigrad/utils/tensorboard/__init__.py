"""Event files for TensorBoard under PyTorch's names: `from minigrad.utils.tensorboard import SummaryWriter`.

`writer.py` hands numbers, images and texts to the package tensorboardX, which must be installed; `graph.py` makes the
picture of a model, nested by its modules.
"""

import importlib
import importlib.util

__all__ = ["SummaryWriter"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if importlib.util.find_spec("tensorboardX") is None:
        raise ImportError('SummaryWriter needs tensorboardX: pip install "minigrad[tensorboard]"')
    return getattr(importlib.import_module(f"{__name__}.writer"), name)


def __dir__():
    return sorted([*globals(), *__all__])
