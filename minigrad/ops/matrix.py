"""Matrix products. Floating-point ones run on minigrad's own kernel, integer ones on NumPy."""

import math

import numpy as np

from minigrad.autograd import Operation, Size
from minigrad.kernels import kernels_for

from .registry import both, functional, method


class MatMul(Operation):
    """Z = X · Y for matrices, or for equally long batches of them"""

    formula = "dX = dZ · Yᵀ, dY = Xᵀ · dZ"

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, y if ctx.needs_input_grad[0] else None)
        return product(x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return (None if y is None else MatMul.apply(dz, y.mT)), (None if x is None else MatMul.apply(x.mT, dz))


class Linear(Operation):
    """Y = X · Wᵀ + b, the rows of X being samples"""

    formula = "dX = dY · W, dW = dYᵀ · X, db = Σ dY over the samples"

    @staticmethod
    def forward(ctx, x, weight, bias):
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        y = product(x, weight.T)
        return y if bias is None else np.add(y, bias, out=y)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return (
            None if weight is None else MatMul.apply(dy, weight),
            None if x is None else MatMul.apply(dy.mT, x),
            dy.sum(0) if ctx.needs_input_grad[2] else None,
        )


def product(x, y):
    """The product of two matrices, or of two equally long batches."""
    return kernels_for(x).matmul(x, y) if x.dtype.kind == "f" else np.matmul(x, y)


def _same_dtype(x, y, what):
    if x.dtype != y.dtype:
        raise RuntimeError(
            f"expected {what} to have the same dtype, but got: {x.dtype} != {y.dtype}\nhint: convert one, for example "
            "with "
            ".to(other.dtype)"
        )


@both("__matmul__")
def matmul(input, other):
    """The matrix product with broadcasting of batch dimensions; vectors count as a row or a column (`torch.matmul`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]) @ minigrad.tensor([1.0, 1.0])
    tensor([3., 7.])
    """
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {input.ndim}D and {other.ndim}D"
        )
    _same_dtype(input, other, "m1 and m2")
    x = input.unsqueeze(0) if input.ndim == 1 else input
    y = other.unsqueeze(1) if other.ndim == 1 else other
    n, k, m = x.shape[-2], x.shape[-1], y.shape[-1]
    if k != y.shape[-2]:
        if input.ndim == other.ndim == 1:
            raise RuntimeError(
                f"inconsistent tensor size, expected tensor [{k}] and src [{y.shape[-2]}] to have the same number of "
                "elements, but "
                f"got {k} and {y.shape[-2]} elements respectively"
            )
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({x._array.size // max(k, 1)}x{k} and "
            f"{y.shape[-2]}x{m})\nhint: the shapes "
            f"are {tuple(input.shape)} and {tuple(other.shape)}; the last size of the first must equal the "
            "second-to-last of the second"
        )
    if y.ndim == 2:
        batch = x.shape[:-2]
        z = MatMul.apply(x if x.ndim == 2 else x.reshape(batch.numel() * n, k), y)
    else:
        try:
            batch = Size(np.broadcast_shapes(x.shape[:-2], y.shape[:-2]))
        except ValueError:
            raise RuntimeError(
                f"The batch sizes of {tuple(input.shape)} and {tuple(other.shape)} do not broadcast"
            ) from None
        count = batch.numel()
        z = MatMul.apply(x.expand(*batch, n, k).reshape(count, n, k), y.expand(*batch, k, m).reshape(count, k, m))
    shape = (*batch, *(() if input.ndim == 1 else (n,)), *(() if other.ndim == 1 else (m,)))
    return z if tuple(z.shape) == shape else z.reshape(shape)


@method("__rmatmul__")
def _rmatmul(self, other):
    return matmul(other, self)


@both()
def mm(input, mat2):
    """The product of two matrices (`torch.mm`).

    >>> import minigrad
    >>> minigrad.mm(minigrad.eye(2), minigrad.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(f"{'self' if input.ndim != 2 else 'mat2'} must be a matrix")
    return matmul(input, mat2)


@both()
def bmm(input, mat2):
    """The products of two batches of matrices (`torch.bmm`).

    >>> import minigrad
    >>> minigrad.bmm(minigrad.ones(3, 2, 4), minigrad.ones(3, 4, 5)).shape
    minigrad.Size([3, 2, 5])
    """
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError(f"{'batch1' if input.ndim != 3 else 'batch2'} must be a 3D tensor")
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{input.shape[0]}, {input.shape[2]}] but got: [{mat2.shape[0]}, {mat2.shape[1]}]."
        )
    return matmul(input, mat2)


@both()
def dot(input, tensor):
    """The inner product of two vectors (`torch.dot`).

    >>> import minigrad
    >>> minigrad.dot(minigrad.ones(3), minigrad.ones(3))
    tensor(3.)
    """
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return matmul(input, tensor)


@functional
def linear(input, weight, bias=None):
    """`input · weightᵀ + bias`: (*, in), (out, in), (out,) to (*, out) (`torch.nn.functional.linear`).

    >>> import minigrad
    >>> linear(minigrad.ones(1, 2), minigrad.tensor([[1.0, 2.0]]), minigrad.tensor([0.5]))
    tensor([[3.5000]])
    """
    if weight.ndim != 2 or input.ndim == 0 or input.dtype.kind != "f":
        result = matmul(input, weight.t())
        return result if bias is None else result + bias
    _same_dtype(input, weight, "mat1 and mat2")
    k, shape = weight.shape[1], input._array.shape
    if shape[-1] != k:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({input._array.size // max(shape[-1], 1)}x{shape[-1]} and "
            f"{k}x{weight.shape[0]})"
            f"\nhint: the layer has in_features={k}, the input's last dimension is {shape[-1]}"
            + (
                f"; flatten the input first ({' x '.join(map(str, shape[1:]))} = {int(np.prod(shape[1:]))})"
                if int(np.prod(shape[1:])) == k
                else ""
            )
        )
    y = Linear.apply(input if len(shape) == 2 else input.reshape(math.prod(shape[:-1]), k), weight, bias)
    return y if len(shape) == 2 else y.reshape(*shape[:-1], weight.shape[0])
