"""Losses over classes, and what every loss shares: how its values become one number.

Losses that compare element by element are in `pointwise_loss.py`, those of margins in `margin_loss.py`, connectionist
temporal classification in `ctc.py`.
"""

import math
import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor
from minigrad.autograd.dtypes import TORCH_NAMES, int64, uint8
from minigrad.kernels import kernels_for
from minigrad.kernels.device import capturing

from .picking import outside
from .registry import functional


def _cells(target):
    """How many targets a sample has: the kernels take (N, C, cells) and (N, cells)."""
    return math.prod(target.shape[1:])


class NLL(Operation):
    """ℓ = -w[target] · logp[target], per sample; ignored samples give 0"""

    formula = "dlogp = -w[target] · dℓ at the target, 0 elsewhere"
    fused = True

    @staticmethod
    def forward(ctx, logp, target, weight, ignore_index):
        ctx.classes, ctx.ignore_index = logp.shape[1], ignore_index
        ctx.save_for_backward(target, weight)
        scores, rows = logp.reshape(*logp.shape[:2], _cells(target)), target.reshape(len(target), _cells(target))
        losses, _ = kernels_for(logp).nll(scores, rows, weight, ignore_index)
        return losses.reshape(target.shape)

    @staticmethod
    def backward(ctx, dlosses):
        target, weight = ctx.saved_tensors
        return NLLGrad.apply(dlosses, target, weight, ctx.ignore_index, ctx.classes)


class NLLGrad(Operation):
    """-w[target] · dℓ at the target, 0 elsewhere"""

    formula = "ddℓ = -w[target] · ddlogp[target]"

    @staticmethod
    def forward(ctx, dlosses, target, weight, ignore_index, classes):
        ctx.ignore_index = ignore_index
        ctx.save_for_backward(target, weight)
        rows = (len(target), _cells(target))
        grad = kernels_for(dlosses).nll_grad(dlosses.reshape(rows), target.reshape(rows), weight, ignore_index, classes)
        return grad.reshape(len(target), classes, *target.shape[1:])

    @staticmethod
    def backward(ctx, dlogp):
        target, weight = ctx.saved_tensors
        return NLL.apply(dlogp, target, weight, ctx.ignore_index)


def legacy_reduction(size_average, reduce, reduction):
    """`reduction`, or what PyTorch's two older settings say in its place, where they are given (with a warning)."""
    if size_average is None and reduce is None:
        return reduction
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=3
    )
    return reduction


def check_reduction(reduction, message="{} is not a valid value for reduction"):
    """An error for anything but "mean", "sum" and "none"."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{message.format(reduction)}\nhint: use 'mean', 'sum' or 'none'")


def reduced(losses, reduction):
    """The mean or the sum of `losses`, or the losses themselves."""
    check_reduction(reduction)
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def _class_input(input, target, weight):
    """(input (N, C, *), target (N, *), the losses' shape) of class-index losses; errors for shapes that disagree."""
    shape, labels = input._array.shape, target._array.shape
    if len(shape) == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) > 1 and shape[0] != (labels[0] if labels else 0):
        raise ValueError(
            f"Expected input batch_size ({shape[0]}) to match target batch_size ({labels[0] if labels else 0})."
        )
    _check_class_shapes(shape, labels)
    if target.dtype not in (int64, uint8):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {TORCH_NAMES[target.dtype]}\nhint: class indices are "
            "int64; for probabilities the target has the input's shape"
        )
    if input.ndim == 1:
        input, target, losses = input.unsqueeze(0), target.reshape(1), ()
    else:
        losses = labels
    if input.dtype.kind != "f":
        name = "nll_loss2d_forward" if input.ndim > 2 else "nll_loss"
        raise NotImplementedError(f"\"{name}_out_frame\" not implemented for '{TORCH_NAMES[input.dtype]}'")
    if weight is not None:
        _check_weight(weight, input.shape[1], input.dtype, input.ndim > 2)
    return input, target, losses


def _check_class_shapes(shape, labels):
    """Errors for targets of shape `labels` that do not fit scores of shape `shape`, of one sample or (N, C, *)."""
    wanted = (shape[0], *shape[2:]) if len(shape) > 1 else labels
    hint = f"\nhint: the input is (N, C, ...) = {shape}, so the target is (N, ...) = {wanted}"
    if len(shape) < 3 and len(labels) > 1:
        raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported{hint}")
    if len(shape) == 1 and math.prod(labels) != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {labels[0]}")
    if labels == wanted:
        return
    if len(shape) == 4 and len(labels) != 3:
        raise RuntimeError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(labels)}{hint}"
        )
    if len(shape) == 4:
        raise RuntimeError(f"size mismatch (got input: {list(shape)} , target: {list(labels)}{hint}")
    raise RuntimeError(f"Expected target size {list(wanted)}, got {list(labels)}{hint}")


