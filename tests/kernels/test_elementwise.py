"""Functions of numbers: the compiled loops against the reference loops, their accuracy, and their derivatives."""

import inspect
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference, scalars

PARAMETERS = {
    "leaky_relu": (0.2,), "hardtanh": (-0.7, 1.2), "hardshrink": (0.5,), "softshrink": (0.4,), "threshold": (0.3, -2.0),
    "elu": (1.3, 0.9, 0.7), "softplus": (2.0, 3.0),
}  # fmt: skip
GRADIENTS = [name.removesuffix("_grad") for name in vars(scalars) if name.endswith("_grad")]
CURVES = [name.removesuffix("_curve") for name in vars(scalars) if name.endswith("_curve")]
ANALYTIC = [name for name in CURVES if not name.startswith("gelu")] + ["gelu_tanh", "leaky_relu", "hardtanh"]
SPECIAL = [0.0, -0.0, 1e-30, -1e-30, 0.3, -0.4, 2.9, -2.9, 90.0, -90.0, 800.0, -800.0, np.inf, -np.inf, np.nan]


def of_result(name):
    return inspect.getfullargspec(getattr(scalars, f"{name}_grad")).args[1] == "y"


def parameters(name):
    return PARAMETERS.get(name, ())


@pytest.mark.parametrize("name", GRADIENTS)
@settings(max_examples=4)
@given(data=st.data(), shape=array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4), dtype=DTYPES)
def test_agrees_with_reference(name, data, shape, dtype):
    x, dy = data.draw(arrays(shape, dtype, 3)), data.draw(arrays(shape, dtype))
    for suffix, operands in (("", (x,)), ("_grad", (dy, x)), ("_curve", (dy, x))):
        function = getattr(scalars, name + suffix, None)
        if function is not None:
            with unchanged(x, dy):
                y = cpu.elementwise(function, parameters(name), *operands)
            expected = reference.elementwise(function, parameters(name), *operands)
            assert_same(y, expected, TOLERANCE[dtype]["rtol"], 10 * TOLERANCE[dtype]["atol"])


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(name, dtype):
    x = np.array(SPECIAL * 5, dtype)  # long enough for vectors and the rest after them
    for suffix, operands in (("", (x,)), ("_grad", (np.full_like(x, 0.5), x))):
        function = getattr(scalars, name + suffix)
        y = cpu.elementwise(function, parameters(name), *operands)
        assert_same(y, reference.elementwise(function, parameters(name), *operands), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arithmetic_of_two_arrays_and_of_an_array_and_a_number_is_numpys(name, dtype):
    function, numpys = getattr(scalars, name), getattr(np, name)
    x, y = (grid.reshape(-1).astype(dtype) for grid in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(cpu.elementwise(function, (), x, y), numpys(x, y))
        np.testing.assert_array_equal(reference.elementwise(function, (), x, y), numpys(x, y))
        np.testing.assert_array_equal(cpu.elementwise(function, (0.3,), x), numpys(x, x.dtype.type(0.3)))


@pytest.mark.parametrize("name, parameters", [("clamp", (-0.4, 0.3)), ("exp", ()), ("log", ()), ("sqrt", ())])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementary_functions(name, parameters, dtype):
    limits = np.finfo(dtype)
    x = np.array([*SPECIAL * 3, limits.tiny, limits.smallest_subnormal, limits.max, 1.0], dtype)
    x = np.concatenate([x, np.geomspace(1e-30, 1e30, 999, dtype=dtype), np.linspace(0.5, 2, 999, dtype=dtype)])
    function = getattr(scalars, name)
    y, expected = (backend.elementwise(function, parameters, x) for backend in (cpu, reference))
    assert_same(y, expected, rtol=4 * limits.eps, atol=2 * limits.tiny)


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_gradient_is_the_derivative(name):
    value, gradient = getattr(scalars, name), getattr(scalars, f"{name}_grad")
    for x in np.random.default_rng(0).uniform(-4, 4, 30):
        slope = (value(x + 1e-6, *parameters(name)) - value(x - 1e-6, *parameters(name))) / 2e-6
        v = value(x, *parameters(name)) if of_result(name) else x
        assert gradient(3.0, v, *parameters(name)) == pytest.approx(3 * slope, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", CURVES)
def test_the_curvature_is_the_derivative_of_the_gradient(name):
    gradient, curve = getattr(scalars, f"{name}_grad"), getattr(scalars, f"{name}_curve")
    for v in np.random.default_rng(0).uniform(-4, 4, 30):
        slope = (gradient(1.0, v + 1e-6, *parameters(name)) - gradient(1.0, v - 1e-6, *parameters(name))) / 2e-6
        assert curve(3.0, v, *parameters(name)) == pytest.approx(3 * slope, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", ANALYTIC)
def test_a_complex_step_gives_the_derivative_to_the_last_places(name):
    value, gradient = getattr(scalars, name), getattr(scalars, f"{name}_grad")
    for x in np.random.default_rng(0).uniform(-4, 4, 30):
        slope = value(complex(x, 1e-200), *parameters(name)).imag / 1e-200 if abs(x) < 9 else None
        v = value(x, *parameters(name)) if of_result(name) else x
        assert slope == pytest.approx(gradient(1.0, v, *parameters(name)), rel=1e-12, abs=1e-14)


EXACT = {
    "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "expm1": np.expm1, "exp": np.exp,
    "log1p": lambda x: np.log1p(np.abs(x)),
}  # fmt: skip


def worst_error(name, dtype):
    """Largest error in units in the last place."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, scale, 20_000) for scale in (1e-6, 1e-2, 1, 10)]).astype(dtype)
    exact = EXACT[name](x.astype(np.longdouble))
    result = cpu.elementwise(getattr(scalars, name), (), np.abs(x) if name == "log1p" else x)
    return (np.abs(result - exact) / np.spacing(np.abs(exact).astype(dtype))).max()


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_within_a_few_units_in_the_last_place(name, dtype):
    assert worst_error(name, dtype) < 3.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_exact_near_0_and_far_out(dtype):
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.linspace(-7, 7, 50_001), np.logspace(-30, 0, 1000), [np.inf, -np.inf]]).astype(dtype)
    exact = special.erf(x.astype(np.float64))
    result = cpu.elementwise(scalars.erf, (), x)
    np.testing.assert_allclose(result, exact, rtol=6 * np.finfo(dtype).eps)


@pytest.mark.skipif("x86" not in platform.machine(), reason="names x86 CPUs")
@pytest.mark.parametrize("processor", ["haswell", "generic"])
def test_as_exact_on_other_processors(processor, tmp_path):
    code = "from test_elementwise import worst_error as w; print(w('tanh', 'float32'), w('sigmoid', 'float64'))"
    environment = {**os.environ, "NUMBA_CPU_NAME": processor, "MINIGRAD_CACHE": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment, capture_output=True)
    errors = list(map(float, run.stdout.split()))
    assert len(errors) == 2, run.stderr.decode()
    assert max(errors) < 4.5  # without a fused multiply-add


def test_result_keeps_the_memory_order():
    x = np.ones((2, 4, 5, 3), "float32").transpose(0, 3, 1, 2)
    y = cpu.elementwise(scalars.tanh, (), x)
    assert y.strides == x.strides
    assert cpu.elementwise(scalars.tanh_grad, (), np.ones(x.shape, "float32"), y).strides == x.strides


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_any_number_of_threads_gives_the_same_bits(name):
    x = np.random.default_rng(0).normal(size=200_001).astype("float32")
    one_and_two_threads(cpu.elementwise, getattr(scalars, name), (), x)
    one_and_two_threads(cpu.elementwise, getattr(scalars, f"{name}_grad"), (), x, x)


def test_compiled_functions_come_from_the_disk_the_second_time(tmp_path):
    code = (
        "import sys; import numpy as np; from minigrad.kernels import cpu, scalars\n"
        "cpu.elementwise(scalars.silu, (), np.ones(9))\n"
        "module = sys.modules['minigrad.kernels.cpu.elementwise']\n"
        "kernel = module._kernel(scalars.silu, np.dtype(float), 1)[0]\n"
        "print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))"
    )
    environment = {**os.environ, "MINIGRAD_CACHE": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    ]
    assert [run.split() for run in runs] == [["0", "1"], ["1", "0"]]


@settings(max_examples=20)
@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5), dtype=DTYPES)
def test_in_place_and_broadcast_agree_with_reference(data, shape, dtype):
    x, y = data.draw(arrays(shape, dtype, 3)), data.draw(arrays(shape, dtype, 3))
    ones = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    part = y[tuple([slice(0, 1) if one else slice(None) for one in ones])]
    with unchanged(x, y):
        actual, expected = (b.elementwise_broadcast(scalars.subtract, (), x, part) for b in (cpu, reference))
        assert_same(actual, expected)
    for others in ((), (y,)):
        function, numbers = (scalars.subtract, ()) if others else (scalars.multiply, (0.3,))
        results = []
        for backend in (cpu, reference):
            results.append(x.copy(order="K"))
            backend.elementwise_in_place(function, numbers, results[-1], *others)
        np.testing.assert_array_equal(*results)
    gaps = np.zeros((*shape[:-1], 2 * shape[-1]), dtype)
    cpu.elementwise_in_place(scalars.add, (), gaps[..., ::2], y)
    np.testing.assert_array_equal(gaps[..., ::2], y)
    assert not gaps[..., 1::2].any()


@pytest.mark.parametrize("shape, part", [
    ((300, 400), (1, 400)), ((300, 400), (300, 1)), ((300, 400), (1, 1)), ((4, 30, 20, 40), (1, 30, 1, 1)),
    ((4, 30, 20, 40), (4, 1, 20, 1)), ((2, 60_000), (2, 1)), ((2, 60_000), (1, 60_000)),
])  # fmt: skip
def test_broadcast_operands_of_large_arrays(shape, part):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape, np.float32), rng.standard_normal(part, np.float32)
    np.testing.assert_array_equal(cpu.elementwise_broadcast(scalars.subtract, (), x, y), x - y)
    one_and_two_threads(cpu.elementwise_broadcast, scalars.subtract, (), x, y)
