"""Writing into tensors under autograd: what may be written, and what the gradients become."""

import numpy as np
import pytest
from torch_oracle import named, same_error, same_program

import minigrad as mg


def leaf(m, *shape):
    return m.arange(1, 1 + int(np.prod(shape)), dtype=m.float64).reshape(shape).clone().requires_grad_()


def base_and_source(m):
    """A leaf and a computed tensor that may be written into."""
    x = leaf(m, 3, 4)
    return x, x * 1.0


def gradient(y, *leaves):
    """The tensor and the gradients of the sum of its squares."""
    (y * y).sum().backward()
    return y, *[x.grad for x in leaves]


def augmented_assignments(m):
    x, y = base_and_source(m)
    y += 2
    y *= y.detach().clone()
    y -= x
    y /= 3
    return gradient(y, x)


def methods(m):
    x, y = base_and_source(m)
    y.add_(x).mul_(2.0).neg_().clamp_(-40, -5)
    return gradient(y, x)


def relu_then_use(m):
    x, y = base_and_source(m)
    y.sub_(5.0).relu_()
    return gradient(y, x)


def exp_saves_its_result(m):
    x = leaf(m, 3)
    y = x.mul(0.1).exp_()
    return gradient(y, x)


def fill_and_zero(m):
    x, y = base_and_source(m)
    y[0].fill_(3.0)
    y[1].zero_()
    return gradient(y, x)


def copy_from_another(m):
    x, y = base_and_source(m)
    v = leaf(m, 4)
    y.copy_(v)
    return gradient(y, x, v)


def write_a_number(m):
    x, y = base_and_source(m)
    y[1] = 7.0
    y[:, 2] = -1
    y[..., -1] = 0
    return gradient(y, x)


def write_a_tensor(m):
    x, y = base_and_source(m)
    v = leaf(m, 4)
    y[1] = v * v
    y[0, 1:3] = v[:2]
    return gradient(y, x, v)


def write_with_a_mask(m):
    x, y = base_and_source(m)
    y[y > 6] = 0.5
    return gradient(y, x)


def write_at_an_index_tensor(m):
    x, y = base_and_source(m)
    v = leaf(m, 2, 4)
    y[m.tensor([2, 0])] = v
    return gradient(y, x, v)


def write_at_a_number_and_an_index_tensor(m):
    x = leaf(m, 2, 3, 4)
    y, v = x * 1.0, leaf(m, 3, 2)
    y[1, :, m.tensor([3, 0])] = v
    y[0, m.tensor([True, False, True]), 1:] = 0.5
    return gradient(y, x, v)


def write_values_with_dimensions_of_size_one(m):
    x, y = base_and_source(m)
    v = leaf(m, 1, 1, 4)
    y[1] = v
    y[0, 1:3] = v[..., :1]
    y[y > 9] = m.tensor(2.5, dtype=m.float32)
    return gradient(y, x, v)


def write_a_broadcast_value(m):
    x, y = base_and_source(m)
    v = leaf(m, 3, 1)
    y[:, 1:] = v
    return gradient(y, x, v)


def augmented_assignment_to_a_slice(m):
    x, y = base_and_source(m)
    y[1] *= 3
    y[:, 0] += y[:, 1].clone()
    return gradient(y, x)


def a_write_over_everything_is_the_tensors_own(m):
    x, v = leaf(m, 3, 4), leaf(m, 3, 4)
    y = x + 1
    for index in (slice(None), ..., (slice(0, 3), slice(0, 99))):
        y[index] = v
        y.sum().backward()
        y.sum().backward()  # the write has nothing to free
    return x.grad, v.grad, y


def write_through_a_view(m):
    x, y = base_and_source(m)
    view = y.t()
    view.mul_(2)
    view[0].add_(1)
    return gradient(y, x)


def write_through_a_view_of_a_view(m):
    x, y = base_and_source(m)
    inner = y[1:].reshape(2, 2, 2)[:, 0].t()
    inner.mul_(10)
    return *gradient(y, x), inner


def an_older_view_sees_the_new_graph(m):
    x, y = base_and_source(m)
    row = y[1]
    y.mul_(3)
    (row * row).sum().backward()
    return x.grad, row


def an_older_view_looked_at_under_no_grad(m):
    x, y = base_and_source(m)
    row = y[1]
    y.mul_(3)
    with m.no_grad():
        needs = row.requires_grad
    (row * row).sum().backward()
    return x.grad, row, needs


def a_sibling_view_sees_the_write(m):
    x, y = base_and_source(m)
    row, column = y[1], y[:, 1]
    row.mul_(5)
    (column * column).sum().backward()
    return x.grad, column


def a_write_to_a_base_without_grad_through_a_view(m):
    v = leaf(m, 4)
    y = m.zeros(3, 4, dtype=m.float64)
    row = y[2]
    row.copy_(v * 2)
    return *gradient(y, v), row


def filling_a_buffer_step_by_step(m):
    v = leaf(m, 5)
    y = m.zeros(5, dtype=m.float64)
    for i in range(5):
        y[i] = v[i] * (y[i - 1].clone() if i else 1.0)
    return gradient(y, v)


def a_leaf_under_no_grad(m):
    x = leaf(m, 3)
    with m.no_grad():
        x -= 1
        x[0] = 5.0
    (x * x).sum().backward()
    return x.grad, x, x.is_leaf


def data_escapes_the_version_counter(m):
    x = leaf(m, 3)
    y = x * x
    x.data.mul_(0)
    y.sum().backward()
    return x.grad, x


