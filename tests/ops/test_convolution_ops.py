"""conv2d: against torch and scipy, in every geometry, to second order, and the properties that define it."""

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


def float64_input_for_float32_weights(m):
    m.nn.functional.conv2d(m.ones(1, 1, 4, 4, dtype=m.float64), m.ones(1, 1, 2, 2))


def integers(m):
    m.nn.functional.conv2d(m.ones(1, 1, 4, 4, dtype=m.int64), m.ones(1, 1, 2, 2, dtype=m.int64))


def test_dtypes_must_be_floating_and_equal():
    same_error(float64_input_for_float32_weights, "")
    with pytest.raises(RuntimeError, match="conv2d needs floating-point tensors, but got int64"):
        integers(mg)


HUGE = {
    "dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), dilation=2**62),
    "padding": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding=2**40),
    "padding and dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding=2**62, dilation=2**62),
    "same with dilation": lambda: F.conv2d(mg.ones(1, 1, 4, 4), mg.ones(1, 1, 2, 2), padding="same", dilation=2**62),
    "pooling padding": lambda: F.max_pool2d(mg.ones(1, 1, 4, 4), 2**41, padding=2**40),
    "pooling dilation": lambda: F.max_pool2d(mg.ones(1, 1, 4, 4), 2, dilation=2**62),
    "pooling kernel": lambda: F.avg_pool2d(mg.ones(1, 1, 4, 4), 2**62),
    "adaptive size": lambda: F.adaptive_avg_pool2d(mg.ones(1, 1, 4, 4), 2**40),
    "explicit padding": lambda: F.pad(mg.ones(1, 1, 4, 4), (2**40, 0)),
}


@pytest.mark.parametrize("call", HUGE.values(), ids=HUGE)
def test_absurd_geometry_is_refused_before_anything_is_allocated(call):
    tracemalloc.start()
    try:
        start = time.perf_counter()
        with pytest.raises(RuntimeError, match=r"size|large|pad"):
            call()
        elapsed, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert elapsed < 0.1 and peak < 1 << 20


def test_the_largest_stride_is_harmless():
    x, w = draw((1, 1, 4, 4)), draw((1, 1, 2, 2))
    y = F.conv2d(mg.from_numpy(x), mg.from_numpy(w), stride=2**62)
    assert_close(y, (x[:, :, :2, :2] * w).sum((1, 2, 3), keepdims=True))
