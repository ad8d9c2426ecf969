"""The matrix product against the literal loops and NumPy."""

import warnings
from importlib import import_module
from unittest.mock import patch

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import read_only

from minigrad.kernels import cpu, reference

DTYPES = st.sampled_from([np.float32, np.float64])
ORDERS = {
    "C": np.ascontiguousarray,
    "transposed": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "negative": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "broadcast": lambda x: np.broadcast_to(x[..., :1, :1], x.shape) if x.size else x,
}


@st.composite
def matrices(draw, shape, dtype):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = ORDERS[draw(st.sampled_from(sorted(ORDERS)))]
    return read_only(order(rng.standard_normal(shape).astype(dtype)))


def assert_close(c, expected):
    assert c.shape == expected.shape
    scale = max(1, abs(expected).max(initial=0))
    assert abs(c - expected).max(initial=0) <= 20 * np.finfo(c.dtype).eps * scale


@given(st.data(), DTYPES, st.tuples(*[st.integers(0, 6)] * 3), st.none() | st.integers(0, 3))
def test_agrees_with_reference(data, dtype, sizes, batch):
    m, k, n = sizes
    lead = () if batch is None else (batch,)
    a, b = data.draw(matrices((*lead, m, k), dtype)), data.draw(matrices((*lead, k, n), dtype))
    c, expected = cpu.matmul(a, b), reference.matmul(a, b)
    assert c.dtype == expected.dtype == dtype
    assert_close(c, expected)


@given(st.data(), DTYPES, st.tuples(*[st.integers(1, 150)] * 3), st.sampled_from([(), (2,)]))
def test_agrees_with_numpy(data, dtype, sizes, lead):
    m, k, n = sizes
    a, b = data.draw(matrices((*lead, m, k), dtype)), data.draw(matrices((*lead, k, n), dtype))
    assert_close(cpu.matmul(a, b), a.astype(np.float64) @ b.astype(np.float64))


@given(
    st.data(),
    DTYPES,
    st.integers(1, 60),
    st.integers(1, 700),
    st.integers(1, 120),
    st.sampled_from([(), (1,), (3,)]),
)
def test_tiles_of_any_size(data, dtype, m, k, n, lead):
    a, b = data.draw(matrices((*lead, m, k), dtype)), data.draw(matrices((*lead, k, n), dtype))
    module = import_module("minigrad.kernels.cpu.matmul")
    with patch.multiple(module, SMALL=0, FEW=0, BLOCK_BYTES=data.draw(st.sampled_from([1, 1 << 14, 1 << 18]))):
        module._plan.cache_clear()
        c = cpu.matmul(a, b)
    module._plan.cache_clear()
    assert_close(c, a.astype(np.float64) @ b.astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [(False, False), (False, True), (True, False), (True, True)])
def test_results_do_not_depend_on_how_the_work_is_cut(dtype, kind):
    """Nor on the tile: every element is the same sum in the same order."""
    module = import_module("minigrad.kernels.cpu.matmul")
    rng = np.random.default_rng(0)
    a, b = (
        ORDERS["transposed" if turned else "C"](rng.standard_normal(shape).astype(dtype))
        for turned, shape in zip(kind, [(150, 600), (600, 130)])
    )
    results = []
    for threads, turn in ((1, 0), (2, 100), (3, 0), (8, 100)):
        module._plan.cache_clear()
        with (
            patch.object(module.config, "NUMBA_NUM_THREADS", threads),
            patch.multiple(module, TURN=turn, COPY=turn, REGION=0),
        ):
            results.append(cpu.matmul(a, b))
    module._plan.cache_clear()
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


SHAPES = [(64, 400, 120), (64, 84, 10), (1, 2000, 1000), (300, 3000, 70), (1000, 64, 1000), (10, 5000, 84)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("a_order", ["C", "transposed"])
@pytest.mark.parametrize("b_order", ["C", "transposed"])
def test_large_products_and_threads(shape, a_order, b_order):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a = ORDERS[a_order](rng.standard_normal((m, k)).astype(np.float32))
    b = ORDERS[b_order](rng.standard_normal((k, n)).astype(np.float32))
    c = cpu.matmul(a, b)
    assert_close(c, a.astype(np.float64) @ b.astype(np.float64))
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(c, cpu.matmul(a, b))
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize("size", [2, 100])
def test_infinities_are_silent(size):
    a, b = np.full((size, size), np.inf, np.float32), np.zeros((size, size), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(cpu.matmul(a, b)).all()
