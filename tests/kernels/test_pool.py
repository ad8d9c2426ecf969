"""Pooling: the fast kernels against the reference loops and PyTorch, in one, two and three dimensions."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import LAYOUTS, lay_out


class Geometry(NamedTuple):
    shape: tuple
    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    ceil_mode: bool

    @property
    def output_size(self):
        """PyTorch's: with ceil_mode no window starts in the padding behind the input."""
        sizes = []
        for size, k, s, p, d in zip(self.shape[2:], self.kernel, self.stride, self.padding, self.dilation):
            room = size + 2 * p - d * (k - 1) - 1
            windows = -(-room // s) + 1 if self.ceil_mode else room // s + 1
            sizes.append(windows - (self.ceil_mode and (windows - 1) * s >= size + p))
        return tuple(sizes)


@st.composite
def geometries(draw, dilated=True, ranks=(1, 2, 3)):
    """Valid pooling with few and with many channels; axes differ, windows overlap, touch or leave gaps."""
    axes = []
    for _ in range(draw(st.sampled_from(ranks))):
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 2)) if dilated else 1
        padding = draw(st.integers(0, kernel // 2))
        size = draw(st.integers(max(1, dilation * (kernel - 1) + 1 - 2 * padding), 8))
        axes.append((size, kernel, stride, padding, dilation))
    size, kernel, stride, padding, dilation = zip(*axes)
    shape = (draw(st.integers(0, 3)), draw(st.sampled_from([0, 1, 2, 5, 16, 17])), *size)
    return Geometry(shape, kernel, stride, padding, dilation, draw(st.booleans()))


OVERLAPPING = [
    Geometry((2, channels, 7, 8), (3, 3), (2, 2), (1, 1), (1, 1), ceil_mode)
    for channels in (3, 19)
    for ceil_mode in (False, True)
]


def torch_function(name, rank):
    torch = pytest.importorskip("torch")
    return getattr(torch.nn.functional, f"{name}{rank}d")


def values_with_ties(x):
    """x in steps of one half, so that maxima are often shared, with some NaN and infinities."""
    x = np.round(x * 2) / 2
    x[np.abs(x) > 1.5] = np.nan
    x[x == 1.5] = -np.inf
    return x


@given(data=st.data(), geometry=geometries(), dtype=DTYPES, ties=st.booleans())
def test_max_pool_agrees_with_reference(data, geometry, dtype, ties):
    shape, *window, _ = geometry
    x = data.draw(arrays(shape, dtype))
    if ties:
        x = values_with_ties(x)
    with unchanged(x):
        y, indices = cpu.max_pool(x, *window, geometry.output_size)
    expected = reference.max_pool(x, *window, geometry.output_size)
    assert_same(y, expected[0])
    assert_same(indices, expected[1])
    dy = data.draw(arrays(y.shape, dtype))
    odd_indices = lay_out(indices, data.draw(st.sampled_from(["strided", "negative", "fortran", "read-only"])))
    with unchanged(x, dy, indices):
        dx = cpu.max_pool_grad(dy, odd_indices, shape)
        gathered = cpu.max_pool_gather(x, odd_indices)
    assert_same(dx, reference.max_pool_grad(dy, indices, shape), **TOLERANCE[dtype])
    assert_same(gathered, reference.max_pool_gather(x, indices))


@pytest.mark.parametrize("channels", [1, 20])
def test_windows_that_hold_nothing_have_no_index(channels):
    x, window = np.ones((1, channels, 4, 4)), ((1, 2), (1, 1), (0, 1), (1, 5), (4, 1))
    for kernels in (cpu, reference):
        y, indices = kernels.max_pool(x, *window)
        assert (y == -np.inf).all() and (indices == -1).all()
        assert not kernels.max_pool_grad(np.ones(y.shape), indices, x.shape).any()


@pytest.mark.parametrize("ties", [False, True])
@given(seed=st.integers(0, 2**32 - 1), geometry=geometries(), dtype=DTYPES)
@example(seed=0, geometry=OVERLAPPING[0], dtype="float32")
@example(seed=0, geometry=OVERLAPPING[3], dtype="float64")
def test_max_pool_agrees_with_torch(ties, seed, geometry, dtype):
    torch = pytest.importorskip("torch")
    shape, kernel, stride, padding, dilation, ceil_mode = geometry
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(dtype)
    if ties:
        x = values_with_ties(x)
    y, indices = cpu.max_pool(x, kernel, stride, padding, dilation, geometry.output_size)
    if 0 in shape:
        return
    leaf = torch.from_numpy(x).requires_grad_()
    expected, expected_indices = torch_function("max_pool", x.ndim - 2)(
        leaf, kernel, stride, padding, dilation, ceil_mode=ceil_mode, return_indices=True
    )
    assert_same(y, expected.detach().numpy())
    found = indices >= 0  # PyTorch points outside the input where a window holds nothing of it
    np.testing.assert_array_equal(indices[found], expected_indices.numpy()[found])
    np.testing.assert_array_equal(y[~found], -np.inf)
    if found.all():
        dy = rng.normal(size=y.shape).astype(dtype)
        expected.backward(torch.from_numpy(dy))
        assert_same(cpu.max_pool_grad(dy, indices, shape), leaf.grad.numpy(), **TOLERANCE[dtype])


@given(
    data=st.data(), geometry=geometries(dilated=False), dtype=DTYPES, include=st.booleans(),
    divisor=st.sampled_from([None, None, 1, 7]),
)  # fmt: skip
@example(data=None, geometry=OVERLAPPING[0], dtype="float32", include=True, divisor=None)
@example(data=None, geometry=OVERLAPPING[3], dtype="float32", include=False, divisor=None)
def test_avg_pool_agrees_with_reference_and_torch(data, geometry, dtype, include, divisor):
    torch = pytest.importorskip("torch")
    shape, kernel, stride, padding, _, ceil_mode = geometry
    rng = np.random.default_rng(0)

    def values(shape):
        return data.draw(arrays(shape, dtype)) if data else rng.normal(size=shape).astype(dtype)

    output_size = geometry.output_size
    x, dy = values(shape), values(shape[:2] + output_size)
    window = kernel, stride, padding
    with unchanged(x, dy):
        y = cpu.avg_pool(x, *window, output_size, include, divisor)
        dx = cpu.avg_pool_grad(dy, shape, *window, include, divisor)
    assert_same(y, reference.avg_pool(x, *window, output_size, include, divisor), **TOLERANCE[dtype])
    assert_same(dx, reference.avg_pool_grad(dy, shape, *window, include, divisor), **TOLERANCE[dtype])
    rank = len(shape) - 2
    # PyTorch has no divisor_override in one dimension, and in three refuses a kernel larger than the unpadded input
    if 0 in shape or (rank == 1 and divisor) or (rank == 3 and any(k > n for k, n in zip(kernel, shape[2:]))):
        return
    leaf = torch.from_numpy(np.array(x, dtype)).requires_grad_()
    options = {"divisor_override": divisor} if rank > 1 else {}
    expected = torch_function("avg_pool", rank)(
        leaf, *window, ceil_mode=ceil_mode, count_include_pad=include, **options
    )
    expected.backward(torch.from_numpy(np.array(dy, dtype)))
    assert_same(y, expected.detach().numpy(), **TOLERANCE[dtype])
    assert_same(dx, leaf.grad.numpy(), **TOLERANCE[dtype])


@given(
    data=st.data(), dtype=DTYPES, batch=st.integers(0, 2), channels=st.sampled_from([0, 1, 3, 16, 18]),
    sizes=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 9)), min_size=1, max_size=3),
)  # fmt: skip
def test_adaptive_avg_pool_agrees_with_reference_and_torch(data, dtype, batch, channels, sizes):
    torch = pytest.importorskip("torch")
    spatial, output_size = zip(*sizes)
    shape = (batch, channels, *spatial)
    x, dy = data.draw(arrays(shape, dtype)), data.draw(arrays(shape[:2] + output_size, dtype))
    with unchanged(x, dy):
        y, dx = cpu.adaptive_avg_pool(x, output_size), cpu.adaptive_avg_pool_grad(dy, shape)
    assert_same(y, reference.adaptive_avg_pool(x, output_size), **TOLERANCE[dtype])
    assert_same(dx, reference.adaptive_avg_pool_grad(dy, shape), **TOLERANCE[dtype])
    if 0 not in shape:
        leaf = torch.from_numpy(np.array(x, dtype)).requires_grad_()
        expected = torch_function("adaptive_avg_pool", len(spatial))(leaf, output_size)
        expected.backward(torch.from_numpy(np.array(dy, dtype)))
        assert_same(y, expected.detach().numpy(), **TOLERANCE[dtype])
        assert_same(dx, leaf.grad.numpy(), **TOLERANCE[dtype])


