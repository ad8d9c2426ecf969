"""The explorer's cards: what a document says of each operation beyond what was recorded.

`fill` adds to a document, of every operation, its formulas (with shapes), its settings by name, the derivative in
numbers and its comparison with finite differences; and of every tensor without a gradient the reason.
"""

import numpy as np

from minigrad.autograd import Tensor

from . import formulas
from .causes import reasons
from .checks import FULL, MOST, Check, check
from .local import local, result_names
from .recording import RecordedTensor
from .values import number

BUDGET = 1 << 28  # elements, times how often they are computed again, that all comparisons of a document may take
RUN = 1 << 12  # elements that take about as long as starting an operation does


def fill(recording, made):
    """Fill in what the `document` of a recording says of its operations, steps and tensors, in place."""
    for node in recording.nodes:
        if node.operation is not None:
            made["nodes"][node.id] |= _card(node)
    spent, known = 0, {}
    for walk, written in zip(recording.passes, made["passes"]):
        for step, entry in zip(walk.steps, written["steps"]):
            if step.node is None:
                continue
            if step.node not in known:
                cost = _cost(step.node)
                known[step.node] = _derivative(step.node, affordable=spent + cost <= BUDGET)
                spent += cost
            entry["check"], entry["local"] = known[step.node]
    values = [value for value in recording.tensors if _is_without(made["tensors"][value.id])]
    for value, cause in reasons(recording, values).items():
        made["tensors"][value.id]["why"] = cause.to_dict()


def _is_without(entry):
    return entry["grad"] is None or (entry["grad"]["stats"] or {}).get("norm") == 0


def _card(node):
    """The fields of an operation that are derived from its class and its arguments."""
    args = _arguments(node)
    forward, derivative = formulas.with_shapes(node.operation, args, _shapes(node))
    settings = formulas.settings(node.operation, args)
    return {
        "formula": formulas.derivative(node.operation),
        "forward_formula": formulas.forward(node.operation),
        "formula_shapes": derivative,
        "forward_shapes": forward,
        "arguments": [list(pair) for pair in settings if not (node.adopted and pair[1] == "None")],
        "input_names": [name for name, _ in formulas.arguments(node.operation, args)],
        "saved_names": _saved_names(node, args),
    }


def _saved_names(node, args):
    """What the formulas call the tensors that were kept for the derivative, "" for what was computed between."""
    names = [formulas.symbol(node.operation, name) for name, _ in formulas.arguments(node.operation, args)]
    names += result_names(node.operation, len(node.outputs))
    known = [*node.inputs, *node.outputs]
    kept = [item for item in node.saved if isinstance(item, RecordedTensor | np.ndarray)]
    return [next((name for name, value in zip(names, known) if value is item), "") for item in kept]


def _arguments(node):
    """What the operation was applied to; a tensor whose numbers are not known is None."""
    return tuple(
        [
            setting if value is None else None if value.array is None else Tensor._wrap(value.array)
            for value, setting in zip(node.inputs, node.arguments)
        ]
    )


def _shapes(node):
    return [value.shape for value in node.outputs if value is not None]


def _cost(node):
    """Elements that a comparison computes: everything twice for each argument, and a few times more.

    Of small tensors it is twice for each element of an argument and once for each of a result.
    """
    arrays = [None if value is None else value.array for value in [*node.inputs, *node.outputs]]
    sizes = [0 if array is None else array.size for array in arrays]
    if sum(sizes) > MOST:
        return 0
    points, results = [sizes[place] for place in _sources(node)], sum(sizes[len(node.inputs) :])
    small = results <= FULL and all(size <= FULL for size in points)
    return (sum(sizes) + RUN) * (2 * sum(points) + results if small else 2 * len(points) + 3)


def _sources(node):
    return [place for place, edge in enumerate(node.live.edges) if edge is not None]


def _derivative(node, affordable):
    """(the comparison with finite differences, the derivative in numbers) of an operation, ready for JSON."""
    sources = _sources(node)
    args, outputs = _arguments(node), [None if value is None else value.array for value in node.outputs]
    if node.adopted or any(args[place] is None for place in sources):
        reason = "it was found on the graph, which has not kept its settings; run the step inside viz.record()"
        return Check("not checked", None, f"not checked: {reason}").to_dict(), None
    if not affordable:
        return Check("not checked", None, "not checked: the operations before it took the budget").to_dict(), None
    found = check(node.operation, args, sources, outputs).to_dict()
    if found["worst"] is not None:
        found["worst"] = number(found["worst"])
    entries = local(node.operation, args, sources)
    for entry in entries or ():
        entry["tensor"] = node.inputs[entry["input"]].id
        entry["numbers"] = _finite(entry["numbers"])
    return found, entries


def _finite(numbers):
    """Nested lists of numbers as JSON has them."""
    if isinstance(numbers, list):
        return [_finite(part) for part in numbers]
    return None if numbers is None else number(numbers)
