"""Distributions against PyTorch: densities, their gradients, entropies, moments, samples, errors."""

import numpy as np
import pytest

import minigrad
import minigrad.distributions

torch = pytest.importorskip("torch")


def numbers(m, *values):
    return [m.tensor(value, dtype=m.float64, requires_grad=True) for value in values]


FACTOR = [[1.5, 0.0], [0.4, 0.8]]
# name: (distribution of the library and its parameters, the parameters, values in its support)
CASES = {
    "Normal": (lambda m, a, b: m.distributions.Normal(a, b), ([0.5, -1.0], 2.0), [[0.3, 1.0], [2.0, -3.0]]),
    "LogNormal": (lambda m, a, b: m.distributions.LogNormal(a, b), ([0.5, -1.0], 0.7), [0.3, 1.0]),
    "Laplace": (lambda m, a, b: m.distributions.Laplace(a, b), ([0.5, -1.0], 0.7), [0.3, 1.0]),
    "Cauchy": (lambda m, a, b: m.distributions.Cauchy(a, b), ([0.5, -1.0], 0.7), [0.3, 1.0]),
    "Uniform": (lambda m, a, b: m.distributions.Uniform(a, b), ([0.5, -1.0], 3.0), [0.7, 1.0]),
    "Exponential": (lambda m, a: m.distributions.Exponential(a), ([0.5, 2.0],), [0.3, 1.0]),
    "Gamma": (lambda m, a, b: m.distributions.Gamma(a, b), ([0.5, 3.0], 2.0), [0.3, 1.0]),
    "Beta": (lambda m, a, b: m.distributions.Beta(a, b), ([0.5, 3.0], 2.0), [0.3, 0.9]),
    "Dirichlet": (lambda m, a: m.distributions.Dirichlet(a), ([0.5, 3.0, 2.0],), [0.3, 0.6, 0.1]),
    "Bernoulli": (lambda m, a: m.distributions.Bernoulli(a), ([0.5, 0.2],), [0.0, 1.0]),
    "Bernoulli of logits": (lambda m, a: m.distributions.Bernoulli(logits=a), ([0.5, -2.0],), [0.0, 1.0]),
    "Binomial": (lambda m, a: m.distributions.Binomial(5, a), ([0.5, 0.2],), [0.0, 3.0]),
    "Geometric": (lambda m, a: m.distributions.Geometric(a), ([0.5, 0.2],), [0.0, 3.0]),
    "Poisson": (lambda m, a: m.distributions.Poisson(a), ([0.5, 4.0],), [0.0, 3.0]),
    "Categorical": (lambda m, a: m.distributions.Categorical(a), ([[0.5, 1.5, 2.0], [1.0, 0.5, 0.5]],), [0, 2]),
    "Categorical of logits": (lambda m, a: m.distributions.Categorical(logits=a), ([0.5, 1.5, 2.0],), [[0, 2], [1, 1]]),
    "OneHotCategorical": (lambda m, a: m.distributions.OneHotCategorical(a), ([0.5, 1.5],), [[0.0, 1.0]]),
    "Independent": (
        lambda m, a, b: m.distributions.Independent(m.distributions.Normal(a, b), 1), ([0.5, -1.0], [1.0, 2.0]),
        [[0.3, 1.0]],
    ),
    "MultivariateNormal": (
        lambda m, a, b: m.distributions.MultivariateNormal(a, b @ b.mT), ([0.5, -1.0], FACTOR), [[0.3, 1.0], [0.0, 0.0]]
    ),
    "MultivariateNormal of a factor": (
        lambda m, a, b: m.distributions.MultivariateNormal(a, scale_tril=b), ([0.5, -1.0], FACTOR), [0.3, 1.0]
    ),
    "MixtureSameFamily": (
        lambda m, w, a, b: m.distributions.MixtureSameFamily(
            m.distributions.Categorical(logits=w), m.distributions.Normal(a, b)
        ),
        ([0.1, 0.9], [0.5, -1.0], [1.0, 2.0]), [0.3, 1.0, -2.0],
    ),
    "tanh of a Normal": (
        lambda m, a, b: m.distributions.TransformedDistribution(
            m.distributions.Normal(a, b),
            [m.distributions.transforms.TanhTransform(), m.distributions.AffineTransform(0.5, 2.0)],
        ),
        ([0.5, -1.0], 0.7), [0.3, 1.0],
    ),
    "composed": (
        lambda m, a, b: m.distributions.TransformedDistribution(
            m.distributions.Independent(m.distributions.Normal(a, b), 1),
            m.distributions.ComposeTransform([m.distributions.SigmoidTransform(), m.distributions.ExpTransform()]),
        ),
        ([0.5, -1.0], [0.7, 0.8]), [1.3, 1.9],
    ),
}  # fmt: skip


def both(name):
    make, parameters, values = CASES[name]
    for m in (minigrad, torch):
        given = numbers(m, *parameters)
        yield m, make(m, *given), given, m.tensor(values, dtype=None if "Categorical" in name[:11] else m.float64)


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_densities_and_their_gradients(name):
    results = []
    for _, distribution, given, value in both(name):
        density = distribution.log_prob(value)
        density.sum().backward()
        results.append([density, *[parameter.grad for parameter in given]])
        assert tuple(distribution.batch_shape) + tuple(distribution.event_shape) == tuple(distribution.sample().shape)
    for ours, theirs in zip(*results):
        close(ours, theirs)


