"""Switches of PyTorch's libraries under `torch.backends`' names: minigrad has none of them, and answers so.

Programs set `cudnn.benchmark` or `cudnn.deterministic` at their top; they may, and nothing changes: minigrad's kernels
are deterministic and tuned without trying.
"""

from types import SimpleNamespace

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]


def _unavailable():
    return False


cudnn = SimpleNamespace(
    enabled=False,
    benchmark=False,
    deterministic=True,
    allow_tf32=False,
    is_available=_unavailable,
    version=lambda: None,
)
mps = SimpleNamespace(is_available=_unavailable, is_built=_unavailable)
mkldnn = SimpleNamespace(enabled=False, is_available=_unavailable)
cuda = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False), is_built=_unavailable)
