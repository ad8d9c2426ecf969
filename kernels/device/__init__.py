"""Arrays on the GPU: one class over CuPy's arrays, or over NumPy's where Numba's CUDA simulator stands in for the GPU.

`DeviceArray` answers NumPy's functions and operators, so that what is written with them runs on both sides; `library`
says whose functions they become, and what is missing where there are none; `transfer` brings memory over and back.
Nothing here is imported from CuPy or Numba before somebody asks for the device.
"""

from .array import DeviceArray, called, mixed_devices
from .library import current_stream, library, missing, simulated
from .tape import Tape, capturing, held, uploaded
from .transfer import empty, in_pinned_memory, memory_in_use, pinned, to_device, to_host

__all__ = [
    "DeviceArray",
    "Tape",
    "called",
    "capturing",
    "current_stream",
    "empty",
    "held",
    "in_pinned_memory",
    "library",
    "memory_in_use",
    "missing",
    "mixed_devices",
    "pinned",
    "simulated",
    "to_device",
    "to_host",
    "uploaded",
]
