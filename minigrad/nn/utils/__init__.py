"""Helpers around the gradients of parameters (`torch.nn.utils`)."""

import math

import numpy as np

from minigrad.autograd import Tensor, no_grad

from . import rnn

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]


def _grads(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Scale all gradients, in place, so that their common norm is at most `max_norm`; returns the norm before.

    Pascanu et al. 2013, https://arxiv.org/abs/1211.5063 (`torch.nn.utils.clip_grad_norm_`).

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> p.grad = minigrad.tensor([3.0, 4.0])
    >>> clip_grad_norm_([p], 1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    grads = _grads(parameters)
    norm_type = float(norm_type)
    norms = [np.linalg.norm(g._array.astype(np.float64).reshape(-1), norm_type) for g in grads]
    total = float(np.linalg.norm(np.array(norms), norm_type)) if norms else 0.0
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable "
            "this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    scale = min(1.0, max_norm / (total + 1e-6)) if not math.isnan(total) else math.nan
    for g in grads:
        g.mul_(scale)
    return Tensor._wrap(np.array(total, grads[0].dtype if grads else np.float32))


@no_grad()
def clip_grad_value_(parameters, clip_value):
    """Limit every gradient element to `[-clip_value, clip_value]`, in place (`torch.nn.utils.clip_grad_value_`).

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> p.grad = minigrad.tensor([3.0, -0.5])
    >>> clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([ 1.0000, -0.5000])
    """
    for g in _grads(parameters):
        g.clamp_(-float(clip_value), float(clip_value))
