"""Random tensors: shapes, dtypes and errors as PyTorch's; streams, seeds and distributions by their statistics."""

import numpy as np
import pytest
from torch_oracle import same_error, same_program

import minigrad as mg

SHAPES = [
    "m.rand(2, 3)", "m.rand((2,), dtype=m.float64)", "m.randn(())", "m.rand(0, 2)", "m.randn([3], requires_grad=True)",
    "m.rand_like(m.ones(2))", "m.randn_like(m.arange(2), dtype=m.float64)", "m.randint(5, (2,))",
    "m.randint(2, 5, (2,), dtype=m.float32)", "m.randint(low=0, high=3, size=(2,))", "m.randint(high=3, size=(2,))",
    "m.randint_like(m.ones(2), 3)", "m.randint_like(m.arange(2), 1, 3)", "m.randperm(4)", "m.randperm(0)",
    "m.randperm(3, dtype=m.float32)", "m.normal(m.zeros(2), m.ones(2))", "m.normal(m.zeros(2, 1), m.ones(3))",
    "m.normal(m.zeros(2))", "m.normal(0, m.ones(3))", "m.normal(0.0, 1.0, (2,))",
    "m.normal(mean=0.0, std=1.0, size=(2,))",
    "m.normal(m.zeros(2, requires_grad=True), 1.0)", "m.bernoulli(m.rand(2, requires_grad=True))",
    "m.ones(2).bernoulli(0.5)", "m.bernoulli(m.arange(2), 0.5)", "m.arange(3).bernoulli_(0.5)",
    "m.zeros(3).bernoulli_(m.ones(3))", "m.multinomial(m.ones(2, 3), 2)", "m.multinomial(m.ones(3), 5, True)",
    "m.multinomial(m.ones(0, 3), 2)", "m.ones(3).multinomial(num_samples=1)", "m.poisson(m.ones(2))",
    "m.zeros(2).uniform_()", "m.zeros(2).uniform_(-1, 3)", "m.zeros(2).normal_(1, 2)", "m.zeros(2).exponential_()",
    "m.arange(2).geometric_(0.5)", "m.zeros(2).log_normal_()", "m.zeros(2).cauchy_()", "m.arange(2).random_()",
    "m.zeros(2).random_(5)", "m.zeros(2, dtype=m.uint8).random_(1, 256)", "m.zeros(2, dtype=m.bool).random_()",
]  # fmt: skip
ERRORS = [
    "m.rand(2, dtype=m.int64)", "m.randn(2, dtype=m.int64)", "m.rand_like(m.arange(3))", "m.randint(3, 3, (2,))",
    "m.randint(0, 300, (2,), dtype=m.uint8)", "m.randperm(-1)", "m.randperm(300, dtype=m.uint8)",
    "m.normal(m.zeros(2), m.ones(3))", "m.normal(m.zeros(2), -1.0)", "m.normal(m.zeros(2), m.tensor([-1.0, 1.0]))",
    "m.normal(m.arange(3), 1.0)", "m.bernoulli(m.tensor([1]))", "m.ones(3).bernoulli_(2)",
    "m.multinomial(m.ones(3), 4)",
    "m.multinomial(m.ones(3), 0)", "m.multinomial(m.arange(3), 1)", "m.multinomial(m.ones(3, 3, 3), 1)",
    "m.multinomial(m.zeros(2), 1)", "m.multinomial(m.tensor([-1.0, 2]), 1)",
    "m.multinomial(m.tensor([float('nan')]), 1)",
    "m.ones(3).uniform_(2, 1)", "m.arange(3).uniform_()", "m.arange(3).normal_()", "m.ones(3).normal_(0, -1)",
    "m.ones(3).exponential_(-1)", "m.arange(3).exponential_()", "m.ones(3).geometric_(2)",
    "m.ones(3).log_normal_(0, -1)",
    "m.ones(3).cauchy_(0, -1)", "m.arange(3).random_(5, 3)", "m.zeros(3, dtype=m.uint8).random_(300)",
    "m.poisson(m.tensor([-1.0]))", "m.poisson(m.tensor([0]))", "m.Generator().manual_seed(2**64)",
    "m.Generator().manual_seed(1.5)", "m.manual_seed('a')",
]  # fmt: skip


