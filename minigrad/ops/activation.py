"""Activations as functions: arguments checked, dtypes and in-place forms as PyTorch has them. What they compute stands
in `kernels/scalars.py`, how it is differentiated in `activation_operations.py`.
"""

import numpy as np

from minigrad.autograd import Tensor, check_dim, get_default_dtype
from minigrad.autograd.dtypes import TORCH_NAMES, boxed

from .activation_operations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softshrink,
    Tanh,
    TanhGELU,
    Threshold,
)
from .choice import where
from .inplace import assign
from .random import stream_of
from .registry import both, function, functional, functionals, functions


def _tensor(input, name):
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return input


def _apply(name, operation, input, *parameters, inplace=False):
    """The operation on a floating-point tensor, in place if wanted; `name` is what PyTorch's errors call it."""
    dtype = _tensor(input, name)._array.dtype
    if dtype.kind != "f":
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{TORCH_NAMES[dtype]}'\nhint: use x.float()"
        )  # fmt: skip
    return assign(input, operation, *parameters) if inplace else operation.apply(input, *parameters)


def _float(input):
    """The tensor, in the default floating-point dtype if it has none."""
    return input if input._array.dtype.kind == "f" else input.to(get_default_dtype())


def _inplace(definition, *places):
    """Offer `definition` with inplace=True as `<name>_` in the registries `places`."""

    def twin(input, *args, **kwargs):
        return definition(input, *args, **kwargs, inplace=True)

    twin.__name__ = twin.__qualname__ = f"{definition.__name__}_"
    twin.__doc__ = f"""`{definition.__name__}` written into its input, which it returns (`torch.nn.functional`).

    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.nn.functional.{twin.__name__}(x) is x
    True
    """
    for place in places:
        place[twin.__name__] = twin


@functional
@both(inplace=True)
def relu(input, inplace=False):
    """`max(input, 0)` (`torch.nn.functional.relu`).

    >>> import minigrad
    >>> minigrad.relu(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    dtype = _tensor(input, "relu")._array.dtype
    if dtype.kind == "f":
        return assign(input, ReLU) if inplace else ReLU.apply(input)
    if dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return assign(input, lambda x: x.clamp(min=0)) if inplace else input.clamp(min=0)


@functional
def relu6(input, inplace=False):
    """`min(max(input, 0), 6)` (`torch.nn.functional.relu6`).

    >>> import minigrad
    >>> relu6(minigrad.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


@functional
def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """`input` within [min_val, max_val]; its gradient is 0 at the limits too (`torch.nn.functional.hardtanh`).

    >>> import minigrad
    >>> hardtanh(minigrad.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError(
            "min_val cannot be greater than max_val"
            f"\nhint: min_val is {min_val} and max_val {max_val}"
        )  # fmt: skip
    dtype = _tensor(input, "hardtanh")._array.dtype
    if dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if dtype.kind == "u" and (min_val < 0 or max_val < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    if dtype.kind != "f":
        low, high = int(min_val), int(max_val)
        return assign(input, lambda x: x.clamp(low, high)) if inplace else input.clamp(low, high)
    return _apply("hardtanh", Hardtanh, input, min_val, max_val, inplace=inplace)


@functional
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """`input`, times `negative_slope` where it is not positive (`torch.nn.functional.leaky_relu`).

    >>> import minigrad
    >>> leaky_relu(minigrad.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return _apply("leaky_relu_cpu", LeakyReLU, input, negative_slope, inplace=inplace)


@functional
@both()
def prelu(input, weight):
    """`leaky_relu` with learnt slopes: one number, or one for each channel, dimension 1
    (`torch.nn.functional.prelu`).

    He et al. 2015, https://arxiv.org/abs/1502.01852.

    >>> import minigrad
    >>> prelu(minigrad.tensor([-1.0, 2.0]), minigrad.tensor(0.5))
    tensor([-0.5000,  2.0000])
    """
    if _tensor(input, "prelu").dtype != weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {TORCH_NAMES[input.dtype]} and {TORCH_NAMES[weight.dtype]}"
        )
    if weight.numel() != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}.\nhint: the input is {tuple(input.shape)}; its "
                "channels are dimension 1"
            )
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.ndim and input.ndim != 1:
        weight = weight.reshape(()) if input.ndim == 0 else weight.reshape(1, -1, *[1] * (input.ndim - 2))
    return _apply("prelu_cpu", PReLU, input, weight)


