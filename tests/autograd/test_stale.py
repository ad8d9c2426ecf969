"""Tensors that were saved for backward and written since: the version counter notices."""

import numpy as np
import pytest
from torch_oracle import named, same_error

import minigrad as mg


def leaf(m, *shape):
    return m.arange(1, 1 + int(np.prod(shape)), dtype=m.float64).reshape(shape).clone().requires_grad_()


def base_and_source(m):
    """A leaf and a computed tensor that may be written into."""
    x = leaf(m, 3, 4)
    return x, x * 1.0


STALE = "one of the variables needed for gradient computation has been modified by an inplace operation"


def argument_of_mul(m):
    _, y = base_and_source(m)
    z = y * y
    y.add_(1)
    z.sum().backward()


def result_of_exp(m):
    x = leaf(m, 3)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


def result_of_an_operation_in_place(m):
    _, y = base_and_source(m)
    y.mul_(0.1).exp_()
    y.add_(1)
    y.sum().backward()


def through_a_view(m):
    _, y = base_and_source(m)
    z = y.sin()
    y[0].zero_()
    z.sum().backward()


def through_the_base(m):
    _, y = base_and_source(m)
    z = y[0].sin()
    y.zero_()
    z.sum().backward()


def through_a_detached_tensor(m):
    _, y = base_and_source(m)
    z = y * y
    y.detach().zero_()
    z.sum().backward()


def a_leaf_between_forward_and_backward(m):
    x = leaf(m, 3)
    z = x * x
    with m.no_grad():
        x.add_(1)
    z.sum().backward()


def a_gradient_that_grows(m):
    x = leaf(m, 3)
    (x * 2).sum().backward()
    z = x * x.grad
    (x * 3).sum().backward()
    z.sum().backward()


def a_constant_operand(m):
    x, c = leaf(m, 3), m.ones(3, dtype=m.float64)
    z = x * c
    c.mul_(2)
    z.sum().backward()


def weight_of_a_linear_layer(m):
    x, w = leaf(m, 2, 3), leaf(m, 4, 3)
    z = m.nn.functional.linear(x, w)
    with m.no_grad():
        w.zero_()
    z.sum().backward()


@named(
    argument_of_mul,
    result_of_exp,
    result_of_an_operation_in_place,
    through_a_view,
    through_the_base,
    through_a_detached_tensor,
    a_leaf_between_forward_and_backward,
    a_gradient_that_grows,
    a_constant_operand,
    weight_of_a_linear_layer,
)
def test_a_stale_saved_tensor_is_an_error(function):
    same_error(function, STALE)


def exp_is_written(m):
    y = leaf(m, 3).exp()
    y.add_(1)
    y.sum().backward()


def test_the_stale_error_names_operation_and_versions():
    same_error(exp_is_written)
    with pytest.raises(RuntimeError) as raised:
        exp_is_written(mg)
    _, hint = str(raised.value).split("\n")
    assert "hint: Exp saved this tensor for its backward (dx = dy · y)" in hint


def test_an_optimizer_step_between_forward_and_backward_is_noticed():
    p = mg.nn.Parameter(mg.ones(2))
    loss = (p * p).sum()
    p.grad = mg.ones(2)
    mg.optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match=STALE):
        loss.backward()
