"""Gradients kept within bounds: all together by their norm, or each element by its value."""

import types
import warnings

from minigrad.autograd import Tensor, no_grad
from minigrad.ops import functions
from minigrad.ops.registry import linalg


def _as_list(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all elements of all tensors together, 0-d (`torch.nn.utils.get_total_norm`).

    `foreach`, a choice of kernels in PyTorch, changes nothing.

    >>> import minigrad
    >>> get_total_norm([minigrad.tensor([3.0]), minigrad.tensor([4.0])])
    tensor(5.)
    """
    tensors, norm_type = _as_list(tensors), float(norm_type)
    if not tensors:
        return functions["tensor"](0.0)
    norms = functions["stack"]([linalg["vector_norm"](tensor, norm_type) for tensor in tensors])
    total = linalg["vector_norm"](norms, norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients, in place, so that a total norm of `total_norm` becomes at most `max_norm`.

    Source: `torch.nn.utils.clip_grads_with_norm_`.

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> p.grad = minigrad.tensor([3.0, 4.0])
    >>> clip_grads_with_norm_([p], 1.0, minigrad.tensor(5.0))
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for parameter in _as_list(parameters):
        if parameter.grad is not None:
            parameter.grad.mul_(scale)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
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
    generated = isinstance(parameters, types.GeneratorType)
    parameters = _as_list(parameters)
    if generated and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.\nhint: a generator can be walked "
            "along only once; call model.parameters() anew",
            stacklevel=2,
        )
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """PyTorch's older name of `clip_grad_norm_`.

    >>> import minigrad, warnings
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> p.grad = minigrad.tensor([3.0, 4.0])
    >>> with warnings.catch_warnings(action="ignore"):
    ...     clip_grad_norm([p], 1.0)
    tensor(5.)
    """
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every gradient element to `[-clip_value, clip_value]`, in place (`torch.nn.utils.clip_grad_value_`).

    >>> import minigrad
    >>> p = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> p.grad = minigrad.tensor([3.0, -0.5])
    >>> clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([ 1.0000, -0.5000])
    """
    for parameter in _as_list(parameters):
        if parameter.grad is not None:
            parameter.grad.clamp_(-float(clip_value), float(clip_value))
