"""Selection and recurrence: the fast kernels against the reference loops, and against NumPy and PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


@given(
    st.integers(0, 4),
    st.integers(1, 20),
    st.sampled_from(["float64", "int64"]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_kth_smallest_agrees_with_reference(m, n, dtype, seed, data):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (m, n)).astype(dtype)
    if dtype == "float64":
        rows[rng.random((m, n)) < 0.1] = np.nan
    k = data.draw(st.integers(0, n - 1))
    with unchanged(rows):
        found = cpu.kth_smallest(rows, k)
    assert_same(found, reference.kth_smallest(rows, k))
    assert_same(np.take_along_axis(rows, found[:, None], 1)[:, 0], np.sort(rows, axis=1)[:, k])


def test_kth_smallest_names_the_element_that_torch_names():
    torch = pytest.importorskip("torch")
    rows = np.random.default_rng(0).integers(0, 5, (200, 33)).astype("float64")
    for k in (1, 9, 17, 33):
        assert_same(cpu.kth_smallest(rows, k - 1), torch.from_numpy(rows).kthvalue(k, 1).indices.numpy())


@given(st.integers(0, 3), st.integers(0, 9), DTYPES, st.data())
def test_linear_recurrence_agrees_with_reference(m, n, dtype, data):
    a, b = data.draw(arrays((m, n), dtype)), data.draw(arrays((m, n), dtype))
    with unchanged(a, b):
        assert_same(cpu.linear_recurrence(a, b), reference.linear_recurrence(a, b), **TOLERANCE[dtype])


def test_any_number_of_threads_gives_the_same_positions():
    one_and_two_threads(cpu.kth_smallest, np.random.default_rng(0).integers(0, 9, (300, 500)).astype("float64"), 200)
