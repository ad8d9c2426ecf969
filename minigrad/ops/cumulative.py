"""Cumulative reductions: along one dimension, every partial sum, product, extreme; and differences, their inverse."""

import builtins
from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim, is_grad_enabled
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype
from minigrad.kernels import kernels_for

from .choice import where
from .creation import full_like, zeros
from .joining import cat
from .registry import both, function, numpy_names

COMPILED = 1 << 10  # elements from which on a kernel adds up faster than NumPy

CummaxResult = namedtuple("CummaxResult", ["values", "indices"])
CumminResult = namedtuple("CumminResult", ["values", "indices"])


def _accumulate(ufunc, x, axis, dtype, reverse=False):
    """The partial results of `ufunc` along an axis, from the end with `reverse`; float32 is accumulated in float64."""
    wide = np.dtype(np.float64) if dtype == np.float32 else dtype
    if x.ndim == 0:
        return x.astype(dtype)
    if reverse:
        return np.flip(_accumulate(ufunc, np.flip(x, axis), axis, dtype), axis)
    with np.errstate(all="ignore"):
        return ufunc.accumulate(x.astype(dtype, copy=False), axis, wide).astype(dtype, copy=False)


def _dtype_of(input, dtype):
    """The dtype of a cumulative sum or product: int64 for integers and bools unless `dtype` says otherwise."""
    if dtype is not None:
        return as_dtype(dtype)
    return input._array.dtype if input._array.dtype.kind == "f" else np.dtype(np.int64)


class CumSum(Operation):
    """yₖ = Σ xᵢ over i ≤ k along an axis; over i ≥ k with `reverse`"""

    formula = "dxᵢ = Σ dyₖ over k ≥ i"

    @staticmethod
    def forward(ctx, x, axis, dtype, reverse):
        ctx.axis, ctx.reverse = axis, reverse
        if x.dtype.kind == "f" and x.dtype == dtype and x.size >= COMPILED:
            return kernels_for(x).running_total(x, axis, reverse)
        return _accumulate(np.add, x, axis, dtype, reverse)

    @staticmethod
    def backward(ctx, dy):
        return CumSum.apply(dy, ctx.axis, dy.dtype, not ctx.reverse)


class CumProd(Operation):
    """yₖ = Π xᵢ over i ≤ k along an axis"""

    formula = "dxᵢ = Σ dyₖ · Π xⱼ over j ≤ k, j ≠ i, for all k ≥ i; where no x is 0 that is (Σ dyₖ · yₖ) / xᵢ"

    @staticmethod
    def forward(ctx, x, axis, dtype):
        ctx.axis = axis
        y = _accumulate(np.multiply, x, axis, dtype)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        axis = ctx.axis
        if x.ndim == 0 or x.shape[axis] <= 1:
            return dy
        if x._array.all():
            return CumSum.apply(dy * y, axis, y.dtype, True) / x
        if not is_grad_enabled():
            return Tensor._wrap(_cumprod_grad(dy._array, x._array, y._array, axis))
        # what stands before i, times dyᵢ + xᵢ₊₁ · (dyᵢ₊₁ + xᵢ₊₂ · (...)): no division, so exact beside zeros
        before = _shifted(CumProd.apply(x, axis, y.dtype), axis, 1, 1.0)
        return before * Recurrence.apply(_shifted(x, axis, -1, 0.0), dy, axis, True)


def _cumprod_grad(dy, x, y, axis):
    """The gradient of a cumulative product with zeros: only what stands before the first one, and it, has any."""
    zeros_so_far = np.cumsum(x == 0, axis)
    before, since = zeros_so_far == 0, zeros_so_far == 1
    first = since & (x == 0)
    with np.errstate(all="ignore"):
        dx = _accumulate(np.add, np.where(before, y * dy, 0), axis, y.dtype, True) / np.where(before, x, 1)
        # the first zero's own: what stands before it, times the sum of dy and the products that follow it
        after = _accumulate(np.multiply, np.where(since & ~first, x, 1), axis, y.dtype)
        total = np.sum(after * np.where(since, dy, 0), axis, keepdims=True, dtype=y.dtype)
        place = np.argmax(first, axis, keepdims=True)
        ahead = np.take_along_axis(y, np.maximum(place - 1, 0), axis)
        return np.where(before, dx, np.where(first, total * np.where(place == 0, 1, ahead), 0)).astype(y.dtype)


