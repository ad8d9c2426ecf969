"""Arithmetic, elementary functions, activations, comparisons and choices, element by element."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, named, same, same_error, torch

import minigrad as mg
from minigrad.testing import check_op
from minigrad.testing.strategies import arrays, broadcastable_shapes

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # infinities on purpose

BINARY = {
    "add": lambda m, x, y: x + y,
    "add alpha": lambda m, x, y: m.add(x, y, alpha=-2),
    "sub": lambda m, x, y: x - y,
    "sub alpha": lambda m, x, y: m.sub(x, y, alpha=3),
    "rsub": lambda m, x, y: m.rsub(x, y),
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "pow": lambda m, x, y: x**y,
    "remainder": lambda m, x, y: x % y,
    "maximum": lambda m, x, y: m.maximum(x, y),
    "minimum": lambda m, x, y: m.minimum(x, y),
    "where": lambda m, x, y: m.where(x > 1, x * 2, y),
    "clamp by tensors": lambda m, x, y: x.clamp(min=y * 0.3, max=y),
    "masked_fill": lambda m, x, y: (x * y).masked_fill(x * y > 1, 7.0),
    "composed": lambda m, x, y: (x * y + x / y - 2 * y).tanh(),
}

# function and the interval on which it is smooth
UNARY = {
    "neg": (lambda m, x: -x, -2, 2),
    "abs": (lambda m, x: x.abs(), 0.1, 2),
    "exp": (lambda m, x: m.exp(x), -2, 2),
    "expm1": (lambda m, x: m.expm1(x), -2, 2),
    "log": (lambda m, x: m.log(x), 0.5, 3),
    "log1p": (lambda m, x: m.log1p(x), -0.5, 3),
    "sqrt": (lambda m, x: m.sqrt(x), 0.5, 3),
    "rsqrt": (lambda m, x: m.rsqrt(x), 0.5, 3),
    "square": (lambda m, x: m.square(x), -2, 2),
    "reciprocal": (lambda m, x: m.reciprocal(x), 0.5, 3),
    "sin": (lambda m, x: m.sin(x), -2, 2),
    "cos": (lambda m, x: m.cos(x), -2, 2),
    "tanh": (lambda m, x: m.tanh(x), -2, 2),
    "sigmoid": (lambda m, x: m.sigmoid(x), -4, 4),
    "relu": (lambda m, x: m.relu(x), 0.1, 2),
    "relu below 0": (lambda m, x: m.relu(x), -2, -0.1),
    "sign": (lambda m, x: m.sign(x), 0.1, 2),
    "clamp": (lambda m, x: x.clamp(0.5, 1.5) * x, 0.6, 1.4),
    "clamp min": (lambda m, x: x.clamp(min=0.0), -2, -0.1),
    "square of a number": (lambda m, x: x**2, -2, 2),
    "cube": (lambda m, x: x**3, -2, 2),
    "power 0": (lambda m, x: x**0, -2, 2),
    "power 3/2": (lambda m, x: x**1.5, 0.5, 2),
    "power -2": (lambda m, x: x**-2, 0.5, 2),
    "2 to the power": (lambda m, x: 2**x, -2, 2),
    "number minus": (lambda m, x: 3 - x, -2, 2),
    "number over": (lambda m, x: 3 / x, 0.5, 2),
    "number times": (lambda m, x: 2.5 * x, -2, 2),
}


def _reference(fn):
    return lambda *arrays: fn(torch, *[torch.from_numpy(np.array(a)) for a in arrays]).numpy()


@pytest.mark.parametrize("fn", BINARY.values(), ids=BINARY)
def test_two_operands_pass_the_harness(fn):
    for seed, shapes in enumerate([((2, 3), (2, 3)), ((2, 1, 3), (2, 1)), ((), (2,))]):
        inputs = [mg.from_numpy(draw(shape, seed=seed + i, low=0.5, high=2.4)) for i, shape in enumerate(shapes)]
        check_op(lambda x, y: fn(mg, x, y), *inputs, reference=_reference(fn), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fn, low, high", UNARY.values(), ids=UNARY)
def test_one_operand_passes_the_harness(fn, low, high):
    for shape in ((2, 3, 2), ()):
        x = mg.from_numpy(draw(shape, low=low, high=high))
        check_op(lambda x: fn(mg, x), x, reference=_reference(fn), rtol=1e-5, atol=1e-6)


@given(st.data(), st.sampled_from(sorted(BINARY)), broadcastable_shapes(2), st.sampled_from(["float32", "float64"]))
def test_two_operands_agree_with_torch(data, name, shapes, dtype):
    xs = [data.draw(arrays(shape, dtype, low=0.3, high=2.7)) for shape in shapes]
    agree(BINARY[name], *xs, order=1 if dtype == "float32" else 2)


@given(st.data(), st.sampled_from(sorted(UNARY)), broadcastable_shapes(1), st.sampled_from(["float32", "float64"]))
def test_one_operand_agrees_with_torch(data, name, shapes, dtype):
    fn, low, high = UNARY[name]
    agree(fn, data.draw(arrays(shapes[0], dtype, low=low, high=high)))


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-30, -1e30, 88.8, -104.0, 710.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_one_operand_agree_with_torch(name, dtype):
    agree(UNARY[name][0], SPECIAL.astype(dtype), order=1)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"composed", "clamp by tensors"}))
def test_special_values_of_two_operands_agree_with_torch(name):
    x, y = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))
    agree(BINARY[name], x, y, order=1)


def test_lerp_is_exact_at_both_ends():
    x, y = np.array([1e8, 3.0, -1e30]), np.array([1.1, 1e-9, 0.3])
    for weight in (0.0, 0.25, 0.75, 1.0):
        agree(lambda m, x, y, w=weight: m.lerp(x, y, w), x, y, order=0, rtol=1e-15, atol=0)


def test_kinks_and_ties_agree_with_torch():
    x, y = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0, 1.0])
    for fn in (
        lambda m, x, y: x.relu() + y,
        lambda m, x, y: x.abs() + y,
        lambda m, x, y: m.maximum(x, y),
        lambda m, x, y: m.minimum(x, y),
        lambda m, x, y: x.clamp(0, 1) * y,
        lambda m, x, y: x.clamp(min=y),
        lambda m, x, y: x**y,
    ):
        agree(fn, x, y)


def test_limits_that_meet_cross_or_are_nan_agree_with_torch():
    x, low, high = (a.reshape(-1) for a in np.meshgrid(*[np.array([-1.0, 0.0, 1.0, 2.0, np.nan])] * 3))
    agree(lambda m, x, low, high: x.clamp(low, high), x, low, high, order=1)
    agree(lambda m, x, low: x.clamp(min=low), x, low, order=1)
    agree(lambda m, x, high: x.clamp(max=high), x, high, order=1)


DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name",
    [
        "exp",
        "log",
        "sqrt",
        "sin",
        "tanh",
        "sigmoid",
        "relu",
        "abs",
        "square",
        "sign",
        "isnan",
        "logical_not",
        "reciprocal",
    ],
)
def test_every_dtype_of_one_operand_agrees_with_torch(name, dtype):
    if dtype == "bool" and name in ("relu", "abs", "sign", "square"):
        return
    array = np.array([0, 1, 2, 3]).astype(dtype)
    same(getattr(mg, name)(mg.from_numpy(array)), getattr(torch, name)(torch.from_numpy(array)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"])
def test_comparisons_agree_with_torch(name):
    for a in (np.array([0, 1, 2, 3]), SPECIAL[:4], SPECIAL[-4:]):
        for b in (np.array([3, 1, 1, 0]), np.array([0.0, np.nan, 1.0, -1.0])):
            same(getattr(mg, name)(*map(mg.from_numpy, (a, b))), getattr(torch, name)(*map(torch.from_numpy, (a, b))))


def test_integer_arithmetic_agrees_with_torch():
    x, y = (a.reshape(-1) for a in np.meshgrid(np.arange(-7, 8), np.array([-3, -1, 1, 2, 5])))
    for fn in (
        lambda m, x, y: x // y,
        lambda m, x, y: x % y,
        lambda m, x, y: m.div(x, y, rounding_mode="trunc"),
        lambda m, x, y: m.div(x, y, rounding_mode="floor"),
        lambda m, x, y: x / y,
        lambda m, x, y: x ** y.abs(),
        lambda m, x, y: -x & y | 4 ^ x,
        lambda m, x, y: ~x,
        lambda m, x, y: 7 // y + 7 % y,
        lambda m, x, y: 2 ** y.abs() + x,
    ):
        agree(fn, x, y)


def different_sizes(m):
    m.ones(2, 3) + m.ones(2)


def different_sizes_of_higher_rank(m):
    m.ones(4, 2, 3) * m.ones(5, 1, 3)


def where_with_a_condition_that_is_not_bool(m):
    m.where(m.ones(2), m.ones(2), 0.0)


def minus_of_a_bool(m):
    -m.tensor([True])


def difference_of_bools(m):
    m.tensor([True]) - m.tensor([False])


def integers_to_a_negative_power(m):
    m.tensor([1, 2]) ** -1


def clamp_without_limits(m):
    m.ones(2).clamp()


def unknown_rounding_mode(m):
    m.div(m.ones(2), 2, rounding_mode="up")


def division_of_integers_by_zero(m):
    m.tensor([1, 2]) // m.tensor([0, 1])


@named(
    different_sizes,
    different_sizes_of_higher_rank,
    minus_of_a_bool,
    difference_of_bools,
    integers_to_a_negative_power,
    clamp_without_limits,
    unknown_rounding_mode,
    division_of_integers_by_zero,
)
def test_same_error_as_torch(function):
    same_error(function)


def test_where_needs_a_bool_condition():
    same_error(
        where_with_a_condition_that_is_not_bool, "where expected condition to be a boolean tensor, but got a tensor"
    )


def test_an_operand_that_is_no_number_is_a_type_error():
    for operand in ("1", None, [1.0], object()):
        with pytest.raises(TypeError):
            mg.ones(2) + operand


def test_dropout_scales_and_repeats_with_the_seed():
    x = mg.ones(1000, 10, requires_grad=True)
    mg.manual_seed(7)
    y = mg.nn.functional.dropout(x, 0.3)
    mg.manual_seed(7)
    assert mg.equal(y, mg.nn.functional.dropout(x, 0.3))
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.7) < 0.02
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    assert mg.equal(x.grad, y.detach())  # the same mask, the same scale


@pytest.mark.parametrize("p, training, expected", [(0.0, True, 1.0), (1.0, True, 0.0), (0.5, False, 1.0)])
def test_dropout_at_the_limits(p, training, expected):
    assert mg.nn.functional.dropout(mg.ones(4), p, training).tolist() == [expected] * 4


def test_dropout_passes_the_harness():
    def dropout(x):
        mg.manual_seed(3)
        return mg.nn.functional.dropout(x, 0.4)

    check_op(dropout, mg.randn(4, 5), linear=True)


def dropout_probability_out_of_range(m):
    m.nn.functional.dropout(m.ones(2), 1.5)


def test_dropout_probability_out_of_range():
    same_error(dropout_probability_out_of_range)
