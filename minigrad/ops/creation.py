"""Tensors from data, and tensors filled with one value. Ranges, grids and indices are in `sequences`."""

import math
import os

import numpy as np

from minigrad.autograd import (
    ARRAYS,
    CPU,
    DEVICES,
    Tensor,
    contiguous_format,
    get_default_dtype,
    home,
    pattern,
    placed,
    present,
    preserve_format,
    promote_types,
)
from minigrad.autograd.dtypes import as_dtype, native
from minigrad.kernels.device import DeviceArray, library, missing, simulated

from .registry import function

_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # bytes of this machine
_PLAIN = frozenset((int, float, bool))


def finish(array, requires_grad, device=None):
    """`array` as a leaf tensor on `device`: by default where it is, or, the host's, where tensors are made."""
    device = DEVICES[type(array)] if device is None and type(array) is not np.ndarray else home(device)
    return leaf(placed(array, device), requires_grad)


def leaf(array, requires_grad):
    """`array` as a leaf tensor."""
    if requires_grad and array.dtype.kind != "f":
        raise RuntimeError(
            f"Only Tensors of floating point and complex dtype can require gradients\nhint: this one is {array.dtype}"
        )
    result = Tensor._wrap(array)
    return result.requires_grad_() if requires_grad else result


def shape_of(size):
    """A shape given as separate sizes or as one sequence; negative and absurd sizes are an error."""
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)):
        if isinstance(size[0], Tensor) and size[0].ndim == 0:
            return checked((size[0].__index__(),))
        if not hasattr(size[0], "__iter__"):
            raise TypeError(
                f"argument 'size' (position 1) must be tuple of ints, not {type(size[0]).__name__}\nhint: sizes are "
                "whole numbers"
            )
        size = tuple(size[0])
    return checked(tuple([n.__index__() if hasattr(n, "__index__") else _no_size(n) for n in size]))


def _no_size(value):
    raise TypeError(
        f"argument 'size' must be tuple of ints, but found element of type {type(value).__name__}\nhint: sizes are "
        "whole numbers"
    )


def checked(shape):
    """`shape`, unless no memory could hold it."""
    if min(shape, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    count = math.prod(shape)
    if count * 8 >= 2**63:
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(shape)}\nhint: that would be {count} elements"
        )
    if count > _MEMORY:
        raise RuntimeError(
            f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {count} elements\nhint: the shape is "
            f"{shape}, and this machine has {_MEMORY} bytes of memory"
        )
    return shape


def fitting(value, dtype, suffix="_t"):
    """`value`, a number, unless `dtype` cannot represent it: PyTorch's error then."""
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind == "f":
        name, limit, finite = "float", np.finfo(dtype).max, math.isinf(value) or math.isnan(value)
        low, value_fits = -limit, finite or -limit <= value <= limit
    else:
        limits = np.iinfo(dtype)
        name = "int" if dtype == np.int32 and suffix else f"{dtype}{suffix}"
        low = -limits.max if dtype.kind == "u" else limits.min  # negative numbers wrap around, as in PyTorch
        value_fits = math.isfinite(value) and low <= value <= limits.max
    if not value_fits:
        raise RuntimeError(f"value cannot be converted to type {name} without overflow\nhint: the value is {value}")
    return int(value) % 2**8 if dtype.kind == "u" else value


def _array_of(data, dtype):
    """`data` (nested sequences, numbers, arrays, tensors) as an array of its own or, for arrays, possibly itself."""
    if isinstance(data, Tensor):
        array = data._array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = native(np.asarray(data))
    elif type(data) in DEVICES:
        array = data
    elif not missing() and not simulated() and hasattr(data, "__cuda_array_interface__"):
        array = DeviceArray(library().module.asarray(data))
    else:
        return _array_of_numbers(data, dtype)
    return array if dtype is None else array.astype(as_dtype(dtype), copy=False)


def _array_of_numbers(data, dtype):
    """Python's numbers, in nested sequences, as an array: floats of the default dtype unless NumPy's are among them."""
    floats = []  # dtypes of the NumPy and minigrad floats
    plain = _plain(data, floats)
    try:
        array = np.array(plain)
    except ValueError:
        raise _ragged(data) from None
    if array.dtype.kind == "u" or array.dtype == object:
        if dtype is None or as_dtype(dtype).kind != "f":
            raise ValueError("Overflow when unpacking long long\nhint: int64 ends at 2**63 - 1")
        array = array.astype(np.float64)
    if dtype is not None:
        dtype = as_dtype(dtype)
        if array.size and array.dtype.kind in "if" and dtype.kind in "iu":
            for extreme in (array.min(), array.max()):
                fitting(extreme.item(), dtype, suffix="")
        with np.errstate(all="ignore"):
            return array.astype(dtype)
    if array.dtype.kind == "f":
        wide = get_default_dtype()
        for i, found in enumerate(floats):
            wide = promote_types(wide, found) if i else found
        return array.astype(wide)
    return array.astype(get_default_dtype()) if array.size == 0 else array


