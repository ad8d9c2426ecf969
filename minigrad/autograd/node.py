"""The vertices of the backward graph, as the engine, the pictures and the errors know them."""

import itertools
import weakref

from .state import state

sequence = itertools.count()


class Node:
    """A vertex of the backward graph.

    `edges` holds, per argument of the forward, None or `(node, output_index)`: where that argument's gradient flows.
    `outputs` holds (shape, dtype) per result; `sequence` numbers nodes in order of creation, so every edge leads from a
    higher number to a lower one. `scope` is the frame of the module in which the node was made. `hooks` and `retained`
    hold, by result, functions to call with its gradient and tensors that want it.
    """

    formula = ""
    edges = outputs = ()
    hooks = retained = scope = None
    accumulates = False  # the end of a path, at a leaf
    fused = False  # a gradient that does not depend on the arguments is still a function of them, as PyTorch has it
    materialize = True  # gradients that never arrived reach backward as zeros rather than None
    saved_bytes = 0

    @property
    def operation(self):
        """The operation's name, for pictures."""
        return type(self).__name__

    def name(self):
        """The node's name in PyTorch's manner, for messages: "MulBackward0"."""
        return f"{type(self).__name__}Backward0"

    @property
    def next_functions(self):
        """PyTorch's name for `edges`: ((node, output_index), ...), with (None, 0) where no gradient flows."""
        return tuple(edge or (None, 0) for edge in self.edges)

    def __repr__(self):
        return f"<{self.operation} {self.sequence}>"


class AccumulateGrad(Node):
    """The end of a path: adds the gradient that arrives to the `.grad` of a leaf, as long as that is alive."""

    formula = "grad += dy"
    accumulates = True
    filled_hooks = None  # functions to call with the leaf when its `.grad` has grown

    def __init__(self, variable):
        self._variable = weakref.ref(variable)
        self.outputs = ((variable._array.shape, variable._array.dtype),)
        if state.scope is not None:
            self.scope = state.scope
        self.sequence = next(sequence)

    @property
    def variable(self):
        """The leaf; None once nobody holds it, for then nobody can see its gradient."""
        return self._variable()

    def name(self):
        """The node's name."""
        return "AccumulateGrad"
