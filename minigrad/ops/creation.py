"""Tensors from data, and tensors filled by a rule."""

import numpy as np

from minigrad.autograd import Device, Tensor, get_default_dtype
from minigrad.autograd.dtypes import as_dtype, int64, native

from .registry import both, function, functional


def finish(array, requires_grad, device=None):
    """`array` as a leaf tensor on `device`."""
    if device is not None:
        Device(device)
    if requires_grad and array.dtype.kind != "f":
        raise RuntimeError(
            f"Only Tensors of floating point and complex dtype can require gradients\nhint: this one is {array.dtype}"
        )
    result = Tensor._wrap(array)
    return result.requires_grad_() if requires_grad else result


def shape_of(size):
    """A shape given as separate sizes or as one sequence; negative sizes are an error."""
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)):
        if isinstance(size[0], Tensor) and size[0].ndim == 0:
            return (int(size[0]),)
        size = tuple(size[0])
    shape = tuple([n.__index__() for n in size])
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _array_of(data, dtype):
    """`data` (nested sequences, numbers, arrays, tensors) as an array of its own or, for arrays, possibly itself."""
    if isinstance(data, Tensor):
        array = data._array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = native(np.asarray(data))
    else:
        try:
            array = np.array(_plain(data))
        except ValueError as error:
            raise ValueError(
                "expected sequences of equal length at every dimension\nhint: the nested sequence is ragged"
            ) from error
        if array.dtype == object or array.dtype.kind in "USO":
            raise TypeError(
                f"cannot make a tensor of {type(data).__name__} {data!r:.60}\nhint: numbers, nested sequences of equal "
                "lengths, arrays and tensors can be converted"
            )
        if array.dtype.kind == "f" or array.size == 0:
            array = array.astype(get_default_dtype())
        array = native(array)
    return array if dtype is None else array.astype(as_dtype(dtype), copy=False)


def _plain(data):
    """Nested sequences with the tensors in them as arrays."""
    if isinstance(data, (list, tuple)):
        return [_plain(item) for item in data]
    return data.detach().numpy() if isinstance(data, Tensor) else data


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
    if isinstance(data, (Tensor, np.ndarray)):
        array = np.array(array, copy=True, order="K")
    return finish(array, requires_grad, device)


@function
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without a copy where it is a tensor or an array of the right dtype (`torch.as_tensor`).

    >>> as_tensor([1, 2])
    tensor([1, 2])
    """
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return finish(_array_of(data, dtype), False, device)


@function
def from_numpy(array):
    """A tensor on the memory of `array`: writes are seen by both (`torch.from_numpy`).

    An array of foreign byte order or of a dtype that minigrad lacks is converted, and then shares nothing.

    >>> from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    return Tensor._wrap(native(array))


@function
def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros (`torch.zeros`).

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(
        np.zeros(shape_of(size), get_default_dtype() if dtype is None else as_dtype(dtype)), requires_grad, device
    )


@function
def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones (`torch.ones`).

    >>> ones(2)
    tensor([1., 1.])
    """
    return finish(
        np.ones(shape_of(size), get_default_dtype() if dtype is None else as_dtype(dtype)), requires_grad, device
    )


@function
def empty(*size, dtype=None, device=None, requires_grad=False):
    """A tensor whose elements are whatever the memory held (`torch.empty`).

    >>> empty(2, 3).shape
    minigrad.Size([2, 3])
    """
    return finish(
        np.empty(shape_of(size), get_default_dtype() if dtype is None else as_dtype(dtype)), requires_grad, device
    )


@function
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor whose every element is `fill_value`, of its dtype unless given (`torch.full`).

    >>> full((2,), 7)
    tensor([7, 7])
    """
    dtype = _array_of(fill_value, dtype).dtype
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return finish(np.full(shape_of((size,)), value, dtype), requires_grad, device)


def _like(input, dtype):
    return input._array.dtype if dtype is None else as_dtype(dtype)


@function
def zeros_like(input, *, dtype=None, device=None, requires_grad=False):
    """Zeros with the shape, dtype and memory order of `input` (`torch.zeros_like`).

    >>> zeros_like(tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return finish(np.zeros_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def ones_like(input, *, dtype=None, device=None, requires_grad=False):
    """Ones with the shape, dtype and memory order of `input` (`torch.ones_like`).

    >>> ones_like(tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return finish(np.ones_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def empty_like(input, *, dtype=None, device=None, requires_grad=False):
    """An uninitialised tensor with the shape, dtype and memory order of `input` (`torch.empty_like`).

    >>> empty_like(tensor([1.0, 2.0])).shape
    minigrad.Size([2])
    """
    return finish(np.empty_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of `fill_value` with the shape, dtype and memory order of `input` (`torch.full_like`).

    >>> full_like(tensor([1.0, 2.0]), 5)
    tensor([5., 5.])
    """
    return finish(np.full_like(input._array, fill_value, _like(input, dtype)), requires_grad, device)


@function
def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """The numbers from `start` (0 if only one is given) up to but not including `end` (`torch.arange`).

    >>> arange(4)
    tensor([0, 1, 2, 3])
    >>> arange(1, 2, 0.5)
    tensor([1.0000, 1.5000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign"
            f"\nhint: no step of {step} leads from {start} to {end}"
        )
    if dtype is None:
        dtype = int64 if all(isinstance(v, (int, np.integer)) for v in (start, end, step)) else get_default_dtype()
    count = max(0, int(np.ceil((end - start) / step)))
    return finish((start + step * np.arange(count)).astype(as_dtype(dtype)), requires_grad, device)


@function
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included, evenly spaced (`torch.linspace`).

    >>> linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return finish(
        np.linspace(start, end, steps).astype(get_default_dtype() if dtype is None else as_dtype(dtype)),
        requires_grad,
        device,
    )


@function
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n x m matrix (n x n by default) with ones on the diagonal (`torch.eye`).

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return finish(np.eye(n, m, dtype=get_default_dtype() if dtype is None else as_dtype(dtype)), requires_grad, device)


@functional
def one_hot(tensor, num_classes=-1):
    """int64 rows with a 1 at each class index, shape (*, num_classes) (`torch.nn.functional.one_hot`).

    >>> one_hot(arange(3))
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 0, 1]])
    """
    index = tensor._array
    if index.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes == -1:
        if index.size == 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(index.max()) + 1
    if index.size and index.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if index.size and index.max() >= num_classes:
        raise RuntimeError(
            f"Class values must be smaller than num_classes.\nhint: found {index.max()}, num_classes is {num_classes}"
        )
    return Tensor._wrap((index[..., None] == np.arange(num_classes)).astype(np.int64))


def _new(name, maker):
    def new(self, *args, dtype=None, **kwargs):
        return maker(*args, dtype=self._array.dtype if dtype is None else dtype, **kwargs)

    new.__name__ = name
    new.__doc__ = (
        f"Like `minigrad.{maker.__name__}`, with this tensor's dtype unless another is given (`torch.Tensor.{name}`)."
    )
    setattr(Tensor, name, new)


for _maker in (zeros, ones, empty, full):
    _new(f"new_{_maker.__name__}", _maker)


@function
def is_tensor(obj):
    """Whether `obj` is a Tensor (`torch.is_tensor`).

    >>> is_tensor(ones(1)), is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Tensor)


@both()
def numel(input):
    """The number of elements (`torch.numel`).

    >>> numel(ones(2, 3))
    6
    """
    return input._array.size