@given(
    data=st.data(), dtype=DTYPES, batch=st.integers(0, 2), channels=st.sampled_from([1, 3, 16]), ties=st.booleans(),
    sizes=st.lists(st.tuples(st.integers(1, 7), st.integers(0, 9)), min_size=1, max_size=3),
)  # fmt: skip
def test_adaptive_max_pool_agrees_with_reference_and_torch(data, dtype, batch, channels, ties, sizes):
    torch = pytest.importorskip("torch")
    spatial, output_size = zip(*sizes)
    x = data.draw(arrays((batch, channels, *spatial), dtype))
    x = values_with_ties(x) if ties else x
    with unchanged(x):
        results = cpu.adaptive_max_pool(x, output_size)
    theirs = torch_function("adaptive_max_pool", len(sizes))(
        torch.from_numpy(np.array(x, dtype)), output_size, return_indices=True
    )
    for result, expected, other in zip(results, reference.adaptive_max_pool(x, output_size), theirs):
        assert_same(result, expected)
        assert_same(result, other.numpy())


@given(data=st.data(), geometry=geometries(dilated=False), dtype=DTYPES, ties=st.booleans())
def test_median_pool_agrees_with_reference_and_median(data, geometry, dtype, ties):
    shape, kernel, stride, padding, _, _ = geometry
    geometry = geometry._replace(ceil_mode=False)
    x = data.draw(arrays(shape, dtype))
    x = values_with_ties(x) if ties else x
    with unchanged(x):
        y, indices = cpu.median_pool(x, kernel, stride, padding, geometry.output_size)
    expected = reference.median_pool(x, kernel, stride, padding, geometry.output_size)
    assert_same(y, expected[0])
    assert_same(indices, expected[1])
    assert_same(cpu.max_pool_gather(x, indices), y)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_whole_numbers_have_maxima_too(dtype):
    x = np.random.default_rng(0).integers(-9 if dtype[0] == "i" else 0, 9, (2, 3, 5, 6)).astype(dtype)
    x[0, 0] = np.iinfo(dtype).min
    window = (3, 2), (2, 2), (1, 1), (1, 1), (3, 4)
    for result, expected in zip(cpu.max_pool(x, *window), reference.max_pool(x, *window)):
        assert_same(result, expected)


