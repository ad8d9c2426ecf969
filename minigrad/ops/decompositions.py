"""Decompositions of matrices on LAPACK, through NumPy, and determinants.

All work on batches: the matrices are in the last two dimensions. Results of degenerate problems (equal singular values
or eigenvalues, signs of vectors) are as LAPACK leaves them, and their gradients are as undefined as in PyTorch.
"""

from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation
from minigrad.autograd.dtypes import boxed

from .choice import where
from .creation import tensor
from .linear_systems import LinAlgError, inv, require_matrices
from .registry import both, linear_algebra
from .sequences import eye

EighResult = namedtuple("EighResult", ["eigenvalues", "eigenvectors"])
QrResult = namedtuple("QrResult", ["Q", "R"])
SlogdetResult = namedtuple("SlogdetResult", ["sign", "logabsdet"])
SvdResult = namedtuple("SvdResult", ["U", "S", "Vh"])


class Det(Operation):
    """y = det X"""

    formula = "dX = dy · (the cofactors of X), which is dy · y · X⁻ᵀ where X has an inverse"

    @staticmethod
    def forward(ctx, x):
        y = boxed(np.linalg.det(x))
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        dy = dy.unsqueeze(-1).unsqueeze(-1)
        if y._array.all():
            return dy * y.unsqueeze(-1).unsqueeze(-1) * inv(x).mT
        U, S, Vh = svd(x, full_matrices=False)
        n = x.shape[-1]
        # the product of the other singular values, exact where some are 0: ones on the diagonal of n copies
        others = where(eye(n, dtype=np.dtype(bool), device=x.device), 1.0, S.unsqueeze(-2).expand(*S.shape, n)).prod(-1)
        sign = (Det.apply(U) * Det.apply(Vh)).detach().unsqueeze(-1).unsqueeze(-1)
        return dy * sign * (U * others.unsqueeze(-2)) @ Vh


class LogDet(Operation):
    """(sign, log |det X|)"""

    formula = "dX = dy · X⁻ᵀ"
    materialize = False  # the sign has no gradient

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        sign, y = np.linalg.slogdet(x)
        return boxed(sign), boxed(y)

    @staticmethod
    def backward(ctx, _, dy):
        (x,) = ctx.saved_tensors
        return None if dy is None else dy.unsqueeze(-1).unsqueeze(-1) * inv(x).mT


def _lower(x):
    """The mask of x's lower triangle with its diagonal halved: 1 below, 1/2 on it, 0 above."""
    n, dtype = x.shape[-1], x.dtype
    return tensor(np.tril(np.ones((n, n), dtype)) - 0.5 * np.eye(n, dtype=dtype), device=x.device)


class Cholesky(Operation):
    """L, lower triangular, with L · Lᵀ = A"""

    formula = "dA = sym(L⁻ᵀ · Φ(Lᵀ · dL) · L⁻¹), Φ being the lower triangle with its diagonal halved"

    @staticmethod
    def forward(ctx, a):
        try:
            y = np.linalg.cholesky(a)
        except np.linalg.LinAlgError:
            index, order = _first_indefinite(a)
            element = "" if index is None else f"(Batch element {index}): "
            raise LinAlgError(
                f"linalg.cholesky: {element}The factorization could not be completed because the input is not "
                f"positive-definite (the leading minor of order {order} is not positive-definite)."
            ) from None
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        inverse = inv(y)
        half = inverse.mT @ ((y.mT @ dy) * _lower(y)) @ inverse
        return (half + half.mT) / 2


def _first_indefinite(a):
    """(batch index or None, order from 1) of the first leading minor that is not positive."""
    orders = range(1, a.shape[-1] + 1)
    lowest = np.stack([np.linalg.eigvalsh(a[..., :order, :order])[..., 0].reshape(-1) for order in orders], 1)
    index = int(np.argmax((lowest <= 0).any(1)))
    return (index if a.ndim > 2 else None), int(np.argmax(lowest[index] <= 0)) + 1


