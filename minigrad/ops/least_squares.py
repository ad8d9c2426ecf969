"""Linear algebra beyond one square system: pseudo-inverses, least squares, rank, condition, triangular systems.

All are made of `decompositions` and `linear_systems`; the old names of decompositions (`torch.svd`) are here too.
"""

import math
from collections import namedtuple

import numpy as np

from minigrad.autograd import Operation
from minigrad.autograd.dtypes import TORCH_NAMES

from .choice import where
from .creation import tensor
from .decompositions import cholesky as _cholesky
from .decompositions import eigvalsh, slogdet, svdvals
from .decompositions import qr as _qr
from .decompositions import svd as _svd
from .linear_systems import inv, require_matrices, solve
from .matrix import matmul as _matmul
from .norms import matrix_norm
from .registry import both, functions, linear_algebra
from .sequences import eye

LstsqResult = namedtuple("LstsqResult", ["solution", "residuals", "rank", "singular_values"])
OldSvdResult = namedtuple("OldSvdResult", ["U", "S", "V"])


class PseudoInverse(Operation):
    """Y = X⁺"""

    formula = "dX = -Yᵀ·dY·Yᵀ + (1 - X·Y)·dYᵀ·Y·Yᵀ + Yᵀ·Y·dYᵀ·(1 - Y·X)"  # Golub and Pereyra 1973

    @staticmethod
    def forward(ctx, x, limit):
        y = np.linalg.pinv(x, rcond=limit)
        ctx.limit = limit
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        y = PseudoInverse.apply(x, ctx.limit)
        m, n = x.shape[-2:]
        left = (eye(m, dtype=x.dtype, device=x.device) - x @ y) @ dy.mT @ y @ y.mT
        right = y.mT @ y @ dy.mT @ (eye(n, dtype=x.dtype, device=x.device) - y @ x)
        return left + right - y.mT @ dy @ y.mT


def _relative_limit(A, rtol):
    """The part of the largest singular value below which others count as 0."""
    return max(A.shape[-2:]) * float(np.finfo(A.dtype).eps) if rtol is None else rtol


