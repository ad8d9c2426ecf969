"""Activations and dropout against torch: values and derivatives, dtypes, in-place forms, errors, what is drawn."""

import numpy as np
import pytest
from torch_oracle import agree, draw, named, same_error, same_program, torch

import minigrad as mg
from minigrad.nn import functional as F

SETTINGS = {
    "relu": ({},), "relu6": ({},), "leaky_relu": ({}, {"negative_slope": -0.5}), "elu": ({}, {"alpha": 2.0}),
    "selu": ({},), "celu": ({}, {"alpha": -0.5}), "gelu": ({}, {"approximate": "tanh"}), "silu": ({},), "mish": ({},),
    "softplus": ({}, {"beta": 2, "threshold": 1}), "softsign": ({},), "hardtanh": ({}, {"min_val": 0, "max_val": 2.5}),
    "hardswish": ({},), "hardsigmoid": ({},), "hardshrink": ({}, {"lambd": -0.5}), "softshrink": ({}, {"lambd": 1}),
    "tanhshrink": ({},), "threshold": ({"threshold": 0.5, "value": 7},), "logsigmoid": ({},), "sigmoid": ({},),
    "tanh": ({},), "rrelu": ({}, {"lower": -1, "upper": 0.5}),
}  # fmt: skip
EVERY = [(name, settings) for name, several in SETTINGS.items() for settings in several]
INPLACE = [
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "hardswish", "hardsigmoid",
    "rrelu",
]  # fmt: skip


def values(shape, dtype="float64"):
    return draw(shape, dtype, low=-5, high=5)


@pytest.mark.parametrize("name, settings", EVERY, ids=[f"{name}-{settings}" for name, settings in EVERY])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_derivatives_agree_with_torch(name, settings, dtype):
    order = 1 if name == "hardsigmoid" else 2  # torch has no second derivative of it
    tolerance = (
        {"rtol": 1e-7, "atol": 1e-8} if (name, dtype) == ("hardsigmoid", "float64") else {}
    )  # its 1 / 6 is float32
    for shape in ((7, 13), (), (0, 3)):
        agree(
            lambda m, x: getattr(m.nn.functional, name)(x, **settings), values(shape, dtype), order=order, **tolerance
        )


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "softplus", "logsigmoid", "sigmoid", "tanh", "elu"])
def test_third_derivatives_agree_with_torch(name):
    agree(lambda m, x: getattr(m.nn.functional, name)(x), draw((3, 4)), order=3)


@pytest.mark.parametrize("name", SETTINGS)
def test_dtypes_and_errors_agree_with_torch(name):
    settings = SETTINGS[name][0]
    for dtype in ("int64", "uint8", "bool"):

        def program(m, dtype=dtype):
            return getattr(m.nn.functional, name)(m.tensor([[0, 3], [1, 9]], dtype=getattr(m, dtype)), **settings)

        try:
            program(torch)
        except (RuntimeError, NotImplementedError):
            same_error(program)
        else:
            same_program(program)


@pytest.mark.parametrize("name", INPLACE)
def test_in_place_is_in_place(name):
    x = values((3, 5), "float32")

    def program(m):
        leaf = m.from_numpy(x.copy()).requires_grad_()
        inner = leaf * 2
        result = getattr(m.nn.functional, name)(inner, inplace=True)
        assert result is inner
        (result * result).sum().backward()
        return inner, leaf.grad

    same_program(program)


