"""Whatever accelerator there is, under `torch.accelerator`'s names: a GPU or none."""

from .autograd import CUDA, Device
from .cuda import device_count, is_available, synchronize

__all__ = ["current_accelerator", "device_count", "is_available", "synchronize"]


def current_accelerator(check_available=False):
    """The device of the accelerator in use, or None (`torch.accelerator.current_accelerator`).

    >>> current_accelerator() is None or is_available()
    True
    """
    return Device(CUDA.type) if is_available() else None
