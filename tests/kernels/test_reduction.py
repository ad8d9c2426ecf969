"""Sums, extremes, moments: the compiled loops against the reference loops, their accuracy, their bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference

KINDS = {
    "total": (), "square_total": (), "moments": (), "extreme": (True,), "extreme, smallest": (False,)
}  # fmt: skip
SHAPES = [((7, 40_000), (1,)), ((7, 40_000), (0,)), ((300, 20, 30), (0, 2)), ((70_000, 3), (0,)), ((5, 900, 70), (1,))]


def run(backend, kind, x, axes):
    results = getattr(backend, kind.partition(",")[0])(x, axes, *KINDS[kind])
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=5, min_side=1, max_side=4), dtype=DTYPES)
def test_agrees_with_reference(kind, data, shape, dtype):
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    x = data.draw(arrays(shape, dtype, 3, offset=data.draw(st.sampled_from([0.0, 100.0]))))
    with unchanged(x):
        results = run(cpu, kind, x, axes)
    for actual, expected in zip(results, run(reference, kind, x, axes)):
        assert_same(actual, expected, 1e-6 if dtype == "float32" else 1e-11, TOLERANCE[dtype]["atol"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape, axes", SHAPES)
def test_large_arrays_are_exact_and_alike_for_any_number_of_threads(kind, shape, axes):
    x = np.random.default_rng(0).normal(5, 1, shape).astype(np.float32)
    one_and_two_threads(run, cpu, kind, x, axes)
    wide = x.astype(np.float64)
    expected = {
        "total": [wide.sum(axes)], "square_total": [(wide * wide).sum(axes)], "extreme": [x.max(axes)],
        "extreme, smallest": [x.min(axes)],
        "moments": [wide.mean(axes), wide.var(axes) * math.prod(shape[axis] for axis in axes)],
    }[kind]  # fmt: skip
    for actual, right in zip(run(cpu, kind, x, axes), expected):
        np.testing.assert_allclose(actual, right, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_special_values(kind):
    for special in ([np.nan], [np.inf], [-np.inf], [np.inf, -np.inf], [-0.0]):
        for inner in (1, 3):
            x = np.ones((50, inner), np.float32)
            x[10 : 10 + len(special), 0] = special
            for actual, expected in zip(run(cpu, kind, x, (0,)), run(reference, kind, x, (0,))):
                assert_same(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_elements(kind):
    axes = (1,) if kind.startswith("extreme") else (0,)
    for actual, expected in zip(*[run(backend, kind, np.ones((0, 3)), axes) for backend in (cpu, reference)]):
        assert_same(actual, expected)
