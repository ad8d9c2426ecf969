"""Derivatives of functions rather than of tensors (`torch.autograd.functional`): Jacobians, Hessians, their products.

Every function takes `func`, which maps tensors to a tensor or a tuple of tensors, and `inputs`, a tensor or a tuple.
Results have the structure of what they belong to. With `create_graph=True` they can be differentiated again;
`strict=True` makes an input that the result does not depend on an error instead of zeros.
"""

import numpy as np

from .engine import grad
from .state import enable_grad
from .tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _as_tuple(values, what, function):
    """(whether it was a tuple, the tuple); a TypeError names what is no tensor."""
    several = isinstance(values, (tuple, list))
    values = tuple(values) if several else (values,)
    for i, value in enumerate(values):
        if not isinstance(value, Tensor):
            where = f" at index {i}" if several else ""
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the value{where} "
                f"has type {type(value)}."
            )
    return several, values


def _sources(inputs, create_graph):
    """The inputs as starting points of the graph; with create_graph connected to what they were computed from."""
    if create_graph:
        return tuple([x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs])
    return tuple([x.detach().requires_grad_() for x in inputs])


def _finish(values, several, create_graph):
    values = tuple([v if create_graph else v.detach() for v in values])
    return values if several else values[0]


def _call(func, inputs, function, create_graph):
    """(inputs a tuple?, sources, outputs a tuple?, outputs) of one call of `func`."""
    many_inputs, inputs = _as_tuple(inputs, "inputs", function)
    sources = _sources(inputs, create_graph)
    many_outputs, outputs = _as_tuple(func(*sources), "outputs of the user-provided function", function)
    return many_inputs, sources, many_outputs, outputs


def _pull(outputs, sources, cotangents, create_graph, strict, function):
    """The gradients of `sources`; zeros, or in strict mode an error, where the outputs do not depend on one."""
    if strict:
        _require_gradients(outputs)
    pairs = [(y, c) for y, c in zip(outputs, cotangents) if y.requires_grad]
    if not pairs:
        return tuple([_zeros(x) for x in sources])
    ys, cs = zip(*pairs)
    grads = grad(ys, sources, cs, retain_graph=True, create_graph=create_graph, allow_unused=True)
    if strict and None in [None if g is None else 0 for g in grads]:
        missing = next(i for i, g in enumerate(grads) if g is None)
        raise RuntimeError(
            f"The output of the user-provided function is independent of input {missing}. This is not allowed in "
            f"strict mode of {function}."
        )
    return tuple([_zeros(x) if g is None else g for x, g in zip(sources, grads)])


def _require_gradients(outputs):
    """Strict mode's error for an output that does not depend on the inputs."""
    for i, y in enumerate(outputs):
        if not y.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in "
                "a differentiable manner from the input when running in strict mode."
            )


def _zeros(tensor):
    return Tensor._wrap(np.zeros_like(tensor._array))


