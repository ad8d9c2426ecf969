"""Where a gradient stops: between a tensor and the loss, and in which operation it becomes zero.

`Trail` reads a recording. A gradient that is missing is looked for along the data: forward from the tensor, to the
operations on the way to the loss that the graph does not know. A gradient of zeros is looked for along the gradient:
back from the tensor, to the operations that something arrived at and nothing left.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd import Function

from .recording import RecordedNode
from .wording import at, capital, named
from .zeros import why_zero

PATH = 64  # operations of a way that are written, the last ones


@dataclass(slots=True)
class Cause:
    """Why a tensor has no gradient ("none") or only zeros ("zero"): a key, words, and where; `path` leads there."""

    state: str
    cause: str
    text: str
    node: RecordedNode | None = None
    path: list = field(default_factory=list)

    def to_dict(self):
        """As the explorer's document has it: nodes by their places in it."""
        line = None if self.node is None or self.node.line is None else str(self.node.line)
        return {
            "state": self.state,
            "cause": self.cause,
            "text": self.text,
            "node": None if self.node is None else self.node.id,
            "line": line,
            "path": [node.id for node in self.path[-PATH:]],
        }


class Trail:
    """The ways through a recording that gradients took, or might have taken, in its backward `passes`.

    What arrived at any of `versions`, one leaf before and after it was written, counts for the first of them.
    """

    def __init__(self, recording, passes, versions=()):
        self.recording, self.passes = recording, passes
        self.latest = dict.fromkeys(versions, next(iter(versions), None))
        self.given = {}  # RecordedTensor -> [(Step, Leaving)]: the parts of its gradient
        self.totals = {}  # RecordedTensor -> its gradient over all passes
        self.times = Counter()  # RecordedTensor -> in how many passes something arrived at it
        for walk in passes:
            for step in walk.steps:
                for leaving in step.leaving:
                    self.given.setdefault(self.latest.get(leaving.tensor, leaving.tensor), []).append((step, leaving))
            for value, array in walk.totals().items():
                value = self.latest.get(value, value)
                self.times[value] += 1
                self.totals[value] = self.totals[value] + array if value in self.totals else array
        self.roots = dict.fromkeys(root for walk in passes for root in walk.roots)
        self._steps = {step.node: step for walk in passes for step in walk.steps if step.node is not None}
        self._hooked = {step.arriving[i][0] for walk in passes for step in walk.steps for i in step.hooked}
        self._behind = None
        self._zeros = {}  # RecordedTensor -> where the zeros begin that arrived at it

    # no gradient ------------------------------------------------------------------------------------------------------

    def missing(self, value):
        """Why no gradient arrived at `value`."""
        name = named(value)
        if value.dtype.kind != "f":
            text = f"{capital(name)} holds {value.dtype}: only floating-point tensors have gradients."
            return Cause("none", "integer", text)
        if not value.requires_grad:
            return self._without_grad(value, name)
        if not self.passes:
            text = f"No backward pass has run in this recording, so {name} has no gradient yet: call loss.backward()."
            return Cause("none", "not_run", text)
        return self._stopped(value, name)

    def _without_grad(self, value, name):
        """Why a tensor does not require grad at all."""
        node = value.node
        if node is None:
            kind = "This parameter is frozen: it" if value.role == "parameter" else f"{capital(name)}"
            text = f"{kind} has requires_grad=False, so no gradient flows to it"
            hint = "requires_grad_() before the forward pass asks for one"
            return Cause("none", "requires_grad_false", f"{text}; {hint}.")
        if (cut := _cut(node)) is None:
            text = f"{capital(name)} was computed{at(node)} from tensors none of which requires grad."
            return Cause("none", "requires_grad_false", text, node)
        return Cause("none", cut[0], f"{capital(name)} is outside the graph since{at(node)}: {cut[1]}.", node, [node])

    def _search(self, value):
        """Follow the data from `value`: how each tensor was come to, and where the gradient's way ends.

        Returns {RecordedTensor: (node, the tensor before it)}, those of them that no gradient comes back from, and
        pairs (node, tensor that it was given): operations that cut a way to the loss, ways out of minigrad, and
        operations whose backward gave nothing back.
        """
        came, lost, queue = {value: None}, set(), deque([value])
        cuts, exits, silent = [], [], []
        while queue:
            reached = queue.popleft()
            for node, place in reached.users:
                linked = node.recorded and node.live.edges[place] is not None and reached not in lost
                outputs = [output for output in node.outputs if output is not None]
                for output in outputs:
                    on = linked and output.requires_grad
                    if not on and reached not in lost and self._leads_on(output):
                        cuts.append((node, reached))
                    if output not in came or (on and output in lost):
                        came[output] = node, reached
                        queue.append(output)
                        (lost.discard if on else lost.add)(output)
                if not outputs:
                    exits.append((node, reached))
                step = self._steps.get(node)
                if linked and step is not None and step.done and place not in [part.input for part in step.leaving]:
                    silent.append((node, reached))
        return came, lost, cuts, exits, silent

    def _stopped(self, value, name):
        """Why the passes there were did not reach a tensor that requires grad."""
        came, lost, cuts, exits, silent = self._search(value)
        if cuts:
            node, reached = min(cuts, key=lambda cut: cut[0].sequence)
            key, words = _cut(node) or ("unrecorded", f"{node.name()} is not on the graph")
            more = f" It is cut in {len(cuts) - 1} more places." if len(cuts) > 1 else ""
            words = f"The way from {name} to {self._loss()} is cut{at(node)}: {words}.{more}"
            return Cause("none", key, words, node, [*_path(came, reached), node])
        restricted = any(walk.inputs is not None for walk in self.passes)
        if silent and not restricted:
            node, reached = silent[0]
            text = (
                f"The backward of {node.name()}{at(node)} returned no gradient for {named(reached)}: "
                f"its derivative is “{node.operation.formula}”."
            )
            return Cause("none", "no_derivative", text, node, [*_path(came, reached), node])
        if restricted and any(root in came and root not in lost for root in self.roots):
            text = f"{capital(name)} is on the graph of {self._loss()}, but the pass was run for other inputs only."
            return Cause("none", "inputs", text)
        if any(not walk.complete for walk in self.passes):
            return Cause("none", "error", f"The backward pass ended in an error before it came to {name}.")
        if exits:
            node, reached = max(exits, key=lambda found: found[0].sequence)
            key, words = _cut(node)
            text = f"No recorded way leads from {name} to {self._loss()}; it ends{at(node)}: {words}."
            return Cause("none", key, text, node, [*_path(came, reached), node])
        if not value.users:
            return Cause(
                "none", "unused", f"No recorded operation used {name}, so {self._loss()} does not depend on it."
            )
        last = max((node for tensor in came for node, _ in tensor.users), key=lambda node: node.sequence)
        text = (
            f"{capital(name)} was used, but nothing computed from it is part of {self._loss()}: the trail ends with "
            f"{last.name()}{at(last)}, whose result was not used for the loss."
        )
        return Cause("none", "unused", text, last, [*_path(came, last.outputs[0] if last.outputs else value)])

    def _loss(self):
        names = [root.name for root in self.roots if root.name]
        return names[0] if len(self.roots) == 1 and names and names[0] != "loss" else "the loss"

    def _leads_on(self, value):
        """Whether a root of the passes was computed from `value`, by recorded operations of any kind."""
        if self._behind is None:
            self._behind, stack = set(self.roots), list(self.roots)
            while stack:
                node = stack.pop().node
                for source in () if node is None else node.inputs:
                    if source is not None and source not in self._behind:
                        self._behind.add(source)
                        stack.append(source)
        return value in self._behind

    # a gradient of zeros ----------------------------------------------------------------------------------------------

    def zero(self, value):
        """Why the gradient of `value`, which arrived, is zero everywhere."""
        name = named(value)
        if not self.totals[value].size:
            return Cause("zero", "empty", f"{capital(name)} has no elements.")
        parts = self.given.get(value, [])
        if value in self._hooked:
            return Cause("zero", "hook", f"A hook on {name} replaced its gradient by zeros.", value.node)
        if self._cancels(value):
            ways = ", ".join(dict.fromkeys(f"{step.node.name()}{at(step.node)}" for step, _ in parts))
            text = f"What arrived at {name} cancels to zero: the {len(parts)} parts of its gradient, from {ways}."
            return Cause("zero", "cancelled", text, parts[0][0].node)
        killers, ends = self._beginnings(value)
        if not killers:
            if not ends:
                return Cause("zero", "seed", "The backward pass started with zeros.")
            end, path = next(iter(ends.items()))
            if end in self._hooked:
                text = f"A hook on {named(end)} replaced its gradient by zeros, and nothing is left for {name}."
                return Cause("zero", "hook", text, end.node, path)
            text = f"The parts of the gradient of {named(end)} cancel to zero, and nothing is left for {name}."
            return Cause("zero", "cancelled", text, end.node, path)
        leaving, (step, reached, path) = min(killers.items(), key=lambda found: found[1][0].node.sequence)
        made_by = [other.node for output, _ in step.arriving for other, _ in self.given.get(output, []) if other.node]
        key, words = why_zero(step, leaving, made_by)
        where = "" if reached is value else f", on the way to {name}"
        more = f" ({len(killers) - 1} more ways end like this.)" if len(killers) > 1 else ""
        text = f"The gradient becomes zero in {step.node.name()}{at(step.node)}{where}: {words}.{more}"
        return Cause("zero", key, text, step.node, [*path, step.node][-PATH:])

    def _beginnings(self, value):
        """Where the zeros that arrived at `value` begin.

        Returns {Leaving: (its Step, the tensor that it left for, the way there)} of the operations that made zeros of
        something, and {RecordedTensor: the way there} of tensors at which something became zeros. What is known of a
        tensor between is not looked for again.
        """
        came, killers, ends, queue = {value: None}, {}, {}, deque([value])
        while queue:
            reached = queue.popleft()
            if reached in self._zeros:
                before, (more_killers, more_ends) = _path(came, reached), self._zeros[reached]
                for leaving, (step, tensor, way) in more_killers.items():
                    killers.setdefault(leaving, (step, tensor, [*before, *way][-PATH:]))
                for end, way in more_ends.items():
                    ends.setdefault(end, [*before, *way][-PATH:])
                continue
            if self._cancels(reached):
                ends[reached] = _path(came, reached)[-PATH:]
            for step, leaving in self.given.get(reached, []):
                if np.any(leaving.array):
                    continue  # another part took it away again; the whole is explained by what lies before
                if any(array is not None and np.any(array) for _, array in step.arriving):
                    killers[leaving] = step, reached, _path(came, reached)[-PATH:]
                for output, array in step.arriving:
                    if array is not None and not np.any(array) and output not in came:
                        came[output] = step.node, reached
                        queue.append(output)
        self._zeros[value] = killers, ends
        return killers, ends

    def _cancels(self, value):
        return any(np.any(leaving.array) for _, leaving in self.given.get(value, []))


