"""Reductions: many elements to one, over all dimensions or the given ones."""

import builtins
from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype

from .choice import where
from .creation import zeros
from .registry import both, function

MaxResult = namedtuple("MaxResult", ["values", "indices"])
MinResult = namedtuple("MinResult", ["values", "indices"])


def axes_of(dim, ndim):
    """`dim` (None, an int or several) as a tuple of axes; none or an empty tuple means all of them."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    axes = tuple([check_dim(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim)])
    if len(set(axes)) != len(axes):
        raise RuntimeError(f"dim {axes[-1]} appears multiple times in the list of dims")
    return axes if ndim else ()


def _kept(shape, axes):
    """`shape` with the reduced axes as 1."""
    return tuple([1 if axis in axes else size for axis, size in enumerate(shape)])


def add_up(x, axes, dtype=None, keepdim=False):
    """The sum over `axes`. float32 is added in pairs where NumPy does so (whole arrays), else in float64."""
    if x.dtype.kind != "f" and dtype is None:
        dtype = np.int64
    dtype = x.dtype if dtype is None else dtype
    wide = np.float64 if dtype == np.float32 and len(axes) < x.ndim else dtype
    return np.add.reduce(x, axis=axes, dtype=wide, keepdims=keepdim).astype(dtype, copy=False)


class Sum(Operation):
    """Σ x over the given axes"""

    formula = "dx = dy, repeated along the summed axes"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        ctx.shape, ctx.kept = x.shape, _kept(x.shape, axes)
        return add_up(x, axes, dtype, keepdim)

    @staticmethod
    def backward(ctx, dy):
        return dy.reshape(ctx.kept).expand(ctx.shape)


class Mean(Operation):
    """The mean of x over the given axes"""

    formula = "dx = dy / n, repeated along the n averaged elements"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        dtype = x.dtype if dtype is None else dtype
        if dtype.kind != "f":
            raise RuntimeError(
                "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
                f"Got: {TORCH_NAMES[dtype]}\nhint: use x.float().mean()"
            )
        ctx.shape, ctx.kept = x.shape, _kept(x.shape, axes)
        ctx.count = int(np.prod([x.shape[a] for a in axes]))
        with np.errstate(all="ignore"):
            return np.true_divide(add_up(x, axes, dtype, keepdim), ctx.count, dtype=dtype)

    @staticmethod
    def backward(ctx, dy):
        return (dy / ctx.count).reshape(ctx.kept).expand(ctx.shape)


class Extreme(Operation):
    """The largest (or smallest) element over the given axes; equal ones share the gradient evenly."""

    formula = "dx = dy / m at each of the m elements equal to y"

    @staticmethod
    def forward(ctx, x, axes, keepdim, largest):
        if 0 in [x.shape[a] for a in axes]:
            raise RuntimeError(
                f"{'amax' if largest else 'amin'}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify "
                "the reduction dim with the 'dim' argument."
            )
        ctx.kept = _kept(x.shape, axes)
        y = (np.maximum if largest else np.minimum).reduce(x, axis=axes, keepdims=keepdim) if axes else x.copy()
        ctx.save_for_backward(x, np.asarray(y))
        return ctx._saved[1]

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        y = y.detach().reshape(ctx.kept)
        hit = ((x.detach() == y) | (x.detach().isnan() & y.isnan())).to(dy.dtype)
        count = (
            hit.sum(dim=tuple([a for a, (k, n) in enumerate(zip(ctx.kept, x.shape)) if k != n]), keepdim=True)
            if ctx.kept != tuple(x.shape)
            else 1.0
        )
        return dy.reshape(ctx.kept) * (hit / count)


class Select(Operation):
    """The largest (or smallest) element along one axis and where it stands; the first of equals, a NaN before all."""

    formula = "dx = dy at the selected element, 0 elsewhere"
    materialize = False  # the indices have no gradient

    @staticmethod
    def forward(ctx, x, axis, keepdim, largest):
        ctx.shape, ctx.axis = x.shape, axis
        if x.ndim == 0:
            ctx.save_for_backward(np.zeros((), np.int64))
            return x.copy(), ctx._saved[0]
        if x.shape[axis] == 0:
            name = "max" if largest else "min"
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
        index = np.expand_dims((np.argmax if largest else np.argmin)(x, axis), axis)
        ctx.save_for_backward(index)
        y = np.take_along_axis(x, index, axis)
        return (y, index) if keepdim else (y.squeeze(axis), index.squeeze(axis))

    @staticmethod
    def backward(ctx, dy, _):
        (index,) = ctx.saved_tensors
        if not ctx.shape:
            return dy
        return zeros(ctx.shape, dtype=dy.dtype).scatter_add(ctx.axis, index, dy.reshape(index.shape))


class Var(Operation):
    """Σ (x - mean)² / (n - correction) over the given axes"""

    formula = "dx = dy · 2 · (x - mean) / (n - correction)"

    @staticmethod
    def forward(ctx, x, axes, keepdim, correction):
        if x.dtype.kind != "f":
            raise RuntimeError(
                f"std and var only support floating point and complex dtypes\nhint: this tensor is {x.dtype}; use "
                "x.float()"
            )
        ctx.axes, ctx.kept = axes, _kept(x.shape, axes)
        ctx.divisor = builtins.max(0, int(np.prod([x.shape[a] for a in axes])) - correction)
        ctx.save_for_backward(x)
        with np.errstate(all="ignore"):
            wide = x.astype(np.float64)
            centred = wide - wide.mean(axis=axes, keepdims=True)
            return ((centred * centred).sum(axis=axes, keepdims=keepdim) / np.float64(ctx.divisor)).astype(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        scale = 2.0 / ctx.divisor if ctx.divisor else float("nan")
        return dy.reshape(ctx.kept) * (scale * (x - x.mean(dim=ctx.axes, keepdim=True)))


@both()
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all elements or over `dim`; integers and bools add up in int64 (`torch.sum`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])
    """
    return Sum.apply(input, axes_of(dim, input.ndim), keepdim, None if dtype is None else as_dtype(dtype))


