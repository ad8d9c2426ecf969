"""Jacobians, Hessians and their products, checkpointing, saving hooks, inference and anomaly mode, beside PyTorch."""

import gc
import warnings

import numpy as np
import pytest
from torch_oracle import error_of, named, same_error, same_program, torch

import minigrad as mg


def pair(m):
    return m.tensor([1.0, 2.0, 3.0], dtype=m.float64), m.tensor([[0.5], [1.5]], dtype=m.float64)


def several(x, y):
    return (x * x).sum() * y, x.sin()


def one(x, y):
    return (x**3).sum() * (y * y).sum()


def jacobian_of_one_tensor(m):
    return m.autograd.functional.jacobian(lambda x: x**2 * x.sum(), pair(m)[0])


def jacobian_of_tuples(m):
    rows = m.autograd.functional.jacobian(several, pair(m))
    return [part for row in rows for part in row]


def jacobian_of_a_constant(m):
    return m.autograd.functional.jacobian(lambda x: m.ones(2, dtype=m.float64), pair(m)[0])


def jacobian_again(m):
    x = pair(m)[0].requires_grad_()
    j = m.autograd.functional.jacobian(lambda x: x**3, x, create_graph=True)
    return m.autograd.grad(j.sum(), x)


def hessian_of_one_tensor(m):
    return m.autograd.functional.hessian(lambda x: (x**3).sum() * x[0], pair(m)[0])


def hessian_of_tuples(m):
    rows = m.autograd.functional.hessian(one, pair(m))
    return [part for row in rows for part in row]


def products(m):
    x, y = pair(m)
    f, v, u = (
        m.autograd.functional,
        m.tensor([1.0, -1.0, 0.5], dtype=m.float64),
        m.tensor([[2.0], [1.0]], dtype=m.float64),
    )
    results = [f.vjp(lambda x: x.exp(), x, v), f.jvp(lambda x: x.exp(), x, v), f.hvp(lambda x: (x**3).sum(), x, v)]
    results.append(f.vhp(lambda x: (x**3).sum(), x, v))
    nested = [f.jvp(several, (x, y), (v, u)), f.vjp(several, (x, y), (u, v)), f.hvp(one, (x, y), (v, u))]
    flat = [t for value, product in results for t in (value, product)]
    for value, product in nested:
        flat += [*(value if isinstance(value, tuple) else (value,)), *product]
    return flat


def product_without_a_vector(m):
    return m.autograd.functional.vjp(lambda x: x.sum(), pair(m)[0])


def inference(m):
    x = m.ones(2, requires_grad=True)
    with m.inference_mode():
        y = x * 2
        y.add_(1)
        inside = m.is_inference_mode_enabled(), m.is_grad_enabled()
    with m.inference_mode(False):
        z = x * 3
    decorated = m.inference_mode()(lambda: x * 2)()
    return [y, z, y.clone(), y.is_inference(), z.is_inference(), decorated.is_inference(), inside, y.clone() * x]


def gradients_through_checkpoints(m):
    checkpoint = m.utils.checkpoint.checkpoint
    x, w = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([0.5, -1.0], requires_grad=True)
    y = checkpoint(lambda x, k: ((x * w).exp() * k).sin(), x, 2.0, use_reentrant=False)
    y = checkpoint(lambda y: checkpoint(lambda z: z.exp(), y, use_reentrant=False) * y, y, use_reentrant=False)
    first = m.autograd.grad(y.sum(), (x, w), create_graph=True)
    second = m.autograd.grad(sum(g.sum() for g in first), (x, w))
    return [*first, *second]


def hooks_on_what_is_saved(m):
    seen = []

    def pack(t):
        seen.append(tuple(t.shape))
        return t * 2

    x = m.tensor([1.0, 2.0], requires_grad=True)
    with m.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = x.exp()
    y.sum().backward()
    return [x.grad, seen]


