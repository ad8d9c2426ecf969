"""The local derivative of one operation, with its numbers: what it multiplies the gradient that arrives by.

For tensors of a few elements that is the Jacobian itself, one run of the operation's own backward a row; where it is
diagonal, as of everything that works element by element, its diagonal is enough. Here is also what an operation kept
for its derivative, and over which axes a gradient is summed because the argument was broadcast.
"""

import numpy as np

from . import formulas
from .checks import FULL, jacobian
from .replay import ERRORS, Replay


def local(operation, args, sources):
    """The derivatives of the results of `operation.apply(*args)` by the arguments at the places `sources`.

    Returns {"jacobians": [...], "texts": [...]}, ready for JSON, or None if a tensor has more than 36 elements or the
    operation cannot be computed again. A Jacobian is {"input": place, "name": its name, "output": number of the result,
    "diagonal": nested list in the argument's shape} or, if it is not diagonal, {..., "rows": one list for each element
    of the result}. A text says the same of a diagonal, and which argument or result it equals: "dz/dx = y = 3".

    >>> import minigrad
    >>> from minigrad.ops.arithmetic import Mul
    >>> local(Mul, (minigrad.tensor(2.0), minigrad.tensor(3.0)), [0, 1])["texts"]
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
            rows = jacobian(replay)
    except ERRORS:
        return None
    named = formulas.arguments(operation, args)
    result = formulas.result_name(operation)
    results = [result] if len(replay.results) == 1 else [f"{result}{i}" for i in range(len(replay.results))]
    known = [(name, a._array) for (name, _), a in zip(named, replay.args) if hasattr(a, "_array")]
    known += zip(results, replay.results)
    jacobians, texts = [], []
    for source, x, matrix in zip(sources, replay.points, rows):
        name, start = named[source][0], 0
        for output, y in enumerate(replay.results):
            block = matrix[start : start + y.size]
            start += y.size
            entry = {"input": source, "name": name, "output": replay.outputs[output]}
            if x.shape == y.shape and not (block - np.diag(np.diagonal(block))).any():
                diagonal = np.diagonal(block).reshape(x.shape)
                same = [other for other, value in known if np.array_equal(value, diagonal)]
                entry["diagonal"] = diagonal.tolist()
                equals = "".join(f"{other} = " for other in same[:1])
                texts.append(f"d{results[output]}/d{name} = {equals}{_numbers(diagonal)}")
            else:
                entry["rows"] = block.tolist()
            jacobians.append(entry)
    return {"jacobians": jacobians, "texts": texts}


def _numbers(array):
    if array.ndim == 0:
        return f"{float(array):.6g}"
    return f"[{', '.join(_numbers(part) for part in array)}]"


def uses(node, args, outputs):
    """What a node of the graph kept for its derivative: [{"name", "shape", "bytes"}, ...], arguments and results by name.

    `args` are what its operation was applied to and `outputs` its results, tensors or arrays. Empty once it is freed.

    >>> import minigrad
    >>> x, y = minigrad.ones(3, requires_grad=True), minigrad.ones(3)
    >>> z = x * y
    >>> uses(z.grad_fn, (x, y), (z,))
    [{'name': 'y', 'shape': [3], 'bytes': 12}]
    """
    operation = type(node)
    named = [(name, getattr(value, "_array", value)) for name, value in formulas.arguments(operation, args)]
    result = formulas.result_name(operation)
    several = len(outputs) > 1
    named += [(f"{result}{i}" if several else result, getattr(y, "_array", y)) for i, y in enumerate(outputs)]
    found = []
    for item in node._saved or ():
        if isinstance(item, tuple) and isinstance(array := item[0], np.ndarray):
            name = next((name for name, value in named if value is array), "computed between")
            found.append({"name": name, "shape": list(array.shape), "bytes": array.nbytes})
    return found


def summed_axes(shape, broadcast):
    """The axes of `broadcast` over which a gradient of that shape is summed for an argument of shape `shape`.

    >>> summed_axes((3, 1), (2, 3, 4))
    (0, 2)
    """
    added = len(broadcast) - len(shape)
    stretched = [added + i for i, size in enumerate(shape) if size == 1 and broadcast[added + i] != 1]
    return (*range(added), *stretched)
