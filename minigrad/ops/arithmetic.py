"""Sums, differences and products, element by element, with broadcasting and PyTorch's type promotion.

What every operation of two operands needs is here too: `binary` computes in the operands' common dtype, `operators`
turns an operation into Python operators. Quotients are in `division`, powers in `powers`, the larger and the smaller in
`extrema`, `where` in `choice`.
"""

import numpy as np

from minigrad.autograd import ARRAYS, DEVICES, Binary, Operation, Tensor, get_default_dtype, result_type
from minigrad.autograd.dtypes import TORCH_NAMES, boxed, native
from minigrad.kernels import kernels_for, scalars

from .registry import both

PLAIN = (float, int)
SHORT = 16  # elements of a line that are worth the start of a loop
LARGE = 1 << 18  # elements from which on an operation that NumPy vectorises is worth several threads
_KERNELS = {
    np.add: scalars.add, np.subtract: scalars.subtract, np.multiply: scalars.multiply, np.true_divide: scalars.divide,
    np.maximum: scalars.maximum, np.minimum: scalars.minimum,
}  # fmt: skip
_COMMUTATIVE = {np.add, np.multiply, np.maximum, np.minimum}
_NUMBERS = (int, float, np.number, np.bool_)


class ForeignOperand(TypeError):
    """An operand is neither tensor, array nor number; operators leave it to the other operand's class."""


def promote(*operands):
    """The operands' common dtype; errors that name the operands."""
    for operand in operands:
        if not isinstance(operand, (*ARRAYS, *_NUMBERS)):
            raise ForeignOperand(
                f"unsupported operand type {type(operand).__name__!r} for a tensor operation\nhint: operands are "
                "tensors, arrays and numbers; use minigrad.tensor(...) to convert"
            )
    return result_type(*[native(v) if isinstance(v, ARRAYS) else v for v in operands])


def cast(operand, dtype):
    """An array or a number as an array of `dtype`."""
    return boxed(operand).astype(dtype, copy=False)


def no_broadcast(x, y):
    """The error for shapes that do not broadcast, in PyTorch's words."""
    a, b = np.shape(x), np.shape(y)
    rank = max(len(a), len(b))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in (a, b)]
    dim = next(
        i for i in reversed(range(rank)) if padded[0][i] != padded[1][i] and 1 not in (padded[0][i], padded[1][i])
    )
    return RuntimeError(
        f"The size of tensor a ({padded[0][dim]}) must match the size of tensor b ({padded[1][dim]}) at non-singleton "
        f"dimension {dim}\nhint: the shapes are {tuple(a)} and {tuple(b)}; counted from the right, sizes must be equal "
        "or 1"
    )


def not_implemented(kernel, dtype, hint="convert it first, for example with .float()"):
    """PyTorch's error for an operation that a dtype does not have."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{TORCH_NAMES[dtype]}'\nhint: {hint}")


def only_tensors(name, **operands):
    """PyTorch's error for an operand that must be a tensor and is not."""
    for position, (argument, operand) in enumerate(operands.items(), 1):
        if not isinstance(operand, Tensor):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position}) must be Tensor, not {type(operand).__name__}"
                "\nhint: minigrad.tensor(...) makes one"
            )


def alike(x, y):
    """Whether NumPy promotes the two as PyTorch does: arrays of one dtype, or a floating one and a Python number."""
    if type(x) in DEVICES:
        return x.dtype is y.dtype if type(y) in DEVICES else x.dtype.kind == "f" and type(y) in PLAIN
    return type(x) in PLAIN and type(y) in DEVICES and y.dtype.kind == "f"


def is_dense(x):
    """Whether an array is of floats that lie without gaps, rows first or channels last: what kernels take as it is."""
    if x.dtype.kind != "f" or not x.flags.behaved:
        return False
    return x.flags.c_contiguous or (x.ndim == 4 and x.transpose(0, 2, 3, 1).flags.c_contiguous)


def large(x):
    """Whether an array is so large, and lies so, that a kernel is worth its call where NumPy has vectors, too."""
    return x.size >= LARGE and is_dense(x)