def replaced_data_keep_the_count_of_writes(m):
    x, other = leaf(m, 3), m.zeros(3)
    with m.no_grad():
        x.add_(1)
        x.data = other
        other.add_(1)
        x.mul_(2)
    return x._version, other._version, x.tolist()


def detached_memory_is_shared(m):
    x, y = base_and_source(m)
    y.detach().mul_(0)
    return gradient(y + x, x)


def writes_before_use_are_fine(m):
    x, y = base_and_source(m)
    y.add_(1)
    z = y * y
    return gradient(z, x)


def a_write_that_no_backward_needs(m):
    x = leaf(m, 3)
    y = x * 2
    z = y + 1
    y.zero_()
    return gradient(z, x)


def dtype_of_the_target_stays(m):
    y = m.zeros(3, dtype=m.float32)
    y += m.ones(3, dtype=m.float64)
    y[0] = m.tensor(2.5, dtype=m.float64)
    return y


def integers(m):
    y = m.arange(4)
    y += 2
    y[1:] *= 3
    y //= 2
    return y


def expanded_source(m):
    x, y = base_and_source(m)
    y.add_(x[0].expand(3, 4))
    return gradient(y, x)


def hooks_follow_the_new_value(m):
    x, y = base_and_source(m)
    seen = []
    y.mul_(2)
    y.register_hook(lambda g: seen.append(g.clone()))
    y.sum().backward()
    return x.grad, *seen


def retained_gradients_follow_the_new_value(m):
    x = leaf(m, 2, 3)
    y = x * 2
    view = y[0]
    y.retain_grad()
    y.mul_(3)
    view.mul_(2)
    (y * y).sum().backward()
    return x.grad, y.grad, y.retains_grad, view.retains_grad


def second_derivative_through_a_write(m):
    x, y = base_and_source(m)
    y[0] = y[1].clone() * y[2].clone()
    (g,) = m.autograd.grad((y**3).sum(), x, create_graph=True)
    (h,) = m.autograd.grad((g * g).sum(), x)
    return g, h


PROGRAMS = (
    augmented_assignments,
    methods,
    relu_then_use,
    exp_saves_its_result,
    fill_and_zero,
    copy_from_another,
    write_a_number,
    write_a_tensor,
    write_with_a_mask,
    write_at_an_index_tensor,
    write_at_a_number_and_an_index_tensor,
    write_values_with_dimensions_of_size_one,
    write_a_broadcast_value,
    augmented_assignment_to_a_slice,
    a_write_over_everything_is_the_tensors_own,
    write_through_a_view,
    write_through_a_view_of_a_view,
    an_older_view_sees_the_new_graph,
    an_older_view_looked_at_under_no_grad,
    a_sibling_view_sees_the_write,
    a_write_to_a_base_without_grad_through_a_view,
    filling_a_buffer_step_by_step,
    a_leaf_under_no_grad,
    data_escapes_the_version_counter,
    replaced_data_keep_the_count_of_writes,
    detached_memory_is_shared,
    writes_before_use_are_fine,
    a_write_that_no_backward_needs,
    dtype_of_the_target_stays,
    integers,
    expanded_source,
    hooks_follow_the_new_value,
    retained_gradients_follow_the_new_value,
    second_derivative_through_a_write,
)


@named(*PROGRAMS)
def test_same_as_torch(function):
    same_program(function)


def write_to_a_leaf(m):
    leaf(m, 3).add_(1)


def augmented_assignment_to_a_leaf(m):
    x = leaf(m, 3)
    x *= 2


def item_of_a_leaf(m):
    leaf(m, 3)[0] = 1.0


def everything_of_a_leaf(m):
    leaf(m, 3)[:] = 1.0


def write_to_a_view_of_a_leaf(m):
    leaf(m, 3).view(3, 1).mul_(2)


def result_does_not_fit(m):
    m.ones(3).add_(m.ones(2, 3))


def float_into_int(m):
    m.ones(3, dtype=m.int64).add_(0.5)


def int_into_bool(m):
    m.ones(3, dtype=m.bool).add_(1)


def expanded_target(m):
    m.ones(1, 3).expand(2, 3).add_(1)


def detach_in_place_of_a_view(m):
    base_and_source(m)[1].t().detach_()


def value_of_the_wrong_size(m):
    m.zeros(3, 4)[0] = m.ones(3)


@named(
    write_to_a_leaf,
    augmented_assignment_to_a_leaf,
    item_of_a_leaf,
    everything_of_a_leaf,
    write_to_a_view_of_a_leaf,
    result_does_not_fit,
    float_into_int,
    int_into_bool,
    expanded_target,
    value_of_the_wrong_size,
)
def test_same_error_as_torch(function):
    same_error(function)


def test_a_view_is_not_detached_in_place():
    same_error(detach_in_place_of_a_view, "Can't detach views in-place. Use detach() instead.")


def test_a_leaf_that_is_a_view_counts_as_a_leaf():
    x = mg.arange(4.0).reshape(2, 2).requires_grad_()
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1.0
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.add_(1)
    (x[0] * x[0]).sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0], [0.0, 0.0]]


def test_a_retained_gradient_has_the_shape_of_a_tensor_that_became_its_own_view():
    x = leaf(mg, 2, 3)
    y = x * 2
    y.retain_grad()
    y.t_()
    (y * mg.arange(6.0).reshape(3, 2)).sum().backward()
    assert y.retains_grad and y.grad.tolist() == [[0, 1], [2, 3], [4, 5]]  # PyTorch leaves the old shape
