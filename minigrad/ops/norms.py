"""Norms of vectors and matrices, under `torch.linalg`'s names. PyTorch's older `norm` and `dist` are in `distance`."""

import math

import numpy as np

from minigrad.autograd import Operation, check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype, boxed, promote_types
from minigrad.kernels import kernels_for

from .choice import where
from .decompositions import svdvals
from .reduction import add_up, axes_of, has_kernel, kept_shape
from .registry import linear_algebra, numpy_names


class VectorNorm(Operation):
    """(Σ |x|ᵖ)^(1/p) over the given axes; p = ±∞ is the extreme of |x|, p = 0 the number of nonzero elements"""

    formula = "dx = dy · x · |x|ᵖ⁻² / yᵖ⁻¹, and 0 where y = 0; for p = ±∞ shared among the extreme elements"

    @staticmethod
    def forward(ctx, x, p, axes, keepdim):
        ctx.p, ctx.axes, ctx.kept = p, axes, kept_shape(x.shape, axes)
        with np.errstate(all="ignore"):
            if p == 0:
                y = np.add.reduce(x != 0, axis=axes, keepdims=keepdim, dtype=x.dtype)
            elif math.isinf(p) or math.prod([x.shape[axis] for axis in axes]) == 1:  # of one element: no overflow
                extreme = np.maximum if p > 0 else np.minimum
                y = extreme.reduce(np.absolute(x), axis=axes, keepdims=keepdim) if axes else np.absolute(x)
            elif p == 1:
                y = add_up(np.absolute(x), axes, keepdim=keepdim)
            elif p == 2:
                if has_kernel(x, axes):
                    y = np.sqrt(kernels_for(x).square_total(x, axes))
                    y = y.reshape(ctx.kept) if keepdim else y
                else:
                    y = np.sqrt(add_up(np.square(x), axes, keepdim=keepdim))
            else:
                powers = np.power(np.absolute(x), x.dtype.type(p))
                y = np.power(add_up(powers, axes, keepdim=keepdim), x.dtype.type(1 / p))
        y = boxed(y)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        p, y, dy = ctx.p, y.reshape(ctx.kept), dy.reshape(ctx.kept)
        if p == 0:
            return None
        if p == 1:
            return x.sign() * dy
        if p == 2:
            return dy * where(y == 0, 0.0, x / y)
        if math.isinf(p):
            chosen = (x.abs() == y) | x.isnan()
            return x.sign() * (dy / chosen.sum(ctx.axes, keepdim=True) * chosen)
        if p < 1:
            return x.sign() * where(x == 0, 0.0, x.abs() ** (p - 1)) * dy * y ** (1 - p)
        scale = where(y == 0, 0.0, dy * y ** (1 - p))
        return (x.sign() * x.abs() ** (p - 1) if p < 2 else x * x.abs() ** (p - 2)) * scale


def _floating(name, input, dtype):
    """The tensor in the dtype in which its norm is to be taken."""
    own = input._array.dtype
    if own.kind != "f":
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got {TORCH_NAMES[own]}\nhint: use "
            "x.float()"
        )
    if dtype is None:
        return input
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise RuntimeError(f"linalg.{name}: dtype should be floating point or complex, but got {TORCH_NAMES[dtype]}")
    if promote_types(own, dtype) != dtype:
        raise RuntimeError(
            f"linalg.{name}: the dtype of the input ({TORCH_NAMES[own]}) should be convertible without narrowing to "
            f"the specified dtype ({TORCH_NAMES[dtype]})"
        )
    return input.to(dtype)


@linear_algebra
@numpy_names
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The `ord`-norm of all elements, or of the vectors along `dim`, an int or several (`torch.linalg.vector_norm`).

    `ord` is any number, ±inf among them; the gradient at a zero vector is 0.

    >>> import minigrad
    >>> vector_norm(minigrad.tensor([3.0, -4.0]))
    tensor(5.)
    """
    if not isinstance(ord, (int, float, np.number)):
        raise TypeError(
            f"linalg_vector_norm(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}\nhint: "
            "matrix_norm takes names such as 'fro'"
        )
    x = _floating("vector_norm", x, dtype)
    shape, p = x._array.shape, float(ord)
    axes = axes_of(dim, len(shape))
    if x._array.size == 0 and (p < 0 or math.isinf(p)):
        shown = "inf" if p == math.inf else "-inf" if p == -math.inf else f"{p:g}"
        if dim is None or len(axes) == len(shape):
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {shown} norm on an empty tensor because the operation does "
                f"not have an identity\nhint: the shape is {tuple(shape)}"
            )
        for axis in axes:
            if shape[axis] == 0:
                raise RuntimeError(
                    f"linalg.vector_norm cannot compute the {shown} norm on the dimension {axis}because this "
                    f"dimension is empty and the operation does not have an identity\nhint: the shape is {tuple(shape)}"
                )
    return VectorNorm.apply(x, p, axes, keepdim)


@linear_algebra
@numpy_names
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of the matrices in the two dimensions `dim` (`torch.linalg.matrix_norm`).

    `ord` is "fro" (root of the sum of squares), "nuc" (sum of the singular values), ±2 (largest, smallest singular
    value), ±1 (largest, smallest sum of a column's absolute values) or ±inf (of a row's).

    >>> import minigrad
    >>> matrix_norm(minigrad.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1)
    tensor(6.)
    """
    A = _floating("matrix_norm", A, None)
    if A.ndim < 2:
        raise RuntimeError(
            f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions.\nhint: it has {A.ndim}"
        )
    dims = (dim,) if isinstance(dim, (int, np.integer)) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    row, column = (check_dim(d, A.ndim) for d in dims)
    if row == column:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})")
    if ord not in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(
            f"linalg.matrix_norm: Order {ord} not supported.\nhint: it is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"
        )
    if ord == "fro":
        return vector_norm(A, 2, (row, column), keepdim, dtype=dtype)
    A = _floating("matrix_norm", A, dtype)
    largest = ord == "nuc" or ord > 0
    if ord in ("nuc", 2, -2):
        others = [d for d in range(A.ndim) if d not in (row, column)]
        values = svdvals(A.permute(*others, row, column))
        axis = -1
    else:
        added, axis = (row, column) if abs(ord) == 1 else (column, row)
        values = vector_norm(A, 1, added, True)
    if values.shape[axis] == 0 and largest:
        result = values.sum(axis, keepdim=True)  # the norm of a matrix without elements is 0
    else:
        result = (
            values.sum(axis, keepdim=True)
            if ord == "nuc"
            else getattr(values, "amax" if largest else "amin")(axis, keepdim=True)
        )
    kept = kept_shape(A._array.shape, (row, column))
    return result.reshape(kept if keepdim else [n for d, n in enumerate(kept) if d not in (row, column)])


@linear_algebra
@numpy_names
def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """A vector norm or a matrix norm, by the number of dimensions (`torch.linalg.norm`).

    Without `ord` it is the 2-norm of all elements, or of those along `dim`; with it `vector_norm` along one dimension,
    `matrix_norm` over two.

    >>> import minigrad
    >>> norm(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]]), "nuc")
    tensor(7.)
    """
    dims = None if dim is None else (dim,) if isinstance(dim, (int, np.integer)) else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if dims is None and ord is not None and A.ndim not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    dims = tuple(range(A.ndim)) if dims is None else dims
    if len(dims) == 2 or isinstance(ord, str):
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)