TWINS = {
    "relu_": (), "leaky_relu_": (0.3,), "elu_": (0.5,), "selu_": (), "celu_": (1.5,), "hardtanh_": (-1, 2),
    "threshold_": (0.5, 3.0), "rrelu_": (0.2, 0.4),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_in_place_twins_agree_with_torch(name):
    x = values((4, 3), "float32")
    places = ["nn.functional", ""] if hasattr(torch, name) else ["nn.functional"]
    for place in places:

        def program(m, place=place):
            t = m.from_numpy(x.copy())
            module = m.nn.functional if place else m
            assert getattr(module, name)(t, *TWINS[name]) is t
            return t

        same_program(program)


def test_prelu_of_any_rank_agrees_with_torch():
    for shape, slopes in (((2, 3), (3,)), ((2, 3, 2, 2), (3,)), ((4,), (1,)), ((), ()), ((), (1,)), ((2, 0), (0,))):
        agree(lambda m, x, w: m.prelu(x, w), values(shape), draw(slopes, seed=1))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu_agrees_with_torch(dim):
    agree(lambda m, x: m.nn.functional.glu(x, dim), draw((4, 6)))


# softmax --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_an_implicit_dim_warns_and_is_that_of_torch(name):
    for shape in ((), (3,), (2, 3), (2, 3, 2), (2, 2, 2, 3)):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated") as told:
            agree(lambda m, x: getattr(m.nn.functional, name)(x), draw(shape), order=0)
        assert {warning.filename for warning in told} == {__file__.replace(".pyc", ".py")} or name


def test_softmax_takes_its_dtype_in_every_place():
    def program(m):
        f, x = m.nn.functional, m.ones(2, 3)
        integers = m.tensor([[1, 2]])
        return (
            f.softmax(x, 1, 3, m.float64), f.softmax(x, -1, _stacklevel=5), m.softmax(x, 1, m.float64),
            x.softmax(0, dtype=m.float64), f.log_softmax(integers, 1, dtype=m.float32), f.softmin(integers, 1, 3,
            m.float64), x.log_softmax(1),
        )  # fmt: skip

    same_program(program)


def test_gumbel_softmax_draws_each_class_with_its_probability():
    mg.manual_seed(0)
    logits = mg.from_numpy(np.tile(np.log([0.1, 0.3, 0.6]), (20_000, 1))).requires_grad_()
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True)
    np.testing.assert_allclose(hard.detach().numpy().mean(0), [0.1, 0.3, 0.6], atol=0.015)
    assert set(np.unique(hard.detach().numpy().round(12))) == {0.0, 1.0}
    (grad,) = mg.autograd.grad((hard * mg.tensor([1.0, 2.0, 4.0])).sum(), logits)
    assert abs(grad.numpy()).max() > 0.1
    assert abs(grad.sum(1).numpy()).max() < 1e-6


def test_slopes_of_prelu_at_zero_and_beyond_numbers_agree_with_torch():
    x = np.array([[0.0, -0.0, np.inf, -np.inf, np.nan, -1.0]])
    agree(lambda m, x, w: m.prelu(x, w), x, np.array([0.3]), order=1)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_hard_samples_choose_one_of_a_dimension(dim):
    mg.manual_seed(0)
    hard = F.gumbel_softmax(mg.zeros(3, 5, 4), hard=True, dim=dim).numpy()
    np.testing.assert_allclose(hard.sum(dim), 1, atol=1e-6)
    assert (hard.max(dim) > 0.99).all()


# dropout --------------------------------------------------------------------------------------------------------------


def test_dropout_drops_as_many_as_it_says_and_keeps_the_mean():
    mg.manual_seed(0)
    y = F.dropout(mg.ones(200, 500), 0.3).numpy()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.7)}
    assert abs((y == 0).mean() - 0.3) < 0.01


