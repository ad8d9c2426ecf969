"""Matrix products. Floating-point ones run on minigrad's own kernel, integer ones on NumPy.

What multiplies more than two operands, or along other dimensions than the last two, is in `contraction`; what solves or
decomposes is in `linear_systems`.
"""

import math

import numpy as np

from minigrad.autograd import Binary, Operation, Size, Tensor
from minigrad.autograd.dtypes import TORCH_NAMES, promote_types
from minigrad.kernels import kernels_for

from .registry import both, functional, method

_C_NAMES = {  # what PyTorch's errors call the dtypes where they come from C++
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "bool": "bool",
}


def c_name(tensor):
    """The C++ name of a tensor's dtype."""
    return _C_NAMES[tensor._array.dtype.name]


class MatMul(Binary):
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


class WeightedSum(Operation):
    """Z = β · X + α · P for equal shapes; with β = 0, X does not count, NaN or not"""

    formula = "dX = β · dZ, dP = α · dZ"

    @staticmethod
    def forward(ctx, x, p, beta, alpha):
        if p.dtype.kind != "f":
            beta, alpha = int(beta), int(alpha)
        ctx.beta, ctx.alpha = beta, alpha
        z = p.copy() if alpha == 1 else np.multiply(p, np.asarray(alpha).astype(p.dtype))
        if beta == 0:
            return z
        return np.add(z, x if beta == 1 else np.multiply(x, np.asarray(beta).astype(x.dtype)), out=z)

    @staticmethod
    def backward(ctx, dz):
        return dz * ctx.beta, dz * ctx.alpha


def product(x, y):
    """The product of two matrices, or of two equally long batches."""
    if x.dtype.kind == "f":
        return kernels_for(x).matmul(x, y)
    if x.dtype == bool:
        raise NotImplementedError(
            f"\"{'addmm_impl_cpu_' if x.ndim == 2 else 'bmm'}\" not implemented for 'Bool'\nhint: convert with .long()"
        )
    return x @ y


def _same_dtype(x, y, rank_x=2, rank_y=2):
    """PyTorch's errors for a product of different dtypes, which depend on the ranks."""
    if x._array.dtype == y._array.dtype:
        return
    names = TORCH_NAMES[x._array.dtype], TORCH_NAMES[y._array.dtype]
    if rank_x == rank_y == 1:
        message = f"dot : expected both vectors to have same dtype, but found {names[0]} and {names[1]}"
    elif rank_y == 1:
        message = f"addmv input tensors must have the same dtype, but got {names[1]}, {names[0]}, and {names[1]}"
    elif rank_y == 2:
        message = f"expected m1 and m2 to have the same dtype, but got: {c_name(x)} != {c_name(y)}"
    else:
        message = f"expected scalar type {names[0]} but found {names[1]}"
    raise RuntimeError(f"{message}\nhint: convert one, for example with .to(other.dtype)")


def _cannot_multiply(x, y):
    """The error for inner sizes that differ, in PyTorch's words."""
    shapes = f"the shapes are {tuple(x.shape)} and {tuple(y.shape)}"
    hint = f"{shapes}; the last size of the first must equal the second-to-last (or only) of the second"
    k = x.shape[-1]
    rows = x._array.size // max(k, 1)
    if x.ndim == y.ndim == 1:
        return RuntimeError(
            f"inconsistent tensor size, expected tensor [{k}] and src [{y.shape[0]}] to have the same number of "
            f"elements, but got {k} and {y.shape[0]} elements respectively"
        )
    if y.ndim == 1:
        return RuntimeError(f"size mismatch, got input ({rows}), mat ({rows}x{k}), vec ({y.shape[0]})\nhint: {hint}")
    if y.ndim == 2:
        return RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{k} and {y.shape[0]}x{y.shape[1]})\nhint: {hint}"
        )
    batch = math.prod(np.broadcast_shapes(x.shape[:-2], y.shape[:-2]))
    return RuntimeError(
        f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {k}] but got: [{batch}, "
        f"{y.shape[-2]}].\nhint: {hint}"
    )


