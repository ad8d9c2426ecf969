"""Questions about tensors and their element types, answered with Python values."""

from minigrad.autograd import Tensor
from minigrad.autograd.dtypes import result_type as _result_type

from .arithmetic import only_tensors
from .comparison import array_of
from .registry import both, function


@function
def is_tensor(obj):
    """Whether `obj` is a Tensor (`torch.is_tensor`).

    >>> import minigrad
    >>> is_tensor(minigrad.ones(1)), is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Tensor)


@function
def is_floating_point(input):
    """Whether the dtype is float32 or float64 (`torch.is_floating_point`).

    >>> import minigrad
    >>> minigrad.is_floating_point(minigrad.ones(2))
    True
    """
    only_tensors("is_floating_point", input=input)
    return input.is_floating_point()


@both()
def is_complex(input):
    """False: minigrad has no complex dtypes (`torch.is_complex`).

    >>> import minigrad
    >>> minigrad.is_complex(minigrad.ones(2))
    False
    """
    return input._array.dtype.kind == "c"


@both()
def is_nonzero(input):
    """Whether the only element is not zero (`torch.is_nonzero`).

    >>> import minigrad
    >>> minigrad.is_nonzero(minigrad.tensor([2.0]))
    True
    """
    return bool(input)


@both()
def numel(input):
    """The number of elements (`torch.numel`).

    >>> import minigrad
    >>> numel(minigrad.ones(2, 3))
    6
    """
    only_tensors("numel", input=input)
    return input._array.size


@function
def result_type(tensor1, tensor2):
    """The dtype of an operation between two tensors or numbers (`torch.result_type`).

    >>> import minigrad
    >>> minigrad.result_type(minigrad.tensor([1, 2]), 1.0)
    dtype('float32')
    """
    return _result_type(array_of(tensor1), array_of(tensor2))
