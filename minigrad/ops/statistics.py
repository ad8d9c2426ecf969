"""Variances, standard deviations, covariances and correlations."""

import math
import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor
from minigrad.kernels import kernels_for
from minigrad.kernels.device import capturing

from .choice import where
from .creation import as_tensor
from .reduction import axes_of, has_kernel, kept_shape, mean
from .registry import both, function, numpy_names


class Var(Operation):
    """Σ (x - mean)² / (n - correction) over the given axes"""

    formula = "dx = dy · 2 · (x - mean) / (n - correction)"

    @staticmethod
    def forward(ctx, x, axes, keepdim, correction):
        ctx.axes, ctx.kept = axes, kept_shape(x.shape, axes)
        ctx.divisor = max(0, math.prod([x.shape[a] for a in axes]) - correction)
        ctx.save_for_backward(x)
        with np.errstate(all="ignore"):
            if has_kernel(x, axes):
                _, deviation = kernels_for(x).moments(x, axes)
                y = (deviation / np.float64(ctx.divisor)).astype(x.dtype)
                return y.reshape(ctx.kept) if keepdim else y
            wide = x.astype(np.float64)
            centred = wide - wide.mean(axis=axes, keepdims=True)
            return ((centred * centred).sum(axis=axes, keepdims=keepdim) / np.float64(ctx.divisor)).astype(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        scale = 2.0 / ctx.divisor if ctx.divisor else math.inf
        return dy.reshape(ctx.kept) * (scale * (x - x.mean(dim=ctx.axes, keepdim=True)))


def _var(name, input, dim, unbiased, keepdim, correction):
    """(variance, dim) of PyTorch's two spellings: `unbiased`, also first in place of dim, and `correction`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    if input._array.dtype.kind != "f":
        raise RuntimeError(
            f"{name} only support floating point and complex dtypes\nhint: this tensor is {input.dtype}; use x.float()"
        )
    axes = axes_of(dim, input._array.ndim)
    return Var.apply(input, axes, keepdim, 1 if correction is None else correction), axes


def _std(variance):
    """√variance with the gradient 0 at 0."""
    zero = variance.detach() == 0
    return where(zero, 0.0, where(zero, 1.0, variance).sqrt()) if capturing() or zero._array.any() else variance.sqrt()


def _mean(input, axes, keepdim):
    """The mean as PyTorch's running update leaves it beside a variance: NaN if numbers follow an infinity."""
    result = mean(input, axes, keepdim)
    if capturing() or np.isinf(result._array).any():
        others = [axis for axis in range(input.ndim) if axis not in axes]
        rows = input._array.transpose(*others, *axes).reshape(*[input.shape[axis] for axis in others], -1)
        followed = np.isinf(rows[..., :-1]).any(-1).reshape(result.shape)
        result = result + Tensor._wrap(np.where(followed, np.nan, 0.0).astype(result.dtype))
    return result


@both()
@numpy_names
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance, with divisor n - `correction` (1 by default) (`torch.var`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0, 3.0]).var()
    tensor(1.)
    """
    return _var("std and var", input, dim, unbiased, keepdim, correction)[0]


@both()
@numpy_names
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation, the square root of `var`; its gradient at 0 is 0 (`torch.std`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0, 3.0]).std()
    tensor(1.)
    """
    return _std(_var("std and var", input, dim, unbiased, keepdim, correction)[0])


@function
@numpy_names
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean) (`torch.var_mean`).

    >>> import minigrad
    >>> minigrad.var_mean(minigrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    variance, axes = _var("var_mean", input, dim, unbiased, keepdim, correction)
    return variance, _mean(input, axes, keepdim)


@function
@numpy_names
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(standard deviation, mean) (`torch.std_mean`).

    >>> import minigrad
    >>> minigrad.std_mean(minigrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    variance, axes = _var("std_mean", input, dim, unbiased, keepdim, correction)
    return _std(variance), _mean(input, axes, keepdim)


@both()
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) over observations (columns) (`torch.cov`).

    `fweights` (int) counts how often each observation occurs, `aweights` weighs it; the divisor is n - `correction`.

    >>> import minigrad
    >>> minigrad.cov(minigrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    if input._array.dtype == bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    count = x.shape[1]
    for name, weights, kinds, words in (
        ("fweights", fweights, "iu", "integral"), ("aweights", aweights, "f", "floating point")
    ):  # fmt: skip
        if weights is None:
            continue
        if weights.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.ndim} dimensions"
            )
        if weights._array.dtype.kind not in kinds:
            raise RuntimeError(
                f"cov(): expected {name} to have {words} dtype but got {name} with {weights.dtype} dtype"
            )
        if weights.numel() != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got "
                f"{weights.numel()} != {count}"
            )
        if (weights._array < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    total = count if weights is None else weights.sum()
    if weights is not None and not total._array.any():
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    average = x.sum(1) / total if weights is None else (x * weights).sum(1) / total
    if weights is not None and aweights is not None and correction != 0:
        divisor = total - correction * (weights * aweights).sum() / total
    else:
        divisor = total - correction
    divisor = as_tensor(divisor, device=input.device).clamp(min=0)
    if not divisor._array.any():
        warnings.warn("cov(): degrees of freedom is <= 0", stacklevel=2)
    centred = x - average.unsqueeze(1)
    result = centred @ (centred if weights is None else centred * weights).T / divisor
    return result.reshape(()) if len(x) == 1 else result


@both()
def corrcoef(input):
    """The correlation matrix of variables (rows) over observations (columns), within [-1, 1] (`torch.corrcoef`).

    >>> import minigrad
    >>> minigrad.corrcoef(minigrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    covariance = cov(input)
    if covariance.ndim == 0:
        return covariance / covariance
    deviation = _std(covariance.diagonal())
    return (covariance / deviation.unsqueeze(1) / deviation).clamp(-1, 1)
