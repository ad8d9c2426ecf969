"""max_pool2d, avg_pool2d and adaptive_avg_pool2d against torch, ties and NaN included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.testing import assert_close, check_op
from minigrad.testing.strategies import arrays, pool2d_geometries

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # infinities on purpose

MAX_POOLS = {
    "plain": ((2, 2, 4, 6), {"kernel_size": 2}),
    "overlap with padding": ((1, 2, 6, 5), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "rectangular": ((1, 2, 7, 8), {"kernel_size": (3, 2), "stride": (1, 3), "padding": (1, 0)}),
    "dilation": ((1, 1, 7, 8), {"kernel_size": (2, 3), "stride": 1, "dilation": (3, 2)}),
    "ceil_mode": ((1, 2, 5, 6), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "ceil_mode with padding": ((1, 1, 5, 5), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    "gaps": ((1, 1, 7, 7), {"kernel_size": 2, "stride": 3}),
    "unbatched": ((2, 4, 4), {"kernel_size": 2}),
    "no samples": ((0, 2, 4, 4), {"kernel_size": 2}),
}
AVG_POOLS = {
    **{k: v for k, v in MAX_POOLS.items() if k != "dilation"},
    "padding not counted": ((1, 2, 5, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    "own divisor": ((1, 2, 5, 6), {"kernel_size": 3, "stride": 1, "divisor_override": 7}),
    "ceil_mode, not counted": (
        (1, 1, 6, 6),
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
}
ADAPTIVE = {
    "to one": ((2, 2, 5, 4), 1),
    "uneven": ((1, 2, 5, 7), (2, 3)),
    "overlapping parts": ((1, 1, 5, 5), 3),
    "one size kept": ((1, 2, 4, 6), (None, 2)),
    "larger than the input": ((1, 1, 2, 3), (4, 5)),
    "unbatched": ((2, 5, 5), 2),
    "no samples": ((0, 2, 5, 5), 2),
}
CASES = {
    **{f"max, {k}": (s, lambda m, x, a=a: m.nn.functional.max_pool2d(x, **a)) for k, (s, a) in MAX_POOLS.items()},
    **{f"avg, {k}": (s, lambda m, x, a=a: m.nn.functional.avg_pool2d(x, **a)) for k, (s, a) in AVG_POOLS.items()},
    **{
        f"adaptive, {k}": (s, lambda m, x, n=n: m.nn.functional.adaptive_avg_pool2d(x, n))
        for k, (s, n) in ADAPTIVE.items()
    },
}


def distinct(shape, seed=0):
    """An array without ties, all gaps far larger than a finite difference."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) * 0.1 - 1.5


@pytest.mark.parametrize("name", CASES)
def test_passes_the_harness(name):
    shape, fn = CASES[name]
    x = mg.from_numpy(distinct(shape))

    def reference(x):
        return fn(torch, torch.from_numpy(np.array(x))).numpy()

    check_op(lambda x: fn(mg, x), x, reference=reference, linear=not name.startswith("max"), rtol=1e-5, atol=1e-6)
    agree(fn, distinct(shape, 1))


@given(st.data(), pool2d_geometries(), st.sampled_from(["float32", "float64"]))
def test_max_pooling_agrees_with_torch(data, geometry, dtype):
    x = data.draw(arrays(geometry.input_shape, dtype))
    if data.draw(st.booleans()):
        x = np.round(x)  # many ties
    agree(lambda m, x: m.nn.functional.max_pool2d(x, **geometry.settings, return_indices=True), x)


@given(st.data(), pool2d_geometries(dilated=False), st.booleans(), st.sampled_from([None, 3, -2]))
def test_average_pooling_agrees_with_torch(data, geometry, include, divisor):
    settings = geometry.settings | {"count_include_pad": include, "divisor_override": divisor}
    agree(lambda m, x: m.nn.functional.avg_pool2d(x, **settings), data.draw(arrays(geometry.input_shape)))


@given(st.data(), st.tuples(*[st.integers(1, 7)] * 2), st.tuples(*[st.integers(1, 8)] * 2))
def test_adaptive_pooling_agrees_with_torch(data, size, output_size):
    agree(lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, output_size), data.draw(arrays((2, 2, *size))))


