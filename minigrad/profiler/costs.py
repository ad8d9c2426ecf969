"""What operations cost at least: multiply-adds by kernel, bytes by the sizes of arguments and results."""

from importlib import import_module
from math import prod

import numpy as np

from minigrad.autograd import Tensor

__all__ = ["Limits", "arrays_in", "flops_of", "memory", "moved"]

# Floating-point operations of the kernels that are bound by arithmetic, from their arguments and result; a multiply-add
# counts as two, and taps that fall on padding count like others, as is usual. All other kernels are bound by memory.
_FLOPS = {
    "conv_forward": lambda result, x, weight, *_: 2 * result.size * prod(weight.shape[1:]),
    "conv_input_grad": lambda result, dy, weight, *_: 2 * dy.size * prod(weight.shape[1:]),
    "conv_weight_grad": lambda result, dy, x, weight_shape, *_: 2 * dy.size * prod(weight_shape[1:]),
    "matmul": lambda result, a, b: 2 * result.size * a.shape[-1],
}
# Kernels that update arrays among their arguments: which ones, and so are read and written.
_UPDATES = {
    "sgd_update": (0, 2),
    "adam_update": (0, 2, 3, 4),
    "rmsprop_update": (0, 2, 3, 4),
    "adagrad_update": (0, 2),
}


def flops_of(kernel, args, result):
    """The floating-point operations of a kernel's call; 0 for those that are bound by memory."""
    return _FLOPS[kernel](result, *args) if kernel in _FLOPS else 0


def arrays_in(values):
    """The arrays among arguments or results: tensors by their array, lists and tuples by their items."""
    arrays = []
    for value in values if isinstance(values, (tuple, list)) else (values,):
        if isinstance(value, np.ndarray):
            arrays.append(value)
        elif isinstance(value, Tensor):
            arrays.append(value._array)
        elif isinstance(value, (tuple, list)):
            arrays += arrays_in(value)
    return arrays


def memory(array):
    """The bytes that an array occupies: what is repeated by broadcasting counts once."""
    return array.itemsize * prod(n for n, stride in zip(array.shape, array.strides) if stride)


def moved(kernel, args, result):
    """The bytes that a kernel's call reads and writes at least."""
    updated = sum(memory(array) for place in _UPDATES.get(kernel, ()) for array in arrays_in(args[place]))
    return updated + sum(map(memory, arrays_in(args))) + sum(map(memory, arrays_in(result)))


class Limits:
    """This machine's limits, measured when first asked for: a fraction of a second each."""

    def __init__(self):
        self._known = {}

    def _get(self, key, name, *args):
        if key not in self._known:
            self._known[key] = getattr(import_module("minigrad.kernels.limits"), name)(*args)
        return self._known[key]

    def multiply_adds(self, dtype):
        """The multiply-add limit in GFLOP/s."""
        return self._get(dtype, "multiply_add_limit", dtype)

    def copy(self):
        """The copy bandwidth in GB/s."""
        return self._get("copy", "copy_bandwidth")
