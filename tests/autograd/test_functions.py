"""The user's own operations: `Function` with PyTorch's signature, and the leaner `Operation`."""

import numpy as np
import pytest
from torch_oracle import named, same_error, same_program

import minigrad as mg
from minigrad.testing import check_op


def leaf(m, values=(1.0, -2.0, 3.0)):
    return m.tensor(list(values), dtype=m.float64, requires_grad=True)


def cube(m):
    class Cube(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 3 * x * x * dy

    return Cube.apply


def first_and_second_derivative(m):
    x = leaf(m)
    y = cube(m)(x)
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = m.autograd.grad((g * g).sum(), x)
    return y, g, h


def several_results_and_arguments(m):
    class SumAndProduct(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, scale):
            ctx.save_for_backward(x, y)
            ctx.scale = scale
            return (x + y) * scale, x * y

        @staticmethod
        def backward(ctx, dsum, dproduct):
            x, y = ctx.saved_tensors
            return dsum * ctx.scale + dproduct * y, dsum * ctx.scale + dproduct * x, None

    x, y = leaf(m), leaf(m, (4.0, 5.0, 6.0))
    a, b = SumAndProduct.apply(x, y, 2.5)
    (a * a + b.sin()).sum().backward()
    return a, b, x.grad, y.grad


def a_result_that_is_not_used_gets_zeros(m):
    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, da, db):
            return da * 2 + db * 3

    x = leaf(m)
    Two.apply(x)[1].sum().backward()
    return x.grad


def or_none_without_materializing(m):
    seen = []

    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, da, db):
            seen.append((da is None, db is None))
            return db * 3

    x = leaf(m)
    Two.apply(x)[1].sum().backward()
    return x.grad, seen


def a_gradient_may_be_none(m):
    class Ignore(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, dz):
            return dz, None

    x, y = leaf(m), leaf(m)
    Ignore.apply(x, y).sum().backward()
    return x.grad, y.grad


