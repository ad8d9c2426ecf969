"""Pooling of every kind and rank against torch, ties and NaN included."""

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


def functional(m, name):
    return getattr(m.nn.functional, name)


RANKS = {
    "max_pool1d": ((2, 3, 9), (3, 2, 1, 2, True)),
    "max_pool3d": ((1, 2, 4, 5, 6), (2, (1, 2, 2), (1, 0, 1), (1, 2, 1))),
    "max_pool3d, unbatched": ((2, 4, 4, 4), (2,)),
    "max_pool1d_with_indices": ((3, 9), (2,)),
    "max_pool2d_with_indices": ((1, 2, 4, 5), ((2, 3), 1, 1)),
    "max_pool3d_with_indices": ((1, 2, 3, 4, 5), (2, 1)),
    "avg_pool1d": ((2, 3, 9), (3, 2, 1, True, False)),
    "avg_pool3d": ((1, 2, 4, 5, 6), (3, 2, 1, True, False)),
    "avg_pool3d, own divisor": ((1, 2, 4, 5, 6), (2, 1, 0, False, True, 3)),
    "adaptive_avg_pool1d": ((2, 3, 7), (3,)),
    "adaptive_avg_pool1d, nothing": ((2, 3, 7), (0,)),
    "adaptive_avg_pool3d": ((1, 2, 3, 4, 5), ((2, None, 7),)),
    "adaptive_max_pool1d": ((2, 3, 7), (3, True)),
    "adaptive_max_pool2d": ((2, 3, 7), (3, True)),
    "adaptive_max_pool2d, nothing": ((2, 3, 7), (0, True)),
    "adaptive_max_pool3d": ((1, 2, 3, 4, 5), ((2, None, 7), True)),
    "adaptive_max_pool2d_with_indices": ((1, 2, 3, 4), (2,)),
    "lp_pool1d": ((2, 3, 9), (3, 2, 1)),
    "lp_pool2d": ((2, 3, 5, 6), (2, (2, 3), 1, True)),
    "lp_pool2d, infinite": ((2, 3, 5, 6), (float("inf"), 2)),
    "lp_pool2d, minus infinity": ((2, 3, 5, 6), (-float("inf"), 2)),
    "lp_pool3d": ((1, 2, 3, 4, 4), (4, 2)),
}


@pytest.mark.parametrize("name", RANKS)
def test_every_rank_agrees_with_torch(name):
    shape, settings = RANKS[name]
    order = 0 if "nothing" in name else 2  # for which PyTorch has no gradient
    agree(lambda m, x: functional(m, name.split(",")[0])(x, *settings), distinct(shape), order=order)


