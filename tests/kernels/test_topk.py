"""The largest of each row: the fast kernel against the reference and PyTorch, whose order of equals it has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import LAYOUTS, lay_out


def drawn(data, rows, size, distinct, dtype="int64"):
    """Random numbers of which so many are distinct; among floats NaN, infinities and zeros of both signs."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-distinct, distinct, (rows, size)).astype(dtype)
    if dtype != "int64":
        for value in (np.nan, np.inf, -np.inf, -0.0):
            x[rng.random(x.shape) < 0.05] = value
        x /= 3
    return x


@given(
    data=st.data(), rows=st.integers(0, 3), size=st.integers(1, 90), distinct=st.sampled_from([1, 3, 1000]),
    dtype=st.sampled_from(["float32", "float64", "int64"]), largest=st.booleans(), ordered=st.booleans(),
    layout=st.sampled_from(sorted(LAYOUTS)),
)  # fmt: skip
def test_agrees_with_reference(data, rows, size, distinct, dtype, largest, ordered, layout):
    x, k = lay_out(drawn(data, rows, size, distinct, dtype), layout), data.draw(st.integers(0, size))
    with unchanged(x):
        found = cpu.top_k(x, k, largest, ordered)
    values = [np.take_along_axis(x, i, 1) for i in (found, reference.top_k(x, k, largest, ordered))]
    if not ordered:
        values = [np.sort(v, 1) for v in values]
    np.testing.assert_array_equal(*values)
    assert all(len(set(row)) == k for row in found.tolist())


@pytest.mark.parametrize("shape", ["sorted", "reversed", "organ pipe", "random"])
@given(
    data=st.data(), size=st.integers(1, 600), distinct=st.sampled_from([1, 2, 20, 10**6]), largest=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", "int64"]), ordered=st.booleans(),
)  # fmt: skip
def test_equals_come_in_the_order_of_torch(shape, data, size, distinct, largest, dtype, ordered):
    torch = pytest.importorskip("torch")
    x = drawn(data, 2, size, distinct, dtype)
    if shape != "random":
        x.sort(1)
    if shape == "reversed":
        x = x[:, ::-1].copy()
    if shape == "organ pipe":
        x = np.concatenate([x[:, ::2], x[:, 1::2][:, ::-1]], 1)
    k = data.draw(st.one_of(st.integers(1, size), st.integers(1, min(size, 4))))
    theirs = torch.from_numpy(x).topk(k, 1, largest, ordered).indices.numpy()
    np.testing.assert_array_equal(cpu.top_k(x, k, largest, ordered), theirs)


def test_any_number_of_threads_gives_the_same_bits():
    x = np.random.default_rng(0).integers(0, 50, (100, 1000))
    one_and_two_threads(cpu.top_k, x, 30, True, True)
