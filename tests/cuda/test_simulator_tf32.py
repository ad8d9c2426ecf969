"""Products and convolutions by tensor cores: the instruction's twin, the kernels against loops on rounded factors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import arrays, called, geometries

import minigrad as mg
from minigrad.kernels import precision, reference
from minigrad.kernels.cuda import product
from minigrad.kernels.cuda._numba import cuda, i32, kernel, launch
from minigrad.kernels.cuda.specialization import on_simulator
from minigrad.kernels.cuda.tensor_cores import mma, rounded_to_tf32
from minigrad.kernels.device import DeviceArray, library, simulated, to_host

FLOAT32 = np.dtype("float32")
in_the_simulator = pytest.mark.skipif(not simulated(), reason="it is the simulator that notices")


@pytest.fixture(autouse=True, scope="module")
def tf32():
    """TF32 is allowed in this file."""
    precision.set_fp32_precision("all", "tf32")
    yield
    precision.set_fp32_precision("all", "none")


def rounded(x):
    """x in eleven significant bits, halves away from 0, by arithmetic."""
    x = np.asarray(x, "float64")
    unit = np.exp2(np.maximum(np.frexp(x)[1] - 11, -136))  # below the least normal number of float32 all have one
    with np.errstate(over="ignore"):
        return np.copysign(np.floor(np.abs(x) / unit + 0.5) * unit, x).astype("float32")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(-10, 10, width=32))
def test_rounding(x):
    assert np.float32(rounded_to_tf32(x)).tobytes() == rounded(x).tobytes()


def test_rounding_at_its_corners():
    halfway = 1 + 2.0**-11
    assert [rounded_to_tf32(x) for x in (halfway, -halfway, np.nextafter(np.float32(halfway), np.float32(0)))] == [
        1 + 2.0**-10, -1 - 2.0**-10, 1.0,
    ]  # fmt: skip
    assert rounded_to_tf32(float(np.finfo("float32").max)) == np.inf
    assert [rounded_to_tf32(x) for x in (np.inf, -np.inf, 0.0)] == [np.inf, -np.inf, 0.0]
    assert np.isnan(rounded_to_tf32(np.nan)) and np.signbit(rounded_to_tf32(-0.0))


@kernel("T*, T*, T*, T*, i32")
def one_instruction(d, a, b, c, lanes, *, T, THREADS):
    """d = c + a · b; the formulas for rows and columns are those of the PTX ISA."""
    lane = i32(cuda.threadIdx.x)
    group, member = lane // 4, lane % 4
    if lane < lanes:
        own = mma(
            a[group * 8 + member], a[(group + 8) * 8 + member], a[group * 8 + member + 4],
            a[(group + 8) * 8 + member + 4],
            b[member * 8 + group], b[(member + 4) * 8 + group],
            c[group * 8 + 2 * member], c[group * 8 + 2 * member + 1], c[(group + 8) * 8 + 2 * member],
            c[(group + 8) * 8 + 2 * member + 1],
        )  # fmt: skip
        for i in range(4):
            d[(group + i // 2 * 8) * 8 + 2 * member + i % 2] = own[i]


def launched(kernel, threads, shape, *args):
    """What a kernel of one block writes into an array of that shape."""
    arrays = [library().module.asarray(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    result = library().module.zeros(shape, "float32")
    launch(kernel, 1, threads, result, *arrays, T=FLOAT32, THREADS=threads)
    return to_host(DeviceArray(result))


def of_the_instruction(a, b, c, lanes=32):
    return launched(one_instruction, 32, (16, 8), a, b, c, lanes)


@given(st.integers(0, 2**32 - 1))
def test_one_instruction_multiplies_16_by_8_by_8(seed):
    rng = np.random.default_rng(seed)
    a, b, c = (rounded(rng.standard_normal(shape)) for shape in ((16, 8), (8, 8), (16, 8)))
    np.testing.assert_allclose(of_the_instruction(a, b, c), c + a.astype("float64") @ b, rtol=1e-6, atol=1e-6)


def test_what_is_not_rounded_is_cut_off():
    a, b, c = np.zeros((16, 8), "float32"), np.eye(8, dtype="float32"), np.zeros((16, 8), "float32")
    a[3, 5] = 1 + 2.0**-10 + 2.0**-11 + 2.0**-20
    assert of_the_instruction(a, b, c)[3, 5] == 1 + 2.0**-10


@in_the_simulator
def test_a_lane_that_does_not_come_is_an_error():
    ones = np.ones((16, 8), "float32")
    with pytest.raises(RuntimeError, match="31 of the 32 threads of warp 0"):
        of_the_instruction(ones, ones, ones, lanes=31)


@kernel("T*")
def by_one_warp(d, *, T, THREADS):
    """The second warp computes while the first waits for it."""
    shared = cuda.shared.array(THREADS, T)
    thread = i32(cuda.threadIdx.x)
    if thread >= 32:
        shared[thread - 32] = mma(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)[0]
    cuda.syncthreads()
    d[thread] = shared[thread % 32]


def test_a_warp_may_compute_while_another_waits():
    np.testing.assert_array_equal(launched(by_one_warp, 64, 64), 8)


def check(name, expected, *args):
    """The kernel gives what the reference gave for rounded factors."""
    result = called(name, *args)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@given(st.data(), st.integers(0, 70), st.integers(0, 20), st.integers(0, 70), *[st.booleans()] * 3)
def test_matmul(data, rows, depth, columns, a_across, b_across, fours):
    if fours:
        rows, depth, columns = 4 * (rows // 4), 4 * (depth // 4), 4 * (columns // 4)
    a = data.draw(arrays((depth, rows) if a_across else (rows, depth), "float32"))
    b = data.draw(arrays((columns, depth) if b_across else (depth, columns), "float32"))
    a, b = a.T if a_across else a, b.T if b_across else b
    check("matmul", rounded(a).astype("float64") @ rounded(b), a, b)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(st.data(), geometries())
def test_convolution(data, geometry):
    x_shape, weight_shape, y_shape, settings = geometry
    x, weight, dy = (data.draw(arrays(shape, "float32")) for shape in (x_shape, weight_shape, y_shape))
    bias = data.draw(st.none() | arrays(weight_shape[:1], "float32"))
    depthwise = weight_shape[1] == 1 and weight_shape[0] == settings[-1]  # not a product of matrices: exact
    factor_x, factor_weight, factor_dy = (array if depthwise else rounded(array) for array in (x, weight, dy))
    expected = reference.conv_forward(factor_x, factor_weight, bias, *settings)
    check("conv_forward", expected, x, weight, bias, *settings)
    expected = reference.conv_input_grad(factor_dy, factor_weight, x_shape, *settings)
    check("conv_input_grad", expected, dy, weight, x_shape, *settings)
    expected = reference.conv_weight_grad(factor_dy, factor_x, weight_shape, *settings)
    check("conv_weight_grad", expected, dy, x, weight_shape, *settings)


def test_a_layer_as_networks_have_it():
    rng = np.random.default_rng(0)
    x, weight, dy = (rng.standard_normal(s).astype("float32") for s in ((1, 4, 4, 5), (36, 4, 3, 3), (1, 36, 4, 5)))
    settings = (1, 1), ((1, 1), (1, 1)), (1, 1), 1
    factor_x, factor_weight, factor_dy = map(rounded, (x, weight, dy))
    check("conv_forward", reference.conv_forward(factor_x, factor_weight, None, *settings), x, weight, None, *settings)
    expected = reference.conv_input_grad(factor_dy, factor_weight, x.shape, *settings)
    check("conv_input_grad", expected, dy, weight, x.shape, *settings)
    expected = reference.conv_weight_grad(factor_dy, factor_x, weight.shape, *settings)
    check("conv_weight_grad", expected, dy, x, weight.shape, *settings)


def tile(operation, dtype="float32"):
    return product.choose_tile(64, 64, 1, np.dtype(dtype), operation)


def test_only_what_is_allowed_uses_tensor_cores(monkeypatch):
    assert tile("matmul").TF32 and tile("conv").TF32
    assert not tile("matmul", "float64").TF32 and not tile("conv", "float64").TF32
    for operation, other in (("matmul", "conv"), ("conv", "matmul")):
        precision.set_fp32_precision(operation, "ieee")
        assert not tile(operation).TF32 and tile(other).TF32
        precision.set_fp32_precision(operation, "none")
    monkeypatch.setattr(product, "has_tensor_cores", lambda: False)
    assert not tile("matmul").TF32 and not tile("conv").TF32


def test_switches_reach_tensors_and_their_gradients():
    rng = np.random.default_rng(1)
    factors = [rng.standard_normal(shape).astype("float32") for shape in ((5, 7), (7, 6))]
    results = {}
    for allowed in (False, True):
        mg.backends.cuda.matmul.allow_tf32 = allowed
        a, b = (mg.tensor(factor, device="cuda", requires_grad=True) for factor in factors)
        product = a @ b
        product.sum().backward()
        results[allowed] = [array.detach().cpu().numpy() for array in (product, a.grad)]
    mg.backends.cuda.matmul.fp32_precision = "none"
    a, b = factors
    np.testing.assert_allclose(results[False][0], a @ b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results[True][0], rounded(a) @ rounded(b), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results[True][1], np.ones((5, 6)) @ rounded(b).T, rtol=1e-5, atol=1e-5)
    assert all(1e-4 < np.abs(exact - tf32).max() < 1e-2 for exact, tf32 in zip(results[False], results[True]))


@in_the_simulator
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("tile", [*product.TENSOR, product.TENSOR_SMALL], ids=str)
def test_shared_memory_is_reached_without_conflicts(tile, across, monkeypatch):
    """32 numbers, of as many lanes as that takes, always lie in 32 banks."""
    touched = []
    for width in (1, 2, 4):
        monkeypatch.setattr(product, f"take{width}", lambda local, i, place, j, w=width: touched.append((w, j)))
        monkeypatch.setattr(product, f"put{width}", lambda place, j, local, i, w=width: touched.append((w, j)))
    monkeypatch.setattr(product, "mma", lambda *values: values[6:])
    constants = {**tile.constants, "LEFT_ACROSS": across, "RIGHT_ACROSS": across, "T": float}
    names = "accumulate_by_warp", "lay_left", "lay_right", "left_start", "right_start"
    read, *lay, left, right = (on_simulator(getattr(product, name).function, constants) for name in names)
    ones, checked = [1.0] * 64, 0
    steps = [lambda thread: read(None, None, 1, left(thread), right(thread), [0.0] * 64, ones, ones)]
    steps += [lambda thread, write=write: write(None, 1, thread, list(ones)) for write in lay]
    for step in steps:
        for warp in range(tile.threads // 32):
            lanes = []
            for thread in range(32 * warp, 32 * warp + 32):
                step(thread)
                lanes.append(touched.copy())
                touched.clear()
            for accesses in zip(*lanes, strict=True):
                width = accesses[0][0]
                for together in range(0, 32, 32 // width):
                    found = accesses[together : together + 32 // width]
                    assert sorted((j + word) % 32 for _, j in found for word in range(width)) == list(range(32))
                    checked += 1
    assert checked > 50