@pytest.mark.parametrize("name", CASES)
def test_moments_and_entropies(name):
    (_, ours, _, value), (_, theirs, _, their_value) = both(name)
    for attribute in ("mean", "variance", "stddev"):
        try:
            expected = getattr(theirs, attribute)
        except NotImplementedError:
            continue
        close(getattr(ours, attribute), expected)
    for method, arguments in (("entropy", ()), ("cdf", (1,))):
        try:
            expected = getattr(theirs, method)(*[their_value] * len(arguments))
        except (NotImplementedError, AttributeError, TypeError):
            continue
        if type(ours) in (minigrad.distributions.TransformedDistribution, minigrad.distributions.MixtureSameFamily):
            continue
        try:
            found = getattr(ours, method)(*[value] * len(arguments))
        except NotImplementedError:
            assert name in ("Gamma", "Binomial"), f"{name}.{method}"
            continue
        close(found, expected)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"tanh of a Normal", "composed", "LogNormal", "Beta", "Binomial"}))
def test_representations(name):
    (_, ours, _, _), (_, theirs, _, _) = both(name)
    assert repr(ours).replace("minigrad.", "torch.") == repr(theirs)


MODES = ["Normal", "LogNormal", "Laplace", "Exponential", "Gamma", "Bernoulli", "Geometric", "Poisson", "Categorical",
         "OneHotCategorical", "Independent", "MultivariateNormal"]  # fmt: skip


@pytest.mark.parametrize("name", MODES)
def test_modes(name):
    (_, ours, _, _), (_, theirs, _, _) = both(name)
    close(ours.mode, theirs.mode)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_mean_and_the_shape(name):
    minigrad.manual_seed(0)
    (_, ours, _, _), (_, theirs, _, _) = both(name)
    samples = ours.sample((4000,))
    assert samples.shape == tuple(theirs.sample((4000,)).shape) and not samples.requires_grad
    if theirs.has_rsample and ours.has_rsample:
        assert ours.rsample().requires_grad
    if "Cauchy" in name or type(ours).__name__ in ("Categorical", "TransformedDistribution"):
        return
    spread = 5 * ours.stddev.detach().numpy() / 4000**0.5
    assert (np.abs(samples.mean(0).numpy() - theirs.mean.detach().numpy()) <= spread + 1e-6).all()


def test_categories_are_drawn_as_often_as_they_are_likely():
    minigrad.manual_seed(0)
    drawn = minigrad.distributions.Categorical(minigrad.tensor([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])).sample((3000,))
    assert drawn.dtype == minigrad.int64
    shares = np.stack([(drawn.numpy() == k).mean(0) for k in range(3)], 1)
    np.testing.assert_allclose(shares, [[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], atol=0.04)


PAIRS = ["Normal", "LogNormal", "Laplace", "Uniform", "Exponential", "Gamma", "Beta", "Dirichlet", "Bernoulli",
         "Poisson", "Categorical", "Independent", "MultivariateNormal of a factor", "OneHotCategorical"]  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_divergences(name):
    make, parameters, _ = CASES[name]
    results = []
    for m in (minigrad, torch):
        p = make(m, *numbers(m, *parameters))
        q = make(m, *[x * 1.25 if name != "Uniform" else x * 2 for x in numbers(m, *parameters)])
        results.append(m.distributions.kl_divergence(p, q))
    close(*results)


def test_a_pair_without_a_divergence():
    p, q = minigrad.distributions.Poisson(1.0), minigrad.distributions.Beta(1.0, 1.0)
    with pytest.raises(NotImplementedError, match="No KL"):
        minigrad.distributions.kl_divergence(q, p)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda m: m.distributions.Normal(0.0, -1.0),
        lambda m: m.distributions.Normal(m.zeros(2), m.tensor([1.0, float("nan")])),
        lambda m: m.distributions.Categorical(m.tensor(1.0)),
        lambda m: m.distributions.Categorical(m.tensor([0.5, -0.5])),
        lambda m: m.distributions.Categorical(m.ones(3)).log_prob(m.tensor(3)),
        lambda m: m.distributions.Bernoulli(2.0),
        lambda m: m.distributions.Bernoulli(0.5).log_prob(m.tensor(0.5)),
        lambda m: m.distributions.Bernoulli(),
        lambda m: m.distributions.Uniform(1.0, 1.0),
        lambda m: m.distributions.Uniform(0.0, 1.0).log_prob(m.tensor(2.0)),
        lambda m: m.distributions.Normal(m.zeros(3), 1.0).log_prob(m.zeros(2)),
        lambda m: m.distributions.Normal(m.zeros(3), 1.0).log_prob(0.5),
        lambda m: m.distributions.MultivariateNormal(m.zeros(2)),
        lambda m: m.distributions.MultivariateNormal(m.zeros(2), -m.eye(2)),
        lambda m: m.distributions.Independent(m.distributions.Normal(0.0, 1.0), 1),
    ],
)
def test_misuse(misuse):
    with pytest.raises(Exception) as theirs:
        misuse(torch)
    with pytest.raises(type(theirs.value)) as ours:
        misuse(minigrad)
    assert str(ours.value).splitlines()[0].replace("minigrad.", "torch.") == str(theirs.value).splitlines()[0]


def test_checks_can_be_switched_off():
    assert minigrad.distributions.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
