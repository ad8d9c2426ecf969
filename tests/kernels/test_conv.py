"""Convolution kernels against the literal loops, against torch, and against each other."""

import os
import subprocess
import sys
import textwrap
from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import arrays

from minigrad.kernels import cpu, reference, winograd

DTYPES = st.sampled_from([np.float32, np.float64])


class Geometry(NamedTuple):
    x_shape: tuple
    weight_shape: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int

    @property
    def arguments(self):
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def y_shape(self):
        output = (
            (size + sum(p) - d * (k - 1) - 1) // s + 1
            for size, k, s, p, d in zip(
                self.x_shape[2:], self.weight_shape[2:], self.stride, self.padding, self.dilation
            )
        )
        return (self.x_shape[0], self.weight_shape[0], *output)


@st.composite
def geometries(draw, most_channels=4, most_size=5, least_batch=0):
    rank = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    channels, filters = draw(st.integers(1, most_channels)), draw(st.integers(1, most_channels))
    axes = []
    for _ in range(rank):
        kernel, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        padding = (draw(st.integers(0, 2)), draw(st.integers(-1, 2)))
        least = max(1, dilation * (kernel - 1) + 1 - sum(padding))
        axes.append((least + draw(st.integers(0, most_size)), kernel, draw(st.integers(1, 3)), padding, dilation))
    size, kernel, stride, padding, dilation = zip(*axes)
    batch = draw(st.integers(least_batch, 3))
    return Geometry(
        (batch, channels * groups, *size), (filters * groups, channels, *kernel), stride, padding, dilation, groups
    )


def tolerance(dtype):
    return {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}


def assert_close(result, expected):
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, **tolerance(result.dtype))


def is_channels_last(y):
    return np.moveaxis(y, 1, -1).flags.c_contiguous


def torch_gradients(x, weight, bias, dy, geometry):
    """(y, dx, dweight) in float64 by torch, padding done by hand since torch's is symmetric."""
    torch = pytest.importorskip("torch")
    rank = x.ndim - 2
    tensors = [torch.from_numpy(array.astype(np.float64)).requires_grad_() for array in (x, weight)]
    pad = [amount for pair in reversed(geometry.padding) for amount in pair]
    convolution = getattr(torch.nn.functional, f"conv{rank}d")
    y = convolution(
        torch.nn.functional.pad(tensors[0], pad), tensors[1], torch.from_numpy(bias.astype(np.float64)),
        geometry.stride, 0, geometry.dilation, geometry.groups,
    )  # fmt: skip
    gradients = torch.autograd.grad(y, tensors, torch.from_numpy(dy.astype(np.float64)))
    return [tensor.detach().numpy() for tensor in (y, *gradients)]


@given(st.data(), DTYPES)
def test_agrees_with_reference(data, dtype):
    geometry = data.draw(geometries(most_channels=2, most_size=2))
    x, weight = data.draw(arrays(geometry.x_shape, dtype)), data.draw(arrays(geometry.weight_shape, dtype))
    bias = data.draw(st.none() | arrays(geometry.weight_shape[:1], dtype))
    y = cpu.conv_forward(x, weight, bias, *geometry.arguments)
    assert y.shape == geometry.y_shape
    assert is_channels_last(y)
    assert_close(y, reference.conv_forward(x, weight, bias, *geometry.arguments))
    dy = data.draw(arrays(geometry.y_shape, dtype))
    dx = cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments)
    assert is_channels_last(dx)
    assert_close(dx, reference.conv_input_grad(dy, weight, x.shape, *geometry.arguments))
    dw = cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments)
    assert dw.flags.c_contiguous
    assert_close(dw, reference.conv_weight_grad(dy, x, weight.shape, *geometry.arguments))
    assert_close(cpu.channel_sum(dy), reference.channel_sum(dy))


@given(st.data(), DTYPES)
def test_agrees_with_torch(data, dtype):
    geometry = data.draw(geometries(most_channels=40, most_size=12, least_batch=1))
    x, weight = data.draw(arrays(geometry.x_shape, dtype)), data.draw(arrays(geometry.weight_shape, dtype))
    bias, dy = data.draw(arrays(geometry.weight_shape[:1], dtype)), data.draw(arrays(geometry.y_shape, dtype))
    y, dx, dw = torch_gradients(x, weight, bias, dy, geometry)
    results = (
        cpu.conv_forward(x, weight, bias, *geometry.arguments),
        cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
        cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments),
    )
    for result, expected in zip(results, (y, dx, dw)):
        assert result.dtype == dtype
        scale = max(1, abs(expected).max(initial=0))
        np.testing.assert_allclose(result / scale, expected / scale, **tolerance(dtype))


