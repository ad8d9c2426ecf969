"""Reductions: many elements to one number by adding, multiplying or counting, over all dimensions or the given ones.

The largest and smallest elements are in `maxima`, variances in `statistics`, norms in `norms`; what keeps every
partial result is in `cumulative`.
"""

import math

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim, get_default_dtype, is_grad_enabled
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype, boxed
from minigrad.kernels import kernels_for

from .comparison import isnan
from .creation import ones, zeros
from .joining import cat
from .registry import both, method, numpy_names
from .sequences import arange

COMPILED = 1 << 12  # elements from which on a kernel adds faster than NumPy,
LARGE = 1 << 16  # and finds the extreme faster


def axes_of(dim, ndim, empty_means_all=True):
    """`dim` (None, an int or several) as a tuple of axes; None, and mostly an empty tuple too, means all of them."""
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is int and ndim:
        return (check_dim(dim, ndim),)
    dims = (dim,) if isinstance(dim, (int, np.integer)) else dim
    if len(dims) == 0 and empty_means_all:
        return tuple(range(ndim))
    axes = tuple([check_dim(d, ndim) for d in dims])
    if len(set(axes)) != len(axes):
        twice = next(axis for i, axis in enumerate(axes) if axis in axes[:i])
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    return axes if ndim else ()


def kept_shape(shape, axes):
    """`shape` with the reduced axes as 1."""
    return tuple([1 if axis in axes else size for axis, size in enumerate(shape)])


def require_size(name, shape, axes):
    """PyTorch's error for a choice among no elements: each of the axes must have a size."""
    for axis in axes:
        if shape[axis] == 0:
            raise IndexError(
                f"{name}: Expected reduction dim {axis} to have non-zero size.\nhint: the shape is {tuple(shape)}"
            )


def as_floating(input):
    """A tensor as it is if it is floating, else in the default dtype."""
    return input if input._array.dtype.kind == "f" else input.to(get_default_dtype())


def has_kernel(x, axes, least=COMPILED):
    """Whether a reduction over `axes` is worth a kernel: the one call costs more, each element less than NumPy's."""
    return x.size >= least and x.dtype.kind == "f" and len(axes) > 0


def add_up(x, axes, dtype=None, keepdim=False):
    """The sum over `axes`. float32 is added in float64, but in pairs where NumPy does so (small whole arrays)."""
    if x.dtype.kind != "f" and dtype is None:
        dtype = np.int64
    dtype = x.dtype if dtype is None else dtype
    if has_kernel(x, axes) and dtype == x.dtype:
        total = kernels_for(x).total(x, axes)
        return total.reshape(kept_shape(x.shape, axes)) if keepdim else total
    wide = np.float64 if dtype == np.float32 and len(axes) < x.ndim else dtype
    return np.add.reduce(x, axis=axes, dtype=wide, keepdims=keepdim).astype(dtype, copy=False)


def _repeated(dy, ctx):
    """The gradient of a reduction's result, along the reduced axes of its argument."""
    return (dy.reshape(kept_shape(ctx.shape, ctx.axes)) if dy.ndim else dy).expand(ctx.shape)


class Sum(Operation):
    """Σ x over the given axes"""

    formula = "dx = dy, repeated along the summed axes"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        ctx.shape, ctx.axes = x.shape, axes
        if dtype is not None and dtype.kind != "f" and x.dtype.kind == "f":
            x = x.astype(dtype)  # each element is cut to a whole number first
        return add_up(x, axes, dtype, keepdim)

    @staticmethod
    def backward(ctx, dy):
        return _repeated(dy, ctx)


class NanSum(Operation):
    """Σ x over the given axes, NaN counting as 0"""

    formula = "dx = dy, repeated along the summed axes, times 0 where x is NaN"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        ctx.kept = kept_shape(x.shape, axes)
        numbers = x == x
        ctx.save_for_backward(numbers)
        return Sum.forward(ctx, np.where(numbers, x, x.dtype.type(0)), axes, keepdim, dtype)

    @staticmethod
    def backward(ctx, dy):
        (numbers,) = ctx.saved_tensors
        return dy.reshape(ctx.kept) * numbers


