"""The user's own operation, with PyTorch's signature: tensors in, tensors out, in both directions."""

import functools

import numpy as np

from .device import DEVICES
from .engine import gradient_edge
from .operation import Operation
from .state import no_grad, state, watch
from .tensor import Tensor


class Function(Operation):
    """Base of a user's differentiable operation (`torch.autograd.Function`).

    `forward(ctx, *args)` gets tensors and may compute with tensors or with NumPy (nothing is recorded inside);
    `backward(ctx, *grads)` gets one gradient per result and returns one per argument of forward. Where
    `setup_context(ctx, inputs, output)` is defined, forward has no ctx. If `backward` is made of minigrad's operations,
    it can be differentiated again. `Operation` is the leaner base that minigrad's own operations use.

    >>> import minigrad
    >>> class Square(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * dy
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> Square.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    formula = "given by the user's backward"
    needs_input_grad = ()  # a value here: whether each argument requires grad
    setup_context = None
    _non_differentiable = _dirty = ()

    def save_for_backward(self, *tensors):
        """Keep tensors (arguments, results or anything between) for `saved_tensors` in backward."""
        self._saved = tuple(t._array if isinstance(t, Tensor) else t for t in tensors)

    def mark_non_differentiable(self, *tensors):
        """Declare results through which no gradient flows."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors):
        """Declare arguments that forward wrote into; they must be among its results."""
        self._dirty = tensors
        for tensor in tensors:
            tensor.storage.version += 1

    def _is_dirty(self, value):
        return any(value is dirty for dirty in self._dirty)

    def set_materialize_grads(self, value):
        """Whether gradients that never arrived reach backward as zeros (the default) or as None."""
        self.materialize = value

    def name(self):
        """The node's name in PyTorch's manner: "SquareBackward"."""
        return f"{type(self).__name__}Backward"

    @classmethod
    def apply(cls, *args):
        """Run the operation on tensors and other arguments, and record it if any tensor requires grad."""
        ctx = cls()
        edges = [gradient_edge(arg) if isinstance(arg, Tensor) else None for arg in args]
        ctx.needs_input_grad = tuple([edge is not None for edge in edges])
        if watch.observer is not None:
            watch.observer.enters(ctx)
        with no_grad():
            if cls.setup_context is None:
                results = cls.forward(ctx, *args)
            else:
                results = cls.forward(*args)
                cls.setup_context(ctx, args, results)
        several = isinstance(results, tuple)
        outputs = [ctx._output(result, args) for result in (results if several else (results,))]
        for dirty in ctx._dirty:
            if not any(dirty is output for output in outputs):
                raise RuntimeError(
                    "Some elements marked as dirty during the forward method were not returned as output. The inputs "
                    "that are modified inplace must all be outputs of the Function."
                )
        if state.grad_enabled and any(ctx.needs_input_grad):
            ctx.edges = edges
            ctx._connect(args, outputs, results if several else (results,))
        if watch.observer is not None:
            watch.observer.ran(ctx, args, outputs)
        return tuple(outputs) if several else outputs[0]

    def _output(self, result, args):
        """A result as a tensor of its own: an argument handed through shares memory, not its place in the graph."""
        if isinstance(result, Tensor):
            return result if self._is_dirty(result) else result.detach()
        if isinstance(result, (np.ndarray, np.generic)):
            return Tensor._wrap(np.asarray(result))
        return Tensor._wrap(result) if type(result) in DEVICES else result

    def _connect(self, args, outputs, results):
        """Become the graph's node; results that the user declared so, or that are no tensors, stay outside.

        An argument that forward wrote into counts as a result: its old value is gone.
        """
        arrays = [arg._array if isinstance(arg, Tensor) and not self._is_dirty(arg) else None for arg in args]
        fresh = [o if isinstance(o, Tensor) else Tensor._wrap(np.zeros((), bool)) for o in outputs]
        fresh = [tensor.detach() if self._is_dirty(tensor) else tensor for tensor in fresh]
        self._record(args, arrays, fresh)
        for tensor, result in zip(fresh, results):
            if any(result is other for other in self._non_differentiable):
                tensor._edge = None
            elif self._is_dirty(result):
                result._written_by_function(tensor)


def once_differentiable(backward):
    """Declare that a Function's backward is not made of differentiable operations: it is run without recording, and a
    second derivative is an error rather than a wrong number (`torch.autograd.function.once_differentiable`).
    """

    @functools.wraps(backward)
    def wrapper(ctx, *grads):
        with no_grad():
            results = backward(ctx, *grads)
        if not state.grad_enabled:
            return results
        several = results if isinstance(results, tuple) else (results,)
        tied = tuple([r if r is None else _Once.apply(r, *grads) for r in several])
        return tied if isinstance(results, tuple) else tied[0]

    return wrapper


class _Once(Operation):
    """A gradient that cannot be differentiated again"""

    formula = "none: declared once differentiable"

    @staticmethod
    def forward(ctx, gradient, *cotangents):
        return gradient

    @staticmethod
    def backward(ctx, _):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable\nhint: write its "
            "backward with minigrad's operations and remove the decorator"
        )
