"""Layers that are linear maps of features, and how weights of linear maps and convolutions are drawn."""

import math

from . import functional as F
from . import init
from .layer import new_parameter
from .module import Module


class Weighted(Module):
    """A layer with `weight` and maybe `bias`, drawn evenly from ±1 / √(fan in) as PyTorch does."""

    def _make(self, weight_shape, outputs, bias, device, dtype):
        self.weight = new_parameter(*weight_shape, device=device, dtype=dtype)
        self.register_parameter("bias", new_parameter(outputs, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)


class Linear(Weighted):
    """y = x · weightᵀ + bias: (*, in_features) to (*, out_features) (`torch.nn.Linear`).

    >>> import minigrad
    >>> Linear(4, 3)(minigrad.ones(2, 4)).shape
    minigrad.Size([2, 3])
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._make((out_features, in_features), out_features, bias, device, dtype)

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Weighted):
    """yₖ = x1ᵀ · weightₖ · x2 + biasₖ: (*, in1_features) and (*, in2_features) to (*, out_features).

    (`torch.nn.Bilinear`)

    >>> import minigrad
    >>> Bilinear(4, 3, 5)(minigrad.ones(2, 4), minigrad.ones(2, 3)).shape
    minigrad.Size([2, 5])
    """

    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self._make((out_features, in1_features, in2_features), out_features, bias, device, dtype)

    def reset_parameters(self):
        """Draw weight and bias anew, evenly from ±1 / √in1_features."""
        if self.in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={self.in1_features})")
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1, input2):
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
