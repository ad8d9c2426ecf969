"""Everything an operation owes its users, checked in one call."""

import numpy as np

import minigrad as mg
from minigrad.autograd.gradcheck import as_tuple, gradcheck, gradgradcheck

from .comparison import as_array, assert_close
from .complex_step import complex_step
from .layouts import LAYOUTS, lay_out

ADJOINT_TOLERANCE = 1.5e-6  # ten times the rounding error of a correct operation in float32


def adjoint_check(fn, x):
    """Check `<A x, u> = <x, Aᵀ u>` for a linear operation `fn` of one tensor, without finite differences.

    `x` is a floating-point tensor (float32 as a rule), u a random cotangent, Aᵀ u the gradient. The two inner products
    must agree within 1.5e-6 of the sum of their terms' sizes. Raises ValueError where `fn(0)` is not 0: not linear.

    >>> import minigrad
    >>> adjoint_check(lambda x: x.flip(0) + x, minigrad.rand(5))
    """
    x = x.detach().clone().requires_grad_()
    y = fn(x)
    if bool((fn(mg.zeros_like(x)) != 0).any()):
        raise ValueError("adjoint_check needs a linear operation, but this one does not map 0 to 0")
    u = mg.from_numpy(np.random.default_rng(2).standard_normal(y.shape).astype(y.dtype)).to(y.device)
    (g,) = mg.autograd.grad(y, x, u)
    pairs = [(as_array(a).astype(np.float64) * as_array(b)) for a, b in ((y, u), (x, g))]
    scale = max(np.abs(terms).sum() for terms in pairs)
    forward, backward = (terms.sum() for terms in pairs)
    if abs(forward - backward) > ADJOINT_TOLERANCE * scale:
        raise AssertionError(
            f"the gradient is not the adjoint of the operation: <A x, u> = {forward}, <x, Aᵀ u> = {backward}, relative "
            f"difference {abs(forward - backward) / scale:.3g}, allowed {ADJOINT_TOLERANCE:.3g}"
        )


def check_op(fn, *inputs, reference=None, order=2, linear=False, analytic=False, rtol=None, atol=None):
    """Check a differentiable operation: value, derivatives, manners and indifference to memory layout.

    `fn` maps the tensors `inputs` to a tensor or a tuple of tensors, is deterministic, and is differentiable at
    `inputs` with respect to each floating-point one. Bind other arguments in a lambda. What is checked:

    * the value against `reference`, a function of NumPy arrays, in float64 and float32 (within `rtol` and `atol`, by
      default those of `assert_close`);
    * derivatives up to `order` (0, 1 or 2) against finite differences, and for a `linear` operation the adjoint; where
      `reference` is `analytic`, the first one against its complex-step derivative too, to ten digits;
    * manners: inputs and cotangents are not written, dtypes and shapes are kept, results carry a `grad_fn`, gradients
      share memory with nothing, a zero cotangent gives a zero gradient, a second backward pass the same bits;
    * layouts: permuted, strided, negative, Fortran, read-only and broadcast memory of inputs and cotangents changes
      nothing.

    Raises AssertionError or GradcheckError, which name the property, the worst element and both values.

    >>> import minigrad
    >>> check_op(minigrad.exp, minigrad.rand(2, 3), reference=np.exp, analytic=True)
    """
    inputs = tuple([x.detach() for x in inputs])
    for dtype in (mg.float64, mg.float32):
        arrays = [as_array(x.to(dtype) if x.is_floating_point() else x) for x in inputs]
        if reference is not None:
            _check_value(fn, arrays, reference, rtol, atol)
        if order:
            _check_manners(fn, arrays)
    wide = [x.double().requires_grad_() if x.is_floating_point() else x for x in inputs]
    if order >= 1:
        gradcheck(fn, wide)
    if order >= 2:
        gradgradcheck(fn, wide)
    if linear:
        _check_adjoints(fn, inputs)
    if analytic:
        _check_complex_step(fn, [as_array(x) for x in wide], reference)
    for layout in LAYOUTS:
        _check_layout(fn, [as_array(x) for x in wide], layout, order)


def _tensors(arrays):
    """Tensors on the arrays' own memory; the floating-point ones require grad."""
    tensors = [mg.from_numpy(a) for a in arrays]
    return [t.requires_grad_() if t.is_floating_point() else t for t in tensors]


