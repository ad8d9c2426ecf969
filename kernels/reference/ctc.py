"""Connectionist temporal classification and its gradient, written as their definition: sums over alignments, in
logarithms, by dynamic programming.

Between and around the labels of a target stands a blank: the 2 S + 1 states of an alignment. From one step to the next
it stays, goes on by one state, or skips the blank between two different labels. Graves et al. 2006, "Connectionist
temporal classification: labelling unsegmented sequence data with recurrent neural networks", equations 6 to 16. The
fast versions live in `kernels/cpu/ctc.py`.
"""

import math

import numpy as np

NEVER = -math.inf


def _add(*logs):
    """log Σ e^log."""
    largest = max(logs)
    if largest == NEVER:
        return NEVER
    return largest + math.log(sum(math.exp(log - largest) for log in logs))


def _state(labels, s, blank):
    """The class that state s emits."""
    return labels[s // 2] if s % 2 else blank


def ctc(logp, labels, input_lengths, target_lengths, blank):
    """Loss of every sequence and its forward variables: `(losses, alpha)`, (N,) and (N, T, 2 S + 1).

    logp is (T, N, C) log-probabilities, float32 or float64; labels is (N, S) int64 in [0, C), of which the first
    target_lengths (N,) count; the first input_lengths (N,) steps of logp count. alpha[n, t, s] is the log-probability
    of all beginnings of alignments that are in state s at step t; what lies outside the lengths is undefined. A target
    too long for its input costs inf.

    >>> losses, _ = ctc(np.log(np.full((2, 1, 2), 0.5)), np.array([[1]]), np.array([2]), np.array([1]), 0)
    >>> np.exp(-losses)  # blank-1, 1-blank and 1-1 of the four pairs
    array([0.75])
    """
    steps, batch, _ = logp.shape
    losses, alpha = np.empty(batch, logp.dtype), np.full((batch, steps, 2 * labels.shape[1] + 1), NEVER, logp.dtype)
    for n in range(batch):
        states = 2 * target_lengths[n] + 1
        for t in range(input_lengths[n]):
            for s in range(states):
                if t == 0:
                    before = 0.0 if s < 2 else NEVER
                else:
                    ways = [alpha[n, t - 1, s - back] for back in range(_reach(labels[n], s)) if s >= back]
                    before = _add(*ways)
                alpha[n, t, s] = before + logp[t, n, _state(labels[n], s, blank)]
        if input_lengths[n] == 0:
            losses[n] = 0 if states == 1 else math.inf
        else:
            losses[n] = -_add(*alpha[n, input_lengths[n] - 1, max(states - 2, 0) : states])
    return losses, alpha


def _reach(labels, s):
    """How many states may come before state s: itself, the one before, and the one before a blank between others."""
    return 3 if s % 2 and s > 1 and labels[s // 2] != labels[s // 2 - 1] else 2


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
    grad = np.zeros(logp.shape, logp.dtype)
    for n in range(logp.shape[1]):
        if zero_infinity and losses[n] == math.inf:
            continue
        states, steps = 2 * target_lengths[n] + 1, input_lengths[n]
        beta = np.full((steps, states), NEVER, logp.dtype)  # of all ends of alignments from state s at step t on
        for t in range(steps - 1, -1, -1):
            posterior = np.full(logp.shape[2], NEVER, logp.dtype)
            for s in range(states - 1, -1, -1):
                c = _state(labels[n], s, blank)
                if t == steps - 1:
                    after = 0.0 if s >= states - 2 else NEVER
                else:
                    ways = [
                        beta[t + 1, s + on] for on in range(3) if s + on < states and on < _reach(labels[n], s + on)
                    ]
                    after = _add(*ways)
                beta[t, s] = after + logp[t, n, c]
                posterior[c] = _add(posterior[c], alpha[n, t, s] + beta[t, s])
            with np.errstate(invalid="ignore"):
                posterior = np.exp(posterior + losses[n] - logp[t, n])
                grad[t, n] = (np.exp(logp[t, n]) - posterior) * dlosses[n]
    return grad
