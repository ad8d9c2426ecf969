"""Running sums: the compiled loops against the reference loops, and their bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


@given(
    data=st.data(), shape=array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=11), dtype=DTYPES,
    reverse=st.booleans(),
)  # fmt: skip
def test_agrees_with_reference(data, shape, dtype, reverse):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = data.draw(arrays(shape, dtype))
    with unchanged(x):
        y = cpu.running_total(x, axis, reverse)
    assert_same(y, reference.running_total(x, axis, reverse), **TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(50, 2000), (2000, 50), (30, 40, 60)])
@pytest.mark.parametrize("axis", [0, 1])
def test_any_number_of_threads(shape, axis):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    one_and_two_threads(cpu.running_total, x, axis, False)
    np.testing.assert_array_equal(cpu.running_total(x, axis, False), x.cumsum(axis, np.float64).astype(np.float32))


def test_what_follows_infinity_and_nan():
    x = np.array([1.0, np.inf, 1.0, -np.inf, 1.0], np.float32)
    np.testing.assert_array_equal(cpu.running_total(x, 0, False), [1, np.inf, np.inf, np.nan, np.nan])
