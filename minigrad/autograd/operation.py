"""The contract of a differentiable operation, and the node it leaves in the graph.

An `Operation` subclass has a `forward` that maps arrays to arrays and a `backward` that maps tensors to tensors. Its
instance is both the `ctx` of the two and the graph's node (`tensor.grad_fn`): it knows what it saved and where its
gradients flow. Because `backward` is itself made of operations, gradients of any order come by recording it.
"""

import numpy as np

from .anomaly import anomaly
from .device import ARRAYS, DEVICES, forbid_mixture
from .dtypes import TORCH_NAMES, boxed
from .node import Node, sequence
from .state import inference_mode, state
from .tensor import Storage, Tensor, View

_OUTPUT = object()  # a saved tensor that is one of the operation's own results
_NEITHER = (None, None)
_new = object.__new__

_INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
    "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)
FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)


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

    is_view = False  # the result is a view of the first argument's memory
    _saved = ()

    @staticmethod
    def forward(ctx, *args):
        """The result, an array or a tuple of arrays, for arrays and settings; every subclass defines this."""
        raise NotImplementedError("an Operation needs forward(ctx, *arrays)")

    @staticmethod
    def backward(ctx, *grads):
        """The gradients of the arguments, as tensors, for those of the results; None where there is none."""
        raise NotImplementedError("an Operation needs backward(ctx, *gradients) to be differentiated")

    def save_for_backward(self, *arrays):
        """Keep arrays (arguments, results or what lies between; numbers and None too) for `saved_tensors`."""
        self._saved = arrays

    @property
    def needs_input_grad(self):
        """Whether the gradient of each argument is wanted; nothing is when the operation is not recorded."""
        return tuple([edge is not None for edge in self.edges])

    @property
    def saved_tensors(self):
        """What was saved, arrays as tensors, connected to the graph so that backward can be differentiated again."""
        if self._saved is None:
            raise RuntimeError(
                f"{FREED}\nhint: the graph ends in {self.operation}; call backward(retain_graph=True) the first time, "
                "or run the forward pass again before each backward"
            )
        tensors = []
        for item in self._saved:
            if type(item) is tuple:
                array, storage, version, source = item
                if storage is not None and storage.version != version:
                    self._raise_stale(*item)
                tensor = _new(Tensor)
                tensor._array = array if type(array) in DEVICES else array()  # else a hook or anomaly mode keeps it
                tensor._edge = tensor._grad = tensor._storage = tensor._view = None
                if source is not None:
                    tensor._edge = (self, source[1]) if source[0] is _OUTPUT else source
                    tensor._storage = storage
                item = tensor
            tensors.append(item)
        return tuple(tensors)

    @property
    def saved_bytes(self):
        """Bytes of the arrays held for backward; 0 once they are freed."""
        return sum(item[0].nbytes for item in self._saved or () if type(item) is tuple)

    def _raise_stale(self, array, storage, version, source):
        node, index = (None, 0) if source is None else source
        node = self if node is _OUTPUT else node
        of = "" if node is None or node.accumulates else f", which is output {index} of {node.operation},"
        what = f" [torch.{TORCH_NAMES[array.dtype]}Tensor {list(array.shape)}]" if isinstance(array, ARRAYS) else ""
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation:"
            f"{what}{of} is at version {storage.version}; expected version {version} instead. Hint: enable anomaly "
            "detection to find the operation that failed to compute its gradient, with "
            "torch.autograd.set_detect_anomaly(True, check_nan=False)."
            f"\nhint: {self.operation} saved this tensor for its backward ({type(self).formula}); write the change out "
            "of place (x = x + 1 instead of x += 1), or change a .clone()"
        )

    def free(self):
        """Let go of the saved arrays; touching them again raises PyTorch's error."""
        if self._saved:
            self._saved = None

    def times_saved(self, array):
        """How many of the saved arrays are this one."""
        return sum([type(item) is tuple and item[0] is array for item in self._saved or ()])

    def result_lies_in(self, tensor, result):
        """The array `result` has been written into `tensor`, which takes its place among what is saved."""
        if self._saved and tensor._array.dtype == result.dtype:
            storage = tensor.storage
            self._saved = [
                (tensor._array, storage, storage.version, item[3])
                if type(item) is tuple and item[0] is result
                else item
                for item in self._saved
            ]

    @classmethod
    def apply(cls, *args):
        """Run the operation on tensors and settings, and record it if any argument needs a gradient."""
        ctx = cls()
        arrays, edges, recording = list(args), [None] * len(args), False
        for index, arg in enumerate(args):
            if isinstance(arg, Tensor):
                if arg._view is not None:
                    arg._view.refresh(arg)
                arrays[index] = arg._array
                if arg._edge is not None:
                    edges[index] = arg._edge
                    recording = True
        if recording and not state.grad_enabled:
            recording, edges = False, [None] * len(args)
        ctx.edges = edges
        try:
            results = cls.forward(ctx, *arrays)
        except Exception:
            forbid_mixture(arrays)
            raise
        if type(results) in DEVICES:  # the usual case, kept short: small networks spend their time here
            tensor = _new(Tensor)  # what Tensor._wrap does
            tensor._array = results
            tensor._edge = tensor._grad = tensor._storage = tensor._view = None
            if recording:
                ctx.sequence = next(sequence)
                dtype = results.dtype
                ctx.outputs = ((results.shape, dtype),)
                if dtype.kind == "f":
                    tensor._edge = ctx, 0
                if ctx._saved or state.scope is not None or anomaly.enabled:
                    ctx._note(args, arrays, (tensor,))
            if cls.is_view or inference_mode.used:
                cls._finish(args, (tensor,))
            return tensor
        several = type(results) is tuple
        tensors = tuple([Tensor._wrap(ctx._boxed(result)) for result in (results if several else (results,))])
        if recording:
            ctx._record(args, arrays, tensors)
        if cls.is_view or inference_mode.used:
            cls._finish(args, tensors)
        return tensors if several else tensors[0]

    @classmethod
    def _finish(cls, args, tensors):
        """What views and inference mode ask for."""
        if state.inference:
            for tensor in tensors:
                tensor.storage.inference = True
        if cls.is_view:
            View.attach(tensors, cls, args)

    def _boxed(self, result):
        """NumPy's scalar, what its functions make of 0-d arrays, as an array: in what was saved too."""
        if type(result) in DEVICES:
            return result
        array = boxed(result)
        self._saved = tuple([array if saved is result else saved for saved in self._saved])
        return array

    def _record(self, args, arrays, tensors):
        """Become the node that computed `tensors`."""
        self.sequence = next(sequence)
        self.outputs = tuple([(tensor._array.shape, tensor._array.dtype) for tensor in tensors])
        for index, (tensor, (_, dtype)) in enumerate(zip(tensors, self.outputs)):
            if dtype.kind == "f":
                tensor._edge = self, index
        self._note(args, arrays, tensors)

    def _note(self, args, arrays, tensors):
        """Keep what is asked for beside the edges: the module's frame, the user's line, saved arrays' versions."""
        if state.scope is not None:
            self.scope = state.scope
        if anomaly.enabled:
            anomaly.note(self)
        if self._saved:
            plain = state.saving is None and not anomaly.enabled
            saved = []
            for value in self._saved:
                if isinstance(value, ARRAYS):
                    version = 0
                    for arg, array, edge in zip(args, arrays, self.edges):  # noqa: B007
                        if array is value and arg is not value:
                            storage = arg._storage
                            if storage is None:
                                storage = arg._storage = Storage()
                            break
                    else:
                        storage, edge = self._own(value, tensors)
                        if storage is None:
                            value = _lasting(value, args)
                    if storage is not None:
                        version = storage.version
                        if storage.inference:
                            raise RuntimeError(_INFERENCE)
                        if storage.fleeting:
                            value, storage = value.copy(order="K"), None
                    # (array, storage, version, edge): enough to notice a later write and to rebuild the tensor
                    value = value if plain else self._kept(value), storage, version, edge
                saved.append(value)
            self._saved = saved

    def _own(self, value, tensors):
        """(storage, edge) of a saved array that is one of the operation's own results; of any other, nothing."""
        for index, tensor in enumerate(tensors):
            if tensor._array is value:
                return tensor.storage, (_OUTPUT, index) if tensor._edge is not None else None
        return None, None

    def _kept(self, array):
        """A saved array as hooks or anomaly mode want it kept."""
        return anomaly.guard(self, array) if state.saving is None else _Hooked(array, *state.saving)