def _plain(data, floats):
    """Nested sequences of numbers, with one-element tensors as numbers; notes the dtypes of floats that have one."""
    if type(data) in _PLAIN:
        return data
    if isinstance(data, Tensor):
        if data._array.size != 1:
            raise _MANY
        data = placed(data._array, CPU).reshape(())
    if isinstance(data, (np.ndarray, np.generic)):
        data = native(np.asarray(data))
        if data.dtype.kind == "f":
            floats.append(data.dtype)
        return data
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'\nhint: numbers, nested sequences and arrays can be converted")
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "keys"):
        return [item if type(item) in _PLAIN else _plain(item, floats) for item in data]
    for convert in ("__index__", "__float__"):
        if hasattr(data, convert):
            return getattr(data, convert)()
    raise RuntimeError(
        f"Could not infer dtype of {type(data).__name__}\nhint: numbers, nested sequences of equal lengths, arrays and "
        "tensors can be converted"
    )


_MANY = ValueError(
    "only one element tensors can be converted to Python scalars\nhint: minigrad.stack joins tensors of one shape"
)


def _ragged(data):
    """PyTorch's error for nested sequences of unequal lengths."""
    level, dim = [data], 0
    while True:
        lengths = [len(item) if hasattr(item, "__len__") else None for item in level]
        if None in lengths:
            return TypeError(f"not a sequence\nhint: at dim {dim} there are numbers beside sequences")
        if odd := [n for n in lengths if n != lengths[0]]:
            return ValueError(
                f"expected sequence of length {lengths[0]} at dim {dim} (got {odd[0]})\nhint: a tensor has equal rows"
            )
        level, dim = [item for sequence in level for item in sequence], dim + 1


@function
def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new leaf tensor with a copy of `data`; Python floats give the default dtype, ints int64 (`torch.tensor`).

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tensor([1.5, 2.0], requires_grad=True)
    tensor([1.5000, 2.0000], requires_grad=True)
    """
    array = _array_of(data, dtype)
    if isinstance(data, (Tensor, *ARRAYS)):
        array = array.copy(order="K")
    return finish(array, requires_grad, device if device is not None or not isinstance(data, Tensor) else data.device)


@function
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without a copy where it is a tensor or an array of the right dtype (`torch.as_tensor`).

    >>> as_tensor([1, 2])
    tensor([1, 2])
    """
    if isinstance(data, Tensor):
        return data if dtype is None and device is None else data.to(dtype=dtype, device=device)
    return finish(_array_of(data, dtype), False, device)


@function
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor of `obj`, on its own memory where that is possible and `copy` is not True (`torch.asarray`).

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = asarray(a)
    >>> a[0] = 1
    >>> x
    tensor([1., 0.], dtype=minigrad.float64)
    """
    result = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype=dtype, device=device)
    if isinstance(obj, Tensor) and obj.requires_grad and not requires_grad:
        result = result.detach()
    return result.requires_grad_() if requires_grad else result


@function
def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """The numbers in the memory of bytes, a bytearray or an array, shared (`torch.frombuffer`).

    >>> import minigrad
    >>> frombuffer(bytearray([1, 0, 2, 0]), dtype=minigrad.int16)
    tensor([1, 2], dtype=minigrad.int16)
    """
    array = np.frombuffer(buffer, as_dtype(dtype), count, offset)
    return finish(array, requires_grad)


@function
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of a number, of the default dtype (`torch.scalar_tensor`).

    >>> scalar_tensor(2)
    tensor(2.)
    """
    dtype = get_default_dtype() if dtype is None else dtype
    return full((), s, dtype=dtype, device=device, requires_grad=requires_grad)