def repeats(y, x):
    """Whether y is of x's dtype, broadcasts to x's shape, and is used again in runs that are worth a kernel."""
    if y.dtype is not x.dtype or y.ndim > x.ndim or not y.flags.aligned:
        return False
    shape, run = (1,) * (x.ndim - y.ndim) + y.shape, 1
    for axis in sorted(range(x.ndim), key=lambda axis: x.strides[axis]):
        if shape[axis] not in (1, x.shape[axis]):
            return False
        run *= x.shape[axis] if run < SHORT else 1
    return run >= SHORT


def _ranked(y, x):
    """y with as many axes as x."""
    return y.reshape((1,) * (x.ndim - y.ndim) + y.shape)


def binary(ufunc, x, y, dtype=None):
    """`ufunc(x, y)` computed in `dtype`, by default the operands' common one."""
    if dtype is None and not (type(x) is type(y) in DEVICES and x.dtype is y.dtype) and not alike(x, y):
        dtype = promote(x, y)
    if dtype is not None:
        x, y = cast(x, dtype), cast(y, dtype)
    if type(x) in DEVICES and x.size >= LARGE and ufunc in _KERNELS and is_dense(x):
        if type(y) in PLAIN:
            return kernels_for(x).elementwise(_KERNELS[ufunc], (y,), x)
        if type(y) in DEVICES:
            if x.shape == y.shape:
                if x.strides == y.strides and is_dense(y):
                    return kernels_for(x).elementwise(_KERNELS[ufunc], (), x, y)
            elif repeats(y, x):
                return kernels_for(x).elementwise_broadcast(_KERNELS[ufunc], (), x, _ranked(y, x))
    elif ufunc in _COMMUTATIVE and type(x) is type(y) in DEVICES and large(y) and repeats(x, y):
        return kernels_for(y).elementwise_broadcast(_KERNELS[ufunc], (), y, _ranked(x, y))
    try:
        return ufunc(x, y)
    except ValueError:
        raise no_broadcast(x, y) from None


def true_dtype(*operands):
    """The dtype of a true division: the common one if it is floating, else the default."""
    dtype = promote(*operands)
    return dtype if dtype.kind == "f" else get_default_dtype()


def operators(name, run, reflection=None):
    """Make `run(self, other)` the operator `__name__` of Tensor, `reflection(other, self)` the reflected one.

    What they cannot take is left to the other operand's class.
    """

    def offer(symbol, compute):
        compute.__name__, compute.__doc__ = symbol, f"The operator `{name}` (`torch.Tensor.{symbol}`)."
        setattr(Tensor, symbol, compute)

    def operator(self, other):
        try:
            return run(self, other)
        except ForeignOperand:
            return NotImplemented

    def reflected(self, other):
        try:
            return reflection(other, self)
        except ForeignOperand:
            return NotImplemented

    offer(f"__{name}__", operator)
    if reflection is not None:
        offer(f"__r{name}__", reflected)


class Add(Binary):
    """x + y"""

    formula = "dx = dz, dy = dz"

    @staticmethod
    def forward(ctx, x, y):
        return binary(np.add, x, y)

    @staticmethod
    def backward(ctx, dz):
        return dz, dz


class Sub(Binary):
    """x - y"""

    formula = "dx = dz, dy = -dz"

    @staticmethod
    def forward(ctx, x, y):
        if _is_bool(x) or _is_bool(y):
            _forbid_bools(x, y)
        return binary(np.subtract, x, y)

    @staticmethod
    def backward(ctx, dz):
        return dz, (-dz if ctx.needs_input_grad[1] else None)


def _is_bool(operand):
    return operand.dtype.kind == "b" if type(operand) in DEVICES else operand is True or operand is False


def _forbid_bools(x, y):
    """PyTorch's errors for differences of bools."""
    if _is_bool(x) and _is_bool(y):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    raise RuntimeError(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a "
        "mask, use the `~` or `logical_not()` operator instead."
    )


