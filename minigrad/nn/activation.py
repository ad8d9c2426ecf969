"""Activations: functions of each element, or of the elements along one dimension."""

import warnings
from dataclasses import InitVar

from minigrad.ops import functions

from . import functional as F
from . import init
from .layer import Layer, new_parameter
from .module import Module


class _Activation(Layer):
    """`inplace`, where an activation has it, writes the result over the input, and is shown when set."""

    def extra_repr(self):
        parts = [super().extra_repr(), "inplace=True" if getattr(self, "inplace", False) else ""]
        return ", ".join(filter(None, parts))


class _Plain(_Activation, text=""):
    inplace: bool = False


class ReLU(_Plain, call=F.relu):
    """max(x, 0) (`torch.nn.ReLU`).

    >>> import minigrad
    >>> ReLU()(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """


class SELU(_Plain, call=F.selu):
    """scale · (max(x, 0) + min(α (eˣ - 1), 0)), which keeps mean 0 and variance 1 (`torch.nn.SELU`).

    >>> import minigrad
    >>> SELU()(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """


class SiLU(_Plain, call=F.silu):
    """x · σ(x), also called swish (`torch.nn.SiLU`).

    >>> import minigrad
    >>> SiLU()(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """


class Mish(_Plain, call=F.mish):
    """x · tanh(softplus(x)) (`torch.nn.Mish`).

    >>> import minigrad
    >>> Mish()(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """


class _Silent(_Plain):
    """As in PyTorch, the repr of these does not tell whether they work in place."""

    def extra_repr(self):
        return ""


class Hardsigmoid(_Silent, call=F.hardsigmoid):
    """max(0, min(1, x / 6 + 1 / 2)) (`torch.nn.Hardsigmoid`).

    >>> import minigrad
    >>> Hardsigmoid()(minigrad.tensor([-3.0, 0.0]))
    tensor([0.0000, 0.5000])
    """


class Hardswish(_Silent, call=F.hardswish):
    """x · max(0, min(1, x / 6 + 1 / 2)) (`torch.nn.Hardswish`).

    >>> import minigrad
    >>> Hardswish()(minigrad.tensor([0.0, 3.0]))
    tensor([0., 3.])
    """


class Tanh(Layer, call=functions["tanh"]):
    """The hyperbolic tangent (`torch.nn.Tanh`).

    >>> import minigrad
    >>> Tanh()(minigrad.tensor([0.0]))
    tensor([0.])
    """


class Sigmoid(Layer, call=functions["sigmoid"]):
    """1 / (1 + e⁻ˣ) (`torch.nn.Sigmoid`).

    >>> import minigrad
    >>> Sigmoid()(minigrad.tensor([0.0]))
    tensor([0.5000])
    """


class LogSigmoid(Layer, call=F.logsigmoid):
    """log(1 / (1 + e⁻ˣ)) (`torch.nn.LogSigmoid`).

    >>> import minigrad
    >>> LogSigmoid()(minigrad.tensor([0.0]))
    tensor([-0.6931])
    """


class Softsign(Layer, call=F.softsign):
    """x / (1 + |x|) (`torch.nn.Softsign`).

    >>> import minigrad
    >>> Softsign()(minigrad.tensor([1.0]))
    tensor([0.5000])
    """


class Tanhshrink(Layer, call=F.tanhshrink):
    """x - tanh(x) (`torch.nn.Tanhshrink`).

    >>> import minigrad
    >>> Tanhshrink()(minigrad.tensor([0.0]))
    tensor([0.])
    """


class LeakyReLU(_Activation, call=F.leaky_relu, text="negative_slope={negative_slope}"):
    """max(x, 0) + negative_slope · min(x, 0) (`torch.nn.LeakyReLU`).

    >>> import minigrad
    >>> LeakyReLU()(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """

    negative_slope: float = 0.01
    inplace: bool = False


