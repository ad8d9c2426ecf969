"""The document of a recording: plain dicts, lists, strings and numbers, ready for JSON.

`docs/explorer-format.md` says what is in it; the explorer's page shows it and nothing else. What is written here was
recorded; formulas, reasons and comparisons are filled in by `cards`.
"""

from operator import attrgetter

import numpy as np

from minigrad import __version__

from .formulas import setting
from .local import summed_axes
from .passes import Pass
from .recording import RecordedNode, RecordedTensor
from .values import Store

FORMAT, VERSION = "minigrad.explorer", 1
BUDGET = 2_400_000  # characters of numbers: with everything else, a ResNet-18 of 32x32 images stays below 3.3 MB


def document(recording, title="", budget=BUDGET):
    """The document of a `Recording`, whose arrays' numbers take at most `budget` characters, nearly."""
    return _Writer(recording, budget).write(title)


class _Writer:
    def __init__(self, recording, budget):
        self.recording = recording
        self.store = Store(budget)
        self.nodes = sorted(recording.nodes, key=attrgetter("sequence"))
        unused = recording.unused if recording.passes else []
        self.tensors = list(dict.fromkeys([*_tensors(self.nodes, recording.passes), *unused]))
        self.calls = list(dict.fromkeys(call for node in self.nodes for call in _callers(node.call)))
        recording.tensors = self.tensors  # those that take part
        for things in (self.nodes, self.tensors, self.calls):
            for place, thing in enumerate(things):
                thing.id = place
        self.owners = {tensor.owner for tensor in self.tensors if tensor.role == "parameter"}
        self.totals = _totals(recording.passes)

    def write(self, title):
        tensors = [self._tensor(tensor) for tensor in self.tensors]
        nodes = [self._node(node) for node in self.nodes]
        return {
            "format": FORMAT,
            "version": VERSION,
            "title": title,
            "minigrad": __version__,
            "calls": [_call(call) for call in self.calls],
            "tensors": tensors,
            "nodes": nodes,
            "passes": [self._pass(place, walk) for place, walk in enumerate(self.recording.passes)],
            "timeline": self._timeline(),
            "error": self._error(self.recording.error),
            "data": self.store.written(),
        }

    def _array(self, array, like):
        """{stats, data} of the numbers, or the gradient, of the tensor `like`."""
        place = self.store.place(array, filters=like is not None and like.role == "parameter")
        return {"stats": None if array is None else self.store.stats(array), "data": place}

    def _tensor(self, tensor):
        total = self.totals.get(tensor)
        return {
            "id": tensor.id,
            "name": f"{tensor.owner}.{tensor.name}" if tensor.owner and len(self.owners) > 1 else tensor.name,
            "role": tensor.role,
            "version": tensor.version,
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype),
            "requires_grad": tensor.requires_grad,
            "is_leaf": tensor.is_leaf,
            "node": None if tensor.node is None else tensor.node.id,
            "output": tensor.output,
            "users": [[node.id, place] for node, place in tensor.users],
            **self._array(tensor.array, tensor),
            "grad": None if total is None else self._array(total, tensor),
            "why": None,
        }

    def _node(self, node):
        return {
            "id": node.id,
            "operation": node.title,
            "name": node.name(),
            "formula": "",
            "forward_formula": "",
            "call": None if node.call is None else node.call.id,
            "inputs": [None if tensor is None else tensor.id for tensor in node.inputs],
            "outputs": [None if tensor is None else tensor.id for tensor in node.outputs],
            "arguments": [
                ["", setting(value)]
                for tensor, value in zip(node.inputs, node.arguments)
                if tensor is None and node.operation is None
            ],
            "saved": [self._saved(item) for item in node.saved if isinstance(item, RecordedTensor | np.ndarray)],
            "saved_bytes": node.saved_bytes,
            "recorded": node.recorded,
            "line": None if node.line is None else str(node.line),
            "source": None if node.line is None else node.line.code,
            "flags": node.flags,
            "within": self._within(node.within),
        }

    def _within(self, around):
        """The id of the user's Function, or ["pass", id], in which a node ran."""
        if around is None:
            return None
        if isinstance(around, Pass):
            return ["pass", self.recording.passes.index(around)]
        function = self.recording.function(around)
        return None if function is None else function.id

    def _error(self, failure):
        if failure is None:
            return None
        return {
            "node": None if failure.node is None else failure.node.id,
            "call": None if failure.call is None else failure.call.id,
            "pass": None if failure.walk is None else self.recording.passes.index(failure.walk),
            "type": type(failure.error).__name__,
            "message": str(failure.error),
            "line": None if failure.line is None else str(failure.line),
            "source": None if failure.line is None else failure.line.code,
        }

    def _saved(self, item):
        if isinstance(item, RecordedTensor):
            return item.id
        return {"shape": list(item.shape), "dtype": str(item.dtype), **self._array(item, None)}

    def _pass(self, place, walk):
        return {
            "id": place,
            "kind": walk.kind,
            "roots": [tensor.id for tensor in walk.roots],
            "seed": [self.store.place(array) for array in walk.seeds],
            "inputs": None if walk.inputs is None else sorted(tensor.id for tensor in walk.inputs),
            "create_graph": walk.create_graph,
            "steps": [self._step(index, step, walk) for index, step in enumerate(walk.steps)],
        }

    def _step(self, index, step, walk):
        return {
            "index": index,
            "node": None if step.node is None else step.node.id,
            "leaf": None if step.leaf is None else step.leaf.id,
            "arriving": [{"tensor": tensor.id, **self._array(array, tensor)} for tensor, array in step.arriving],
            "hooked": list(step.hooked),
            "leaving": [self._leaving(leaving, walk) for leaving in step.leaving],
            "check": None,
        }

    def _leaving(self, leaving, walk):
        result = {
            "input": leaving.input,
            "tensor": leaving.tensor.id,
            **self._array(leaving.array, leaving.tensor),
            "summed": list(summed_axes(leaving.array.shape, leaving.raw.shape)),
            "cast": None if leaving.raw.dtype == leaving.array.dtype else f"{leaving.raw.dtype}->{leaving.array.dtype}",
            "partial": walk.parts[leaving.tensor] > 1,
        }
        if leaving.raw.shape != leaving.array.shape:
            result["raw"] = {"shape": list(leaving.raw.shape), **self._array(leaving.raw, None)}
        return result

    def _timeline(self):
        """Every operation and every step, in the order in which they happened; what was found on the graph only stands
        where its number puts it."""
        places = {walk: place for place, walk in enumerate(self.recording.passes)}
        adopted = [node for node in self.nodes if node.adopted]
        timeline, next_one = [], 0
        for event in self.recording.events:
            limit = event.sequence if isinstance(event, RecordedNode) else event[0].sequence
            while next_one < len(adopted) and adopted[next_one].sequence < limit:
                timeline.append(["forward", adopted[next_one].id])
                next_one += 1
            if isinstance(event, RecordedNode):
                timeline.append(["forward", event.id])
            else:
                timeline.append(["backward", places[event[0]], event[1]])
        return timeline + [["forward", node.id] for node in adopted[next_one:]]


def _tensors(nodes, passes):
    for node in nodes:
        yield from (tensor for tensor in node.inputs if tensor is not None)
        yield from (tensor for tensor in node.outputs if tensor is not None)
    for walk in passes:
        for step in walk.steps:
            yield from (tensor for tensor, _ in step.arriving)


def _callers(call):
    """A call's callers, the outermost first, and itself."""
    callers = []
    while call is not None:
        callers.append(call)
        call = call.parent
    return reversed(callers)


def _call(call):
    return {
        "id": call.id,
        "path": call.path,
        "name": call.name,
        "kind": type(call.module).__name__,
        "settings": call.module.extra_repr(),
        "parent": None if call.parent is None else call.parent.id,
    }


def _totals(passes):
    """{RecordedTensor: its gradient over all passes}; what `autograd.grad` computed counts where nothing else did."""
    totals: dict = {}
    for kind in ("grad", "backward"):
        found: dict = {}
        for walk in passes:
            if walk.kind == kind:
                for tensor, array in walk.totals().items():
                    found[tensor] = array if tensor not in found else found[tensor] + array
        totals |= found
    return totals
