"""Helpers around training; `minigrad.utils.data` feeds it."""

from . import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
