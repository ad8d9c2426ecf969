"""Where a tensor's memory is, and in which order its elements can lie there.

A tensor is where its array is: NumPy's arrays are on the CPU, `DeviceArray` is on the GPU. Nothing else in the engine
knows a device; what makes an array beside another says `np.zeros(shape, dtype, like=other)`, NumPy's own way.
"""

import functools

import numpy as np

from minigrad.kernels.device import DeviceArray, missing, mixed_devices, to_device, to_host

_entered: list = []  # where tensors were made before each `with device:`
_TYPES = ("cpu", "cuda", "mps", "xpu", "meta")


class Device:
    """A device by name and number (`torch.device`); that it can be named does not mean that it is there.

    >>> Device("cpu"), Device("cuda", 1)
    (device(type='cpu'), device(type='cuda', index=1))
    """

    __slots__ = ("index", "type")

    def __init__(self, type="cpu", index=None):
        if isinstance(type, Device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type  # PyTorch counts accelerators
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise RuntimeError(f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}")
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.type, self.index = name, int(number) if colon else index

    def __repr__(self):
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        if isinstance(other, Device):
            return (self.type, self.index) == (other.type, other.index)
        return isinstance(other, str) and str(self) == other

    def __hash__(self):
        return hash((self.type, self.index))

    def __enter__(self):
        _entered.append(set_home(self))
        return self

    def __exit__(self, *error):
        set_home(_entered.pop())


def present(device):
    """The device on which tensors named to be on `device` are; an AssertionError, as PyTorch's, if there is none.

    >>> present("cpu:0")
    device(type='cpu')
    """
    device = Device(device)
    if device.type == "cpu":
        return CPU
    if device.type != "cuda":
        raise AssertionError(
            f"Torch not compiled with {device.type.upper()} enabled\nhint: minigrad has no device '{device}', only "
            f"'cpu' and 'cuda'; let the program ask `{device.type}.is_available()`"
        )
    if missing():
        raise AssertionError(
            f"Torch not compiled with CUDA enabled\nhint: {missing()}; NUMBA_ENABLE_CUDASIM=1 in the environment "
            "simulates a GPU, slowly; programs ask `cuda.is_available()`"
        )
    if device.index:
        raise RuntimeError(
            f"CUDA error: invalid device ordinal\nhint: '{device}' was asked for, and minigrad uses one GPU, 'cuda:0'"
        )
    return CUDA


CPU, CUDA = Device("cpu"), Device("cuda", 0)
DEVICES = {np.ndarray: CPU, DeviceArray: CUDA}  # the arrays that a tensor can be around, and where they are
ARRAYS = tuple(DEVICES)


def address_of(array):
    """The address of an array's first element."""
    return array.__array_interface__["data"][0] if isinstance(array, np.ndarray) else array.pointer


def forbid_mixture(arrays):
    """PyTorch's error if some of these are arrays on the CPU, of any dimensions, and some on the GPU."""
    if any(type(a) is DeviceArray for a in arrays) and any(isinstance(a, np.ndarray) and a.ndim for a in arrays):
        raise mixed_devices() from None


_default = [CPU]


def home(device=None):
    """The `present` device of that name; for None the one that tensors are made on unless told otherwise."""
    return _default[0] if device is None else present(device)


def set_home(device):
    """Let `device` be where tensors are made unless told otherwise; returns what it was before."""
    before, _default[0] = _default[0], present(device)
    return before


_CPU_PATTERN = np.empty(0)


@functools.cache
def pattern(device):
    """An array on the device, for NumPy's functions to make others `like` it."""
    return to_device(_CPU_PATTERN) if device is CUDA else _CPU_PATTERN


def placed(array, device, non_blocking=False):
    """`array` on a device that is `present`: itself if it is there, else a copy."""
    if device is CUDA:
        return array if type(array) is DeviceArray else to_device(array, non_blocking)
    return to_host(array) if type(array) is DeviceArray else array


class MemoryFormat:
    """An order of the elements in memory (`torch.memory_format`): row-major, channels-last, or as they are."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"minigrad.{self.name}"


contiguous_format = MemoryFormat("contiguous_format")
channels_last = MemoryFormat("channels_last")
preserve_format = MemoryFormat("preserve_format")