class Mean(Operation):
    """The mean of x over the given axes"""

    formula = "dx = dy / n, repeated along the n averaged elements"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        which = "Input" if dtype is None else "Optional"
        dtype = x.dtype if dtype is None else dtype
        if dtype.kind != "f":
            raise RuntimeError(
                f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex "
                f"dtype. Got: {TORCH_NAMES[dtype]}\nhint: use x.float().mean()"
            )
        ctx.shape, ctx.axes = x.shape, axes
        ctx.count = math.prod([x.shape[a] for a in axes])
        return np.true_divide(add_up(x, axes, dtype, keepdim), ctx.count, dtype=dtype)

    @staticmethod
    def backward(ctx, dy):
        return _repeated(dy / ctx.count, ctx)


class Prod(Operation):
    """Π x over one axis, or over all"""

    formula = "dxᵢ = dy · Π xⱼ over j ≠ i, which is dy · y / xᵢ where no element is 0"

    @staticmethod
    def forward(ctx, x, axes, keepdim, dtype):
        ctx.axes = axes
        ctx.kept = kept_shape(x.shape, axes)
        dtype = dtype or (x.dtype if x.dtype.kind == "f" else np.dtype(np.int64))
        x_cast = x if x.dtype.kind == "f" else x.astype(dtype, copy=False)
        with np.errstate(all="ignore"):
            y = np.multiply.reduce(x_cast, axis=axes, dtype=dtype, keepdims=keepdim)
        y = boxed(y)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        if not ctx.axes:
            return dy
        dy = dy.reshape(ctx.kept)
        if x._array.all():
            return dy * (y.reshape(ctx.kept) / x)
        if len(ctx.axes) == x.ndim:
            if not is_grad_enabled() and np.count_nonzero(x._array) < x._array.size - 1:
                return zeros(
                    x.shape, dtype=y.dtype, device=x.device
                )  # two zeros leave nothing, not even NaN, as in PyTorch
            return dy * _product_of_the_others(x.reshape(-1), 0).reshape(x.shape)
        return dy * _product_of_the_others(x, ctx.axes[0])


def _product_of_the_others(x, axis):
    """Π xⱼ over j ≠ i along an axis: what stands before times what stands after."""
    n, one = x.shape[axis], ones(kept_shape(x.shape, (axis,)), dtype=x.dtype, device=x.device)
    if n == 0:
        return x
    before = cat([one, x.narrow(axis, 0, n - 1)], axis).cumprod(axis)
    after = cat([one, x.narrow(axis, 1, n - 1).flip(axis)], axis).cumprod(axis).flip(axis)
    return before * after


class LogSumExp(Operation):
    """log Σ eˣ over the given axes, without overflow"""

    formula = "dx = dy · eˣ⁻ʸ"

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        ctx.kept = kept_shape(x.shape, axes)
        with np.errstate(all="ignore"):
            top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
            top = np.where(np.isinf(top), x.dtype.type(0), top)
            y = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True)) + top
        y = boxed(y if keepdim else y.squeeze(axes))
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        return dy.reshape(ctx.kept) * (x - y.reshape(ctx.kept)).exp()


@both()
@numpy_names
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all elements or over `dim`; integers and bools add up in int64 (`torch.sum`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])
    """
    return Sum.apply(input, axes_of(dim, input._array.ndim), keepdim, None if dtype is None else as_dtype(dtype))


@both()
@numpy_names
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all elements or over `dim`, NaN counting as 0 (`torch.nansum`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, float("nan"), 2.0]).nansum()
    tensor(3.)
    """
    dtype, axes = None if dtype is None else as_dtype(dtype), axes_of(dim, input._array.ndim)
    operation = NanSum if input._array.dtype.kind == "f" else Sum
    return operation.apply(input, axes, keepdim, dtype)


