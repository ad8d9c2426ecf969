"""What all views have in common: their adjoint, and a tensor in which a view is replaced; and the plainest view."""

import numpy as np

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .creation import zeros


class Slice(Operation):
    """x[...] with whole numbers, slices, None and ... : a view"""

    formula = "dx = dy in the chosen places, 0 elsewhere"
    is_view = True

    @staticmethod
    def forward(ctx, x, index):
        ctx.shape, ctx.index = x.shape, index
        return x[(*index, ...)] if Ellipsis not in index else x[index]

    @staticmethod
    def backward(ctx, dy):
        return Unview.apply(dy, ctx.shape, Slice, ctx.index)


class Unview(Operation):
    """Zeros of a shape, to which x is added where a view lies: the adjoint of the view"""

    formula = "dx = the view of dy"

    @staticmethod
    def forward(ctx, x, shape, view, *settings):
        ctx.view, ctx.settings = view, settings
        alike = view is Slice and x.ndim == len(shape)  # then channels-last stays so
        y = np.zeros_like(x, shape=shape) if alike else np.zeros(shape, x.dtype, like=x)
        if not getattr(view, "overlaps", False):
            view.forward(view(), y, *settings)[...] = x
            return y
        places = view.forward(view(), np.arange(y.size, like=x).reshape(shape), *settings)
        return scatter_add(x.reshape(-1, 1), places.reshape(-1), y.size).reshape(shape)

    @staticmethod
    def backward(ctx, dy):
        return ctx.view.apply(dy, *ctx.settings)


class Replace(Operation):
    """x with v where a view lies"""

    formula = "dx = dy with 0 in the view, dv = the view of dy"

    @staticmethod
    def forward(ctx, x, v, view, *settings):
        ctx.view, ctx.settings = view, settings
        y = x.copy(order="K")
        view.forward(view(), y, *settings)[...] = v
        return y

    @staticmethod
    def backward(ctx, dy):
        needs_x, needs_v, *_ = ctx.needs_input_grad
        dx = (
            Replace.apply(dy, zeros((), dtype=dy.dtype, device=dy.device), ctx.view, *ctx.settings) if needs_x else None
        )
        return dx, ctx.view.apply(dy, *ctx.settings) if needs_v else None


def replaced(input, src, view, *settings):
    """A copy of `input` with `src`, which must be of its shape, in place of a view."""
    part = view.forward(view(), input._array, *settings).shape
    if src._array.shape != part:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(part)}"
        )
    return Replace.apply(input, src, view, *settings)


def wide(x):
    """`x` in a dtype that the kernels which pick and place know: whole numbers as int64."""
    return x if x.dtype.kind == "f" else x.astype(np.int64, copy=False)


def scatter_add(x, index, rows):
    """(rows, D) zeros to which the rows of `x` (M, D) of any dtype are added at `index` (M,)."""
    return kernels_for(x).scatter_add_rows(wide(x), index, rows).astype(x.dtype, copy=False)