@both("__matmul__")
def matmul(input, other):
    """The matrix product with broadcasting of batch dimensions; vectors count as a row or a column (`torch.matmul`).

    >>> import minigrad
    >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]) @ minigrad.tensor([1.0, 1.0])
    tensor([3., 7.])
    """
    if not isinstance(other, Tensor):
        raise TypeError(f"unsupported operand type(s) for @: 'Tensor' and '{type(other).__name__}'")
    ndim, other_ndim = input._array.ndim, other._array.ndim
    if ndim == 0 or other_ndim == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {ndim}D and {other_ndim}D")
    _same_dtype(input, other, ndim, other_ndim)
    x = input.unsqueeze(0) if ndim == 1 else input
    y = other.unsqueeze(1) if other_ndim == 1 else other
    n, k, m = x._array.shape[-2], x._array.shape[-1], y._array.shape[-1]
    if y._array.ndim == 2:
        if k != y._array.shape[-2]:
            raise _cannot_multiply(input, other)
        batch = x.shape[:-2]
        z = MatMul.apply(x if x._array.ndim == 2 else x.reshape(batch.numel() * n, k), y)
    else:
        try:
            batch = Size(np.broadcast_shapes(x.shape[:-2], y.shape[:-2]))
        except ValueError:
            raise _batches_differ(input, other) from None
        if k != y._array.shape[-2]:
            raise _cannot_multiply(input, other)
        count = batch.numel()
        z = MatMul.apply(x.expand(*batch, n, k).reshape(count, n, k), y.expand(*batch, k, m).reshape(count, k, m))
    shape = (*batch, *(() if ndim == 1 else (n,)), *(() if other_ndim == 1 else (m,)))
    return z if z._array.shape == shape else z.reshape(shape)


def _batches_differ(x, y):
    """The error for batch sizes that do not broadcast."""
    rank = max(x.ndim, y.ndim) - 2
    first, second = ((1,) * (rank - v.ndim + 2) + tuple(v.shape[:-2]) for v in (x, y))
    dim = next(d for d in reversed(range(rank)) if first[d] != second[d] and 1 not in (first[d], second[d]))
    return RuntimeError(
        f"The size of tensor a ({first[dim]}) must match the size of tensor b ({second[dim]}) at non-singleton "
        f"dimension {dim}\nhint: the batches of {tuple(x.shape)} and {tuple(y.shape)} must be equal or 1"
    )


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
        raise RuntimeError(
            f"{'self' if input.ndim != 2 else 'mat2'} must be a matrix\nhint: the shapes are {tuple(input.shape)} and "
            f"{tuple(mat2.shape)}; matmul takes other ranks"
        )
    return matmul(input, mat2)


@both()
def bmm(input, mat2):
    """The products of two batches of matrices (`torch.bmm`).

    >>> import minigrad
    >>> minigrad.bmm(minigrad.ones(3, 2, 4), minigrad.ones(3, 4, 5)).shape
    minigrad.Size([3, 2, 5])
    """
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError(
            f"{'batch1' if input.ndim != 3 else 'batch2'} must be a 3D tensor\nhint: the shapes are "
            f"{tuple(input.shape)} and {tuple(mat2.shape)}; matmul takes other ranks"
        )
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{input.shape[0]}, {input.shape[2]}] but got: [{mat2.shape[0]}, {mat2.shape[1]}]."
        )
    return matmul(input, mat2)


@both()
def mv(input, vec):
    """The product of a matrix and a vector (`torch.mv`).

    >>> import minigrad
    >>> minigrad.mv(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    return matmul(input, vec)


@both()
def dot(input, tensor):
    """The inner product of two vectors (`torch.dot`).

    >>> import minigrad
    >>> minigrad.dot(minigrad.ones(3), minigrad.ones(3))
    tensor(3.)
    """
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input._array.dtype == tensor._array.dtype == bool:
        raise NotImplementedError("\"dot\" not implemented for 'Bool'\nhint: convert with .long()")
    return matmul(input, tensor)


@both()
def vdot(input, other):
    """The inner product of two vectors; for real numbers the same as `dot` (`torch.vdot`).

    >>> import minigrad
    >>> minigrad.vdot(minigrad.ones(3), minigrad.ones(3))
    tensor(3.)
    """
    return dot(input, other)


@both()
def inner(input, other):
    """The inner products along the last dimensions; with a 0-d operand the product (`torch.inner`).

    >>> import minigrad
    >>> minigrad.inner(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"both inputs should have same dtype\nhint: they are {input.dtype} and {other.dtype}")
    if other.ndim == 1:
        return matmul(input, other)
    k = other.shape[-1]
    rows = math.prod(other.shape[:-1])
    return matmul(input, other.reshape(rows, k).t()).reshape(*input.shape[:-1], *other.shape[:-1])