@pytest.mark.parametrize("layout", ["contiguous", *LAYOUTS])
@pytest.mark.parametrize("channels", [6, 64])
def test_large_inputs_agree_with_torch(layout, channels):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, channels, 31, 29)).astype("float32")
    x = x if layout == "contiguous" else lay_out(x, layout)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    window = (3, 2), (2, 3), (1, 1)
    expected, expected_indices = torch_function("max_pool", 2)(leaf, *window, return_indices=True)
    y, indices = cpu.max_pool(x, *window, (1, 1), tuple(expected.shape[2:]))
    assert_same(y, expected.detach().numpy())
    assert_same(indices, expected_indices.numpy())
    assert_same(cpu.max_pool_gather(x, indices), y)
    dy = rng.normal(size=y.shape).astype("float32")
    expected.backward(torch.from_numpy(dy))
    assert_same(cpu.max_pool_grad(dy, indices, x.shape), leaf.grad.numpy(), **TOLERANCE["float32"])
    leaf.grad = None
    expected = torch_function("avg_pool", 2)(leaf, *window)
    expected.backward(torch.from_numpy(dy))
    assert_same(cpu.avg_pool(x, *window, y.shape[2:], True, None), expected.detach().numpy(), **TOLERANCE["float32"])
    assert_same(cpu.avg_pool_grad(dy, x.shape, *window, True, None), leaf.grad.numpy(), **TOLERANCE["float32"])


