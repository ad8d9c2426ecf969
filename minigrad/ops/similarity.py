"""How far apart, or how alike in direction, vectors are."""

import numpy as np

from minigrad.autograd import DEVICES, Operation, check_dim, no_grad, placed
from minigrad.autograd.dtypes import TORCH_NAMES, result_type

from .arithmetic import no_broadcast
from .choice import where
from .creation import full_like
from .index import Place
from .registry import function, functional


def _vector_norm(x, p, axis, keepdim):
    """(Σ |x|ᵖ)^(1/p) along an axis. Its gradient at the zero vector is 0."""
    if p == 0:
        return (x != 0).to(x.dtype).sum(axis, keepdim=keepdim)
    if p == 1:
        return x.abs().sum(axis, keepdim=keepdim)
    if abs(p) == np.inf:
        if x._array.shape[axis : axis + 1] == (0,):
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {p} norm on the dimension {axis}because this dimension is "
                "empty and the operation does not have an identity"
            )
        return x.abs().amax(axis, keepdim) if p > 0 else x.abs().amin(axis, keepdim)
    powers = x * x if p == 2 else where(x == 0, 0.0, where(x == 0, 1.0, x.abs()) ** p) if p > 0 else x.abs() ** p
    total = powers.sum(axis, keepdim=keepdim)
    # two conditions: the root has no finite derivative at 0, so it must not see the 0 at all
    root = where(total == 0, 1.0, total)
    return where(total == 0, 0.0, root.sqrt() if p == 2 else root ** (1 / p))


class PDist(Operation):
    """d[i, j] = |x[i] - x[j]| in the p-norm, for all i < j in one row"""

    formula = "dx[i] += dd[i, j] · s, dx[j] -= dd[i, j] · s with s = sign(x[i] - x[j]) · (|x[i] - x[j]| / d[i, j])ᵖ⁻¹"

    @staticmethod
    def forward(ctx, x, p):
        ctx.p = p
        first, second = [placed(places, DEVICES[type(x)]) for places in np.triu_indices(len(x), 1)]
        sizes = np.absolute(x[first] - x[second])
        if p == 0:
            distances = np.minimum(np.ceil(sizes), 1).sum(1)
        elif p == np.inf:
            distances = sizes.max(1, initial=0)
        elif p == 1:
            distances = sizes.sum(1)
        elif p == 2:
            distances = np.sqrt((sizes * sizes).sum(1))
        else:
            distances = (sizes**p).sum(1) ** (1 / p)
        distances = distances.astype(x.dtype, copy=False)
        ctx.save_for_backward(x, distances)
        return distances

    @staticmethod
    def backward(ctx, dd):
        x, distances = ctx.saved_tensors
        first, second = [placed(places, x.device) for places in np.triu_indices(len(x), 1)]
        differences, lengths, p = x[first] - x[second], distances.unsqueeze(1), ctx.p
        if p == 0:
            slopes = full_like(differences, 0)
        elif p == np.inf:
            gap = differences.abs() - lengths  # like PyTorch, each of several largest takes the whole gradient
            slopes = differences.sign() * where(gap == 0, 1.0, where(gap.isnan(), gap, 0.0))
        elif p == 1:
            slopes = where(differences.isnan(), differences, differences.sign())
        else:
            apart = where(lengths == 0, 1.0, lengths)
            sizes = where(differences == 0, 1.0, differences.abs())
            slopes = differences / apart if p == 2 else differences * sizes ** (p - 2) / apart ** (p - 1)
            slopes = where(lengths == 0, 0.0, slopes)
        parts = dd.unsqueeze(1) * slopes
        shape = tuple(x.shape)
        return Place.apply(parts, shape, (first,)) - Place.apply(parts, shape, (second,))


def _broadcast(x1, x2):
    """Both expanded to their common shape."""
    if x1._array.shape == x2._array.shape:
        return x1, x2
    try:
        shape = np.broadcast_shapes(x1._array.shape, x2._array.shape)
    except ValueError:
        raise no_broadcast(x1._array, x2._array) from None
    return x1.expand(*shape), x2.expand(*shape)


@functional
@function
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between `x1` and `x2` along `dim`, broadcast (`torch.nn.functional.cosine_similarity`).

    A vector's norm counts as at least `eps`.

    >>> import minigrad
    >>> cosine_similarity(minigrad.tensor([1.0, 0.0]), minigrad.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)
    """
    dtype = result_type(x1._array, x2._array)
    if dtype.kind != "f":
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {TORCH_NAMES[dtype]}\nhint: use x.float()"
        )
    axis = check_dim(dim, max(x1.ndim, x2.ndim))
    directions = []
    for x in _broadcast(x1.to(dtype), x2.to(dtype)):
        norm = _vector_norm(x, 2, axis, True).clone() if x.ndim else x.abs().clone()
        with no_grad():
            norm.clamp_(min=eps)  # what is too small keeps its gradient, as in PyTorch
        directions.append(x / norm)
    product = directions[0] * directions[1]
    return product.sum(axis) if product.ndim else product


@functional
@function
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of `x1 - x2 + eps` along the last dimension, broadcast (`torch.nn.functional.pairwise_distance`).

    >>> import minigrad
    >>> pairwise_distance(minigrad.tensor([[3.0, 4.0]]), minigrad.zeros(1, 2))
    tensor([5.0000])
    """
    difference = x1 - x2 + eps
    if difference.ndim == 0:
        return _vector_norm(difference.reshape(1), p, 0, keepdim=False)
    return _vector_norm(difference, p, difference.ndim - 1, keepdim)


@functional
@function
def pdist(input, p=2.0):
    """The p-norm distances of every two rows of an (N, M) matrix, (N · (N - 1) / 2,) in the order (0, 1), (0, 2), ...
    (`torch.nn.functional.pdist`).

    >>> import minigrad
    >>> pdist(minigrad.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if input.dtype.kind != "f":
        raise RuntimeError(f"pdist only supports floating-point dtypes\nhint: this tensor is {input.dtype}")
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values\nhint: p is {p}")
    return PDist.apply(input, p)


@function
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances (..., P, R) of every row of (..., P, M) to every row of (..., R, M) (`torch.cdist`).

    The gradient at distance 0 is 0. PyTorch's shortcut by a matrix product, which loses digits, is not taken.

    >>> import minigrad
    >>> cdist(minigrad.tensor([[0.0], [1.0]]), minigrad.tensor([[3.0], [5.0]]))
    tensor([[3., 5.],
            [2., 4.]])
    """
    for place, x in (("X1", x1), ("X2", x2)):
        if x.dtype.kind != "f":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {place} got: {TORCH_NAMES[x.dtype]}")
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {place} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return _vector_norm(difference, p, difference.ndim - 1, keepdim=False)