def reasons(recording, values):
    """{RecordedTensor: Cause} of those of `values` whose gradient is missing or zero in a recording.

    The latest come first: zeros go on from them to those before.
    """
    trail, found = Trail(recording, recording.passes), {}
    for value in reversed(values):
        total = trail.totals.get(value)
        if total is None:
            found[value] = trail.missing(value)
        elif not np.any(total):
            found[value] = trail.zero(value)
    return found


def _path(came, value):
    """The nodes from where a search began to `value`."""
    path = []
    while came[value] is not None if value in came else False:
        node, value = came[value]
        path.append(node)
    return path[::-1]


_DETACHED = "detached", "detach() took it out of the graph"
_NUMBER = "item", "the tensor became a Python number, whose computations are not recorded"
_ARRAY = "numpy", "its numbers went to NumPy, whose computations are not recorded"
_SIGNS = {
    "__gt__": ">",
    "__lt__": "<",
    "__ge__": ">=",
    "__le__": "<=",
    "__eq__": "==",
    "__ne__": "!=",
    "__invert__": "~",
}
_CUTS = {
    "detach": _DETACHED,
    "data": ("data", ".data took the numbers without the graph"),
    "numpy": _ARRAY,
    "__array__": _ARRAY,
    **dict.fromkeys(("item", "tolist", "__bool__", "__float__", "__index__", "__int__"), _NUMBER),
}


def _cut(node):
    """(key, words) of how the gradient's way ends in an operation; None if it does not."""
    if node.operation is None and node.title in _CUTS:
        return _CUTS[node.title]
    kinds = [output for output in node.outputs if output is not None]
    if kinds and all(output.dtype.kind != "f" for output in kinds):
        name = _SIGNS.get(node.title, node.name())
        what = "truth values" if kinds[0].dtype.kind == "b" else "whole numbers"
        return "integer", f"the result of {name} is {kinds[0].dtype}, and {what} have no derivative"
    if not node.recorded and any(value is not None and value.requires_grad for value in node.inputs):
        return "no_grad", f"{node.name()} ran under no_grad(), so it is not on the graph"
    if node.recorded and issubclass(node.operation, Function):
        return "non_differentiable", f"{node.name()} declares this result non-differentiable"
    return None
