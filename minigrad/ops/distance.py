"""Norms and distances under PyTorch's older names, outside `linalg`."""

import numpy as np

from minigrad.autograd import check_dim
from minigrad.autograd.dtypes import TORCH_NAMES, promote_types

from .choice import where
from .norms import matrix_norm, vector_norm
from .registry import both, numpy_names


@both()
@numpy_names
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The `p`-norm of all elements or along `dim`; "fro" is 2, "nuc" a matrix's nuclear norm (`torch.norm`).

    >>> import minigrad
    >>> minigrad.norm(minigrad.tensor([3.0, -4.0]))
    tensor(5.)
    """
    dims = None if dim is None else (dim,) if isinstance(dim, (int, np.integer)) else tuple(dim)
    if p == "fro" and (dims is None or len(dims) <= 2):
        return vector_norm(input, 2, dims, keepdim, dtype=dtype)
    if isinstance(p, str):
        return matrix_norm(input, p, range(input.ndim) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p is None else p, dims, keepdim, dtype=dtype)


@both()
def dist(input, other, p=2):
    """The `p`-norm of `input - other`, which broadcast (`torch.dist`).

    >>> import minigrad
    >>> minigrad.dist(minigrad.tensor([1.0, 2.0]), minigrad.tensor([4.0, 6.0]))
    tensor(5.)
    """
    dtype = promote_types(input._array.dtype, other._array.dtype)
    if dtype.kind != "f":
        raise RuntimeError(
            f"norm(): input dtype should be either floating point or complex. Got {TORCH_NAMES[dtype]} instead.\nhint: "
            "use x.float()"
        )
    return vector_norm(input - other, p)


@both(inplace=True)
def renorm(input, p, dim, maxnorm):
    """The slices along `dim`, those whose `p`-norm is above `maxnorm` scaled down to it (`torch.renorm`).

    >>> import minigrad
    >>> minigrad.renorm(minigrad.tensor([[3.0, 4.0], [0.3, 0.4]]), p=2, dim=0, maxnorm=1)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    axis = check_dim(dim, input.ndim)
    sizes = vector_norm(input, p, [other for other in range(input.ndim) if other != axis], True)
    return input * where(sizes > maxnorm, maxnorm / (sizes + 1e-7), 1.0)
