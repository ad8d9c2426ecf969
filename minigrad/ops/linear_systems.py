"""Linear algebra on LAPACK, through NumPy: inverses, determinants, decompositions, cross products, powers.

All work on batches: the matrices are in the last two dimensions. Results of degenerate problems (equal singular values
or eigenvalues, signs of vectors) are as LAPACK leaves them, and their gradients are as undefined as in PyTorch.
"""

from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation, check_dim, result_type
from minigrad.autograd.dtypes import TORCH_NAMES

from .choice import where
from .creation import tensor
from .inplace import Overwrite
from .matrix import matmul
from .registry import both, linear_algebra, numpy_names
from .sequences import eye

EighResult = namedtuple("EighResult", ["eigenvalues", "eigenvectors"])
QrResult = namedtuple("QrResult", ["Q", "R"])
SlogdetResult = namedtuple("SlogdetResult", ["sign", "logabsdet"])
SvdResult = namedtuple("SvdResult", ["U", "S", "Vh"])


@linear_algebra
class LinAlgError(RuntimeError):
    """A matrix that has no inverse, no such decomposition, or numbers that are not finite (`torch.linalg.LinAlgError`).

    >>> import minigrad
    >>> try:
    ...     minigrad.linalg.inv(minigrad.zeros(2, 2))
    ... except LinAlgError as error:
    ...     print(str(error).split(",")[0])
    linalg.inv: The diagonal element 1 is zero
    """


def _check(name, A, square=False):
    """PyTorch's errors for what is no batch of (square) matrices of floating-point numbers."""
    if A.ndim < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.\nhint: it has {A.ndim}")
    n, m = A.shape[-2:]
    if square and n != m:
        raise RuntimeError(f"linalg.{name}: A must be batches of square matrices, but they are {n} by {m} matrices")
    if A._array.dtype.kind != "f":
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got "
            f"{TORCH_NAMES[A._array.dtype]}\nhint: use x.float()"
        )


def _first_singular(a):
    """(batch index or None, place from 1) of the first zero pivot in a batch of matrices."""
    batch = a.reshape(-1, *a.shape[-2:])
    for index, matrix in enumerate(batch):
        upper = matrix.astype(np.float64)
        for place in range(len(upper)):
            pivot = place + np.abs(upper[place:, place]).argmax()
            if upper[pivot, place] == 0:
                return (index if a.ndim > 2 else None), place + 1
            upper[[place, pivot]] = upper[[pivot, place]]
            upper[place + 1 :, place:] -= np.outer(
                upper[place + 1 :, place] / upper[place, place], upper[place, place:]
            )
    return None, a.shape[-1]


class Inverse(Operation):
    """Y = X⁻¹"""

    formula = "dX = -Yᵀ · dY · Yᵀ"

    @staticmethod
    def forward(ctx, x):
        try:
            y = np.linalg.inv(x)
        except np.linalg.LinAlgError:
            index, place = _first_singular(x)
            element = "" if index is None else f"(Batch element {index}): "
            raise LinAlgError(
                f"linalg.inv: {element}The diagonal element {place} is zero, the inversion could not be completed "
                "because the input matrix is singular."
            ) from None
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return -(y.mT @ dy @ y.mT)


class Solve(Operation):
    """X with A · X = B"""

    formula = "dB = A⁻ᵀ · dX, dA = -dB · Xᵀ"

    @staticmethod
    def forward(ctx, a, b):
        try:
            x = np.linalg.solve(a, b)
        except np.linalg.LinAlgError:
            raise LinAlgError("torch.linalg.solve: The solver failed because the input matrix is singular.") from None
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx, dx):
        a, x = ctx.saved_tensors
        db = Solve.apply(a.mT, dx)
        return (-(db @ x.mT) if ctx.needs_input_grad[0] else None), db


class Det(Operation):
    """y = det X"""

    formula = "dX = dy · (the cofactors of X), which is dy · y · X⁻ᵀ where X has an inverse"

    @staticmethod
    def forward(ctx, x):
        y = np.asarray(np.linalg.det(x))
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
        others = where(eye(n, dtype=np.dtype(bool)), 1.0, S.unsqueeze(-2).expand(*S.shape, n)).prod(-1)
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
        return np.asarray(sign), np.asarray(y)

    @staticmethod
    def backward(ctx, _, dy):
        (x,) = ctx.saved_tensors
        return None if dy is None else dy.unsqueeze(-1).unsqueeze(-1) * inv(x).mT


def _lower(n, dtype):
    """The mask of a lower triangle with its diagonal halved: 1 below, 1/2 on it, 0 above."""
    return tensor(np.tril(np.ones((n, n), dtype)) - 0.5 * np.eye(n, dtype=dtype))


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
        half = inverse.mT @ ((y.mT @ dy) * _lower(y.shape[-1], y.dtype)) @ inverse
        return (half + half.mT) / 2


def _first_indefinite(a):
    """(batch index or None, order from 1) of the first leading minor that is not positive."""
    batch = a.reshape(-1, *a.shape[-2:])
    for index, matrix in enumerate(batch):
        for order in range(1, len(matrix) + 1):
            try:
                np.linalg.cholesky(matrix[:order, :order])
            except np.linalg.LinAlgError:
                return (index if a.ndim > 2 else None), order
    return None, a.shape[-1]


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
        identity = eye(k, dtype=s.dtype)
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
        identity = eye(w.shape[-1], dtype=w.dtype)
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
    half = inner * _lower(r.shape[-1], r.dtype)
    return (dq + q @ (half + half.mT)) @ inv(r).mT