@both("ger")
def outer(input, vec2):
    """The products of every pair of elements of two vectors: (n,), (m,) to (n, m) (`torch.outer`).

    >>> import minigrad
    >>> minigrad.outer(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
    tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    for name, vector in (("self", input), ("vec2", vec2)):
        if vector.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vector.ndim}-D")
    return input.unsqueeze(1) * vec2


def _add_product(input, result, beta, alpha):
    return WeightedSum.apply(input.expand(*result._array.shape), result, beta, alpha)


def _require_dtype(input, mat1, mat2):
    """addmm's error for dtypes that differ."""
    if input._array.dtype != mat2._array.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {TORCH_NAMES[input._array.dtype]} and "
            f"{TORCH_NAMES[mat2._array.dtype]}\nhint: convert one, for example with .to(other.dtype)"
        )
    _same_dtype(mat1, mat2)


@both(inplace=True)
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """`beta · input + alpha · mat1 @ mat2`; `input` broadcasts, and does not count if beta is 0 (`torch.addmm`).

    >>> import minigrad
    >>> minigrad.addmm(minigrad.ones(2), minigrad.eye(2), minigrad.eye(2), beta=0.5)
    tensor([[1.5000, 0.5000],
            [0.5000, 1.5000]])
    """
    for name, mat in (("mat1", mat1), ("mat2", mat2)):
        if mat.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {mat.ndim}-D tensor")
    _require_dtype(input, mat1, mat2)
    return _add_product(input, matmul(mat1, mat2), beta, alpha)


@both(inplace=True)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """`beta · input + alpha · mat @ vec`; `input` broadcasts, and does not count if beta is 0 (`torch.addmv`).

    >>> import minigrad
    >>> minigrad.addmv(minigrad.ones(2), minigrad.eye(2), minigrad.ones(2), alpha=3)
    tensor([4., 4.])
    """
    if mat.ndim != 2 or vec.ndim != 1 or input.ndim > 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}")
    if mat.shape[1] != vec.shape[0] or (input.numel() != mat.shape[0] and input.numel() != 1):
        raise RuntimeError(
            f"size mismatch, got input ({input.numel()}), mat ({mat.shape[0]}x{mat.shape[1]}), vec ({vec.shape[0]})"
        )
    if not input._array.dtype == mat._array.dtype == vec._array.dtype:
        names = [TORCH_NAMES[v._array.dtype] for v in (input, mat, vec)]
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {names[0]}, {names[1]}, and {names[2]}"
        )
    return _add_product(input, matmul(mat, vec), beta, alpha)


@both(inplace=True)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """`beta · input + alpha · Σ batch1[i] @ batch2[i]`; `input` broadcasts, and does not count if beta is 0.

    Source: `torch.addbmm`.

    >>> import minigrad
    >>> minigrad.addbmm(minigrad.zeros(2, 2), minigrad.ones(5, 2, 3), minigrad.ones(5, 3, 2))
    tensor([[15., 15.],
            [15., 15.]])
    """
    _two_batches(batch1, batch2)
    (count, n, k), (count2, k2, m) = batch1.shape, batch2.shape
    if count != count2:
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {count} and {count2}")
    if k != k2:
        raise RuntimeError(f"Incompatible matrix sizes for bmm ({n}x{k} and {k2}x{m})")
    _require_dtype(input, batch1, batch2)
    # the sum over the batch is one long product: (n, count · k) @ (count · k, m)
    result = matmul(batch1.transpose(0, 1).reshape(n, count * k), batch2.reshape(count * k, m))
    return _add_product(input, result, beta, alpha)


def _two_batches(batch1, batch2):
    for name, batch in (("batch1", batch1), ("batch2", batch2)):
        if batch.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor\nhint: its shape is {tuple(batch.shape)}")


@both(inplace=True)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """`beta · input + alpha · batch1 @ batch2` for batches of matrices; `input` broadcasts (`torch.baddbmm`).

    >>> import minigrad
    >>> minigrad.baddbmm(minigrad.zeros(1), minigrad.ones(5, 2, 3), minigrad.ones(5, 3, 2)).shape
    minigrad.Size([5, 2, 2])
    """
    _two_batches(batch1, batch2)
    _same_dtype(batch1, batch2, 3, 3)
    if input._array.dtype != batch1._array.dtype:
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {c_name(input)}, batch1: {c_name(batch1)}, batch2: "
            f"{c_name(batch2)}"
        )
    return _add_product(input, bmm(batch1, batch2), beta, alpha)


