"""Convolutions of every rank: against torch and scipy, to second order, and the properties that define them."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import agree, draw, same_error, torch

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.testing import assert_close, check_op
from minigrad.testing.strategies import arrays, conv2d_geometries

GEOMETRIES = {
    "plain": ((2, 2, 5, 4), (3, 2, 3, 3), {}),
    "1x1": ((2, 3, 3, 3), (2, 3, 1, 1), {}),
    "stride": ((1, 2, 6, 5), (2, 2, 3, 2), {"stride": (2, 3)}),
    "overlap with padding": ((1, 1, 6, 6), (2, 1, 3, 3), {"stride": 2, "padding": 1}),
    "padding": ((1, 2, 3, 4), (2, 2, 2, 3), {"padding": (1, 2)}),
    "dilation": ((1, 2, 6, 7), (2, 2, 2, 3), {"dilation": (2, 3)}),
    "same": ((1, 2, 4, 5), (2, 2, 3, 3), {"padding": "same"}),
    "same, even kernel": ((1, 2, 4, 5), (2, 2, 2, 4), {"padding": "same"}),
    "same, dilated": ((1, 1, 5, 5), (2, 1, 2, 2), {"padding": "same", "dilation": (3, 1)}),
    "valid": ((1, 2, 4, 5), (2, 2, 3, 3), {"padding": "valid"}),
    "groups": ((2, 4, 4, 4), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((1, 3, 5, 5), (3, 1, 3, 3), {"groups": 3, "stride": 2}),
    "kernel as large as the input": ((2, 2, 4, 3), (3, 2, 4, 3), {}),
    "more padding than kernel": ((1, 1, 2, 2), (1, 1, 2, 2), {"padding": 3, "stride": 2}),
    "stride beyond the kernel": ((1, 1, 7, 7), (1, 1, 2, 2), {"stride": 4}),
    "all together": (
        (2, 4, 7, 8),
        (2, 2, 2, 3),
        {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 2), "groups": 2},
    ),
    "unbatched": ((2, 5, 4), (3, 2, 3, 3), {"padding": 1}),
    "no samples": ((0, 2, 5, 4), (3, 2, 3, 3), {}),
}


def conv(m, x, w, b=None, **settings):
    return m.nn.functional.conv2d(x, w, b, **settings)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("settings", [{}, {"padding": 1}, {"stride": 2, "padding": 1}, {"groups": 2}], ids=str)
def test_numbers_that_are_not_finite_reach_their_windows_alone(settings, value):
    x, w = draw((1, 4, 5, 6)), draw((2, 4 // settings.get("groups", 1), 3, 3))
    for spoilt in (x, w):
        kept, spoilt[0, 1, 2, 1] = spoilt[0, 1, 2, 1], value
        agree(lambda m, x, w: conv(m, x, w, **settings), x, w, order=1)
        spoilt[0, 1, 2, 1] = kept
        kept, spoilt[0, 0, 0, 0] = spoilt[0, 0, 0, 0], value
        agree(lambda m, x, w: m.nn.functional.conv1d(x[:, :, 0], w[:, :, 0], **settings), x, w, order=1)
        spoilt[0, 0, 0, 0] = kept


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("shape, weight_shape, settings", GEOMETRIES.values(), ids=GEOMETRIES)
def test_passes_the_harness(shape, weight_shape, settings):
    arrays = [draw(shape, seed=1), draw(weight_shape, seed=2), draw(weight_shape[:1], seed=3)]

    def reference(x, w, b):
        return conv(torch, *[torch.from_numpy(np.array(a)) for a in (x, w, b)], **settings).numpy()

    inputs = [mg.from_numpy(a) for a in arrays]
    check_op(lambda x, w, b: conv(mg, x, w, b, **settings), *inputs, reference=reference, rtol=1e-4, atol=1e-5)
    check_op(lambda x, w: conv(mg, x, w, **settings), *inputs[:2], order=1, linear=True)
    agree(lambda m, x, w, b: conv(m, x, w, b, **settings), *arrays)


@given(st.data(), conv2d_geometries(), st.sampled_from(["float32", "float64"]), st.booleans())
def test_any_geometry_agrees_with_torch(data, geometry, dtype, bias):
    inputs = [data.draw(arrays(shape, dtype)) for shape in (geometry.input_shape, geometry.weight_shape)]
    inputs += [data.draw(arrays((geometry.weight_shape[0],), dtype))] if bias else []
    agree(lambda m, *xs: conv(m, *xs, **geometry.settings), *inputs)


RANKS = {
    "conv1d": ("conv1d", (2, 4, 7), (6, 2, 3), 6, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
    "conv1d, same": ("conv1d", (2, 2, 5), (3, 2, 4), 3, {"padding": "same", "dilation": 2}),
    "conv1d, unbatched": ("conv1d", (2, 5), (3, 2, 2), 3, {}),
    "conv3d": ("conv3d", (2, 2, 3, 4, 5), (3, 2, 2, 1, 3), 3, {"stride": (1, 2, 2), "padding": (1, 0, 2)}),
    "conv3d, grouped": ("conv3d", (1, 4, 2, 3, 3), (4, 2, 1, 2, 2), 4, {"groups": 2, "padding": "valid"}),
    "conv3d, unbatched": ("conv3d", (2, 2, 3, 3), (1, 2, 2, 2, 2), 1, {}),
    "conv_transpose1d": ("conv_transpose1d", (2, 3, 4), (3, 2, 3), 2, {"stride": 2, "padding": 1, "output_padding": 1}),
    "conv_transpose1d, dilated further": (
        "conv_transpose1d",
        (1, 2, 4),
        (2, 1, 3),
        1,
        {"output_padding": 2, "dilation": 3},
    ),
    "conv_transpose1d, unbatched": ("conv_transpose1d", (3, 4), (3, 2, 3), 2, {}),
    "conv_transpose2d": (
        "conv_transpose2d",
        (2, 4, 3, 4),
        (4, 3, 3, 2),
        6,
        {"stride": (3, 1), "padding": (2, 1), "output_padding": (1, 0), "groups": 2, "dilation": (1, 2)},
    ),
    "conv_transpose2d, much padding": ("conv_transpose2d", (1, 2, 4, 4), (2, 1, 2, 2), 1, {"padding": 2}),
    "conv_transpose2d, no samples": ("conv_transpose2d", (0, 2, 4, 4), (2, 1, 2, 2), 1, {}),
    "conv_transpose3d": (
        "conv_transpose3d",
        (1, 2, 2, 3, 2),
        (2, 2, 2, 1, 3),
        2,
        {"stride": (1, 2, 2), "padding": (0, 0, 1)},
    ),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("name, shape, weight_shape, channels, settings", RANKS.values(), ids=RANKS)
def test_every_rank_agrees_with_torch(name, shape, weight_shape, channels, settings):
    inputs = [draw(shape, seed=1), draw(weight_shape, seed=2), draw((channels,), seed=3)]
    agree(lambda m, x, w, b: getattr(m.nn.functional, name)(x, w, b, **settings), *inputs)
    agree(lambda m, x, w: getattr(m, name)(x, w, **settings), *inputs[:2])
    whole = [np.round(10 * a).astype("int64") for a in inputs]
    agree(lambda m, x, w, b: getattr(m.nn.functional, name)(x, w, b, **settings), *whole)


@given(st.data(), conv2d_geometries(), st.integers(0, 2))
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(data, geometry, extra):
    settings = dict(geometry.settings)
    if isinstance(settings.get("padding"), str):
        return
    x, w = (mg.from_numpy(draw(shape, seed=1)) for shape in (geometry.input_shape, geometry.weight_shape))
    y = F.conv2d(x, w, **settings)
    dy = mg.from_numpy(draw(tuple(y.shape), seed=2))
    pairs = (
        np.broadcast_to(settings.get(name, default), 2)
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    lost = [(n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in zip(x.shape[-2:], w.shape[-2:], *pairs)]
    dx = F.conv_transpose2d(dy, w, output_padding=tuple(map(int, lost)), **settings)
    assert_close((y * dy).sum(), (x * dx).sum(), rtol=1e-9, atol=1e-9)


UNFOLDINGS = {
    "plain": ((2, 3, 4, 5), (2, 3), {}),
    "all together": ((1, 2, 7, 6), (3, 2), {"dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}),
    "unbatched": ((2, 4, 4), 2, {"stride": 2}),
    "no samples": ((0, 2, 4, 4), 2, {}),
}


@pytest.mark.parametrize("shape, kernel, settings", UNFOLDINGS.values(), ids=UNFOLDINGS)
def test_unfold_and_fold_agree_with_torch(shape, kernel, settings):
    agree(lambda m, x: m.nn.functional.unfold(x, kernel, **settings), draw(shape))
    columns = F.unfold(mg.from_numpy(draw(shape)), kernel, **settings)
    agree(lambda m, y: m.nn.functional.fold(y, shape[-2:], kernel, **settings), draw(tuple(columns.shape)))
    bools = draw(shape) > 0
    agree(lambda m, x: m.nn.functional.unfold(x, kernel, **settings), bools)


def test_a_convolution_is_a_product_with_unfolded_windows():
    columns = F.unfold(X, (3, 2), padding=1)
    y = (W.reshape(6, -1) @ columns).reshape(2, 6, 7, 9)
    assert_close(F.conv2d(X, W, padding=1), y, atol=1e-12)


def test_third_order_agrees_with_torch():
    def third(m, x, w):
        y = (conv(m, x, w, stride=2, padding=1) ** 3).sum()
        (dx,) = m.autograd.grad(y, x, create_graph=True)
        (dw,) = m.autograd.grad((dx * dx).sum(), w, create_graph=True)
        return dw

    agree(third, draw((1, 2, 4, 4)), draw((2, 2, 3, 3)), order=1)


@pytest.mark.parametrize("frozen", ["x", "w", "b"])
def test_only_what_is_needed_is_differentiated(frozen):
    def fn(m, x, w, b):
        parts = {"x": x, "w": w, "b": b}
        parts[frozen] = parts[frozen].detach()
        return conv(m, parts["x"], parts["w"], parts["b"])

    agree(fn, draw((2, 2, 4, 4)), draw((3, 2, 3, 3)), draw((3,)))


# properties ---------------------------------------------------------------------------------------------------------

X, W = mg.from_numpy(draw((2, 4, 7, 8), seed=1)), mg.from_numpy(draw((6, 4, 3, 2), seed=2))


def test_it_is_the_correlation_of_scipy():
    signal = pytest.importorskip("scipy.signal")
    x, w = draw((1, 1, 7, 9)), draw((1, 1, 3, 4), seed=1)
    expected = signal.correlate2d(x[0, 0], w[0, 0], mode="valid")
    assert_close(F.conv2d(mg.from_numpy(x), mg.from_numpy(w))[0, 0], expected, atol=1e-12)


def test_stride_is_subsampling():
    assert_close(F.conv2d(X, W, stride=(2, 3)), F.conv2d(X, W)[:, :, ::2, ::3], atol=1e-12)


def test_dilation_is_a_kernel_with_holes():
    holes = mg.zeros(6, 4, 5, 4, dtype=mg.float64)
    holes[:, :, ::2, ::3] = W
    assert_close(F.conv2d(X, W, dilation=(2, 3)), F.conv2d(X, holes), atol=1e-12)


def test_padding_is_explicit_padding():
    assert_close(F.conv2d(X, W, padding=(1, 2)), F.conv2d(F.pad(X, (2, 2, 1, 1)), W), atol=1e-12)


def test_groups_are_a_block_diagonal_weight():
    w = W[:, :2]
    full = mg.zeros(6, 4, 3, 2, dtype=mg.float64)
    full[:3, :2], full[3:, 2:] = w[:3], w[3:]
    assert_close(F.conv2d(X, w, groups=2), F.conv2d(X, full), atol=1e-12)


def test_1x1_is_a_matrix_product():
    w = W[:, :, 0, 0]
    expected = (X.permute(0, 2, 3, 1) @ w.t()).permute(0, 3, 1, 2)
    assert_close(F.conv2d(X, w[:, :, None, None]), expected, atol=1e-12)


def test_it_commutes_with_shifts():
    shifted = F.conv2d(X[:, :, 1:, 2:], W)
    assert_close(shifted, F.conv2d(X, W)[:, :, 1:, 2:], atol=1e-12)


def test_the_unused_border_gets_no_gradient():
    x = mg.ones(1, 1, 6, 6, requires_grad=True)
    F.conv2d(x, mg.ones(1, 1, 2, 2), stride=4).sum().backward()
    assert x.grad[0, 0].sum(0).tolist() == [4.0, 4.0, 0.0, 0.0, 4.0, 4.0]


def test_gradient_accumulation_is_one_large_batch():
    whole, parts = (mg.nn.Parameter(W.clone()) for _ in range(2))
    (F.conv2d(X, whole) ** 2).sum().backward()
    for i in range(len(X)):
        (F.conv2d(X[i : i + 1], parts) ** 2).sum().backward()
    assert_close(parts.grad, whole.grad, atol=1e-10)


# misuse -------------------------------------------------------------------------------------------------------------


def call(shape, weight_shape, bias=None, **settings):
    def misuse(m):
        m.nn.functional.conv2d(m.ones(shape), m.ones(weight_shape), None if bias is None else m.ones(bias), **settings)

    return misuse


MISUSE = {
    "channels": call((1, 2, 4, 4), (3, 3, 3, 3)),
    "kernel larger than the input": call((1, 1, 2, 2), (1, 1, 3, 3)),
    "dilated kernel larger than the input": call((1, 1, 4, 4), (1, 1, 3, 3), dilation=2),
    "rank": call((4, 4), (1, 1, 3, 3)),
    "zero stride": call((1, 1, 4, 4), (1, 1, 2, 2), stride=0),
    "negative stride": call((1, 1, 4, 4), (1, 1, 2, 2), stride=-1),
    "negative padding": call((1, 1, 4, 4), (1, 1, 2, 2), padding=-1),
    "zero dilation": call((1, 1, 4, 4), (1, 1, 2, 2), dilation=0),
    "zero groups": call((1, 1, 4, 4), (1, 1, 2, 2), groups=0),
    "groups that do not divide the filters": call((1, 4, 4, 4), (3, 2, 2, 2), groups=2),
    "bias": call((1, 1, 4, 4), (2, 1, 2, 2), (3,)),
    "three strides": call((1, 1, 4, 4), (1, 1, 2, 2), stride=(1, 1, 1)),
    "same with stride": call((1, 1, 4, 4), (1, 1, 2, 2), padding="same", stride=2),
    "unknown padding": call((1, 1, 4, 4), (1, 1, 2, 2), padding="full"),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_same_error_as_torch(misuse):
    same_error(misuse)


def of(name, *shapes, **settings):
    return lambda m: getattr(m.nn.functional, name)(*[m.ones(*shape) for shape in shapes], **settings)


RANK_MISUSE = {
    "conv1d rank": of("conv1d", (4,), (1, 1, 2)),
    "conv3d rank": of("conv3d", (4, 4), (1, 1, 2, 2, 2)),
    "weight rank": of("conv1d", (1, 1, 4), (2, 2)),
    "conv3d kernel": of("conv3d", (1, 1, 2, 2, 2), (1, 1, 3, 3, 3)),
    "conv1d stride": of("conv1d", (1, 1, 4), (1, 1, 2), stride=0),
    "no filters": of("conv1d", (1, 1, 4), (0, 1, 2)),
    "padded nothing": of("conv2d", (1, 1, 0, 0), (1, 1, 2, 2), padding=1),
    "transposed rank": of("conv_transpose2d", (4, 4), (1, 1, 2, 2)),
    "transposed channels": of("conv_transpose2d", (1, 2, 4, 4), (3, 2, 2, 2)),
    "transposed bias": of("conv_transpose2d", (1, 1, 4, 4), (1, 2, 2, 2), (3,)),
    "transposed groups": of("conv_transpose1d", (1, 4, 4), (3, 2, 2), groups=2),
    "transposed stride": of("conv_transpose1d", (1, 1, 4), (1, 1, 2), stride=-1),
    "transposed padding": of("conv_transpose1d", (1, 1, 4), (1, 1, 2), padding=-1),
    "too much padding": of("conv_transpose2d", (1, 1, 4, 4), (1, 1, 2, 2), padding=3),
    "negative output padding": of("conv_transpose1d", (1, 1, 4), (1, 1, 2), output_padding=-1),
    "output paddings": of("conv_transpose1d", (1, 1, 4), (1, 1, 2), output_padding=(0, 0)),
    "output padding": of("conv_transpose2d", (1, 1, 4, 4), (1, 1, 2, 2), output_padding=1),
    "output padding of a line": of("conv_transpose1d", (1, 1, 4), (1, 1, 2), output_padding=3, stride=3, dilation=2),
    "output padding of a volume": of("conv_transpose3d", (1, 1, 4, 4, 4), (1, 1, 2, 2, 2), output_padding=1),
    "kernel of nothing": of("conv2d", (1, 1, 4, 4), (1, 1, 0, 0)),
    "kernel of nothing on a line": of("conv1d", (1, 1, 4), (1, 1, 0)),
    "unfold, kernel": of("unfold", (1, 1, 4, 4), kernel_size=5),
    "unfold, zero kernel": of("unfold", (1, 1, 4, 4), kernel_size=0),
    "unfold, zero dilation": of("unfold", (1, 1, 4, 4), kernel_size=2, dilation=0),
    "unfold, zero stride": of("unfold", (1, 1, 4, 4), kernel_size=2, stride=0),
    "unfold, negative padding": of("unfold", (1, 1, 4, 4), kernel_size=2, padding=-1),
    "unfold, three kernel sizes": of("unfold", (1, 1, 4, 4), kernel_size=(2, 2, 2)),
    "unfold, rank": of("unfold", (1, 1, 4, 4, 4), kernel_size=2),
    "unfold, no channels": of("unfold", (1, 0, 4, 4), kernel_size=2),
    "fold, rank": of("fold", (4,), output_size=4, kernel_size=2),
    "fold, windows": of("fold", (1, 4, 8), output_size=4, kernel_size=2),
    "fold, channels": of("fold", (1, 5, 9), output_size=4, kernel_size=2),
    "fold, unbatched windows": of("fold", (4, 8), output_size=4, kernel_size=2),
}


@pytest.mark.parametrize("misuse", RANK_MISUSE.values(), ids=RANK_MISUSE)
def test_every_rank_raises_the_same_error_as_torch(misuse):
    same_error(misuse)


def float64_input_for_float32_weights(m):
    m.nn.functional.conv2d(m.ones(1, 1, 4, 4, dtype=m.float64), m.ones(1, 1, 2, 2))


def test_dtypes_must_be_equal():
    same_error(float64_input_for_float32_weights, "")
    same_error(lambda m: m.nn.functional.conv2d(m.ones(1, 1, 4, 4).bool(), m.ones(1, 1, 2, 2).bool()), "")


HUGE = {
    "dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), dilation=2**62),
    "padding": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding=2**40),
    "padding and dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding=2**62, dilation=2**62),
    "same with dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding="same", dilation=2**62),
    "pooling padding": lambda: F.max_pool2d(mg.ones(1, 1, 4, 4), 2**41, padding=2**40),
    "pooling dilation": lambda: F.max_pool2d(mg.ones(1, 1, 4, 4), 2, dilation=2**62),
    "pooling kernel": lambda: F.avg_pool2d(mg.ones(1, 1, 4, 4), 2**62),
    "adaptive size": lambda: F.adaptive_avg_pool2d(mg.ones(1, 1, 4, 4), 2**40),
    "line": lambda: F.conv1d(mg.ones(1, 1, 4), mg.ones(1, 1, 2), padding=2**40),
    "volume": lambda: F.conv3d(mg.ones(1, 1, 4, 4, 4), mg.ones(1, 1, 2, 2, 2), padding=2**20),
    "transposed stride": lambda: F.conv_transpose2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), stride=2**62),
    "transposed dilation": lambda: F.conv_transpose1d(mg.ones(1, 1, 4), mg.ones(1, 1, 2), dilation=2**62),
    "transposed padding": lambda: F.conv_transpose1d(mg.ones(1, 1, 4), mg.ones(1, 1, 2), padding=2**62),
    "unfolded padding": lambda: F.unfold(mg.ones(1, 1, 4, 4), 2, padding=2**40),
    "unfolded kernel": lambda: F.unfold(mg.ones(1, 1, 4, 4), 2**40),
    "unfolded to too much": lambda: F.unfold(mg.ones(1, 1, 4, 4), 2**15, padding=2**15),
    "folded size": lambda: F.fold(mg.ones(1, 1, 9), 2**40, 1),
    "folded padding": lambda: F.fold(mg.ones(1, 4, 9), 4, 2, padding=2**40),
    "unpooled size": lambda: F.max_unpool2d(mg.ones(1, 1, 2, 2), mg.zeros(1, 1, 2, 2).long(), 2**40),
    "line pooling": lambda: F.max_pool1d(mg.ones(1, 1, 4), 2**62, padding=2**61),
    "volume pooling": lambda: F.avg_pool3d(mg.ones(1, 1, 4, 4, 4), 2**40),
    "adaptive maxima": lambda: F.adaptive_max_pool2d(mg.ones(1, 1, 4, 4), 2**40),
    "median": lambda: F.median_pool2d(mg.ones(1, 1, 4, 4), 2**40, padding=2**39),
    "interpolated size": lambda: F.interpolate(mg.ones(1, 1, 4, 4), 2**40),
    "interpolated scale": lambda: F.interpolate(mg.ones(1, 1, 4, 4), scale_factor=1e30),
    "interpolated area": lambda: F.interpolate(mg.ones(1, 1, 4, 4), 2**40, mode="area"),
    "reflection": lambda: F.pad(mg.ones(1, 1, 4), (2**40, 0), "reflect"),
    "replication": lambda: F.pad(mg.ones(1, 1, 4), (2**40, 0), "replicate"),
    "affine grid": lambda: F.affine_grid(mg.ones(1, 2, 3), (1, 1, 2**40, 2), align_corners=True),
    "explicit padding": lambda: F.pad(mg.ones(1, 1, 4, 4), (2**40, 0)),
}


@pytest.mark.parametrize("call", HUGE.values(), ids=HUGE)
def test_absurd_geometry_is_refused_before_anything_is_allocated(call):
    tracemalloc.start()
    try:
        start = time.thread_time()
        with pytest.raises(RuntimeError, match=r"(?i)size|large|pad|small|overflow"):
            call()
        elapsed, (_, peak) = time.thread_time() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert elapsed < 1 and peak < 1 << 20


def test_the_largest_stride_is_harmless():
    x, w = draw((1, 1, 4, 4)), draw((1, 1, 2, 2))
    y = F.conv2d(mg.from_numpy(x), mg.from_numpy(w), stride=2**62)
    assert_close(y, (x[:, :, :2, :2] * w).sum((1, 2, 3), keepdims=True))
