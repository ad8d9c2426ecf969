"""Gradients against finite differences.

The derivative of a function `f` of float64 tensors is probed by `(f(x + ε) - f(x - ε)) / 2ε`. Small functions are
probed element by element (the whole Jacobian), large ones along one random direction. Cotangents are random: a
cotangent of ones cannot see, for example, a wrong softmax, whose elements always sum to 1. Near a kink (relu at 0, a
tie of maxima) the quotient is meaningless: draw other inputs there rather than widen the tolerance.
"""

from itertools import chain

import numpy as np

from minigrad.autograd import placed

from .dtypes import float64
from .engine import grad
from .tensor import Tensor

FULL_JACOBIAN = 4096  # elements up to which the whole Jacobian is compared


class GradcheckError(RuntimeError):
    """Analytic and numeric derivatives differ; the message names the element and both values."""


def difference(actual, expected, rtol, atol, equal_nan=False):
    """None if `|actual - expected| <= atol + rtol · |expected|` everywhere, else a sentence on the worst element."""
    if actual.size == 0:
        return None
    with np.errstate(all="ignore"):
        a, b = actual.astype(np.float64), expected.astype(np.float64)
        error, allowed = np.abs(a - b), atol + rtol * np.abs(b)
        same = (a == b) | (equal_nan & np.isnan(a) & np.isnan(b))
        excess = np.where(same, -np.inf, np.where(np.isfinite(error), error - allowed, np.inf))
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    if not excess[worst] > 0:
        return None
    index = tuple([int(i) for i in worst])
    return (
        f"{int((excess > 0).sum())} of {a.size} elements differ; the worst is at {index}: got {actual[worst]}, "
        f"expected {expected[worst]} (difference {error[worst]:.3g}, allowed {allowed[worst]:.3g})"
    )


def as_tuple(value):
    """A tensor alone, or a sequence of them, as a tuple."""
    return (value,) if isinstance(value, Tensor) else tuple(value)


def gradcheck(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, fast_mode=False):
    """Compare the gradients of `func` with finite differences (`torch.autograd.gradcheck`).

    `func` maps the tensors `inputs` to a tensor or a tuple of tensors and must be deterministic. Those inputs that
    require grad are checked; they are float64. With `fast_mode` only one random direction is probed. Two backward
    passes must agree within `nondet_tol`. Returns True; a difference beyond `atol + rtol · |numeric|` raises a
    GradcheckError, or returns False without `raise_exception`.

    >>> import minigrad
    >>> x = minigrad.rand(3, dtype=minigrad.float64, requires_grad=True)
    >>> gradcheck(lambda x: x.sin() * x, x)
    True
    >>> gradcheck(lambda x: x.detach() * x, x, raise_exception=False)
    False
    """
    inputs = as_tuple(inputs)
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True."
        )
    for i in checked:
        if inputs[i].dtype != float64:
            raise ValueError(
                f"gradcheck needs float64, but input {i} is {inputs[i].dtype}\nhint: in float32 the rounding error of "
                "a finite difference is as large as the derivative; use x.double()"
            )
    try:
        _check(func, inputs, checked, eps, atol, rtol, nondet_tol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    fast_mode=False,
):
    """Compare the second derivatives of `func` with finite differences of the first (`torch.autograd.gradgradcheck`).

    Differentiates with respect to the inputs that require grad and to the cotangents `grad_outputs` (random by
    default).

    >>> import minigrad
    >>> x = minigrad.rand(3, dtype=minigrad.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x ** 3, x)
    True
    """
    inputs = as_tuple(inputs)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        grad_outputs = [
            Tensor._wrap(placed(np.asarray(rng.standard_normal(y.shape)), y.device)).requires_grad_() for y in outputs
        ]
    count, wanted = len(inputs), [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*args):
        outputs, sources = _differentiable(func(*args[:count])), [args[i] for i in wanted]
        pairs = [(y, c) for y, c in zip(outputs, args[count:]) if y.requires_grad]
        if not pairs:
            return tuple([_zeros(x) for x in sources])
        ys, cotangents = zip(*pairs)
        return grad(ys, sources, cotangents, create_graph=True, materialize_grads=True)

    arguments = (*inputs, *as_tuple(grad_outputs))
    return gradcheck(gradients, arguments, eps, atol, rtol, raise_exception, nondet_tol, fast_mode)


def _zeros(tensor):
    return Tensor._wrap(np.zeros_like(tensor._array))


def _differentiable(outputs):
    return [y for y in as_tuple(outputs) if y.is_floating_point()]


def _values(func, inputs):
    """The floating-point results of `func` as flat arrays, outside the graph of `inputs`."""
    outputs = _differentiable(func(*inputs))  # recorded: func may itself differentiate
    return [y.numpy(force=True).reshape(-1).copy() for y in outputs]


def _moved(inputs, index, array):
    """`inputs` with the values of one of them replaced."""
    tensor = Tensor._wrap(placed(array, inputs[index].device)).requires_grad_()
    return (*inputs[:index], tensor, *inputs[index + 1 :])