@both()
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all elements or over `dim`, of a floating-point tensor (`torch.mean`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=1)
    tensor([1.5000, 3.5000])
    """
    return Mean.apply(input, axes_of(dim, input.ndim), keepdim, None if dtype is None else as_dtype(dtype))


@both()
def amax(input, dim=(), keepdim=False):
    """The largest element over `dim`; equal ones share the gradient (`torch.amax`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).amax(dim=1)
    tensor([2., 4.])
    """
    return Extreme.apply(input, axes_of(dim, input.ndim), keepdim, True)


@both()
def amin(input, dim=(), keepdim=False):
    """The smallest element over `dim`; equal ones share the gradient (`torch.amin`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).amin(dim=1)
    tensor([1., 3.])
    """
    return Extreme.apply(input, axes_of(dim, input.ndim), keepdim, False)


@both()
def max(input, dim=None, keepdim=False):
    """The largest element; with `dim` the named tuple (values, indices) along it; with a tensor for `dim`, `maximum`.

    Source: `torch.max`.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).max()
    tensor(5.)
    >>> minigrad.tensor([[1.0, 5.0], [7.0, 2.0]]).max(dim=1).indices
    tensor([1, 0])
    """
    return _extreme(input, dim, keepdim, True, MaxResult)


@both()
def min(input, dim=None, keepdim=False):
    """The smallest element; with `dim` the named tuple (values, indices) along it; with a tensor for `dim`, `minimum`.

    Source: `torch.min`.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).min()
    tensor(1.)
    """
    return _extreme(input, dim, keepdim, False, MinResult)


def _extreme(input, dim, keepdim, largest, result):
    if isinstance(dim, Tensor):
        return input.maximum(dim) if largest else input.minimum(dim)
    if dim is not None:
        return result(*Select.apply(input, check_dim(dim, input.ndim), keepdim, largest))
    if input._array.size == 0:
        raise RuntimeError(
            f"{'max' if largest else 'min'}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
            "the reduction dim with the 'dim' argument."
        )
    return Extreme.apply(input, axes_of(None, input.ndim), False, largest)


def _arg(input, dim, keepdim, find):
    array = input._array
    if dim is None:
        if array.size == 0:
            raise IndexError(
                f"{find.__name__}(): Expected reduction dim to be specified for input.numel() == 0.\nhint: pass dim="
            )
        index = find(array)
        return Tensor._wrap(np.asarray(index).reshape((1,) * array.ndim if keepdim else ()))
    axis = check_dim(dim, array.ndim)
    return Tensor._wrap(np.asarray(find(array, axis=axis, keepdims=keepdim) if array.ndim else 0))


@both()
def argmax(input, dim=None, keepdim=False):
    """The index of the (first) largest element, in the flattened tensor or along `dim` (`torch.argmax`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).argmax()
    tensor(1)
    """
    return _arg(input, dim, keepdim, np.argmax)


@both()
def argmin(input, dim=None, keepdim=False):
    """The index of the (first) smallest element, in the flattened tensor or along `dim` (`torch.argmin`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).argmin()
    tensor(0)
    """
    return _arg(input, dim, keepdim, np.argmin)


def _truth(ufunc, input, dim, keepdim):
    result = ufunc.reduce(input._array != 0, axis=axes_of(dim, input.ndim), keepdims=keepdim)
    return Tensor._wrap(np.asarray(result, np.uint8 if input._array.dtype == np.uint8 else bool))


@both()
def all(input, dim=None, keepdim=False):
    """Whether all elements are nonzero, over everything or over `dim` (`torch.all`).

    >>> import minigrad
    >>> minigrad.tensor([True, False]).all()
    tensor(False)
    """
    return _truth(np.logical_and, input, dim, keepdim)


@both()
def any(input, dim=None, keepdim=False):
    """Whether any element is nonzero, over everything or over `dim` (`torch.any`).

    >>> import minigrad
    >>> minigrad.tensor([True, False]).any()
    tensor(True)
    """
    return _truth(np.logical_or, input, dim, keepdim)


def _correction(dim, unbiased, correction):
    """PyTorch's two spellings: `unbiased` (also first, in place of dim) and `correction`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    return dim, 1 if correction is None else correction


