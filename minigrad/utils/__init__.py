"""Helpers around training; `minigrad.utils.data` feeds it."""

from . import data

__all__ = ["data"]