class Svd(Operation):
    """U, S, Vᴴ with U · diag(S) · Vᴴ = A, S falling"""

    formula = (
        "dA = U · [(skew(Uᵀ dU) / E) S + S (skew(Vᵀ dV) / E) + diag(dS)] · Vᵀ, Eᵢⱼ = Sⱼ² - Sᵢ², and what lies outside "
        "the span of U or V over S"
    )
    materialize = False

    @staticmethod
    def forward(ctx, a, full):
        try:
            u, s, vh = np.linalg.svd(a, full_matrices=full)
        except np.linalg.LinAlgError:
            raise LinAlgError(
                "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."
            ) from None
        ctx.save_for_backward(u, s, vh)
        return u, s, vh

    @staticmethod
    def backward(ctx, du, ds, dvh):
        u, s, vh = ctx.saved_tensors
        m, n = u.shape[-2], vh.shape[-1]
        k = s.shape[-1]
        u, vh = u.narrow(-1, 0, k), vh.narrow(-2, 0, k)
        middle = None
        identity = eye(k, dtype=s.dtype, device=s.device)
        if ds is not None:
            middle = ds.unsqueeze(-1) * identity
        if du is not None or dvh is not None:
            squares = s * s
            e = squares.unsqueeze(-2) - squares.unsqueeze(-1) + identity  # the diagonal is divided by 1, of zeros
            if du is not None:
                du = du.narrow(-1, 0, k)
                inner = u.mT @ du
                term = (inner - inner.mT) / e * s.unsqueeze(-2)
                middle = term if middle is None else middle + term
            if dvh is not None:
                dv = dvh.narrow(-2, 0, k).mT
                inner = vh @ dv
                term = s.unsqueeze(-1) * ((inner - inner.mT) / e)
                middle = term if middle is None else middle + term
        if middle is None:
            return None
        da = u @ middle @ vh
        if du is not None and m > k:
            outside = du / s.unsqueeze(-2)
            da = da + (outside - u @ (u.mT @ outside)) @ vh
        if dvh is not None and n > k:
            outside = dvh.narrow(-2, 0, k) / s.unsqueeze(-1)
            da = da + u @ (outside - (outside @ vh.mT) @ vh)
        return da


class Eigh(Operation):
    """w, V with V · diag(w) · Vᵀ = A for a symmetric A, of which one triangle is read; w rising"""

    formula = "dA = V · [diag(dw) + skew(Vᵀ dV) / 2E] · Vᵀ, Eᵢⱼ = wⱼ - wᵢ off the diagonal"
    materialize = False

    @staticmethod
    def forward(ctx, a, triangle):
        w, v = np.linalg.eigh(a, triangle)
        ctx.save_for_backward(w, v)
        return w, v

    @staticmethod
    def backward(ctx, dw, dv):
        w, v = ctx.saved_tensors
        identity = eye(w.shape[-1], dtype=w.dtype, device=w.device)
        middle = None if dw is None else dw.unsqueeze(-1) * identity
        if dv is not None:
            turn = v.mT @ dv  # only its skew part moves V among orthogonal matrices
            inner = (turn - turn.mT) / 2 / (w.unsqueeze(-2) - w.unsqueeze(-1) + identity)
            middle = inner if middle is None else middle + inner
        return None if middle is None else v @ middle @ v.mT


class Qr(Operation):
    """Q with orthonormal columns and R upper triangular with Q · R = A"""

    formula = "dA = [dQ + Q · copyltu(R · dRᵀ - dQᵀ · Q)] · R⁻ᵀ, copyltu being the lower triangle, mirrored"

    @staticmethod
    def forward(ctx, a, mode):
        q, r = np.linalg.qr(a, mode)
        ctx.mode = mode
        ctx.save_for_backward(a, q, r)
        return q, r

    @staticmethod
    def backward(ctx, dq, dr):
        a, q, r = ctx.saved_tensors
        m, n = a.shape[-2:]
        if ctx.mode == "complete" and m > n:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.\nhint: the "
                f"matrices are {m} by {n}; use mode='reduced'"
            )
        if m >= n:
            return _qr_grad(q, r, dq, dr)
        # A = [X | Y], X square: X = Q · U and Y = Q · V with R = [U | V]
        dv = dr.narrow(-1, m, n - m)
        y = a.narrow(-1, m, n - m)
        dx = _qr_grad(q, r.narrow(-1, 0, m), dq + y @ dv.mT, dr.narrow(-1, 0, m))
        return _joined(dx, q @ dv)


