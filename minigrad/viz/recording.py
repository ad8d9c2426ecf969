"""What happens while a program computes, noted operation by operation: the recorder behind the explorer.

A `Recording` is the observer of the engine (`minigrad.autograd.watch`) inside its block. It keeps every operation with
its arguments, results, module, line and settings as a `RecordedNode`, every tensor that takes part as a
`RecordedTensor` with a copy of its numbers at that moment, and every backward pass as a `minigrad.viz.passes.Pass`. It
knows nothing of files; `minigrad.viz.document` makes plain data of it.
"""

import threading
import weakref
from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd import AccumulateGrad, Function, Tensor, state, watch
from minigrad.autograd.node import sequence
from minigrad.nn import Parameter

from .calls import Calls
from .lines import Line, user_frame, variable_name
from .passes import Pass


@dataclass(slots=True, eq=False)
class RecordedTensor:
    """A tensor at a moment: a tensor that is written in place becomes another one, with the next `version`."""

    shape: tuple
    dtype: np.dtype
    requires_grad: bool
    is_leaf: bool
    array: np.ndarray | None = None  # a copy of the numbers; None where only the graph told of the tensor
    role: str = "result"  # "parameter", "input", "constant" or "result"
    name: str = ""
    version: int = 0
    node: "RecordedNode | None" = None  # what made it
    output: int = 0  # which of that node's results it is
    users: list = field(default_factory=list)  # (node, place among its arguments)
    seen: int = 0  # the version of the memory
    id: int = -1  # the place in the document


@dataclass(slots=True, eq=False)
class RecordedNode:
    """An operation that ran: on what, in which module, by which line; `live` is the graph's node."""

    operation: type  # the class
    live: object  # its instance: `ctx` of forward and backward
    sequence: int  # nodes are numbered in the order in which they ran
    inputs: list  # by argument: a RecordedTensor, or None for a setting
    arguments: tuple  # the arguments that are no tensors, None in a tensor's place
    outputs: list  # RecordedTensors
    recorded: bool  # whether it is on the graph
    saved: list = field(default_factory=list)  # RecordedTensors, arrays of the operation's own, numbers
    saved_bytes: int = 0
    call: object = None  # the module's call
    line: Line | None = None
    flags: list = field(default_factory=list)  # "view", "inplace", "function"
    within: object = None  # the custom Function or the backward pass in which it ran
    adopted: bool = False  # found on the graph, not seen when it ran
    id: int = -1

    def name(self):
        """PyTorch's name of the operation: that of its `grad_fn` without "Backward0"."""
        return self.live.name().removesuffix("0").removesuffix("Backward")