@both(inplace=True)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """`beta · input + alpha · outer(vec1, vec2)`; `input` broadcasts, and does not count if beta is 0 (`torch.addr`).

    >>> import minigrad
    >>> minigrad.addr(minigrad.zeros(2, 2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
    tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    for name, vector in (("vec1", vec1), ("vec2", vec2)):
        if vector.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {vector.ndim}-D")
    result = outer(vec1, vec2)
    dtype = promote_types(input._array.dtype, result._array.dtype)
    if dtype.kind != "f":
        for name, factor in (("beta", beta), ("alpha", alpha)):
            if isinstance(factor, float):
                raise RuntimeError(
                    f"For integral input tensors, argument {name} must not be a floating point number.\nhint: it is "
                    f"{factor}; the tensors are {dtype}"
                )
    return _add_product(input.to(dtype), result.to(dtype), beta, alpha)


@functional
def linear(input, weight, bias=None):
    """`input · weightᵀ + bias`: (*, in), (out, in), (out,) to (*, out) (`torch.nn.functional.linear`).

    >>> import minigrad
    >>> linear(minigrad.ones(1, 2), minigrad.tensor([[1.0, 2.0]]), minigrad.tensor([0.5]))
    tensor([[3.5000]])
    """
    shape, rank = input._array.shape, weight._array.ndim
    if len(shape) == 0 or rank == 0:
        raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are {len(shape)}D and {rank}D")
    if bias is not None and bias._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {TORCH_NAMES[bias._array.dtype]} and "
            f"{TORCH_NAMES[input._array.dtype]}"
        )
    if rank != 2 or input._array.dtype.kind != "f" or (bias is not None and bias._array.shape != weight.shape[:1]):
        if rank == 1 and bias is not None:
            raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
        result = matmul(input, weight.t())
        return result if bias is None else result + bias.expand(*result.shape)
    _same_dtype(input, weight)
    k = weight._array.shape[1]
    if shape[-1] != k:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({input._array.size // max(shape[-1], 1)}x{shape[-1]} and "
            f"{k}x{weight.shape[0]})"
            f"\nhint: the layer has in_features={k}, the input's last dimension is {shape[-1]}"
            + (
                f"; flatten the input first ({' x '.join(map(str, shape[1:]))} = {math.prod(shape[1:])})"
                if math.prod(shape[1:]) == k
                else ""
            )
        )
    y = Linear.apply(input if len(shape) == 2 else input.reshape(math.prod(shape[:-1]), k), weight, bias)
    return y if len(shape) == 2 else y.reshape(*shape[:-1], weight.shape[0])


@functional
def bilinear(input1, input2, weight, bias=None):
    """`input1ᵀ · weight[o] · input2 + bias[o]`: (*, n), (*, m), (out, n, m), (out,) to (*, out).

    Source: `torch.nn.functional.bilinear`.

    >>> import minigrad
    >>> bilinear(minigrad.ones(1, 2), minigrad.ones(1, 3), minigrad.ones(4, 2, 3)).shape
    minigrad.Size([1, 4])
    """
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    for d, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1])):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {a} and {b}")
    for i, tensor in ((1, input1), (2, input2)):
        if weight.ndim <= i or tensor.shape[-1] != weight.shape[i]:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {tensor.shape[-1]} but expected "
                f"{weight.shape[i] if weight.ndim > i else 'a weight of three dimensions'}"
            )
    if not input1._array.dtype == input2._array.dtype == weight._array.dtype:
        raise RuntimeError(
            f"All tensors must have the same dtype, got input1: {c_name(input1)}, input2: {c_name(input2)}, weight: "
            f"{c_name(weight)}"
        )
    out, n, m = weight.shape
    if bias is not None and bias.shape[0] != out:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {out}")
    batch = input1.shape[:-1]
    count = batch.numel()
    # input1 · weight, for all samples and outputs at once: (count, n) @ (n, out · m)
    half = matmul(input1.reshape(count, n), weight.permute(1, 0, 2).reshape(n, out * m)).reshape(count, out, m)
    result = matmul(half, input2.reshape(count, m, 1)).reshape(*batch, out)
    return result if bias is None else result + bias
