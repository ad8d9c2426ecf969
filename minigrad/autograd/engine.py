"""The backward pass: one walk over the graph, from the results to the leaves.

Nodes are numbered in the order in which they were made, and an edge always leads to a smaller number. So the pass is:
find the nodes that can be reached, sort them by falling number, and visit each once; by then all its gradients have
arrived. The gradients under way live in a dict of the pass. Nothing here recurses, and nothing here knows an operation.
"""

import warnings

import numpy as np

from minigrad.kernels.buffers import references, unshared

from .anomaly import anomaly, origin
from .operation import Constant
from .state import state, watch
from .tensor import Tensor

_SMALL = 1 << 20  # bytes; larger sums are worth several threads


def _reachable(roots):
    """Every node that can be reached from `roots`, latest first; a leaf comes right after the last that leads to it."""
    seen, stack, turn = dict.fromkeys(roots), list(roots), {}  # a dict keeps its order, so that equal passes are alike
    while stack:
        node = stack.pop()
        for edge in node.edges:
            if edge is None:
                continue
            source = edge[0]
            if source.accumulates and node.sequence < turn.get(source, node.sequence + 1):
                turn[source] = node.sequence - 0.5
            if source not in seen:
                seen[source] = None
                stack.append(source)
    return sorted(seen, key=lambda node: turn.get(node, node.sequence), reverse=True)


def _leading_to(nodes, targets):
    """Those of `nodes` (latest first) from which some node of `targets` can be reached, `targets` included."""
    leading = set()
    for node in reversed(nodes):
        if node in targets or any(edge is not None and edge[0] in leading for edge in node.edges):
            leading.add(node)
    return leading


def fit(grad, shape, dtype, node):
    """`grad` with the shape and dtype of what it is the gradient of: broadcasting undone by sums, casts undone."""
    if grad._array.shape != shape:
        if not _broadcasts(shape, grad._array.shape):
            raise RuntimeError(
                f"Function {node.name()} returned an invalid gradient at index 0 - got {list(grad.shape)} but expected "
                f"shape compatible with {list(shape)}"
            )
        grad = grad.sum_to_size(shape)
    return grad if grad._array.dtype == dtype else grad.to(dtype)


def _broadcasts(shape, to):
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(to)))


def _materialize(node, grads):
    """Zeros for the gradients that never arrived, where those are that did."""
    like = next(grad for grad in grads if grad is not None)._array
    for index, grad in enumerate(grads):
        if grad is None:
            grads[index] = Tensor._wrap(np.zeros(*node.outputs[index], like=like))


def _explain(error, node):
    """Say in the error which operation's backward it came from."""
    scope = "" if node.scope is None else f" made in module {type(node.scope.module).__name__}"
    error.add_note(f"during the backward of {node.operation}{scope}: {type(node).formula}")
    if anomaly.enabled:
        error.add_note(origin(node))


def _check_count(node, results):
    """Nothing may be missing for an argument that needs a gradient, and what is too much must be None."""
    given, wanted = len(results), len(node.edges)
    for left in results[wanted:] or node.edges[given:]:
        if left is not None:
            raise RuntimeError(
                f"function {node.name()} returned an incorrect number of gradients (expected {wanted}, got {given})"
            )


def _accumulate(variable, grad, create_graph):
    """Add to `.grad`: memory of its own, laid out like the variable, since optimizers and users write into it.

    The memory of a `grad` that nobody else knows is taken over.
    """
    known = variable._grad
    if create_graph:
        variable._grad = grad.clone() if known is None else known + grad
    elif known is None:
        array, like = grad._array, variable._array
        # only the name `grad` knows the tensor, only the tensor and the name `array` know the array
        if array.strides == like.strides and references(grad) == 1 and unshared(array, 2):
            variable._grad = Tensor._wrap(array)
        else:
            own = np.empty_like(like)
            own[...] = array
            variable._grad = Tensor._wrap(own)
    elif known._edge is not None or not known._array.flags.writeable:
        variable._grad = known.detach() + grad
    else:
        np.add(known._array, grad._array, out=known._array)
        known.storage.version += 1