def a_checkpoint_stops_when_all_is_there_again(m):
    calls = []

    def function(x):
        calls.append("begun")
        y = x.exp()
        calls.append("ended")
        return y

    x = pair(m)[0].requires_grad_()
    m.utils.checkpoint.checkpoint(function, x, use_reentrant=False).sum().backward()
    return x.grad, calls


@named(
    jacobian_of_one_tensor,
    jacobian_of_tuples,
    jacobian_of_a_constant,
    jacobian_again,
    hessian_of_one_tensor,
    hessian_of_tuples,
    products,
    product_without_a_vector,
    inference,
    gradients_through_checkpoints,
    hooks_on_what_is_saved,
    a_checkpoint_stops_when_all_is_there_again,
)
def test_same_as_torch(function):
    same_program(function)


def nan_in_backward(m):
    x = m.tensor([0.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with m.autograd.detect_anomaly():
            (x.sqrt() * 0).sum().backward()


def write_to_an_inference_tensor(m):
    with m.inference_mode():
        x = m.ones(2) * 1
    x.add_(1)


def inference_tensor_that_requires_grad(m):
    with m.inference_mode():
        x = m.ones(2) * 1
    x.requires_grad_()


def inference_tensor_saved(m):
    with m.inference_mode():
        x = m.ones(2) * 1
    m.ones(2, requires_grad=True) * x


def vector_of_another_shape(m):
    m.autograd.functional.vjp(lambda x: x, m.ones(3), m.ones(2))


def no_vector(m):
    m.autograd.functional.vjp(lambda x: x, m.ones(3))


def no_tensor(m):
    m.autograd.functional.jacobian(lambda x: 1.0, m.ones(3))


def a_hessian_of_many_numbers(m):
    m.autograd.functional.hessian(lambda x: x, m.ones(3))


def hook_that_gives_no_tensor_back(m):
    with m.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda packed: packed):
        y = pair(m)[0].requires_grad_().exp()
    y.sum().backward()


def strict_about_a_constant_output(m):
    m.autograd.functional.jacobian(lambda x: (x * 1, x.detach()), m.ones(3), strict=True)


def strict_about_an_unused_input(m):
    m.autograd.functional.vjp(lambda x, y: x.sum(), (m.ones(3), m.ones(2)), strict=True)


@named(
    nan_in_backward,
    write_to_an_inference_tensor,
    inference_tensor_that_requires_grad,
    vector_of_another_shape,
    no_vector,
    a_hessian_of_many_numbers,
    strict_about_a_constant_output,
)
def test_same_error_as_torch(function):
    same_error(function)


@named(inference_tensor_saved, no_tensor, hook_that_gives_no_tensor_back, strict_about_an_unused_input)
def test_error_of_the_same_type_as_torch(function):
    assert type(error_of(function, mg)) is type(error_of(function, torch))


def test_anomaly_mode_names_the_operation_and_the_line():
    x = mg.tensor([0.0, 1.0], requires_grad=True)
    with mg.autograd.set_detect_anomaly(True):
        y = x.sqrt()  # here
        with pytest.raises(RuntimeError) as raised:
            (y * mg.tensor([0.0, 1.0])).sum().backward()
    first, hint = str(raised.value).split("\n")
    assert first == "Function 'SqrtBackward0' returned nan values in its 0th output."
    assert __file__ in hint and "y = x.sqrt()  # here" in hint
    assert not mg.is_anomaly_enabled()


def test_anomaly_mode_can_let_nan_through():
    x = mg.tensor([0.0], requires_grad=True)
    with mg.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0).sum().backward()
    assert np.isnan(x.grad.numpy()).all()