def _qr_grad(q, r, dq, dr):
    """The gradient of a decomposition with square R."""
    inner = r @ dr.mT - dq.mT @ q
    half = inner * _lower(r)
    return (dq + q @ (half + half.mT)) @ inv(r).mT


def _joined(x, y):
    """[x | y], written with products so that it can be differentiated: each part is placed by a constant matrix."""
    n, m = x.shape[-1], y.shape[-1]
    places = np.eye(n + m, dtype=x.dtype)
    return x @ tensor(places[:n], device=x.device) + y @ tensor(places[n:], device=x.device)


@linear_algebra
@both()
def det(A):
    """The determinants of square matrices (`torch.linalg.det`).

    >>> import minigrad
    >>> det(minigrad.tensor([[2.0, 1.0], [0.0, 4.0]]))
    tensor(8.)
    """
    require_matrices("det", A, square=True)
    return Det.apply(A)


@linear_algebra
@both()
def slogdet(A):
    """The named tuple (sign, logabsdet) of the determinants of square matrices (`torch.linalg.slogdet`).

    >>> import minigrad
    >>> slogdet(minigrad.tensor([[-1.0, 0.0], [0.0, 1.0]])).sign
    tensor(-1.)
    """
    require_matrices("slogdet", A, square=True)
    return SlogdetResult(*LogDet.apply(A))


@linear_algebra
def cholesky(A, *, upper=False):
    """L, lower triangular, with `L @ L.T = A` for positive-definite A; its transpose with `upper`.

    Source: `torch.linalg.cholesky`.

    >>> import minigrad
    >>> cholesky(minigrad.tensor([[4.0, 0.0], [0.0, 9.0]]))
    tensor([[2., 0.],
            [0., 3.]])
    """
    require_matrices("cholesky", A, square=True)
    L = Cholesky.apply(A)
    return L.mT if upper else L


@linear_algebra
def qr(A, mode="reduced"):
    """The named tuple (Q, R) with `Q @ R = A`; `mode` is "reduced", "complete" or "r" (no Q) (`torch.linalg.qr`).

    >>> import minigrad
    >>> Q, R = qr(minigrad.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> Q @ R
    tensor([[0., 1.],
            [2., 0.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    require_matrices("qr", A)
    if mode == "r":
        return QrResult(tensor(np.empty(0, A.dtype), device=A.device), Qr.apply(A, "reduced")[1])
    return QrResult(*Qr.apply(A, mode))


@linear_algebra
def svd(A, full_matrices=True):
    """The named tuple (U, S, Vh) with `U @ diag(S) @ Vh = A`, S falling (`torch.linalg.svd`).

    Without `full_matrices` U and Vh have only the min(m, n) columns and rows that count.

    >>> import minigrad
    >>> svd(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    require_matrices("svd", A)
    return SvdResult(*Svd.apply(A, full_matrices))


@linear_algebra
def svdvals(A):
    """The singular values, falling (`torch.linalg.svdvals`).

    >>> import minigrad
    >>> svdvals(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    require_matrices("svd", A)
    return Svd.apply(A, False)[1]


@linear_algebra
def eigh(A, UPLO="L"):
    """The named tuple (eigenvalues, eigenvectors) of symmetric matrices, of which one triangle is read.

    Source: `torch.linalg.eigh`.

    >>> import minigrad
    >>> eigh(minigrad.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    require_matrices("eigh", A, square=True)
    return EighResult(*Eigh.apply(A, UPLO.upper()))


@linear_algebra
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of symmetric matrices, rising (`torch.linalg.eigvalsh`).

    >>> import minigrad
    >>> eigvalsh(minigrad.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return eigh(A, UPLO).eigenvalues
