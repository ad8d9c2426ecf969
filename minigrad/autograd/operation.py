"""The contract of a differentiable operation, and the node it leaves in the graph.

An `Operation` subclass has a `forward` that maps arrays to arrays and a `backward` that maps tensors to tensors. Its
instance is both the `ctx` of the two and the graph's node (`tensor.grad_fn`): it knows what it saved and where its
gradients flow. Because `backward` is itself made of operations, gradients of any order come by recording it.
"""

import itertools
import weakref

import numpy as np

from .state import state
from .tensor import Tensor, View

_sequence = itertools.count()
_OUTPUT = object()  # a saved tensor that is one of the operation's own results

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after "
    "calling backward."
)


class Node:
    """A vertex of the backward graph: what the engine, the pictures and the errors know of it.

    `edges` holds, per argument of the forward, None or `(node, output_index)`: where that argument's gradient flows.
    `outputs` holds (shape, dtype) per result; `sequence` numbers nodes in order of creation, so every edge leads from a
    higher number to a lower one. `scope` is the frame of the module in which the node was made.
    """

    __slots__ = ("__dict__", "__weakref__", "edges", "hooks", "outputs", "retained", "scope", "sequence")
    formula = ""

    @property
    def name(self):
        """The operation's name, for pictures and messages."""
        return type(self).__name__

    @property
    def next_functions(self):
        """PyTorch's name for `edges`: ((node, output_index), ...), with (None, 0) where no gradient flows."""
        return tuple(edge or (None, 0) for edge in self.edges)

    saved_bytes = 0

    def __repr__(self):
        return f"<{self.name} {self.sequence}>"


class AccumulateGrad(Node):
    """The end of a path: adds the gradient that arrives to the `.grad` of the leaf `variable`."""

    formula = "grad += dy"

    def __init__(self, variable):
        self.variable = variable
        self.edges = ()
        self.outputs = ((variable.shape, variable.dtype),)
        self.hooks = self.retained = None
        self.scope = state.scope
        self.sequence = next(_sequence)


def accumulator(leaf):
    """The AccumulateGrad node of a leaf that requires grad: the same one as long as a graph holds it."""
    node = leaf._accumulator() if leaf._accumulator is not None else None
    if node is None or node.outputs[0][0] != leaf._array.shape:
        node = AccumulateGrad(leaf)
        leaf._accumulator = weakref.ref(node)
    return node


def gradient_edge(tensor):
    """(node, output_index) where the gradient of `tensor` flows to; None for a tensor that needs none."""
    if not tensor.requires_grad:
        return None
    if tensor._node is not None:
        return tensor._node, tensor._index
    return accumulator(tensor), 0


