"""Names of PyTorch's early days: tensor types such as `FloatTensor`, a dtype in the form of a class, and `range`."""

import warnings

import numpy as np

from minigrad.autograd import Tensor, get_default_dtype, set_default_dtype
from minigrad.autograd.dtypes import SUPPORTED, TORCH_NAMES

from .creation import empty, tensor
from .registry import function
from .sequences import arange


class TensorType(type):
    """The type of `FloatTensor` and its like: its instances' instances are the tensors of one dtype."""

    dtype: np.dtype

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor) and instance.dtype == cls.dtype

    def __call__(cls, *data):
        if len(data) == 1 and isinstance(data[0], Tensor) and data[0].dtype != cls.dtype:
            raise TypeError(
                f"expected a tensor of {cls.dtype}, got {data[0].dtype}\nhint: convert it: x.to({cls.dtype})"
            )
        sizes = all(isinstance(size, int) for size in data)
        if sizes or (len(data) == 1 and type(data[0]) is type(Tensor._wrap(np.empty(0)).shape)):
            return empty(*data or (0,), dtype=cls.dtype)
        return tensor(*data, dtype=cls.dtype)


def _tensor_type(dtype):
    name = f"{TORCH_NAMES[dtype]}Tensor"
    doc = f"""The type of {dtype} tensors (`torch.{name}`): of sizes, an uninitialised tensor; of data, their copy.

    >>> import minigrad
    >>> minigrad.{name}([1, 0]).dtype, isinstance(minigrad.{name}(2, 3), minigrad.{name})
    (dtype('{dtype}'), True)
    """
    return TensorType(name, (), {"dtype": dtype, "__doc__": doc, "__module__": __name__})


for _dtype in SUPPORTED:
    function(_tensor_type(_dtype))


@function
def set_default_tensor_type(t):
    """Make the dtype of tensors made from Python floats that of a tensor type (`torch.set_default_tensor_type`).

    `t` is a class such as `DoubleTensor` or a name such as "torch.DoubleTensor".

    >>> import minigrad
    >>> set_default_tensor_type("torch.DoubleTensor")
    >>> minigrad.tensor(1.0).dtype
    dtype('float64')
    >>> set_default_tensor_type(minigrad.FloatTensor)
    """
    if isinstance(t, str):
        named = [dtype for dtype, name in TORCH_NAMES.items() if t == f"torch.{name}Tensor"]
        if not named:
            raise TypeError(f"invalid type object: {t}\nhint: 'torch.FloatTensor' or 'torch.DoubleTensor'")
        return set_default_dtype(named[0])
    return set_default_dtype(t.dtype)


@function
def range(start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """The numbers from `start` up to and including `end`, floats unless told otherwise (`torch.range`, deprecated).

    >>> import warnings
    >>> warnings.simplefilter("ignore")
    >>> range(1, 3)
    tensor([1., 2., 3.])
    """
    warnings.warn("range is deprecated: use arange, which like Python's range does not include its end", stacklevel=2)
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = int((end - start) / step) + 1
    dtype = get_default_dtype() if dtype is None else dtype
    numbers = start + step * arange(count, dtype=np.dtype("float64"), device=device)
    return numbers.to(dtype).requires_grad_(requires_grad)
