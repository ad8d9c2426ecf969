"""Products of tensors along any dimensions: `einsum` and its relatives, all made of matrix products."""

import itertools
import math

from minigrad.autograd.dtypes import TORCH_NAMES, promote_types

from .linear_systems import cross as linalg_cross
from .matrix import MatMul, c_name, matmul
from .reduction import axes_of
from .registry import both, function, linear_algebra, numpy_names
from .sequences import arange

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # a sublist's numbers count in this order
_SPLIT = "..."


@function
def einsum(equation, *operands):
    """Einstein's summation: products of tensors whose dimensions are named by letters (`torch.einsum`).

    `"ij,jk->ik"` is the matrix product: a letter missing on the right is summed over, one repeated in an operand takes
    its diagonal, `...` stands for any dimensions, which broadcast. Without `->` the result has the letters that occur
    once, sorted. The other form names dimensions by numbers: `einsum(x, [0, 1], y, [1, 2], [0, 2])`.

    >>> import minigrad
    >>> minigrad.einsum("ii->i", minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 4.])
    >>> minigrad.einsum("bij,bjk->bik", minigrad.ones(2, 3, 4), minigrad.ones(2, 4, 5)).shape
    minigrad.Size([2, 3, 5])
    """
    if not isinstance(equation, str):
        equation, operands = _equation_of((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    if not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    labels, output = _parse(equation, [x.ndim for x in operands])
    factors, sizes = [], {}
    for number, (x, names) in enumerate(zip(operands, labels)):
        x, names = _diagonal(x, names, number)
        factors.append((x, names))
        for name, size in zip(names, x._array.shape):
            if sizes.get(name, 1) == 1:
                sizes[name] = size
            elif size not in (1, sizes[name]):
                raise RuntimeError(
                    f"einsum(): subscript {name} has size {size} for operand {number} which does not broadcast with "
                    f"previously seen size {sizes[name]}"
                )
    factors = [_without_ones(x, names, sizes) for x, names in factors]
    while len(factors) > 1:
        i, j = (0, 1) if len(factors) == 2 else _cheapest(factors, output, sizes)
        (x, x_names), (y, y_names) = factors[i], factors[j]
        factors = [factor for place, factor in enumerate(factors) if place not in (i, j)]
        needed = {name for _, names in factors for name in names}.union(output)
        factors.append(_contract(x, x_names, y, y_names, needed))
    x, names = _sum_out(*factors[0], set(output))
    return _permuted(x, names, output)


def _equation_of(arguments):
    """(equation, operands) of the form with sublists: tensor, numbers, tensor, numbers, ..., numbers of the result."""

    def text(numbers):
        for number in numbers:
            if number is not Ellipsis and not 0 <= number < len(_LETTERS):
                raise ValueError(
                    f"einsum(): subscript in subscript list is not within the valid range [0, 52)\nhint: it is {number}"
                )
        return "".join([_SPLIT if number is Ellipsis else _LETTERS[number] for number in numbers])

    operands, sublists = arguments[0 : len(arguments) - 1 : 2], arguments[1::2]
    equation = ",".join([text(numbers) for numbers in sublists])
    return equation + (f"->{text(arguments[-1])}" if len(arguments) % 2 else ""), operands


def _names(text, whole, where):
    """The subscripts of one term: letters, and "..." where an ellipsis stands."""
    names, position = [], 0
    while position < len(text):
        character = text[position]
        if text.startswith(_SPLIT, position):
            if _SPLIT in names:
                raise RuntimeError(f"einsum(): found '.' for {where} for which an ellipsis was already found")
            names.append(_SPLIT)
            position += 3
            continue
        if character == ".":
            raise RuntimeError(f"einsum(): found '.' for {where} that is not part of any ellipsis (...)")
        if character not in _LETTERS:
            at = whole.index(character)
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {at} in the equation string, subscripts must be in "
                "[a-zA-Z]"
            )
        names.append(character)
        position += 1
    return names


def _parse(equation, ranks):
    """(names of the dimensions of every operand, names of the result's); an ellipsis becomes names of its own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    if arrow and not set(right) <= set(_LETTERS + "."):
        at = next(i for i, c in enumerate(equation) if i > equation.index("->") + 1 and c not in _LETTERS + ". ")
        raise RuntimeError(
            f"einsum(): invalid subscript given at index {at} in the equation string, subscripts must be in [a-zA-Z]"
        )
    terms = [_names(term, equation, f"operand {i}") for i, term in enumerate(left.split(","))]
    if len(terms) != len(ranks):
        fewer = "more" if len(ranks) > len(terms) else "fewer"
        raise RuntimeError(f"einsum(): {fewer} operands were provided than specified in the equation")
    labels, widest = [], 0
    for number, (names, rank) in enumerate(zip(terms, ranks)):
        hidden = rank - len(names) + 1
        if _SPLIT not in names and len(names) != rank:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(names)}) does not match the number of "
                f"dimensions ({rank}) for operand {number} and no ellipsis was given"
            )
        if _SPLIT in names and hidden < 0:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(names) - 1}) is more than the number of "
                f"dimensions ({rank}) for operand {number}"
            )
        if _SPLIT in names:
            widest = max(widest, hidden)
            at = names.index(_SPLIT)
            names = [*names[:at], *_hidden_names(hidden), *names[at + 1 :]]
        labels.append(names)
    if arrow:
        output = _names(right, equation, "output")
        for name in output:
            if name != _SPLIT and output.count(name) > 1:
                raise RuntimeError(f"einsum(): output subscript {name} appears more than once in the output")
            if name != _SPLIT and not any(name in names for names in labels):
                raise RuntimeError(
                    f"einsum(): output subscript {name} does not appear in the equation for any input operand"
                )
    else:
        seen = [name for names in labels for name in names]
        output = [_SPLIT, *sorted([name for name in set(seen) if len(name) == 1 and seen.count(name) == 1])]
    if _SPLIT in output:
        at = output.index(_SPLIT)
        output = [*output[:at], *_hidden_names(widest), *output[at + 1 :]]
    return labels, output


def _hidden_names(count):
    """Names for the dimensions of an ellipsis, which line up from the right."""
    return [f"...{i}" for i in reversed(range(count))]


def _diagonal(x, names, number):
    """`x` with the diagonal taken of every name that occurs twice."""
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            sizes = x.shape[first], x.shape[second]
            if sizes[0] != sizes[1]:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated for operand {number} but the sizes don't match, "
                    f"{sizes[1]} != {sizes[0]}"
                )
            others = [d for d in range(x.ndim) if d not in (first, second)]
            along = arange(sizes[0], device=x.device)
            x = x.permute(first, second, *others)[along, along]
            names = [name, *[names[d] for d in others]]
    return x, names


def _without_ones(x, names, sizes):
    """`x` without the dimensions of size 1 that broadcast: another operand has the name with its real size."""
    kept = [name for name, size in zip(names, x._array.shape) if size == sizes[name]]
    if len(kept) == len(names):
        return x, names
    return x.reshape([sizes[name] for name in kept]), kept


def _permuted(x, names, order):
    """`x`, whose dimensions have these names, with its dimensions in this order of names."""
    return x if list(names) == list(order) else x.permute([names.index(name) for name in order])


def _sum_out(x, names, needed):
    """`x` summed over the dimensions whose names nobody needs; small integers become int64, as in every sum."""
    axes = tuple([d for d, name in enumerate(names) if name not in needed])
    return (x.sum(axes), [name for name in names if name in needed]) if axes else (x, names)


def _contract(x, x_names, y, y_names, needed):
    """(the product of two operands, its names): summed over the names that nobody needs any more."""
    if x._array.dtype != y._array.dtype:
        raise RuntimeError(
            f"expected scalar type {TORCH_NAMES[x._array.dtype]} but found {TORCH_NAMES[y._array.dtype]}\nhint: "
            "einsum takes operands of one dtype"
        )
    x, x_names = _sum_out(x, x_names, needed.union(y_names))
    y, y_names = _sum_out(y, y_names, needed.union(x_names))
    batch = [name for name in x_names if name in y_names and name in needed]
    summed = [name for name in x_names if name in y_names and name not in needed]
    rows = [name for name in x_names if name not in y_names]
    columns = [name for name in y_names if name not in x_names]
    shapes = dict(zip(y_names, y._array.shape)) | dict(zip(x_names, x._array.shape))
    result = [*batch, *rows, *columns]
    x = _permuted(x, x_names, [*batch, *rows, *summed])
    if not summed:
        y = _permuted(y, y_names, [*batch, *columns])
        x = x.reshape([*[shapes[name] for name in [*batch, *rows]], *[1] * len(columns)]) if columns else x
        y = y.reshape([*[shapes[name] for name in batch], *[1] * len(rows), *[shapes[name] for name in columns]])
        return x * y, result
    dtype = promote_types(x._array.dtype, y._array.dtype)
    if dtype.kind == "b":
        raise NotImplementedError("\"bmm\" not implemented for 'Bool'\nhint: convert the operands with .long()")
    x, y = x.to(dtype), y.to(dtype)
    if not rows and not columns and batch:
        y = _permuted(y, y_names, [*batch, *summed])
        return (x * y).sum(tuple(range(len(batch), x.ndim)), dtype=x.dtype), result
    y = _permuted(y, y_names, [*batch, *summed, *columns])
    n, k, m = (math.prod([shapes[name] for name in group]) for group in (rows, summed, columns))
    count = [math.prod([shapes[name] for name in batch])] if batch else []
    z = MatMul.apply(x.reshape(*count, n, k), y.reshape(*count, k, m))
    return z.reshape([shapes[name] for name in result]), result


def _cheapest(factors, output, sizes):
    """The pair to multiply next: the one whose product is the smallest, compared with what it replaces."""

    def growth(pair):
        chosen = [set(factors[i][1]) for i in pair]
        others = [set(names) for i, (_, names) in enumerate(factors) if i not in pair]
        kept = (chosen[0] | chosen[1]) & set(output).union(*others)
        return math.prod([sizes[name] for name in kept]) - sum(
            [math.prod([sizes[name] for name in names]) for names in chosen]
        )

    pairs = [(i, j) for j in range(len(factors)) for i in range(j)]
    return min(pairs, key=growth)


@function
def tensordot(a, b, dims=2):
    """The sum of products over the last `dims` dimensions of `a` and the first of `b`, or over two lists of them.

    Source: `torch.tensordot`.

    >>> import minigrad
    >>> minigrad.tensordot(minigrad.ones(2, 3, 4), minigrad.ones(3, 4, 5)).shape
    minigrad.Size([2, 5])
    """
    dims = dims.tolist() if hasattr(dims, "tolist") else dims
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    else:
        first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(first) != len(second):
        raise RuntimeError(
            f"both dimension lists should have same length\nhint: they are {first} and {second}, of lengths "
            f"{len(first)} and {len(second)}"
        )
    if a._array.dtype != b._array.dtype:
        raise RuntimeError(f"both inputs should have same dtype\nhint: they are {a.dtype} and {b.dtype}")
    axes_a, axes_b = (axes_of(axes, x.ndim, empty_means_all=False) for axes, x in ((first, a), (second, b)))
    for axis_a, axis_b, shown_a, shown_b in zip(axes_a, axes_b, first, second):
        sizes = a.shape[axis_a], b.shape[axis_b]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {sizes[0]} in dim {shown_a} and second has "
                f"size {sizes[1]} in dim {shown_b}"
            )
        if sizes[0] != sizes[1]:  # one of them broadcasts: the other is summed by itself
            a, b = (a.sum(axis_a, True, dtype=a.dtype), b) if sizes[1] == 1 else (a, b.sum(axis_b, True, dtype=b.dtype))
    a_names, b_names = [f"a{d}" for d in range(a.ndim)], [f"b{d}" for d in range(b.ndim)]
    for axis_a, axis_b in zip(axes_a, axes_b):
        b_names[axis_b] = a_names[axis_a]
    needed = {name for d, name in enumerate(a_names) if d not in axes_a} | set(b_names).difference(a_names)
    return _contract(a, a_names, b, b_names, needed)[0]


@linear_algebra
def multi_dot(tensors):
    """The product of matrices in the order of multiplication that takes the fewest steps (`torch.linalg.multi_dot`).

    The first and the last may be vectors, a row and a column.

    >>> import minigrad
    >>> multi_dot([minigrad.ones(2, 3), minigrad.ones(3, 4), minigrad.ones(4)])
    tensor([12., 12.])
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for i, x in enumerate(tensors):
        if i in (0, len(tensors) - 1) and x.ndim not in (1, 2):
            place = "first" if i == 0 else "last"
            raise RuntimeError(f"multi_dot(): the {place} tensor must be 1D or 2D but got {x.ndim}D")
        if i not in (0, len(tensors) - 1) and x.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {x.ndim}D")
        if x._array.dtype != tensors[0]._array.dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {c_name(tensors[0])} and "
                f"tensor {i} {c_name(x)}"
            )
    matrices = [tensors[0].unsqueeze(0) if tensors[0].ndim == 1 else tensors[0], *tensors[1:-1]]
    matrices.append(tensors[-1].unsqueeze(1) if tensors[-1].ndim == 1 else tensors[-1])
    for i, (x, y) in enumerate(itertools.pairwise(matrices)):
        if x.shape[1] != y.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(x.shape)} and {list(y.shape)} cannot be "
                "multiplied"
            )
    result = _chain(matrices)
    rows = [] if tensors[0].ndim == 1 else [result.shape[0]]
    return result.reshape(*rows, *([] if tensors[-1].ndim == 1 else [result.shape[1]]))


