"""What happens while a program computes, noted operation by operation: the recorder behind the explorer.

A `Recording` is the observer of the engine (`minigrad.autograd.watch`) inside its block. It keeps every operation with
its arguments, results, module, line and settings as a `RecordedNode`, every tensor that takes part as a
`RecordedTensor` with a copy of its numbers at that moment, and every backward pass as a `minigrad.viz.passes.Pass`. It
knows nothing of files; `minigrad.viz.document` makes plain data of it.
"""

import sys
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from minigrad.autograd import AccumulateGrad, Function, Node, Tensor, state, watch
from minigrad.autograd.node import sequence
from minigrad.nn import Parameter
from minigrad.ops.inplace import CopySlices

from .calls import Calls
from .failures import Failure, place_of
from .lines import Line, calling_frame, is_given, tensor_name, user_frame, variable_name
from .outside import NUMBERS, Replaced
from .passes import Pass

# where a custom Function detaches its results, which is nothing that its author wrote
_HANDING_OUT = Function._output.__code__, Function._connect.__code__


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
    owner: str = ""  # the user's name of the outermost module that a parameter belongs to
    version: int = 0
    before: "RecordedTensor | None" = None  # a leaf before it was written, when it was the version before this one
    node: "RecordedNode | None" = None  # what made it
    output: int = 0  # which of that node's results it is
    users: list = field(default_factory=list)  # (node, place among its arguments)
    seen: int = 0  # the version of the memory
    id: int = -1  # the place in the document


@dataclass(slots=True, eq=False)
class RecordedNode:
    """An operation that ran: on what, in which module, by which line; `live` is the graph's node."""

    sequence: int  # nodes are numbered in the order in which they ran
    inputs: list  # by argument: a RecordedTensor, or None for a setting
    arguments: tuple  # the arguments that are no tensors, None in a tensor's place
    outputs: list = field(default_factory=list)  # RecordedTensors
    operation: type | None = None  # the class; None for a function outside the graph, such as `detach`
    live: object = None  # the class's instance: `ctx` of forward and backward; None where there is none
    function: str = ""  # the name of a function outside the graph
    recorded: bool = False  # whether it is on the graph
    saved: list = field(default_factory=list)  # RecordedTensors, arrays of the operation's own, numbers
    saved_bytes: int = 0
    call: object = None  # the module's call
    line: Line | None = None
    flags: list = field(default_factory=list)  # "view", "inplace", "function"
    within: object = None  # the custom Function or the backward pass in which it ran
    adopted: bool = False  # found on the graph, not seen when it ran
    id: int = -1

    @property
    def title(self):
        """The operation's or function's name."""
        return self.function if self.operation is None else self.operation.__name__

    def name(self):
        """PyTorch's name of the operation: that of its `grad_fn` without "Backward0"."""
        if self.live is None:
            return self.title
        return self.live.name().removesuffix("0").removesuffix("Backward")


