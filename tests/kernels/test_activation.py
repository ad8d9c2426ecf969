"""Activations: the fast kernels against the reference loops and PyTorch, in any memory order."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged
from minigrad.kernels import cpu, reference

NAMES = ("relu", "tanh", "sigmoid")
SPECIAL = [0.0, -0.0, 1e-30, -1e-30, 0.3, -0.4, 90.0, -90.0, 800.0, -800.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), shape=array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), dtype=DTYPES)
def test_agrees_with_reference(name, data, shape, dtype):
    x, dy = data.draw(arrays(shape, dtype, 4)), data.draw(arrays(shape, dtype))
    forward, backward = getattr(cpu, name), getattr(cpu, f"{name}_grad")
    with unchanged(x, dy):
        y = forward(x)
        dx = backward(dy, y)
    assert_same(y, getattr(reference, name)(x), **TOLERANCE[dtype])
    assert_same(dx, getattr(reference, f"{name}_grad")(dy, y), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [13, 100_003])
def test_agrees_with_torch(name, dtype, size):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(size)
    x, dy = (rng.normal(0, 3, size).astype(dtype) for _ in range(2))
    leaf = torch.from_numpy(x).requires_grad_()
    result = getattr(torch, name)(leaf)
    result.backward(torch.from_numpy(dy))
    y = result.detach().numpy()
    assert_same(getattr(cpu, name)(x), y, **TOLERANCE[dtype])
    assert_same(getattr(cpu, f"{name}_grad")(dy, y), leaf.grad.numpy(), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(name, dtype):
    x = np.array(SPECIAL * 5, dtype)  # long enough for vectors and the rest after them
    y = getattr(cpu, name)(x)
    assert_same(y, getattr(reference, name)(x), **TOLERANCE[dtype])
    assert np.isnan(y[np.isnan(x)]).all()


def worst_error(name, dtype):
    """Largest error of tanh or sigmoid in units in the last place."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, scale, 20_000) for scale in (1e-6, 1e-2, 1, 10)]).astype(dtype)
    precise = x.astype(np.longdouble)
    exact = np.tanh(precise) if name == "tanh" else 1 / (1 + np.exp(-precise))
    return (np.abs(getattr(cpu, name)(x) - exact) / np.spacing(np.abs(exact).astype(dtype))).max()


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_within_a_few_units_in_the_last_place(name, dtype):
    assert worst_error(name, dtype) < 3


@pytest.mark.skipif("x86" not in platform.machine(), reason="names x86 CPUs")
@pytest.mark.parametrize("processor", ["haswell", "generic"])
def test_as_exact_on_other_processors(processor, tmp_path):
    code = "from test_activation import worst_error as w; print(w('tanh', 'float32'), w('sigmoid', 'float64'))"
    environment = {**os.environ, "NUMBA_CPU_NAME": processor, "MINIGRAD_CACHE": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment, capture_output=True)
    errors = list(map(float, run.stdout.split()))
    assert len(errors) == 2, run.stderr.decode()
    assert max(errors) < 4  # without a fused multiply-add


@pytest.mark.parametrize("name", NAMES)
def test_result_keeps_the_memory_order(name):
    x = np.ones((2, 4, 5, 3), "float32").transpose(0, 3, 1, 2)
    y = getattr(cpu, name)(x)
    assert y.strides == x.strides
    assert getattr(cpu, f"{name}_grad")(np.ones(x.shape, "float32"), y).strides == x.strides


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_threads_gives_the_same_bits(name):
    x = np.random.default_rng(0).normal(size=200_001).astype("float32")
    one_and_two_threads(getattr(cpu, name), x)
    one_and_two_threads(getattr(cpu, f"{name}_grad"), x, getattr(cpu, name)(x))