class Recurrence(Operation):
    """rᵢ = bᵢ + aᵢ · rᵢ₋₁ along an axis, starting from 0; from the end, with rᵢ₊₁, if `reverse`"""

    formula = "dbᵢ = drᵢ + aᵢ₊₁ · dbᵢ₊₁, daᵢ = dbᵢ · rᵢ₋₁"

    @staticmethod
    def forward(ctx, a, b, axis, reverse):
        ctx.axis, ctx.reverse = axis, reverse
        a_rows, b_rows = (np.moveaxis(np.flip(v, axis) if reverse else v, axis, -1) for v in (a, b))
        shape = b_rows.shape
        r = kernels_for(a).linear_recurrence(a_rows.reshape(-1, shape[-1]), b_rows.reshape(-1, shape[-1]))
        r = np.moveaxis(r.reshape(shape), -1, axis)
        r = np.flip(r, axis) if reverse else r
        ctx.save_for_backward(a, r)
        return r

    @staticmethod
    def backward(ctx, dr):
        a, r = ctx.saved_tensors
        step = -1 if ctx.reverse else 1
        db = Recurrence.apply(_shifted(a, ctx.axis, -step, 0.0), dr, ctx.axis, not ctx.reverse)
        return db * _shifted(r, ctx.axis, step, 0.0), db


def _shifted(x, axis, step, fill):
    """x moved by one place along an axis, forward (1) or back (-1), with `fill` where nothing comes from."""
    n = x.shape[axis]
    if n == 0:
        return x
    edge = full_like(x.detach().narrow(axis, 0, 1), fill)
    return cat([edge, x.narrow(axis, 0, n - 1)] if step == 1 else [x.narrow(axis, 1, n - 1), edge], axis)


class LogCumSumExp(Operation):
    """yₖ = log Σ eˣⁱ over i ≤ k along an axis, without overflow; over i ≥ k with `reverse`"""

    formula = "dxᵢ = Σ dyₖ · eˣⁱ⁻ʸᵏ over k ≥ i"

    @staticmethod
    def forward(ctx, x, axis, reverse):
        ctx.axis, ctx.reverse = axis, reverse
        y = _accumulate(np.logaddexp, x, axis, x.dtype, reverse)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        if x.ndim == 0:
            return dy

        def sums(part):  # Σ part · eˣ⁻ʸ over the positive parts, in logarithms
            terms = where(part > 0, where(part > 0, part, 1.0).log() - y, -np.inf)
            return (LogCumSumExp.apply(terms, ctx.axis, not ctx.reverse) + x).exp()

        return sums(dy) - sums(-dy)


@both(inplace=True)
@numpy_names
def cumsum(input, dim, *, dtype=None):
    """The sums of the elements so far along `dim`; integers and bools add up in int64 (`torch.cumsum`).

    >>> import minigrad
    >>> minigrad.cumsum(minigrad.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return CumSum.apply(input, check_dim(dim, input.ndim), _dtype_of(input, dtype), False)


@both(inplace=True)
@numpy_names
def cumprod(input, dim, *, dtype=None):
    """The products of the elements so far along `dim`; integers and bools give int64 (`torch.cumprod`).

    >>> import minigrad
    >>> minigrad.cumprod(minigrad.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    return CumProd.apply(input, check_dim(dim, input.ndim), _dtype_of(input, dtype))


@both()
@numpy_names
def logcumsumexp(input, dim):
    """The logarithms of the sums of `exp(input)` so far along `dim`, without overflow (`torch.logcumsumexp`).

    >>> import minigrad
    >>> minigrad.logcumsumexp(minigrad.tensor([0.0, 0.0, 0.0]), 0)
    tensor([0.0000, 0.6931, 1.0986])
    """
    axis = check_dim(dim, input.ndim)
    if input._array.dtype.kind != "f":
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{TORCH_NAMES[input._array.dtype]}'\nhint: use x.float()"
        )
    return LogCumSumExp.apply(input, axis, False)