@pytest.mark.parametrize("channels", [1, 20])
def test_negative_inputs_and_ties_and_nan(channels):
    x = np.full((1, channels, 4, 4), -5.0, "float32")
    x[0, 0, 1, 3] = x[0, 0, 2, 3] = np.nan
    y, indices = cpu.max_pool(x, (3, 3), (2, 2), (1, 1), (1, 1), (2, 2))
    np.testing.assert_array_equal(y[0, -1] if channels > 1 else y[0, 0, :, 0], -5)
    np.testing.assert_array_equal(indices[0, 0], [[0, 7], [4, 11]])
    assert np.isnan(y[0, 0, :, 1]).all()


def test_a_window_without_cells_gives_no_gradient():
    x = np.ones((1, 20, 1), "float32")
    y, indices = cpu.max_pool(x, (2,), (1,), (1,), (2,), (1,))
    np.testing.assert_array_equal(y, -np.inf)
    np.testing.assert_array_equal(indices, -1)
    np.testing.assert_array_equal(cpu.max_pool_grad(y, indices, x.shape), 0)
    np.testing.assert_array_equal(cpu.max_pool_gather(x, indices), 0)


@given(data=st.data(), geometry=geometries())
def test_gradient_mass_of_max_pooling_is_conserved(data, geometry):
    shape, *window, _ = geometry
    y, indices = cpu.max_pool(data.draw(arrays(shape, "float64")), *window, geometry.output_size)
    dy = data.draw(arrays(y.shape, "float64"))
    total = np.where(indices >= 0, dy, 0).sum((0, *range(2, dy.ndim)))
    dx = cpu.max_pool_grad(dy, indices, shape)
    np.testing.assert_allclose(dx.sum((0, *range(2, dx.ndim))), total, rtol=1e-10, atol=1e-12)


@given(data=st.data(), geometry=geometries(dilated=False), include=st.booleans())
def test_average_pooling_and_its_gradient_are_adjoint(data, geometry, include):
    shape, *window, _, _ = geometry
    output_size = geometry.output_size
    x, dy = data.draw(arrays(shape, "float64")), data.draw(arrays(shape[:2] + output_size, "float64"))
    left = (cpu.avg_pool(x, *window, output_size, include, None) * dy).sum()
    right = (cpu.avg_pool_grad(dy, shape, *window, include, None) * x).sum()
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("channels", [6, 64])
def test_any_number_of_threads_gives_the_same_bits(channels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 33, 31, channels)).astype("float32").transpose(0, 3, 1, 2)
    window = (3, 3), (2, 2), (1, 1)
    one_and_two_threads(cpu.max_pool, x, *window, (1, 1), (17, 16))
    dy, indices = cpu.max_pool(x, *window, (1, 1), (17, 16))
    one_and_two_threads(cpu.max_pool_grad, dy, indices, x.shape)
    one_and_two_threads(cpu.max_pool_gather, x, indices)
    one_and_two_threads(cpu.avg_pool, x, *window, (17, 16), True, None)
    one_and_two_threads(cpu.median_pool, x, *window, (17, 16))
    one_and_two_threads(cpu.adaptive_max_pool, x, (17, 16))
    one_and_two_threads(cpu.avg_pool_grad, dy, x.shape, *window, True, None)


def test_results_are_channels_last():
    x = np.ones((2, 3, 4, 6), "float32")
    y, indices = cpu.max_pool(x, (2, 2), (2, 2), (0, 0), (1, 1), (2, 3))
    average = cpu.avg_pool(x, (2, 2), (2, 2), (0, 0), (2, 3), True, None)
    for result in (y, indices, average, cpu.max_pool_grad(y, indices, x.shape)):
        assert result.transpose(0, 2, 3, 1).flags.c_contiguous
