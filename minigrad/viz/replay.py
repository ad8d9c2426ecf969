"""One operation computed again in float64, on the inputs it had, with some of them moved.

This is what a comparison with finite differences and a Jacobian of small tensors are made of. It needs what
`Operation.apply` was given, not the graph. Random operations repeat themselves, because their random numbers are
arguments; the two operations whose forward does not contain all that their derivative knows are completed here.
"""

import numpy as np

from minigrad.autograd import Tensor, enable_grad, grad, no_grad, state
from minigrad.kernels import kernels_for
from minigrad.ops.inplace import CopySlices
from minigrad.ops.normalization import BatchNorm

ERRORS = RuntimeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError


class Replay:
    """`operation.apply(*args)` in float64 as a function of the arguments at `sources`.

    `points` are their values, `results` the values of those results that need a gradient, `outputs` their numbers.

    >>> import minigrad
    >>> from minigrad.ops.arithmetic import Mul
    >>> replay = Replay(Mul, (minigrad.tensor([2.0]), minigrad.tensor([5.0])), [0])
    >>> replay.moved(0, replay.points[0] + 1), replay.pull([np.array([1.0])])
    ([array([15.])], [array([5.])])
    """

    def __init__(self, operation, args, sources):
        self.operation, self.sources = operation, list(sources)
        self.args = [_double(arg) for arg in args]
        self.points = [self.args[i]._array for i in self.sources]
        self._leaves = [Tensor._wrap(point.copy(order="K")).requires_grad_() for point in self.points]
        scope, state.scope = state.scope, None
        try:
            with enable_grad():
                recorded = _several(operation.apply(*self._with(self._leaves)))
        finally:
            state.scope = scope
        self.outputs = [i for i, y in enumerate(recorded) if isinstance(y, Tensor) and y.requires_grad]
        self._recorded = [recorded[i] for i in self.outputs]
        self.results = self.moved(0, self.points[0].copy(order="K")) if self.points else []

    def _with(self, tensors):
        args = list(self.args)
        for i, tensor in zip(self.sources, tensors):
            args[i] = tensor
        return args

    def moved(self, source, values):
        """The results with other values of one source."""
        tensors = [Tensor._wrap(point.copy(order="K")) for point in self.points]
        tensors[source] = Tensor._wrap(np.asarray(values))
        with no_grad():
            again = _AGAIN.get(self.operation, self.operation.apply)
            results = _several(again(*self._with(tensors)))
        return [results[i]._array for i in self.outputs]

    def pull(self, cotangents):
        """The gradients of the sources for these of the results, from the operation's own backward."""
        seeds = [Tensor._wrap(np.asarray(c)) for c in cotangents]
        grads = grad(self._recorded, self._leaves, seeds, retain_graph=True, allow_unused=True)
        return [np.zeros_like(x) if g is None else g._array for x, g in zip(self.points, grads)]


def _several(results):
    return results if isinstance(results, tuple) else (results,)


def _double(value):
    """A tensor, an array or a dtype in float64 if it is floating-point; everything else as it is."""
    if isinstance(value, Tensor):
        return Tensor._wrap(_double(value._array))
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value
    if isinstance(value, np.dtype):
        return np.dtype(np.float64) if value.kind == "f" else value
    if type(value) in (tuple, list):
        return type(value)([_double(part) for part in value])
    return value


def _batch_norm(x, weight, bias, mean, invstd, eps):
    """Batch normalisation with the statistics of x as it is now."""
    mean, var = kernels_for(x._array).batch_norm_stats(x._array)
    return BatchNorm.apply(x, weight, bias, mean, np.asarray(1 / np.sqrt(var + eps)), eps)


def _copy_slices(base, value, view):
    """The base with the values written into the view."""
    view.replay(base)._array[...] = value._array
    return base


_AGAIN = {BatchNorm: _batch_norm, CopySlices: _copy_slices}