@both()
@numpy_names
def cummax(input, dim):
    """The named tuple (values, indices) of the largest element so far along `dim`; the last of equals, NaN above all.

    Source: `torch.cummax`.

    >>> import minigrad
    >>> minigrad.cummax(minigrad.tensor([1.0, 3.0, 2.0]), 0)
    CummaxResult(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    return CummaxResult(*_running(input, dim, np.maximum))


@both()
@numpy_names
def cummin(input, dim):
    """The named tuple (values, indices) of the smallest element so far along `dim`; the last of equals, NaN below all.

    Source: `torch.cummin`.

    >>> import minigrad
    >>> minigrad.cummin(minigrad.tensor([2.0, 1.0, 3.0]), 0)
    CumminResult(values=tensor([2., 1., 1.]), indices=tensor([0, 1, 1]))
    """
    return CumminResult(*_running(input, dim, np.minimum))


def _running(input, dim, ufunc):
    """(values, indices) of the extreme so far; an element takes the lead if it equals it, or is NaN."""
    axis, x = check_dim(dim, input.ndim), input._array
    if x.ndim == 0:
        return input.clone(), zeros((), dtype=np.dtype(np.int64), device=input.device)
    leads = (x == ufunc.accumulate(x, axis)) | (x != x)
    places = np.arange(x.shape[axis], like=x).reshape((-1,) + (1,) * (x.ndim - axis - 1))
    indices = Tensor._wrap(np.maximum.accumulate(np.where(leads, places, 0), axis))
    return input.gather(axis, indices), indices


@both()
@numpy_names
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The `n`-th differences of neighbours along `dim`, after `prepend` and `append` are joined to it (`torch.diff`).

    >>> import minigrad
    >>> minigrad.diff(minigrad.tensor([1, 3, 2]))
    tensor([ 2, -1])
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = check_dim(dim, input.ndim)
    for other in (prepend, append):
        if other is not None and other.ndim != input.ndim:
            raise RuntimeError(
                "diff expects prepend or append to be the same dimension as input\nhint: they have "
                f"{other.ndim} and {input.ndim} dimensions"
            )
    parts = [part for part in (prepend, input, append) if part is not None]
    result = cat(parts, axis) if n and len(parts) > 1 else input
    for _ in range(builtins.min(n, result.shape[axis])):
        size = builtins.max(result.shape[axis] - 1, 0)
        later, earlier = result.narrow(axis, result.shape[axis] - size, size), result.narrow(axis, 0, size)
        result = later != earlier if result._array.dtype == bool else later - earlier
    return result


@function
def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral of `y` along `dim` by the trapezoidal rule, at points `x` or `dx` (1) apart (`torch.trapezoid`).

    >>> import minigrad
    >>> minigrad.trapezoid(minigrad.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    return _trapezoids(y, x, dx, dim).sum(dim)


@function
def trapz(y, x=None, *, dx=None, dim=-1):
    """The old name of `trapezoid` (`torch.trapz`).

    >>> import minigrad
    >>> minigrad.trapz(minigrad.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@function
def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integrals of `y` so far along `dim` by the trapezoidal rule (`torch.cumulative_trapezoid`).

    >>> import minigrad
    >>> minigrad.cumulative_trapezoid(minigrad.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    return cumsum(_trapezoids(y, x, dx, dim), dim)


def _trapezoids(y, x, dx, dim):
    """The areas between neighbours along `dim`."""
    axis = check_dim(dim, y.ndim)
    size = builtins.max(y.shape[axis] - 1, 0)
    heights = y.narrow(axis, y.shape[axis] - size, size) + y.narrow(axis, 0, size)
    if x is None:
        return heights * ((1.0 if dx is None else dx) / 2)
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise RuntimeError(
                "trapezoid: There must be one `x` value for each sample point\nhint: there are "
                f"{x.shape[0]} values of x, and y has size {y.shape[axis]} along dimension {axis}"
            )
        widths = diff(x).reshape((-1,) + (1,) * (y.ndim - axis - 1))
    else:
        widths = diff(x, dim=dim)
    return heights * widths / 2.0
