"""Normalisation by the statistics of a batch, by neighbouring channels and by a norm."""

import math

import numpy as np

from minigrad.autograd import Operation, check_dim, is_grad_enabled
from minigrad.autograd.dtypes import TORCH_NAMES
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
        return BatchNorm.gradients(dy, x, weight, mean, invstd, ctx.eps)

    @staticmethod
    def gradients(dy, x, weight, mean, invstd, eps):
        """(dx, dweight, dbias) of tensors."""
        if is_grad_enabled():
            return _differentiable_grads(dy, x, weight, eps)
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
    def statistics(input, running_mean, running_var, eps):
        """What `forward` takes for running statistics."""
        invstd = (1 / np.sqrt(running_var._array.astype(np.float64) + eps)).astype(input.dtype)
        return running_mean._array.astype(input.dtype, copy=False), invstd

    @staticmethod
    def forward(ctx, x, weight, bias, mean, invstd):
        ctx.save_for_backward(x, weight, mean, invstd)
        return kernels_for(x).batch_norm(x, mean, invstd, weight, bias)

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, invstd = ctx.saved_tensors
        return ChannelScale.gradients(ctx, dy, x, weight, mean, invstd)

    @staticmethod
    def gradients(ctx, dy, x, weight, mean, invstd):
        """(dx, dweight, dbias) of tensors, the latter two as far as they are wanted."""
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


def check_channels(channels, samples=1, **values):
    """Statistics and parameters have a number for each channel; the errors count those of all samples."""
    for name, value in values.items():
        if value is not None and value.numel() != channels:
            raise RuntimeError(
                f"{name} should contain {channels * samples} elements not {value.numel() * samples}\nhint: the input "
                f"has {channels} channels"
            )


def paired_statistics(running_mean, running_var):
    """Running statistics come both or not at all."""
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")


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
    check_batch_norm(input, running_mean, running_var, weight, bias, training, eps)
    if input._array.size == 0 and input._array.ndim == 1:
        return input * 1  # PyTorch takes an empty vector for a batch without channels
    operation, *statistics = with_statistics(input, running_mean, running_var, training, momentum, eps)
    return operation.apply(input, weight, bias, *statistics)


def check_batch_norm(input, running_mean, running_var, weight, bias, training, eps):
    """What `batch_norm` can be given."""
    shape = input._array.shape
    channels = shape[1] if len(shape) > 1 else 0
    if training and math.prod(shape) == channels + (len(shape) == 1):
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}\nhint: use a larger "
            "batch, or "
            "module.eval()"
        )
    if eps < 0 or (training and eps == 0):
        kind = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {kind}, but got {eps}")
    if not training:
        for name, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    paired_statistics(running_mean, running_var)
    check_channels(channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if input.dtype.kind != "f":
        raise NotImplementedError(
            f"\"batch_norm\" not implemented for '{TORCH_NAMES[input.dtype]}'\nhint: use x.float()"
        )  # fmt: skip


def with_statistics(input, running_mean, running_var, training, momentum, eps):
    """(operation, mean, 1 / √(var + eps), ...): how a batch is normalised, and the operation's last arguments.

    In training the batch's statistics move the running ones.
    """
    check_dim(1, input._array.ndim)
    if not training:
        return ChannelScale, *ChannelScale.statistics(input, running_mean, running_var, eps)
    mean, var = kernels_for(input._array).batch_norm_stats(input._array)
    if running_mean is not None and input._array.size:
        count = input._array.size // input._array.shape[1]
        running_mean.copy_(toward(running_mean, mean, momentum))
        running_var.copy_(toward(running_var, var * (count / max(count - 1, 1)), momentum))
    return BatchNorm, mean, (1 / np.sqrt(var.astype(np.float64) + eps)).astype(input.dtype), eps


def toward(running, batch, momentum):
    """The running statistics moved towards the batch's."""
    return (1 - momentum) * running._array + momentum * batch


class WindowMean(Operation):
    """y[:, c] = Σ x[:, c - before ... c + after] / size, with zeros outside"""

    formula = "dx[:, c] = Σ dy[:, c - after ... c + before] / size"

    @staticmethod
    def forward(ctx, x, before, after, size):
        ctx.before, ctx.after, ctx.size = before, after, size
        padded = np.pad(x, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
        return sum([padded[:, i : i + x.shape[1]] for i in range(before + after + 1)]) / x.dtype.type(size)

    @staticmethod
    def backward(ctx, dy):
        return WindowMean.apply(dy, ctx.after, ctx.before, ctx.size)


@functional
def local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0):
    """Divide by `(k + alpha · mean(x²))^beta`, the mean over `size` neighbouring channels of (N, C, *)
    (`torch.nn.functional.local_response_norm`).

    Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.3.

    >>> import minigrad
    >>> local_response_norm(minigrad.ones(1, 1, 2), 1, alpha=3.0, beta=0.5)
    tensor([[[0.5000, 0.5000]]])
    """
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {input.ndim} dimensions)"
            "\nhint: the shape is (N, C, *)"
        )
    if input.numel() == 0:
        return input
    if not isinstance(size, (int, np.integer)):
        raise TypeError(f"local_response_norm(): size must be an int, not {type(size).__name__}")
    if size <= 0:
        raise RuntimeError(
            "kernel size should be greater than zero, but got "
            + (f"kH: {size} kW: 1" if input.ndim == 3 else f"kT: {size} kH: 1 kW: 1")
        )
    last = input._array.shape[1] - 1  # what lies further outside is 0 anyway
    squares = input * input
    means = WindowMean.apply(squares, min(size // 2, last), min((size - 1) // 2, last), size)
    return input / (means * alpha + k) ** beta


@functional
def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Divide by the `p`-norm along `dim`, or by `eps` where that is larger (`torch.nn.functional.normalize`).

    >>> import minigrad
    >>> normalize(minigrad.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    result = input / input.norm(p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else out.copy_(result)
