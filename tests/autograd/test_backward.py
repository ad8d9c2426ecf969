"""What `backward` and `grad` do: accumulation, retained graphs, higher orders, unused inputs and misuse."""

import numpy as np
import pytest
from torch_oracle import named, same_error, same_program

import minigrad as mg


def leaf(m, values=(1.0, -2.0, 3.0)):
    return m.tensor(list(values), dtype=m.float64, requires_grad=True)


def accumulation_over_two_passes(m):
    x = leaf(m)
    (x * x).sum().backward()
    first = x.grad.clone()
    (x**3).sum().backward()
    return first, x.grad


def a_leaf_used_many_times(m):
    x = leaf(m)
    (x * x + x * 3 - x / 2 + x).sum().backward()
    return x.grad


def diamond(m):
    x = leaf(m)
    y = x.exp()
    (y * y.sin() + y).sum().backward()
    return x.grad


def interior_gradients_are_not_kept(m):
    x = leaf(m)
    y = x * 2
    y.sum().backward()
    return x.grad, y.is_leaf, y.retains_grad


def retain_grad_keeps_them(m):
    x = leaf(m)
    y = x * 2
    y.retain_grad()
    z = y * y
    z.sum().backward()
    return x.grad, y.grad, y.retains_grad


def backward_twice_with_retain_graph(m):
    x = leaf(m)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def backward_twice_where_nothing_is_saved(m):
    x = leaf(m)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


def create_graph_records_the_pass(m):
    x = leaf(m)
    (x**4).sum().backward(create_graph=True)
    g = x.grad
    (h,) = m.autograd.grad(g.sum(), x)
    return g, h


def third_order(m):
    x = leaf(m)
    y = (x**4 * x.sin()).sum()
    results = []
    for _ in range(3):
        (g,) = m.autograd.grad(y, x, create_graph=True)
        results.append(g)
        y = (g * m.arange(1, 4)).sum()
    return results


def grad_leaves_grad_alone(m):
    x = leaf(m)
    m.autograd.grad((x * x).sum(), x)
    return x.grad


def grad_with_respect_to_an_interior_tensor(m):
    x = leaf(m)
    y = x.exp()
    return m.autograd.grad((y * y).sum(), [y, x])


def allow_unused_gives_none(m):
    x, unused = leaf(m), leaf(m)
    return m.autograd.grad(x.sum(), [x, unused], allow_unused=True)


def materialize_grads_gives_zeros(m):
    x, unused = leaf(m), leaf(m)
    return m.autograd.grad(x.sum(), [x, unused], materialize_grads=True)


def several_outputs_with_cotangents(m):
    x = leaf(m)
    cotangents = [leaf(m, (0.5, 1.5, -1.0)).detach(), None]
    m.autograd.backward([x * x, x.sum()], cotangents)
    return x.grad


def restricted_to_inputs(m):
    x, y = leaf(m), leaf(m)
    (x * y).sum().backward(inputs=[x])
    return x.grad, y.grad


def gradient_of_a_single_element_that_is_not_0d(m):
    x = m.tensor([[2.0]], requires_grad=True)
    (x * x).backward()
    return x.grad


def a_leaf_as_the_output(m):
    x = m.tensor(2.0, requires_grad=True)
    x.backward()
    return x.grad


def freezing_a_part(m):
    x, w = leaf(m), leaf(m)
    w.requires_grad_(False)
    (x * w).sum().backward()
    return x.grad, w.grad


def freezing_after_the_forward_pass(m):
    x, w = leaf(m), leaf(m)
    y = (x * w).sum()
    w.requires_grad_(False)
    y.backward()
    return x.grad, w.grad is None


def restricted_to_an_interior_tensor(m):
    x = leaf(m)
    y = x * 2
    y.pow(2).sum().backward(inputs=[y], retain_graph=True)
    y.sum().backward(inputs=y)
    return y.grad, x.grad is None


def detach_cuts_the_graph(m):
    x = leaf(m)
    (x * x.detach()).sum().backward()
    return x.grad, x.detach().requires_grad, x.detach().is_leaf


