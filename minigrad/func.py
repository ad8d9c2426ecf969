"""Functions of functions (`torch.func`): gradients, Jacobians, modules called with other parameters, `vmap`.

Arguments and results may be tensors or tuples, lists and dicts of them. All of it stands on the one engine: a
derivative is computed with its own graph, so that transformations nest. `vmap` calls its function once for every slice:
its results are PyTorch's, its speed is a loop's.
"""

import functools

from . import autograd
from .autograd import Tensor, enable_grad
from .nn.utils.stateless import functional_call
from .ops import functions

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]

_depth = [0]  # how many derivatives are being computed: only the outermost leaves the graph


def _map(function, tree, *others):
    """A structure of tuples, lists and dicts with function(leaf, ...) for its leaves."""
    if isinstance(tree, dict):
        return type(tree)((key, _map(function, tree[key], *[other[key] for other in others])) for key in tree)
    if isinstance(tree, (tuple, list)):
        parts = [_map(function, *leaves) for leaves in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(tree, *others)


def _leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in _leaves(part)]
    return [tree]


def _source(tensor):
    """A starting point of the graph, connected to what the tensor was computed from."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"can only differentiate with respect to tensors, got {type(tensor).__name__}")
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()


def _outside(tree, connected):
    """The results as the caller sees them: outside the graph, unless it led here or more derivatives are to come."""
    keep = connected or _depth[0]
    return _map(lambda x: x if keep or not isinstance(x, Tensor) else x.detach(), tree)


def _chosen(args, argnums):
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    return tuple([args[number] for number in numbers])


def _called(func, argnums, args, kwargs):
    """(func's results at sources in the place of the chosen arguments, the sources)."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    args = list(args)
    for number in numbers:
        args[number] = _map(_source, args[number])
    return func(*args, **kwargs), _chosen(args, argnums)


def _pulled(output, sources, cotangent=None):
    """The gradients of an output, in the sources' structure; zeros where it does not depend on one."""
    leaves = _leaves(sources)
    outputs, cotangents = [], []
    for y, c in zip(_leaves(output), [None] * len(_leaves(output)) if cotangent is None else _leaves(cotangent)):
        if y.requires_grad:
            outputs.append(y)
            cotangents.append(c)
    grads = [None] * len(leaves)
    if outputs:
        grads = autograd.grad(outputs, leaves, cotangents, retain_graph=True, create_graph=True, allow_unused=True)
    found = iter(grads)
    return _map(lambda x: functions["zeros_like"](x) if (g := next(found)) is None else g, sources)


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns (gradient, value) of `func`, whose result has one element (`torch.func.grad_and_value`).

    With `has_aux` func returns (value, anything), and so is the second of the pair.

    >>> import minigrad
    >>> grad_and_value(lambda x: x ** 2)(minigrad.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def call(*args, **kwargs):
        connected = any(isinstance(x, Tensor) and x.requires_grad for x in _leaves(args))
        _depth[0] += 1
        try:
            with enable_grad():
                result, sources = _called(func, argnums, args, kwargs)
                value = result[0] if has_aux else result
                if not isinstance(value, Tensor):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): Expected f(*args) to return a tensor, got tensor of type "
                        f"{type(value)}"
                    )
                if value.ndim:
                    raise RuntimeError(
                        "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with "
                        f"{value.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                    )
                grads = _pulled(value, sources)
        finally:
            _depth[0] -= 1
        grads, result = _outside((grads if isinstance(argnums, tuple) else grads[0], result), connected)
        return grads, result

    return call


def grad(func, argnums=0, has_aux=False):
    """A function that returns the gradient of `func` by the arguments numbered `argnums` (`torch.func.grad`).

    With `has_aux` func returns (value, anything), and the new function (gradient, anything).

    >>> import minigrad
    >>> grad(grad(lambda x: x ** 3))(minigrad.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def call(*args, **kwargs):
        grads, result = both(*args, **kwargs)
        return (grads, result[1]) if has_aux else grads

    return call


def vjp(func, *primals, has_aux=False):
    """(func(*primals), a function from cotangents of the results to those of the arguments) (`torch.func.vjp`).

    >>> import minigrad
    >>> y, pull = vjp(lambda x: x ** 2, minigrad.tensor([1.0, 2.0]))
    >>> pull(minigrad.ones(2))
    (tensor([2., 4.]),)
    """
    connected = any(x.requires_grad for x in _leaves(primals))
    with enable_grad():
        result, sources = _called(func, tuple(range(len(primals))), primals, {})
    output = result[0] if has_aux else result

    def pull(*cotangents):
        cotangent = cotangents[0] if len(cotangents) == 1 else cotangents
        with enable_grad():
            return _outside(_pulled(output, sources, cotangent), connected)

    shown = _outside(output, connected)
    return (shown, pull, result[1]) if has_aux else (shown, pull)


def jvp(func, primals, tangents):
    """(func(*primals), its derivative in the direction of `tangents`), both tuples of tensors (`torch.func.jvp`).

    >>> import minigrad
    >>> jvp(lambda x: x ** 2, (minigrad.tensor(3.0),), (minigrad.tensor(1.0),))
    (tensor(9.), tensor(6.))
    """
    return autograd.functional.jvp(func, tuple(primals), tuple(tangents), create_graph=bool(_depth[0]))


def jacrev(func, argnums=0, has_aux=False):
    """A function that returns the Jacobian, (*result shape, *argument shape) (`torch.func.jacrev`).

    >>> import minigrad
    >>> jacrev(lambda x: x ** 2)(minigrad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def call(*args, **kwargs):
        connected = any(isinstance(x, Tensor) and x.requires_grad for x in _leaves(args))
        _depth[0] += 1
        try:
            with enable_grad():
                result, sources = _called(func, argnums, args, kwargs)
                output = result[0] if has_aux else result
                jacobian = _map(lambda y: _jacobian_of(y, sources, isinstance(argnums, tuple)), output)
        finally:
            _depth[0] -= 1
        jacobian = _outside(jacobian, connected)
        return (jacobian, result[1]) if has_aux else jacobian

    return call


def _jacobian_of(output, sources, several):
    """The Jacobian of one tensor: a row for each of its elements."""
    rows = [_pulled(element, sources) for element in output.reshape(-1)]
    stacked = _map(lambda *grads: functions["stack"](grads).reshape(*output.shape, *grads[0].shape), *rows)
    return stacked if several else stacked[0]


def jacfwd(func, argnums=0, has_aux=False):
    """The Jacobian as of `jacrev`: minigrad has no forward mode, so it is computed backward (`torch.func.jacfwd`).

    >>> import minigrad
    >>> jacfwd(lambda x: x.sum())(minigrad.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return jacrev(func, argnums, has_aux)


def hessian(func, argnums=0):
    """A function that returns the second derivatives of `func` (`torch.func.hessian`).

    >>> import minigrad
    >>> hessian(lambda x: (x ** 3).sum())(minigrad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that applies `func` to every slice of its arguments along `in_dims`, and stacks along `out_dims`.

    `in_dims` is a number for all arguments or a tuple of numbers, None for what is not sliced, or structures of them.
    The slices are taken one by one, and `randomness` is always "different". Source: `torch.func.vmap`.

    >>> import minigrad
    >>> vmap(minigrad.dot)(minigrad.ones(2, 3), minigrad.ones(2, 3))
    tensor([3., 3.])
    """

    def call(*args, **kwargs):
        dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        if len(dims) != len(args):
            raise ValueError(
                f"vmap({getattr(func, '__name__', func)}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible "
                f"with the structure of inputs.\nhint: {len(dims)} dimensions for {len(args)} arguments"
            )
        spread = [_spread(dim, arg) for dim, arg in zip(dims, args)]
        sizes = {
            leaf.shape[dim]
            for arg, dims in zip(args, spread)
            for leaf, dim in zip(_leaves(arg), _leaves(dims))
            if dim is not None
        }
        if len(sizes) != 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)} "
                "for the mapped dimension"
            )
        results = [func(*_slices(args, spread, i), **kwargs) for i in range(sizes.pop())]
        ends = _spread(out_dims, results[0])
        return _map(lambda dim, *parts: functions["stack"](parts, dim), ends, *results)

    return call


def _slices(args, dims, place):
    return [_map(lambda x, dim: x if dim is None else x.select(dim, place), arg, at) for arg, at in zip(args, dims)]


def _spread(dims, tree):
    """`dims` in the structure of `tree`: a number stands for all leaves below it."""
    if isinstance(tree, dict):
        return type(tree)((key, _spread(dims[key] if isinstance(dims, dict) else dims, tree[key])) for key in tree)
    if isinstance(tree, (tuple, list)):
        parts = dims if isinstance(dims, (tuple, list)) else [dims] * len(tree)
        return type(tree)([_spread(dim, part) for dim, part in zip(parts, tree, strict=True)])
    return dims if isinstance(tree, Tensor) else None


def stack_module_state(models):
    """(parameters, buffers) of modules of one architecture, stacked under each name, for `vmap` over an ensemble.

    Source: `torch.func.stack_module_state`.

    >>> import minigrad
    >>> parameters, buffers = stack_module_state([minigrad.nn.Linear(2, 1) for _ in range(3)])
    >>> parameters["weight"].shape
    minigrad.Size([3, 1, 2])
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(model.training != models[0].training for model in models):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    stacked = {
        name: functions["stack"]([own[name].detach() for own in parameters]).requires_grad_(parameter.requires_grad)
        for name, parameter in parameters[0].items()
    }
    return stacked, {name: functions["stack"]([own[name] for own in buffers]) for name in buffers[0]}