def _check_value(fn, arrays, reference, rtol, atol):
    results = as_tuple(fn(*[mg.from_numpy(a) for a in arrays]))
    expected = reference(*arrays)
    for result, wanted in zip(results, expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert_close(
            result, np.asarray(wanted), rtol=rtol, atol=atol, equal_nan=True, msg=f"value in {arrays[0].dtype}"
        )


def _check_adjoints(fn, inputs):
    """Linear in each floating-point input while the others are held."""
    inputs = [x.float() if x.is_floating_point() else x for x in inputs]
    for i, x in enumerate(inputs):
        if x.is_floating_point():
            adjoint_check(lambda v, i=i: fn(*inputs[:i], v, *inputs[i + 1 :]), x)


def _check_complex_step(fn, arrays, reference):
    """Along a random direction of each input, seen through random cotangents, gradients are the reference's."""
    rng = np.random.default_rng(4)
    _, _, cotangents, grads = _run(fn, arrays)
    places = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    for i, grad in zip(places, grads):
        direction = rng.standard_normal(arrays[i].shape)
        expected = 0.0
        for output, cotangent in enumerate(cotangents):

            def one(x, output=output):
                result = reference(*arrays[:i], x, *arrays[i + 1 :])  # noqa: B023
                return result[output] if isinstance(result, tuple) else result

            expected += (cotangent * complex_step(one, arrays[i], direction)).sum()
        actual = np.asarray((as_array(grad) * direction).sum())
        message = f"gradient of input {i} against the complex step of the reference"
        assert_close(actual, np.asarray(expected), rtol=1e-10, atol=1e-10, msg=message)


def _run(fn, arrays, cotangents=None):
    """(sources, differentiable results, cotangents as arrays, gradients) of one forward and one backward pass."""
    tensors = _tensors(arrays)
    outputs = [y for y in as_tuple(fn(*tensors)) if y.is_floating_point()]
    if cotangents is None:
        rng = np.random.default_rng(3)
        cotangents = [rng.standard_normal(y.shape).astype(y.dtype) for y in outputs]
    sources = [t for t in tensors if t.is_floating_point()]
    seeds = [mg.from_numpy(c) for c in cotangents]
    grads = mg.autograd.grad(outputs, sources, seeds, retain_graph=True, materialize_grads=True)
    return sources, outputs, cotangents, grads


def _check_manners(fn, arrays):
    arrays = [a.copy() for a in arrays]
    before = [a.copy() for a in arrays]
    floating = next(a.dtype for a in arrays if a.dtype.kind == "f")
    for i, y in enumerate(as_tuple(fn(*_tensors(arrays)))):
        if y.is_floating_point():
            assert y.grad_fn is not None, f"output {i} has no grad_fn although an input requires grad: the graph is cut"
            assert y.dtype == floating, f"output {i} is {y.dtype}, the inputs are {floating}"
    sources, outputs, cotangents, grads = _run(fn, arrays)
    seeds_before = [c.copy() for c in cotangents]
    for source, grad in zip(sources, grads):
        assert grad.shape == source.shape and grad.dtype == source.dtype, (
            f"the gradient of a {source.dtype} input of shape {tuple(source.shape)} is {grad.dtype} of shape "
            f"{tuple(grad.shape)}"
        )
    again = mg.autograd.grad(
        outputs, sources, [mg.from_numpy(c) for c in cotangents], retain_graph=True, materialize_grads=True
    )
    for first, second in zip(grads, again):
        same = as_array(first).tobytes() == as_array(second).tobytes()
        assert same, "a second backward pass over the same graph gives other bits"
    _check_aliases([*grads, *again], [*arrays, *cotangents, *[as_array(y) for y in outputs]])
    if all(np.isfinite(as_array(g)).all() for g in grads):
        zeros = [mg.zeros_like(y) for y in outputs]
        for grad in mg.autograd.grad(outputs, sources, zeros, materialize_grads=True):
            assert_close(grad, mg.zeros_like(grad), rtol=0, atol=0, msg="the gradient of a zero cotangent")
    for what, arrays_before, arrays_after in (("input", before, arrays), ("cotangent", seeds_before, cotangents)):
        for i, (old, new) in enumerate(zip(arrays_before, arrays_after)):
            assert old.tobytes() == new.tobytes(), f"{what} {i} was written to"


def _check_aliases(grads, others):
    arrays = [as_array(g) for g in grads]
    for i, grad in enumerate(arrays):
        for other in (*arrays[i + 1 :], *others):
            assert not np.shares_memory(grad, other), f"gradient {i} shares memory with another array"


def _check_layout(fn, arrays, layout, order):
    """Inputs and cotangents in odd memory give what they give in ordinary memory."""
    odd = [lay_out(a, layout) for a in arrays]
    plain = [a.copy() for a in odd]
    if not order:
        pairs = zip(as_tuple(fn(*map(mg.from_numpy, odd))), as_tuple(fn(*map(mg.from_numpy, plain))))
        for actual, expected in pairs:
            assert_close(actual, expected, equal_nan=True, msg=f"value with {layout} inputs")
        return
    _, expected, cotangents, _ = _run(fn, plain)
    cotangents = [lay_out(c, layout) for c in cotangents]
    _, _, _, expected_grads = _run(fn, plain, [c.copy() for c in cotangents])
    _, actual, _, grads = _run(fn, odd, cotangents)
    for a, b in zip(actual, expected):
        assert_close(a, b, equal_nan=True, msg=f"value with {layout} inputs")
    for a, b in zip(grads, expected_grads):
        assert_close(a, b, equal_nan=True, msg=f"gradient with {layout} inputs and cotangents")