def _chain(matrices):
    """The product of matrices by the cheapest parenthesisation (Cormen et al., chapter 15.2)."""
    sizes = [matrices[0].shape[0], *[x.shape[1] for x in matrices]]
    count = len(matrices)
    cost, split = {(i, i): 0 for i in range(count)}, {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            )

    def product(i, j):
        return matrices[i] if i == j else matmul(product(i, split[i, j]), product(split[i, j] + 1, j))

    return product(0, count - 1)


@function
def chain_matmul(*matrices):
    """The product of matrices in the cheapest order; `linalg.multi_dot` under its older name (`torch.chain_matmul`).

    >>> import minigrad
    >>> minigrad.chain_matmul(minigrad.ones(2, 3), minigrad.ones(3, 4), minigrad.ones(4, 1))
    tensor([[12.],
            [12.]])
    """
    for x in matrices:
        if x.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {x.ndim}, expected 2 instead.")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@both()
def kron(input, other):
    """The Kronecker product: every element of `input` times the whole of `other`, as blocks (`torch.kron`).

    >>> import minigrad
    >>> minigrad.kron(minigrad.tensor([1.0, 10.0]), minigrad.tensor([1.0, 2.0]))
    tensor([ 1.,  2., 10., 20.])
    """
    rank = max(input.ndim, other.ndim)
    shapes = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (input, other)]
    x = input.reshape([size for n in shapes[0] for size in (n, 1)])
    y = other.reshape([size for n in shapes[1] for size in (1, n)])
    return (x * y).reshape([n * m for n, m in zip(*shapes)])


@both()
@numpy_names
def cross(input, other, dim=None):
    """The cross products along `dim`, of size 3; by default the first dimension of that size (`torch.cross`).

    >>> import minigrad
    >>> minigrad.cross(minigrad.tensor([1.0, 0.0, 0.0]), minigrad.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError(f"no dimension of size 3 in input\nhint: the shape is {tuple(input.shape)}")
        dim = input.shape.index(3)
    return linalg_cross(input, other, dim=dim)
