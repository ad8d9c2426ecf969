"""The negative log likelihood and its gradient, written as their definition: one loop over the targets.

The fast versions live in `kernels/cpu/loss.py`.
"""

import numpy as np


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
    losses, weights = np.zeros(target.shape, logp.dtype), np.zeros(target.shape, logp.dtype)
    for n, l in np.ndindex(target.shape):
        t = target[n, l]
        if t != ignore_index:
            weights[n, l] = 1 if weight is None else weight[t]
            losses[n, l] = -weights[n, l] * logp[n, t, l]
    return losses, weights


def nll_grad(dlosses, target, weight, ignore_index, classes):
    """Gradient of `nll` with respect to logp: (N, C, L) with -weight[t] * dlosses[n, l] at t, 0 elsewhere.

    dlosses is (N, L), float32 or float64; classes is C; the others are those of `nll`.

    >>> nll_grad(np.array([[3.0]]), np.array([[1]]), None, -100, 2)
    array([[[ 0.],
            [-3.]]])
    """
    dlogp = np.zeros((len(target), classes, target.shape[1]), dlosses.dtype)
    for n, l in np.ndindex(target.shape):
        t = target[n, l]
        if t != ignore_index:
            dlogp[n, t, l] = -dlosses[n, l] * (1 if weight is None else weight[t])
    return dlogp
