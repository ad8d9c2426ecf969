"""Hooks on tensors: when they run, what they see, what they may replace."""

import pytest
from torch_oracle import named, same_error, same_program

import minigrad as mg


def leaf(m):
    return m.tensor([1.0, -2.0, 3.0], dtype=m.float64, requires_grad=True)


def on_a_leaf(m):
    x, seen = leaf(m), []
    x.register_hook(seen.append)
    (x * x).sum().backward()
    return x.grad, *seen


def replacing_the_gradient_of_a_leaf(m):
    x = leaf(m)
    x.register_hook(lambda g: g * 10)
    (x * x).sum().backward()
    return x.grad


def on_an_interior_tensor_it_sees_the_whole_gradient(m):
    x, seen = leaf(m), []
    y = x.exp()
    y.register_hook(lambda g: seen.append(g.clone()))
    (y * y + y.sin()).sum().backward()
    return x.grad, *seen


def replacing_an_interior_gradient(m):
    x = leaf(m)
    y = x * x
    y.register_hook(lambda g: -g)
    (y * 3).sum().backward()
    return x.grad


def several_run_in_order(m):
    x = leaf(m)
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 2)
    x.sum().backward()
    return x.grad


def a_removed_hook_is_silent(m):
    x = leaf(m)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    handle.remove()
    x.sum().backward()
    return x.grad


def removal_by_with(m):
    x = leaf(m)
    with x.register_hook(lambda g: g * 10):
        x.sum().backward()
    x.sum().backward()
    return x.grad


def retained_gradient_comes_after_the_hooks(m):
    x = leaf(m)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    return x.grad, y.grad


def on_one_of_several_results(m):
    x = leaf(m)
    values, _ = x.reshape(1, 3).max(dim=1)
    values.register_hook(lambda g: g * 4)
    values.sum().backward()
    return x.grad


def once_a_pass(m):
    x, calls = leaf(m), []
    y = x * 2
    y.register_hook(lambda g: calls.append(1))
    z = (y + y).sum()
    z.backward(retain_graph=True)
    z.backward()
    return len(calls), x.grad


def with_grad_it_runs_for_the_asked_tensor(m):
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g * 5)
    z = (y * y).sum()
    return *m.autograd.grad(z, y, retain_graph=True), *m.autograd.grad(z, x)


def of_a_leaf_as_soon_as_its_gradient_is_known(m):
    x, early, late, seen = leaf(m), leaf(m), leaf(m), []
    y = x * early
    z = y * late
    for name, t in (("x", x), ("early", early), ("late", late), ("y", y), ("z", z)):
        t.register_hook(lambda g, name=name: seen.append(name))
    (z * 1).sum().backward()
    return seen.index("late") < seen.index("y"), sorted(seen)


def after_the_data_were_replaced(m):
    grads = []
    for data in (m.zeros(3, dtype=m.float64), m.ones(2, 2, dtype=m.float64), m.ones(3)):
        x = leaf(m)
        times_ten = x.register_hook(lambda g: g * 10)
        x.register_hook(lambda g: g + 1)
        x.data = data
        (x * 2).sum().backward()
        grads.append(x.grad)
        x.grad = None
        times_ten.remove()
        (x * 2).sum().backward()
        grads.append(x.grad)
    return grads


@named(
    on_a_leaf,
    replacing_the_gradient_of_a_leaf,
    on_an_interior_tensor_it_sees_the_whole_gradient,
    replacing_an_interior_gradient,
    several_run_in_order,
    a_removed_hook_is_silent,
    removal_by_with,
    retained_gradient_comes_after_the_hooks,
    on_one_of_several_results,
    once_a_pass,
    with_grad_it_runs_for_the_asked_tensor,
    of_a_leaf_as_soon_as_its_gradient_is_known,
    after_the_data_were_replaced,
)
def test_same_as_torch(function):
    same_program(function)


def replacement_of_another_shape(m):
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g.reshape(3, 1))
    y.sum().backward()


def test_a_replacement_of_another_shape_is_refused():
    with pytest.raises(RuntimeError, match="invalid gradient"):
        replacement_of_another_shape(mg)


def test_an_error_in_a_hook_reaches_the_caller():
    def program(m):
        x = leaf(m)
        x.register_hook(lambda g: 1 / 0)
        x.sum().backward()

    same_error(program)