def _check(func, inputs, checked, eps, atol, rtol, nondet_tol, fast_mode):
    rng = np.random.default_rng(0)
    inputs = tuple([x.detach().clone().requires_grad_() if i in checked else x for i, x in enumerate(inputs)])
    outputs = _differentiable(func(*inputs))
    sources = [inputs[i] for i in checked]
    cotangents = [rng.standard_normal(y.numel()) for y in outputs]
    for i, first, second in zip(checked, *[_pull(outputs, sources, cotangents) for _ in range(2)]):
        if (found := difference(second, first, 0.0, nondet_tol, equal_nan=True)) is not None:
            raise GradcheckError(f"Backward is not reentrant: a second pass gives input {i} another gradient: {found}")
    if not fast_mode and sum(x.numel() for x in sources) * sum(y.numel() for y in outputs) <= FULL_JACOBIAN:
        _check_jacobian(func, inputs, checked, outputs, rng, eps, atol, rtol)
    else:
        _check_direction(func, inputs, checked, outputs, rng, eps, atol, rtol)


def _pull(outputs, sources, cotangents):
    """The gradients of `sources`, as flat arrays: zero where no path leads from an output to a source."""
    pairs = [
        (y, Tensor._wrap(placed(c.reshape(y.shape), y.device))) for y, c in zip(outputs, cotangents) if y.requires_grad
    ]
    if not pairs:
        return [np.zeros(x.numel()) for x in sources]
    ys, cs = zip(*pairs)
    grads = grad(ys, sources, cs, retain_graph=True, materialize_grads=True)
    for x, g in zip(sources, grads):
        if g.shape != x.shape or g.dtype != x.dtype:
            raise GradcheckError(
                f"the gradient of an input of shape {tuple(x.shape)} and dtype {x.dtype} has shape {tuple(g.shape)} "
                f"and dtype {g.dtype}"
            )
    return [g.numpy(force=True).reshape(-1) for g in grads]


def _check_jacobian(func, inputs, checked, outputs, rng, eps, atol, rtol):
    """Every derivative by itself, and one backward pass of a random cotangent against their sum."""
    sources = [inputs[i] for i in checked]
    analytic = [[np.zeros((y.numel(), x.numel())) for x in sources] for y in outputs]
    for o, y in enumerate(outputs):
        for row in range(y.numel()):
            cotangents = [np.zeros(z.numel()) for z in outputs]
            cotangents[o][row] = scale = rng.uniform(0.5, 2.0)
            for s, gradient in enumerate(_pull(outputs, sources, cotangents)):
                analytic[o][s][row] = gradient / scale
    for s, i in enumerate(checked):
        numeric = _numeric_jacobian(func, inputs, i, outputs, eps)
        for o, jacobian in enumerate(numeric):
            if (found := difference(analytic[o][s], jacobian, rtol, atol)) is not None:
                raise GradcheckError(
                    f"Jacobian mismatch for output {o} with respect to input {i}, as (element of the output, element "
                    f"of the input), analytic against numeric: {found}"
                )
    cotangents = [rng.standard_normal(y.numel()) for y in outputs]
    for s, gradient in enumerate(_pull(outputs, sources, cotangents)):
        together = sum((c @ analytic[o][s] for o, c in enumerate(cotangents)), np.zeros(sources[s].numel()))
        if (found := difference(gradient, together, 1e-6, 1e-8)) is not None:
            raise GradcheckError(f"the backward pass is not linear in its cotangents (input {checked[s]}): {found}")


def _numeric_jacobian(func, inputs, index, outputs, eps):
    """d output / d input, (elements of the output, elements of the input), for each output."""
    x = inputs[index].numpy(force=True)
    jacobians = [np.zeros((y.numel(), x.size)) for y in outputs]
    for column in range(x.size):
        values = []
        for step in (eps, -eps):
            moved = x.copy()
            moved[np.unravel_index(column, x.shape)] += step
            values.append(_values(func, _moved(inputs, index, moved)))
        for jacobian, above, below in zip(jacobians, *values):
            jacobian[:, column] = (above - below) / (2 * eps)
    return jacobians


def _check_direction(func, inputs, checked, outputs, rng, eps, atol, rtol):
    """The derivative along one random direction, seen through one random cotangent."""
    sources = [inputs[i] for i in checked]
    cotangents = [rng.standard_normal(y.numel()) for y in outputs]
    pulled = _pull(outputs, sources, cotangents)
    for s, i in enumerate(checked):
        x = sources[s].numpy(force=True)
        direction = rng.standard_normal(x.shape)
        above, below = (_values(func, _moved(inputs, i, x + step * direction)) for step in (eps, -eps))
        terms = [c * (a - b) / (2 * eps) for c, a, b in zip(cotangents, above, below)]
        numeric, analytic = np.array(sum(t.sum() for t in terms)), np.array(pulled[s] @ direction.reshape(-1))
        scale = np.sqrt(sum(float(v @ v) for v in chain(terms, [pulled[s]])))  # what rounding is relative to
        if (found := difference(analytic, numeric, rtol, atol * max(1.0, scale))) is not None:
            raise GradcheckError(f"derivative along a random direction of input {i}, analytic against numeric: {found}")
