"""minigrad: a mini PyTorch made to be read.

Tensors with reverse-mode automatic differentiation on Numba kernels, under PyTorch's names.

>>> import minigrad
>>> x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x ** 2).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

import importlib
from math import e, inf, nan, pi
from types import SimpleNamespace

from . import autograd, kernels
from .autograd import (
    Device as device,
)
from .autograd import (
    Size,
    Tensor,
    channels_last,
    contiguous_format,
    enable_grad,
    get_default_dtype,
    inference_mode,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    preserve_format,
    promote_types,
    set_default_dtype,
    set_grad_enabled,
)
from .autograd.dtypes import (
    bfloat16,
    bool,
    can_cast,
    cdouble,
    cfloat,
    complex64,
    complex128,
    double,
    dtype,
    finfo,
    float,
    float16,
    float32,
    float64,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    short,
    strided,
    uint8,
)
from .kernels import winograd
from .kernels.compilation import compile_report
from .kernels.threads import get_num_threads, set_num_threads
from .ops import Generator, default_generator, functions, inplace_functions

globals().update(functions | inplace_functions)

from . import accelerator, amp, backends, cuda, linalg, nn, optim, utils  # noqa: E402
from .amp import GradScaler, autocast  # noqa: E402
from .serialization import CheckpointError, load, save  # noqa: E402
from .settings import (  # noqa: E402
    are_deterministic_algorithms_enabled,
    compile,
    get_default_device,
    get_float32_matmul_precision,
    set_default_device,
    set_float32_matmul_precision,
    set_printoptions,
    use_deterministic_algorithms,
)

newaxis = None
version = SimpleNamespace(__version__="0.1.0", cuda=None, hip=None)
xpu = mps = backends.mps

__version__ = version.__version__
# the upper floors are imported when first used
_LAZY = ("distributions", "func", "jit", "profiler", "special", "testing", "vision", "viz")
_LAZY_NAMES = {  # so are these names
    "History": "history",
    "profile": "profiler",
    "summary": "overview",
    "vmap": "func",
    "warmup": "compiling",
}


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(f"minigrad.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"minigrad.{_LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module 'minigrad' has no attribute '{name}'")


def __dir__():
    return sorted([*globals(), *_LAZY, *_LAZY_NAMES])
