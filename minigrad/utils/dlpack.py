"""DLPack under `torch.utils.dlpack`'s names."""

from minigrad.ops.exchange import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
