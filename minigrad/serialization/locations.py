"""Where loaded tensors go: the device they were saved from, or what `map_location` says."""

from collections.abc import Mapping

import numpy as np

from minigrad.autograd import CPU, Device, Tensor, placed, present
from minigrad.kernels.device import missing

__all__ = ["locator", "relocate"]


def locator(map_location):
    """A function (name of a device, tensor on the CPU) -> the device where the tensor is to be.

    `map_location` is None, a device, a dict from names to devices, or a function of the tensor and the name that
    returns the tensor on a device, or None to leave it where it was. A RuntimeError, as PyTorch's, for a device that is
    not there.
    """
    if map_location is None:
        return lambda name, tensor: _there(name)
    if isinstance(map_location, Mapping):
        return lambda name, tensor: _there(map_location.get(name, name))
    if callable(map_location):

        def ask(name, tensor):
            moved = map_location(tensor, name)
            return _there(name) if moved is None else moved.device

        return ask
    device = _there(map_location)
    return lambda name, tensor: device


def _there(device):
    device = Device(device)
    if device.type == "cuda" and missing():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
            f"storages to the CPU.\nhint: {missing()}"
        )
    return present(device)


def relocate(state, locate):
    """Move the tensors on the CPU that lie in nested state to where `locate` wants them, in place."""
    moved, stack = {}, [state]
    while stack:
        value = stack.pop()
        if isinstance(value, Tensor):
            device = locate("cpu", value)
            if device is not CPU and value.device is CPU:
                value.data = Tensor._wrap(_moved(value._array, device, moved))
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def _moved(array, device, moved):
    """A view of its memory's copy on a device, made once for all views of it and noted in `moved`."""
    memory = array
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    offset = array.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    if not memory.flags.c_contiguous or memory.dtype != array.dtype or not array.size:
        return placed(array, device)
    if (device, id(memory)) not in moved:
        moved[device, id(memory)] = placed(memory, device), memory  # which is kept: another one may not get its number
    return moved[device, id(memory)][0].restrided(array.shape, array.strides, offset)