def test_anomaly_modes_nest():
    x = mg.tensor([0.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mg.autograd.detect_anomaly():
            with mg.autograd.detect_anomaly(check_nan=False):
                (x.sqrt() * 0).sum().backward()
            with pytest.raises(RuntimeError, match="returned nan values"):
                (x.sqrt() * 0).sum().backward()
    assert not mg.is_anomaly_enabled()


@pytest.mark.parametrize("write", [lambda t: t.numpy().__setitem__(0, 9), lambda t: t.data.add_(1)])
def test_anomaly_mode_finds_writes_behind_the_engines_back(write):
    x, w = mg.ones(3, requires_grad=True), mg.ones(3)
    with mg.autograd.set_detect_anomaly(True):
        y = x * w  # the product
        write(w)
        with pytest.raises(RuntimeError, match="behind the version counter") as raised:
            y.sum().backward()
    assert "the product" in str(raised.value)


def test_an_error_inside_backward_names_the_line_in_anomaly_mode():
    class Broken(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            raise ValueError("no")

    with mg.autograd.set_detect_anomaly(True):
        y = Broken.apply(mg.ones(2, requires_grad=True))  # the user's line
        with pytest.raises(ValueError) as raised:
            y.sum().backward()
    assert "the user's line" in "".join(raised.value.__notes__)


def test_a_checkpoint_holds_nothing_until_backward():
    x = mg.ones(1000, requires_grad=True)
    y = mg.utils.checkpoint.checkpoint(lambda x: x.exp().sin().exp(), x)
    kept, seen, stack = 0, set(), [y.grad_fn]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            kept += sum(isinstance(item[0], np.ndarray) for item in getattr(node, "_saved", ()) if type(item) is tuple)
            stack += [edge[0] for edge in node.edges if edge is not None]
    assert kept == 0
    y.sum().backward()
    again = x.grad.clone()
    x.grad = None
    x.exp().sin().exp().sum().backward()
    assert again.equal(x.grad)


def test_what_is_drawn_after_a_checkpoint_does_not_depend_on_its_second_run():
    drawn = []
    for plain in (True, False):
        mg.manual_seed(0)
        x, dropout = mg.ones(4, requires_grad=True), mg.nn.functional.dropout
        y = dropout(x) * x if plain else mg.utils.checkpoint.checkpoint(lambda x: dropout(x) * x, x)  # noqa: B023
        between = mg.rand(2)
        y.sum().backward()
        drawn.append((between.tolist(), mg.rand(2).tolist()))
    assert drawn[0] == drawn[1]


def test_a_checkpoint_draws_the_same_random_numbers_again():
    mg.manual_seed(3)
    x = mg.ones(100, requires_grad=True)
    y = mg.utils.checkpoint.checkpoint(lambda x: mg.nn.functional.dropout(x, 0.5) * x, x)
    after = mg.rand(3)
    y.sum().backward()
    assert x.grad.equal(y.detach() * 2)
    mg.manual_seed(3)
    mg.nn.functional.dropout(x, 0.5)
    assert after.equal(mg.rand(3))


def test_a_checkpoint_that_does_something_else_the_second_time_is_an_error():
    sizes = iter([2, 3])
    x = mg.ones(3, requires_grad=True)
    y = mg.utils.checkpoint.checkpoint(lambda x: x[: next(sizes)].exp(), x)
    with pytest.raises(RuntimeError, match="Recomputed values"):
        y.sum().backward()


def test_a_sequence_in_segments_gives_the_same_gradients():
    mg.manual_seed(0)
    net = mg.nn.Sequential(*[mg.nn.Linear(4, 4) for _ in range(5)])
    x = mg.rand(3, 4)
    net(x).sum().backward()
    expected = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    mg.utils.checkpoint.checkpoint_sequential(net, 2, x).sum().backward()
    assert all(p.grad.equal(e) for p, e in zip(net.parameters(), expected))


def test_a_leaf_that_nobody_holds_is_freed_at_once():
    gc.disable()
    try:
        x = mg.ones(3, requires_grad=True)
        import weakref

        seen = weakref.ref(x)
        y = (x * 2).sum()
        y.backward()
        del x
        assert seen() is None
    finally:
        gc.enable()