class Operation(Node):
    """Base of every differentiable operation.

    A subclass defines `forward(ctx, *arrays_and_settings)` and `backward(ctx, *gradients)`; `apply` runs it on tensors.
    `backward` returns one gradient per argument, None for those without one; a single gradient needs no tuple, and what
    belongs to the last arguments may be left out if they are no tensors that need gradients. What people forget is done
    here and in the engine: sums over broadcast axes, casts to the argument's dtype, gradients nobody asked for,
    gradients that share memory.

    >>> import minigrad
    >>> class Cube(Operation):
    ...     formula = "dx = 3 · x² · dy"
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * dy
    >>> x = minigrad.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor([12.])
    """

    __slots__ = ("_saved", "needs_input_grad")
    is_view = False  # the result is a view of the first argument's memory
    materialize = True  # gradients that never arrived reach backward as zeros rather than None
    fused = False  # a gradient that does not depend on the arguments is still a function of them, as PyTorch has it

    @staticmethod
    def forward(ctx, *args):
        """The result, an array or a tuple of arrays, for arrays and settings; every subclass defines this."""
        raise NotImplementedError("an Operation needs forward(ctx, *arrays)")

    @staticmethod
    def backward(ctx, *grads):
        """The gradients of the arguments, as tensors, for those of the results; None where there is none."""
        raise NotImplementedError("an Operation needs backward(ctx, *gradients) to be differentiated")

    def save_for_backward(self, *arrays):
        """Keep arrays (arguments, results or anything between; None too) for `saved_tensors` in backward."""
        self._saved = arrays

    @property
    def saved_tensors(self):
        """The saved arrays as tensors, connected to the graph so that backward can be differentiated again."""
        if self._saved is None:
            raise RuntimeError(
                f"{FREED}\nhint: the graph ends in {self.name}; call backward(retain_graph=True) the first "
                "time, or run the forward pass again before each backward"
            )
        return tuple(self._unpack(*item) for item in self._saved)

    @property
    def saved_bytes(self):
        """Bytes of the arrays held for backward; 0 once they are freed."""
        return sum(item[0].nbytes for item in self._saved or () if item[0] is not None)

    def _unpack(self, array, storage, version, source, leaf):
        if array is None:
            return None
        if storage is not None and storage.version != version:
            self._raise_stale(array, storage, version, source)
        if leaf is not None:
            return leaf
        tensor = Tensor._wrap(array)
        if source is not None:
            tensor._node, tensor._index = (self, source[1]) if source[0] is _OUTPUT else source
            tensor._needs = True
            tensor._storage = storage
        return tensor

    def _raise_stale(self, array, storage, version, source):
        node, index = (None, 0) if source is None else source
        of = "" if node is None else f", which is output {index} of {(self if node is _OUTPUT else node).name},"
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[{array.dtype} {list(array.shape)}]{of} is at version {storage.version}; expected version {version} "
            "instead."
            f"\nhint: {self.name} saved this tensor for its backward ({type(self).formula}); write the change out of "
            "place "
            "(x = x + 1 instead of x += 1), or change a .clone()"
        )

    def free(self):
        """Let go of the saved arrays; touching them again raises PyTorch's error."""
        if self._saved:
            self._saved = None

    @classmethod
    def apply(cls, *args):
        """Run the operation on tensors and settings, and record it if any argument needs a gradient."""
        ctx = cls()
        ctx._saved = ()
        arrays, needs = [], False
        for arg in args:
            if isinstance(arg, Tensor):
                if arg._view is not None:
                    arg._view.refresh(arg)
                arrays.append(arg._array)
                needs = needs or arg._needs
            else:
                arrays.append(arg)
        if needs := needs and state.grad_enabled:
            ctx.needs_input_grad = tuple([isinstance(arg, Tensor) and arg._needs for arg in args])
        else:
            ctx.needs_input_grad = (False,) * len(args)
        results = cls.forward(ctx, *arrays)
        outputs = results if type(results) is tuple else (results,)
        tensors = tuple(
            [Tensor._wrap(output if type(output) is np.ndarray else ctx._boxed(output)) for output in outputs]
        )
        if cls.is_view:
            View.attach(tensors, cls, args)
        if needs:
            ctx._record(args, tensors)
        return tensors if type(results) is tuple else tensors[0]

    def _boxed(self, scalar):
        """NumPy's scalar, what its functions make of 0-d arrays, as an array: in what was saved too."""
        array = np.asarray(scalar)
        self._saved = tuple([array if saved is scalar else saved for saved in self._saved])
        return array

    def _record(self, args, tensors):
        """Become the graph's node: edges to the arguments, saved arrays with their versions, results that need grad."""
        self.edges = tuple([gradient_edge(arg) if isinstance(arg, Tensor) else None for arg in args])
        self.outputs = tuple([(t._array.shape, t._array.dtype) for t in tensors])
        self.hooks = self.retained = None
        self.scope = state.scope
        self.sequence = next(_sequence)
        for index, tensor in enumerate(tensors):
            if tensor._array.dtype.kind == "f":
                tensor._needs, tensor._node, tensor._index = True, self, index
        if self._saved:
            self._saved = [self._pack(array, args, tensors) for array in self._saved]

    def _pack(self, array, args, tensors):
        """(array, storage, version, source edge, leaf): enough to notice a later write and to rebuild the tensor."""
        if array is None:
            return None, None, 0, None, None
        for position, arg in enumerate(args):
            if isinstance(arg, Tensor) and arg._array is array:
                storage = arg.storage
                edge = self.edges[position]
                leaf = arg if edge is not None and arg._node is None else None
                return array, storage, storage.version, edge, leaf
        for index, tensor in enumerate(tensors):
            if tensor._array is array:
                storage = tensor.storage
                return array, storage, storage.version, (_OUTPUT, index) if tensor._needs else None, None
        return array, None, 0, None, None


class Constant(Operation):
    """A gradient that does not depend on its operation's arguments, seen as a function of them."""

    formula = "dx = 0"
    materialize = False

    @classmethod
    def tie(cls, gradient, edges):
        """`gradient`, which needs none itself, as a tensor that does and hands zeros on to `edges`."""
        ctx, tied = cls(), Tensor._wrap(gradient._array)
        ctx._saved = ()
        ctx._record((), (tied,))
        ctx.edges = tuple([edge for edge in edges if edge is not None])
        return tied

    @staticmethod
    def backward(ctx, _):
        return tuple([Tensor._wrap(np.zeros(*node.outputs[index])) for node, index in ctx.edges])
