"""Losses that compare predictions with targets element by element: distances, likelihoods, divergences."""

import math
import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor, no_grad
from minigrad.autograd.dtypes import TORCH_NAMES, result_type
from minigrad.kernels import kernels_for, scalars
from minigrad.kernels.device import capturing

from .arithmetic import binary, large, no_broadcast
from .choice import where
from .creation import full_like
from .loss import check_reduction, legacy_reduction, reduced
from .registry import functional

_SMALLEST_LOG = -100.0  # binary cross entropy takes no logarithm below, so that a certain mistake costs a finite loss


class SquaredError(Operation):
    """(x - y)²"""

    formula = "dx = 2 · dz · (x - y), dy = -dx"

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        if x.dtype is y.dtype and x.shape == y.shape and x.strides == y.strides and large(x) and large(y):
            return kernels_for(x).elementwise(scalars.squared_difference, (), x, y)
        difference = binary(np.subtract, x, y)
        return np.multiply(difference, difference)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        dx = 2 * dz * (x - y)
        return dx, (-dx if ctx.needs_input_grad[1] else None)


class Huber(Operation):
    """slope · d² / (2 · bend) where |d| < bend, slope · (|d| - bend / 2) elsewhere, with d = x - y"""

    formula = "dx = dz · slope · d / bend where |d| < bend, dz · slope · sign d elsewhere; dy = -dx"

    @staticmethod
    def forward(ctx, x, y, bend, slope):
        ctx.bend, ctx.slope = bend, slope
        ctx.save_for_backward(x, y)
        difference = binary(np.subtract, x, y)
        size = np.absolute(difference)
        return np.where(size < bend, (0.5 * slope / bend) * (size * size), slope * (size - 0.5 * bend))

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        difference = x - y
        outside = difference.detach().clamp(-ctx.bend, ctx.bend)
        dx = dz * (ctx.slope / ctx.bend) * where(difference.abs() < ctx.bend, difference, outside)
        return dx, (-dx if ctx.needs_input_grad[1] else None)


class BCE(Operation):
    """-y · log x - (1 - y) · log(1 - x), no logarithm below -100"""

    formula = "dx = dz · (x - y) / (x · (1 - x)), dy = dz · (log(1 - x) - log x)"
    fused = True

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        with np.errstate(divide="ignore"):
            yes, no = np.maximum(np.log(x), _SMALLEST_LOG), np.maximum(np.log1p(-x), _SMALLEST_LOG)
        return (y - 1) * no - y * yes

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        dy = dz * ((1 - x).log() - x.log()) if ctx.needs_input_grad[1] else None
        return (BCEGrad.apply(dz, x, y) if ctx.needs_input_grad[0] else None), dy


class BCEGrad(Operation):
    """dz · (x - y) / (x · (1 - x)), the divisor at least 1e-12"""

    formula = "ddz = ddx · (x - y) / (x · (1 - x)), dx = ddx · dz · (x² - 2 · x · y + y) / (x · (1 - x))²"
    smallest = 1e-12

    @staticmethod
    def forward(ctx, dz, x, y):
        ctx.save_for_backward(dz, x, y)
        return dz * (x - y) / np.maximum(x * (1 - x), BCEGrad.smallest)

    @staticmethod
    def backward(ctx, ddx):
        dz, x, y = ctx.saved_tensors
        product = (x + BCEGrad.smallest) * (1 - x + BCEGrad.smallest)
        return (
            ddx * (x - y) / product,
            ddx * dz * (x * x - 2 * x * y + y) / (product * product) if ctx.needs_input_grad[1] else None,
            -ddx * dz / (x * (1 - x)).clamp(min=BCEGrad.smallest) if ctx.needs_input_grad[2] else None,
        )


def _softplus(x):
    with np.errstate(over="ignore"):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


class Softplus(Operation):
    """log(1 + eˣ), without overflow"""

    formula = "dx = dy · sigmoid(x)"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _softplus(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * x.sigmoid()


class BCEWithLogits(Operation):
    """(1 - y) · x + (1 + (p - 1) · y) · log(1 + e⁻ˣ): the binary cross entropy of sigmoid(x), without overflow"""

    formula = (
        "dx = dz · ((1 + (p - 1) · y) · sigmoid(x) - p · y), dy = dz · (p · log(1 + e⁻ˣ) - log(1 + eˣ)), "
        "dp = dz · y · log(1 + e⁻ˣ)"
    )
    fused = True

    @staticmethod
    def forward(ctx, x, y, p):
        ctx.save_for_backward(x, y, p)
        with np.errstate(all="ignore"):
            return (1 - y) * x + (_softplus(-x) if p is None else ((p - 1) * y + 1) * _softplus(-x))

    @staticmethod
    def backward(ctx, dz):
        x, y, p = ctx.saved_tensors
        dx = dz * (x.sigmoid() - y if p is None else (p * y + 1 - y) * x.sigmoid() - p * y)
        dy = dp = None
        if ctx.needs_input_grad[1]:
            dy = -dz * x if p is None else dz * (p * Softplus.apply(-x) - Softplus.apply(x))
        if ctx.needs_input_grad[2]:
            dp = dz * y * Softplus.apply(-x)
        return dx, dy, dp


class KLDivergence(Operation):
    """y · (log y - x), 0 · log 0 being 0"""

    formula = "dx = -dz · y, dy = dz · (log y + 1 - x)"

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, y)
        with np.errstate(all="ignore"):
            entropy = np.where(y == 0, y, y * np.log(y))
            return binary(np.subtract, entropy, binary(np.multiply, y, x))

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        dy = None
        if ctx.needs_input_grad[1]:
            dy = dz * (where(y == 0, 0.0, y.log()) + y / y - x)  # y / y: like PyTorch, no derivative at y = 0
        return (-dz * y if ctx.needs_input_grad[0] else None), dy


