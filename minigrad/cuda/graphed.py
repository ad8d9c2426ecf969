"""Parts of a network as CUDA graphs within ordinary programs: calls that replay, forward and backward.

`make_graphed_callables` captures what a module or function does forward, and then its gradients. A call copies its
arguments into the captured ones, replays, and stands in the graph of autograd as one node, whose backward copies the
gradients that arrive and replays too.
"""

from minigrad.autograd import Function, Tensor, grad, once_differentiable
from minigrad.ops import functions

from .graphs import CUDAGraph, graph, graph_pool_handle
from .streams import Stream, current_stream, stream, synchronize

__all__ = ["make_graphed_callables"]


class _Replay(Function):
    """What a graph computes"""

    formula = "dargs = what the graph of the gradients computes"

    @staticmethod
    def forward(ctx, captured, *args):
        ctx.captured = captured
        for place, given in zip(captured.arguments, args):
            _put(place, given)
        captured.forward_graph.replay()
        results = tuple([result.detach() for result in captured.results])
        ctx.mark_non_differentiable(*[r for r, kept in zip(results, captured.results) if not kept.requires_grad])
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx, *dys):
        captured = ctx.captured
        for place, dy in zip(captured.cotangents, dys):
            if place is not None:
                _put(place, dy)
        captured.backward_graph.replay()
        return None, *[None if found is None else found.detach() for found in captured.gradients]


def _put(place, given):
    """Copy a tensor to where the captured work reads it, if it is not there."""
    if place.data_ptr() != given.data_ptr():
        place.copy_(given)


class _Captured:
    """The captured work of one callable, and the tensors on which it works.

    `arguments` are the user's, `inputs` these and the parameters, `results` and `gradients` what the graphs write, and
    `cotangents` where the second one reads the gradients of the results.
    """

    def __init__(self, function, args):
        self.function, self.args = function, args
        self.arguments = _leaves(args)
        self.parameters = list(function.parameters()) if _is_module(function) else []
        self.inputs = self.arguments + self.parameters
        self.forward_graph, self.backward_graph = CUDAGraph(), CUDAGraph()

    def warm_up(self, allow_unused_input):
        """Run forward and backward once, so that kernels are compiled."""
        results = _leaves(self.function(*self.args))
        self._gradients(results, [functions["zeros_like"](r) for r in results], allow_unused_input)

    def capture_forward(self, pool, side):
        """Capture the call."""
        with graph(self.forward_graph, pool, side):
            self.form = self.function(*self.args)
        self.results = _leaves(self.form)

    def capture_backward(self, pool, side, allow_unused_input):
        """Capture the gradients of the inputs."""
        self.cotangents = [functions["zeros_like"](r) if r.requires_grad else None for r in self.results]
        with graph(self.backward_graph, pool, side):
            found = self._gradients(self.results, self.cotangents, allow_unused_input)
        found = iter(found)
        self.gradients = [next(found, None) if x.requires_grad else None for x in self.inputs]

    def _gradients(self, results, cotangents, allow_unused):
        """The gradients of the inputs that require them."""
        pairs = [(result, dy) for result, dy in zip(results, cotangents) if result.requires_grad]
        wanted = [x for x in self.inputs if x.requires_grad]
        if not pairs or not wanted:
            return ()
        results, cotangents = zip(*pairs)
        return grad(results, wanted, cotangents, allow_unused=allow_unused)

    def __call__(self, *args):
        results = _Replay.apply(self, *_leaves(args), *self.parameters)
        return _in_form(self.form, iter(results))


def make_graphed_callables(callables, sample_args, num_warmup_iters=3, allow_unused_input=False, pool=None):
    """Callables whose forward and backward work is replayed as CUDA graphs (`torch.cuda.make_graphed_callables`).

    `callables` is a module or a function of tensors, or a tuple of them in the order of their use; `sample_args` is a
    tuple of tensors on the GPU for each, of the shapes that later arguments have, and requiring gradients as those do.
    What comes back takes a callable's place: a module is the module itself, whose `forward` replays while it is in the
    mode, training or not, in which it was captured. Results are overwritten by the next call. An argument without
    influence on the results is an error unless `allow_unused_input`. Second derivatives there are none.

    >>> import minigrad
    >>> if minigrad.cuda.is_available():
    ...     double = make_graphed_callables(lambda x: 2 * x, (minigrad.ones(3, device="cuda"),))
    ...     assert double(minigrad.tensor([1.0, 2.0, 3.0], device="cuda")).tolist() == [2, 4, 6]
    """
    several = isinstance(callables, tuple)
    if not several:
        callables, sample_args = (callables,), (sample_args,)
    for function, args in zip(callables, sample_args):
        _check(function, args)
    captured = [_Captured(function, args) for function, args in zip(callables, sample_args)]
    pool, side = graph_pool_handle() if pool is None else pool, Stream()
    synchronize()
    side.wait_stream(current_stream())
    with stream(side):
        for one in captured:
            for _ in range(num_warmup_iters):
                one.warm_up(allow_unused_input)
    synchronize()
    for one in captured:  # in the order in which they will run, for they share their memory
        one.capture_forward(pool, side)
    for one in reversed(captured):
        one.capture_backward(pool, side, allow_unused_input)
    found = tuple([_in_place(one) if _is_module(one.function) else one for one in captured])
    return found if several else found[0]


def _is_module(function):
    return hasattr(function, "parameters") and hasattr(function, "buffers")


def _check(function, args):
    """PyTorch's errors for what cannot be captured."""
    if _is_module(function):
        if function._has_hooks():
            raise AssertionError(
                "Modules must not have hooks registered at the time they are passed. However, registering hooks on "
                "modules after passing them through make_graphed_callables is allowed."
            )
        if any(buffer.requires_grad for buffer in function.buffers()):
            raise AssertionError(
                "In any :class:`~torch.nn.Module` passed to :func:`~make_graphed_callables`, only parameters may be "
                "trainable. All buffers must have ``requires_grad=False``."
            )
    if not all(isinstance(leaf, Tensor) for leaf in _leaves(args)):
        raise AssertionError(
            "In the beta API, sample_args for each callable must contain only Tensors. Other types are not allowed."
        )
    tensors = _leaves(args) + ([*function.parameters(), *function.buffers()] if _is_module(function) else [])
    if not all(tensor.is_cuda for tensor in tensors):
        raise RuntimeError("a graph replays work on the GPU alone\nhint: move module and arguments: .to('cuda')")


def _in_place(captured):
    """The module, whose forward replays in the mode in which it was captured."""
    module, original, training = captured.function, captured.function.forward, captured.function.training

    def forward(*args, **kwargs):
        return captured(*args, **kwargs) if module.training == training else original(*args, **kwargs)

    captured.function = None  # the graph does without it, and it holds the graph
    module.forward = forward
    return module


def _leaves(value):
    """What lies in nested lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, (list, tuple)) else [value]


def _in_form(form, leaves):
    """Leaves, an iterator, nested as `form` is."""
    if isinstance(form, dict):
        return type(form)((key, _in_form(item, leaves)) for key, item in form.items())
    if isinstance(form, (list, tuple)):
        items = [_in_form(item, leaves) for item in form]
        return type(form)(*items) if hasattr(form, "_fields") else type(form)(items)
    return next(leaves)