def detach_shares_memory(m):
    x = leaf(m)
    with m.no_grad():
        x.detach()[0] = 7.0
    return x


def mixed_dtypes(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32, requires_grad=True)
    y = m.tensor([3.0, 4.0], dtype=m.float64, requires_grad=True)
    (x * y).sum().backward()
    return x.grad, y.grad


def broadcasting_that_changes_rank(m):
    x = m.tensor(2.0, dtype=m.float64, requires_grad=True)
    y = m.ones(3, 1, dtype=m.float64, requires_grad=True)
    z = m.ones(2, 1, 4, dtype=m.float64, requires_grad=True)
    (x * y * z).sum().backward()
    return x.grad, y.grad, z.grad


def empty_tensors(m):
    x = m.zeros(0, 3, requires_grad=True)
    (x * 2).sum().backward()
    return x.grad, x.sum()


def gradients_have_the_dtype_of_what_they_belong_to(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32, requires_grad=True)
    y = m.tensor([3.0, 4.0], dtype=m.float64, requires_grad=True)
    z = x * 2
    return m.autograd.grad((z * y).sum(), (x, y, z), create_graph=True)


def gradients_lie_in_memory_like_what_they_belong_to(m):
    x = m.arange(6.0).reshape(2, 3).t().requires_grad_()
    y = m.arange(6.0).reshape(1, 3, 1, 2)[..., ::2].requires_grad_()
    (x.reshape(-1)[:3] * y.reshape(-1)).sum().backward()
    return x.grad, x.grad.stride(), y.grad, y.grad.stride()


def second_derivatives_that_are_zero(m):
    """They are tensors of zeros rather than missing, unless the first derivative is a plain constant."""
    x = m.arange(1, 13, dtype=m.float64).reshape(1, 2, 6).div(6).sub(1).requires_grad_()
    F, results = m.nn.functional, []
    for fn in (
        F.relu,
        lambda x: F.leaky_relu(x, 0.2),
        lambda x: F.hardtanh(x, -0.5, 0.5),
        lambda x: F.threshold(x, 0.1, 3.0),
        lambda x: F.hardshrink(x, 0.3),
        lambda x: F.max_pool1d(x, 2),
        lambda x: F.avg_pool1d(x, 2),
        lambda x: F.adaptive_avg_pool1d(x, 4),
        lambda x: F.pad(x, (1, 2), mode="reflect"),
        lambda x: F.nll_loss(x, m.zeros(1, 6, dtype=m.int64)),
        lambda x: x.abs(),
        lambda x: x * 3,
        lambda x: F.interpolate(x, scale_factor=2),
    ):
        (dx,) = m.autograd.grad(fn(x).sum(), x, create_graph=True)
        results.append(dx)
        if dx.requires_grad:
            results += m.autograd.grad(dx.sum(), x, allow_unused=True)
    return [m.full((), 7.0) if result is None else result for result in results]


def second_derivatives_by_the_other_argument(m):
    x = m.arange(12, dtype=m.float64).reshape(1, 2, 6).requires_grad_()
    w = m.arange(4, dtype=m.float64).reshape(1, 2, 2).requires_grad_()
    grads = m.autograd.grad(m.nn.functional.conv1d(x, w).sum(), (x, w), create_graph=True)
    seconds = [m.autograd.grad(g.sum(), (x, w), allow_unused=True, retain_graph=True) for g in grads]
    return [m.full((), 7.0) if h is None else h for pair in seconds for h in pair]


@named(
    accumulation_over_two_passes,
    a_leaf_used_many_times,
    diamond,
    interior_gradients_are_not_kept,
    retain_grad_keeps_them,
    backward_twice_with_retain_graph,
    backward_twice_where_nothing_is_saved,
    create_graph_records_the_pass,
    third_order,
    grad_leaves_grad_alone,
    grad_with_respect_to_an_interior_tensor,
    allow_unused_gives_none,
    materialize_grads_gives_zeros,
    several_outputs_with_cotangents,
    restricted_to_inputs,
    gradient_of_a_single_element_that_is_not_0d,
    a_leaf_as_the_output,
    freezing_a_part,
    freezing_after_the_forward_pass,
    restricted_to_an_interior_tensor,
    detach_cuts_the_graph,
    detach_shares_memory,
    mixed_dtypes,
    broadcasting_that_changes_rank,
    empty_tensors,
    gradients_have_the_dtype_of_what_they_belong_to,
    gradients_lie_in_memory_like_what_they_belong_to,
    second_derivatives_that_are_zero,
    second_derivatives_by_the_other_argument,
)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")  # torch: create_graph makes a reference cycle
def test_same_as_torch(function):
    same_program(function)