def run(roots, *, retain_graph, create_graph, targets=None):
    """Walk from `roots`, a list of ((node, output_index), gradient).

    Without `targets` every leaf's `.grad` grows. With `targets`, a set of (node, output_index), only paths to them are
    walked, and a dict of their gradients is returned.
    """
    nodes = _reachable([edge[0] for edge, _ in roots])
    wanted = None if targets is None else _leading_to(nodes, {node for node, _ in targets})
    captured, pending = {}, {}
    summed = {}  # node -> the results whose gradient is a sum made here, which may grow in place
    recording, state.grad_enabled = state.grad_enabled, bool(create_graph)
    observer = None if watch.observer is None else watch.observer.starts(roots, nodes, create_graph, targets)
    try:
        for (node, index), grad in roots:
            grads = pending.setdefault(node, [None] * len(node.outputs))
            if grads[index] is None:
                grads[index] = grad
            else:
                _add(grads, index, grad, summed.setdefault(node, set()), create_graph)
        for node in nodes:
            grads = pending.pop(node, None)
            if grads is None or (wanted is not None and node not in wanted):
                continue
            if observer is not None:
                observer.arrives(node, grads)
            if node.hooks is not None or node.retained is not None:
                _call_hooks(node, grads)
                if observer is not None:
                    observer.hooked(node, grads)
            if targets is not None:
                for index, grad in enumerate(grads):
                    if (node, index) in targets:
                        captured[node, index] = grad
            if node.accumulates:
                leaf = node.variable
                if leaf is not None and leaf._edge is not None and not leaf.is_leaf:
                    raise RuntimeError(
                        "leaf variable has been moved into the graph interior\nhint: a leaf was written in place after "
                        "its requires_grad had been switched off, and an older graph still leads to it"
                    )
                if targets is None and leaf is not None and leaf.requires_grad:
                    _accumulate(leaf, grads.pop(), create_graph)
                    if node.filled_hooks is not None:
                        for hook in list(node.filled_hooks.values()):
                            hook(leaf)
                continue
            if wanted is not None and not any(edge is not None and edge[0] in wanted for edge in node.edges):
                continue
            if len(grads) > 1 and node.materialize:
                _materialize(node, grads)
            try:
                results = node.backward(node, *grads)
            except Exception as error:
                _explain(error, node)
                raise
            if type(results) is not tuple:
                results = tuple(results) if isinstance(results, (tuple, list)) else (results,)
            edges = node.edges
            if len(results) != len(edges):
                _check_count(node, results)
            if anomaly.enabled:
                anomaly.examine(node, results)
            if create_graph and node.fused:
                results = [g if g is None or g._edge is not None else Constant.tie(g, edges) for g in results]
            if observer is not None:
                results = observer.leaves(node, results, wanted)
            for edge, grad in zip(edges, results):
                if edge is None or grad is None:
                    continue
                source, index = edge
                if wanted is not None and source not in wanted:
                    continue
                shape, dtype = source.outputs[index]
                array = grad._array
                if array.dtype is not dtype or array.shape != shape:
                    grad = fit(grad, shape, dtype, node)
                arrived = pending.get(source)
                if arrived is None:
                    arrived = pending[source] = [None] * len(source.outputs)
                if arrived[index] is None:
                    arrived[index] = grad
                else:
                    _add(arrived, index, grad, summed.setdefault(source, set()), create_graph)
            results = grad = array = None  # so that what is known only here is seen to be
            if not retain_graph and node._saved:
                node.free()
    finally:
        state.grad_enabled = recording
        if observer is not None:
            observer.ends()
    return captured


def _add(grads, index, grad, summed, create_graph):
    """Add `grad` to `grads[index]`: in place if that is a sum of the walk's own, for others may hold what arrived."""
    if index in summed and not create_graph and grad._array.nbytes < _SMALL:
        np.add(grads[index]._array, grad._array, out=grads[index]._array)
    else:
        grads[index] = grads[index] + grad
        summed.add(index)


def _call_hooks(node, grads):
    """Let the hooks of the node's results see, and replace, their whole gradient; fill `.grad` where it is retained."""
    for index, functions in (node.hooks or {}).items():
        for hook in list(functions.values()):
            if grads[index] is not None and (replaced := hook(grads[index])) is not None:
                grads[index] = fit(replaced, *node.outputs[index], node)
    for index, watchers in (node.retained or {}).items():
        for watcher in watchers:
            if (tensor := watcher()) is not None and grads[index] is not None:
                _accumulate(tensor, grads[index], state.grad_enabled)