def _joined(x, y):
    """[x | y], written with products so that it can be differentiated: each part is placed by a constant matrix."""
    n, m = x.shape[-1], y.shape[-1]
    places = np.eye(n + m, dtype=x.dtype)
    return x @ tensor(places[:n]) + y @ tensor(places[n:])


@linear_algebra
def inv(A):
    """The inverses of square matrices; singular ones are a LinAlgError (`torch.linalg.inv`).

    >>> import minigrad
    >>> inv(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    _check("inv", A, square=True)
    return Inverse.apply(A)


@both()
def inverse(input):
    """The inverses of square matrices, `linalg.inv` (`torch.inverse`).

    >>> import minigrad
    >>> minigrad.inverse(minigrad.tensor([[2.0]]))
    tensor([[0.5000]])
    """
    return inv(input)


@linear_algebra
def solve(A, B, *, left=True):
    """X with `A @ X = B`, or `X @ A = B` without `left`; B is a vector, a matrix or a batch (`torch.linalg.solve`).

    >>> import minigrad
    >>> solve(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]), minigrad.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    _check("solve", A, square=True)
    if A._array.dtype != B._array.dtype:
        raise RuntimeError(
            f"linalg.solve: Expected A and B to have the same dtype, but found A of type {TORCH_NAMES[A._array.dtype]}"
            f" and B of type {TORCH_NAMES[B._array.dtype]} instead"
        )
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))
    matrix = B.unsqueeze(-1) if vector else B
    if matrix.shape[-2 if left or vector else -1] != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {matrix.shape[-2]}x{matrix.shape[-1]})"
        )
    if not left and not vector:
        return solve(A.mT, matrix.mT).mT
    batch = np.broadcast_shapes(A.shape[:-2], matrix.shape[:-2])
    x = Solve.apply((A if left else A.mT).expand(*batch, *A.shape[-2:]), matrix.expand(*batch, *matrix.shape[-2:]))
    return x.squeeze(-1) if vector else x


@linear_algebra
@both()
def det(A):
    """The determinants of square matrices (`torch.linalg.det`).

    >>> import minigrad
    >>> det(minigrad.tensor([[2.0, 1.0], [0.0, 4.0]]))
    tensor(8.)
    """
    _check("det", A, square=True)
    return Det.apply(A)


@linear_algebra
@both()
def slogdet(A):
    """The named tuple (sign, logabsdet) of the determinants of square matrices (`torch.linalg.slogdet`).

    >>> import minigrad
    >>> slogdet(minigrad.tensor([[-1.0, 0.0], [0.0, 1.0]])).sign
    tensor(-1.)
    """
    _check("slogdet", A, square=True)
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
    _check("cholesky", A, square=True)
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
    _check("qr", A)
    if mode == "r":
        return QrResult(tensor(np.empty(0, A.dtype)), Qr.apply(A, "reduced")[1])
    return QrResult(*Qr.apply(A, mode))


@linear_algebra
def svd(A, full_matrices=True):
    """The named tuple (U, S, Vh) with `U @ diag(S) @ Vh = A`, S falling (`torch.linalg.svd`).

    Without `full_matrices` U and Vh have only the min(m, n) columns and rows that count.

    >>> import minigrad
    >>> svd(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    _check("svd", A)
    return SvdResult(*Svd.apply(A, full_matrices))


@linear_algebra
def svdvals(A):
    """The singular values, falling (`torch.linalg.svdvals`).

    >>> import minigrad
    >>> svdvals(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    _check("svd", A)
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
    _check("eigh", A, square=True)
    return EighResult(*Eigh.apply(A, UPLO.upper()))


@linear_algebra
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of symmetric matrices, rising (`torch.linalg.eigvalsh`).

    >>> import minigrad
    >>> eigvalsh(minigrad.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return eigh(A, UPLO).eigenvalues


@linear_algebra
@both()
def matrix_power(A, n):
    """The `n`-th powers of square matrices by repeated squaring; negative ones of the inverse (`torch.matrix_power`).

    >>> import minigrad
    >>> minigrad.matrix_power(minigrad.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    if A.ndim < 2:
        raise RuntimeError(
            f"linalg.matrix_power: The input tensor A must have at least 2 dimensions.\nhint: it has {A.ndim}"
        )
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{A.shape[-2]} by {A.shape[-1]} matrices"
        )
    if n < 0:
        A, n = inv(A), -n
    if n == 0:
        return Overwrite.apply(A, eye(A.shape[-1], dtype=A.dtype))
    result = None
    while n:
        if n % 2:
            result = A if result is None else matmul(result, A)
        n //= 2
        A = matmul(A, A) if n else A
    return result


@linear_algebra
@numpy_names
def cross(input, other, *, dim=-1):
    """The cross products of the vectors along `dim`, of size 3, with broadcasting (`torch.linalg.cross`).

    >>> import minigrad
    >>> cross(minigrad.tensor([1.0, 0.0, 0.0]), minigrad.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = check_dim(dim, input.ndim)
    if input.ndim == 0 or not input.shape[axis] == other.shape[axis] == 3:
        sizes = [x.shape[axis] if x.ndim else 1 for x in (input, other)]
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes[0]} and {sizes[1]}")

    def turned(x, by):
        return x.index_select(axis, tensor([by % 3, (by + 1) % 3, (by + 2) % 3]))

    # every component comes from the other two: moved round by one place and by two
    return turned(input, 1) * turned(other, 2) - turned(input, 2) * turned(other, 1)


@linear_algebra
@numpy_names
def vecdot(x, y, *, dim=-1):
    """The inner products along `dim`, with broadcasting of the others (`torch.linalg.vecdot`).

    >>> import minigrad
    >>> vecdot(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.ones(2))
    tensor([3., 7.])
    """
    return (x * y).sum(dim, dtype=result_type(x._array, y._array))
