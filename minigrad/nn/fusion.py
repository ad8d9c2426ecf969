"""A normalisation and the activation after it as one operation, which spares memory two passes over a large tensor.

`norm_activation` is for a module's `forward`; `Sequential` does it with batch normalisation, whose numbers then are
those of the two operations to the bit: those of layer and group normalisation are so up to rounding. Nothing else
changes: the pair runs as two operations wherever somebody could tell the difference, which is where one of the modules
has a hook, all modules have one, or a recording looks on; and wherever one of the two is of a kind not known here.
"""

from minigrad.autograd import Tensor, watch
from minigrad.ops import activation_operations as operations
from minigrad.ops import functions

from . import functional as F
from .layer import Layer
from .module import Module
from .normalization import BatchNorm1d, GroupNorm, LayerNorm, Scaled

_FORWARDS = BatchNorm1d.forward, LayerNorm.forward, GroupNorm.forward  # the first is that of all batch normalisations
# What an activation's function is with its arguments: the operation and its parameters.
_ACTIVATIONS = {
    F.relu: lambda inplace=False: (operations.ReLU,),
    F.relu6: lambda inplace=False: (operations.Hardtanh, 0.0, 6.0),
    F.hardtanh: lambda min_val=-1.0, max_val=1.0, inplace=False: (operations.Hardtanh, min_val, max_val),
    F.leaky_relu: lambda negative_slope=0.01, inplace=False: (operations.LeakyReLU, negative_slope),
    F.hardswish: lambda inplace=False: (operations.Hardswish,),
    F.silu: lambda inplace=False: (operations.SiLU,),
    F.mish: lambda inplace=False: (operations.Mish,),
    F.gelu: lambda approximate="none": (operations.GELU if approximate == "none" else operations.TanhGELU,),
    functions["sigmoid"]: lambda: (operations.Sigmoid,),
    functions["tanh"]: lambda: (operations.Tanh,),
}


def norm_activation(norm, activation, input, residual=None):
    """`activation(norm(input) + residual)`, by one operation if it can be.

    `norm` is a module, `activation` a module or a function such as `F.relu`. One operation is made of `BatchNorm1d` to
    `BatchNorm3d`, and without a residual of `LayerNorm` and `GroupNorm` too, with ReLU, ReLU6, Hardtanh, LeakyReLU,
    Hardswish, SiLU, Mish, GELU, Sigmoid or Tanh, those with a residual being ReLU, Sigmoid and Tanh.

    >>> import minigrad
    >>> x, shortcut = minigrad.tensor([[1.0], [3.0]]), minigrad.tensor([[2.0], [-4.0]])
    >>> norm_activation(minigrad.nn.BatchNorm1d(1), F.relu, x, shortcut).detach()
    tensor([[1.0000],
            [0.0000]])
    """
    known = fusible(norm, activation, _FORWARDS)
    if known and (residual is None or _is_residual(norm, known, input, residual)):
        return norm(input, activation=known) if residual is None else norm(input, activation=known, residual=residual)
    result = norm(input)
    return activation(result if residual is None else result + residual)


def fusible(norm, activation, forwards=_FORWARDS[:1]):
    """(operation, parameters ...) of the activation, if it and the normalisation can be one operation, else None.

    `forwards` are those of the normalisations that are asked for: by default of batch normalisation alone.
    """
    if not isinstance(norm, Scaled) or watch.observer is not None or not _plain(norm, *forwards):
        return None
    if not isinstance(activation, Module):
        known = _ACTIVATIONS.get(activation)
        return known and known()
    known = _ACTIVATIONS.get(activation._call) if isinstance(activation, Layer) else None
    return known(**activation._arguments()) if known and _plain(activation, Layer.forward) else None


def _plain(module, *forwards):
    """Whether calling the module is calling one of these, and nothing else."""
    return not module._has_hooks() and getattr(module.forward, "__func__", None) in forwards


def _is_residual(norm, activation, input, residual):
    """Whether the kernels can add it: backward then knows the activation's result, and must not need its argument."""
    if norm.forward.__func__ is not BatchNorm1d.forward or not activation[0].of_result:
        return False
    x, other = input._array, residual._array if isinstance(residual, Tensor) else None
    return type(x) is type(other) and x.shape == other.shape and x.dtype == other.dtype