def _warn_of_broadcasting(input, target):
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def need_floats(kernel, *tensors):
    """PyTorch's error for a computation that exists for floating-point tensors alone."""
    dtype = result_type(*[t._array for t in tensors])
    if dtype.kind != "f":
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{TORCH_NAMES[dtype]}'\nhint: use x.float()")


def _reduced_with_weight(losses, input, weight, reduction, over_weights=True):
    """The reduction of `losses · weight`; its "mean" divides by the sum of the weights if `over_weights`."""
    if weight is None:
        return reduced(losses, reduction)
    if weight._array.shape != input._array.shape:
        raise ValueError(
            f"Weights and input must have the same size.\nhint: the weights are {tuple(weight.shape)}, the input is "
            f"{tuple(input.shape)}"
        )
    check_reduction(reduction, "Invalid reduction mode: {}. Expected one of 'none', 'mean', 'sum'.")
    losses = losses * weight
    return losses.sum() / weight.sum() if over_weights and reduction == "mean" else reduced(losses, reduction)


def _repeatable(weight, losses):
    """`weight`, if it can be repeated to the shape of the losses; the losses are never repeated to that of a weight."""
    try:
        shape = np.broadcast_shapes(losses._array.shape, weight._array.shape)
    except ValueError:
        raise no_broadcast(losses._array, weight._array) from None
    if shape != losses._array.shape:
        raise RuntimeError(
            f"output with shape {list(losses.shape)} doesn't match the broadcast shape {list(shape)}\nhint: a weight "
            f"of shape {tuple(weight.shape)} cannot be repeated to the input's {tuple(losses.shape)}"
        )
    return weight.to(losses.dtype)


@functional
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The squared difference, averaged, summed or as it is (`torch.nn.functional.mse_loss`).

    With `weight`, of the input's shape, the mean is a weighted one.

    >>> import minigrad
    >>> mse_loss(minigrad.tensor([1.0, 3.0]), minigrad.tensor([1.0, 1.0]))
    tensor(2.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    need_floats("mse_cpu", input, target)
    return _reduced_with_weight(SquaredError.apply(input, target), input, weight, reduction)


@functional
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The absolute difference, averaged, summed or as it is (`torch.nn.functional.l1_loss`).

    With `weight`, of the input's shape, the mean is a weighted one. The gradient at 0 is 0.

    >>> import minigrad
    >>> l1_loss(minigrad.tensor([1.0, 4.0]), minigrad.tensor([1.0, 1.0]))
    tensor(1.5000)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    return _reduced_with_weight((input - target).abs(), input, weight, reduction)


@functional
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """The squared difference d² / (2 · beta) where |d| < beta, |d| - beta / 2 elsewhere
    (`torch.nn.functional.smooth_l1_loss`).

    Girshick 2015, "Fast R-CNN", https://arxiv.org/abs/1504.08083. A `beta` of 0 is `l1_loss`.

    >>> import minigrad
    >>> smooth_l1_loss(minigrad.tensor([1.5, 4.0]), minigrad.tensor([1.0, 1.0]), reduction="none")
    tensor([0.1250, 2.5000])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta.\nhint: beta is {beta}")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    need_floats("smooth_l1_cpu", input, target)
    return reduced(Huber.apply(input, target, beta, 1.0), reduction)


@functional
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """The squared difference d² / 2 where |d| < delta, delta · (|d| - delta / 2) elsewhere
    (`torch.nn.functional.huber_loss`).

    Huber 1964, "Robust estimation of a location parameter". `weight`, of the input's shape, scales the losses.

    >>> import minigrad
    >>> huber_loss(minigrad.tensor([1.5, 4.0]), minigrad.tensor([1.0, 1.0]), reduction="none", delta=2.0)
    tensor([0.1250, 4.0000])
    """
    _warn_of_broadcasting(input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta.\nhint: delta is {delta}")
    need_floats("huber_cpu", input, target)
    return _reduced_with_weight(Huber.apply(input, target, delta, delta), input, weight, reduction, False)


@functional
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The cross entropy of probabilities `input` and targets, both in [0, 1] and of one shape
    (`torch.nn.functional.binary_cross_entropy`).

    Logarithms are not taken below -100. From scores, `binary_cross_entropy_with_logits` is more exact.

    >>> import minigrad
    >>> binary_cross_entropy(minigrad.tensor([0.5, 0.9]), minigrad.tensor([0.0, 1.0]), reduction="none")
    tensor([0.6931, 0.1054])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            "deprecated. Please ensure they have the same size."
        )
    if input.dtype.kind == "f" and target.dtype != input.dtype:
        raise RuntimeError(
            f"Found dtype {TORCH_NAMES[target.dtype]} but expected {TORCH_NAMES[input.dtype]}\nhint: convert the "
            "target with .to(input.dtype)"
        )
    need_floats("binary_cross_entropy", input, target)
    for name, values in (("input", input._array), ("target", target._array)):
        if not capturing() and not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(
                f"all elements of {name} should be between 0 and 1\nhint: the {name} goes from {values.min()} to "
                f"{values.max()}; probabilities come from sigmoid(), scores go to binary_cross_entropy_with_logits"
            )
    losses = BCE.apply(input, target)
    return reduced(losses if weight is None else losses * _repeatable(weight, losses), reduction)


@functional
def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """The cross entropy of sigmoid(`input`) and targets in [0, 1] of the same shape
    (`torch.nn.functional.binary_cross_entropy_with_logits`).

    `weight` scales the losses, `pos_weight` the part of the positive class; both broadcast to the input's shape.

    >>> import minigrad
    >>> binary_cross_entropy_with_logits(minigrad.tensor([0.0, 90.0]), minigrad.tensor([1.0, 0.0]), reduction="none")
    tensor([ 0.6931, 90.0000])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if target._array.shape != input._array.shape:
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    need_floats("log_sigmoid_cpu", input)
    if target.dtype.kind != "f":
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {TORCH_NAMES[target.dtype]}\nhint: convert "
            "the target with .to(input.dtype)"
        )
    positive = None if pos_weight is None else _repeatable(pos_weight, input)
    losses = BCEWithLogits.apply(input, target, positive)
    return reduced(losses if weight is None else losses * _repeatable(weight, losses), reduction)


