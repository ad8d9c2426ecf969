"""The local derivative of one operation, with its numbers: what it multiplies the gradient that arrives by.

For tensors of a few elements that is the Jacobian itself, one run of the operation's own backward a row; where it is
diagonal, as of everything that works element by element, its diagonal is enough.
"""

import numpy as np

from minigrad.autograd import Tensor

from . import formulas
from .checks import FULL, jacobian
from .replay import ERRORS, Replay

MOST = 64  # numbers of a Jacobian that is not diagonal


def local(operation, args, sources):
    """The derivatives of the results of `operation.apply(*args)` by the arguments at the places `sources`.

    Returns a list ready for JSON, or None if the tensors are too large or the operation cannot be computed again. An
    entry is {"input": place, "output": number of the result, "name", "text", "diagonal": whether only the diagonal is
    not zero, "numbers": that diagonal in the argument's shape, or else the Jacobian, one row for each element of the
    result}. The text names the argument or the result that a diagonal equals: "dz/dx = y = 3".

    >>> import minigrad
    >>> from minigrad.ops.arithmetic import Mul
    >>> [entry["text"] for entry in local(Mul, (minigrad.tensor(2.0), minigrad.tensor(3.0)), [0, 1])]
    ['dz/dx = y = 3', 'dz/dy = x = 2']
    """
    sources = [i for i in sources if args[i].dtype.kind == "f"]
    if not sources or any(args[i].numel() > FULL for i in sources):
        return None
    try:
        with np.errstate(all="ignore"):
            replay = Replay(operation, args, sources)
            if not replay.results or sum(y.size for y in replay.results) > FULL:
                return None
            matrices = jacobian(replay)
    except ERRORS:
        return None
    named = formulas.arguments(operation, args)
    results = result_names(operation, len(replay.results))
    known = [
        (formulas.symbol(operation, name), a._array)
        for (name, _), a in zip(named, replay.args)
        if isinstance(a, Tensor)
    ]
    known += zip(results, replay.results)
    entries = []
    for source, x, matrix in zip(sources, replay.points, matrices):
        starts = np.cumsum([0, *[y.size for y in replay.results]])
        for start, number, name, y in zip(starts, replay.outputs, results, replay.results):
            entry = {"input": source, "output": number, "name": named[source][0]}
            symbol = formulas.symbol(operation, entry["name"])
            entry |= _described(f"d{name}/d{symbol}", x, y, matrix[start : start + y.size], known)
            entries.append(entry)
    return entries


def _described(fraction, x, y, block, known):
    """The text and the numbers of one Jacobian."""
    if x.shape != y.shape or np.count_nonzero(block) != np.count_nonzero(np.diagonal(block)):
        numbers = _rounded(block) if block.size <= MOST else None
        return {"text": f"{fraction}: {y.size} × {x.size} numbers", "diagonal": False, "numbers": numbers}
    diagonal = np.diagonal(block).reshape(x.shape)
    same = next((f"{name} = " for name, value in known if np.array_equal(value, diagonal)), "")
    return {"text": f"{fraction} = {same}{_numbers(diagonal)}", "diagonal": True, "numbers": _rounded(diagonal)}


def result_names(operation, count):
    """What the results are called: the formula's name, numbered if there are several.

    >>> from minigrad.ops.decompositions import Qr
    >>> result_names(Qr, 2)
    ['Q0', 'Q1']
    """
    name = formulas.result_name(operation)
    return [name] if count == 1 else [f"{name}{i}" for i in range(count)]


def _rounded(array):
    return float(f"{float(array):.9g}") if array.ndim == 0 else [_rounded(part) for part in array]


def _numbers(array):
    if array.ndim == 0:
        return f"{float(array):.6g}"
    return f"[{', '.join(_numbers(part) for part in array)}]"
