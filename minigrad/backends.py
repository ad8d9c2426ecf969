"""Switches of PyTorch's libraries under `torch.backends`' names.

One of them changes what minigrad computes: on a GPU with tensor cores, products of float32 matrices and convolutions
may round their factors to ten binary places (TF32), which saves time. That is off until a program asks for it, by one
of these, which are views of the same settings (`kernels/precision.py`):

* `cuda.matmul.allow_tf32 = True` for products and `cudnn.allow_tf32 = True` for convolutions (where PyTorch's default
  is True);
* `cuda.matmul.fp32_precision`, `cudnn.conv.fp32_precision` and `cudnn.rnn.fp32_precision`: "ieee", "tf32", or "none",
  which leaves it to `cudnn.fp32_precision` and that to `backends.fp32_precision`;
* `set_float32_matmul_precision("high")`.

Both ways may be mixed, which PyTorch refuses. Recurrent layers are products of matrices here, and follow these.

Of the other switches minigrad has none, and answers so. Programs set `cudnn.benchmark` or `cudnn.deterministic` at
their top; they may, and nothing changes: minigrad's kernels are deterministic and tuned without trying.
"""

import contextlib
import sys
from types import ModuleType, SimpleNamespace

from .kernels import precision
from .settings import set_float32_matmul_precision

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]


def _unavailable():
    return False


def _precision_of(place):
    return property(
        lambda self: precision.fp32_precision(place),
        lambda self, word: precision.set_fp32_precision(place, word),
        doc='What float32 is computed in: "ieee", "tf32", or "none" for what the entry above says.',
    )


def _checked_bool(value):
    if not isinstance(value, bool):
        raise RuntimeError(f"set_allow_tf32_cublas expects a bool, but got {type(value).__name__}")
    return value


class _Switches:
    """Attributes that may be set, and no others."""

    def __setattr__(self, name, value):
        if not hasattr(type(self), name):
            raise AttributeError(f"Unknown attribute {name}")
        super().__setattr__(name, value)


class _Convolution(_Switches):
    fp32_precision = _precision_of("conv")


class _Recurrent(_Switches):
    fp32_precision = _precision_of("rnn")


class _Matmul(_Switches):
    """`torch.backends.cuda.matmul`: of its switches for float16 and bfloat16 none has anything to switch here."""

    allow_fp16_reduced_precision_reduction = allow_bf16_reduced_precision_reduction = True
    allow_fp16_accumulation = False
    fp32_precision = _precision_of("matmul")

    @property
    def allow_tf32(self):
        """Whether products of float32 matrices may use TF32."""
        return precision.tf32_allowed("matmul")

    @allow_tf32.setter
    def allow_tf32(self, value):
        set_float32_matmul_precision("high" if _checked_bool(value) else "highest")


class _Cudnn(SimpleNamespace):
    """`torch.backends.cudnn`, of which minigrad has the names; convolutions are its own kernels."""

    conv, rnn = _Convolution(), _Recurrent()
    fp32_precision = _precision_of("cuda")

    @property
    def allow_tf32(self):
        """Whether float32 convolutions may use TF32."""
        return precision.tf32_allowed("conv")

    @allow_tf32.setter
    def allow_tf32(self, value):
        word = "tf32" if _checked_bool(value) else "none"
        for place in ("conv", "rnn"):
            precision.set_fp32_precision(place, word)

    @contextlib.contextmanager
    def flags(self, enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=False):
        """A context in which convolutions may or may not use TF32; the other switches change nothing."""
        before, self.allow_tf32 = self.allow_tf32, allow_tf32
        try:
            yield
        finally:
            self.allow_tf32 = before


class _Backends(ModuleType):
    """This module, with the precision of all devices."""

    fp32_precision = _precision_of("all")


sys.modules[__name__].__class__ = _Backends

cudnn = _Cudnn(enabled=False, benchmark=False, deterministic=True, is_available=_unavailable, version=lambda: None)
mps = SimpleNamespace(is_available=_unavailable, is_built=_unavailable)
mkldnn = SimpleNamespace(enabled=False, is_available=_unavailable)
cuda = SimpleNamespace(matmul=_Matmul(), is_built=_unavailable)
