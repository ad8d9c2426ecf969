"""The softmax family: normalised exponentials along a dimension. Each derivative is an operation of its own, so one
kernel computes it.
"""

import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype, boxed
from minigrad.kernels import kernels_for

from .random import stream_of
from .registry import both, functional, functionals


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


def _along(operation, name, input, dim, dtype):
    """The operation along `dim` of the input, converted to `dtype` first; `name` is for the errors."""
    if dtype is not None:
        input = input.to(as_dtype(dtype))
    axis = check_dim(dim, input.ndim)
    if input.dtype.kind != "f":
        kernel = f"{name}_lastdim_kernel_impl" if axis in (-1, input.ndim - 1) else f"{name}_kernel_impl"
        raise NotImplementedError(
            f"\"{kernel}\" not implemented for '{TORCH_NAMES[input.dtype]}'\nhint: use x.float() or "
            "dtype=minigrad.float32"
        )
    return operation.apply(input.reshape(1), 0).reshape(()) if input.ndim == 0 else operation.apply(input, axis)


@both()
def softmax(input, dim, dtype=None):
    """`eˣ / Σ eˣ` along `dim`: positive and summing to 1 (`torch.softmax`).

    >>> import minigrad
    >>> minigrad.softmax(minigrad.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return _along(Softmax, "softmax", input, dim, dtype)


@both()
def log_softmax(input, dim, dtype=None):
    """`x - log Σ eˣ` along `dim`, without overflow (`torch.log_softmax`).

    >>> import minigrad
    >>> minigrad.log_softmax(minigrad.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    return _along(LogSoftmax, "log_softmax", input, dim, dtype)


def _implicit_dim(name, ndim, stacklevel):
    """The dimension that PyTorch takes where none is given, with its warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _functional_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """`minigrad.softmax` whose `dim` may be left out, with a warning: 0 for 0, 1 or 3 dimensions, else 1
    (`torch.nn.functional.softmax`).

    >>> import minigrad
    >>> minigrad.nn.functional.softmax(minigrad.tensor([0.0, 0.0]), -1)
    tensor([0.5000, 0.5000])
    """
    return softmax(input, _implicit_dim("softmax", input.ndim, _stacklevel) if dim is None else dim, dtype)


def _functional_log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """`minigrad.log_softmax` whose `dim` may be left out, as for `softmax` (`torch.nn.functional.log_softmax`).

    >>> import minigrad
    >>> minigrad.nn.functional.log_softmax(minigrad.tensor([0.0, 0.0]), -1)
    tensor([-0.6931, -0.6931])
    """
    return log_softmax(input, _implicit_dim("log_softmax", input.ndim, _stacklevel) if dim is None else dim, dtype)


functionals.update(softmax=_functional_softmax, log_softmax=_functional_log_softmax)


@functional
def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """`softmax` of the negated input (`torch.nn.functional.softmin`).

    >>> import minigrad
    >>> softmin(minigrad.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return softmax(-input, _implicit_dim("softmin", input.ndim, _stacklevel) if dim is None else dim, dtype)


@functional
def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A random sample of categories, differentiable: `softmax((logits + g) / tau)` with Gumbel noise g
    (`torch.nn.functional.gumbel_softmax`).

    With `hard`, 1 at the largest and else 0, but with the gradient of the soft sample. Jang et al. 2016,
    https://arxiv.org/abs/1611.01144.

    >>> import minigrad
    >>> gumbel_softmax(minigrad.tensor([0.0, 100.0]), hard=True)
    tensor([0., 1.])
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    if logits.dtype.kind != "f":
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {TORCH_NAMES[logits.dtype]}"
        )
    gumbels = -np.log(stream_of(None, logits.device).standard_exponential(logits.shape, logits.dtype))
    soft = softmax((logits + Tensor._wrap(boxed(gumbels))) / tau, dim)
    if not hard:
        return soft
    axis = check_dim(dim, logits.ndim)
    one_hot = np.zeros_like(soft._array)
    if soft.ndim == 0:
        one_hot[()] = 1
    elif soft.numel():
        np.put_along_axis(one_hot, soft._array.argmax(axis, keepdims=True), 1, axis)
    return Tensor._wrap(one_hot) - soft.detach() + soft
