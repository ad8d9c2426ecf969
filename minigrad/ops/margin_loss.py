"""Losses that want something to be larger than something else by a margin."""

import numpy as np

from minigrad.autograd import Operation
from minigrad.autograd.dtypes import boxed
from minigrad.kernels.device import capturing

from .choice import where
from .extrema import minimum
from .loss import check_reduction, legacy_reduction, reduced
from .picking import index_select
from .pointwise_loss import Softplus, need_floats
from .registry import functional
from .similarity import pairwise_distance


@functional
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """`input`, a distance, where the target is 1; max(0, margin - input) where it is -1
    (`torch.nn.functional.hinge_embedding_loss`).

    >>> import minigrad
    >>> hinge_embedding_loss(minigrad.tensor([0.2, 0.2]), minigrad.tensor([1, -1]), reduction="none")
    tensor([0.2000, 0.8000])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    apart = where(target != 1, (margin - input).clamp(min=0), 0)
    return reduced(apart + where(target != -1, input, 0), reduction)


@functional
def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target · (input1 - input2) + margin): with a target of 1 the first should rank higher, with -1 the second
    (`torch.nn.functional.margin_ranking_loss`).

    >>> import minigrad
    >>> margin_ranking_loss(minigrad.tensor([1.0]), minigrad.tensor([3.0]), minigrad.tensor([1.0]))
    tensor(2.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


@functional
def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos of the angle between the rows of two (N, D) where the target (N,) is 1, max(0, cos - margin) where it is
    -1 (`torch.nn.functional.cosine_embedding_loss`). Single vectors (D,) have a 0-d target.

    >>> import minigrad
    >>> cosine_embedding_loss(minigrad.tensor([[1.0, 0.0]]), minigrad.tensor([[0.0, 2.0]]), minigrad.tensor([1]))
    tensor(1.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    wanted = target.ndim + 1
    if input1.ndim != wanted or input2.ndim != wanted:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {wanted}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    axis, smallest = target.ndim, 1e-12
    squares1, squares2 = (input1 * input1).sum(axis) + smallest, (input2 * input2).sum(axis) + smallest
    cosine = (input1 * input2).sum(axis) / (squares1 * squares2).sqrt()
    losses = where(target == 1, 1 - cosine, 0) + where(target == -1, (cosine - margin).clamp(min=0), 0)
    return reduced(losses, reduction)


def _ranked(distance, anchor, positive, negative, margin, swap, reduction):
    """max(0, margin + distance to the positive - distance to the negative), reduced."""
    dims = anchor.ndim, positive.ndim, negative.ndim
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)


def _check_margin(margin):
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


@functional
def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, margin + |anchor - positive| - |anchor - negative|) in p-norms of (N, D) or (D,)
    (`torch.nn.functional.triplet_margin_loss`).

    With `swap` the negative's distance is the smaller of those to the anchor and to the positive. Balntas et al. 2016,
    "Learning local feature descriptors with triplets and shallow convolutional neural networks".

    >>> import minigrad
    >>> triplet_margin_loss(minigrad.zeros(1, 2), minigrad.zeros(1, 2), minigrad.tensor([[0.6, 0.0]]))
    tensor(0.4000)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    _check_margin(margin)
    return _ranked(lambda a, b: pairwise_distance(a, b, p, eps), anchor, positive, negative, margin, swap, reduction)


@functional
def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` for a distance of one's own, by default `pairwise_distance`
    (`torch.nn.functional.triplet_margin_with_distance_loss`).

    >>> import minigrad
    >>> x, y = minigrad.zeros(1, 2), minigrad.tensor([[0.6, 0.0]])
    >>> triplet_margin_with_distance_loss(x, x, y, distance_function=lambda a, b: (a - b).abs().sum(1))
    tensor(0.4000)
    """
    check_reduction(reduction)
    _check_margin(margin)
    distance = pairwise_distance if distance_function is None else distance_function
    return _ranked(distance, anchor, positive, negative, margin, swap, reduction)


def _rows(input):
    """`input` as (N, C): a vector is one row, a number one row of one class."""
    if input.ndim > 2 or 0 in input._array.shape[input.ndim - 1 :]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    return input if input.ndim == 2 else input.reshape(1, -1)


def _need_long(target):
    if target.dtype != np.int64:
        raise RuntimeError(
            f"expected scalar type Long but found {target.dtype.name.replace('32', '').capitalize()}"
            "\nhint: class indices are int64; use target.long()"
        )


