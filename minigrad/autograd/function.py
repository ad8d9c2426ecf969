"""The user's own operation, with PyTorch's signature: tensors in, tensors out, in both directions."""

import numpy as np

from .operation import Operation
from .state import state
from .tensor import Tensor


class Function(Operation):
    """Base of a user's differentiable operation (`torch.autograd.Function`).

    `forward(ctx, *args)` gets tensors and may compute with tensors or with NumPy (nothing is recorded inside);
    `backward(ctx, *grads)` gets one gradient per result and returns one per argument of forward. Made of minigrad's
    operations, `backward` can be differentiated again. `Operation` is the leaner base that minigrad's own operations
    use.

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
    _non_differentiable = ()

    def save_for_backward(self, *tensors):
        """Keep tensors (arguments, results or anything between) for `saved_tensors` in backward."""
        self._saved = tuple(t._array if isinstance(t, Tensor) else t for t in tensors)

    def mark_non_differentiable(self, *tensors):
        """Declare results through which no gradient flows."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value):
        """Whether gradients that never arrived reach backward as zeros (the default) or as None."""
        self.materialize = value

    @classmethod
    def apply(cls, *args):
        """Run the operation on tensors and other arguments, and record it if any tensor requires grad."""
        ctx = cls()
        ctx._saved = ()
        needs = tuple([isinstance(arg, Tensor) and arg.requires_grad for arg in args])
        ctx.needs_input_grad = needs
        recording, state.grad_enabled = state.grad_enabled, False
        try:
            results = cls.forward(ctx, *args)
        finally:
            state.grad_enabled = recording
        several = isinstance(results, tuple)
        tensors = tuple([_result(r) for r in (results if several else (results,))])
        if recording and any(needs):
            ctx._record(args, tensors)
            for tensor, result in zip(tensors, results if several else (results,)):
                if any(result is other for other in ctx._non_differentiable):
                    tensor._needs, tensor._node = False, None
        return tensors if several else tensors[0]


def _result(result):
    """A result as a tensor of its own: an argument handed through shares memory, not its place in the graph."""
    if isinstance(result, Tensor):
        return result.detach()
    if isinstance(result, (np.ndarray, np.generic, int, float)):
        return Tensor._wrap(np.asarray(result))
    raise TypeError(f"Function.forward should return tensors or arrays, but got {type(result).__name__}")