def _check_weight(weight, classes, dtype, spatial=False, where=""):
    """Errors for class weights that are not one for each class, or of another dtype than the scores."""
    if tuple(weight.shape) != (classes,):
        counts = "" if spatial else f" {classes} classes"
        got = "" if spatial else f" but got weight tensor of shape: {list(weight.shape)}"
        raise RuntimeError(
            f"{where}weight tensor should be defined either for all{counts} or no classes{got}\nhint: there are "
            f"{classes} classes, the weight is {tuple(weight.shape)}"
        )
    if weight.dtype != dtype and not where:
        raise RuntimeError(
            f"expected scalar type {TORCH_NAMES[dtype]} but found {TORCH_NAMES[weight.dtype]}\nhint: the weights are "
            "of the input's dtype; use weight.to(input.dtype)"
        )


def _check_classes(target, classes, ignore_index):
    """An error for targets that are neither classes nor to be ignored; whether some are to be ignored."""
    if capturing():  # the host cannot look
        return True
    values = target._array
    ignored = values == ignore_index if outside(values, classes) or 0 <= ignore_index < classes else None
    if ignored is not None and (wrong := ~ignored & ((values < 0) | (values >= classes))).any():
        raise IndexError(
            f"Target {values[wrong][0]} is out of bounds.\nhint: with {classes} classes, targets are 0 to {classes - 1}"
            f" (or ignore_index={ignore_index})"
        )
    return ignored is not None and ignored.any()


@functional
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative log-likelihood of classes: (N, C, *) log-probabilities, (N, *) int64 classes
    (`torch.nn.functional.nll_loss`).

    "mean" divides by the sum of the targets' weights. A class out of range, but for `ignore_index`, is an IndexError.

    >>> import minigrad
    >>> nll_loss(minigrad.log_softmax(minigrad.zeros(1, 2), 1), minigrad.tensor([0]))
    tensor(0.6931)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    logp, rows, shape = _class_input(input, target, weight)
    ignored = _check_classes(rows, logp._array.shape[1], ignore_index)
    losses = NLL.apply(logp, rows.long(), weight, ignore_index)
    if reduction == "mean" and (weight is not None or ignored):
        return losses.sum() / _weights(rows, weight, ignore_index, logp.dtype).sum()
    return reduced(losses if input.ndim > 1 else losses.reshape(shape), reduction)


def _weights(target, weight, ignore_index, dtype):
    """The weight of each target, 0 where it is ignored."""
    kept = target._array != ignore_index
    classes = np.where(kept, target._array, 0)
    return Tensor._wrap((kept if weight is None else np.where(kept, weight._array[classes], 0)).astype(dtype))


@functional
def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """Cross entropy of (N, C, *) scores and class indices (N, *) or class probabilities (N, C, *).

    `label_smoothing` mixes the targets with the uniform distribution. Source: `torch.nn.functional.cross_entropy`.

    >>> import minigrad
    >>> cross_entropy(minigrad.zeros(2, 4), minigrad.tensor([0, 3]))
    tensor(1.3863)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if label_smoothing > 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    label_smoothing = max(label_smoothing, 0.0)
    axis = 0 if input.ndim == 1 else 1
    if target._array.shape == input._array.shape:
        if target.dtype.kind != "f":
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{TORCH_NAMES[target.dtype]}\nhint: a target of the input's shape holds probabilities; class indices "
                "have no dimension for the classes"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        if input.ndim == 0:
            raise IndexError("Dimension specified as 1 but tensor has no dimensions\nhint: the input is (C,) or (N, C)")
        return _probability_loss(input.log_softmax(axis), target, weight, reduction, label_smoothing, axis)
    logp = input.log_softmax(axis)
    hard = nll_loss(logp, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0:
        return hard
    shaped = logp if weight is None else logp * weight.reshape(*[1] * axis, -1, *[1] * (input.ndim - axis - 1))
    kept = target != ignore_index
    smooth = -shaped.sum(axis) * kept
    if reduction == "mean":
        smooth = smooth.sum() / _weights(target, weight, ignore_index, input.dtype).sum()
    else:
        smooth = reduced(smooth, reduction)
    return (1 - label_smoothing) * hard + label_smoothing / input.shape[axis] * smooth


def _probability_loss(logp, target, weight, reduction, label_smoothing, axis):
    """Cross entropy against a distribution over the classes."""
    classes = logp.shape[axis]
    if weight is not None:
        _check_weight(weight, classes, logp.dtype, where="cross_entropy: ")
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    losses = -(logp * target)
    if weight is not None:
        losses = losses * weight.reshape(*[1] * axis, -1, *[1] * (logp.ndim - axis - 1))
    if reduction == "mean":
        return losses.sum() / (logp._array.size // max(classes, 1))
    return reduced(losses.sum(axis), reduction)