@functional
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Σ max(0, margin - x[target] + x[j])ᵖ / C over the classes j other than the target's
    (`torch.nn.functional.multi_margin_loss`).

    (N, C) scores and (N,) int64 classes, or (C,) and a number; p is 1 or 2; `weight` has one factor a class.

    >>> import minigrad
    >>> multi_margin_loss(minigrad.tensor([[0.1, 0.2, 0.4, 0.8]]), minigrad.tensor([3]))
    tensor(0.3250)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported\nhint: p is {p}")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"weight must be one-dimensional\nhint: its shape is {tuple(weight.shape)}")
    scores = _rows(input)
    count, classes = scores.shape
    if target.ndim > 1 or target.numel() != count:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{count}], but got {list(target.shape)}. Input has shape "
            f"{list(input.shape)}."
        )
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    need_floats("multi_margin_loss_cpu_kernel", input)
    _need_long(target)
    labels = target._array.reshape(count)
    if not capturing() and ((labels < 0) | (labels >= classes)).any():
        raise RuntimeError(f"target out of range\nhint: with {classes} classes, targets are 0 to {classes - 1}")
    gaps = margin - scores[np.arange(count, like=labels), labels].unsqueeze(1) + scores
    wrong = np.arange(classes, like=labels) != labels[:, None]
    gaps = where((gaps > 0) & wrong, gaps, 0)
    losses = (gaps if p == 1 else gaps * gaps).sum(1) / classes
    if weight is not None:
        losses = losses * index_select(weight, 0, target.reshape(count))
    return reduced(losses if target.ndim else losses.reshape(()), reduction)


@functional
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Σ max(0, 1 - x[t] + x[j]) / C over the classes t that a sample has and the classes j that it has not
    (`torch.nn.functional.multilabel_margin_loss`).

    (N, C) scores and (N, C) int64: each row lists its sample's classes up to the first -1. Or (C,) and (C,).

    >>> import minigrad
    >>> multilabel_margin_loss(minigrad.tensor([[0.1, 0.2, 0.4, 0.8]]), minigrad.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    scores = _rows(input)
    count, classes = scores.shape
    if target.numel() != scores.numel() or (input.ndim > 1 and target._array.shape != input._array.shape):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    need_floats("multilabel_margin_loss_forward_out", input)
    _need_long(target)
    labels = target._array.reshape(count, classes)
    if not capturing() and ((labels < -1) | (labels >= classes)).any():
        raise RuntimeError(
            f"argument #2 'target' is out of range\nhint: with {classes} classes, targets are 0 to {classes - 1}, or -1"
            " after the last one"
        )
    listed = np.logical_and.accumulate(labels >= 0, axis=1)  # (N, T)
    labels, listed = (part[:, : listed.sum(1).max(initial=0)] for part in (labels, listed))
    sample, place = np.nonzero(listed)
    absent = np.ones((count, classes), bool, like=labels)
    absent[sample, labels[sample, place]] = False
    own = scores[np.arange(count, like=labels)[:, None], np.where(listed, labels, 0)]  # (N, T)
    gaps = 1 - own.unsqueeze(2) + scores.unsqueeze(1)  # (N, T, C)
    gaps = where((gaps > 0) & (listed[:, :, None] & absent[:, None, :]), gaps, 0)
    losses = gaps.sum((1, 2)) / classes
    return reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)


class SoftMargin(Operation):
    """log(1 + eᵘ), which overflows where eᵘ does, as PyTorch's"""

    formula = "du = dy · eᵘ / (1 + eᵘ)"

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return np.log1p(np.exp(u))

    @staticmethod
    def backward(ctx, dy):
        (u,) = ctx.saved_tensors
        return dy * SoftMarginSlope.apply(u)


class SoftMarginSlope(Operation):
    """eᵘ / (1 + eᵘ)"""

    formula = "du = dy · y / (1 + eᵘ)"

    @staticmethod
    def forward(ctx, u):
        power = np.exp(u)
        y = boxed(power / (1 + power))
        ctx.save_for_backward(u, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        u, y = ctx.saved_tensors
        return dy * y / (1 + u.exp())


@functional
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + e^(-target · input)) with targets of 1 and -1 (`torch.nn.functional.soft_margin_loss`).

    Like PyTorch's it overflows to inf where `-target · input` is above 88 in float32, 709 in float64.

    >>> import minigrad
    >>> soft_margin_loss(minigrad.tensor([0.0, 2.0]), minigrad.tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931, 0.1269])
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduced(SoftMargin.apply(-target * input), reduction)


@functional
def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over the C classes of (*, C) of the binary cross entropy of sigmoid(input) and targets of 0 and 1
    (`torch.nn.functional.multilabel_soft_margin_loss`). `weight` has one factor a class.

    >>> import minigrad
    >>> multilabel_soft_margin_loss(minigrad.zeros(1, 2), minigrad.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction, "{} is not valid")
    if input.ndim == 0:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions\nhint: the input is (*, C)")
    losses = target * Softplus.apply(-input) + (1 - target) * Softplus.apply(input)
    if weight is not None:
        losses = losses * weight
    return reduced(losses.sum(-1) / input.shape[-1], reduction)
