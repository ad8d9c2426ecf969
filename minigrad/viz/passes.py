"""A backward pass as the engine really walked it: what arrived at every node, and what left it along each argument."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd.engine import fit
from minigrad.autograd.node import sequence


@dataclass(slots=True, eq=False)
class Leaving:
    """The gradient of one argument: as backward gave it, and as it went on, with broadcasts and casts undone."""

    input: int  # the argument's place
    tensor: object  # the RecordedTensor whose gradient it is a part of
    array: np.ndarray
    raw: np.ndarray


@dataclass(slots=True, eq=False)
class Step:
    """One node's turn: an operation's backward, or the end of a path at the leaf `leaf`."""

    node: object = None  # RecordedNode
    leaf: object = None  # RecordedTensor
    arriving: list = field(default_factory=list)  # (RecordedTensor, array or None) by result of the node
    hooked: dict = field(default_factory=dict)  # by result: the gradient as it arrived, before a hook replaced it
    leaving: list = field(default_factory=list)
    done: bool = False
    begins: bool = False  # whether the leaf's `.grad` was None or zero before


class Pass:
    """The observer of one backward pass; `steps` are in the engine's order."""

    def __init__(self, recording, roots, create_graph, targets):
        self.create_graph = bool(create_graph)
        self.targets = targets
        self.steps = []
        self.kind = "backward" if targets is None else "grad"
        self.sequence = next(sequence)  # when it began, in the numbers of nodes
        self.parts = Counter()  # RecordedTensor -> how many gradients it got
        self.complete = False
        self._recording = recording
        self._of = {}  # (node of the graph, output index) -> the RecordedTensor that this pass takes it for
        self.roots = [self._tensor(edge) for edge, _ in roots]
        self.seeds = [grad._array.copy() for _, grad in roots]
        self.inputs = None if targets is None else [self._tensor(edge) for edge in targets]

    def _tensor(self, edge, default=None):
        if edge not in self._of:
            self._of[edge] = default or self._recording.at(edge)
        return self._of[edge]

    def arrives(self, node, grads):
        """All gradients of the results of `node` are there; it is its turn."""
        if node.accumulates:
            held = getattr(node.variable, "grad", None)
            begins = self.kind == "backward" and (held is None or not np.any(held._array))
            step = Step(leaf=self._tensor((node, 0)), begins=begins)
            results = [step.leaf]
        else:
            step = Step(node=self._recording.made(node))
            results = [self._tensor((node, index), result) for index, result in enumerate(step.node.outputs)]
        for index, (grad, result) in enumerate(zip(grads, results)):
            array = None if grad is None else grad._array
            if array is not None and self.targets is not None and (node, index) in self.targets:
                array = array.copy(order="K")  # the caller gets it, and may write into it
            step.arriving.append((result, array))
        self._recording.events.append((self, len(self.steps)))
        step.done = node.accumulates
        self.steps.append(step)

    def hooked(self, node, grads):
        """Hooks have seen the gradients, and may have replaced some."""
        step = self.steps[-1]
        for index, grad in enumerate(grads):
            tensor, array = step.arriving[index]
            if grad is not None and not np.array_equal(grad._array, array, equal_nan=True):
                step.hooked[index] = array
                step.arriving[index] = tensor, grad._array.copy(order="K")

    def leaves(self, node, results, wanted):
        """`results` are what the backward of `node` gave; returns them as they go on."""
        step, results = self.steps[-1], list(results)
        for place, (edge, grad) in enumerate(zip(node.edges, results)):
            if edge is None or grad is None or (wanted is not None and edge[0] not in wanted):
                continue
            raw = grad._array
            results[place] = grad = fit(grad, *edge[0].outputs[edge[1]], node)
            tensor = self._tensor(edge, step.node.inputs[place])
            self.parts[tensor] += 1
            step.leaving.append(Leaving(place, tensor, grad._array, raw))
        step.done = True
        return results

    def ends(self):
        """The pass is over, or an error has ended it."""
        self.complete = all(step.done for step in self.steps)
        self._recording.finished(self)

    def totals(self):
        """{RecordedTensor: its whole gradient in this pass}."""
        return {tensor: array for step in self.steps for tensor, array in step.arriving if array is not None}