# Shapes that reach every tile, every tail, blocked depth, images treated as one, and parallel runs.
LARGE = {
    "LeNet 1": Geometry((64, 1, 32, 32), (6, 1, 5, 5), (1, 1), ((0, 0),) * 2, (1, 1), 1),
    "LeNet 2": Geometry((64, 6, 14, 14), (16, 6, 5, 5), (1, 1), ((0, 0),) * 2, (1, 1), 1),
    "LeNet 3": Geometry((64, 16, 5, 5), (120, 16, 5, 5), (1, 1), ((0, 0),) * 2, (1, 1), 1),
    "overlapping runs": Geometry((3, 5, 11, 13), (40, 5, 3, 5), (1, 1), ((1, 1), (2, 1)), (2, 1), 1),
    "prime batch": Geometry((13, 20, 6, 7), (33, 20, 3, 2), (1, 2), ((1, 1), (0, 1)), (1, 1), 1),
    "deep": Geometry((3, 300, 8, 7), (70, 300, 3, 3), (1, 1), ((1, 1),) * 2, (1, 1), 1),
    "pointwise": Geometry((2, 1100, 9, 9), (50, 1100, 1, 1), (1, 1), ((0, 0),) * 2, (1, 1), 1),
    "stride 2": Geometry((4, 16, 33, 32), (48, 16, 3, 3), (2, 2), ((1, 1),) * 2, (1, 1), 1),
    "few channels": Geometry((4, 3, 17, 30), (5, 3, 3, 4), (2, 2), ((1, 1), (3, 1)), (1, 1), 1),
    "groups": Geometry((4, 24, 20, 20), (36, 6, 3, 3), (1, 1), ((1, 1),) * 2, (2, 2), 4),
    "depthwise": Geometry((4, 50, 20, 20), (50, 1, 3, 3), (1, 1), ((1, 1),) * 2, (1, 1), 50),
    "wide depthwise": Geometry((3, 160, 19, 23), (160, 1, 3, 3), (2, 1), ((1, 1), (2, 2)), (1, 2), 160),
    "stem": Geometry((2, 3, 31, 37), (40, 3, 7, 7), (2, 2), ((3, 3),) * 2, (1, 1), 1),
    "stride 4": Geometry((2, 3, 43, 47), (24, 3, 11, 11), (4, 4), ((0, 0), (2, 2)), (1, 1), 1),
    "Winograd": Geometry((3, 160, 13, 18), (144, 160, 3, 3), (1, 1), ((1, 1), (0, 2)), (1, 1), 1),
    "Winograd dilated": Geometry((2, 80, 23, 31), (96, 80, 3, 3), (1, 1), ((2, 3), (1, 0)), (2, 3), 1),
    "line": Geometry((5, 9, 400), (80, 9, 7), (3,), ((3, 2),), (2,), 1),
    "volume": Geometry((2, 5, 9, 10, 11), (21, 5, 3, 2, 3), (2, 1, 2), ((1, 0), (0, 1), (1, 1)), (1, 2, 1), 1),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_shapes_agree_with_torch(name, dtype):
    geometry = LARGE[name]
    rng = np.random.default_rng(0)
    x, weight, bias, dy = (
        rng.standard_normal(shape).astype(dtype)
        for shape in (geometry.x_shape, geometry.weight_shape, geometry.weight_shape[:1], geometry.y_shape)
    )
    expected = torch_gradients(x, weight, bias, dy, geometry)
    results = (
        cpu.conv_forward(x, weight, bias, *geometry.arguments),
        cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
        cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments),
    )
    for result, wanted in zip(results, expected):
        assert abs(result - wanted).max() <= abs(wanted).max() * 200 * np.finfo(dtype).eps


@given(st.data(), DTYPES)
def test_the_three_are_adjoint(data, dtype):
    geometry = data.draw(geometries(most_channels=20, most_size=9, least_batch=1))
    x, weight = data.draw(arrays(geometry.x_shape, dtype)), data.draw(arrays(geometry.weight_shape, dtype))
    dy = data.draw(arrays(geometry.y_shape, dtype))
    y = cpu.conv_forward(x, weight, None, *geometry.arguments)
    dx = cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments)
    dw = cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments)
    products = [np.vdot(a.astype(np.float64), b) for a, b in ((y, dy), (x, dx), (weight, dw))]
    size = np.linalg.norm(y.astype(np.float64)) * np.linalg.norm(dy.astype(np.float64)) + 1e-30
    assert max(products) - min(products) <= 10 * np.finfo(dtype).eps * size


