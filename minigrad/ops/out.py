"""Results written into tensors that exist: the argument `out` of the functions that take one.

Only the public functions take it, not the methods and operators: those have in-place twins instead.
"""

import functools
import warnings

from minigrad.autograd import Tensor, state
from minigrad.autograd.dtypes import TORCH_NAMES, can_cast

from .registry import functions

# Functions of tensors whose results PyTorch, too, writes where it is told.
NAMES = [
    "abs",
    "acos",
    "acosh",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addr",
    "amax",
    "amin",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "baddbmm",
    "bernoulli",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "bmm",
    "cat",
    "ceil",
    "clamp",
    "clip",
    "concat",
    "cos",
    "cosh",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "diag",
    "digamma",
    "div",
    "divide",
    "dot",
    "dstack",
    "empty",
    "eq",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "eye",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "full",
    "gather",
    "ge",
    "gt",
    "hstack",
    "hypot",
    "index_select",
    "inverse",
    "isneginf",
    "isposinf",
    "kron",
    "kthvalue",
    "le",
    "lerp",
    "lgamma",
    "linspace",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logspace",
    "logsumexp",
    "lt",
    "masked_select",
    "matmul",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "mm",
    "mode",
    "mul",
    "multinomial",
    "multiply",
    "mv",
    "nan_to_num",
    "nansum",
    "ne",
    "neg",
    "negative",
    "nonzero",
    "norm",
    "normal",
    "ones",
    "outer",
    "polygamma",
    "pow",
    "prod",
    "rand",
    "randint",
    "randn",
    "randperm",
    "reciprocal",
    "remainder",
    "round",
    "rsqrt",
    "scatter",
    "scatter_add",
    "searchsorted",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sort",
    "sqrt",
    "square",
    "stack",
    "std",
    "sub",
    "subtract",
    "sum",
    "take",
    "tan",
    "tanh",
    "topk",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "unbind",
    "var",
    "vstack",
    "where",
    "xlogy",
    "zeros",
]


def _write(name, out, result):
    """Write one result into the tensor `out`, which takes its shape."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if not can_cast(result.dtype, out.dtype):
        raise RuntimeError(
            f"result type {TORCH_NAMES[result.dtype]} can't be cast to the desired output type {TORCH_NAMES[out.dtype]}"
        )
    if out.shape == result.shape:
        out.copy_(result)
    else:
        if out.numel():
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
                f"match the required output shape {list(result.shape)}. This behavior is deprecated, and in a future "
                "PyTorch release outputs will not be resized unless they have zero elements.",
                stacklevel=4,
            )
        out.data = result.to(out.dtype)
    return out


def _tensors(values):
    """The tensors among arguments, those in lists and tuples as well."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def with_out(definition):
    """`definition` with an argument `out`: the tensor (or the tuple of tensors) that takes the result and is returned.

    As in PyTorch it takes the result's shape, with a warning if it has another, and nothing is recorded: a
    RuntimeError where gradients would have to flow.

    >>> import minigrad
    >>> y = minigrad.empty(2)
    >>> minigrad.add(minigrad.ones(2), 1, out=y) is y
    True
    >>> y
    tensor([2., 2.])
    """
    name = definition.__name__

    @functools.wraps(definition)
    def call(*args, out=None, **kwargs):
        if out is None:
            return definition(*args, **kwargs)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        involved = [*_tensors(args), *_tensors(kwargs.values()), *_tensors(outs)]
        if state.grad_enabled and any(tensor.requires_grad for tensor in involved):
            raise RuntimeError(
                f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
                "arguments requires grad."
            )
        result = definition(*args, **kwargs)
        if isinstance(result, tuple):
            return type(result)(*[_write(name, o, r) for o, r in zip(outs, result, strict=True)])
        return _write(name, outs[0], result)

    return call


def register():
    """Give the functions of `NAMES` their argument `out`; called when all operations are known."""
    for name in NAMES:
        if name in functions:
            functions[name] = with_out(functions[name])
