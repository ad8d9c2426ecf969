"""Tensors that follow a rule: ranges, evenly spaced numbers, the identity, indices of triangles, one-hot rows."""

import builtins
import itertools
import math

import numpy as np

from minigrad.autograd import Tensor, get_default_dtype, home, pattern, placed
from minigrad.autograd.dtypes import TORCH_NAMES, as_dtype, int64

from .creation import checked, finish, fitting, leaf
from .registry import function


def _number(value, name=None):
    """The number in a 0-d tensor; numbers as they are."""
    if not isinstance(value, Tensor):
        return value
    if name is not None and value.ndim:
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start with {value.ndim} dimension(s)."
        )
    return value.item()


@function
def arange(start=None, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """The numbers from `start` (0 if only one is given) up to but not including `end` (`torch.arange`).

    >>> arange(4)
    tensor([0, 1, 2, 3])
    >>> arange(1, 2, 0.5)
    tensor([1.0000, 1.5000])
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise TypeError("arange() needs an end\nhint: minigrad.arange(end) or minigrad.arange(start, end, step)")
    bounds = [v._array.dtype if isinstance(v, Tensor) else np.asarray(v).dtype for v in (start or 0, end, step)]
    start, end, step = (_number(v) for v in (0 if start is None else start, end, step))
    if dtype is None:
        dtype = int64 if all(bound.kind in "iub" for bound in bounds) else get_default_dtype()
    dtype = as_dtype(dtype)
    if dtype.kind == "b":
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'\nhint: a range needs numbers")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign"
            f"\nhint: no step of {step} leads from {start} to {end}"
        )
    if all(isinstance(v, int) for v in (start, end, step)):
        count = -((start - end) // step)
    else:
        count = math.ceil((end - start) / step)
        if dtype.kind != "f":
            start, step = int(start), int(step)  # as PyTorch, which counts in the dtype of the result
            if step == 0:
                raise ValueError("step must be nonzero\nhint: a whole dtype needs whole steps")
    like = pattern(home(device))
    counting = np.arange(*checked((count,)), dtype=np.float64 if dtype.kind == "f" else np.int64, like=like)
    return leaf((start + step * counting).astype(dtype), requires_grad)


def _spaced(name, start, end, steps, dtype):
    """(dtype, `steps` evenly spaced numbers in float64): from the nearer end, as in PyTorch."""
    start, end = _number(start, name), _number(end, name)
    if not isinstance(steps, (int, np.integer)):
        raise TypeError(f"{name}(): argument 'steps' must be int, not {type(steps).__name__}")
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative\nhint: steps is {steps}")
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    if dtype.kind != "f" and name == "linspace":
        start, end = (int(fitting(v, dtype)) for v in (start, end))
    index = np.arange(*checked((int(steps),)))
    step = (end - start) / max(steps - 1, 1)
    with np.errstate(all="ignore"):
        first, second = start + step * index, end - step * (steps - 1 - index)
    return dtype, np.where(index < steps // 2, first, second) if steps > 1 else first


@function
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included, evenly spaced (`torch.linspace`).

    >>> linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    dtype, values = _spaced("linspace", start, end, steps, dtype)
    return finish(values.astype(dtype), requires_grad, device)


@function
def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`base` to the powers `linspace(start, end, steps)` (`torch.logspace`).

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    dtype, powers = _spaced("logspace", start, end, steps, dtype)
    with np.errstate(all="ignore"):
        return finish(np.power(float(base), powers).astype(dtype), requires_grad, device)


@function
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n x m matrix (n x n by default) with ones on the diagonal (`torch.eye`).

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if not hasattr(size, "__index__"):
            raise TypeError(f"eye(): argument '{name}' must be int, not {type(size).__name__}")
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    shape = checked((n.__index__(), m.__index__()))
    return finish(
        np.eye(*shape, dtype=get_default_dtype() if dtype is None else as_dtype(dtype)), requires_grad, device
    )


@function
def vander(x, N=None, *, increasing=False):
    """The powers of each number of a vector as a row, falling unless `increasing`, (len(x), N) (`torch.vander`).

    >>> import minigrad
    >>> vander(minigrad.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    powers = arange(x.shape[0] if N is None else N, device=x.device)
    return x.unsqueeze(-1) ** (powers if increasing else powers.flip(0))


@function
def unravel_index(indices, shape):
    """A tuple of the places along each dimension of numbers of elements in row-major order (`torch.unravel_index`).

    >>> unravel_index(arange(4, 5), (2, 3))
    (tensor([1]), tensor([1]))
    """
    shape = (shape,) if isinstance(shape, builtins.int) else tuple(shape)
    try:
        places = np.unravel_index(indices._array, shape)
    except ValueError:
        raise ValueError(f"unravel_index(): indices must fit in the shape\nhint: the shape is {shape}") from None
    return tuple([Tensor._wrap(np.asarray(place, like=indices._array)) for place in places])


@function
def combinations(input, r=2, with_replacement=False):
    """The choices of `r` elements of a vector as rows, in itertools' order (`torch.combinations`).

    >>> import minigrad
    >>> combinations(minigrad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(builtins.range(len(input)), r)), np.int64).reshape(-1, r)
    return input[Tensor._wrap(placed(places, input.device))]


def _triangle(name, keep, row, col, dtype, device):
    """The row and column indices of the part of a row x col matrix that `keep` picks, int64 shape (2, n)."""
    for side, size in (("row", row), ("col", col)):
        if size < 0:
            raise RuntimeError(f"{side} must be non-negative, got{size}")
    dtype = as_dtype(dtype)
    if dtype.kind not in "iu":
        raise NotImplementedError(f"\"{name}\" not implemented for '{TORCH_NAMES[dtype]}'\nhint: indices are integers")
    row, col = checked((row.__index__(), col.__index__()))
    rows, columns = np.ogrid[:row, :col]
    return finish(np.stack(np.nonzero(keep(columns - rows))).astype(dtype), False, device)


@function
def tril_indices(row, col, offset=0, *, dtype=int64, device=None):
    """Indices of the lower triangle of a row x col matrix, on and below diagonal `offset`, shape (2, n).

    Source: `torch.tril_indices`.

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle("tril_indices", lambda diagonal: diagonal <= offset, row, col, dtype, device)


@function
def triu_indices(row, col, offset=0, *, dtype=int64, device=None):
    """Indices of the upper triangle of a row x col matrix, on and above diagonal `offset`, shape (2, n).

    Source: `torch.triu_indices`.

    >>> triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle("triu_indices", lambda diagonal: diagonal >= offset, row, col, dtype, device)
