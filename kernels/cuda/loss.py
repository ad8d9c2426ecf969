"""The negative log likelihood and its gradient. `kernels/reference/loss.py` is the definition."""

from ._numba import SIMULATED, cuda, i32, kernel, launch, on_device
from .memory import dense, empty

__all__ = ["nll", "nll_grad"]

THREADS = 8 if SIMULATED else 256


@kernel("T*, i64*, T*, T*, T*, i64, i32, i32, i32")
def losses_of_targets(logp, target, weight, losses, weights, ignored, count, classes, places, *, T, WEIGHT, THREADS):
    """The loss and the weight of one target a thread, both 0 where it is ignored."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        t = target[number]
        loss, factor = T(0), T(0)
        if t != ignored:
            factor = T(1)
            if WEIGHT:
                factor = weight[t]
            sample = number // places
            loss = -factor * logp[(sample * classes + t) * places + number - sample * places]
        losses[number] = loss
        weights[number] = factor


@kernel("T*, i64*, T*, T*, i64, i32, i32, i32")
def gradient_of_targets(dlosses, target, weight, dlogp, ignored, count, classes, places, *, T, WEIGHT, THREADS):
    """One number of dlogp a thread: -weight · dloss where the target is its class, else 0."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        line = number // places
        sample = line // classes
        at = sample * places + number - line * places
        t, value = target[at], T(0)
        if t != ignored and t == line - sample * classes:
            value = -dlosses[at]
            if WEIGHT:
                value = value * weight[t]
        dlogp[number] = value


@on_device
def nll(logp, target, weight, ignore_index):
    """Loss and weight of every target, `(losses, weights)`: `kernels.reference.nll`."""
    classes, places = logp.shape[1:]
    losses, weights = empty(target.shape, logp.dtype), empty(target.shape, logp.dtype)
    launch(
        losses_of_targets, -(-target.size // THREADS), THREADS, dense(logp), dense(target),
        None if weight is None else dense(weight), losses, weights, ignore_index, target.size, classes, places,
        T=logp.dtype, WEIGHT=weight is not None, THREADS=THREADS,
    )  # fmt: skip
    return losses, weights


@on_device
def nll_grad(dlosses, target, weight, ignore_index, classes):
    """Gradient of `nll` with respect to logp: `kernels.reference.nll_grad`."""
    samples, places = target.shape
    dlogp = empty((samples, classes, places), dlosses.dtype)
    launch(
        gradient_of_targets, -(-dlogp.size // THREADS), THREADS, dense(dlosses), dense(target),
        None if weight is None else dense(weight), dlogp, ignore_index, dlogp.size, classes, places,
        T=dlosses.dtype, WEIGHT=weight is not None, THREADS=THREADS,
    )  # fmt: skip
    return dlogp
