"""Batch normalisation."""

import numpy as np

from minigrad.autograd import Operation, is_grad_enabled
from minigrad.kernels import kernels_for

from .convolution import ChannelSum
from .registry import functional


class BatchNorm(Operation):
    """y = (x - mean) / √(var + eps) · weight + bias, with the batch's own mean and variance per channel"""

    formula = "dx = weight / √(var + eps) · (dy - mean(dy) - x̂ · mean(dy · x̂)), dweight = Σ dy · x̂, dbias = Σ dy"
    fused = True

    @staticmethod
    def forward(ctx, x, weight, bias, mean, invstd, eps):
        ctx.eps = eps
        ctx.save_for_backward(x, weight, mean, invstd)
        return kernels_for(x).batch_norm(x, mean, invstd, weight, bias)

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, invstd = ctx.saved_tensors
        if is_grad_enabled():
            return _differentiable_grads(dy, x, weight, ctx.eps)
        return BatchNormGrad.apply(dy, x, mean, invstd, weight)


class BatchNormGrad(Operation):
    """The gradient of batch normalisation in one kernel, where no second derivative is asked for"""

    formula = BatchNorm.formula
    fused = True

    @staticmethod
    def forward(ctx, dy, x, mean, invstd, weight):
        return kernels_for(x).batch_norm_grad(dy, x, mean, invstd, weight)


def _differentiable_grads(dy, x, weight, eps):
    """The same gradient written with differentiable operations, the statistics included."""
    axes = tuple([axis for axis in range(x.ndim) if axis != 1])
    centred = x - x.mean(axes, keepdim=True)
    invstd = ((centred * centred).mean(axes, keepdim=True) + eps).rsqrt()
    normal = centred * invstd
    g = dy if weight is None else dy * _per_channel(weight, x.ndim)
    dx = invstd * (g - g.mean(axes, keepdim=True) - normal * (g * normal).mean(axes, keepdim=True))
    return dx, (None if weight is None else (dy * normal).sum(axes)), dy.sum(axes)


class ChannelScale(Operation):
    """y = (x - mean) · invstd · weight + bias with given statistics: batch normalisation at evaluation"""

    formula = "dx = dy · invstd · weight, dweight = Σ dy · (x - mean) · invstd, dbias = Σ dy"
    fused = True

    @staticmethod
    def forward(ctx, x, weight, bias, mean, invstd):
        ctx.save_for_backward(x, weight, mean, invstd)
        return kernels_for(x).batch_norm(x, mean, invstd, weight, bias)

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, invstd = ctx.saved_tensors
        scale = invstd if weight is None else invstd * weight
        dx = dy * _per_channel(scale, dy.ndim)
        dweight = dbias = None
        if ctx.needs_input_grad[1]:
            dweight = ChannelSum.apply(dy * (x - _per_channel(mean, x.ndim)) * _per_channel(invstd, x.ndim))
        if ctx.needs_input_grad[2]:
            dbias = ChannelSum.apply(dy)
        return dx, dweight, dbias


def _per_channel(vector, ndim):
    return vector.reshape(1, -1, *[1] * (ndim - 2))


@functional
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05):
    """Normalise each channel of (N, C, *) to mean 0 and variance 1, then scale and shift
    (`torch.nn.functional.batch_norm`).

    In training with the batch's statistics, which also move `running_mean` and `running_var` (in place, the latter
    unbiased) by `momentum`; else with the running ones. Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.

    >>> import minigrad
    >>> batch_norm(minigrad.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"batch_norm expects an input of at least 2 dimensions (N, C, *), but got {input.ndim}")
    if input.dtype.kind != "f":
        raise RuntimeError(f"batch_norm needs a floating-point tensor, but got {input.dtype}\nhint: use x.float()")
    channels = input._array.shape[1]
    for name, value in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if value is not None and value.numel() != channels:
            raise RuntimeError(
                f"{name} should contain {channels} elements not {value.numel()}\nhint: the input {tuple(input.shape)} "
                "has "
                f"{channels} channels"
            )
    if not training:
        for name, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
        invstd = (1 / np.sqrt(running_var._array.astype(np.float64) + eps)).astype(input.dtype)
        return ChannelScale.apply(input, weight, bias, running_mean._array.astype(input.dtype, copy=False), invstd)
    count = input._array.size // max(channels, 1)
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}\nhint: use a larger "
            "batch, or "
            "module.eval()"
        )
    mean, var = kernels_for(input._array).batch_norm_stats(input._array)
    if running_mean is not None:
        running_mean.copy_(_toward(running_mean, mean, momentum))
    if running_var is not None:
        running_var.copy_(_toward(running_var, var * (count / max(count - 1, 1)), momentum))
    invstd = (1 / np.sqrt(var.astype(np.float64) + eps)).astype(input.dtype)
    return BatchNorm.apply(input, weight, bias, mean, invstd, eps)


def _toward(running, batch, momentum):
    return (1 - momentum) * running._array + momentum * batch