def _checked(v, like, function, what):
    """The vector `v` as a tuple of tensors shaped like `like`; ones for a single number if it is None."""
    if v is None:
        if len(like) != 1 or like[0]._array.size != 1:
            raise RuntimeError(
                f"The vector v can only be None if the {what} is a single Tensor with a single element (or a Tensor "
                "containing a single element)."
                if what == "input to the user-provided function"
                else "The vector v can only be None if the user-provided function returns a single Tensor with a single"
                " element."
            )
        return (Tensor._wrap(np.ones_like(like[0]._array)),)
    _, v = _as_tuple(v, "v", function)
    if len(v) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
    for i, (a, b) in enumerate(zip(v, like)):
        if a._array.shape != b._array.shape:
            raise RuntimeError(
                f"Entry {i} in v has invalid size: should be {b.shape} but got {a.shape}."
                if len(like) > 1
                else f"v has invalid size: should be {b.shape} but got {a.shape}."
            )
    return v


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, vᵀ J): the vector-Jacobian product of `func` at `inputs` (`torch.autograd.functional.vjp`).

    `v` has the outputs' structure; it may be left out for a single output of one element.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0])
    >>> vjp(lambda x: x ** 2, x, minigrad.tensor([1.0, 1.0]))[1]
    tensor([2., 4.])
    """
    with enable_grad():
        many_inputs, sources, many_outputs, outputs = _call(func, inputs, "vjp", create_graph)
        v = _checked(v, outputs, "vjp", "output")
        product = _pull(outputs, sources, v, create_graph, strict, "vjp")
    return _finish(outputs, many_outputs, create_graph), _finish(product, many_inputs, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, J v): the Jacobian-vector product of `func` at `inputs` (`torch.autograd.functional.jvp`).

    Computed by differentiating the vector-Jacobian product with respect to its vector, in which it is linear.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0])
    >>> jvp(lambda x: x ** 2, x, minigrad.tensor([1.0, 0.0]))[1]
    tensor([2., 0.])
    """
    with enable_grad():
        _, sources, many_outputs, outputs = _call(func, inputs, "jvp", create_graph)
        v = _checked(v, sources, "jvp", "input to the user-provided function")
        cotangents = tuple([_zeros(y).requires_grad_() for y in outputs])
        pulled = _pull(outputs, sources, cotangents, True, strict, "jvp")
        product = _pull(pulled, cotangents, v, create_graph, False, "jvp")
    return _finish(outputs, many_outputs, create_graph), _finish(product, many_outputs, create_graph)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of `func`: for every output and input, of shape output.shape + input.shape.

    A tuple over outputs of a tuple over inputs where those are tuples. One backward pass per element of the outputs;
    `vectorize` and `strategy` are accepted as hints and change nothing. Source: `torch.autograd.functional.jacobian`.

    >>> import minigrad
    >>> jacobian(lambda x: x ** 2, minigrad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        many_inputs, sources, many_outputs, outputs = _call(func, inputs, "jacobian", create_graph)
        if strict:
            _require_gradients(outputs)
        rows = []
        for i, y in enumerate(outputs):
            units = np.eye(y._array.size, dtype=y._array.dtype, like=y._array).reshape(y._array.size, *y._array.shape)
            pulled = [
                _pull((y,), sources, (Tensor._wrap(unit.copy()),), create_graph, strict, "jacobian") for unit in units
            ]
            shapes = [(*outputs[i].shape, *x.shape) for x in sources]
            row = [_stacked([p[j] for p in pulled], shape, sources[j]) for j, shape in enumerate(shapes)]
            rows.append(_finish(row, many_inputs, create_graph))
    return tuple(rows) if many_outputs else rows[0]


def _stacked(parts, shape, like):
    """Differentiable tensors of one shape, one after another, as one tensor of `shape`."""
    if not parts:
        return Tensor._wrap(np.zeros(shape, like._array.dtype, like=like._array))
    base = Tensor._wrap(np.zeros((len(parts), *parts[0].shape), parts[0]._array.dtype, like=parts[0]._array))
    for i, part in enumerate(parts):
        base[i] = part
    return base.reshape(shape)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The matrix of second derivatives of a function with one number as its result
    (`torch.autograd.functional.hessian`).

    >>> import minigrad
    >>> hessian(lambda x: (x ** 3).sum(), minigrad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    many, given = _as_tuple(inputs, "inputs", "hessian")

    def gradient(*sources):
        return jacobian(lambda *xs: _scalar(func(*xs), "hessian"), sources, create_graph=True)

    result = jacobian(gradient, given, create_graph=create_graph, strict=strict)
    return result if many else result[0][0]


def _scalar(output, function):
    """The one number that a function with a Hessian returns, as a 0-d tensor."""
    several, (first, *rest) = _as_tuple(output, "outputs of the user-provided function", function)
    if several or rest:
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if first._array.size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {function} should contain a single element")
    return first.reshape(())


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, vᵀ H): the vector-Hessian product (`torch.autograd.functional.vhp`).

    >>> import minigrad
    >>> vhp(lambda x: (x ** 3).sum(), minigrad.tensor([1.0, 2.0]), minigrad.ones(2))[1]
    tensor([ 6., 12.])
    """
    with enable_grad():
        many_inputs, sources, _, (output,) = _call(func, inputs, "vhp", create_graph)
        v = _checked(v, sources, "vhp", "input to the user-provided function")
        ones = (Tensor._wrap(np.ones((), output._array.dtype, like=output._array)),)
        first = _pull((_scalar(output, "vhp"),), sources, ones, True, strict, "vhp")
        product = _pull(first, sources, v, create_graph, False, "vhp")
    return _finish((output,), False, create_graph), _finish(product, many_inputs, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, H v): the Hessian-vector product (`torch.autograd.functional.hvp`). H is symmetric, so this is `vhp`,
    which is faster.

    >>> import minigrad
    >>> hvp(lambda x: (x ** 3).sum(), minigrad.tensor([1.0, 2.0]), minigrad.ones(2))[1]
    tensor([ 6., 12.])
    """
    with enable_grad():
        many_inputs, sources, _, (output,) = _call(func, inputs, "hvp", create_graph)
        v = _checked(v, sources, "hvp", "input to the user-provided function")
        ones = (Tensor._wrap(np.ones((), output._array.dtype, like=output._array)).requires_grad_(),)
        first = _pull((_scalar(output, "hvp"),), sources, ones, True, strict, "hvp")
        cotangents = tuple([_zeros(x).requires_grad_() for x in sources])
        second = _pull(first, sources, cotangents, True, False, "hvp")
        product = _pull(second, cotangents, v, create_graph, False, "hvp")
    return _finish((output,), False, create_graph), _finish(product, many_inputs, create_graph)
