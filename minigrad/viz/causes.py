"""Where a gradient stops: between a tensor and the loss, and in which operation it becomes zero.

`Trail` reads a recording. A gradient that is missing is looked for along the data: forward from the tensor, to the
operations on the way to the loss that the graph does not know. A gradient of zeros is looked for along the gradient:
back from the tensor, to the operations that something arrived at and nothing left.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd import Function

from .recording import RecordedNode


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
            "path": [node.id for node in self.path],
        }


class Trail:
    """The ways through a recording that gradients took, or might have taken, in its backward `passes`."""

    def __init__(self, recording, passes):
        self.recording, self.passes = recording, passes
        self.given = {}  # RecordedTensor -> [(Step, Leaving)]: the parts of its gradient
        self.totals = {}  # RecordedTensor -> its gradient over all passes
        for walk in passes:
            for step in walk.steps:
                for leaving in step.leaving:
                    self.given.setdefault(leaving.tensor, []).append((step, leaving))
            for value, array in walk.totals().items():
                self.totals[value] = self.totals[value] + array if value in self.totals else array
        self.roots = dict.fromkeys(root for walk in passes for root in walk.roots)
        self._steps = {step.node: step for walk in passes for step in walk.steps if step.node is not None}
        self._behind = None

    # no gradient ------------------------------------------------------------------------------------------------------

    def missing(self, value):
        """Why no gradient arrived at `value`."""
        name = named(value)
        if value.dtype.kind != "f":
            return Cause("none", "integer", f"{name} holds {value.dtype}: only floating-point tensors have gradients.")
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
            kind = "This parameter is frozen: it" if value.role == "parameter" else f"{_capital(name)}"
            text = f"{kind} has requires_grad=False, so no gradient flows to it"
            hint = "requires_grad_() before the forward pass asks for one"
            return Cause("none", "requires_grad_false", f"{text}; {hint}.")
        if (cut := _cut(node)) is None:
            text = f"{_capital(name)} was computed{at(node)} from tensors none of which requires grad."
            return Cause("none", "requires_grad_false", text, node)
        return Cause("none", cut[0], f"{_capital(name)} is outside the graph since{at(node)}: {cut[1]}.", node, [node])

    def _stopped(self, value, name):
        """Why the passes there were did not reach a tensor that requires grad."""
        came, lost, queue = {value: None}, set(), deque([value])
        cuts, exits, swallowed = [], [], None
        while queue:
            reached = queue.popleft()
            for node, place in reached.users:
                linked = node.recorded and node.live.edges[place] is not None and reached not in lost
                outputs = [output for output in node.outputs if output is not None]
                for output in outputs:
                    on = linked and output.requires_grad
                    if not on and reached not in lost and self._leads_on(output):
                        cuts.append((node, reached))
                    if output not in came:
                        came[output] = node, reached
                        queue.append(output)
                        lost.update([] if on else [output])
                if not outputs:
                    exits.append((node, reached))
                step = self._steps.get(node)
                if linked and step is not None and not any(leaving.input == place for leaving in step.leaving):
                    swallowed = swallowed or (node, reached)
        if cuts:
            node, reached = min(cuts, key=lambda cut: cut[0].sequence)
            key, words = _cut(node) or ("unrecorded", f"{node.name()} is not on the graph")
            more = f" It is cut in {len(cuts) - 1} more places." if len(cuts) > 1 else ""
            words = f"The way from {name} to {self._loss()} is cut{at(node)}: {words}.{more}"
            return Cause("none", key, words, node, [*_path(came, reached), node])
        if swallowed is not None and not self._restricted():
            node, reached = swallowed
            text = (
                f"The backward of {node.name()}{at(node)} returned no gradient for {named(reached)}: "
                f"its derivative is “{node.operation.formula}”."
            )
            return Cause("none", "no_derivative", text, node, [*_path(came, reached), node])
        if self._restricted() and any(root in came and root not in lost for root in self.roots):
            text = f"{_capital(name)} is on the graph of {self._loss()}, but the pass was run for other inputs only."
            return Cause("none", "inputs", text)
        if any(not walk.complete for walk in self.passes):
            return Cause("none", "error", f"The backward pass ended in an error before it came to {name}.")
        if exits:
            node, reached = max(exits, key=lambda found: found[0].sequence)
            key, words = _cut(node)
            text = f"No recorded way leads from {name} to {self._loss()}; it ends{at(node)}: {words}."
            return Cause("none", key, text, node, [*_path(came, reached), node])
        if not value.users:
            return Cause("none", "unused", f"No recorded operation used {name}, so {self._loss()} does not depend on it.")
        last = max((node for tensor in came for node, _ in tensor.users), key=lambda node: node.sequence)
        text = (
            f"{_capital(name)} was used, but nothing computed from it is part of {self._loss()}: the trail ends with "
            f"{last.name()}{at(last)}, whose result was not used for the loss."
        )
        return Cause("none", "unused", text, last, [*_path(came, last.outputs[0] if last.outputs else value)])

    def _restricted(self):
        return any(walk.inputs is not None for walk in self.passes)

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
            return Cause("zero", "empty", f"{_capital(name)} has no elements.")
        parts = self.given.get(value, [])
        if any(np.any(leaving.array) for _, leaving in parts):
            ways = ", ".join(f"{step.node.name()}{at(step.node)}" for step, _ in parts)
            text = f"What arrived at {name} cancels to zero: the {len(parts)} parts of its gradient, from {ways}."
            return Cause("zero", "cancelled", text, parts[0][0].node)
        came, killers, queue = {value: None}, [], deque([value])
        while queue:
            reached = queue.popleft()
            for step, leaving in self.given.get(reached, []):
                if np.any(leaving.array):
                    continue  # another part took it away again; the whole is explained by what lies before
                alive = [value for value, array in step.arriving if array is not None and np.any(array)]
                if alive:
                    killers.append((step, leaving, reached))
                for output, array in step.arriving:
                    if array is not None and not np.any(array) and output not in came:
                        came[output] = step.node, reached
                        queue.append(output)
        if not killers:
            seeds = any(np.any(seed) for walk in self.passes for seed in walk.seeds)
            ends = next((tensor for tensor in came if self._cancels(tensor)), None)
            if ends is not None:
                text = f"The parts of the gradient of {named(ends)} cancel to zero, and nothing is left for {name}."
                return Cause("zero", "cancelled", text, ends.node, _path(came, ends))
            words = "A hook replaced the gradient by zeros." if seeds else "The backward pass started with zeros."
            return Cause("zero", "hook" if seeds else "seed", words)
        killers.sort(key=lambda found: found[0].node.sequence)
        step, leaving, reached = killers[0]
        key, words = _why_zero(step, leaving)
        path = [*_path(came, reached), step.node]
        where = "" if reached is value else f", on the way to {name}"
        more = f" ({len(killers) - 1} more ways end like this.)" if len(killers) > 1 else ""
        text = f"The gradient becomes zero in {step.node.name()}{at(step.node)}{where}: {words}.{more}"
        return Cause("zero", key, text, step.node, path)

    def _cancels(self, value):
        return any(np.any(leaving.array) for _, leaving in self.given.get(value, []))


def reasons(recording, values):
    """{RecordedTensor: Cause} of those of `values` whose gradient is missing or zero in a recording."""
    trail, found = Trail(recording, recording.passes), {}
    for value in values:
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


def named(value):
    """A recorded tensor in words."""
    if value.name:
        return value.name
    shape = f"({', '.join(map(str, value.shape))}{',' * (len(value.shape) == 1)})"
    made = f"the result {shape} of {value.node.name()}" if value.node is not None else f"this tensor {shape}"
    return made


def _capital(words):
    return words[0].upper() + words[1:] if words.startswith(("the ", "this ")) else words


def at(node):
    """Where an operation was called, for the end of a clause: the line if it is known, else the module."""
    if node.line is not None:
        code = node.line.code
        return f" at {node.line}" + (f" (`{code}`)" if code else "")
    return f" in module {node.call.path or type(node.call.module).__name__}" if node.call is not None else ""


_DETACHED = "detached", "detach() took it out of the graph"
_NUMBER = "item", "the tensor became a Python number, whose computations are not recorded"
_ARRAY = "numpy", "its numbers went to NumPy, whose computations are not recorded"
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
        return "integer", f"the result of {node.name()} is {kinds[0].dtype}, and whole numbers have no derivative"
    if not node.recorded and any(value is not None and value.requires_grad for value in node.inputs):
        return "no_grad", f"{node.name()} ran under no_grad(), so it is not on the graph"
    if node.recorded and issubclass(node.operation, Function):
        return "non_differentiable", f"{node.name()} declares this result non-differentiable"
    return None


_DEAD = {"ReLU": "relu", "PReLU": "prelu", "Threshold": "the threshold", "Hardshrink": "hardshrink"}
_FLAT_ENDS = "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "SafeSoftmax", "GELU", "TanhGELU", "SiLU", "Mish", "ELU", "Softplus"
_LIMITED = "Clamp", "Hardtanh", "Hardsigmoid", "Hardswish", "NanToNum"
_CHOOSING = {
    "MaxPool": "none of its elements is the largest of a window",
    "AdaptiveMaxPool": "none of its elements is the largest of a window",
    "MedianPool": "none of its elements is the median of a window",
    "Extreme": "none of its elements is the extreme one",
    "ExtremeOfAll": "none of its elements is the extreme one",
    "Select": "none of its elements is the extreme one",
    "Middle": "none of its elements is the median",
    "Extremum": "the other operand won everywhere",
    "NumericExtremum": "the other operand won everywhere",
    "Where": "the condition chose the other operand everywhere",
    "Slice": "the gradient of the chosen part is zero",
    "Pick": "the gradient of the chosen elements is zero",
    "Gather": "none of its elements was picked where a gradient arrived",
    "Embedding": "no row of it was looked up where a gradient arrived",
    "NLL": "every sample is ignored, or has weight 0",
    "Triangle": "all of it lies outside the triangle",
}
_OVERWRITTEN = "CopySlices", "Overwrite", "PutAt", "Replace", "Scatter"
_STEPS = "Step", "Rounded", "Sample", "Heaviside"
_LINEAR = "Softmax", "LogSoftmax", "BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm"

STOPPING = {*_DEAD, *_FLAT_ENDS, *_LIMITED, *_CHOOSING, *_OVERWRITTEN, *_STEPS, "Dropout", "AlphaDropout", "Mul", "MatMul"}


def _why_zero(step, leaving):
    """(key, words): why an operation made zeros of a gradient that was not zero."""
    node, name = step.node, step.node.title
    arrived = [array for _, array in step.arriving if array is not None]
    count = sum(int(np.count_nonzero(array)) for array in arrived)
    if name in _DEAD:
        return "dead_relu", f"none of the {count:,} results that a gradient arrived at is positive (a dead {_DEAD[name]})"
    if name == "Dropout" or name == "AlphaDropout":
        return "dropout", "dropout had switched off every element that a gradient arrived at"
    if name in _LIMITED:
        return "clamped", "every element that a gradient arrived at is outside the limits"
    if name in _CHOOSING:
        return "not_chosen", _CHOOSING[name]
    if name in _OVERWRITTEN:
        return "overwritten", "what a gradient arrived at had been overwritten with other values"
    if name in _STEPS:
        return "flat", f"its derivative is 0 everywhere (“{node.operation.formula}”)"
    others = [
        value for place, value in enumerate(node.inputs) if value is not None and place != leaving.input
    ]
    for other in others:
        array = contents(node, other)
        if array is not None and array.size and not np.any(array):
            return "multiplied_by_zero", f"it is multiplied by {named(other)}, which is zero everywhere"
    number = next((a for a in node.arguments if isinstance(a, (int, float)) and a == 0 and a is not False), None)
    if name in ("Mul", "MatMul", "WeightedSum") and number is not None:
        return "multiplied_by_zero", "it is multiplied by 0"
    if name in _LINEAR and all(np.ptp(array) <= 1e-6 * np.abs(array).max() for array in arrived if array.size):
        return "invariant", "the same gradient arrived everywhere, and it does not change when all its inputs move alike"
    if name in _FLAT_ENDS:
        return "saturated", "its results are so close to where it is flat that the derivative is 0 in this dtype"
    if name in ("Mul", "Div"):
        return "multiplied_by_zero", "wherever a gradient arrived, the other factor is 0"
    return "flat", f"its derivative is 0 at these values (“{node.operation.formula}”)"


def contents(node, value):
    """The numbers of an argument or a result of a node: as recorded, or what the graph still holds; else None."""
    if value.array is not None:
        return value.array
    source = value.node.live if value.node is not None else None
    for item in getattr(node.live, "_saved", None) or ():
        if isinstance(item, tuple) and isinstance(item[0], np.ndarray) and item[3] is not None:
            if item[3] == (source, value.output) and item[0].shape == value.shape:
                return item[0]
    return None
