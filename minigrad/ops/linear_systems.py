"""Linear algebra on LAPACK, through NumPy: inverses, systems of equations, powers; products of vectors.

All work on batches: the matrices are in the last two dimensions. What decomposes a matrix is in `decompositions`.
"""

import math

import numpy as np

from minigrad.autograd import CPU, Operation, check_dim, placed, result_type
from minigrad.autograd.dtypes import TORCH_NAMES

from .creation import tensor
from .inplace import Overwrite
from .matrix import matmul
from .registry import both, linear_algebra, numpy_names
from .sequences import eye

TERMS = 14  # of the series of a matrix's exponential: the next one lies below float64's precision where |A| <= 1/2


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


def require_matrices(name, A, square=False):
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
    index = int(np.argmax(np.linalg.slogdet(a)[0].reshape(-1) == 0))
    upper = placed(a.reshape(-1, *a.shape[-2:])[index], CPU).astype(np.float64)
    place = 0
    while place < len(upper) - 1:  # elimination, until a column has nothing left
        pivot = place + np.abs(upper[place:, place]).argmax()
        if upper[pivot, place] == 0:
            break
        upper[[place, pivot]] = upper[[pivot, place]]
        below = slice(place + 1, None)
        upper[below] -= np.outer(upper[below, place] / upper[place, place], upper[place])
        place += 1
    return (index if a.ndim > 2 else None), place + 1


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


@linear_algebra
def inv(A):
    """The inverses of square matrices; singular ones are a LinAlgError (`torch.linalg.inv`).

    >>> import minigrad
    >>> inv(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    require_matrices("inv", A, square=True)
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
    require_matrices("solve", A, square=True)
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
        return Overwrite.apply(A, eye(A.shape[-1], dtype=A.dtype, device=A.device))
    result = None
    while n:
        if n % 2:
            result = A if result is None else matmul(result, A)
        n //= 2
        A = matmul(A, A) if n else A
    return result


@linear_algebra
@both()
def matrix_exp(A):
    """e to the power of square matrices, Σ Aᵏ / k! (`torch.linalg.matrix_exp`).

    The series of A / 2ˢ, where s makes it short, squared s times: Moler and Van Loan, "Nineteen Dubious Ways to Compute
    the Exponential of a Matrix", 2003, method 3.

    >>> import minigrad
    >>> minigrad.matrix_exp(minigrad.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    require_matrices("matrix_exp", A, square=True)
    if A._array.size == 0:
        return Overwrite.apply(A, A._array.copy())
    size = np.abs(A._array).sum(-2).max().item()
    squarings = max(0, math.ceil(math.log2(2 * size))) if 0 < size < math.inf else 0
    scaled, one = A / 2.0**squarings, eye(A.shape[-1], dtype=A.dtype)
    result = one + scaled / TERMS
    for k in range(TERMS - 1, 0, -1):  # Horner's rule: 1 + A (1 + A/2 (1 + A/3 ...))
        result = one + matmul(scaled, result) / k
    for _ in range(squarings):
        result = matmul(result, result)
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
        return x.index_select(axis, tensor([by % 3, (by + 1) % 3, (by + 2) % 3], device=x.device))

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
    if result_type(x._array, y._array).kind != "f":
        raise RuntimeError(
            "linalg.vecdot: Expected a floating point or complex tensor as input. Got "
            f"{TORCH_NAMES[x._array.dtype]}\nhint: use x.float()"
        )
    return (x * y).sum(dim)