@functional
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """The Kullback-Leibler divergence of `target`'s probabilities from log-probabilities `input`
    (`torch.nn.functional.kl_div`).

    The target too is logarithms with `log_target`. "batchmean" divides the sum by the first size, "mean" by all.

    >>> import minigrad
    >>> q = minigrad.tensor([[0.5, 0.5]])
    >>> kl_div(q.log(), minigrad.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)
    """
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides "
            "only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the "
            "same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    over_batch = reduction == "batchmean"
    reduction = legacy_reduction(size_average, reduce, "sum" if over_batch else reduction)
    check_reduction(reduction)
    if input.dtype.kind != "f" or target.dtype.kind != "f":
        raise RuntimeError("kl_div: Integral inputs not supported.\nhint: use x.float()")
    losses = target.exp() * (target - input) if log_target else KLDivergence.apply(input, target)
    loss = reduced(losses, reduction)
    return loss / input.shape[0] if over_batch and input.ndim else loss


@functional
def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """The negative log-likelihood of counts `target` under Poisson distributions of rate e^`input`, or `input` itself
    without `log_input` (`torch.nn.functional.poisson_nll_loss`).

    Without `log_input` the loss is `input - target · log(input + eps)`. `full` adds Stirling's approximation of
    log(target!) where target > 1.

    >>> import minigrad
    >>> poisson_nll_loss(minigrad.tensor([0.0, 1.0]), minigrad.tensor([1.0, 2.0]), reduction="none")
    tensor([1.0000, 0.7183])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)


@functional
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """The negative log-likelihood of `target` under normal distributions of mean `input` and variance `var`
    (`torch.nn.functional.gaussian_nll_loss`).

    `var` has the input's shape, or lacks the last dimension or has size 1 in one, or is a float; it counts as at least
    `eps`, without a gradient for that. `full` adds the constant log(2π) / 2. Nix and Weigend 1994, "Estimating the mean
    and variance of the target probability distribution".

    >>> import minigrad
    >>> gaussian_nll_loss(minigrad.tensor([1.0]), minigrad.tensor([3.0]), minigrad.tensor([2.0]))
    tensor(1.3466)
    """
    if not isinstance(var, (float, Tensor)):
        raise TypeError(
            "any() received an invalid combination of arguments - got (bool), but expected one of:\nhint: var is a "
            f"tensor or a float, but got {type(var).__name__}"
        )
    if (var < 0).any() if isinstance(var, Tensor) else var < 0:
        raise ValueError("var has negative entry/entries")
    if isinstance(var, float):
        var = full_like(input, var)
    elif var._array.shape != input._array.shape:
        if input._array.shape[:-1] == var._array.shape and input.ndim:
            var = var.unsqueeze(-1)
        elif input.ndim != var.ndim or sum(b for a, b in zip(input.shape, var.shape) if a != b) != 1:
            raise ValueError(
                f"var is of incorrect size\nhint: the input is {tuple(input.shape)}, var {tuple(var.shape)}; var has "
                "the input's shape, lacks its last dimension, or has size 1 in one of them"
            )
    check_reduction(reduction, "{} is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)  # what is too small keeps its gradient
    losses = 0.5 * (var.log() + (input - target) ** 2 / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
