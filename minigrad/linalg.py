"""Linear algebra, under `torch.linalg`'s names: operations of `minigrad.ops` that are offered here."""

from minigrad.ops.registry import linalg

globals().update(linalg)
__all__ = sorted(linalg)