def backward_twice(m):
    y = (leaf(m) ** 2).sum()
    y.backward()
    y.backward()


def without_a_graph(m):
    m.ones(2).sum().backward()


def under_no_grad(m):
    with m.no_grad():
        y = leaf(m).sum()
    y.backward()


def not_a_scalar(m):
    (leaf(m) * 2).backward()


def grad_of_something_not_a_scalar(m):
    x = leaf(m)
    m.autograd.grad(x * 2, x)


def cotangent_of_another_shape(m):
    (leaf(m) * 2).backward(m.ones(2, dtype=m.float64))


def cotangent_that_is_no_tensor(m):
    (leaf(m) * 2).backward([1.0, 2.0, 3.0])


def unused_input(m):
    m.autograd.grad(leaf(m).sum(), leaf(m))


def input_without_grad(m):
    m.autograd.grad(leaf(m).sum(), m.ones(3))


def materialize_without_allow_unused(m):
    x = leaf(m)
    m.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True)


def no_inputs(m):
    leaf(m).sum().backward(inputs=[])


def integers_require_grad(m):
    m.ones(2, dtype=m.int64).requires_grad_()


def integers_created_with_grad(m):
    m.tensor([1, 2], requires_grad=True)


def numpy_of_a_tensor_with_grad(m):
    leaf(m).numpy()


def numpy_of_a_computed_tensor(m):
    (leaf(m) * 2).numpy()


def gradient_assigned_of_another_dtype(m):
    leaf(m).grad = m.ones(3, dtype=m.float32)


def leaf_that_became_an_interior_tensor(m):
    x = leaf(m)
    y = x * 2
    x.requires_grad_(False)
    x.mul_(leaf(m))
    y.sum().backward()


def requires_grad_taken_from_a_computed_tensor(m):
    (leaf(m) * 2).requires_grad_(False)


def retain_grad_without_grad(m):
    m.ones(2).retain_grad()


def hook_without_grad(m):
    m.ones(2).register_hook(print)


def grad_assigned_with_another_shape(m):
    leaf(m).grad = m.ones(2, dtype=m.float64)


def grad_assigned_something_else(m):
    leaf(m).grad = 3.0


def item_of_several(m):
    m.ones(3).item()


def truth_of_several(m):
    bool(m.ones(3))


def truth_of_none(m):
    bool(m.ones(0))


def length_of_a_number(m):
    len(m.tensor(1.0))


@named(
    backward_twice,
    without_a_graph,
    under_no_grad,
    not_a_scalar,
    grad_of_something_not_a_scalar,
    cotangent_of_another_shape,
    unused_input,
    input_without_grad,
    materialize_without_allow_unused,
    no_inputs,
    integers_require_grad,
    integers_created_with_grad,
    numpy_of_a_tensor_with_grad,
    numpy_of_a_computed_tensor,
    requires_grad_taken_from_a_computed_tensor,
    leaf_that_became_an_interior_tensor,
    retain_grad_without_grad,
    hook_without_grad,
    grad_assigned_with_another_shape,
    item_of_several,
    truth_of_several,
    truth_of_none,
    length_of_a_number,
)
def test_same_error_as_torch(function):
    same_error(function)


def test_a_cotangent_must_be_a_tensor():
    same_error(cotangent_that_is_no_tensor, "gradients can be either Tensors")


def test_an_assigned_gradient_must_be_a_tensor():
    same_error(grad_assigned_something_else, "assigned grad expected to be a Tensor or None but got grad of type")