class Binary(Operation):
    """Base of the operations of exactly two operands, tensors or numbers, with one result that is no view.

    All that it has is `apply` written out for two, which takes a third off the cost of `a + b`.
    """

    @classmethod
    def apply(cls, x, y):
        """Run the operation on two operands, and record it if one of them needs a gradient."""
        ctx = cls()
        a, b, x_edge, y_edge = x, y, None, None
        if isinstance(x, Tensor):
            if x._view is not None:
                x._view.refresh(x)
            a, x_edge = x._array, x._edge
        if isinstance(y, Tensor):
            if y._view is not None:
                y._view.refresh(y)
            b, y_edge = y._array, y._edge
        recording = (x_edge is not None or y_edge is not None) and state.grad_enabled
        ctx.edges = (x_edge, y_edge) if recording else _NEITHER
        try:
            result = cls.forward(ctx, a, b)
        except Exception:
            forbid_mixture((a, b))
            raise
        if type(result) not in DEVICES:
            result = ctx._boxed(result)
        tensor = _new(Tensor)
        tensor._array = result
        tensor._edge = tensor._grad = tensor._storage = tensor._view = None
        if recording:
            ctx.sequence = next(sequence)
            dtype = result.dtype
            ctx.outputs = ((result.shape, dtype),)
            if dtype.kind == "f":
                tensor._edge = ctx, 0
            if ctx._saved or state.scope is not None or anomaly.enabled:
                ctx._note((x, y), (a, b), (tensor,))
        if inference_mode.used:
            cls._finish((x, y), (tensor,))
        return tensor


class _Hooked:
    """A saved array that hooks keep in their own way; calling it gives the array back."""

    def __init__(self, array, pack, unpack):
        self.nbytes, self._unpack = array.nbytes, unpack
        self._packed = pack(Tensor._wrap(array))

    def __call__(self):
        tensor = self._unpack(self._packed)
        if not isinstance(tensor, Tensor):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got {type(tensor)}")
        return tensor._array


def _lasting(array, args):
    """`array`, or a copy if it lies in the memory of an argument that is about to be written."""
    written = [arg._array for arg in args if isinstance(arg, Tensor) and arg._storage and arg._storage.fleeting]
    return array.copy(order="K") if any(np.may_share_memory(array, other) for other in written) else array


class Constant(Operation):
    """A gradient that does not depend on its operation's arguments, seen as a function of them."""

    formula = "dx = 0"
    materialize = False

    @classmethod
    def tie(cls, gradient, edges):
        """`gradient`, which needs none itself, as a tensor that does and hands zeros on to `edges`."""
        ctx, tied = cls(), Tensor._wrap(gradient._array)
        ctx.edges = tuple([edge for edge in edges if edge is not None])
        ctx._record((), (), (tied,))
        return tied

    @staticmethod
    def backward(ctx, dy):
        return tuple([Tensor._wrap(np.zeros(*node.outputs[index], like=dy._array)) for node, index in ctx.edges])