class ELU(_Activation, call=F.elu, text="alpha={alpha}"):
    """max(x, 0) + min(alpha · (eˣ - 1), 0) (`torch.nn.ELU`).

    >>> import minigrad
    >>> ELU()(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    alpha: float = 1.0
    inplace: bool = False


class CELU(_Activation, call=F.celu, text="alpha={alpha}"):
    """max(x, 0) + min(alpha · (e^(x / alpha) - 1), 0) (`torch.nn.CELU`).

    >>> import minigrad
    >>> CELU()(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    alpha: float = 1.0
    inplace: bool = False


class GELU(Layer, call=F.gelu, text="approximate={approximate!r}"):
    """x · Φ(x), Φ the normal distribution; `approximate` is "none" or "tanh" (`torch.nn.GELU`).

    >>> import minigrad
    >>> GELU()(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8413])
    """

    approximate: str = "none"


class Softplus(Layer, call=F.softplus, text="beta={beta}, threshold={threshold}"):
    """log(1 + e^(beta · x)) / beta, x itself where beta · x > threshold (`torch.nn.Softplus`).

    >>> import minigrad
    >>> Softplus()(minigrad.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """

    beta: float = 1.0
    threshold: float = 20.0


class Hardshrink(Layer, call=F.hardshrink, text="{lambd}"):
    """x where |x| > lambd, else 0 (`torch.nn.Hardshrink`).

    >>> import minigrad
    >>> Hardshrink()(minigrad.tensor([-1.0, 0.2]))
    tensor([-1.,  0.])
    """

    lambd: float = 0.5


class Softshrink(Layer, call=F.softshrink, text="{lambd}"):
    """x pulled towards 0 by lambd (`torch.nn.Softshrink`).

    >>> import minigrad
    >>> Softshrink()(minigrad.tensor([-1.0, 0.2]))
    tensor([-0.5000,  0.0000])
    """

    lambd: float = 0.5


class Threshold(_Activation, call=F.threshold, text="threshold={threshold}, value={value}"):
    """x where x > threshold, else value (`torch.nn.Threshold`).

    >>> import minigrad
    >>> Threshold(1.0, 9.0)(minigrad.tensor([0.0, 2.0]))
    tensor([9., 2.])
    """

    threshold: float
    value: float
    inplace: bool = False


class Hardtanh(_Activation, call=F.hardtanh, text="min_val={min_val}, max_val={max_val}"):
    """max(min_val, min(max_val, x)) (`torch.nn.Hardtanh`).

    >>> import minigrad
    >>> Hardtanh()(minigrad.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False
    min_value: InitVar[float | None] = None
    max_value: InitVar[float | None] = None

    def __post_init__(self, min_value, max_value):
        for name, value in (("min_val", min_value), ("max_val", max_value)):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{name}ue` is deprecated and renamed to `{name}`", FutureWarning, stacklevel=3
                )
                setattr(self, name, value)
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")


class ReLU6(Hardtanh, text=""):
    """min(max(x, 0), 6) (`torch.nn.ReLU6`).

    >>> import minigrad
    >>> ReLU6()(minigrad.tensor([-1.0, 8.0]))
    tensor([0., 6.])
    """

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)


class RReLU(_Activation, call=F.rrelu, text="lower={lower}, upper={upper}"):
    """max(x, 0) + a · min(x, 0), a drawn from [lower, upper) in training, else their mean (`torch.nn.RReLU`).

    >>> import minigrad
    >>> RReLU()(minigrad.tensor([8.0]))
    tensor([8.])
    """

    lower: float = 1.0 / 8
    upper: float = 1.0 / 3
    inplace: bool = False

    def _arguments(self):
        return super()._arguments() | {"training": self.training}


class PReLU(Module):
    """max(x, 0) + weight · min(x, 0) with one learned slope, or one for each channel of (N, C, *) (`torch.nn.PReLU`).

    >>> import minigrad
    >>> PReLU()(minigrad.tensor([-1.0, 2.0])).detach()
    tensor([-0.2500,  2.0000])
    """

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = new_parameter(num_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Set the slopes to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class GLU(Layer, call=F.glu, text="dim={dim}"):
    """a · σ(b), a and b the halves along `dim` (`torch.nn.GLU`).

    >>> import minigrad
    >>> GLU()(minigrad.tensor([1.0, 0.0]))
    tensor([0.5000])
    """

    dim: int = -1


class _AlongDimension(Layer, text="dim={dim}"):
    dim: int | None = None


class Softmax(_AlongDimension, call=F.softmax):
    """eˣ / Σ eˣ along `dim` (`torch.nn.Softmax`).

    >>> import minigrad
    >>> Softmax(dim=0)(minigrad.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """


class LogSoftmax(_AlongDimension, call=F.log_softmax):
    """x - log Σ eˣ along `dim` (`torch.nn.LogSoftmax`).

    >>> import minigrad
    >>> LogSoftmax(dim=0)(minigrad.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """


class Softmin(_AlongDimension, call=F.softmin):
    """e⁻ˣ / Σ e⁻ˣ along `dim` (`torch.nn.Softmin`).

    >>> import minigrad
    >>> Softmin(dim=0)(minigrad.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W) (`torch.nn.Softmax2d`).

    >>> import minigrad
    >>> Softmax2d()(minigrad.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input):
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
