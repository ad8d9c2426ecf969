"""The memory behind writes and gradients: shared, taken over, or copied because somebody could tell."""

import numpy as np
import pytest
from torch_oracle import same_error, same_program

import minigrad as mg
from minigrad.autograd import Operation
from minigrad.ops.inplace import assign


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


def test_read_only_memory_is_not_written():
    array = np.ones(3)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match="the tensor's memory is read-only"):
        mg.from_numpy(array).add_(1)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_copy_shares_no_memory_with_its_source(enabled):
    x, source = mg.zeros(3), mg.ones(3)
    with mg.set_grad_enabled(enabled):
        x.copy_(source)
    source[0] = 5.0
    assert x.tolist() == [1.0, 1.0, 1.0]
    x[1] = 7.0
    assert source.tolist() == [5.0, 1.0, 1.0]


def test_from_numpy_and_numpy_share_memory():
    array = np.zeros(3)
    x = mg.from_numpy(array)
    x[1] = 5.0
    assert array.tolist() == [0.0, 5.0, 0.0]
    x.numpy()[2] = 7.0
    assert x.tolist() == [0.0, 5.0, 7.0]


def moved(tensor, write):
    """Whether a write gave the tensor other memory."""
    before = tensor.data_ptr()
    write(tensor)
    return tensor.data_ptr() != before


def test_a_write_takes_the_results_memory_only_if_nobody_can_tell():
    x = mg.arange(6.0).reshape(2, 3).requires_grad_()
    assert moved(x * 2, lambda y: y.relu_())
    assert moved((x * 2).t().contiguous().t() * 1, lambda y: y.add_(1))

    y, other = x * 2, mg.ones(2, 3)
    assert not moved(y, lambda y: y.copy_(other))
    y.add_(1)
    assert other.tolist() == [[1, 1, 1], [1, 1, 1]]

    for look in (
        lambda y: y.detach(),
        lambda y: y.detach().numpy(),
        lambda y: y.detach().numpy()[1:],
        lambda y: y[0],
        lambda y: y.t().detach().numpy().T,
    ):
        y = x * 2
        seen = look(y)
        assert not moved(y, lambda y: y.mul_(3))
        assert seen.tolist() == look(y).tolist()


def test_what_an_inplace_operation_saves_of_the_old_value_is_not_written():
    def squared_in_place(m):
        x = leaf(m, 3, 4)
        y = x * 1.0
        y.pow_(3)
        y.mul_(y.detach().clone())
        y.div_(x * x + 1)
        return gradient(y, x)

    same_program(squared_in_place)


def test_a_tensor_written_with_itself_is_stale():
    def squared(m):
        x = leaf(m, 3)
        y = x * 1.0
        y.mul_(y)
        y.sum().backward()

    same_error(squared)


def test_a_leaf_takes_over_a_gradient_that_nobody_else_knows():
    x, w = mg.ones(5, 3), mg.ones(3, 4, requires_grad=True)
    kept = []
    w.register_hook(kept.append)
    (x @ w).sum().backward()
    w.grad.add_(1)
    assert kept[0].tolist() == [[5.0] * 4] * 3, "a hook's gradient is its own"

    a, b, seed = (mg.ones(3, requires_grad=needs) for needs in (True, True, False))
    (a + b).backward(seed)
    a.grad.add_(1)
    assert b.grad.tolist() == seed.tolist() == [1, 1, 1]


class Keeping(Operation):
    """twice x, in an array that the class keeps; a view of x is saved"""

    formula = "dx = x · dy"
    kept = None

    @staticmethod
    def forward(ctx, x):
        Keeping.kept = x * 2
        ctx.save_for_backward(x[::-1])
        return Keeping.kept

    @staticmethod
    def backward(ctx, dy):
        return ctx.saved_tensors[0].flip(0) * dy


def test_a_write_leaves_alone_what_the_operation_kept():
    x = mg.arange(3.0, requires_grad=True)
    y = x * 1
    assign(y, Keeping)
    y.detach().add_(1)
    assert Keeping.kept.tolist() == [0, 2, 4], "the result is still known, and must not become the tensor's memory"
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 2], "the saved view is of the values before the write"


class Giving(Operation):
    """x, with a gradient whose address is noted"""

    formula = "dx = dy · 1"
    address = None

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        gradient = dy * 1
        Giving.address = gradient.data_ptr()
        return gradient


def test_a_gradient_that_nobody_knows_becomes_grad_without_a_copy():
    x = mg.ones(3, requires_grad=True)
    Giving.apply(x).sum().backward()
    assert x.grad.data_ptr() == Giving.address


@pytest.mark.parametrize("order", ["C", "F"])
def test_grad_is_laid_out_like_its_leaf(order):
    x = mg.from_numpy(np.ones((3, 4), order=order)).requires_grad_()
    for use in (lambda: x * 2, lambda: x.t() @ mg.ones(3, 2, dtype=mg.float64), lambda: x.t().clone() * 3):
        x.grad = None
        use().sum().backward()
        assert x.grad.stride() == x.stride()
