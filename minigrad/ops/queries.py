"""Questions about tensors and their element types, answered with Python values."""

from minigrad.autograd import CUDA, Tensor
from minigrad.autograd.dtypes import result_type as _result_type
from minigrad.kernels.device import in_pinned_memory, missing, pinned

from .arithmetic import only_tensors
from .comparison import array_of
from .registry import both, function, method


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


@method()
def nelement(self):
    """The number of elements; the old name of `numel` (`torch.Tensor.nelement`)."""
    return self._array.size


@method()
def ndimension(self):
    """The number of dimensions; the old name of `dim` (`torch.Tensor.ndimension`)."""
    return self._array.ndim


@method()
def get_device(self):
    """The number of the GPU that holds the tensor, -1 for the CPU (`torch.Tensor.get_device`)."""
    return 0 if self.device is CUDA else -1


@both()
def is_signed(input):
    """Whether the dtype knows negative numbers (`torch.is_signed`).

    >>> import minigrad
    >>> minigrad.is_signed(minigrad.ones(1)), minigrad.is_signed(minigrad.ones(1, dtype=minigrad.uint8))
    (True, False)
    """
    return input._array.dtype.kind in "if"


@both()
def is_same_size(input, other):
    """Whether two tensors have the same shape (`torch.Tensor.is_same_size`).

    >>> import minigrad
    >>> minigrad.is_same_size(minigrad.ones(2, 1), minigrad.ones(2))
    False
    """
    return input._array.shape == other._array.shape


@method()
def is_pinned(self, device=None):
    """Whether the memory is page-locked, for copies to the GPU (`torch.Tensor.is_pinned`)."""
    return self.device is not CUDA and in_pinned_memory(self._array)


@method()
def pin_memory(self, device="cuda"):
    """A copy in page-locked memory, from which `.to("cuda", non_blocking=True)` overlaps with the GPU's work.

    Itself if it lies there already, or if there is no GPU to lock memory for. Source: `torch.Tensor.pin_memory`.
    """
    if self.device is CUDA:
        raise RuntimeError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
    return self if missing() or is_pinned(self) else Tensor._wrap(pinned(self._array))


@function
def typename(obj):
    """The name of a tensor's type, or the full name of another object's (`torch.typename`).

    >>> import minigrad
    >>> minigrad.typename(minigrad.ones(1)), minigrad.typename("text")
    ('torch.FloatTensor', 'str')
    """
    if isinstance(obj, Tensor):
        return obj.type()
    kind = type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
