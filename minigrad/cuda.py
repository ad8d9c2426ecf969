"""GPUs under `torch.cuda`'s names: so far there is none, and these functions say so honestly.

What asks (`is_available`, `device_count`, `memory_allocated`) answers; what is harmless without a GPU
(`manual_seed_all`, `empty_cache`) does nothing; what needs one raises PyTorch's AssertionError.
"""

from . import amp
from .autograd import present

__all__ = [
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "get_device_properties",
    "is_available",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]


def is_available():
    """Whether there is a GPU that minigrad can use (`torch.cuda.is_available`).

    >>> is_available()
    False
    """
    return False


def device_count():
    """How many GPUs there are (`torch.cuda.device_count`).

    >>> device_count()
    0
    """
    return 0


def is_initialized():
    """Whether a GPU has been used (`torch.cuda.is_initialized`).

    >>> is_initialized()
    False
    """
    return False


def memory_allocated(device=None):
    """Bytes of GPU memory in tensors (`torch.cuda.memory_allocated`).

    >>> memory_allocated()
    0
    """
    return 0


max_memory_allocated = memory_reserved = memory_allocated


def empty_cache():
    """Give unused GPU memory back: there is none (`torch.cuda.empty_cache`).

    >>> empty_cache()
    """


def reset_peak_memory_stats(device=None):
    """Forget the largest use of GPU memory (`torch.cuda.reset_peak_memory_stats`).

    >>> reset_peak_memory_stats()
    """


def manual_seed(seed):
    """Seed the GPU's random numbers: without a GPU, nothing (`torch.cuda.manual_seed`).

    >>> manual_seed(0)
    """


manual_seed_all = manual_seed


def synchronize(device=None):
    """Wait for the GPU's work: an AssertionError without one (`torch.cuda.synchronize`).

    >>> synchronize()
    Traceback (most recent call last):
    AssertionError: Torch not compiled with CUDA enabled
    ...
    """
    present("cuda")


def current_device():
    """The number of the GPU in use: an AssertionError without one (`torch.cuda.current_device`).

    >>> current_device()
    Traceback (most recent call last):
    AssertionError: Torch not compiled with CUDA enabled
    ...
    """
    present("cuda")


def set_device(device):
    """Use a GPU from now on: an AssertionError without one (`torch.cuda.set_device`).

    >>> set_device(0)
    Traceback (most recent call last):
    AssertionError: Torch not compiled with CUDA enabled
    ...
    """
    present("cuda")


def get_device_name(device=None):
    """The name of a GPU: an AssertionError without one (`torch.cuda.get_device_name`).

    >>> get_device_name(0)
    Traceback (most recent call last):
    AssertionError: Torch not compiled with CUDA enabled
    ...
    """
    present("cuda")


def get_device_properties(device=None):
    """The properties of a GPU: an AssertionError without one (`torch.cuda.get_device_properties`).

    >>> get_device_properties(0)
    Traceback (most recent call last):
    AssertionError: Torch not compiled with CUDA enabled
    ...
    """
    present("cuda")
