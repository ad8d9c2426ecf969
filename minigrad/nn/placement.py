"""Where and as what a module's tensors are kept: dtype, device, memory order."""

from minigrad.autograd import Tensor, no_grad, preserve_format
from minigrad.autograd.dtypes import as_dtype, bfloat16
from minigrad.ops import functions
from minigrad.ops.conversion import destination
from minigrad.ops.memory import in_shared_memory

from .parameter import UninitializedTensor


class Placed:
    """The part of a module that converts its tensors."""

    @no_grad()
    def _apply(self, fn, recurse=True):
        """Replace the values of all parameters, their gradients and all buffers by what `fn(tensor)` returns."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            old = parameter.data
            new = fn(old)
            if new._array is not old._array:
                parameter.data = new
            if parameter.grad is not None:
                parameter.grad = fn(parameter.grad.detach())
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = self._moved(buffer, fn)
        return self

    @staticmethod
    def _moved(buffer, fn):
        if not isinstance(buffer, UninitializedTensor):
            return fn(buffer)
        buffer.data = fn(buffer.data)
        return buffer

    def to(self, *args, **kwargs):
        """Convert floating-point parameters and buffers to a dtype, and all to a device, in place; returns the module.

        `to(dtype)`, `to(device)`, `to(tensor)`, `to(memory_format=...)`, by position or by name; a memory format is for
        tensors of 4 dimensions. Source: `torch.nn.Module.to`.
        """
        dtype, device, non_blocking, order = destination(*args, **kwargs)
        if dtype is not None and dtype.kind != "f":
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(tensor):
            wanted = dtype if tensor.is_floating_point() else None
            format = order if tensor.ndim == 4 else preserve_format
            return tensor.to(dtype=wanted, device=device, non_blocking=non_blocking, memory_format=format)

        return self._apply(convert)

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype, in place; returns the module."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self):
        """Convert floating-point parameters and buffers to float32, in place; returns the module."""
        return self.to(as_dtype("float32"))

    def double(self):
        """Convert floating-point parameters and buffers to float64, in place; returns the module."""
        return self.to(as_dtype("float64"))

    def half(self):
        """Convert to float16: an error, minigrad has no half precision."""
        return self.to(as_dtype("float16"))

    def bfloat16(self):
        """Convert to bfloat16: an error, minigrad has no half precision."""
        return self.to(as_dtype(bfloat16))

    def cpu(self):
        """Move to the CPU, in place; returns the module."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device=None):
        """Move to the GPU, in place; returns the module."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device, recurse=True):
        """Move to a device without the values, which are yet to be drawn; returns the module."""
        return self._apply(lambda tensor: functions["empty_like"](tensor, device=device), recurse)

    def share_memory(self):
        """Move parameters and buffers, in place, to memory that processes forked from this one share; returns it."""
        return self._apply(_in_shared_memory)


def _in_shared_memory(tensor):
    source = tensor._array
    if source.size == 0:
        return tensor
    return Tensor._wrap(in_shared_memory(source))