@both()
@numpy_names
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all elements or over `dim`, of a floating-point tensor (`torch.mean`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=1)
    tensor([1.5000, 3.5000])
    """
    return Mean.apply(input, axes_of(dim, input._array.ndim), keepdim, None if dtype is None else as_dtype(dtype))


@both()
@numpy_names
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all elements or over `dim`, NaN left out; NaN where nothing is left (`torch.nanmean`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, float("nan"), 2.0]).nanmean()
    tensor(1.5000)
    """
    if input._array.dtype.kind != "f":
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{TORCH_NAMES[input._array.dtype]}\nhint: whole numbers are never NaN; use x.float().mean()"
        )
    return nansum(input, dim, keepdim, dtype=dtype) / sum(~isnan(input), dim, keepdim)


@both()
@numpy_names
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product of all elements or along the one dimension `dim`; integers and bools give int64 (`torch.prod`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).prod(dim=1)
    tensor([ 2., 12.])
    """
    if dim is not None and not isinstance(dim, (int, np.integer)):
        raise TypeError(
            f"prod() received an invalid combination of arguments\nhint: dim is {dim!r}; prod takes one dimension, an "
            "int, or none for all"
        )
    return Prod.apply(input, axes_of(dim, input._array.ndim), keepdim, None if dtype is None else as_dtype(dtype))


@both()
@numpy_names
def logsumexp(input, dim, keepdim=False):
    """`log(sum(exp(input)))` over `dim`, an int or several, without overflow (`torch.logsumexp`).

    >>> import minigrad
    >>> minigrad.logsumexp(minigrad.tensor([1000.0, 1000.0]), 0)
    tensor(1000.6932)
    """
    return LogSumExp.apply(as_floating(input), axes_of(dim, input._array.ndim), keepdim)


def _truth(ufunc, input, dim, keepdim):
    array = input._array
    result = ufunc.reduce(array != 0, axis=axes_of(dim, array.ndim, empty_means_all=False), keepdims=keepdim)
    return Tensor._wrap(boxed(result).astype(np.uint8 if array.dtype == np.uint8 else bool, copy=False))


@both()
@numpy_names
def all(input, dim=None, keepdim=False):
    """Whether all elements are nonzero, over everything or over `dim` (`torch.all`).

    >>> import minigrad
    >>> minigrad.tensor([True, False]).all()
    tensor(False)
    """
    return _truth(np.logical_and, input, dim, keepdim)


@both()
@numpy_names
def any(input, dim=None, keepdim=False):
    """Whether any element is nonzero, over everything or over `dim` (`torch.any`).

    >>> import minigrad
    >>> minigrad.tensor([True, False]).any()
    tensor(True)
    """
    return _truth(np.logical_or, input, dim, keepdim)


@both()
@numpy_names
def count_nonzero(input, dim=None):
    """How many elements are nonzero, NaN among them, over everything or over `dim`; int64 (`torch.count_nonzero`).

    >>> import minigrad
    >>> minigrad.count_nonzero(minigrad.tensor([[0, 1], [2, 3]]), dim=0)
    tensor([1, 2])
    """
    axes = axes_of(dim, input._array.ndim)
    return Tensor._wrap(boxed(np.add.reduce(input._array != 0, axis=axes, dtype=np.int64)))


@both()
def trace(input):
    """The sum of the diagonal of a matrix; integers add up in int64 (`torch.trace`).

    >>> import minigrad
    >>> minigrad.trace(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if input.ndim != 2:
        raise RuntimeError(
            f"trace: expected a matrix, but got tensor with dim {input.ndim}\nhint: the shape is {tuple(input.shape)}"
        )
    if input._array.dtype == bool:
        raise NotImplementedError("\"trace\" not implemented for 'Bool'\nhint: use x.long().trace()")
    along = arange(min(input._array.shape), device=input.device)
    return sum(input[along, along])


@method()
def sum_to_size(self, *size):
    """The sum over the axes along which a tensor of shape `size` was broadcast to this one
    (`torch.Tensor.sum_to_size`).
    """
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    shape = self._array.shape
    lead = len(shape) - len(size)
    if lead < 0 or [n for n, m in zip(size, shape[lead:]) if n not in (1, m)]:
        raise RuntimeError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    axes = tuple(range(lead)) + tuple([lead + i for i, n in enumerate(size) if n == 1 and shape[lead + i] != 1])
    return (Sum.apply(self, axes, False, None) if axes else self).reshape(size)