@pytest.mark.parametrize("program", SHAPES)
def test_shapes_and_dtypes(program):
    def run(m):
        x = eval(program, {"m": m})
        return tuple(x.shape), str(x.dtype).rpartition(".")[2], x.requires_grad

    same_program(run)


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same_error(lambda m: eval(program, {"m": m}))


# name: a draw of 40,000 numbers, the distribution's function P(X <= x)
DISTRIBUTIONS = {
    "uniform": (lambda x: x.uniform_(-1, 3), lambda x: (x + 1) / 4),
    "exponential": (lambda x: x.exponential_(2.0), lambda x: 1 - np.exp(-2 * x)),
    "cauchy": (lambda x: x.cauchy_(1, 2), lambda x: np.arctan((x - 1) / 2) / np.pi + 0.5),
    "normal": (lambda x: x.normal_(1, 2), lambda x: mg.erf(mg.from_numpy((x - 1) / 8**0.5)).numpy() / 2 + 0.5),
    "normal of tensors": (
        lambda x: mg.normal(x + 1, x + 2),
        lambda x: mg.erf(mg.from_numpy((x - 1) / 8**0.5)).numpy() / 2 + 0.5,
    ),
    "log normal": (
        lambda x: x.log_normal_(0, 1),
        lambda x: mg.erf(mg.from_numpy(np.log(x) / 2**0.5)).numpy() / 2 + 0.5,
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_by_kolmogorov_and_smirnov(name):
    draw, below = DISTRIBUTIONS[name]
    mg.manual_seed(1)
    x = np.sort(draw(mg.zeros(40_000, dtype=mg.float64)).numpy())
    expected = (np.arange(len(x)) + 0.5) / len(x)
    assert np.abs(below(x) - expected).max() < 0.01  # 1.36 / √n is 0.007


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_in_proportion(replacement):
    mg.manual_seed(2)
    weights = np.array([[0.0, 1.0, 3.0, 0.0], [2.0, 0.0, 0.0, 6.0]])
    rows = mg.tensor(np.repeat(weights, 20_000, 0))
    first = mg.multinomial(rows, 2, replacement).numpy()[:, 0].reshape(2, -1)
    for drawn, expected in zip(first, weights / weights.sum(1, keepdims=True)):
        np.testing.assert_allclose(np.bincount(drawn, minlength=4) / drawn.size, expected, atol=0.015)
    every = mg.multinomial(mg.ones(50, 6), 6).numpy()
    assert (np.sort(every, 1) == np.arange(6)).all()


def test_bernoulli_poisson_geometric_and_random_means():
    mg.manual_seed(3)
    assert abs(mg.bernoulli(mg.full((20_000,), 0.3)).mean().item() - 0.3) < 0.02
    assert abs(mg.poisson(mg.full((20_000,), 4.0)).mean().item() - 4) < 0.1
    assert abs(mg.zeros(20_000).geometric_(0.25).mean().item() - 4) < 0.2
    drawn = mg.zeros(20_000).random_(2, 6)
    assert drawn.unique().tolist() == [2, 3, 4, 5] if hasattr(drawn, "unique") else drawn.max().item() == 5
    assert mg.zeros(2000, dtype=mg.int64).random_().max().item() > 2**62


def test_seeds_and_generators():
    a, b = mg.Generator().manual_seed(5), mg.Generator().manual_seed(5)
    for draw in (
        lambda g: mg.rand(3, generator=g),
        lambda g: mg.multinomial(mg.ones(9), 4, generator=g),
        lambda g: mg.zeros(3).exponential_(generator=g),
        lambda g: mg.normal(0.0, 1.0, (3,), generator=g),
        lambda g: mg.randperm(9, generator=g),
        lambda g: mg.randint_like(mg.ones(5), 9, generator=g),
    ):
        assert mg.equal(draw(a), draw(b))
    assert mg.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    assert mg.seed() == mg.initial_seed() and a.device == mg.device("cpu")


def test_samples_pass_zero_gradients():
    def program(m):
        x = m.full((3,), 0.5, requires_grad=True)
        y = x * 1
        y.normal_()
        (m.bernoulli(x) + m.normal(x, 1.0) + y).sum().backward()
        return x.grad

    same_program(program)