@pytest.mark.parametrize("name", ["max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "adaptive_avg_pool1d"])
def test_some_are_functions_of_the_library_itself(name):
    shape = (1, 2, *[4] * int(name[-2]))
    agree(lambda m, x: getattr(m, name)(x, 2), distinct(shape))


def test_adaptive_max_pool1d_of_the_library_itself_gives_indices_too():
    agree(lambda m, x: m.adaptive_max_pool1d(x, 2), distinct((1, 2, 5)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_whole_numbers_are_pooled_as_by_torch(rank):
    x = np.random.default_rng(0).integers(-20, 20, (2, 3, *[5] * rank))
    agree(lambda m, x: functional(m, f"avg_pool{rank}d")(x, 3, 2, 1, True, False), x)
    agree(lambda m, x: functional(m, f"avg_pool{rank}d")(x, 2), x)
    if rank > 1:
        agree(lambda m, x: functional(m, f"max_pool{rank}d")(x, 3, 2, 1, return_indices=True), x.astype("int32"))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_puts_maxima_back(rank):
    def there_and_back(m, x, **sizes):
        y, indices = functional(m, f"max_pool{rank}d")(x, 2, return_indices=True)
        return functional(m, f"max_unpool{rank}d")(y, indices, 2, **sizes)

    agree(there_and_back, distinct((2, 3, *[4] * rank)))
    agree(there_and_back, distinct((3, *[4] * rank)))
    agree(lambda m, x: there_and_back(m, x, output_size=x.shape), distinct((1, 2, *[5] * rank)))
    agree(there_and_back, distinct((0, 2, *[4] * rank)))


def test_of_several_values_for_one_place_the_last_stays():
    """In PyTorch the threads race for it."""
    x = mg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], requires_grad=True)
    y = F.max_unpool2d(x, mg.tensor([[[[1, 1], [0, 1]]]]), 2)
    assert y.flatten().tolist() == [3.0, 4.0] + [0.0] * 14
    (y * mg.arange(16.0).reshape(1, 1, 4, 4)).sum().backward()
    assert x.grad.flatten().tolist() == [1.0, 1.0, 0.0, 1.0]
    backwards = [mg.from_numpy(np.array(v)[None, None, ::-1]) for v in ([4.0, 3.0, 2.0, 1.0], [1, 0, 1, 1])]
    assert F.max_unpool1d(*backwards, 2).flatten().tolist() == [3.0, 4.0] + [0.0] * 6


def test_the_median_of_windows_is_that_of_their_cells():
    x = mg.from_numpy(np.round(draw((2, 3, 6, 7)) * 2))
    columns = F.unfold(x, (3, 2), stride=(2, 1)).reshape(2, 3, 6, 2, 6)
    assert_close(F.median_pool2d(x, (3, 2), (2, 1)), np.sort(columns.numpy(), 2)[:, :, 2])
    corner = F.median_pool2d(x, 3, 3, 1)[:, :, 0, 0]
    assert_close(corner, np.sort(x[:, :, :2, :2].reshape(2, 3, 4).numpy(), 2)[:, :, 1])


def test_a_nan_makes_the_median_nan_and_takes_the_gradient():
    x = mg.tensor([[[1.0, float("nan"), 3.0, 4.0]]], requires_grad=True)
    y = F.median_pool2d(x, (1, 2))
    y.sum().backward()
    assert_close(y, np.array([[[np.nan, 3.0]]], "float32"), equal_nan=True)
    assert x.grad.tolist() == [[[0.0, 1.0, 1.0, 0.0]]]


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
    "line, kernel": call("max_pool1d", (1, 1, 2), 3),
    "line, padding": call("max_pool1d", (1, 1, 4), 2, padding=2),
    "line, rank": call("max_pool1d", (4,), 2),
    "line, stride": call("max_pool1d", (1, 1, 4), 2, stride=0),
    "line, kernel sizes": call("max_pool1d", (1, 1, 4), (2, 2)),
    "line, zero kernel": call("max_pool1d", (1, 1, 4), 0),
    "line, average": call("avg_pool1d", (1, 1, 2), 3),
    "line, average padding": call("avg_pool1d", (1, 1, 4), 2, padding=2),
    "line, average strides": call("avg_pool1d", (1, 1, 4), 2, stride=(1, 1)),
    "volume, kernel": call("max_pool3d", (1, 1, 2, 2, 2), 3),
    "volume, stride": call("max_pool3d", (1, 1, 4, 4, 4), 2, stride=-1),
    "volume, dilation": call("max_pool3d", (1, 1, 4, 4, 4), 2, dilation=0),
    "volume, rank": call("max_pool3d", (4, 4), 2),
    "volume, average of too little": call("avg_pool3d", (1, 1, 2, 2, 2), 3, padding=1),
    "negative padding": call("max_pool2d", (1, 1, 4, 4), 2, padding=-1),
    "adaptive maxima, rank": call("adaptive_max_pool2d", (4, 4), 2),
    "adaptive maxima, no channels": call("adaptive_max_pool2d", (1, 0, 4, 4), 2),
    "adaptive sizes": call("adaptive_avg_pool2d", (1, 1, 4, 4), (2, 2, 2)),
    "adaptive volume, nothing": call("adaptive_avg_pool3d", (1, 1, 0, 0, 0), 2),
    "average of bools": lambda m: m.nn.functional.avg_pool2d(m.ones(1, 1, 4, 4).bool(), 2),
    "norm 0": call("lp_pool2d", (1, 1, 4, 4), 0, 2),
    "norm of too little": call("lp_pool2d", (1, 1, 4, 4), 2, 5),
    "negative adaptive size": call("adaptive_avg_pool2d", (1, 1, 4, 4), -1),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_same_kind_of_error_as_torch(misuse):
    same_error(misuse, "")


def unpool(shape, index, kernel_size=2, name="max_unpool2d", **settings):
    return lambda m: getattr(m.nn.functional, name)(
        m.ones(shape), m.full(shape, index, dtype=m.int64), kernel_size, **settings
    )


UNPOOLINGS = {
    "index": unpool((1, 1, 2, 2), 16),
    "negative index": unpool((1, 1, 2, 2), -1),
    "size": unpool((1, 1, 2, 2), 0, output_size=[9, 9]),
    "sizes": unpool((1, 1, 2, 2), 0, output_size=[4, 4, 4]),
    "padding": unpool((1, 1, 2, 2), 0, padding=3),
    "volume, index": unpool((1, 1, 2, 2, 2), 64, name="max_unpool3d"),
    "volume, stride": unpool((1, 1, 2, 2, 2), 0, name="max_unpool3d", stride=0),
    "shapes": lambda m: m.nn.functional.max_unpool2d(m.ones(1, 1, 2, 2), m.zeros(1, 1, 3, 3, dtype=m.int64), 2),
}


@pytest.mark.parametrize("misuse", UNPOOLINGS.values(), ids=UNPOOLINGS)
def test_unpooling_raises_the_same_error_as_torch(misuse):
    same_error(misuse)


EXACT = [
    "line, kernel", "line, padding", "line, rank", "line, stride", "line, kernel sizes", "line, zero kernel",
    "line, average", "line, average padding", "line, average strides", "volume, kernel", "volume, stride",
    "volume, dilation", "volume, rank", "volume, average of too little", "negative padding", "adaptive maxima, rank",
    "adaptive maxima, no channels", "adaptive sizes", "adaptive volume, nothing", "norm of too little", "zero stride",
    "negative stride", "zero kernel", "three kernel sizes", "padding beyond half the kernel", "zero dilation",
    "no channels", "adaptive rank", "negative adaptive size", "rank",
]  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_same_first_line_of_the_error(name):
    same_error(MISUSE[name])


@pytest.mark.parametrize("name", ["kernel larger than the input", "zero divisor"])
def test_same_beginning_of_the_error(name):
    same_error(
        MISUSE[name],
        {"zero divisor": "divisor must be not zero"}.get(name, "Given input size: (1x2x2). Calculated output"),
    )
