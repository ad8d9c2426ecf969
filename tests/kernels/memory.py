"""What the tests of the kernels share: arrays in odd memory, and comparisons of arrays."""

from contextlib import contextmanager

import numba
import numpy as np
from hypothesis import strategies as st

from minigrad.testing import LAYOUTS, lay_out

DTYPES = st.sampled_from(["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-6}, "float64": {"rtol": 1e-11, "atol": 1e-13}}


@st.composite
def arrays(draw, shape, dtype, scale=1.0, offset=0.0):
    """Normally distributed values in a drawn memory order; the seed is drawn, the values are not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(["contiguous", "big-endian", *LAYOUTS])) if shape else "contiguous"
    array = np.asarray(rng.normal(offset, scale, shape)).astype(dtype)
    if layout == "big-endian":
        return array.astype(array.dtype.newbyteorder(">"))
    return array if layout == "contiguous" else lay_out(array, layout)


def assert_same(actual, expected, rtol=0.0, atol=0.0):
    """Equal shape and dtype, and values within the tolerance; NaN equals NaN."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


@contextmanager
def unchanged(*inputs):
    """The block leaves the arrays as they are."""
    copies = [array.copy() for array in inputs]
    yield
    for array, copy in zip(inputs, copies):
        np.testing.assert_array_equal(array, copy)


def one_and_two_threads(function, *args):
    """function(*args) gives the same bits with one thread and with all."""
    threads = numba.get_num_threads()
    several = function(*args)
    numba.set_num_threads(1)
    try:
        one = function(*args)
    finally:
        numba.set_num_threads(threads)
    for a, b in zip(one if isinstance(one, tuple) else (one,), several if isinstance(several, tuple) else (several,)):
        np.testing.assert_array_equal(a, b)