@pytest.mark.parametrize("name", LARGE)
def test_the_number_of_threads_changes_no_bit(name):
    geometry = LARGE[name]
    rng = np.random.default_rng(0)
    x, weight, dy = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in (geometry.x_shape, geometry.weight_shape, geometry.y_shape)
    )

    def run():
        return (
            cpu.conv_forward(x, weight, None, *geometry.arguments),
            cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
            cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments),
            cpu.channel_sum(dy),
        )

    threads = numba.get_num_threads()
    several = run()
    numba.set_num_threads(1)
    try:
        alone = run()
    finally:
        numba.set_num_threads(threads)
    for one, many in zip(alone, several):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("name", ["Winograd", "Winograd dilated"])
def test_winograd_is_a_choice(name):
    geometry = LARGE[name]
    rng = np.random.default_rng(0)
    x, weight, bias, dy = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in (geometry.x_shape, geometry.weight_shape, geometry.weight_shape[:1], geometry.y_shape)
    )

    def run():
        return (
            cpu.conv_forward(x, weight, bias, *geometry.arguments),
            cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
            cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments),
        )

    with winograd(False):
        direct = run()
        with winograd(True):
            fast = run()
        for again, first in zip(run(), direct):
            np.testing.assert_array_equal(again, first)
    for result, other, exact in zip(fast, direct, torch_gradients(x, weight, bias, dy, geometry)):
        assert (result != other).any()
        for values in (result, other):
            assert abs(values - exact).max() <= 5e-6 * abs(exact).max()


def test_winograd_keeps_infinities_in_their_place():
    geometry = LARGE["Winograd"]
    x, weight = np.ones(geometry.x_shape, np.float32), np.ones(geometry.weight_shape, np.float32)
    x[1, 5, 7, 7] = np.inf
    y = cpu.conv_forward(x, weight, None, *geometry.arguments)
    assert np.isinf(y[1, :, 6:9, 5:8]).all()
    assert np.isfinite(y).sum() == y.size - 9 * len(weight)
    x[1, 5, 7, 7], x[1, 5, 0, 0] = 1, np.inf
    dw = cpu.conv_weight_grad(np.ones_like(y), x, weight.shape, *geometry.arguments)
    assert np.isinf(dw[:, 5, :2, 0]).all()
    assert np.isfinite(dw).sum() == dw.size - 2 * len(weight)


def float32_errors(x, weight, dy, geometry):
    """The largest errors of y, dx and dw in terms of the largest number, of the kernels and of torch in float32."""
    torch = pytest.importorskip("torch")
    exact = torch_gradients(x, weight, np.zeros(len(weight)), dy, geometry)
    tensors = [torch.from_numpy(array).requires_grad_() for array in (x, weight)]
    rank = x.ndim - 2
    y = getattr(torch.nn.functional, f"conv{rank}d")(
        *tensors, None, geometry.stride, tuple(before for before, _ in geometry.padding), geometry.dilation,
        geometry.groups,
    )  # fmt: skip
    gradients = torch.autograd.grad(y, tensors, torch.from_numpy(dy))
    ours = (
        cpu.conv_forward(x, weight, None, *geometry.arguments),
        cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
        cpu.conv_weight_grad(dy, x, weight.shape, *geometry.arguments),
    )
    for result, theirs, wanted in zip(ours, (y, *gradients), exact):
        largest = abs(wanted).max()
        yield abs(result - wanted).max() / largest, abs(theirs.detach().numpy() - wanted).max() / largest