class Recording:
    """Everything that ran in its block (`minigrad.viz.record`)."""

    def __init__(self):
        self.nodes = []  # RecordedNodes in the order in which they ran
        self.tensors = []  # RecordedTensors in the order in which they turned up
        self.passes = []
        self.unused = []  # RecordedTensors of parameters that no operation used, of the modules that were called
        self.error = None
        self.events = []  # a RecordedNode or a (pass, step), in the order in which they happened
        self.calls = Calls()
        self._at = {}  # (node of the graph, output index) -> RecordedTensor
        self._made = {}  # node of the graph -> RecordedNode
        self._objects = {}  # id of a tensor outside the graph, or of an array -> (weak reference to it, RecordedTensor)
        self._writers = {}  # id of a storage -> (weak reference to it, its version, RecordedNode that wrote last)
        self._inside = []  # the Functions and passes that are running
        self._quiet = 0  # passes under way whose own operations are of no interest
        self._functions = {}  # a user's Function -> RecordedNode
        self._thread = self._before = None
        self._replaced = Replaced(self.called, self.quiet)

    def __enter__(self):
        self._before, watch.observer = watch.observer, self
        self._thread = threading.get_ident()
        self._replaced.put()
        return self

    def __exit__(self, kind, error, traceback):
        self.stop()
        if isinstance(error, Exception):
            self._fail(error, traceback)
        else:
            self._take_unused()

    def stop(self):
        """Record no more."""
        self._replaced.restore()
        if watch.observer is self:
            watch.observer = self._before

    @contextmanager
    def quiet(self):
        """What runs in the block is not recorded."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    # the observer of operations ---------------------------------------------------------------------------------------

    def _elsewhere(self):
        return self._quiet or watch.observer is not self or threading.get_ident() != self._thread

    def enters(self, ctx):
        """A user's Function begins; the operations inside are its own."""
        if not self._elsewhere():
            self._inside.append(ctx)

    def ran(self, ctx, args, tensors):
        """The operation `ctx` has made `tensors` of `args`."""
        if self._elsewhere():
            return
        function = isinstance(ctx, Function)
        if function:
            del self._inside[self._inside.index(ctx) :]  # what an error has left behind, too
        recorded = any(tensor._edge is not None and tensor._edge[0] is ctx for tensor in tensors)
        node = self._node(args, ctx.edges, operation=type(ctx), live=ctx, recorded=recorded)
        for value, tensor in zip(node.inputs, args):
            if value is not None and _is_new_input(value) and not is_given(tensor, user_frame()):
                value.role = "constant"
        if recorded:
            node.sequence = ctx.sequence
        if type(ctx).is_view:
            node.flags.append("view")
        if function:
            node.flags.append("function")
            self._functions[ctx] = node
        for index, tensor in enumerate(tensors):
            node.outputs.append(self._result(tensor, node, index) if isinstance(tensor, Tensor) else None)
        if recorded:
            self._made[ctx] = node
            node.saved_bytes = ctx.saved_bytes
            node.saved = self._kept(ctx, args, tensors, node)
        self._append(node)

    def _node(self, args, edges=(), **fields):
        """A RecordedNode, without results, of what is being done with `args`, some of which may be tensors."""
        frame = user_frame()
        call = self.calls.enter(state.scope, frame)  # first: it knows parameters by name
        before = fields.get("operation") is CopySlices  # its first argument is what was in the memory before
        return RecordedNode(
            inputs=[
                self._argument(arg, edge, frame, now=not before or place > 0) if isinstance(arg, Tensor) else None
                for place, (arg, edge) in enumerate(zip_longest(args, edges))
            ],
            arguments=tuple([None if isinstance(arg, Tensor) else arg for arg in args]),
            sequence=next(sequence),
            call=call,
            line=Line.of(frame),
            within=self._inside[-1] if self._inside else None,
            flags=[] if state.grad_enabled else ["no_grad"],
            **fields,
        )

    def _append(self, node):
        """Note a node that has just run."""
        for place, value in enumerate(node.inputs):
            if value is not None:
                value.users.append((node, place))
        self.nodes.append(node)
        self.events.append(node)

    def stands_for(self, before, tensor):
        """`before` is `tensor` as it is before a write, for the operation to read."""
        if not self._elsewhere():
            value = self.find(tensor, tensor._edge)
            if value is not None:
                self._note_object(before, value)

    def wrote(self, tensor, result):
        """The values of `result`, the last operation's, have been written into `tensor`."""
        if self._elsewhere():
            return
        value = self.find(result, result._edge)
        if value is None or value.node is None:
            return
        written = value.node.inputs[0]
        fresh = written is not None and written.node is None and written.users == [(value.node, 0)]
        state_of_network = isinstance(tensor, Parameter) or self.calls.parameter_name(tensor)[1]
        if not value.node.recorded and (fresh or state_of_network):
            self._forget(value.node)  # initialized or updated: no part of what the network computes
            return
        value.node.flags.append("inplace")
        if value.dtype != tensor._array.dtype:
            value.array, value.dtype = tensor._array.copy(order="K"), tensor._array.dtype
        value.seen = tensor._version
        self._note_object(tensor, value)
        storage = tensor.storage
        self._writers[id(storage)] = weakref.ref(storage), storage.version, value.node

    def _forget(self, node):
        """Take back that `node`, the last one, has run."""
        self.nodes.remove(node)
        self.events.remove(node)
        for place, value in enumerate(node.inputs):
            if value is not None:
                value.users.remove((node, place))
                if not value.users and value.node is None:
                    value.array = None  # nobody has seen it: when it is used, that is its first value
        for value in node.outputs:
            self.tensors.remove(value)

    def called(self, name, args, kwargs, result):
        """A public function was called; what it made of tensors outside the graph is noted."""
        if self._elsewhere() or sys._getframe(2).f_code in _HANDING_OUT:
            return
        given = [*args, *kwargs.values()]
        results = result if isinstance(result, tuple) else (result,)
        made = [
            tensor
            for tensor in results
            if isinstance(tensor, Tensor)
            and tensor._edge is None
            and self._object(tensor) is None
            and not any(tensor is other for other in given)
        ]
        tensors = [arg for arg in given if isinstance(arg, Tensor)]
        known = any(tensor._edge is not None or self._object(tensor) is not None for tensor in tensors)
        if not known or not (made or name in NUMBERS):
            return
        node = self._node(given, function=name)
        node.outputs += [self._result(tensor, node, index) for index, tensor in enumerate(made)]
        self._append(node)

    # tensors ----------------------------------------------------------------------------------------------------------

    def find(self, tensor, edge):
        """What is known of a tensor by its place in the graph, itself or its array; or None."""
        if edge is not None and edge in self._at:
            return self._at[edge]
        return self._object(tensor) or self._object(tensor._array)

    def _object(self, thing):
        """The RecordedTensor of a tensor outside the graph, or of an array; or None."""
        reference, value = self._objects.get(id(thing), (None, None))
        return value if reference is not None and reference() is thing else None

    def _note_object(self, tensor, value):
        for thing in (tensor, tensor._array):
            self._objects[id(thing)] = weakref.ref(thing), value

    def _argument(self, tensor, edge, frame, now=True):
        """The RecordedTensor of an operation's argument, whose numbers may have changed since it was last seen.

        `now` is False for one whose memory has been written already, but which is read as it was before.
        """
        edge = tensor._edge if edge is None else edge
        value = self.find(tensor, edge)
        if value is None:
            value = self._add(tensor, edge)
            value.role = _role(tensor)
        elif value.array is None:
            value.array = tensor._array.copy(order="K")
        elif now and (value.node is None or value.seen != tensor._version) and not _same(value.array, tensor._array):
            old = value
            value = self._add(tensor, edge)
            value.role, value.version = old.role, old.version + 1
            value.name, value.owner = old.name, old.owner
            value.before = old if old.is_leaf else None
            reference, version, writer = self._writers.get(id(tensor._storage), (None, None, None))
            if writer is not None and reference() is tensor._storage and version == tensor._version:
                value.node, value.output = writer, len(writer.outputs)  # it has been written through a view
                writer.outputs.append(value)
        self._name(value, tensor, frame)
        return value

    def _name(self, value, tensor, frame):
        """Give a tensor without one a name: that of a parameter, or the user's."""
        if not value.name:
            value.owner, value.name = self.calls.parameter_name(tensor)
        if not value.name:
            value.name = variable_name(calling_frame(frame), tensor) or variable_name(frame, tensor)

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

    def _take_unused(self):
        """Note the parameters, of the modules that were called, that no operation has used."""
        for tensor in self.calls.parameters():
            if self.find(tensor, tensor._edge) is None:
                value = self._add(tensor, tensor._edge)
                value.role = "parameter"
                self._name(value, tensor, None)
                self.unused.append(value)

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

    # the observer of backward passes ----------------------------------------------------------------------------------

    def starts(self, roots, nodes, create_graph, targets):
        """A backward pass from `roots` over `nodes` (latest first) begins; returns its observer."""
        if self._elsewhere():
            return None
        frame = user_frame()
        for node in reversed(nodes):
            self.calls.enter(node.scope, frame)  # first: they know parameters by name
        for node in reversed(nodes):
            self._adopt(node, frame)
        walk = Pass(self, roots, create_graph, targets)
        for (edge, _), tensor in zip(roots, walk.roots):
            tensor.name = tensor.name or tensor_name(frame, edge)
        self.passes.append(walk)
        if create_graph:
            self._inside.append(walk)
        else:
            self._quiet += 1
        return walk

    def finished(self, walk):
        """The pass `walk` is over."""
        if walk.create_graph:
            del self._inside[self._inside.index(walk) :]
        else:
            self._quiet -= 1

    def at(self, edge):
        """The RecordedTensor whose gradient flows to `edge`, a (node of the graph, output index)."""
        return self._at[edge]

    def knows(self, edge):
        """Whether what flows to `edge` is known."""
        return edge in self._at

    def made(self, node):
        """The RecordedNode of a node of the graph."""
        return self._made[node]

    def function(self, ctx):
        """The RecordedNode of a user's Function that has run to its end; or None."""
        return self._functions.get(ctx)

    def _adopt(self, live, frame):
        """Note a node of the graph that was not seen when it ran, with what the graph still holds of it."""
        if isinstance(live, AccumulateGrad):
            if (live, 0) not in self._at:
                self._adopt_leaf(live, frame)
            return
        if live in self._made:
            return
        node = RecordedNode(
            live.sequence,
            [None if edge is None else self._at[edge] for edge in live.edges],
            (None,) * len(live.edges),
            operation=type(live),
            live=live,
            recorded=True,
            saved_bytes=live.saved_bytes,
            call=self.calls.enter(live.scope, frame),
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
        self._take_saved(node)

    def _take_saved(self, node):
        """Take over the numbers that a node of the graph still holds: of its arguments, its results and its own."""
        places = self._plain_places(node)
        for item in node.live._saved or ():
            if type(item) is not tuple or not isinstance(item[0], np.ndarray):
                node.saved.append(item)
                continue
            array, storage, version, source = item
            value = None
            if source is not None:
                value = self._at.get(source) if isinstance(source[0], Node) else node.outputs[source[1]]
            elif storage is not None and (place := next(places, None)) is not None:
                value = self._object(array) or self._found(array)
                node.inputs[place] = value
                value.users.append((node, place))
            if storage is not None and storage.version != version:
                array = None  # it has been written meanwhile
            if value is None:
                node.saved.append(None if array is None else array.copy(order="K"))
                continue
            if value.array is None and array is not None:
                value.array = array.copy(order="K")
            node.saved.append(value)

    def _plain_places(self, node):
        """Where among the arguments those stand, one after the other, that were saved but need no gradient.

        Arguments are saved in their order, and settings come last; often all are saved, from the first on, with None
        for those that there are not.
        """
        plain = [place for place, value in enumerate(node.inputs) if value is None]
        kept, fits = [], True
        for place, item in enumerate(node.live._saved or ()):
            if type(item) is tuple and isinstance(item[0], np.ndarray) and item[1] is not None:
                source = item[3]
                if source is None:
                    kept.append(place)
                elif isinstance(source[0], Node):
                    fits = fits and node.inputs[place : place + 1] == [self._at.get(source)]
        return iter(kept if fits and set(kept) <= set(plain) else plain)

    def _found(self, array):
        """A new RecordedTensor of an array that takes part without a gradient."""
        value = RecordedTensor(array.shape, array.dtype, False, True, array.copy(order="K"), role="input")
        self.tensors.append(value)
        self._objects[id(array)] = weakref.ref(array), value
        return value

    def _adopt_leaf(self, live, frame):
        variable = live.variable
        if variable is not None:
            value = self._add(variable, (live, 0))
            value.role = _role(variable)
            self._name(value, variable, frame)
        else:
            value = RecordedTensor(*live.outputs[0], True, True, role="input")
            self.tensors.append(value)
            self._at[live, 0] = value

    # errors -----------------------------------------------------------------------------------------------------------

    def _fail(self, error, traceback):
        """Note the error that has ended the block, with what failed."""
        place = place_of(traceback)
        self.error = failure = Failure(error, place.line)
        if self.passes and not self.passes[-1].complete and place.backward:
            failure.walk = self.passes[-1]
            failure.node = failure.walk.steps[-1].node if failure.walk.steps else None
        failure.call = self.calls.find(place.scope)
        if failure.node is None and place.name:
            failure.node = node = self._node(place.arguments, operation=place.operation, function=place.name)
            node.call, node.line = failure.call, place.line
            node.flags.append("failed")
            self._append(node)


def _is_new_input(value):
    """Whether a tensor without a gradient and without a name is used for the first time."""
    return value.role == "input" and not (value.name or value.users or value.requires_grad)


def _role(tensor):
    """What a tensor that no operation was seen to make is to a network."""
    if isinstance(tensor, Parameter):
        return "parameter"
    return "input" if tensor._array.ndim or tensor._edge is not None else "constant"


def _same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
