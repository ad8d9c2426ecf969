"""Random numbers on the GPU: reproducible streams, their distributions, and generators on the wrong device."""

import numpy as np
import pytest
from scipy import stats

import minigrad as mg
from minigrad.kernels.reference.random import philox
from minigrad.ops.counter_stream import CounterStream

DRAWS = {
    "rand": (lambda n, g: mg.rand(n, generator=g, device="cuda"), stats.uniform().cdf),
    "rand64": (lambda n, g: mg.rand(n, generator=g, device="cuda", dtype=mg.float64), stats.uniform().cdf),
    "randn": (lambda n, g: mg.randn(n, generator=g, device="cuda"), stats.norm().cdf),
    "exponential": (lambda n, g: mg.empty(n, device="cuda").exponential_(2.0, generator=g), stats.expon(0, 0.5).cdf),
    "cauchy": (lambda n, g: mg.empty(n, device="cuda").cauchy_(1.0, 2.0, generator=g), stats.cauchy(1, 2).cdf),
    "log_normal": (
        lambda n, g: mg.empty(n, device="cuda").log_normal_(0.0, 0.5, generator=g),
        stats.lognorm(0.5).cdf,
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_distributions(name):
    draw, cdf = DRAWS[name]
    values = draw(20001, mg.Generator(device="cuda").manual_seed(5)).cpu().numpy()
    assert stats.kstest(values, cdf).pvalue > 1e-4


def test_whole_numbers_are_even_and_permutations_are_ones():
    counts = mg.randint(7, (7000,), device="cuda", generator=mg.Generator("cuda").manual_seed(1)).bincount()
    assert stats.chisquare(counts.cpu().numpy()).pvalue > 1e-4
    assert sorted(mg.randperm(50, device="cuda").tolist()) == list(range(50))
    low = mg.randint(-3, 2, (500,), device="cuda")
    assert low.min().item() == -3 and low.max().item() == 1
    tosses = mg.bernoulli(mg.full((4000,), 0.25, device="cuda"))
    assert 0.2 < tosses.mean().item() < 0.3
    picks = mg.multinomial(mg.tensor([0.0, 1.0, 3.0], device="cuda"), 2)
    assert sorted(picks.tolist()) == [1, 2]


def test_the_same_seed_gives_the_same_numbers_and_states_go_back():
    draws = [mg.rand(5, device="cuda", generator=mg.Generator("cuda").manual_seed(3)).tolist() for _ in range(2)]
    assert draws[0] == draws[1]
    generator = mg.Generator("cuda")
    mg.randn(7, device="cuda", generator=generator)
    state = generator.get_state()
    assert state.is_cpu and state.dtype == mg.uint8 and len(state) == 16
    first = mg.rand(3, device="cuda", generator=generator)
    assert (generator.set_state(state), mg.rand(3, device="cuda", generator=generator))[1].tolist() == first.tolist()
    assert mg.rand(3, device="cuda", generator=generator.clone_state()).tolist() != first.tolist()
    with pytest.raises(RuntimeError, match=r"^RNG state is wrong size"):
        generator.set_state(mg.zeros(112, dtype=mg.uint8))


def test_manual_seed_seeds_both_devices():
    mg.manual_seed(4)
    first = mg.rand(2).tolist(), mg.rand(2, device="cuda").tolist()
    mg.manual_seed(4)
    assert (mg.rand(2).tolist(), mg.rand(2, device="cuda").tolist()) == first
    mg.cuda.manual_seed_all(9)
    state = mg.cuda.get_rng_state()
    dropped = mg.nn.functional.dropout(mg.ones(64, device="cuda"))
    mg.cuda.set_rng_state(state)
    again = mg.nn.functional.dropout(mg.ones(64, device="cuda"))
    assert dropped.tolist() == again.tolist() and set(dropped.tolist()) == {0.0, 2.0}
    assert mg.cuda.initial_seed() == 9


def test_a_generator_of_the_wrong_device():
    with pytest.raises(RuntimeError, match=r"^Expected a 'cuda' device type for generator but found 'cpu'"):
        mg.rand(2, device="cuda", generator=mg.Generator())
    with pytest.raises(RuntimeError, match=r"^Expected a 'cpu' device type for generator but found 'cuda'"):
        mg.rand(2, generator=mg.Generator("cuda"))


@pytest.mark.parametrize(
    "make, cdf",
    [
        (lambda d, one: d.Poisson(3 * one), stats.poisson(3).cdf),
        (lambda d, one: d.Binomial(7, 0.25 * one), stats.binom(7, 0.25).cdf),
        (lambda d, one: d.Geometric(0.25 * one), lambda k: stats.geom(0.25).cdf(k + 1)),
        (lambda d, one: d.Gamma(2 * one, 4 * one), stats.gamma(2, scale=0.25).cdf),
        (lambda d, one: d.Beta(2 * one, 3 * one), stats.beta(2, 3).cdf),
        (lambda d, one: d.Exponential(2 * one), stats.expon(scale=0.5).cdf),
        (lambda d, one: d.Laplace(one, 2 * one), stats.laplace(1, 2).cdf),
        (lambda d, one: d.Dirichlet(mg.stack([one, 2 * one])), None),
    ],
)
def test_distributions_of_parameters_on_the_gpu(make, cdf):
    distribution, found = make(mg.distributions, mg.ones((), device="cuda")), []
    for seed in (3, 3, 4):
        mg.cuda.manual_seed(seed)
        found.append(distribution.sample((2000,)))
        assert found[-1].is_cuda
    assert found[0].tolist() == found[1].tolist() != found[2].tolist() != distribution.sample((2000,)).tolist()
    if cdf is None:
        np.testing.assert_allclose(found[0].sum(-1).cpu().numpy(), 1, rtol=1e-5)
        return
    values, counts = np.unique(found[0].cpu().numpy(), return_counts=True)
    assert np.abs(np.cumsum(counts) / 2000 - cdf(values)).max() < 0.05


def test_poisson_numbers_have_the_rates_of_their_elements():
    rates = mg.tensor([0.0, 1000.0], device="cuda")
    drawn = mg.poisson(rates)
    assert drawn.is_cuda and drawn[0].item() == 0 and 800 < drawn[1].item() < 1200
    with (
        pytest.raises(RuntimeError, match="not permitted when stream is capturing"),
        mg.cuda.graph(mg.cuda.CUDAGraph()),
    ):
        mg.poisson(rates)


def test_philox_gives_the_published_numbers():
    """Random123's known answers for philox4x32-10."""
    for counter, key, answer in (
        ((0,) * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF, 0xFFFFFFFF), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ):  # fmt: skip
        assert " ".join(f"{word:08x}" for word in philox(counter, key)) == answer


def test_draws_go_on_in_the_stream_and_use_no_number_twice():
    def stream(seed=5, place=0):
        made = CounterStream(seed)
        made.start(seed, place)
        return made

    whole, parts = stream(), stream()
    joined = [number for count in (8, 4, 20) for number in parts.random(count, np.float32).tolist()]
    assert joined == whole.random(32, np.float32).tolist() and parts.place() == whole.place() == 8
    parts.random(5, np.float32)
    assert parts.place() == 10, "blocks of four words, of which the last is not used up"
    normals = stream().standard_normal(1001).tolist()
    assert len(set(normals)) == 1001
    assert abs(np.corrcoef(normals[:500], normals[501:])[0, 1]) < 0.2, "the two of a pair are independent"
    words = stream(5 | 7 << 32, 3 | 1 << 32).random(4, np.float32).tolist()
    assert words == [word // 256 / 2**24 for word in philox((3, 1, 0, 0), (5, 7))]


def test_numbers_of_trials():
    trials = mg.empty(4000, device="cuda").geometric_(0.25, generator=mg.Generator("cuda").manual_seed(1)).cpu().numpy()
    counts = [(trials == k).sum() for k in range(1, 6)]
    expected = 4000 * stats.geom(0.25).pmf(range(1, 6))
    assert stats.chisquare([*counts, 4000 - sum(counts)], [*expected, 4000 - sum(expected)]).pvalue > 1e-4