@functional
@function
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """`leaky_relu` whose slopes are drawn evenly from [lower, upper) in training, else their mean
    (`torch.nn.functional.rrelu`).

    Xu et al. 2015, https://arxiv.org/abs/1505.00853.

    >>> import minigrad
    >>> rrelu(minigrad.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5000,  2.0000])
    """
    if lower > upper:
        raise RuntimeError(
            "Lower bound should be less than or equal to the upper bound"
            f"\nhint: lower is {lower} and upper {upper}"
        )  # fmt: skip
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    dtype = _tensor(input, "rrelu")._array.dtype
    drawn = stream_of(None, input.device).random(input._array.shape, dtype if dtype.kind == "f" else "float32")
    slopes = boxed(drawn * dtype.type(upper - lower) + dtype.type(lower))
    return _apply("rrelu_with_noise_out_cpu", PReLU, input, Tensor._wrap(slopes), inplace=inplace)


@functional
def elu(input, alpha=1.0, inplace=False):
    """`input` where it is positive, else `alpha · (eˣ - 1)` (`torch.nn.functional.elu`).

    Clevert et al. 2015, https://arxiv.org/abs/1511.07289.

    >>> import minigrad
    >>> elu(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _apply("elu_cpu", ELU, input, alpha, 1.0, 1.0, inplace=inplace)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@functional
@function
def selu(input, inplace=False):
    """`elu` scaled such that activations keep mean 0 and variance 1 (`torch.nn.functional.selu`).

    Klambauer et al. 2017, https://arxiv.org/abs/1706.02515.

    >>> import minigrad
    >>> selu(minigrad.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return _apply("elu_cpu", SELU, input, SELU_ALPHA, SELU_SCALE, 1.0, inplace=inplace)


@functional
@function
def celu(input, alpha=1.0, inplace=False):
    """`input` where it is positive, else `alpha · (e^(x / alpha) - 1)`: smooth for any `alpha`
    (`torch.nn.functional.celu`).

    Barron 2017, https://arxiv.org/abs/1704.07483.

    >>> import minigrad
    >>> celu(minigrad.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _apply("elu_cpu", CELU, input, alpha, 1.0, 1.0 / alpha, inplace=inplace)


@functional
def gelu(input, *, approximate="none"):
    """`x · Φ(x)` with the distribution function of the normal distribution, or its approximation by "tanh"
    (`torch.nn.functional.gelu`).

    Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.

    >>> import minigrad
    >>> gelu(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    if not isinstance(approximate, str):
        raise TypeError(f"gelu(): argument 'approximate' must be str, not {type(approximate).__name__}")
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh.\nhint: it is {approximate!r}")
    return _apply("GeluKernelImpl", GELU if approximate == "none" else TanhGELU, input)


@functional
def silu(input, inplace=False):
    """`x · σ(x)`, also called swish (`torch.nn.functional.silu`).

    >>> import minigrad
    >>> silu(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return _apply("silu_cpu", SiLU, input, inplace=inplace)


@functional
def mish(input, inplace=False):
    """`x · tanh(softplus(x))` (`torch.nn.functional.mish`).

    Misra 2019, https://arxiv.org/abs/1908.08681.

    >>> import minigrad
    >>> mish(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """
    return _apply("mish_cpu", Mish, input, inplace=inplace)


@functional
def softplus(input, beta=1.0, threshold=20.0):
    """`log(1 + e^(beta · x)) / beta`, and x itself where `beta · x > threshold` (`torch.nn.functional.softplus`).

    >>> import minigrad
    >>> softplus(minigrad.tensor([0.0, 50.0]))
    tensor([ 0.6931, 50.0000])
    """
    return _apply("softplus_cpu", Softplus, input, beta, threshold)


@functional
def softsign(input):
    """`x / (1 + |x|)` (`torch.nn.functional.softsign`).

    >>> import minigrad
    >>> softsign(minigrad.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    if _tensor(input, "softsign")._array.dtype.kind == "b":
        raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'\nhint: use x.float()")
    return input / (input.abs() + 1)


@functional
@both(inplace=True)
def tanh(input):
    """The hyperbolic tangent of each element (`torch.tanh`).

    >>> import minigrad
    >>> minigrad.tanh(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return Tanh.apply(_float(input))


@functional
def tanhshrink(input):
    """`x - tanh x` (`torch.nn.functional.tanhshrink`).

    >>> import minigrad
    >>> tanhshrink(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    return input - tanh(input)


@functional
@both(inplace=True)
def sigmoid(input):
    """`1 / (1 + e⁻ˣ)` of each element (`torch.sigmoid`).

    >>> import minigrad
    >>> minigrad.sigmoid(minigrad.tensor([0.0]))
    tensor([0.5000])
    """
    return Sigmoid.apply(_float(input))


@functional
def logsigmoid(input):
    """`log σ(x)`, exact where σ(x) itself would round to 0 or 1 (`torch.nn.functional.logsigmoid`).

    >>> import minigrad
    >>> logsigmoid(minigrad.tensor([0.0, -100.0]))
    tensor([  -0.6931, -100.0000])
    """
    return _apply("log_sigmoid_cpu", LogSigmoid, input)


@functional
def hardsigmoid(input, inplace=False):
    """`x / 6 + 1 / 2` within [0, 1] (`torch.nn.functional.hardsigmoid`).

    >>> import minigrad
    >>> hardsigmoid(minigrad.tensor([-5.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    return _apply("hardsigmoid_cpu", Hardsigmoid, input, inplace=inplace)


@functional
def hardswish(input, inplace=False):
    """`x · hardsigmoid(x)` (`torch.nn.functional.hardswish`).

    Howard et al. 2019, https://arxiv.org/abs/1905.02244.

    >>> import minigrad
    >>> hardswish(minigrad.tensor([1.0, 3.0]))
    tensor([0.6667, 3.0000])
    """
    return _apply("hardswish_cpu", Hardswish, input, inplace=inplace)


@functional
@both()
def hardshrink(input, lambd=0.5):
    """`input`, but 0 where `|input| ≤ lambd` (`torch.nn.functional.hardshrink`).

    >>> import minigrad
    >>> hardshrink(minigrad.tensor([-1.0, 0.25]))
    tensor([-1.,  0.])
    """
    return _apply("hardshrink_cpu", Hardshrink, input, lambd)


@functional
def softshrink(input, lambd=0.5):
    """`input` moved towards 0 by `lambd`, and 0 where `|input| ≤ lambd` (`torch.nn.functional.softshrink`).

    >>> import minigrad
    >>> softshrink(minigrad.tensor([-1.0, 0.25]))
    tensor([-0.5000,  0.0000])
    """
    dtype = _tensor(input, "softshrink")._array.dtype
    if dtype.kind == "f" and not 0 <= lambd <= np.finfo(dtype).max:
        raise RuntimeError(
            f"lambda must be in range [0, {np.finfo(dtype).max:g}] for input dtype {TORCH_NAMES[dtype]}, but found "
            f"{lambd:g}"
        )
    return _apply("softshrink_check", Softshrink, input, lambd)


@functional
@function
def threshold(input, threshold, value, inplace=False):
    """`input`, but `value` where `input ≤ threshold` (`torch.nn.functional.threshold`).

    >>> import minigrad
    >>> minigrad.threshold(minigrad.tensor([0.0, 2.0]), 1.0, -5.0)
    tensor([-5.,  2.])
    """
    dtype = _tensor(input, "threshold")._array.dtype
    if dtype.kind == "f":
        return _apply("threshold_cpu", Threshold, input, threshold, value, inplace=inplace)
    if dtype.kind == "b":
        raise NotImplementedError("\"threshold_cpu\" not implemented for 'Bool'\nhint: use x.float()")

    def replaced(x):
        return where(x <= int(threshold), int(value), x).to(dtype)

    return assign(input, replaced) if inplace else replaced(input)


@functional
def glu(input, dim=-1):
    """`a · σ(b)` with a and b the halves of `input` along `dim` (`torch.nn.functional.glu`).

    Dauphin et al. 2016, https://arxiv.org/abs/1612.08083.

    >>> import minigrad
    >>> glu(minigrad.tensor([3.0, 0.0]))
    tensor([1.5000])
    """
    if _tensor(input, "glu").ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    axis = check_dim(dim, input.ndim)
    size = input.shape[axis]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {size}")
    if input._array.dtype.kind != "f":
        raise NotImplementedError(f"\"glu_cpu\" not implemented for '{TORCH_NAMES[input.dtype]}'\nhint: use x.float()")
    return input.narrow(axis, 0, size // 2) * sigmoid(input.narrow(axis, size // 2, size // 2))


for _definition in (relu, rrelu, selu, celu, threshold):
    _inplace(_definition, functions, functionals)
for _definition in (elu, hardtanh, leaky_relu):
    _inplace(_definition, functionals)
