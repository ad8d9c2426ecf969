"""The array on the device: memory of the library's, answered by NumPy's functions, strict about where things are."""

from operator import setitem

import numpy as np

from .library import library, simulated
from .tape import capturing, run, seen, uploaded

__all__ = ["DeviceArray", "called", "mixed_devices"]

_REDUCTIONS = {  # what CuPy's ufuncs cannot reduce, its functions can
    "add": np.sum,
    "multiply": np.prod,
    "maximum": np.max,
    "minimum": np.min,
    "logical_and": np.all,
    "logical_or": np.any,
}
_METHODS = {  # the other methods of ufuncs that CuPy's have
    "accumulate": ("add", "multiply"),
    "at": ("add", "maximum", "minimum"),
    "reduceat": ("add",),
}
_COUNTED = {np.argwhere, np.flatnonzero, np.nonzero, np.unique}  # the host waits for the number of what they find
_JOINED = 8  # arrays that CuPy's `concatenate` copies one by one
_ASSOCIATIVE = ("maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or", "logaddexp")  # accumulated here


def mixed_devices():
    """PyTorch's error for arrays of the host and of the device in one operation."""
    return RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!\nhint: move "
        "one of them: x.to(y.device), and a module with model.to(device)"
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
    __hash__ = None  # type: ignore[assignment]  # as NumPy's: `==` compares element by element

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
        """The array whose memory this is a view of, or None."""
        base = self.memory.base
        return DeviceArray(base) if hasattr(base, "dtype") else base

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
        if method == "accumulate" and ufunc.__name__ in _ASSOCIATIVE:
            return _accumulated(ufunc, *inputs, **kwargs)
        if "out" in kwargs:
            kwargs["out"] = kwargs["out"][0] if len(kwargs["out"]) == 1 else kwargs["out"]
        function = library().function(ufunc)
        if method != "__call__":
            if ufunc.__name__ not in _METHODS.get(method, ()):
                raise NotImplementedError(
                    f"numpy.{ufunc.__name__}.{method} has no counterpart on the GPU: CuPy lacks it\nhint: compute it "
                    "on the CPU: x.cpu()"
                )
            function = getattr(function, method)
        return called(function, inputs, kwargs)

    def __array_function__(self, func, types, args, kwargs):
        if kwargs.get("device", 0) is None:  # NumPy's name for the host, which `like` passes on
            del kwargs["device"]
        if "initial" in kwargs:
            return _with_initial(func, *args, **kwargs)
        if func in _COUNTED:
            seen(self.memory)
        if func is np.repeat and isinstance(args[1], DeviceArray):
            return _repeated(*args, **kwargs)
        if func is np.concatenate and capturing() and len(args[0]) > _JOINED:
            return _joined(*args, **kwargs)
        return called(library().function(func), args, kwargs)

    def __matmul__(self, other):
        return called(lambda a, b: a @ b, (self, other), {})

    # elements

    def __getitem__(self, index):
        if any(isinstance(i, DeviceArray) and i.dtype == bool for i in (index if type(index) is tuple else (index,))):
            seen(self.memory)
        return DeviceArray(run(_element, (self.memory, _index(index))))

    def __setitem__(self, index, value):
        run(setitem, (self.memory, _index(index), _bare(value, {})))

    def __len__(self):
        return len(self.memory)

    def nonzero(self):
        """As `numpy.ndarray.nonzero`."""
        return np.nonzero(self)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(seen(self.memory))

    def __int__(self):
        return int(seen(self.memory))

    def __float__(self):
        return float(seen(self.memory))

    def __index__(self):
        return seen(self.memory).item().__index__()

    def item(self):
        """The only element as a Python number; waits for the device."""
        return seen(self.memory).item()

    def tolist(self):
        """The elements as nested lists; waits for the device."""
        return seen(self.memory).tolist()

    def __repr__(self):
        return f"DeviceArray({seen(self.memory)})"

    def __str__(self):
        return str(seen(self.memory))

    def __format__(self, spec):
        return format(self.item() if self.ndim == 0 else str(self), spec)

    def diagonal(self, offset=0, axis1=0, axis2=1):
        """The diagonals in two axes, a view that can be written as CuPy's can."""
        result = called(library().method(self.memory, "diagonal"), (offset, axis1, axis2), {})
        if simulated() and self.memory.flags.writeable:
            result.memory.flags.writeable = True
        return result

    def max(self, axis=None, **kwargs):
        """The largest elements; `initial` counts as one more."""
        return np.max(self, axis, **kwargs)

    def min(self, axis=None, **kwargs):
        """The smallest elements; `initial` counts as one more."""
        return np.min(self, axis, **kwargs)

    def take(self, indices, axis=None, mode="wrap"):
        """The entries of an axis at `indices`, which wrap around as they do in CuPy."""
        if isinstance(indices, np.ndarray) and indices.ndim:
            raise mixed_devices()
        if simulated():
            return called(lambda memory, places: memory.take(places, axis, mode="wrap"), (self, indices), {})
        return called(lambda memory, places: memory.take(places, axis), (self, indices), {})

    def restrided(self, shape, strides, offset=0):
        """The memory seen with other strides, from `offset` bytes after the first element on: a view."""
        if not simulated():
            array = library().module.ndarray
            return DeviceArray(array(shape, self.dtype, self.memory.data + offset, strides))
        return DeviceArray(np.asarray(_Seen(self.memory, offset, shape, strides)))

    def fill(self, value):
        """Write a number into every element."""
        value = value.item() if isinstance(value, (np.ndarray, DeviceArray)) else value
        run(lambda memory: memory.fill(value), (self.memory,))


