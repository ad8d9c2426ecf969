"""Activations and the softmax family. Each derivative is an operation of its own, so that one kernel computes it."""

import numpy as np

from minigrad.autograd import Operation, check_dim, get_default_dtype
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype
from minigrad.kernels import kernels_for

from .registry import both, functional


def _float(x):
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype())


class ReLU(Operation):
    """y = max(x, 0)"""

    formula = "dx = dy, but 0 where y ≤ 0"

    @staticmethod
    def forward(ctx, x):
        y = kernels_for(x).relu(x) if x.dtype.kind == "f" else np.maximum(x, x.dtype.type(0))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return ReLUGrad.apply(dy, y)


class ReLUGrad(Operation):
    """dy, but 0 where y ≤ 0"""

    formula = "ddy = ddx, but 0 where y ≤ 0"

    @staticmethod
    def forward(ctx, dy, y):
        ctx.save_for_backward(y)
        return kernels_for(dy).relu_grad(dy, y)

    @staticmethod
    def backward(ctx, ddx):
        (y,) = ctx.saved_tensors
        return ReLUGrad.apply(ddx, y), None


class Tanh(Operation):
    """y = tanh x"""

    formula = "dx = dy · (1 - y²)"

    @staticmethod
    def forward(ctx, x):
        x = _float(x)
        y = kernels_for(x).tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return TanhGrad.apply(dy, y)


class TanhGrad(Operation):
    """dy · (1 - y²)"""

    formula = "ddy = ddx · (1 - y²), dy' = -2 · ddx · dy · y"

    @staticmethod
    def forward(ctx, dy, y):
        ctx.save_for_backward(dy, y)
        return kernels_for(dy).tanh_grad(dy, y)

    @staticmethod
    def backward(ctx, ddx):
        dy, y = ctx.saved_tensors
        return TanhGrad.apply(ddx, y), (-2 * ddx * dy * y if ctx.needs_input_grad[1] else None)


class Sigmoid(Operation):
    """y = 1 / (1 + e⁻ˣ)"""

    formula = "dx = dy · y · (1 - y)"

    @staticmethod
    def forward(ctx, x):
        x = _float(x)
        y = kernels_for(x).sigmoid(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return SigmoidGrad.apply(dy, y)


class SigmoidGrad(Operation):
    """dy · y · (1 - y)"""

    formula = "ddy = ddx · y · (1 - y), dy' = ddx · dy · (1 - 2 · y)"

    @staticmethod
    def forward(ctx, dy, y):
        ctx.save_for_backward(dy, y)
        return kernels_for(dy).sigmoid_grad(dy, y)

    @staticmethod
    def backward(ctx, ddx):
        dy, y = ctx.saved_tensors
        return SigmoidGrad.apply(ddx, y), (ddx * dy * (1 - 2 * y) if ctx.needs_input_grad[1] else None)


class Softmax(Operation):
    """y = eˣ / Σ eˣ along an axis"""

    formula = "dx = y · (dy - Σ dy · y)"

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        y = kernels_for(x).softmax(x, axis)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return SoftmaxGrad.apply(dy, y, ctx.axis)


class SoftmaxGrad(Operation):
    """y · (dy - Σ dy · y)"""

    formula = "ddy = softmax's backward of ddx, dy' = ddx · (dy - Σ dy · y) - dy · Σ ddx · y"

    @staticmethod
    def forward(ctx, dy, y, axis):
        ctx.axis = axis
        ctx.save_for_backward(dy, y)
        return kernels_for(dy).softmax_grad(dy, y, axis)

    @staticmethod
    def backward(ctx, ddx):
        dy, y = ctx.saved_tensors
        dyy = None
        if ctx.needs_input_grad[1]:
            dyy = ddx * (dy - (dy * y).sum(ctx.axis, keepdim=True)) - dy * (ddx * y).sum(ctx.axis, keepdim=True)
        return SoftmaxGrad.apply(ddx, y, ctx.axis), dyy


class LogSoftmax(Operation):
    """y = x - log Σ eˣ along an axis"""

    formula = "dx = dy - e^y · Σ dy"

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        y = kernels_for(x).log_softmax(x, axis)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return LogSoftmaxGrad.apply(dy, y, ctx.axis)


class LogSoftmaxGrad(Operation):
    """dy - e^y · Σ dy"""

    formula = "ddy = ddx - Σ ddx · e^y, dy' = -ddx · e^y · Σ dy"

    @staticmethod
    def forward(ctx, dy, y, axis):
        ctx.axis = axis
        ctx.save_for_backward(dy, y)
        return kernels_for(dy).log_softmax_grad(dy, y, axis)

    @staticmethod
    def backward(ctx, ddx):
        dy, y = ctx.saved_tensors
        weighted = ddx * y.exp()
        return (
            ddx - weighted.sum(ctx.axis, keepdim=True),
            -weighted * dy.sum(ctx.axis, keepdim=True) if ctx.needs_input_grad[1] else None,
        )


@functional
@both(inplace=True)
def relu(input):
    """`max(input, 0)` (`torch.relu`).

    >>> import minigrad
    >>> minigrad.relu(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return ReLU.apply(input)


@functional
@both(inplace=True)
def tanh(input):
    """The hyperbolic tangent of each element (`torch.tanh`).

    >>> import minigrad
    >>> minigrad.tanh(minigrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return Tanh.apply(input)


@functional
@both(inplace=True)
def sigmoid(input):
    """`1 / (1 + e⁻ˣ)` of each element (`torch.sigmoid`).

    >>> import minigrad
    >>> minigrad.sigmoid(minigrad.tensor([0.0]))
    tensor([0.5000])
    """
    return Sigmoid.apply(input)


def _prepared(input, dim, dtype, name):
    if dtype is not None:
        input = input.to(as_dtype(dtype))
    if input.dtype.kind != "f":
        raise NotImplementedError(
            f"\"{name}_lastdim_kernel_impl\" not implemented for '{TORCH_NAMES[input.dtype]}'\nhint: use x.float() or "
            "dtype=minigrad.float32"
        )
    if dim is None:
        raise TypeError(f"{name}() needs dim=\nhint: dim=-1 normalises over the last dimension")
    return input, check_dim(dim, input.ndim)


@functional
@both()
def softmax(input, dim=None, *, dtype=None):
    """`eˣ / Σ eˣ` along `dim`: positive and summing to 1 (`torch.softmax`).

    >>> import minigrad
    >>> minigrad.softmax(minigrad.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    input, axis = _prepared(input, dim, dtype, "softmax")
    return Softmax.apply(input.reshape(1), 0).reshape(()) if input.ndim == 0 else Softmax.apply(input, axis)


@functional
@both()
def log_softmax(input, dim=None, *, dtype=None):
    """`x - log Σ eˣ` along `dim`, without overflow (`torch.log_softmax`).

    >>> import minigrad
    >>> minigrad.log_softmax(minigrad.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    input, axis = _prepared(input, dim, dtype, "log_softmax")
    return LogSoftmax.apply(input.reshape(1), 0).reshape(()) if input.ndim == 0 else LogSoftmax.apply(input, axis)
