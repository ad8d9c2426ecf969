"""Connectionist temporal classification: one task for each sequence of the batch.

Logarithms of probabilities grow with the length of a sequence while their differences decide, so sums are rounded in
the order in which they are written (which is PyTorch's). `kernels/reference/ctc.py` is the definition.
"""

import math

import numpy as np
from numba.extending import intrinsic

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import SERIAL, dense


@intrinsic
def _plus(typingctx, a, b):
    """a + b for scalars of one float type, not reordered with other sums."""

    def codegen(context, builder, signature, args):
        return builder.fadd(*args, flags=("contract",))  # some flag, for Numba gives those of `jit` to sums without

    return a(a, b), codegen


@jit
def _add(a, b, c):
    """log(eᵃ + eᵇ + eᶜ)."""
    largest = a
    if b > largest:
        largest = b
    if c > largest:
        largest = c
    if largest == -np.inf:
        return largest
    total = _plus(_plus(math.exp(a - largest), math.exp(b - largest)), math.exp(c - largest))
    return _plus(math.log(total), largest)


@jit
def _emitted(labels, s, blank):
    """The class that state s emits."""
    return labels[s // 2] if s % 2 else blank


@jit
def _skips(labels, s):
    """Whether state s may follow the one two before it."""
    return s % 2 == 1 and s > 1 and labels[s // 2] != labels[s // 2 - 1]


@jit
def _forward(n, count, logp, labels, input_lengths, target_lengths, blank, losses, alpha):
    """Loss and forward variables of sequence n."""
    steps, states, own, never = input_lengths[n], 2 * target_lengths[n] + 1, labels[n], logp.dtype.type(-np.inf)
    if steps == 0:
        losses[n] = 0 if states == 1 else np.inf
        return
    for s in range(states):
        alpha[n, 0, s] = logp[0, n, _emitted(own, s, blank)] if s < 2 else never
    for t in range(1, steps):
        before, now = alpha[n, t - 1], alpha[n, t]
        for s in range(states):
            step = before[s - 1] if s > 0 else never
            skip = before[s - 2] if _skips(own, s) else never
            now[s] = _plus(_add(before[s], step, skip), logp[t, n, _emitted(own, s, blank)])
    last = alpha[n, steps - 1]
    losses[n] = -_add(last[states - 1], last[states - 2] if states > 1 else never, never)


@jit
def _backward(
    n, count, dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity, grad
):
    """The gradient of sequence n; beta, the backward variables, is kept for two steps."""
    steps, states, own, never = input_lengths[n], 2 * target_lengths[n] + 1, labels[n], logp.dtype.type(-np.inf)
    for t in range(len(logp)):
        for c in range(logp.shape[2]):
            grad[t, n, c] = 0
    if zero_infinity and losses[n] == np.inf:
        return
    betas = np.full((2, states + 2), never, logp.dtype)  # of two steps; two states more that no alignment reaches
    for t in range(steps - 1, -1, -1):
        posterior, source, beta, later = grad[t, n], logp[t, n], betas[t % 2], betas[1 - t % 2]
        for c in range(len(source)):
            posterior[c] = never
        for s in range(states - 1, -1, -1):
            if t == steps - 1:
                after = logp.dtype.type(0) if s >= states - 2 else never
            else:
                skip = later[s + 2] if s + 2 < states and _skips(own, s + 2) else never
                after = _add(later[s], later[s + 1], skip)
            c = _emitted(own, s, blank)
            beta[s] = _plus(after, source[c])
            posterior[c] = _add(posterior[c], _plus(alpha[n, t, s], beta[s]), never)
        for c in range(len(source)):
            posterior[c] = (
                math.exp(source[c]) - math.exp(_plus(_plus(posterior[c], losses[n]), -source[c]))
            ) * dlosses[n]


@pool_jit
def _forward_all(count, several, logp, labels, input_lengths, target_lengths, blank, losses, alpha):
    arguments = count, logp, labels, input_lengths, target_lengths, blank, losses, alpha
    parallel_for(count, several, _forward, arguments)


@pool_jit
def _backward_all(
    count, several, dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity, grad
):
    arguments = (
        count, dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity, grad
    )  # fmt: skip
    parallel_for(count, several, _backward, arguments)


def ctc(logp, labels, input_lengths, target_lengths, blank):
    """Loss of every sequence and its forward variables: `(losses, alpha)`, (N,) and (N, T, 2 S + 1).

    logp is (T, N, C) log-probabilities, float32 or float64; labels is (N, S) int64 in [0, C), of which the first
    target_lengths (N,) count; the first input_lengths (N,) steps of logp count. alpha[n, t, s] is the log-probability
    of all beginnings of alignments that are in state s at step t; what lies outside the lengths is undefined. A target
    too long for its input costs inf. Graves et al. 2006, "Connectionist temporal classification".

    >>> losses, _ = ctc(np.log(np.full((2, 1, 2), 0.5)), np.array([[1]]), np.array([2]), np.array([1]), 0)
    >>> np.exp(-losses)  # blank-1, 1-blank and 1-1 of the four pairs
    array([0.75])
    """
    values, own = dense(logp), dense(labels)
    steps, batch, _ = values.shape
    losses, alpha = np.empty(batch, values.dtype), np.empty((batch, steps, 2 * own.shape[1] + 1), values.dtype)
    lengths = dense(input_lengths), dense(target_lengths)
    _forward_all(batch, 8 * alpha.size > SERIAL, values, own, *lengths, blank, losses, alpha)
    return losses, alpha


def ctc_grad(dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity):
    """Gradient of `ctc` with respect to logp, (T, N, C), as PyTorch defines it: dlosses · (e^logp - posterior).

    dlosses is (N,); losses and alpha are what `ctc` returned for the other arguments. The posterior is the probability
    that an alignment of the target emits class c at step t; e^logp - posterior is the gradient with respect to scores
    whose log_softmax is logp, and the one of log_softmax leaves it as it is. Steps beyond the input's length have 0; an
    infinite loss has 0 with zero_infinity, else NaN.

    >>> logp, labels, lengths = np.log(np.full((2, 1, 2), 0.5)), np.array([[1]]), (np.array([2]), np.array([1]))
    >>> losses, alpha = ctc(logp, labels, *lengths, 0)
    >>> ctc_grad(np.ones(1), logp, labels, *lengths, losses, alpha, 0, False)[0].round(4)
    array([[ 0.1667, -0.1667]])
    """
    values, own = dense(logp), dense(labels)
    grad = np.empty(values.shape, values.dtype)
    _backward_all(
        values.shape[1], 8 * alpha.size > SERIAL, dense(dlosses), values, own, dense(input_lengths),
        dense(target_lengths), losses, alpha, blank, zero_infinity, grad,
    )  # fmt: skip
    return grad
