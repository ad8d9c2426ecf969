"""The same elements in memory of their own, in another memory order, dtype or device."""

import numpy as np

from minigrad.autograd import (
    Device,
    Operation,
    Tensor,
    channels_last,
    contiguous_format,
    dtypes,
    placed,
    present,
    preserve_format,
)
from minigrad.autograd.dtypes import SUPPORTED, TORCH_NAMES, as_dtype, float16
from minigrad.kernels import kernels_for

from .arithmetic import LARGE
from .registry import both, method


class Clone(Operation):
    """A copy of x, of the given memory order"""

    formula = "dx = dy"

    @staticmethod
    def forward(ctx, x, memory_format):
        if memory_format is channels_last:
            return kernels_for(x).contiguous(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        if memory_format is contiguous_format:
            return kernels_for(x).contiguous(x)
        return kernels_for(x).duplicate(x, x.dtype) if x.size >= LARGE else x.copy(order="K")

    @staticmethod
    def backward(ctx, dy):
        return dy


class Cast(Operation):
    """x in another dtype"""

    formula = "dx = dy in x's dtype"

    @staticmethod
    def forward(ctx, x, dtype):
        if x.size >= LARGE:
            return kernels_for(x).duplicate(x, dtype)
        if np.can_cast(x.dtype, dtype):
            return x.astype(dtype)
        with np.errstate(all="ignore"):
            return x.astype(dtype)

    @staticmethod
    def backward(ctx, dy):
        return dy  # the engine casts to the argument's dtype


class Transfer(Operation):
    """x on another device"""

    formula = "dx = dy on x's device"

    @staticmethod
    def forward(ctx, x, source, device, non_blocking):
        ctx.source = source
        return placed(x, device, non_blocking)

    @staticmethod
    def backward(ctx, dy):
        return moved(dy, ctx.source)


def moved(tensor, device, non_blocking=False):
    """The tensor on a device that is `present`: itself if it is there."""
    return tensor if tensor.device is device else Transfer.apply(tensor, tensor.device, device, non_blocking)


@both()
def clone(input, *, memory_format=preserve_format):
    """A copy with its own memory; gradients flow through (`torch.clone`).

    >>> import minigrad
    >>> x = minigrad.ones(2)
    >>> y = x.clone()
    >>> y[0] = 5
    >>> x
    tensor([1., 1.])
    """
    if memory_format is channels_last and input.ndim != 4:
        raise RuntimeError(
            f"required rank 4 tensor to use channels_last format\nhint: the shape is {tuple(input.shape)}"
        )
    return Clone.apply(input, memory_format)


@method()
def contiguous(self, memory_format=contiguous_format):
    """This tensor if it lies in memory as `memory_format` says, else a copy that does (`torch.Tensor.contiguous`)."""
    return self if self.is_contiguous(memory_format) else clone(self, memory_format=memory_format)


@method()
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=preserve_format):
    """In another dtype and device, given by position or name, or those of another tensor; itself if nothing changes.

    `copy=True` copies in any case. Source: `torch.Tensor.to`.

    >>> import minigrad
    >>> minigrad.ones(2).to(minigrad.int64)
    tensor([1, 1])
    """
    if args:
        dtype, device, non_blocking, copy = _by_position(args, dtype, device, non_blocking, copy)
    source, target = self, self.device if device is None else present(device)
    dtype = self._array.dtype if dtype is None else as_dtype(dtype)
    self = moved(self, target, non_blocking)
    if copy and self is source and dtype == self._array.dtype:
        self = clone(self, memory_format=memory_format)
    return _converted(self, dtype, memory_format)


def _by_position(args, dtype, device, non_blocking=False, copy=False):
    """(dtype, device, non_blocking, copy), those given without a name among them, or as another tensor's."""
    flags = []
    for arg in args:
        if isinstance(arg, bool):
            flags.append(arg)
        elif isinstance(arg, Tensor):
            dtype, device = arg.dtype, arg.device
        elif isinstance(arg, (Device, int)) or (isinstance(arg, str) and not _is_dtype(arg)):
            device = arg
        elif arg is not None:
            dtype = arg
    return dtype, device, *flags, *(non_blocking, copy)[len(flags) :]


