"""The largest of each row: the fast kernel against the reference and PyTorch, whose order of equals it has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import one_and_two_threads, unchanged
from minigrad.kernels import cpu, reference

from minigrad.testing import LAYOUTS, lay_out


def drawn_keys(data, rows, size, distinct):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, distinct, (rows, size))


@given(
    data=st.data(), rows=st.integers(0, 3), size=st.integers(1, 90), distinct=st.sampled_from([1, 3, 1000]),
    ordered=st.booleans(), layout=st.sampled_from(sorted(LAYOUTS)),
)  # fmt: skip
def test_agrees_with_reference(data, rows, size, distinct, ordered, layout):
    keys, k = lay_out(drawn_keys(data, rows, size, distinct), layout), data.draw(st.integers(0, size))
    with unchanged(keys):
        found = cpu.top_k(keys, k, ordered)
    values = [np.take_along_axis(keys, i, 1) for i in (found, reference.top_k(keys, k, ordered))]
    if not ordered:
        values = [np.sort(v, 1) for v in values]
    np.testing.assert_array_equal(*values)
    assert all(len(set(row)) == k for row in found.tolist())


@pytest.mark.parametrize("shape", ["sorted", "reversed", "organ pipe", "random"])
@given(data=st.data(), size=st.integers(1, 600), distinct=st.sampled_from([1, 2, 20, 10**6]), ordered=st.booleans())
def test_equals_come_in_the_order_of_torch(shape, data, size, distinct, ordered):
    torch = pytest.importorskip("torch")
    keys = drawn_keys(data, 2, size, distinct)
    if shape != "random":
        keys.sort(1)
    if shape == "reversed":
        keys = keys[:, ::-1].copy()
    if shape == "organ pipe":
        keys = np.concatenate([keys[:, ::2], keys[:, 1::2][:, ::-1]], 1)
    k = data.draw(st.one_of(st.integers(1, size), st.integers(1, min(size, 4))))
    theirs = torch.from_numpy(keys).topk(k, 1, sorted=ordered).indices.numpy()
    np.testing.assert_array_equal(cpu.top_k(keys, k, ordered), theirs)


def test_any_number_of_threads_gives_the_same_bits():
    keys = np.random.default_rng(0).integers(0, 50, (100, 1000))
    one_and_two_threads(cpu.top_k, keys, 30, True)