@function
def from_numpy(array):
    """A tensor on the memory of `array`: writes are seen by both (`torch.from_numpy`).

    An array of foreign byte order or of a dtype that minigrad lacks is converted, and then shares nothing.

    >>> from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"expected np.ndarray (got {type(array).__module__.removeprefix('builtins')}"
            f"{'.' * (type(array).__module__ != 'builtins')}{type(array).__name__})"
        )
    return Tensor._wrap(native(array))


def _dtype_of(dtype):
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def _made(maker, shape, dtype, device):
    """What a function of NumPy's makes of a shape and a dtype, on the device."""
    return maker(shape, _dtype_of(dtype), like=pattern(home(device)))


def _sizes(name, sizes, size):
    """The shape that a function was given, by position or as `size=`."""
    if size is not None:
        sizes = (size,)
    elif not sizes:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return shape_of(sizes)


@function
def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros; the sizes are separate or one sequence (`torch.zeros`).

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return leaf(_made(np.zeros, _sizes("zeros", sizes, size), dtype, device), requires_grad)


@function
def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of ones; the sizes are separate or one sequence (`torch.ones`).

    >>> ones(2)
    tensor([1., 1.])
    """
    return leaf(_made(np.ones, _sizes("ones", sizes, size), dtype, device), requires_grad)


@function
def empty(*sizes, size=None, dtype=None, device=None, requires_grad=False, memory_format=contiguous_format):
    """A tensor whose elements are whatever the memory held (`torch.empty`).

    >>> empty(2, 3).shape
    minigrad.Size([2, 3])
    """
    array = _made(np.empty, _sizes("empty", sizes, size), dtype, device)
    return leaf(_laid_out(array, array.dtype, memory_format), requires_grad)


@function
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor whose every element is `fill_value`, of its dtype unless given (`torch.full`).

    >>> full((2,), 7)
    tensor([7, 7])
    """
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, Tensor) else _array_of(fill_value, None).dtype
    dtype = as_dtype(dtype)
    array = np.full(shape_of((size,)), fitting(value, dtype), dtype, like=pattern(home(device)))
    return leaf(array, requires_grad)


def _laid_out(array, dtype, memory_format):
    """Uninitialised memory of the shape and, with `preserve_format`, the order of `array`."""
    if memory_format is preserve_format:
        return np.empty_like(array, dtype)
    if memory_format is contiguous_format:
        return np.empty_like(array, dtype, order="C")
    return np.empty_like(array.transpose(0, 2, 3, 1), dtype, order="C").transpose(0, 3, 1, 2)


def _like(name, input, dtype, device, memory_format, value=None):
    """An array like the tensor `input`, on its device unless another is given, filled with `value`."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}\nhint: "
            f"minigrad.{name.removesuffix('_like')} takes a shape"
        )
    array = _laid_out(input._array, input._array.dtype if dtype is None else as_dtype(dtype), memory_format)
    if device is not None:
        array = placed(array, present(device))
    if value is not None:
        array.fill(value)
    return array


@function
def zeros_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=preserve_format):
    """Zeros with the shape, dtype and memory order of `input` (`torch.zeros_like`).

    >>> zeros_like(tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return leaf(_like("zeros_like", input, dtype, device, memory_format, 0), requires_grad)


@function
def ones_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=preserve_format):
    """Ones with the shape, dtype and memory order of `input` (`torch.ones_like`).

    >>> ones_like(tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return leaf(_like("ones_like", input, dtype, device, memory_format, 1), requires_grad)


@function
def empty_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=preserve_format):
    """An uninitialised tensor with the shape, dtype and memory order of `input` (`torch.empty_like`).

    >>> empty_like(tensor([1.0, 2.0])).shape
    minigrad.Size([2])
    """
    return leaf(_like("empty_like", input, dtype, device, memory_format), requires_grad)


@function
def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=preserve_format):
    """A tensor of `fill_value` with the shape, dtype and memory order of `input` (`torch.full_like`).

    >>> full_like(tensor([1.0, 2.0]), 5)
    tensor([5., 5.])
    """
    array = _like("full_like", input, dtype, device, memory_format)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    array.fill(fitting(value, array.dtype))
    return leaf(array, requires_grad)


def _new(name, maker):
    def new(self, *args, dtype=None, device=None, **kwargs):
        dtype, device = self._array.dtype if dtype is None else dtype, self.device if device is None else device
        return maker(*args, dtype=dtype, device=device, **kwargs)

    new.__name__ = name
    new.__doc__ = (
        f"Like `minigrad.{maker.__name__}`, of this tensor's dtype and device unless others are given "
        f"(`torch.Tensor.{name}`)."
    )
    setattr(Tensor, name, new)


for _maker in (tensor, zeros, ones, empty, full):
    _new(f"new_{_maker.__name__}", _maker)