SPECIAL = {
    "ties": np.ones((1, 1, 4, 4)),
    "all negative": -np.ones((1, 2, 4, 4)) * 7,
    "-inf": np.full((1, 1, 4, 4), -np.inf),
    "NaN": np.where(np.eye(4, dtype=bool), np.nan, 1.0)[None, None],
    "NaN before and after": np.array([[[[np.nan, 2.0, np.nan, 1.0]] * 4]]),
    "infinities": np.array([[[[np.inf, -np.inf], [1.0, np.inf]]]]),
    "negative zero": np.array([[[[-0.0, 0.0], [0.0, -0.0]]]]),
}


@pytest.mark.parametrize("array", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("settings", [{}, {"stride": 1}, {"stride": 1, "padding": 1}], ids=str)
def test_special_values_agree_with_torch(array, settings):
    agree(lambda m, x: m.nn.functional.max_pool2d(x, 2, **settings, return_indices=True), array)
    agree(lambda m, x: m.nn.functional.avg_pool2d(x, 2, **settings), array, order=1)


def test_the_mass_of_the_gradient_is_conserved():
    x = mg.from_numpy(distinct((2, 3, 6, 7))).requires_grad_()
    y = F.max_pool2d(x, 3, 2, 1)
    seed = mg.from_numpy(draw(y.shape))
    (dx,) = mg.autograd.grad(y, x, seed)
    assert_close(dx.sum((2, 3)), seed.sum((2, 3)), atol=1e-12)


def test_max_pooling_commutes_with_monotone_maps():
    x = mg.from_numpy(draw((2, 3, 6, 7)))
    assert_close(F.max_pool2d(x.exp(), 3, 2, 1), F.max_pool2d(x, 3, 2, 1).exp())


def test_average_pooling_is_a_convolution():
    x = mg.from_numpy(draw((2, 1, 6, 7)))
    weight = mg.full((1, 1, 3, 2), 1 / 6, dtype=mg.float64)
    assert_close(F.avg_pool2d(x, (3, 2), 2, (1, 1)), F.conv2d(x, weight, None, 2, (1, 1)), atol=1e-12)


def call(name, shape, *args, **settings):
    return lambda m: getattr(m.nn.functional, name)(m.ones(shape), *args, **settings)


MISUSE = {
    "kernel larger than the input": call("max_pool2d", (1, 1, 2, 2), 3),
    "averaging kernel larger than the input": call("avg_pool2d", (1, 1, 2, 2), 3),
    "padding beyond half the kernel": call("max_pool2d", (1, 1, 4, 4), 2, padding=2),
    "averaging padding beyond half the kernel": call("avg_pool2d", (1, 1, 4, 4), 2, padding=2),
    "rank": call("max_pool2d", (4, 4), 2),
    "zero stride": call("max_pool2d", (1, 1, 4, 4), 2, stride=0),
    "negative stride": call("avg_pool2d", (1, 1, 4, 4), 2, stride=-1),
    "zero dilation": call("max_pool2d", (1, 1, 4, 4), 2, dilation=0),
    "zero kernel": call("max_pool2d", (1, 1, 4, 4), 0),
    "zero divisor": call("avg_pool2d", (1, 1, 4, 4), 2, divisor_override=0),
    "no channels": call("max_pool2d", (1, 0, 4, 4), 2),
    "three kernel sizes": call("max_pool2d", (1, 1, 4, 4), (2, 2, 2)),
    "adaptive rank": call("adaptive_avg_pool2d", (4, 4), 2),
    "negative adaptive size": call("adaptive_avg_pool2d", (1, 1, 4, 4), -1),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_same_kind_of_error_as_torch(misuse):
    same_error(misuse, "")


@pytest.mark.parametrize("name", ["kernel larger than the input", "zero divisor"])
def test_same_beginning_of_the_error(name):
    same_error(
        MISUSE[name],
        {"zero divisor": "divisor must be not zero"}.get(name, "Given input size: (1x2x2). Calculated output"),
    )