class _Seen:
    """A simulated array's memory from any address on: NumPy makes views of it."""

    def __init__(self, memory, offset, shape, strides):
        self.memory = memory  # keeps it alive
        interface = dict(memory.__array_interface__, shape=shape, strides=strides)
        self.__array_interface__ = {**interface, "data": (memory.ctypes.data + offset, False)}


def _element(memory, index):
    """memory[index], of 0 dimensions where NumPy gives a number."""
    found = memory[index]
    return found if isinstance(found, type(memory)) else memory[(*(index if type(index) is tuple else (index,)), ...)]


def _index(index):
    """An index with bare memory; the host's index arrays come over, as in PyTorch."""
    if type(index) is tuple:
        return tuple([_index(item) for item in index])
    if isinstance(index, DeviceArray):
        return index.memory
    if isinstance(index, np.ndarray) and index.ndim and not simulated():
        return uploaded(index)
    return index


def _bare(value, known):
    """`value` with every device array in it as its memory; `known` learns which those were."""
    if isinstance(value, DeviceArray):
        known[id(value.memory)] = value
        return value.memory
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise mixed_devices()
        return value[()]
    if type(value) in (tuple, list):
        return type(value)([_bare(item, known) for item in value])
    return value


def called(function, args, kwargs):
    """What a function of the library's arrays gives for arrays on the device: arrays on the device."""
    known = {}
    args = [_bare(arg, known) for arg in args]
    kwargs = {name: _bare(value, known) for name, value in kwargs.items()}
    return _kept(run(function, args, kwargs), known)


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


def _with_initial(function, array, axis=None, *, initial, keepdims=False):
    """`function`, np.max or np.min, of the elements and a number, which CuPy's do not take."""
    axes = range(array.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [axis % array.ndim for axis in axes]
    if all(array.shape[axis] for axis in axes):
        pair = np.maximum if function in (np.max, np.amax) else np.minimum
        return pair(function(array, axis=tuple(axes), keepdims=keepdims), initial)
    shape = [1 if axis in axes else size for axis, size in enumerate(array.shape) if keepdims or axis not in axes]
    return np.full(shape, initial, array.dtype, like=array)


def _repeated(array, repeats, axis=None):
    """Each entry as often as an array on the device says, which CuPy takes from the host alone; waits for the sum."""
    if axis is None:
        array, axis = array.ravel(), 0
    stops = np.cumsum(np.broadcast_to(repeats, (array.shape[axis],)))
    total = int(stops[-1]) if len(stops) else 0
    return array.take(np.searchsorted(stops, np.arange(total, like=stops), side="right"), axis)


def _joined(arrays, axis=0):
    """Many arrays one after another: CuPy sends a table of more than a few over from the host, not to be captured."""
    while len(arrays) > 1:
        arrays = [np.concatenate(arrays[i : i + _JOINED], axis) for i in range(0, len(arrays), _JOINED)]
    return arrays[0]


def _accumulated(ufunc, array, axis=0, dtype=None):
    """The partial results of an associative ufunc, in log₂ n passes over the array (Hillis and Steele 1986)."""
    result = np.moveaxis(array, axis, 0).astype(array.dtype if dtype is None else dtype)
    reach = 1
    while reach < len(result):
        later = ufunc(result[:-reach], result[reach:])
        result[reach:] = later
        reach *= 2
    return np.moveaxis(result, 0, axis)


def _method(name):
    """The method of the library's array of that name, on the device."""

    def of_memory(memory, *args, **kwargs):
        return library().method(memory, name)(*args, **kwargs)

    def method(self, *args, **kwargs):
        return called(of_memory, (self, *args), kwargs)

    method.__name__ = name
    method.__doc__ = f"As `numpy.ndarray.{name}`."
    setattr(DeviceArray, name, method)


_METHOD_NAMES = """
    all any argmax argmin argsort astype clip compress copy cumprod cumsum dot flatten mean prod ravel repeat
    reshape round sort squeeze std sum swapaxes trace transpose var view
"""
for _name in _METHOD_NAMES.split():
    _method(_name)
