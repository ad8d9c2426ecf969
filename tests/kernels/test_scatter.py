"""Picking and placing by index arrays: the fast kernels against the reference loops and PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import LAYOUTS, lay_out

DTYPES = st.sampled_from(["float32", "float64", "int64"])
REDUCTIONS = ("set", "sum", "prod", "amax", "amin")


def indices(data, shape, high):
    """int64 indices below `high` in a drawn memory order."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    return lay_out(rng.integers(0, high, shape), data.draw(st.sampled_from(sorted(set(LAYOUTS) - {"broadcast"}))))


@given(
    data=st.data(), a=st.integers(0, 3), n=st.integers(1, 4), m=st.integers(0, 5), b=st.sampled_from([0, 1, 2, 33]),
    dtype=DTYPES, reduction=st.sampled_from(REDUCTIONS),
)  # fmt: skip
def test_gather_and_scatter_agree_with_reference(data, a, n, m, b, dtype, reduction):
    x, src = data.draw(arrays((a, n, b), dtype, 3.0)), data.draw(arrays((a, m, b), dtype, 3.0))
    index = indices(data, (a, m, b), n)
    with unchanged(x, src, index):
        gathered, scattered = cpu.gather(x, index), cpu.scatter(x, index, src, reduction)
    assert_same(gathered, reference.gather(x, index))
    assert_same(scattered, reference.scatter(x, index, src, reduction))


@given(
    data=st.data(), rows=st.integers(1, 4), m=st.integers(0, 5), d=st.sampled_from([0, 1, 3, 40]), dtype=DTYPES
)  # fmt: skip
def test_rows_agree_with_reference(data, rows, m, d, dtype):
    x, dy = data.draw(arrays((rows, d), dtype, 3.0)), data.draw(arrays((m, d), dtype, 3.0))
    index = indices(data, (m,), rows)
    with unchanged(x, dy, index):
        gathered, scattered = cpu.gather_rows(x, index), cpu.scatter_add_rows(dy, index, rows)
    assert_same(gathered, reference.gather_rows(x, index))
    assert_same(scattered, reference.scatter_add_rows(dy, index, rows))


@pytest.mark.parametrize("reduction", ["amax", "amin"])
def test_nan_stays(reduction):
    x, index = np.array([[[np.nan], [1.0], [2.0]]]), np.array([[[0], [1], [1]]])
    y = cpu.scatter(x, index, np.array([[[5.0], [np.nan], [0.0]]]), reduction)
    np.testing.assert_array_equal(y.ravel(), [np.nan, np.nan, 2.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a, n, m, b", [(1, 1000, 50000, 1), (3, 40, 500, 70), (2000, 30, 20, 1)])
def test_agrees_with_torch(dtype, a, n, m, b):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, src = rng.normal(size=(a, n, b)).astype(dtype), rng.normal(size=(a, m, b)).astype(dtype)
    index = rng.integers(0, n, (a, m, b))
    tx, tsrc, tindex = map(torch.from_numpy, (x, src, index))
    assert_same(cpu.gather(x, index), tx.gather(1, tindex).numpy())
    for reduction in REDUCTIONS[1:]:
        theirs = tx.scatter_reduce(1, tindex, tsrc, reduction).numpy()
        assert_same(cpu.scatter(x, index, src, reduction), theirs, rtol=1e-4, atol=1e-4)
    rows = torch.zeros(n, b, dtype=tx.dtype).index_add(0, tindex[0, :, 0], tsrc[0]).numpy()
    assert_same(cpu.scatter_add_rows(src[0], index[0, :, 0], n), rows, rtol=1e-5, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    x, src, index = rng.normal(size=(3, 9, 200)), rng.normal(size=(3, 400, 200)), rng.integers(0, 9, (3, 400, 200))
    one_and_two_threads(cpu.gather, x, index)
    one_and_two_threads(cpu.scatter, x, index, src, "sum")
    one_and_two_threads(cpu.gather_rows, x[0], index[0, :, 0])
    one_and_two_threads(cpu.scatter_add_rows, src[0], index[0, :, 0], 9)
