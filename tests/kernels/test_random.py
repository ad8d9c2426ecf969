"""Words of counter-based streams and dropout: the CPU's kernels agree with the reference, bit by bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minigrad.kernels import cpu, reference
from minigrad.testing import LAYOUTS, lay_out

STREAMS = st.tuples(st.integers(0, 2**64 - 1), st.sampled_from([0, 3, 2**32 - 1, 2**40]))


@given(STREAMS, st.integers(0, 50), st.integers(0, 9))
def test_words(state, first, second):
    ours, theirs = (np.array(state, np.uint64) for _ in range(2))
    for count in (first, second):
        found = cpu.random_words(ours, count)
        np.testing.assert_array_equal(found, reference.random_words(theirs, count), strict=True)
        np.testing.assert_array_equal(ours, theirs)


@given(
    STREAMS, st.lists(st.integers(0, 5), max_size=4), st.sampled_from(list(LAYOUTS)), st.floats(0.01, 0.99),
    st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_dropout(state, shape, layout, p, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x = lay_out(x, layout) if shape else np.asarray(x)
    ours, theirs = (np.array(state, np.uint64) for _ in range(2))
    for found, expected in zip(cpu.dropout(x, ours, p), reference.dropout(x, theirs, p)):
        assert found.shape == expected.shape and found.dtype == x.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(ours, theirs)


def test_many_elements_in_parts_and_how_many_are_dropped():
    x = np.ones(300_001, "float32")
    stream, same = np.array([7, 0], np.uint64), np.array([7, 0], np.uint64)
    y, mask = cpu.dropout(x, stream, 0.3)
    np.testing.assert_array_equal(y, mask)
    assert set(np.unique(mask)) == {0, np.float32(1 / 0.7)} and abs((mask == 0).mean() - 0.3) < 0.005
    kept = (cpu.random_words(same, len(x)) >> 8) >= 0.3 * 2**24
    np.testing.assert_array_equal(kept, mask > 0)
