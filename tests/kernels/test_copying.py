"""Copies, casts and what is put together: the fast kernels against the reference loops and NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.kernels.cpu.copying import STREAMED

DTYPES = st.sampled_from(["float32", "float64", "int64", "int16", "uint8", "bool"])
LARGE = [(200, 90), (3, 70, 9, 11), (2, 3, 5, 7, 90), (40_000,), (20_000, 1), (7, 5000, 3)]


def permuted(data, shape, dtype):
    """Random numbers in a memory order of their own, with gaps at times."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    order = data.draw(st.permutations(range(len(shape))))
    x = np.asarray(9 * rng.standard_normal([shape[axis] for axis in order])).astype(dtype)
    x = np.repeat(x, 2, axis=-1)[..., ::2] if shape and data.draw(st.booleans()) else x
    x = x[::-1] if shape and data.draw(st.integers(0, 3)) == 0 else x
    return x.transpose(np.argsort(order))


@settings(max_examples=20)
@given(data=st.data(), shape=st.lists(st.integers(0, 4), max_size=4), dtype=DTYPES)
def test_small_copies_agree_with_reference(data, shape, dtype):
    x = data.draw(arrays(tuple(shape), dtype))
    with unchanged(x):
        assert_same(cpu.contiguous(x), reference.contiguous(x))
        assert_same(cpu.duplicate(x, np.float32), reference.duplicate(x, np.float32))
        target, expected = np.zeros(shape, dtype), np.zeros(shape, dtype)
        cpu.copy_into(target, x)
        reference.copy_into(expected, x)
        assert_same(target, expected)


@settings(max_examples=60)
@given(data=st.data(), shape=st.sampled_from(LARGE), dtype=DTYPES, other=DTYPES)
def test_large_copies_of_any_memory_order(data, shape, dtype, other):
    x, target = permuted(data, shape, dtype), permuted(data, shape, other)
    expected = target.copy()
    expected[...] = x
    with unchanged(x):
        np.testing.assert_array_equal(cpu.contiguous(x), x)
        np.testing.assert_array_equal(cpu.duplicate(x, other), x.astype(other))
        cpu.copy_into(target, x)
    np.testing.assert_array_equal(target, expected)


@settings(max_examples=20)
@given(data=st.data(), dtype=DTYPES, axis=st.integers(0, 2), sizes=st.lists(st.integers(0, 40), min_size=1, max_size=3))
def test_concatenate(data, dtype, axis, sizes):
    shapes = [(*(30, 20, 40)[:axis], size, *(30, 20, 40)[axis + 1 :]) for size in sizes]
    xs = [permuted(data, shape, dtype) for shape in shapes]
    np.testing.assert_array_equal(cpu.concatenate(xs, axis), np.concatenate(xs, axis))
    small = [x[:2, :2, :2] for x in xs]
    np.testing.assert_array_equal(reference.concatenate(small, axis), np.concatenate(small, axis))


@pytest.mark.parametrize("offset", [0, 1, 7])
def test_copies_past_the_caches_write_the_target_alone(offset):
    rows = STREAMED // 4 // 1000 + 1
    x, memory = np.arange(rows * 1000, dtype=np.float32).reshape(rows, 1000), np.zeros((rows, 1010), np.float32)
    cpu.copy_into(memory[:, offset : offset + 1000], x)
    np.testing.assert_array_equal(memory[:, offset : offset + 1000], x)
    assert not memory[:, :offset].any() and not memory[:, offset + 1000 :].any()
    np.testing.assert_array_equal(cpu.gather_rows(x, np.arange(rows)[::-1]), x[::-1])


@settings(max_examples=20)
@given(data=st.data(), shape=st.sampled_from([(), (0,), (5,), (3, 4), *LARGE]), dtype=DTYPES)
def test_select(data, shape, dtype):
    x, mask = permuted(data, shape, dtype), permuted(data, shape, "bool")
    with unchanged(x, mask):
        picked = cpu.select(x, mask)
    np.testing.assert_array_equal(picked, x[mask])
    if x.size < 100:
        assert_same(picked, reference.select(x, mask))
    else:
        one_and_two_threads(cpu.select, x, mask)