class Recording:
    """Everything that ran in its block (`minigrad.viz.record`)."""

    def __init__(self):
        self.nodes = []  # RecordedNodes in the order in which they ran
        self.tensors = []  # RecordedTensors in the order in which they turned up
        self.passes = []
        self.error = None
        self.events = []  # a RecordedNode or a (pass, step), in the order in which they happened
        self.calls = Calls()
        self._at = {}  # (node of the graph, output index) -> RecordedTensor
        self._made = {}  # node of the graph -> RecordedNode
        self._objects = {}  # id of a tensor outside the graph, or of an array -> (weak reference to it, RecordedTensor)
        self._writers = {}  # id of a storage -> (weak reference, RecordedNode that wrote into it last)
        self._inside = []  # the Functions and passes that are running
        self._quiet = 0  # passes under way whose own operations are of no interest
        self._thread = self._outer = None

    def __enter__(self):
        if watch.observer is not None:
            raise RuntimeError("a recording is running already\nhint: one viz.record() at a time")
        self._thread = threading.get_ident()
        watch.observer = self
        return self

    def __exit__(self, kind, error, traceback):
        watch.observer = None

    # the observer of operations ---------------------------------------------------------------------------------------

    def _elsewhere(self):
        return self._quiet or threading.get_ident() != self._thread

    def enters(self, ctx):
        """A user's Function begins; the operations inside are its own."""
        if not self._elsewhere():
            self._inside.append(ctx)

    def ran(self, ctx, args, tensors):
        """The operation `ctx` has made `tensors` of `args`."""
        if self._elsewhere():
            return
        if self._inside and self._inside[-1] is ctx:
            self._inside.pop()
        frame = user_frame()
        recorded = any(tensor._edge is not None and tensor._edge[0] is ctx for tensor in tensors)
        edges = ctx.edges if len(ctx.edges) == len(args) else (None,) * len(args)
        call = self.calls.enter(state.scope)  # first: it knows parameters by name
        node = RecordedNode(
            type(ctx),
            ctx,
            ctx.sequence if recorded else next(sequence),
            [self._argument(arg, edge, frame) if isinstance(arg, Tensor) else None for arg, edge in zip(args, edges)],
            tuple([None if isinstance(arg, Tensor) else arg for arg in args]),
            [],
            recorded,
            call=call,
            line=Line.of(frame),
            within=self._inside[-1] if self._inside else None,
        )
        if type(ctx).is_view:
            node.flags.append("view")
        if isinstance(ctx, Function):
            node.flags.append("function")
        for place, value in enumerate(node.inputs):
            if value is not None:
                value.users.append((node, place))
        for index, tensor in enumerate(tensors):
            node.outputs.append(self._result(tensor, node, index) if isinstance(tensor, Tensor) else None)
        if recorded:
            self._made[ctx] = node
            node.saved_bytes = ctx.saved_bytes
            node.saved = self._kept(ctx, args, tensors, node)
        self.nodes.append(node)
        self.events.append(node)

    def wrote(self, tensor, result):
        """The values of `result`, the last operation's, have been written into `tensor`."""
        if self._elsewhere():
            return
        value = self._known(result, result._edge)
        if value is None:
            return
        value.node.flags.append("inplace")
        if value.dtype != tensor._array.dtype:
            value.array, value.dtype = tensor._array.copy(order="K"), tensor._array.dtype
        value.seen = tensor._version
        self._note_object(tensor, value)

    # tensors ----------------------------------------------------------------------------------------------------------

    def _known(self, tensor, edge):
        """What is known of a tensor by its place in the graph, itself or its array; or None."""
        if edge is not None and edge in self._at:
            return self._at[edge]
        for thing in (tensor, tensor._array):
            reference, value = self._objects.get(id(thing), (None, None))
            if reference is not None and reference() is thing:
                return value
        return None

    def _note_object(self, tensor, value):
        for thing in (tensor, tensor._array):
            self._objects[id(thing)] = weakref.ref(thing), value

    def _argument(self, tensor, edge, frame):
        """The RecordedTensor of an operation's argument, whose numbers may have changed since it was last seen."""
        edge = tensor._edge if edge is None else edge
        value = self._known(tensor, edge)
        if value is None:
            value = self._add(tensor, edge)
            value.role = _role(tensor)
            value.name = self.calls.parameter_name(tensor)
        elif value.array is None:
            value.array = tensor._array.copy(order="K")
        elif (value.node is None or value.seen != tensor._version) and not _same(value.array, tensor._array):
            old = value
            value = self._add(tensor, edge)
            value.role, value.name, value.version = old.role, old.name, old.version + 1
        if not value.name and frame is not None:
            value.name = variable_name(frame, tensor)
        return value

    def _add(self, tensor, edge):
        array = tensor._array
        value = RecordedTensor(
            array.shape,
            array.dtype,
            edge is not None,
            edge is None or edge[0].accumulates,
            array.copy(order="K"),
            seen=tensor._version,
        )
        self.tensors.append(value)
        if edge is not None:
            self._at[edge] = value
        else:
            self._note_object(tensor, value)
        return value

    def _result(self, tensor, node, index):
        value = self._add(tensor, tensor._edge)
        value.node, value.output = node, index
        return value

    def _kept(self, ctx, args, tensors, node):
        """What `ctx` saved for backward: tensors by name, and arrays of its own."""
        own = [(arg, value) for arg, value in zip(args, node.inputs) if value is not None]
        own += [(tensor, value) for tensor, value in zip(tensors, node.outputs) if value is not None]
        kept = []
        for item in ctx._saved or ():
            if type(item) is not tuple:
                kept.append(item)
                continue
            array, source = item[0], item[3]
            value = next((value for tensor, value in own if tensor._array is array), None) or self._at.get(source)
            if value is None and isinstance(array, np.ndarray):
                value = array.copy(order="K")
            kept.append(value)
        return kept

    # the observer of backward passes ------------------------------------------------------------------------------------

    def starts(self, roots, nodes, create_graph, targets):
        """A backward pass from `roots` over `nodes` (latest first) begins; returns its observer."""
        if threading.get_ident() != self._thread:
            return None
        for node in reversed(nodes):
            self._adopt(node)
        walk = Pass(self, roots, create_graph, targets)
        self.passes.append(walk)
        self._inside.append(walk)
        self._quiet += not create_graph
        return walk

    def finished(self, walk):
        """The pass `walk` is over."""
        self._inside.remove(walk)
        self._quiet -= not walk.create_graph

    def at(self, edge):
        """The RecordedTensor whose gradient flows to `edge`, a (node of the graph, output index)."""
        return self._at[edge]

    def made(self, node):
        """The RecordedNode of a node of the graph."""
        return self._made[node]

    def _adopt(self, live):
        """Note a node of the graph that was not seen when it ran, with what the graph still holds of it."""
        if isinstance(live, AccumulateGrad):
            if (live, 0) not in self._at:
                self._adopt_leaf(live)
            return
        if live in self._made:
            return
        node = RecordedNode(
            type(live),
            live,
            live.sequence,
            [None if edge is None else self._at[edge] for edge in live.edges],
            (None,) * len(live.edges),
            [],
            True,
            saved_bytes=live.saved_bytes,
            call=self.calls.enter(live.scope),
            adopted=True,
        )
        self._made[live] = node
        self.nodes.append(node)
        for place, value in enumerate(node.inputs):
            if value is not None:
                value.users.append((node, place))
        for index, (shape, dtype) in enumerate(live.outputs):
            value = RecordedTensor(shape, dtype, dtype.kind == "f", False, node=node, output=index)
            self._at[live, index] = value
            self.tensors.append(value)
            node.outputs.append(value)

    def _adopt_leaf(self, live):
        variable = live.variable
        if variable is not None:
            value = self._add(variable, (live, 0))
            value.role, value.name = _role(variable), self.calls.parameter_name(variable)
        else:
            value = RecordedTensor(*live.outputs[0], True, True, role="input")
            self.tensors.append(value)
            self._at[live, 0] = value


def _role(tensor):
    """What a tensor that no operation was seen to make is to a network."""
    if isinstance(tensor, Parameter):
        return "parameter"
    return "input" if tensor._array.ndim or tensor._edge is not None else "constant"


def _same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
