"""Choices between two operands, element by element. `kernels/reference/choice.py` is the definition."""

from ..device import library
from ._numba import on_device

__all__ = ["choose", "select"]


@on_device
def choose(condition, x, y):
    """x where the condition holds, else y: `kernels.reference.choose`."""
    return library().module.where(condition, x, y)


@on_device
def select(x, mask):
    """The elements of x, in order, where the mask holds: `kernels.reference.select`."""
    return x[mask]
