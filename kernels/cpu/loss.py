"""The negative log likelihood and its gradient: one value of each column of logp, and its place in the gradient.

`kernels/reference/loss.py` is the definition.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, memory_order, parts


@jit
def _pick(part, count, logp, strides, target, weight, ignore_index, losses, weights):
    """Losses and weights for part `part` of `count` of the rows; logp is flat, its strides in elements."""
    for n in range(len(target) * part // count, len(target) * (part + 1) // count):
        for l in range(target.shape[1]):
            t = target[n, l]
            if t == ignore_index:
                losses[n, l] = weights[n, l] = 0
            else:
                factor = weight[t] if len(weight) else logp.dtype.type(1)
                weights[n, l] = factor
                losses[n, l] = -factor * logp[n * strides[0] + t * strides[1] + l * strides[2]]


@pool_jit
def _pick_all(count, logp, strides, target, weight, ignore_index, losses, weights):
    arguments = count, logp, strides, target, weight, ignore_index, losses, weights
    parallel_for(count, count > 1, _pick, arguments)


@jit
def _place(part, count, dlosses, target, weight, ignore_index, dlogp):
    """dlogp for part `part` of `count` of the rows: zeros, and -weight * dlosses at every target."""
    for n in range(len(target) * part // count, len(target) * (part + 1) // count):
        rows = dlogp[n].reshape(-1)
        for i in range(len(rows)):
            rows[i] = 0
        for l in range(target.shape[1]):
            t = target[n, l]
            if t != ignore_index:
                dlogp[n, t, l] = -dlosses[n, l] * (weight[t] if len(weight) else dlogp.dtype.type(1))


@pool_jit
def _place_all(count, dlosses, target, weight, ignore_index, dlogp):
    parallel_for(count, count > 1, _place, (count, dlosses, target, weight, ignore_index, dlogp))


def nll(logp, target, weight, ignore_index):
    """Loss and weight of every target: `(losses, weights)`, both (N, L) of logp's dtype.

    logp is (N, C, L), float32 or float64; target is (N, L) int64 in [0, C) or ignore_index; weight is (C,) or None,
    for 1. losses = -weight[t] * logp[n, t, l] and weights = weight[t]; both are 0 where ignored. Rules: PyTorch's
    `torch.nn.NLLLoss`.

    >>> nll(np.array([[[-1.0], [-2.0]], [[-3.0], [-4.0]]]), np.array([[1], [-100]]), None, -100)
    (array([[2.],
           [0.]]), array([[1.],
           [0.]]))
    """
    if logp.flags.c_contiguous:
        values, strides = dense(logp), (logp.shape[1] * logp.shape[2], logp.shape[2], 1)
    else:
        axes = memory_order(logp)
        values = dense(logp.transpose(axes))
        strides = tuple(values.strides[axes.index(axis)] // values.itemsize for axis in range(3))
    losses, weights = np.empty(target.shape, values.dtype), np.empty(target.shape, values.dtype)
    factors = np.empty(0, values.dtype) if weight is None else dense(weight)
    count = parts(len(target), target.size)
    _pick_all(count, values.reshape(-1), strides, dense(target), factors, ignore_index, losses, weights)
    return losses, weights


def nll_grad(dlosses, target, weight, ignore_index, classes):
    """Gradient of `nll` with respect to logp: (N, C, L) with -weight[t] * dlosses[n, l] at t, 0 elsewhere.

    dlosses is (N, L), float32 or float64; classes is C; the others are those of `nll`.

    >>> nll_grad(np.array([[3.0]]), np.array([[1]]), None, -100, 2)
    array([[[ 0.],
            [-3.]]])
    """
    grads = dense(dlosses)
    dlogp = empty((target.shape[0], classes, target.shape[1]), grads.dtype)
    factors = np.empty(0, grads.dtype) if weight is None else dense(weight)
    _place_all(parts(len(target), dlogp.size), grads, dense(target), factors, ignore_index, dlogp)
    return dlogp