@both()
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance, with divisor n - `correction` (1 by default) (`torch.var`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0, 3.0]).var()
    tensor(1.)
    """
    dim, correction = _correction(dim, unbiased, correction)
    return Var.apply(input, axes_of(dim, input.ndim), keepdim, correction)


@both()
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation, the square root of `var`; its gradient at 0 is 0 (`torch.std`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0, 3.0]).std()
    tensor(1.)
    """
    variance = var(input, dim, unbiased, keepdim, correction=correction)
    zero = variance.detach() == 0
    return where(zero, 0.0, where(zero, 1.0, variance).sqrt())


@function
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean) (`torch.var_mean`).

    >>> import minigrad
    >>> minigrad.var_mean(minigrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return var(input, dim, unbiased, keepdim, correction=correction), mean(
        input, None if isinstance(dim, bool) else dim, keepdim
    )


def _sum_to_size(self, *size):
    """The sum over the axes along which a tensor of shape `size` was broadcast to this one
    (`torch.Tensor.sum_to_size`).
    """
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    lead = self.ndim - len(size)
    axes = tuple(range(lead)) + tuple([lead + i for i, n in enumerate(size) if n == 1 and self.shape[lead + i] != 1])
    return (Sum.apply(self, axes, False, None) if axes else self).reshape(size)


Tensor.sum_to_size = _sum_to_size