class Mul(Binary):
    """x · y"""

    formula = "dx = dz · y, dy = dz · x"

    @staticmethod
    def forward(ctx, x, y):
        x_edge, y_edge = ctx.edges  # shorter than needs_input_grad, in the most frequent of operations
        ctx._saved = None if y_edge is None else x, None if x_edge is None else y
        return binary(np.multiply, x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return None if y is None else dz * y, None if x is None else dz * x


class Neg(Operation):
    """-x"""

    formula = "dx = -dy"

    @staticmethod
    def forward(ctx, x):
        if x.dtype.kind == "b":
            raise RuntimeError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
                "use the `~` or `logical_not()` operator instead."
            )
        return kernels_for(x).elementwise(scalars.negate, (), x) if large(x) else np.negative(x)

    @staticmethod
    def backward(ctx, dy):
        return -dy


class Lerp(Operation):
    """x + w · (y - x), the point at w on the way from x to y"""

    formula = "dx = dz · (1 - w), dy = dz · w, dw = dz · (y - x)"

    @staticmethod
    def forward(ctx, x, y, weight):
        if x.dtype.kind != "f":
            raise not_implemented(f"lerp_kernel_{'tensor' if isinstance(weight, ARRAYS) else 'scalar'}", x.dtype)
        for name, other in (("end", y), ("weight", weight)):
            if isinstance(other, ARRAYS) and other.dtype != x.dtype:
                raise RuntimeError(
                    f"expected dtype {_WORDS[x.dtype]} for `{name}` but got dtype {_WORDS[other.dtype]}"
                    f"\nhint: use {name}.to(input.dtype)"
                )
        ctx.save_for_backward(x, y, weight)
        way, weight = binary(np.subtract, y, x), cast(weight, x.dtype)
        try:  # from the nearer end, as PyTorch does: exact at both
            return np.where(np.abs(weight) < 0.5, x + weight * way, y - way * (1 - weight))
        except ValueError:
            raise no_broadcast(way, weight) from None

    @staticmethod
    def backward(ctx, dz):
        x, y, weight = ctx.saved_tensors
        needs_x, needs_y, needs_w = ctx.needs_input_grad
        return (
            dz * (1 - weight) if needs_x else None,
            dz * weight if needs_y else None,
            dz * (y - x) if needs_w else None,
        )


class AddCMul(Operation):
    """x + value · a · b"""

    formula = "dx = dz, da = dz · value · b, db = dz · value · a"

    @staticmethod
    def forward(ctx, x, a, b, value):
        dtype = promote(x, a, b)
        if dtype.kind == "b":
            raise not_implemented("addcmul_cpu_out", dtype)
        ctx.value = value
        ctx.save_for_backward(a, b)
        # like PyTorch, whole numbers drop the value's fraction
        return binary(np.add, x, binary(np.multiply, binary(np.multiply, a, b, dtype), value, dtype), dtype)

    @staticmethod
    def backward(ctx, dz):
        a, b = ctx.saved_tensors
        return dz, *[
            dz * (other * ctx.value) if needed else None for other, needed in zip((b, a), ctx.needs_input_grad[1:3])
        ]


class AddCDiv(Operation):
    """x + value · a / b"""

    formula = "dx = dz, da = dz · value / b, db = -dz · value · a / b²"

    @staticmethod
    def forward(ctx, x, a, b, value):
        if promote(a, b).kind != "f":
            raise RuntimeError(
                "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform "
                "a true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + "
                "value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * "
                "tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: "
                "(input + value * tensor1 / tensor2), for all dtypes."
            )
        dtype = promote(x, a, b)
        ctx.value = value
        ctx.save_for_backward(a, b)
        return binary(np.add, x, binary(np.multiply, binary(np.true_divide, a, b, dtype), value, dtype), dtype)

    @staticmethod
    def backward(ctx, dz):
        a, b = ctx.saved_tensors
        _, needs_a, needs_b, _ = ctx.needs_input_grad
        return dz, (dz * (ctx.value / b) if needs_a else None), (-dz * (ctx.value * a / (b * b)) if needs_b else None)


_WORDS = {np.dtype("float32"): "float", np.dtype("float64"): "double"}


