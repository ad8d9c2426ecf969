"""The GPU under `torch.cuda`'s names: whether there is one, its memory, its random numbers, its streams and graphs.

What asks (`is_available`, `device_count`, `memory_allocated`) answers without one too; what is harmless there
(`manual_seed_all`, `empty_cache`) does nothing; what needs one raises PyTorch's AssertionError and says what is
missing. With NUMBA_ENABLE_CUDASIM=1 a simulated GPU answers: its memory is the host's, its streams are always done.
"""

from minigrad import amp
from minigrad.autograd import CUDA, Device, present
from minigrad.kernels.device import library, missing, simulated
from minigrad.ops.random import gpu_generator, manual_seed_gpu

from .graphed import make_graphed_callables
from .graphs import CUDAGraph, graph, graph_pool_handle, is_current_stream_capturing
from .memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    reset_peak_memory_stats,
)
from .streams import Event, Stream, current_stream, default_stream, set_stream, stream, synchronize

__all__ = [
    "CUDAGraph",
    "Event",
    "Stream",
    "amp",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "graph",
    "graph_pool_handle",
    "initial_seed",
    "is_available",
    "is_current_stream_capturing",
    "is_initialized",
    "make_graphed_callables",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "set_rng_state",
    "set_stream",
    "stream",
    "synchronize",
]


def is_available():
    """Whether there is a GPU that minigrad can use, or a simulated one (`torch.cuda.is_available`).

    >>> is_available() == (device_count() > 0)
    True
    """
    return not missing()


def device_count():
    """How many GPUs minigrad uses: one, if there is any (`torch.cuda.device_count`).

    >>> device_count() in (0, 1)
    True
    """
    return 0 if missing() else 1


def is_initialized():
    """Whether there is a GPU to be used (`torch.cuda.is_initialized`).

    >>> is_initialized() == is_available()
    True
    """
    return is_available()


class device:
    """A context in which a GPU is the current one: there is only number 0 (`torch.cuda.device`).

    >>> with device(0) if is_available() else device(None):
    ...     pass
    """

    def __init__(self, device):
        self._index = device
        if device is not None:
            set_device(device)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def current_device():
    """The number of the GPU in use, 0; an AssertionError without one (`torch.cuda.current_device`).

    >>> current_device() if is_available() else 0
    0
    """
    return present("cuda").index


def set_device(device):
    """Use a GPU from now on: number 0, any other is an error (`torch.cuda.set_device`).

    >>> set_device(0) if is_available() else None
    """
    _gpu(device)


def _gpu(device):
    """The GPU of a name or number, which must be there."""
    device = Device(CUDA if device is None else device)
    if device.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {device}")
    return present(device)


def get_device_name(device=None):
    """The name of the GPU (`torch.cuda.get_device_name`).

    >>> isinstance(get_device_name(0), str) if is_available() else True
    True
    """
    return get_device_properties(device).name


def get_device_capability(device=None):
    """The GPU's compute capability, (major, minor) (`torch.cuda.get_device_capability`).

    >>> len(get_device_capability(0)) if is_available() else 2
    2
    """
    properties = get_device_properties(device)
    return properties.major, properties.minor


class _Properties:
    """What the GPU is: `name`, `total_memory` in bytes, `multi_processor_count`, `major` and `minor` capability."""

    def __init__(self, name, total_memory, multi_processor_count, major, minor):
        self.name, self.total_memory, self.multi_processor_count = name, total_memory, multi_processor_count
        self.major, self.minor = major, minor

    def __repr__(self):
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory >> 20}MB, multi_processor_count={self.multi_processor_count})"
        )


def get_device_properties(device=None):
    """Name, memory and size of the GPU; what a simulated one has is made up (`torch.cuda.get_device_properties`).

    >>> get_device_properties(0).major >= 0 if is_available() else True
    True
    """
    _gpu(device)
    if simulated():
        return _Properties("minigrad CUDA simulator", mem_get_info()[1], 1, 0, 0)
    found = library().module.cuda.runtime.getDeviceProperties(0)
    name, memory = found["name"].decode(), found["totalGlobalMem"]
    return _Properties(name, memory, found["multiProcessorCount"], found["major"], found["minor"])


def manual_seed(seed):
    """Start the GPU's stream of random numbers of `seed`; without a GPU nothing (`torch.cuda.manual_seed`).

    >>> manual_seed(0)
    """
    manual_seed_gpu(int(seed))


manual_seed_all = manual_seed


def initial_seed():
    """The seed of the GPU's stream of random numbers (`torch.cuda.initial_seed`).

    >>> initial_seed() >= 0 if is_available() else True
    True
    """
    present("cuda")
    return gpu_generator().initial_seed()


def get_rng_state(device="cuda"):
    """The GPU generator's place in its stream, a uint8 tensor on the CPU (`torch.cuda.get_rng_state`).

    >>> len(get_rng_state()) if is_available() else 16
    16
    """
    _gpu(device)
    return gpu_generator().get_state()


def set_rng_state(new_state, device="cuda"):
    """Put the GPU's generator back to a place that `get_rng_state` returned (`torch.cuda.set_rng_state`).

    >>> set_rng_state(get_rng_state()) if is_available() else None
    """
    _gpu(device)
    gpu_generator().set_state(new_state)