def gradient_edge(tensor):
    """(node, output_index) where the gradient of `tensor` flows to; None for a tensor that needs none."""
    return tensor._edge if tensor.requires_grad else None


def _seed(tensor, gradient):
    """The gradient to start with at `tensor`."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn\nhint: nothing that this tensor "
            "was "
            "computed from requires grad, or it was computed under no_grad or from a detached tensor; create "
            "the inputs with requires_grad=True"
        )
    if gradient is None:
        if tensor._array.size != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs\nhint: this tensor has shape "
                f"{tuple(tensor.shape)}; reduce it first (.sum(), .mean()) or pass gradient= of that shape"
            )
        return Tensor._wrap(np.ones_like(tensor._array))
    if not isinstance(gradient, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    if gradient._array.shape != tensor._array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has a shape of "
            f"{tensor.shape}.\nhint: the gradient of a tensor has the tensor's own shape"
        )
    return gradient if gradient._array.dtype == tensor._array.dtype else gradient.to(tensor._array.dtype)


def _roots(tensors, gradients):
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if gradients is None or isinstance(gradients, Tensor):
        gradients = [gradients] * len(tensors) if gradients is None else [gradients]
    gradients = list(gradients)
    seeds = [_seed(tensor, gradient) for tensor, gradient in zip(tensors, gradients)]
    if len(gradients) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    return [(gradient_edge(tensor), seed) for tensor, seed in zip(tensors, seeds)]


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, *, inputs=None):
    """Add the gradients of `tensors` to the `.grad` of the leaves they were computed from (`torch.autograd.backward`).

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> backward([(x * x).sum(), x.sum()])
    >>> x.grad
    tensor([3., 5.])
    """
    roots = _roots(tensors, grad_tensors)
    retain_graph = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        run(roots, retain_graph=retain_graph, create_graph=create_graph)
        return
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    edges = [gradient_edge(tensor) for tensor in inputs]
    if None in edges:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    captured = run(roots, retain_graph=retain_graph, create_graph=create_graph, targets=set(edges))
    for tensor, edge in zip(inputs, edges):
        if captured.get(edge) is not None and not tensor.retains_grad:  # else the walk has filled it already
            _accumulate(tensor, captured[edge], create_graph)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    *,
    materialize_grads=False,
):
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` is touched (`torch.autograd.grad`).

    `create_graph=True` makes them differentiable again. An input that the outputs do not depend on is an error unless
    `allow_unused` (None is returned for it) or `materialize_grads` (zeros are). `only_inputs` is ignored.

    >>> import minigrad
    >>> x = minigrad.tensor(2.0, requires_grad=True)
    >>> (dx,) = grad(x ** 3, x, create_graph=True)
    >>> (ddx,) = grad(dx, x)
    >>> ddx
    tensor(12.)
    """
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
            "other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not inputs:
        raise ValueError("grad requires non-empty inputs.")
    edges = [gradient_edge(tensor) for tensor in inputs]
    if None in edges:
        raise RuntimeError(
            "One of the differentiated Tensors does not require grad\nhint: input "
            f"{edges.index(None)} has requires_grad=False"
        )
    roots = _roots(outputs, grad_outputs)
    captured = run(
        roots,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
        targets=set(edges),
    )
    taken = [seed._array for _, seed in roots]
    results = []
    for tensor, edge in zip(inputs, edges):
        result = captured.get(edge)
        if result is None and materialize_grads:
            result = Tensor._wrap(np.zeros_like(tensor._array))
        if result is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {len(results)} appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior.\nhint: no path leads from this input of shape "
                f"{tuple(tensor.shape)} to the outputs"
            )
        if result is not None and any(np.may_share_memory(result._array, other) for other in taken):
            result = result.clone()
        if result is not None:
            taken.append(result._array)
        results.append(result)
    return tuple(results)


def _backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradient of this tensor with respect to every leaf of its graph to the leaf's `.grad`.

    `gradient` (same shape) is the cotangent to start with, 1 for a single element. `retain_graph` keeps saved tensors
    for another pass; `create_graph` records the pass itself, for higher derivatives; `inputs` restricts the leaves.
    Source: `torch.Tensor.backward`.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad
    tensor(6.)
    """
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


Tensor.backward = _backward
