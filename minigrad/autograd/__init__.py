"""The engine: tensors, the operations' contract, and the walk backward. It knows no operation."""

from . import functional, graph
from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from .device import (
    ARRAYS,
    CPU,
    CUDA,
    DEVICES,
    Device,
    MemoryFormat,
    address_of,
    channels_last,
    contiguous_format,
    home,
    pattern,
    placed,
    present,
    preserve_format,
    set_home,
)
from .dtypes import get_default_dtype, promote_types, result_type, set_default_dtype
from .engine import backward, grad, gradient_edge
from .function import Function, once_differentiable
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .node import AccumulateGrad, Node
from .operation import Binary, Operation
from .state import (
    Scope,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
    state,
    watch,
)
from .tensor import HookHandle, Size, Storage, Tensor, View, check_dim
from .variable import Variable

__all__ = [
    "ARRAYS",
    "CPU",
    "CUDA",
    "DEVICES",
    "AccumulateGrad",
    "Binary",
    "Device",
    "Function",
    "GradcheckError",
    "HookHandle",
    "MemoryFormat",
    "Node",
    "Operation",
    "Scope",
    "Size",
    "Storage",
    "Tensor",
    "Variable",
    "View",
    "address_of",
    "backward",
    "channels_last",
    "check_dim",
    "contiguous_format",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "get_default_dtype",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "gradient_edge",
    "graph",
    "home",
    "inference_mode",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "once_differentiable",
    "pattern",
    "placed",
    "present",
    "preserve_format",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_home",
    "state",
    "watch",
]