def destination(*args, dtype=None, device=None, non_blocking=False, tensor=None, memory_format=preserve_format):
    """(dtype or None, device or None, non_blocking, memory format) of the arguments of `Module.to`."""
    named = () if tensor is None else (tensor,)
    dtype, device, non_blocking, _ = _by_position((*args, *named), dtype, device, non_blocking)
    dtype, device = None if dtype is None else as_dtype(dtype), None if device is None else present(device)
    return dtype, device, non_blocking, memory_format


def _converted(input, dtype, memory_format):
    """The tensor in a dtype and a memory order: itself where it is so already."""
    result = input if input._array.dtype == dtype else Cast.apply(input, dtype)
    return result if memory_format is preserve_format else result.contiguous(memory_format)


def _is_dtype(name):
    return any(name == str(dtype) for dtype in SUPPORTED)


@method()
def type(self, dtype=None):
    """Converted to a dtype, or to one by PyTorch's name such as "torch.DoubleTensor"; without one, this tensor's name.

    Source: `torch.Tensor.type`.

    >>> import minigrad
    >>> minigrad.arange(2).type(minigrad.float32)
    tensor([0., 1.])
    >>> minigrad.arange(2).type()
    'torch.LongTensor'
    """
    if dtype is None:
        return f"torch.{'cuda.' * self.is_cuda}{TORCH_NAMES[self._array.dtype]}Tensor"
    if isinstance(dtype, str) and ".cuda." in dtype:
        return self.cuda().type(dtype.replace(".cuda.", "."))
    if isinstance(dtype, str) and not _is_dtype(dtype):
        named = [d for d, name in TORCH_NAMES.items() if dtype in (f"torch.{name}Tensor", f"minigrad.{name}Tensor")]
        if not named:
            raise ValueError(f"invalid type: {dtype!r}\nhint: a dtype, or a name such as 'torch.FloatTensor'")
        dtype = named[0]
    return self.to(getattr(dtype, "dtype", dtype))  # a class such as minigrad.FloatTensor has one


def _conversion(name, dtype):
    def convert(self, memory_format=preserve_format):
        return _converted(self, dtype, memory_format)

    convert.__name__ = name
    convert.__doc__ = f"Converted to {dtype} (`torch.Tensor.{name}`)."
    setattr(Tensor, name, convert)


CONVERSIONS = {  # methods that convert, by name
    "float": np.dtype("float32"),
    "double": np.dtype("float64"),
    "long": np.dtype("int64"),
    "int": np.dtype("int32"),
    "short": np.dtype("int16"),
    "char": np.dtype("int8"),
    "byte": np.dtype("uint8"),
    "bool": np.dtype("bool"),
}
for _name, _dtype in CONVERSIONS.items():
    _conversion(_name, _dtype)


@method()
def half(self, memory_format=preserve_format):
    """Converted to float16: an error, minigrad has no half precision (`torch.Tensor.half`)."""
    return self.to(float16)


@method()
def bfloat16(self, memory_format=preserve_format):
    """Converted to bfloat16: an error, minigrad has no half precision (`torch.Tensor.bfloat16`)."""
    return self.to(dtypes.bfloat16)


@method()
def type_as(self, other):
    """Converted to the dtype of `other` (`torch.Tensor.type_as`)."""
    return self.to(other.dtype)


@method()
def cpu(self, memory_format=preserve_format):
    """On the CPU: itself if it is there, else a copy, complete on return (`torch.Tensor.cpu`)."""
    return self.to("cpu", memory_format=memory_format)


@method()
def cuda(self, device=None, non_blocking=False, memory_format=preserve_format):
    """On the GPU: itself if it is there, else a copy, for which the host need not wait with `non_blocking`.

    Source: `torch.Tensor.cuda`.
    """
    device = "cuda" if device is None else device
    if present(device).type != "cuda":
        raise RuntimeError(f"Invalid device, must be cuda device\nhint: it is '{device}'; use .to(...)")
    return self.to(device, non_blocking=non_blocking, memory_format=memory_format)