@linear_algebra
def pinv(A, *, rtol=None, hermitian=False):
    """The pseudo-inverses of matrices, (..., N, M) of (..., M, N) (`torch.linalg.pinv`).

    Singular values up to `rtol` times the largest count as 0; `hermitian` promises symmetry and changes nothing here.

    >>> import minigrad
    >>> pinv(minigrad.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    if A.ndim < 2 or A.dtype.kind != "f":
        raise RuntimeError(
            f"linalg.pinv({TORCH_NAMES[A.dtype]}{{{list(A.shape)}}}): expected a tensor with 2 or more dimensions of "
            "float, double, cfloat or cdouble types"
        )
    require_matrices("pinv", A, square=hermitian)
    return PseudoInverse.apply(A, _relative_limit(A, rtol))


@both()
def pinverse(input, rcond=1e-15):
    """The old name of `linalg.pinv` (`torch.pinverse`).

    >>> import minigrad
    >>> minigrad.pinverse(minigrad.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    return pinv(input, rtol=rcond)


@linear_algebra
def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values) of the least-squares problem |A·X - B|, A of full rank.

    `B` is a matrix, or a batch of vectors or of matrices as A is of matrices. The residuals are there where A has more
    rows than columns, the rank unless `driver` is "gels", the singular values for "gelsd" and "gelss".
    Source: `torch.linalg.lstsq`.

    >>> import minigrad
    >>> lstsq(minigrad.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), minigrad.tensor([[1.0], [2.0], [3.0]])).solution
    tensor([[1.0000],
            [1.0000]])
    """
    require_matrices("lstsq", A)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    vector = B.ndim == A.ndim - 1
    matrix = B.unsqueeze(-1) if vector else B
    if matrix.shape[-2] != A.shape[-2]:
        raise RuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size(-{1 if vector else 2})\nhint: A is "
            f"{list(A.shape)}, B {list(B.shape)}"
        )
    limit = _relative_limit(A, rcond)
    solution = PseudoInverse.apply(A, limit) @ matrix
    none = tensor(np.empty(0, A.dtype), device=A.device)
    rank = none.long() if driver == "gels" else matrix_rank(A.detach(), rtol=limit)
    overdetermined = A.shape[-2] > A.shape[-1] and (driver == "gels" or bool((rank == A.shape[-1]).all()))
    residuals = ((A @ solution - matrix) ** 2).sum(-2) if overdetermined else none
    values = svdvals(A.detach()) if driver in ("gelsd", "gelss") else none
    return LstsqResult(solution.squeeze(-1) if vector else solution, residuals, rank, values)


@linear_algebra
def matrix_rank(A, *, atol=0.0, rtol=None, hermitian=False):
    """How many singular values exceed both `atol` and `rtol` times the largest, int64 (`torch.linalg.matrix_rank`).

    >>> import minigrad
    >>> matrix_rank(minigrad.ones(3, 3))
    tensor(1)
    """
    require_matrices("matrix_rank", A, square=hermitian)
    values = eigvalsh(A).abs() if hermitian else svdvals(A)
    rtol = 0.0 if rtol is None and atol > 0 else _relative_limit(A, rtol)
    limit = (values.amax(-1, keepdim=True) * rtol).clamp(min=atol)
    return (values > limit).sum(-1)


@linear_algebra
def cond(A, p=None):
    """The condition number of matrices in the norm `p`: |A| · |A⁻¹|, by default of the 2-norm (`torch.linalg.cond`).

    >>> import minigrad
    >>> cond(minigrad.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    require_matrices("cond", A)
    if p is None or p in (2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


@linear_algebra
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X with `A @ X = B` (`X @ A = B` without `left`), of A one triangle; its diagonal is taken for 1 if unitriangular.

    Source: `torch.linalg.solve_triangular`.

    >>> import minigrad
    >>> A = minigrad.tensor([[1.0, 9.0], [1.0, 2.0]])
    >>> solve_triangular(A, minigrad.tensor([[1.0], [3.0]]), upper=False)
    tensor([[1.],
            [1.]])
    """
    require_matrices("solve_triangular", A, square=True)
    triangle = A.triu(int(unitriangular)) if upper else A.tril(-int(unitriangular))
    if unitriangular:
        triangle = triangle + eye(A.shape[-1], dtype=A.dtype, device=A.device)
    return solve(triangle, B, left=left)


@both()
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """The named tuple (solution, cloned_coefficient) of A · X = b; the old `linalg.solve_triangular`.

    Source: `torch.triangular_solve`.

    >>> import minigrad
    >>> minigrad.triangular_solve(minigrad.tensor([[4.0]]), minigrad.tensor([[2.0]])).solution
    tensor([[2.]])
    """
    coefficient = A.mT if transpose else A
    solution = solve_triangular(coefficient, b, upper=upper != transpose, unitriangular=unitriangular)
    return TriangularSolveResult(solution, A.clone())


TriangularSolveResult = namedtuple("TriangularSolveResult", ["solution", "cloned_coefficient"])


@both()
def cholesky_solve(B, L, upper=False):
    """X with `L @ L.T @ X = B` (`U.T @ U @ X` with `upper`): a system by its Cholesky factor (`torch.cholesky_solve`).

    >>> import minigrad
    >>> minigrad.cholesky_solve(minigrad.tensor([[8.0]]), minigrad.tensor([[2.0]]))
    tensor([[2.]])
    """
    lower = L.mT if upper else L
    return solve_triangular(lower.mT, solve_triangular(lower, B, upper=False), upper=True)


@both()
def cholesky_inverse(L, upper=False):
    """The inverse of `L @ L.T` (of `U.T @ U` with `upper`) (`torch.cholesky_inverse`).

    >>> import minigrad
    >>> minigrad.cholesky_inverse(minigrad.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    return cholesky_solve(eye(L.shape[-1], dtype=L.dtype, device=L.device).expand(L.shape), L, upper)


@both()
def logdet(input):
    """The logarithms of the determinants of square matrices, NaN of negative ones (`torch.logdet`).

    >>> import minigrad
    >>> minigrad.logdet(minigrad.eye(2))
    tensor(0.)
    """
    sign, logarithm = slogdet(input)
    return where(sign < 0, math.nan, logarithm)


@both()
def svd(input, some=True, compute_uv=True):
    """The named tuple (U, S, V) with `U @ diag(S) @ V.T = input`; the old `linalg.svd` (`torch.svd`).

    >>> import minigrad
    >>> minigrad.svd(minigrad.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    if not compute_uv:
        m, n = input.shape[-2:]
        U, V = input.new_zeros(*input.shape[:-2], m, m), input.new_zeros(*input.shape[:-2], n, n)
        return OldSvdResult(U, svdvals(input), V)
    U, S, Vh = _svd(input, full_matrices=not some)
    return OldSvdResult(U, S, Vh.mT)


@both()
def qr(input, some=True):
    """The named tuple (Q, R) with `Q @ R = input`; the old `linalg.qr` (`torch.qr`).

    >>> import minigrad
    >>> minigrad.qr(minigrad.eye(2)).R.abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _qr(input, "reduced" if some else "complete")


@both()
def cholesky(input, upper=False):
    """L, lower triangular, with `L @ L.T = input`; the old `linalg.cholesky` (`torch.cholesky`).

    >>> import minigrad
    >>> minigrad.cholesky(minigrad.tensor([[4.0]]))
    tensor([[2.]])
    """
    return _cholesky(input, upper=upper)


@linear_algebra
def matmul(input, other):
    """The product of matrices, `minigrad.matmul` (`torch.linalg.matmul`).

    >>> import minigrad
    >>> matmul(minigrad.eye(2), minigrad.ones(2))
    tensor([1., 1.])
    """
    return _matmul(input, other)


@linear_algebra
def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices in the last two dimensions (`torch.linalg.diagonal`).

    >>> import minigrad
    >>> diagonal(minigrad.eye(2))
    tensor([1., 1.])
    """
    return functions["diagonal"](A, offset, dim1, dim2)
