"""The array on the device: memory of the library's, answered by NumPy's functions, strict about where things are."""

import numpy as np

from .library import library, simulated

__all__ = ["DeviceArray", "MixedDevices"]

_REDUCTIONS = {  # what CuPy's ufuncs cannot reduce, its functions can
    "add": np.sum,
    "multiply": np.prod,
    "maximum": np.max,
    "minimum": np.min,
    "logical_and": np.all,
    "logical_or": np.any,
}


class MixedDevices(RuntimeError):
    """Arrays of the host and of the device in one operation."""

    def __init__(self):
        super().__init__(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!\nhint: "
            "move one of them: x.to(y.device), and a module with model.to(device)"
        )


class Flags:
    """How an array lies in memory: what NumPy's `flags` say, of which CuPy's know two."""

    __slots__ = ("c_contiguous", "f_contiguous", "writeable")
    aligned = behaved = True

    def __init__(self, memory):
        self.c_contiguous, self.f_contiguous = memory.flags.c_contiguous, memory.flags.f_contiguous
        self.writeable = not any(n > 1 and s == 0 for n, s in zip(memory.shape, memory.strides))


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the GPU around `memory`, CuPy's array or, in the simulator, NumPy's.

    NumPy's functions, ufuncs, operators and the usual methods work on it and give arrays on the device, also of 0
    dimensions. Arrays of the host are refused with PyTorch's error, except those of 0 dimensions, which count as
    numbers; nothing moves between host and device by itself.
    """

    __slots__ = ("__weakref__", "memory")
    __hash__ = None  # as NumPy's: `==` compares element by element

    def __init__(self, memory):
        self.memory = memory

    # what it is

    @property
    def shape(self):
        """The sizes of the dimensions."""
        return self.memory.shape

    @property
    def dtype(self):
        """The element type, a NumPy dtype."""
        return self.memory.dtype

    @property
    def ndim(self):
        """The number of dimensions."""
        return self.memory.ndim

    @property
    def size(self):
        """The number of elements."""
        return self.memory.size

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self.memory.dtype.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.memory.size * self.memory.dtype.itemsize

    @property
    def strides(self):
        """Bytes from one entry to the next along each dimension."""
        return self.memory.strides

    @property
    def flags(self):
        """How it lies in memory."""
        return Flags(self.memory)

    @property
    def base(self):
        """The library's array whose memory this is a view of, or None."""
        return self.memory.base

    @property
    def pointer(self):
        """The address of the first element."""
        return self.memory.ctypes.data if simulated() else self.memory.data.ptr

    @property
    def T(self):
        """The array with its dimensions reversed."""
        return self.transpose()

    # NumPy's protocols

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method == "reduce" and ufunc.__name__ in _REDUCTIONS:
            axis = kwargs.pop("axis", 0)
            kwargs = {name: value for name, value in kwargs.items() if value is not None}
            return self.__array_function__(_REDUCTIONS[ufunc.__name__], (), inputs, {"axis": axis, **kwargs})
        if "out" in kwargs:
            kwargs["out"] = kwargs["out"][0] if len(kwargs["out"]) == 1 else kwargs["out"]
        function = library().function(ufunc)
        return _called(function if method == "__call__" else getattr(function, method), inputs, kwargs)

    def __array_function__(self, func, types, args, kwargs):
        return _called(library().function(func), args, kwargs)

    def __matmul__(self, other):
        return _called(lambda a, b: a @ b, (self, other), {})

    # elements

    def __getitem__(self, index):
        memory = self.memory[_index(index)]
        return DeviceArray(memory if isinstance(memory, type(self.memory)) else self.memory[(*_tuple(index), ...)])

    def __setitem__(self, index, value):
        self.memory[_index(index)] = _bare(value, {})

    def __len__(self):
        return len(self.memory)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self.memory)

    def __int__(self):
        return int(self.memory)

    def __float__(self):
        return float(self.memory)

    def __index__(self):
        return self.memory.__index__() if simulated() else int(self.memory)

    def item(self):
        """The only element as a Python number; waits for the device."""
        return self.memory.item()

    def tolist(self):
        """The elements as nested lists; waits for the device."""
        return self.memory.tolist()

    def __repr__(self):
        return f"DeviceArray({self.memory})"

    def fill(self, value):
        """Write a number into every element."""
        self.memory.fill(value.item() if isinstance(value, (np.ndarray, DeviceArray)) else value)


def _tuple(index):
    index = _index(index)
    return index if type(index) is tuple else (index,)


def _index(index):
    """An index with bare memory; the host's index arrays come over, as in PyTorch."""
    if type(index) is tuple:
        return tuple([_index(item) for item in index])
    if isinstance(index, DeviceArray):
        return index.memory
    if isinstance(index, np.ndarray) and index.ndim and not simulated():
        return library().module.asarray(index)
    return index


def _bare(value, known):
    """`value` with every device array in it as its memory; `known` learns which those were."""
    if isinstance(value, DeviceArray):
        known[id(value.memory)] = value
        return value.memory
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise MixedDevices
        return value[()]
    if type(value) in (tuple, list):
        return type(value)([_bare(item, known) for item in value])
    return value


def _called(function, args, kwargs):
    """What the library's function gives, on the device."""
    known = {}
    args = [_bare(arg, known) for arg in args]
    kwargs = {name: _bare(value, known) for name, value in kwargs.items()}
    return _kept(function(*args, **kwargs), known)


def _kept(result, known):
    """The library's arrays in a result as device arrays: an argument's memory as that argument itself."""
    if id(result) in known:
        return known[id(result)]
    if isinstance(result, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(result))
    if isinstance(result, (tuple, list)):
        items = [_kept(item, known) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return DeviceArray(result) if hasattr(result, "__cuda_array_interface__") else result


def _method(name):
    """The method of the library's array of that name, on the device."""

    def method(self, *args, **kwargs):
        known = {id(self.memory): self}
        args = [_bare(arg, known) for arg in args]
        kwargs = {key: _bare(value, known) for key, value in kwargs.items()}
        return _kept(library().method(self.memory, name)(*args, **kwargs), known)

    method.__name__ = name
    method.__doc__ = f"As `numpy.ndarray.{name}`."
    setattr(DeviceArray, name, method)


for _name in (
    "all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot flatten max mean min nonzero prod "
    "ravel repeat reshape round sort squeeze std sum swapaxes take trace transpose var view"
).split():
    _method(_name)