def test_a_gradient_of_another_dtype_is_refused():
    words = "attempting to assign a gradient with dtype 'float' to a tensor with grad_dtype 'Double'. The gradient must"
    same_error(gradient_assigned_of_another_dtype, words)


def test_backward_twice_names_the_operation():
    with pytest.raises(RuntimeError, match=r"hint: the graph ends in (Pow|Mul); call backward\(retain_graph=True\)"):
        backward_twice(mg)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: x.expand(4, 3) + y,
        lambda x, y: x.reshape(3, 1).permute(1, 0) + y.view(1, 3),
        lambda x, y: mg.cat([x, y]),
        lambda x, y: mg.stack([x, x, y]),
        lambda x, y: (x + x) + (y + x),
        lambda x, y: mg.where(mg.tensor([True, False, True]), x, y),
        lambda x, y: (x.clone() + y)[...],
        lambda x, y: x.sum() + y.sum(),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_memory_with_nothing(function, create_graph):
    x, y = leaf(mg), leaf(mg)
    result = function(x, y)
    seed = mg.from_numpy(np.random.default_rng(0).standard_normal(result.shape))
    kept = seed.numpy().copy()
    result.backward(seed, retain_graph=True, create_graph=create_graph)
    result.backward(seed)
    for source in (x, y):
        source.grad.detach().add_(100.0)  # what a careless user does
    assert (seed.numpy() == kept).all()
    arrays = [x.grad.detach().numpy(), y.grad.detach().numpy(), seed.numpy(), x.detach().numpy(), y.detach().numpy()]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[i + 1 :])


def test_a_gradient_that_cannot_be_written_is_replaced():
    x, ones = leaf(mg), np.ones(3)
    ones.flags.writeable = False
    x.grad = mg.from_numpy(ones)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0] and ones.tolist() == [1.0, 1.0, 1.0]


def test_gradients_of_grad_share_no_memory():
    x, y, seed = leaf(mg), leaf(mg), mg.ones(3, dtype=mg.float64)
    dx, dy = mg.autograd.grad(x + y, [x, y], seed)
    assert not np.shares_memory(dx.numpy(), dy.numpy())
    assert not np.shares_memory(dx.numpy(), seed.numpy()) and not np.shares_memory(dy.numpy(), seed.numpy())


def test_an_error_in_backward_names_operation_and_module():
    class Broken(mg.autograd.Operation):
        formula = "dx = nonsense"

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            raise ZeroDivisionError("of all things")

    class Net(mg.nn.Module):
        def forward(self, x):
            return Broken.apply(x)

    loss = Net()(mg.ones(2, requires_grad=True)).sum()
    with pytest.raises(ZeroDivisionError) as raised:
        loss.backward()
    assert raised.value.__notes__ == ["during the backward of Broken made in module Net: dx = nonsense"]
    assert mg.is_grad_enabled()


def test_a_retained_input_gets_its_gradient_once():
    def run(m):
        x = leaf(m)
        y = x * 2
        y.retain_grad()
        y.pow(2).sum().backward(inputs=[y, x])
        return y.grad, x.grad

    same_program(run)


def test_only_inputs_is_ignored_with_a_warning():
    def run(m):
        x = leaf(m)
        y = leaf(m)
        with pytest.warns(FutureWarning, match="only_inputs argument is deprecated and is ignored"):
            (dx,) = m.autograd.grad((x * y).sum(), x, only_inputs=False)
        assert x.grad is None and y.grad is None
        return dx

    same_program(run)


def test_variable_is_a_tensor_without_history_on_the_same_memory():
    def run(m):
        x = leaf(m)
        product = x * 2
        plain = m.autograd.Variable(product)
        assert plain.is_leaf and not plain.requires_grad and plain.grad_fn is None
        start = m.autograd.Variable(product, requires_grad=True)
        assert start.is_leaf and isinstance(x, m.autograd.Variable)
        start.pow(2).sum().backward()
        data = m.zeros(2)
        shared = m.autograd.Variable(data)
        data[0] = 5
        assert x.grad is None
        return start.grad, shared

    same_program(run)