@pytest.mark.parametrize(
    "name, shape, dropped",
    [("dropout1d", (50, 40, 5), 2), ("dropout1d", (400, 5), 1), ("dropout2d", (30, 40, 3, 2), 2),
     ("dropout2d", (30, 40, 3), 2), ("dropout3d", (20, 30, 2, 2, 2), 2), ("dropout3d", (400, 2, 2, 2), 1)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:dropout2d. Received a 3D input")
def test_whole_channels_drop(name, shape, dropped):
    mg.manual_seed(0)
    y = getattr(F, name)(mg.ones(*shape), 0.25).numpy().reshape(*shape[:dropped], -1)
    assert (y.max(-1) == y.min(-1)).all()
    assert abs((y == 0).mean() - 0.25) < 0.05


@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropout_keeps_mean_and_variance(name):
    mg.manual_seed(0)
    x = mg.from_numpy(np.random.default_rng(0).standard_normal((400, 500)))
    y = getattr(F, name)(x, 0.2, training=True).numpy()
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02


def test_alpha_dropout_takes_the_two_values_of_torch():
    theirs = np.unique(torch.nn.functional.alpha_dropout(torch.ones(1000), 0.3, training=True).numpy())
    np.testing.assert_allclose(np.unique(F.alpha_dropout(mg.ones(1000), 0.3, training=True).numpy()), theirs, rtol=1e-6)


DROPOUTS = ["dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d"]


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.filterwarnings("ignore:dropout")
def test_what_is_not_random_agrees_with_torch(name):
    def program(m):
        f, x = getattr(m.nn.functional, name), m.ones(2, 3, 2)
        inplace = m.ones(2, 3, 2)
        assert f(x, 0.5, training=False) is x or m is torch
        assert f(inplace, 1.0, training=True, inplace=True) is inplace or name in ("dropout1d", "dropout3d")
        return f(x, 0.0, training=True), f(x, 1.0, training=True), f(x, training=False), inplace

    same_program(program)


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_probabilities_are_probabilities(name, p):
    same_error(lambda m: getattr(m.nn.functional, name)(m.ones(2, 3, 2), p))


def dropout_of_integers(m):
    m.nn.functional.dropout(m.tensor([1, 2]), 0.5)


def channels_of_a_vector(m):
    m.nn.functional.dropout1d(m.ones(3))


def feature_alpha_dropout_of_a_vector(m):
    m.nn.functional.feature_alpha_dropout(m.ones(3), training=True)


def odd_halves(m):
    m.nn.functional.glu(m.ones(2, 3))


def half_of_a_number(m):
    m.nn.functional.glu(m.ones(()))


def halves_of_no_dimension(m):
    m.nn.functional.glu(m.ones(2, 4), 5)


def slopes_of_other_channels(m):
    m.prelu(m.ones(2, 3), m.ones(2))


def matrix_of_slopes(m):
    m.prelu(m.ones(2, 3), m.ones(1, 3))


def slopes_of_a_number(m):
    m.prelu(m.ones(()), m.ones(3))


def slopes_of_another_dtype(m):
    m.prelu(m.ones(2, 3), m.ones(3, dtype=m.float64))


def unknown_approximation(m):
    m.nn.functional.gelu(m.ones(2), approximate="sigmoid")


def approximation_by_nothing(m):
    m.nn.functional.gelu(m.ones(2), approximate=None)


def crossed_limits(m):
    m.nn.functional.hardtanh(m.ones(2), 2, 1)


def crossed_bounds(m):
    m.nn.functional.rrelu(m.ones(2), 2, 1)


def celu_without_alpha(m):
    m.nn.functional.celu(m.ones(2), 0.0)


def shrinking_outward(m):
    m.nn.functional.softshrink(m.ones(2), -1)


def softmax_of_integers(m):
    m.softmax(m.tensor([[1, 2]]), 0)


def log_softmax_of_integers(m):
    m.log_softmax(m.tensor([[1, 2]]), 1)


def gumbel_of_integers(m):
    m.nn.functional.gumbel_softmax(m.tensor([1, 2]))


def a_list(m):
    m.nn.functional.relu([1.0])


def a_leaf_in_place(m):
    m.nn.functional.elu_(m.ones(2, requires_grad=True))


@named(
    dropout_of_integers, channels_of_a_vector, feature_alpha_dropout_of_a_vector, odd_halves, half_of_a_number,
    halves_of_no_dimension, slopes_of_other_channels, matrix_of_slopes, slopes_of_a_number, slopes_of_another_dtype,
    unknown_approximation, approximation_by_nothing, crossed_limits, crossed_bounds, celu_without_alpha,
    shrinking_outward, softmax_of_integers, log_softmax_of_integers, gumbel_of_integers, a_list, a_leaf_in_place,
)  # fmt: skip
def test_errors_are_those_of_torch(function):
    same_error(function)


def test_a_second_derivative_of_prelu_is_zeros_not_missing():
    def run(m):
        x = m.tensor([[-1.0, 2.0], [3.0, -4.0]], dtype=m.float64, requires_grad=True)
        slope = m.tensor([0.25, 0.5], dtype=m.float64, requires_grad=True)
        (dx,) = m.autograd.grad(m.nn.functional.prelu(x, slope).sum(), x, create_graph=True)
        return m.autograd.grad(dx.sum(), (x, slope))

    same_program(run)