def _scaled(input, other, alpha):
    """`alpha · other`, with PyTorch's restrictions on alpha."""
    dtype = promote(*[v._array if isinstance(v, Tensor) else v for v in (input, other)])
    if isinstance(alpha, bool) and dtype.kind != "b":
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and dtype.kind != "f":
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return other * alpha


@both(inplace=True)
def add(input, other, *old, alpha=1):
    """`input + alpha · other`, element by element with broadcasting (`torch.add`).

    The order of PyTorch's first years, `add(input, alpha, other)`, is understood too.

    >>> import minigrad
    >>> minigrad.add(minigrad.tensor([1, 2]), 0.5)
    tensor([1.5000, 2.5000])
    """
    if old:
        alpha, (other,) = other, old
    return Add.apply(input, other if alpha == 1 and alpha is not True else _scaled(input, other, alpha))


@both("subtract", inplace=True)
def sub(input, other, *old, alpha=1):
    """`input - alpha · other`, element by element with broadcasting (`torch.sub`).

    The order of PyTorch's first years, `sub(input, alpha, other)`, is understood too.

    >>> import minigrad
    >>> minigrad.tensor([3.0, 2.0]) - 1
    tensor([2., 1.])
    """
    if old:
        alpha, (other,) = other, old
    return Sub.apply(input, other if alpha == 1 and alpha is not True else _scaled(input, other, alpha))


@both()
def rsub(input, other, *, alpha=1):
    """`other - alpha · input` (`torch.rsub`).

    >>> import minigrad
    >>> 1 - minigrad.tensor([3.0, 2.0])
    tensor([-2., -1.])
    """
    return Sub.apply(other, input if alpha == 1 and alpha is not True else _scaled(other, input, alpha))


@both("multiply", inplace=True)
def mul(input, other):
    """The product, element by element with broadcasting (`torch.mul`).

    >>> import minigrad
    >>> 2 * minigrad.tensor([3.0, 2.0])
    tensor([6., 4.])
    """
    return Mul.apply(input, other)


@both("negative", "__neg__", inplace=True)
def neg(input):
    """`-input` (`torch.neg`).

    >>> import minigrad
    >>> -minigrad.tensor([1.0, -2.0])
    tensor([-1.,  2.])
    """
    return Neg.apply(input)


@both("__pos__")
def positive(input):
    """`input` itself; an error for bools (`torch.positive`).

    >>> import minigrad
    >>> +minigrad.tensor([1.0, -2.0])
    tensor([ 1., -2.])
    """
    if input.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@both(inplace=True)
def lerp(input, end, weight):
    """`input + weight · (end - input)`: from `input` at weight 0 to `end` at weight 1 (`torch.lerp`).

    Floating-point tensors of one dtype; `weight` is a number or a tensor.

    >>> import minigrad
    >>> minigrad.lerp(minigrad.tensor([0.0, 10.0]), minigrad.tensor([4.0, 20.0]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    return Lerp.apply(input, end, weight)


@both(inplace=True)
def addcmul(input, tensor1, tensor2, *old, value=1):
    """`input + value · tensor1 · tensor2` (`torch.addcmul`), also in the old order `(input, value, tensor1, tensor2)`.

    >>> import minigrad
    >>> minigrad.addcmul(minigrad.ones(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0]), value=0.5)
    tensor([2.5000, 5.0000])
    """
    if old:
        value, tensor1, (tensor2,) = tensor1, tensor2, old
    return AddCMul.apply(input, tensor1, tensor2, value)


@both(inplace=True)
def addcdiv(input, tensor1, tensor2, *old, value=1):
    """`input + value · tensor1 / tensor2` (`torch.addcdiv`), also in the old order `(input, value, tensor1, tensor2)`.

    >>> import minigrad
    >>> minigrad.addcdiv(minigrad.ones(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([2.0, 4.0]), value=2)
    tensor([2., 2.])
    """
    if old:
        value, tensor1, (tensor2,) = tensor1, tensor2, old
    return AddCDiv.apply(input, tensor1, tensor2, value)


for _name, _operation in (("add", Add), ("sub", Sub), ("mul", Mul)):
    operators(_name, _operation.apply, _operation.apply)
