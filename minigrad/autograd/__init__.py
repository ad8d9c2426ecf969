"""The engine: tensors, the operations' contract, and the walk backward. It knows no operation."""

from .device import Device, MemoryFormat, channels_last, contiguous_format, preserve_format
from .dtypes import get_default_dtype, promote_types, result_type, set_default_dtype
from .engine import backward, grad
from .function import Function
from .operation import AccumulateGrad, Node, Operation, accumulator, gradient_edge
from .state import Scope, enable_grad, is_grad_enabled, no_grad, set_grad_enabled, state
from .tensor import HookHandle, Size, Storage, Tensor, View, check_dim

__all__ = [
    "AccumulateGrad",
    "Device",
    "Function",
    "HookHandle",
    "MemoryFormat",
    "Node",
    "Operation",
    "Scope",
    "Size",
    "Storage",
    "Tensor",
    "View",
    "accumulator",
    "backward",
    "channels_last",
    "check_dim",
    "contiguous_format",
    "enable_grad",
    "get_default_dtype",
    "grad",
    "gradient_edge",
    "is_grad_enabled",
    "no_grad",
    "preserve_format",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "set_grad_enabled",
    "state",
]
