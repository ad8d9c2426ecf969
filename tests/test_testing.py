"""The checks themselves: each kind of mistake is caught by the check meant for it, with a message that helps."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing import (
    LAYOUTS,
    GradcheckError,
    adjoint_check,
    assert_close,
    check_op,
    complex_step,
    gradcheck,
    gradgradcheck,
    lay_out,
)


def operation(forward, backward):
    """An operation of one tensor from its two halves, `forward(ctx, x)` and `backward(ctx, dy)`."""
    body = {"formula": "of a test", "forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Probe", (mg.autograd.Operation,), body).apply


def doubled(ctx, x):
    ctx.x = x
    return x * 2


def write_input(ctx, dy):
    ctx.x[...] = 0
    return dy * 2


def write_cotangent(ctx, dy):
    dy.detach().mul_(2)
    return dy.clone()


def remember(ctx, dy):
    ctx.calls = getattr(ctx, "calls", 0) + 1
    return dy * (2 + 1e-13 * ctx.calls)


def raw(ctx, x):
    """What a kernel that ignores strides sees."""
    flat = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,))
    return flat.copy().reshape(x.shape) * 2


MISTAKES = {
    "wrong factor": (operation(doubled, lambda ctx, dy: dy * 3), GradcheckError, "Jacobian mismatch"),
    "not linear in the cotangent": (
        operation(doubled, lambda ctx, dy: dy * (2 + dy.sum() - dy)),
        GradcheckError,
        "not linear in its cotangents",
    ),
    "offset": (operation(doubled, lambda ctx, dy: dy * 2 + 1e-3), AssertionError, "zero cotangent"),
    "input written": (operation(doubled, write_input), AssertionError, "input 0 was written to"),
    "cotangent written": (operation(doubled, write_cotangent), AssertionError, "cotangent 0 was written|other bits"),
    "other bits": (operation(doubled, remember), AssertionError, "second backward pass"),
    "graph cut": (lambda x: x.detach() * 2, AssertionError, "no grad_fn"),
    "wrong dtype": (
        operation(lambda ctx, x: x.astype("float64") * 2, lambda ctx, dy: dy * 2),
        AssertionError,
        "float64",
    ),
    "strides ignored": (operation(raw, lambda ctx, dy: dy * 2), AssertionError, "permuted inputs"),
    "first order only": (operation(doubled, lambda ctx, dy: (dy * 2).detach()), GradcheckError, "Jacobian mismatch"),
    "only the sum is right": (
        operation(lambda ctx, x: x - x.mean(), lambda ctx, dy: dy * 0),
        GradcheckError,
        "Jacobian mismatch",
    ),
}


@pytest.mark.parametrize("fn, error, words", MISTAKES.values(), ids=MISTAKES)
def test_check_op_finds_the_mistake(fn, error, words):
    with pytest.raises(error, match=words):
        check_op(fn, mg.rand(3, 4))


def test_check_op_compares_with_the_reference():
    with pytest.raises(AssertionError, match=r"value in float64: 6 of 6 elements differ; the worst is at \("):
        check_op(lambda x: x * 2, mg.ones(2, 3), reference=lambda x: x * 3)


def test_check_op_passes_what_is_right():
    check_op(operation(doubled, lambda ctx, dy: dy * 2), mg.rand(2, 3), reference=lambda x: x * 2, linear=True)
    check_op(lambda x, y: (x * y, x + y), mg.rand(2, 3), mg.rand(3))
    check_op(lambda x, i: x[i], mg.rand(4, 2), mg.tensor([0, 3, 0]))
    check_op(lambda x: x.sign(), mg.rand(3), order=0)


def test_gradcheck_of_many_elements_takes_one_direction():
    x = mg.rand(50, 60, dtype=mg.float64, requires_grad=True)
    assert gradcheck(lambda x: x * x.exp(), x) and gradgradcheck(lambda x: x * x.exp(), x)
    wrong = operation(doubled, lambda ctx, dy: dy * 2.01)
    with pytest.raises(GradcheckError, match="along a random direction"):
        gradcheck(wrong, x)
    assert not gradcheck(wrong, x, raise_exception=False)


def test_gradcheck_names_the_element():
    def wrong(ctx, dy):
        dx = dy * 2
        dx[1] = 7.0
        return dx

    x = mg.tensor([1.0, 2.0, 3.0], dtype=mg.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"output 0 with respect to input 0.*at \(\d, 1\): got .* expected"):
        gradcheck(operation(doubled, wrong), x)


def test_gradcheck_needs_float64_that_requires_grad():
    with pytest.raises(ValueError, match="gradcheck needs float64, but input 0 is float32"):
        gradcheck(mg.exp, mg.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(mg.exp, mg.ones(2))


def test_adjoint_check():
    adjoint_check(lambda x: x.flip(0) * 3, mg.rand(100))
    with pytest.raises(AssertionError, match="not the adjoint"):
        adjoint_check(operation(doubled, lambda ctx, dy: dy * 2.001), mg.arange(100.0))
    with pytest.raises(ValueError, match="does not map 0 to 0"):
        adjoint_check(lambda x: x + 1, mg.rand(3))


def test_assert_close_names_the_worst_element():
    with pytest.raises(
        AssertionError, match=r"2 of 4 elements differ; the worst is at \(1, 0\): got 5.0, expected 3.0"
    ):
        assert_close(np.array([[1.0, 2.1], [5.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    for other in (np.ones(3), np.ones(2, "float32")):
        with pytest.raises(AssertionError, match="differ: got"):
            assert_close(np.ones(2), other)
    with pytest.raises(AssertionError, match="got nan"):
        assert_close(np.array([np.nan]), np.array([np.nan]))
    assert_close(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), equal_nan=True)
    assert_close(mg.zeros(0), mg.zeros(0))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 3, 4, 5), (0, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"broadcast"}))
def test_layouts_keep_the_values(layout, dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    odd = lay_out(array, layout)
    assert odd.shape == shape and odd.dtype == array.dtype and np.array_equal(odd, array)
    assert not np.shares_memory(odd, array)


def test_layouts_are_what_they_say():
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    assert lay_out(x, "permuted").strides == (480, 8, 120, 24)
    assert all(s < 0 for s in lay_out(x, "negative").strides)
    assert lay_out(x, "fortran").flags.f_contiguous and not lay_out(x, "read-only").flags.writeable
    assert 0 in lay_out(x, "broadcast").strides and not lay_out(x, "strided").flags.c_contiguous
    with pytest.raises(ValueError, match="unknown layout 'diagonal'"):
        lay_out(x, "diagonal")


def test_a_complex_step_is_exact_to_rounding():
    x = np.linspace(-2, 2, 9)
    derivative = complex_step(lambda x: np.sin(x) * np.exp(x), x)
    np.testing.assert_allclose(derivative, np.exp(x) * (np.sin(x) + np.cos(x)), 1e-13)
    with pytest.raises(TypeError, match="keeps the imaginary part"):
        complex_step(np.abs, x)


def test_the_complex_step_of_the_reference_sees_what_finite_differences_cannot():
    class Almost(mg.autograd.Operation):
        formula = "dx = dy · y, but for one part in a million"

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(y := np.exp(x))
            return y

        @staticmethod
        def backward(ctx, dy):
            return dy * ctx.saved_tensors[0] * (1 + 1e-6)

    x = mg.rand(3, 2)
    check_op(Almost.apply, x, reference=np.exp, order=1)
    with pytest.raises(AssertionError, match="complex step"):
        check_op(Almost.apply, x, reference=np.exp, order=1, analytic=True)
    check_op(lambda x, y: (x * y, x / y), x, x + 1, reference=lambda x, y: (x * y, x / y), analytic=True)
