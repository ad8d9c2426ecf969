"""Functions of neural networks, under `torch.nn.functional`'s names.

Each is an operation of `minigrad.ops` that says there, with `@functional`, that it belongs here too.
"""

from minigrad.ops.registry import functionals

globals().update(functionals)
__all__ = sorted(functionals)
