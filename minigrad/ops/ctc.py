"""Connectionist temporal classification: the loss of sequences whose targets are not aligned with them."""

import numpy as np

from minigrad.autograd import CPU, Operation, Tensor, placed
from minigrad.autograd.dtypes import TORCH_NAMES
from minigrad.kernels import kernels_for

from .choice import where
from .loss import check_reduction, reduced
from .registry import functional


class CTC(Operation):
    """ℓ = -log of the probability of all alignments that read as the target"""

    formula = "dlogp = dℓ · (e^logp - the probability of each class at each step, given the target)"

    @staticmethod
    def forward(ctx, logp, labels, input_lengths, target_lengths, blank, zero_infinity):
        ctx.settings = labels, input_lengths, target_lengths, blank, zero_infinity
        losses, alpha = kernels_for(logp).ctc(logp, labels, input_lengths, target_lengths, blank)
        ctx.save_for_backward(logp, losses, alpha)
        return losses

    @staticmethod
    def backward(ctx, dlosses):
        return CTCGrad.apply(dlosses, *ctx.saved_tensors, *ctx.settings)


class CTCGrad(Operation):
    """dℓ · (e^logp - the probability of each class at each step, given the target)"""

    formula = "not implemented, as in PyTorch"

    @staticmethod
    def forward(ctx, dlosses, logp, losses, alpha, labels, input_lengths, target_lengths, blank, zero_infinity):
        return kernels_for(logp).ctc_grad(
            dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity
        )

    @staticmethod
    def backward(ctx, ddlogp):
        raise RuntimeError(
            "derivative for aten::_ctc_loss_backward is not implemented\nhint: ctc_loss has a first derivative alone"
        )


def _lengths(lengths, name, batch, highest):
    """Lengths given as a tensor or as numbers: int64 (N,) within [0, highest], on the CPU."""
    if isinstance(lengths, Tensor):
        if lengths.dtype.kind not in "iu":
            raise RuntimeError(f"{name} must be integral\nhint: this tensor is {lengths.dtype}")
        lengths = placed(lengths._array, CPU).reshape(-1)
    elif not isinstance(lengths, (list, tuple)):
        raise TypeError(
            "ctc_loss() received an invalid combination of arguments - got (Tensor, Tensor, "
            f"{type(lengths).__name__}), but expected one of:\nhint: {name} is a tensor or a tuple"
        )
    lengths = np.array(lengths, np.int64)
    if len(lengths) != batch:
        raise RuntimeError(f"{name} must be of size batch_size\nhint: there are {len(lengths)} for a batch of {batch}")
    checked = "(while checking arguments for ctc_loss_allocate_outputs)"
    if (lengths < 0).any():
        raise RuntimeError(f"Expected {name} to have value at least 0, but got value {lengths.min()} {checked}")
    if highest is not None and (lengths > highest).any():
        raise RuntimeError(f"Expected {name} to have value at most {highest}, but got value {lengths.max()} {checked}")
    return lengths


def _labels(targets, lengths):
    """The targets as (N, S) int64 on the CPU: padded ones as they are, concatenated ones cut into rows."""
    checked = "(while checking arguments for ctc_loss_allocate_outputs)"
    batch, longest = len(lengths), int(lengths.max(initial=0))
    labels = placed(targets._array, CPU).astype(np.int64, copy=False)
    if targets.ndim == 1:
        if labels.size != lengths.sum():
            raise RuntimeError(
                f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {labels.size} for argument "
                f"#2 'targets' {checked}"
            )
        rows = np.zeros((batch, longest), np.int64)
        rows[np.arange(longest) < lengths[:, None]] = labels
        return rows
    if targets.ndim != 2:
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument #2 'targets' {checked}"
        )
    if len(labels) != batch:
        raise RuntimeError(
            f"Expected tensor to have size {batch} at dimension 0, but got size {len(labels)} for argument #2 "
            f"'targets' {checked}"
        )
    if labels.shape[1] < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size {labels.shape[1]} for "
            f"argument #2 'targets' {checked}"
        )
    return np.where(np.arange(longest) < lengths[:, None], labels[:, :longest], 0)


@functional
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """The loss of targets whose place in a sequence is not known: (T, N, C) or (T, C) log-probabilities, targets (N, S)
    or concatenated (`torch.nn.functional.ctc_loss`).

    The lengths say how much of each counts. `blank` is the class that stands between labels. "mean" divides each loss
    by its target's length, then averages. A target too long for its input costs inf, or 0 with `zero_infinity`. The
    gradient presumes, as PyTorch's, that `log_probs` come from log_softmax; it cannot be differentiated again. Graves
    et al. 2006, "Connectionist temporal classification".

    >>> import minigrad
    >>> scores = minigrad.zeros(2, 1, 2).log_softmax(2)
    >>> ctc_loss(scores, minigrad.tensor([[1]]), (2,), (1,)).exp()
    tensor(1.3333)
    """
    check_reduction(reduction)
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 3-dimensional tensor, but got {log_probs.ndim + 1}-dimensional tensor for argument #1 "
            "'log_probs' (while checking arguments for ctc_loss_allocate_outputs)"
        )
    batched = log_probs.ndim == 3
    logp = log_probs if batched else log_probs.unsqueeze(1)
    if not batched and targets.ndim == 1:
        targets = targets.unsqueeze(0)
    steps, batch, classes = logp.shape
    if 0 in (steps, batch, classes):
        raise RuntimeError(f"log_probs tensor must not be empty\nhint: its shape is {tuple(log_probs.shape)}")
    if logp.dtype.kind != "f":
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{TORCH_NAMES[logp.dtype]}'")
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range\nhint: blank is {blank}, classes are 0 to {classes - 1}")
    inputs = _lengths(input_lengths, "input_lengths", batch, steps)
    lengths = _lengths(target_lengths, "target_lengths", batch, None)
    labels = _labels(targets, lengths)
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise RuntimeError(
            f"targets must be classes\nhint: they go from {labels.min()} to {labels.max()}, classes are 0 to "
            f"{classes - 1}"
        )
    labels, inputs, lengths = (placed(array, logp.device) for array in (labels, inputs, lengths))
    losses = CTC.apply(logp, labels, inputs, lengths, blank, zero_infinity)
    if zero_infinity:
        losses = where(losses == np.inf, 0.0, losses)
    if reduction == "mean":
        losses = losses / Tensor._wrap(np.maximum(lengths, 1).astype(logp.dtype))
    return reduced(losses if batched else losses.reshape(()), reduction)