# Small versions of the benchmark's layers: (N, C, H, K, kernel, stride, padding, dilation, groups).
@pytest.mark.parametrize(
    "layer",
    [
        (2, 3, 56, 64, 7, 2, 3, 1, 1), (2, 64, 28, 64, 3, 1, 1, 1, 1), (2, 64, 28, 128, 3, 2, 1, 1, 1),
        (2, 128, 28, 128, 3, 1, 1, 1, 1), (2, 256, 14, 256, 3, 1, 1, 1, 1), (1, 512, 7, 512, 3, 1, 1, 1, 1),
        (2, 256, 28, 64, 1, 1, 0, 1, 1), (16, 16, 32, 16, 3, 1, 1, 1, 1), (16, 1, 32, 6, 5, 1, 0, 1, 1),
        (16, 6, 14, 16, 5, 1, 0, 1, 1), (2, 3, 67, 96, 11, 4, 0, 1, 1), (2, 128, 28, 128, 3, 1, 1, 1, 128),
        (2, 64, 28, 64, 3, 1, 4, 4, 1),
    ],
)  # fmt: skip
def test_errors_are_those_of_float32(layer):
    n, c, size, k, kernel, stride, padding, dilation, groups = layer
    geometry = Geometry(
        (n, c, size, size),
        (k, c // groups, kernel, kernel),
        (stride,) * 2,
        ((padding,) * 2,) * 2,
        (dilation,) * 2,
        groups,
    )
    rng = np.random.default_rng(0)
    shapes = geometry.x_shape, geometry.weight_shape, geometry.y_shape
    x, weight, dy = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    with winograd(False):
        for ours, torchs in float32_errors(x, weight, dy, geometry):
            assert ours <= max(4 * torchs, 4e-7)
    for ours, _ in float32_errors(x, weight, dy, geometry):
        assert ours <= 5e-6


@pytest.mark.parametrize("kernels", [cpu, reference])
def test_nothing_to_sum_gives_the_bias(kernels):
    bias = np.array([1.0, 2.0])
    y = kernels.conv_forward(np.ones((2, 0, 3)), np.ones((2, 0, 2)), bias, (1,), ((0, 0),), (1,), 1)
    np.testing.assert_array_equal(y, np.broadcast_to(bias[:, None], (2, 2, 2)))
    dw = kernels.conv_weight_grad(np.ones((0, 2, 2)), np.ones((0, 3, 3)), (2, 3, 2), (1,), ((0, 0),), (1,), 1)
    np.testing.assert_array_equal(dw, np.zeros((2, 3, 2)))
    np.testing.assert_array_equal(kernels.channel_sum(np.ones((0, 3, 4))), np.zeros(3))


def test_padding_is_not_multiplied_with_nonfinite_weights():
    x, weight = np.ones((1, 1, 4, 4)), np.full((1, 1, 3, 3), np.inf)
    y = cpu.conv_forward(x, weight, None, (1, 1), ((0, 0),) * 2, (1, 1), 1)
    assert np.isposinf(y).all()


SMOKE = """
    import numpy as np
    from minigrad.kernels import cpu, reference, winograd
    from minigrad.kernels.cpu import vector
    assert vector.VECTOR_BYTES == {bytes}, vector.VECTOR_BYTES
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x, w = rng.standard_normal((2, 3, 6, 7)).astype(dtype), rng.standard_normal((21, 3, 3, 2)).astype(dtype)
        geometry = (2, 1), ((1, 1), (0, 2)), (1, 2), 1
        y = cpu.conv_forward(x, w, None, *geometry)
        np.testing.assert_allclose(y, reference.conv_forward(x, w, None, *geometry), rtol=1e-4, atol=1e-4)
        dy = rng.standard_normal(y.shape).astype(dtype)
        for a, b in (
            (cpu.conv_input_grad(dy, w, x.shape, *geometry), reference.conv_input_grad(dy, w, x.shape, *geometry)),
            (cpu.conv_weight_grad(dy, x, w.shape, *geometry), reference.conv_weight_grad(dy, x, w.shape, *geometry)),
        ):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
"""


def run_python(code, **environment):
    """Run code in a fresh interpreter; its standard error."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.mark.skipif(numba.core.config.MACHINE_BITS != 64 or "x86" not in os.uname().machine, reason="names x86 CPUs")
@pytest.mark.parametrize(("name", "size"), [("haswell", 32), ("generic", 16)])
def test_tiles_of_other_processors(name, size, tmp_path):
    run_python(SMOKE.format(bytes=size), NUMBA_CPU_NAME=name, MINIGRAD_CACHE=str(tmp_path))


@given(st.data(), DTYPES)
def test_numbers_that_are_not_finite_stay_where_they_belong(data, dtype):
    geometry = data.draw(geometries(most_channels=20, most_size=6, least_batch=1))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def special(shape):
        values, where = rng.standard_normal(shape).astype(dtype), rng.random(shape)
        for place, value in enumerate((np.nan, np.inf, -np.inf)):
            values[(where >= 0.02 * place) & (where < 0.02 * (place + 1))] = value
        return values

    x, weight, dy = special(geometry.x_shape), special(geometry.weight_shape), special(geometry.y_shape)
    with np.errstate(all="ignore"):
        assert_close(
            cpu.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
            reference.conv_input_grad(dy, weight, x.shape, *geometry.arguments),
        )
        finite = np.nan_to_num(weight, posinf=1, neginf=1)
        assert_close(
            cpu.conv_forward(x, finite, None, *geometry.arguments),
            reference.conv_forward(x, finite, None, *geometry.arguments),
        )
