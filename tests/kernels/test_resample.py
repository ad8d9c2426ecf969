"""Resampling, unfolding and sampling at places: the fast kernels against the reference loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


@st.composite
def tables(draw, size):
    """A table of taps for an axis of this size: many cells alike, or as many terms as chance has it, also none."""
    cells = draw(st.integers(0, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = np.full(cells, draw(st.integers(0, 3))) if draw(st.booleans()) else rng.integers(0, 6, cells)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return starts, rng.integers(0, size, starts[-1]), rng.normal(size=starts[-1])


@given(
    data=st.data(), dtype=DTYPES, outer=st.lists(st.integers(0, 3), max_size=2), size=st.integers(1, 5),
    inner=st.sampled_from([(), (1,), (3,), (16,), (2, 17)]),
)  # fmt: skip
def test_resample_agrees_with_reference(data, dtype, outer, size, inner):
    x, table = data.draw(arrays((*outer, size, *inner), dtype)), data.draw(tables(size))
    with unchanged(x, *table):
        y = cpu.resample(x, len(outer), *table)
    assert_same(y, reference.resample(x, len(outer), *table), **TOLERANCE[dtype])


@pytest.mark.parametrize("axis", [2, 3])
def test_resampling_is_the_same_for_any_number_of_threads(axis):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 60, 70)).astype("float32")
    counts = rng.integers(0, 5, 90)
    starts = np.concatenate([[0], np.cumsum(counts)])
    one_and_two_threads(cpu.resample, x, axis, starts, rng.integers(0, 60, starts[-1]), rng.normal(size=starts[-1]))


@st.composite
def unfoldings(draw):
    """(size, kernel, stride, padding, dilation, output size) of two axes."""
    axes = []
    for _ in range(2):
        kernel, stride, padding, dilation = (draw(st.integers(low, 3)) for low in (1, 1, 0, 1))
        size = draw(st.integers(max(1, dilation * (kernel - 1) + 1 - 2 * padding), 9))
        axes.append(
            (size, kernel, stride, padding, dilation, (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)
        )
    return tuple(zip(*axes))


@given(data=st.data(), dtype=DTYPES, geometry=unfoldings(), n=st.integers(0, 2), c=st.integers(1, 3))
def test_unfold_and_fold_agree_with_reference_and_are_adjoint(data, dtype, geometry, n, c):
    size, *geometry = geometry
    x = data.draw(arrays((n, c, *size), dtype))
    with unchanged(x):
        y = cpu.unfold(x, *geometry)
    assert_same(y, reference.unfold(x, *geometry))
    dy = data.draw(arrays(y.shape, dtype))
    with unchanged(dy):
        dx = cpu.fold(dy, size, *geometry)
    assert_same(dx, reference.fold(dy, size, *geometry), **TOLERANCE[dtype])
    wide = np.float64
    np.testing.assert_allclose(np.vdot(y.astype(wide), dy), np.vdot(x.astype(wide), dx), rtol=1e-4, atol=1e-4)


def test_unfolding_is_the_same_for_any_number_of_threads():
    x = np.random.default_rng(0).normal(size=(3, 5, 40, 41)).astype("float32")
    geometry = (3, 2), (2, 1), (1, 0), (1, 2), (20, 39)
    one_and_two_threads(cpu.unfold, x, *geometry)
    one_and_two_threads(cpu.fold, cpu.unfold(x, *geometry), (40, 41), *geometry)


SPECIAL = [1e30, np.nan, np.inf, -np.inf, -1.0, 1.0, 0.0]  # where in a reflection 1e30 lies, rounding alone decides


@given(
    data=st.data(), dtype=DTYPES, spatial=st.lists(st.integers(1, 4), min_size=2, max_size=3), n=st.integers(0, 2),
    c=st.sampled_from([1, 3, 17]), mode=st.sampled_from(["bilinear", "nearest", "bicubic"]),
    padding_mode=st.sampled_from(["zeros", "border", "reflection"]), align_corners=st.booleans(), special=st.booleans(),
)  # fmt: skip
def test_grid_sampling_agrees_with_reference(data, dtype, spatial, n, c, mode, padding_mode, align_corners, special):
    rank = len(spatial)
    x = data.draw(arrays((n, c, *spatial), dtype))
    # places a little off the kinks, where rounding would choose between neighbours
    cells = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(cells)
    places = (rng.integers(-30, 30, (n, *[2] * rank, rank)) + 0.37) / 17
    if special:
        places[rng.random(places.shape) < 0.2] = SPECIAL[rng.integers(padding_mode == "reflection", len(SPECIAL))]
    grid = places.astype(dtype)
    orders = tuple(data.draw(st.sampled_from([0, 0, 1, 2, 3])) for _ in range(rank)) if not special else (0,) * rank
    settings = mode, padding_mode, align_corners, orders
    tolerance = {"float32": {"rtol": 2e-3, "atol": 2e-3}, "float64": {"rtol": 1e-9, "atol": 1e-9}}[dtype]
    with unchanged(x, grid):
        y = cpu.grid_sample(x, grid, *settings)
    assert_same(y, reference.grid_sample(x, grid, *settings), **tolerance)
    dy = data.draw(arrays(y.shape, dtype))
    with unchanged(x, grid, dy):
        dx = cpu.grid_sample_grad(dy, grid, x.shape, *settings)
        dgrid = cpu.grid_sample_grid_grad(dy, x, grid, *settings)
    if not special:
        assert_same(dx, reference.grid_sample_grad(dy, grid, x.shape, *settings), **tolerance)
        assert_same(dgrid, reference.grid_sample_grid_grad(dy, x, grid, *settings), rtol=1e-2, atol=1e-2)


def test_grid_sampling_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, grid = rng.normal(size=(2, 17, 20, 30)).astype("float32"), rng.uniform(-1, 1, (2, 40, 50, 2)).astype("float32")
    dy = rng.normal(size=(2, 17, 40, 50)).astype("float32")
    settings = "bilinear", "zeros", False, (0, 0)
    one_and_two_threads(cpu.grid_sample, x, grid, *settings)
    one_and_two_threads(cpu.grid_sample_grad, dy, grid, x.shape, *settings)
    one_and_two_threads(cpu.grid_sample_grid_grad, dy, x, grid, *settings)
