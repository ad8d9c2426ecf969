"""The largest and the smallest elements, and where they stand."""

from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation, Tensor, check_dim
from minigrad.autograd.dtypes import boxed
from minigrad.kernels import kernels_for

from .creation import zeros
from .reduction import LARGE, axes_of, has_kernel, kept_shape, require_size
from .registry import both, numpy_names

MaxResult = namedtuple("MaxResult", ["values", "indices"])
MinResult = namedtuple("MinResult", ["values", "indices"])
AminmaxResult = namedtuple("AminmaxResult", ["min", "max"])


class Extreme(Operation):
    """The largest (or smallest) element over the given axes; equal ones share the gradient evenly.

    Where the result is NaN, so is the gradient, as in PyTorch; but `ExtremeOfAll` gives it to the NaN.
    """

    formula = "dx = dy / m at each of the m elements equal to y"

    @staticmethod
    def forward(ctx, x, axes, keepdim, largest):
        ctx.axes, ctx.kept = axes, kept_shape(x.shape, axes)
        if has_kernel(x, axes, LARGE):
            y = kernels_for(x).extreme(x, axes, largest)
            y = y.reshape(ctx.kept) if keepdim else y
        else:
            y = (np.maximum if largest else np.minimum).reduce(x, axis=axes, keepdims=keepdim) if axes else x.copy()
        ctx.save_for_backward(x, boxed(y))
        return ctx._saved[1]

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        hit = (x == y.reshape(ctx.kept)).to(dy.dtype)
        return dy.reshape(ctx.kept) * hit / hit.sum(ctx.axes, keepdim=True)


class ExtremeOfAll(Extreme):
    """The largest (or smallest) of all elements, NaN before all; equal ones share the gradient evenly."""

    formula = "dx = dy / m at each of the m elements equal to y"

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        hit = ((x == y) | (x.isnan() & y.isnan())).to(dy.dtype)
        return dy * hit / hit.sum()


class Select(Operation):
    """The largest (or smallest) element along one axis and where it stands; the first of equals, a NaN before all."""

    formula = "dx = dy at the selected element, 0 elsewhere"
    materialize = False  # the indices have no gradient

    @staticmethod
    def forward(ctx, x, axis, keepdim, largest):
        ctx.shape, ctx.axis = x.shape, axis
        if x.ndim == 0:
            ctx.save_for_backward(np.zeros((), np.int64, like=x))
            return x.copy(), ctx._saved[0]
        require_size("max()" if largest else "min()", x.shape, (axis,))
        index = np.expand_dims((np.argmax if largest else np.argmin)(x, axis), axis)
        ctx.save_for_backward(index)
        y = np.take_along_axis(x, index, axis)
        return (y, index) if keepdim else (y.squeeze(axis), index.squeeze(axis))

    @staticmethod
    def backward(ctx, dy, _):
        (index,) = ctx.saved_tensors
        if not ctx.shape:
            return dy
        return zeros(ctx.shape, dtype=dy.dtype, device=dy.device).scatter_add(ctx.axis, index, dy.reshape(index.shape))


@both()
@numpy_names
def amax(input, dim=(), keepdim=False):
    """The largest element over `dim`; equal ones share the gradient (`torch.amax`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).amax(dim=1)
    tensor([2., 4.])
    """
    return _over_axes("amax", input, dim, keepdim, True)


@both()
@numpy_names
def amin(input, dim=(), keepdim=False):
    """The smallest element over `dim`; equal ones share the gradient (`torch.amin`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).amin(dim=1)
    tensor([1., 3.])
    """
    return _over_axes("amin", input, dim, keepdim, False)


def _over_axes(name, input, dim, keepdim, largest):
    shape = input._array.shape
    axes = axes_of(dim, len(shape))
    if input._array.size == 0:
        if dim is None or (not isinstance(dim, (int, np.integer)) and len(dim) == 0):
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                f"with the 'dim' argument.\nhint: the shape is {tuple(shape)}"
            )
        require_size(f"{name}()", shape, axes)
    operation = Extreme if name.startswith("a") else ExtremeOfAll
    return operation.apply(input, axes, keepdim, largest)


@both()
@numpy_names
def max(input, dim=None, keepdim=False, *, other=None):
    """The largest element; with `dim` the named tuple (values, indices) along it; with a tensor for `dim`, `maximum`.

    Source: `torch.max`.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).max()
    tensor(5.)
    >>> minigrad.tensor([[1.0, 5.0], [7.0, 2.0]]).max(dim=1).indices
    tensor([1, 0])
    """
    return _extreme("max", input, dim if other is None else other, keepdim, True, MaxResult)


@both()
@numpy_names
def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest element; with `dim` the named tuple (values, indices) along it; with a tensor for `dim`, `minimum`.

    Source: `torch.min`.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).min()
    tensor(1.)
    """
    return _extreme("min", input, dim if other is None else other, keepdim, False, MinResult)


def _extreme(name, input, dim, keepdim, largest, result):
    if isinstance(dim, Tensor):
        return input.maximum(dim) if largest else input.minimum(dim)
    if dim is None:
        return _over_axes(name, input, None, False, largest)
    return result(*Select.apply(input, check_dim(dim, input.ndim), keepdim, largest))


@both()
@numpy_names
def aminmax(input, *, dim=None, keepdim=False):
    """The named tuple (min, max) over all elements or along `dim`; equal ones share the gradient (`torch.aminmax`).

    >>> import minigrad
    >>> minigrad.aminmax(minigrad.tensor([1.0, 5.0, 2.0]))
    AminmaxResult(min=tensor(1.), max=tensor(5.))
    """
    shape = input._array.shape
    if dim is None and input._array.size == 0:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.\nhint: the "
            f"shape is {tuple(shape)}"
        )
    axes = axes_of(dim, len(shape))
    require_size("aminmax", shape, axes)
    return AminmaxResult(*[Extreme.apply(input, axes, keepdim, largest) for largest in (False, True)])


@both()
@numpy_names
def argmax(input, dim=None, keepdim=False):
    """The index of the (first) largest element, in the flattened tensor or along `dim` (`torch.argmax`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).argmax()
    tensor(1)
    """
    return _index_of_extreme(input, dim, keepdim, np.argmax)


@both()
@numpy_names
def argmin(input, dim=None, keepdim=False):
    """The index of the (first) smallest element, in the flattened tensor or along `dim` (`torch.argmin`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 5.0, 2.0]).argmin()
    tensor(0)
    """
    return _index_of_extreme(input, dim, keepdim, np.argmin)


def _index_of_extreme(input, dim, keepdim, find):
    array = input._array
    if array.dtype == bool:
        raise RuntimeError(f"{find.__name__}(): does not support bool input\nhint: use x.long().{find.__name__}()")
    if dim is None:
        if array.size == 0:
            raise IndexError(
                f"{find.__name__}(): Expected reduction dim to be specified for input.numel() == 0.\nhint: pass dim="
            )
        index = find(array)
        return Tensor._wrap(boxed(index).reshape((1,) * array.ndim if keepdim else ()))
    axis = check_dim(dim, array.ndim)
    if array.ndim == 0:
        return Tensor._wrap(np.zeros((), np.int64, like=array))
    require_size(f"{find.__name__}()", array.shape, (axis,))
    return Tensor._wrap(boxed(find(array, axis=axis, keepdims=keepdim)))
