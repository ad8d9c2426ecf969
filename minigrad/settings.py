"""Settings that programs make at their top, under PyTorch's names."""

from . import autograd
from .autograd import printing
from .kernels.precision import set_fp32_precision, tf32_allowed

__all__ = [
    "are_deterministic_algorithms_enabled",
    "compile",
    "get_default_device",
    "get_float32_matmul_precision",
    "set_default_device",
    "set_float32_matmul_precision",
    "set_printoptions",
    "use_deterministic_algorithms",
]

_settings = {"deterministic": True, "precision": "highest"}


def compile(model=None, **options):
    """`model`, a module or function, as it is: its kernels are compiled already (`torch.compile`, also a decorator).

    >>> compile(abs) is abs
    True
    """
    return (lambda function: function) if model is None else model


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Ask for results that do not vary from run to run: minigrad's never do (`torch.use_deterministic_algorithms`).

    >>> use_deterministic_algorithms(True)
    """
    _settings["deterministic"] = mode


def are_deterministic_algorithms_enabled():
    """What `use_deterministic_algorithms` was given last (`torch.are_deterministic_algorithms_enabled`).

    >>> are_deterministic_algorithms_enabled()
    True
    """
    return _settings["deterministic"]


def set_float32_matmul_precision(precision):
    """Choose how products of float32 matrices are computed on the GPU: "highest" (the default), "high" or "medium".

    "highest" is float32. The others allow tensor cores, with factors rounded to ten binary places (TF32), as
    `backends.cuda.matmul.allow_tf32 = True` does; the CPU, float64 and GPUs without TF32 are as exact as ever. Raises
    ValueError for other words, where PyTorch warns. Source: `torch.set_float32_matmul_precision`.

    >>> set_float32_matmul_precision("high")
    >>> get_float32_matmul_precision()
    'high'
    >>> set_float32_matmul_precision("highest")
    """
    if not isinstance(precision, str):
        raise RuntimeError(f"set_float32_matmul_precision expects a str, but got {type(precision).__name__}")
    if precision not in ("highest", "high", "medium"):
        raise ValueError(f"{precision} is not one of 'highest', 'high', or 'medium'")
    set_fp32_precision("matmul", "ieee" if precision == "highest" else "tf32")
    _settings["precision"] = precision


def get_float32_matmul_precision():
    """How products of float32 matrices are computed on the GPU, in the words of `set_float32_matmul_precision`.

    Also where `backends` was asked instead. Source: `torch.get_float32_matmul_precision`.

    >>> set_float32_matmul_precision("highest")
    >>> get_float32_matmul_precision()
    'highest'
    """
    if not tf32_allowed("matmul"):
        return "highest"
    return "medium" if _settings["precision"] == "medium" else "high"


def set_default_device(device):
    """Make tensors on `device` from now on; None means the CPU (`torch.set_default_device`).

    >>> set_default_device("cpu")
    """
    autograd.set_home("cpu" if device is None else device)


def get_default_device():
    """Where tensors are made unless told otherwise (`torch.get_default_device`).

    >>> get_default_device()
    device(type='cpu')
    """
    return autograd.home()


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How tensors are printed: digits, the size from which only the edges are shown, elements at an edge, line width.

    `profile` is "default", "short" or "full"; `sci_mode` says whether numbers are always or never in scientific
    notation. Source: `torch.set_printoptions`.

    >>> import minigrad
    >>> set_printoptions(precision=2)
    >>> minigrad.tensor(3.14159)
    tensor(3.14)
    >>> set_printoptions(profile="default")
    """
    printing.options.set(precision, threshold, edgeitems, linewidth, profile, sci_mode)
