"""Connectionist temporal classification: a block takes a sequence, its threads the states of one step after the other.

`kernels/reference/ctc.py` is the definition.
"""

from math import inf

from ._numba import SIMULATED, cuda, exp, inlined, kernel, launch, log, on_device
from .memory import dense, empty

__all__ = ["ctc", "ctc_grad"]

THREADS = 4 if SIMULATED else 128


@inlined
def add_logs(a, b, *, T):
    """log(e^a + e^b)"""
    largest = a if a > b else b
    if largest == -inf:
        return T(-inf)
    return largest + T(log(exp(a - largest) + exp(b - largest)))


@inlined
def class_of(labels, first, s, blank):
    """The class that state s emits."""
    return labels[first + s // 2] if s % 2 == 1 else blank


@inlined
def skips(labels, first, s):
    """Whether state s may come after the one before the blank before it."""
    return s % 2 == 1 and s > 1 and labels[first + s // 2] != labels[first + s // 2 - 1]


@kernel("T*, i64*, i64*, i64*, T*, T*, i64, i32, i32, i32, i32")
def forward_variables(
    logp, labels, input_lengths, target_lengths, losses, alpha, blank, batch, steps, classes, width, *, T, THREADS
):  # fmt: skip
    """alpha[n, t, s], the log-probability of all beginnings in state s at step t, and the loss of a sequence."""
    n = cuda.blockIdx.x
    first, places = n * width, 2 * width + 1
    states, length = 2 * target_lengths[n] + 1, input_lengths[n]
    for t in range(length):
        at = (n * steps + t) * places
        for s in range(cuda.threadIdx.x, states, THREADS):
            if t == 0:
                before = T(0) if s < 2 else T(-inf)
            else:
                before = alpha[at - places + s]
                if s >= 1:
                    before = add_logs(before, alpha[at - places + s - 1])
                if skips(labels, first, s):
                    before = add_logs(before, alpha[at - places + s - 2])
            alpha[at + s] = before + logp[(t * batch + n) * classes + class_of(labels, first, s, blank)]
        cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        if length == 0:
            losses[n] = T(0) if states == 1 else T(inf)
        else:
            last = (n * steps + length - 1) * places + states - 1
            total = alpha[last]
            if states > 1:
                total = add_logs(total, alpha[last - 1])
            losses[n] = -total


@kernel("T*, T*, i64*, i64*, i64*, T*, T*, T*, T*, i64, i32, i32, i32, i32")
def gradient_of_logits(
    dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, beta, grad, blank, batch, steps, classes,
    width, *, T, ZERO_INFINITY, THREADS,
):  # fmt: skip
    """grad[t, n] = dloss · (e^logp - posterior) for sequence blockIdx.x, from its last step to its first."""
    n = cuda.blockIdx.x
    first, places = n * width, 2 * width + 1
    states, length, loss = 2 * target_lengths[n] + 1, input_lengths[n], losses[n]
    if ZERO_INFINITY and loss == inf:
        length = length * 0
    for back in range(length):
        t = length - 1 - back
        at = (n * steps + t) * places
        for s in range(cuda.threadIdx.x, states, THREADS):
            if back == 0:
                after = T(0) if s >= states - 2 else T(-inf)
            else:
                after = beta[at + places + s]
                if s + 1 < states:
                    after = add_logs(after, beta[at + places + s + 1])
                if s + 2 < states and skips(labels, first, s + 2):
                    after = add_logs(after, beta[at + places + s + 2])
            beta[at + s] = after + logp[(t * batch + n) * classes + class_of(labels, first, s, blank)]
        cuda.syncthreads()
        for c in range(cuda.threadIdx.x, classes, THREADS):
            posterior = T(-inf)
            for down in range(states):
                s = states - 1 - down
                if class_of(labels, first, s, blank) == c:
                    posterior = add_logs(posterior, alpha[at + s] + beta[at + s])
            emitted = logp[(t * batch + n) * classes + c]
            share = exp(posterior + loss - emitted)
            grad[(t * batch + n) * classes + c] = (exp(emitted) - share) * dlosses[n]


@on_device
def ctc(logp, labels, input_lengths, target_lengths, blank):
    """Loss of every sequence and its forward variables, `(losses, alpha)`: `kernels.reference.ctc`."""
    steps, batch, classes = logp.shape
    losses, alpha = empty(batch, logp.dtype), empty((batch, steps, 2 * labels.shape[1] + 1), logp.dtype)
    alpha.fill(-inf)
    launch(
        forward_variables, batch, THREADS, dense(logp), dense(labels), dense(input_lengths), dense(target_lengths),
        losses, alpha, blank, batch, steps, classes, labels.shape[1], T=logp.dtype, THREADS=THREADS,
    )  # fmt: skip
    return losses, alpha


@on_device
def ctc_grad(dlosses, logp, labels, input_lengths, target_lengths, losses, alpha, blank, zero_infinity):
    """Gradient of `ctc` with respect to logp: `kernels.reference.ctc_grad`."""
    steps, batch, classes = logp.shape
    grad, beta = empty(logp.shape, logp.dtype), empty(alpha.shape, logp.dtype)
    grad.fill(0)
    launch(
        gradient_of_logits, batch, THREADS, dense(dlosses), dense(logp), dense(labels), dense(input_lengths),
        dense(target_lengths), dense(losses), dense(alpha), beta, grad, blank, batch, steps, classes, labels.shape[1],
        T=logp.dtype, ZERO_INFINITY=bool(zero_infinity), THREADS=THREADS,
    )  # fmt: skip
    return grad
