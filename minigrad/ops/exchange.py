"""Memory shared with other libraries: DLPack in both directions, and CUDA's array interface.

On the CPU that is with NumPy, PyTorch and whoever speaks DLPack; on the GPU with CuPy, PyTorch and Numba. The memory of
the simulated GPU is the host's, and DLPack says so.
"""

import ctypes

import numpy as np

from minigrad.autograd import CPU, CUDA, Tensor, placed, present
from minigrad.autograd.dtypes import native
from minigrad.kernels.device import DeviceArray, library, simulated

from .registry import function, method

_CUDA_DEVICES = 2, 3, 13  # DLPack's numbers: CUDA memory, the host's that CUDA has locked, managed memory
_TENSOR_AT = {b"dltensor": 0, b"dltensor_versioned": 32}  # bytes before DLTensor in what a capsule of that name holds
_DEVICE_AT = 8  # and in DLTensor those before DLDevice, two numbers of 32 bits: the address

_name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_place_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _exported(tensor):
    """The memory of a tensor, the library's array, if it may be handed out."""
    if tensor.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    array = tensor._array
    return array.memory if type(array) is DeviceArray else array


@method()
def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A capsule through which another library uses this memory (`torch.Tensor.__dlpack__`)."""
    memory = _exported(self)
    stream = None if self.device is CPU or simulated() else stream
    return memory.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


@method()
def __dlpack_device__(self):
    """Where the memory is, in DLPack's numbers: (1, 0) the host's, (2, 0) the GPU's."""
    device = _exported(self.detach()).__dlpack_device__()
    return tuple(int(part) for part in device)


class _Capsule:
    """A bare DLPack capsule, as exporters of earlier days hand it out."""

    def __init__(self, capsule):
        self._capsule, self._name = capsule, _name_of(capsule)
        if self._name not in _TENSOR_AT:
            raise RuntimeError(
                "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so "
                f"you might have already constructed a tensor from it once.\nhint: its name is {self._name}"
            )

    def __dlpack__(self, **kwargs):
        return self._capsule

    def __dlpack_device__(self):
        """Where the memory is, read from the struct that the capsule holds: `dlpack.h` lays it down."""
        place = _place_of(self._capsule, self._name) + _TENSOR_AT[self._name] + _DEVICE_AT
        return tuple((ctypes.c_int32 * 2).from_address(place))


class _Writable:
    """Another library's memory without NumPy's doubt whether it may be written: capsules of old do not say."""

    def __init__(self, array):
        self.array = array  # keeps the memory alive
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


@function
def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor on the memory of another library's array or of a DLPack capsule; shared (`torch.from_dlpack`).

    `device` and `copy=True` move or copy it; a RuntimeError if `copy=False` forbids what `device` needs.

    >>> import minigrad
    >>> a = np.arange(3)
    >>> x = from_dlpack(a)
    >>> a[0] = 9
    >>> x
    tensor([9, 1, 2])
    """
    bare = type(ext_tensor).__name__ == "PyCapsule"
    source = _Capsule(ext_tensor) if bare else ext_tensor
    if not hasattr(source, "__dlpack__"):
        raise TypeError(
            f"from_dlpack: expected an object with __dlpack__, but got {type(ext_tensor).__name__}\nhint: arrays of "
            "NumPy, CuPy, PyTorch and JAX have it"
        )
    if int(source.__dlpack_device__()[0]) in _CUDA_DEVICES and present("cuda") and not simulated():
        array = DeviceArray(library().module.from_dlpack(source))
    else:
        array = np.from_dlpack(source)
        # a versioned capsule says what is read-only, and NumPy exports nothing else without a version
        foreign = bare or type(ext_tensor).__module__.partition(".")[0] != "numpy"
        if foreign and not array.flags.writeable:
            array = np.asarray(_Writable(array))
        array = native(array)
    result = Tensor._wrap(array)
    if device is not None and present(device) is not result.device:
        if copy is False:
            raise RuntimeError(f"cannot move from {result.device} to {device} without copying")
        return Tensor._wrap(placed(array, present(device)))
    return result.clone() if copy else result


@function
def to_dlpack(tensor):
    """The DLPack capsule of a tensor's memory (`torch.utils.dlpack.to_dlpack`).

    >>> import minigrad
    >>> from_dlpack(to_dlpack(minigrad.arange(3)))
    tensor([0, 1, 2])
    """
    return tensor.__dlpack__()


def _cuda_array_interface(self):
    """Address, shape, strides and dtype of the GPU's memory, for CuPy, Numba and others."""
    if self.device is not CUDA:
        raise AttributeError(
            f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self.type()} If CUDA data is required use "
            "tensor.cuda() to copy tensor to device memory."
        )
    if simulated():
        raise AttributeError("the simulated GPU's memory is the host's: there is no CUDA address to hand out")
    if self.requires_grad:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients aren't required, use "
            "var.detach() to get Variable that doesn't require grad."
        )
    return self._array.memory.__cuda_array_interface__


Tensor.__cuda_array_interface__ = property(_cuda_array_interface)
