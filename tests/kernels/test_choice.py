"""Choices between two operands: the compiled loop against the reference loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


@given(data=st.data(), shape=array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4), dtype=DTYPES)
def test_agrees_with_reference(data, shape, dtype):
    condition = data.draw(arrays(shape, "float32")) > 0
    x, y = (data.draw(arrays(data.draw(st.sampled_from([shape, ()])), dtype)) for _ in range(2))
    with unchanged(condition, x, y):
        result = cpu.choose(condition, x, y)
    assert_same(result, reference.choose(condition, x, y))


def test_any_number_of_threads():
    x = np.random.default_rng(0).standard_normal((200, 300), np.float32)
    for other in (-x, np.zeros((), np.float32)):
        one_and_two_threads(cpu.choose, x > 0, x, other)
        np.testing.assert_array_equal(cpu.choose(x > 0, x, other), np.where(x > 0, x, other))
        np.testing.assert_array_equal(cpu.choose(x > 0, other, x), np.where(x > 0, other, x))
