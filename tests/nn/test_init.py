"""Initialisers against torch's: exact values where nothing is drawn, distributions where something is."""

import numpy as np
import pytest
from torch_oracle import named, same_error, same_program

import minigrad as mg


def identities(m):
    init, empty = m.nn.init, m.empty
    convolutions = [init.dirac_(empty(*shape)) for shape in ((4, 2, 3), (2, 3, 2, 3), (2, 2, 3, 3, 2))]
    return (init.eye_(empty(2, 3)), init.eye_(empty(3, 2)), *convolutions, init.dirac_(empty(4, 2, 3), groups=2))


def gains(m):
    names = ["linear", "sigmoid", "tanh", "relu", "selu", *[f"conv{t}{n}d" for t in ("", "_transpose") for n in "123"]]
    gain = m.nn.init.calculate_gain
    return [*map(gain, names), gain("leaky_relu"), gain("leaky_relu", 0.2), gain("leaky_relu", 1)]


def fans(m):
    return m.nn.init._calculate_fan_in_and_fan_out(m.empty(4, 3, 2, 5)), m.nn.init._calculate_correct_fan(
        m.empty(4, 3, 2), "FAN_OUT"
    )


def parameters_are_written_in_place(m):
    layer = m.nn.Linear(3, 3)
    names = "eye_", "orthogonal_", "trunc_normal_", "zeros_", "ones_"
    results = [getattr(m.nn.init, name)(layer.weight) is layer.weight for name in names]
    return *results, layer.weight.requires_grad, layer.weight.is_leaf, layer.weight


@named(identities, gains, fans, parameters_are_written_in_place)
def test_same_as_torch(function):
    same_program(function)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 2, 2), (8, 1, 2)])
def test_orthogonal_rows_or_columns(shape):
    w = mg.nn.init.orthogonal_(mg.empty(*shape), gain=2).numpy().reshape(shape[0], -1)
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    assert not np.array_equal(w, mg.nn.init.orthogonal_(mg.empty(*shape), gain=2).numpy().reshape(shape[0], -1))


@pytest.mark.parametrize("mean, std, a, b", [(0, 1, -2, 2), (1, 0.5, 0, 4), (0, 0.02, -2, 2), (0, 1, 1, 3)])
def test_truncated_normal_has_the_moments_of_scipy(mean, std, a, b):
    stats = pytest.importorskip("scipy.stats")
    mg.manual_seed(0)
    values = mg.nn.init.trunc_normal_(mg.empty(50, 400), mean, std, a, b).numpy().astype(float)
    expected = stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert a <= values.min() and values.max() <= b
    assert stats.kstest(values.reshape(-1), expected.cdf).statistic < 0.02


def test_sparse_columns():
    w = mg.nn.init.sparse_(mg.empty(10, 300), 0.25, std=2.0).numpy()
    assert ((w == 0).sum(0) == 3).all()
    assert 0.6 < (w == 0).mean(1).max() / (w == 0).mean(1).min() < 2  # rows are hit alike
    assert abs(w[w != 0].std() - 2) < 0.2


def test_older_names_warn():
    for name in ("uniform", "normal", "xavier_uniform", "kaiming_normal", "orthogonal"):
        with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`"):
            x = mg.zeros(2, 2)
            assert getattr(mg.nn.init, name)(x) is x and x.any()
    with pytest.warns(FutureWarning):
        assert mg.nn.init.constant(mg.zeros(1), val=3).item() == 3


def test_empty_tensors_are_left_alone():
    for name in ("kaiming_uniform_", "kaiming_normal_"):
        with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
            getattr(mg.nn.init, name)(mg.empty(0, 3))
    assert mg.nn.init.orthogonal_(mg.empty(0, 3)).shape == (0, 3)


def test_the_mean_should_lie_inside():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        mg.nn.init.trunc_normal_(mg.empty(2), mean=5)


ERRORS = {
    "identity of a vector": lambda m: m.nn.init.eye_(m.empty(3)),
    "dirac of a matrix": lambda m: m.nn.init.dirac_(m.empty(3, 3)),
    "dirac of groups": lambda m: m.nn.init.dirac_(m.empty(3, 3, 3), groups=2),
    "orthogonal vector": lambda m: m.nn.init.orthogonal_(m.empty(3)),
    "sparse vector": lambda m: m.nn.init.sparse_(m.empty(3), 0.5),
    "fans of a vector": lambda m: m.nn.init.xavier_uniform_(m.empty(3)),
    "unknown mode": lambda m: m.nn.init.kaiming_uniform_(m.empty(3, 3), mode="fan"),
    "unknown nonlinearity": lambda m: m.nn.init.calculate_gain("swish"),
    "slope of a wrong type": lambda m: m.nn.init.calculate_gain("leaky_relu", "x"),
    "slope that is a bool": lambda m: m.nn.init.calculate_gain("leaky_relu", True),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)
