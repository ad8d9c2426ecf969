"""The memory behind writes and gradients: shared, taken over, or copied because somebody could tell."""

import numpy as np
import pytest
from torch_oracle import same_error, same_program

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