def non_differentiable_result(m):
    class SortOfMax(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            index = x.argmax()
            ctx.mark_non_differentiable(index)
            ctx.save_for_backward(index)
            return x[index] * 1.0, index

        @staticmethod
        def backward(ctx, dy, _):
            (index,) = ctx.saved_tensors
            dx = m.zeros(3, dtype=m.float64)
            dx[index] = dy
            return dx

    x = leaf(m)
    y, index = SortOfMax.apply(x)
    y.backward()
    return y, index, x.grad


def marked_floating_result(m):
    class Both(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            plain = x * 5
            ctx.mark_non_differentiable(plain)
            return x * 2, plain

        @staticmethod
        def backward(ctx, dy, _):
            return dy * 2

    x = leaf(m)
    y, plain = Both.apply(x)
    y.sum().backward()
    return y, plain, x.grad


def needs_input_grad(m):
    seen = []

    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, dz):
            seen.append(tuple(ctx.needs_input_grad))
            x, y = ctx.saved_tensors
            return dz * y, dz * x

    x, y = leaf(m), leaf(m).detach()
    Product.apply(x, y).sum().backward()
    return x.grad, y.grad, seen


def nothing_is_recorded_inside_forward(m):
    seen = []

    class Watch(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(m.is_grad_enabled())
            seen.append((x * 2).requires_grad)
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy * 2

    x = leaf(m)
    y = Watch.apply(x)
    with m.no_grad():
        z = Watch.apply(x)
    return y, z, seen, y.is_leaf


def an_argument_handed_through(m):
    class Identity(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy * 10

    x = leaf(m)
    y = Identity.apply(x)
    y.sum().backward()
    return y, x.grad, y.is_leaf


def used_several_times(m):
    x = leaf(m)
    f = cube(m)
    (f(f(x)) + f(x)).sum().backward()
    return x.grad


def tripled_in_place(m):
    class Triple(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(3)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy * 3

    return Triple.apply


def an_argument_that_forward_wrote_into(m):
    x = leaf(m)
    y = x * 1
    older = y[1:]
    z = tripled_in_place(m)(y)
    (y * z).sum().backward(retain_graph=True)
    first = x.grad.clone()
    (older * older).sum().backward()
    return z is y, z, first, x.grad, older


def a_view_that_forward_wrote_into(m):
    x = leaf(m)
    y = x * 1
    z = tripled_in_place(m)(y[1:])
    (y * y).sum().backward(retain_graph=True)
    first = x.grad.clone()
    return z, first, y


def a_written_argument_that_is_saved(m):
    class Exp(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.exp_()
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, dy):
            (y,) = ctx.saved_tensors
            return dy * y

    x = leaf(m)
    (g,) = m.autograd.grad(Exp.apply(x * 1).sum(), x, create_graph=True)
    (h,) = m.autograd.grad((g * g).sum(), x)
    return g, h


def an_argument_without_gradient_that_forward_wrote_into(m):
    x = m.ones(3)
    z = tripled_in_place(m)(x)
    return z is x, z, z.requires_grad


def a_context_of_its_own(m):
    class Scaled(m.autograd.Function):
        @staticmethod
        def forward(x, scale):
            return x * scale

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.scale = inputs
            ctx.save_for_backward(output, None)

        @staticmethod
        def backward(ctx, dy):
            y, nothing = ctx.saved_tensors
            assert nothing is None
            return dy * ctx.scale * y, None

    x = leaf(m)
    Scaled.apply(x, 4.0).sum().backward()
    return x.grad


def differentiated_once(m):
    class Square(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            assert not (x * dy).requires_grad
            return 2 * x * dy

    return Square.apply


def gradients_that_are_taken_once(m):
    x = leaf(m)
    differentiated_once(m)(x).sum().backward()
    (g,) = m.autograd.grad(differentiated_once(m)(x).sum(), x, create_graph=True)
    return x.grad, g


@named(
    first_and_second_derivative,
    several_results_and_arguments,
    a_result_that_is_not_used_gets_zeros,
    or_none_without_materializing,
    a_gradient_may_be_none,
    non_differentiable_result,
    marked_floating_result,
    needs_input_grad,
    nothing_is_recorded_inside_forward,
    an_argument_handed_through,
    used_several_times,
    an_argument_that_forward_wrote_into,
    a_view_that_forward_wrote_into,
    a_written_argument_that_is_saved,
    an_argument_without_gradient_that_forward_wrote_into,
    a_context_of_its_own,
    gradients_that_are_taken_once,
)
def test_same_as_torch(function):
    same_program(function)


def test_a_function_can_be_checked():
    check_op(cube(mg), mg.rand(2, 3), reference=lambda x: x**3)


def too_many_gradients(m):
    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy, dy

    Wrong.apply(leaf(m)).sum().backward()


def too_few_gradients(m):
    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, dy):
            return dy

    Wrong.apply(leaf(m), leaf(m)).sum().backward()


def gradient_of_another_shape(m):
    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy[:2]

    Wrong.apply(leaf(m)).sum().backward()


def saved_tensors_after_backward(m):
    class Keep(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * x

    y = Keep.apply(leaf(m)).sum()
    y.backward()
    y.backward()


def twice_what_is_differentiated_once(m):
    (g,) = m.autograd.grad(differentiated_once(m)(x := leaf(m)).pow(2).sum(), x, create_graph=True)
    g.sum().backward()


def a_leaf_that_forward_wrote_into(m):
    tripled_in_place(m)(leaf(m))


def an_older_value_that_forward_overwrote(m):
    y = leaf(m) * 1
    z = y * y
    tripled_in_place(m)(y)
    z.sum().backward()


def an_older_value_that_forward_overwrote_by_numpy(m):
    class Zero(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.detach().numpy()[...] = 0
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy * 0

    y = leaf(m) * 1
    z = y * y
    Zero.apply(y)
    z.sum().backward()


def a_dirty_argument_that_is_not_returned(m):
    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy

    Wrong.apply(leaf(m) * 1)


@named(an_older_value_that_forward_overwrote, an_older_value_that_forward_overwrote_by_numpy)
def test_a_value_that_forward_overwrote_is_stale(function):
    same_error(function, "one of the variables needed for gradient computation has been")


@named(
    too_many_gradients,
    too_few_gradients,
    saved_tensors_after_backward,
    twice_what_is_differentiated_once,
    a_leaf_that_forward_wrote_into,
    a_dirty_argument_that_is_not_returned,
)
def test_misuse_is_the_same_error_as_in_torch(function):
    same_error(function)


def test_a_gradient_of_another_shape_is_refused():
    same_error(gradient_of_another_shape, "Function Wrong")


def test_an_operation_must_return_what_is_needed():
    class Wrong(mg.autograd.Operation):
        formula = "only dx"

        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, dz):
            return dz

    Wrong.apply(leaf(mg), leaf(mg).detach()).sum().backward()
    with pytest.raises(RuntimeError, match=r"function WrongBackward0 returned an incorrect number of gradients"):
        Wrong.apply(leaf(mg), leaf(mg)).sum().backward()


class Hypotenuse(mg.autograd.Operation):
    """√(x² + y²), on arrays."""

    formula = "dx = dz · x / z, dy = dz · y / z"

    @staticmethod
    def forward(ctx, x, y):
        z = np.hypot(x, y)
        ctx.save_for_backward(x, y, z)
        return z

    @staticmethod
    def backward(ctx, dz):
        x, y, z = ctx.saved_tensors
        return dz * x / z, dz * y / z


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((), (2, 1)), ((2, 1), (1, 3))])
def test_an_operation_gets_broadcasting_and_second_derivatives(shapes):
    check_op(Hypotenuse.apply, *[mg.rand(*shape) + 0.5 for shape in shapes], reference=np.hypot)


def test_an_operation_is_the_node_of_its_result():
    x, y = leaf(mg), leaf(mg)
    z = Hypotenuse.apply(x, y)
    node = z.grad_fn
    assert (node.operation, node.formula) == ("Hypotenuse", Hypotenuse.formula)
    assert node.outputs == (((3,), mg.float64),)
    assert [edge[0].variable for edge in node.edges] == [x, y]
    assert node.next_functions == tuple(node.edges)
    assert node.saved_bytes == 3 * 24
    z.sum().backward()
    assert node.saved_bytes == 0
    assert (z + 1).grad_fn.sequence > node.sequence


def test_an_operation_casts_gradients_to_each_arguments_dtype():
    x, y = mg.ones(2, requires_grad=True), mg.ones(2, dtype=mg.float64, requires_grad=True)
    Hypotenuse.apply(x, y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (mg.float32, mg.float64)
