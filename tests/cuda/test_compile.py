"""The GPU's kernels compiled where there is none: Numba to PTX, NVIDIA's assembler to machine code, to be inspected.

The simulator knows nothing of types, of registers or of instructions; this lane does. It needs the packages of the
extra `cuda-test`, and is skipped without them. Everything that networks call is compiled for the oldest architecture
and assembled for all; the tiles of products and convolutions are compiled for each.
"""

import functools
import inspect
from importlib.util import find_spec

import numpy as np
import pytest
from compilation import TOOLS, assembled, ptx, recorded

from minigrad.kernels import precision, scalars
from minigrad.kernels.device import simulated

pytestmark = [
    pytest.mark.skipif(simulated(), reason="the simulator stands in for the GPU in this process"),
    pytest.mark.skipif(
        find_spec("numba_cuda") is None or TOOLS is None, reason='needs pip install "minigrad[cuda-test]"'
    ),
]

ARCHITECTURES = (7, 5), (8, 0), (9, 0)
REGISTERS = 128  # for 512 threads on a multiprocessor
SAME = (1, 1), ((1, 1), (1, 1)), (1, 1), 1


def f32(*shape):
    """Ones."""
    return np.ones(shape, "float32")


def i64(*shape):
    """Zeros that index."""
    return np.zeros(shape, "int64")


TILES = {
    "forward": [("conv_forward", f32(64, 128, 28, 28), f32(128, 128, 3, 3), f32(128), *SAME)],
    "weight gradient": [("conv_weight_grad", f32(64, 128, 28, 28), f32(64, 128, 28, 28), (128, 128, 3, 3), *SAME)],
    "product": [("matmul", f32(2048, 1024), f32(1024, 2048))],
    "input gradient": [("conv_input_grad", f32(64, 128, 28, 28), f32(128, 128, 3, 3), (64, 128, 28, 28), *SAME)],
}

TENSOR_TILES = {  # the least part of the hot loop that is products on tensor cores, each worth eight cycles and more
    "forward": 0.085,
    "input gradient": 0.085,
    "weight gradient": 0.07,
    "product": 0.105,
}
TENSOR_PRODUCT = "HMMA.1688.F32.TF32"


def layers():
    """What networks call, with few channels and many, images and rows."""
    x, odd, rows = f32(2, 8, 12, 12), f32(2, 3, 12, 12), f32(64, 400)
    window = (2, 2), (2, 2), (0, 0)
    yield from (
        ("conv_forward", odd, f32(6, 3, 5, 5), f32(6), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
        ("conv_forward", f32(64, 64, 32, 32), f32(64, 64, 3, 3), None, *SAME),
        ("conv_weight_grad", f32(2, 6, 8, 8), odd, (6, 3, 5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
        ("conv_forward", x, f32(8, 1, 3, 3), f32(8), *SAME[:3], 8),
        ("conv_input_grad", x, f32(8, 1, 3, 3), x.shape, *SAME[:3], 8),
        ("conv_weight_grad", x, x, (8, 1, 3, 3), *SAME[:3], 8),
        ("matmul", rows, f32(120, 400).T),
        ("matmul", f32(120, 400).T, f32(120, 84)),
        ("matmul", rows.astype("float64"), f32(400, 84).astype("float64")),
        ("max_pool", x, *window, (1, 1), (6, 6)),
        ("max_pool_grad", f32(2, 8, 6, 6), i64(2, 8, 6, 6), x.shape),
        ("max_pool_grad", f32(2, 8, 6, 6), i64(2, 8, 6, 6), x.shape, (*window, (1, 1))),
        ("max_pool_grad", f32(2, 8, 5, 5), i64(2, 8, 5, 5), x.shape, ()),
        ("max_pool_gather", x, i64(2, 8, 6, 6)),
        ("median_pool", x, *window, (6, 6)),
        ("avg_pool", x, *window, (6, 6), True, None),
        ("avg_pool_grad", f32(2, 8, 6, 6), x.shape, *window, False, None),
        ("adaptive_avg_pool", x, (1, 1)),
        ("adaptive_avg_pool_grad", f32(2, 8, 1, 1), x.shape),
        ("adaptive_max_pool", x, (5, 5)),
        ("batch_norm_stats", x),
        ("batch_norm", x, f32(8), f32(8), f32(8), f32(8)),
        ("batch_norm", odd, f32(3), f32(3), None, None),
        ("batch_norm_grad", x, x, f32(8), f32(8), f32(8)),
        ("batch_norm", x, f32(8), f32(8), f32(8), f32(8), (scalars.relu,), x),
        ("batch_norm", odd, f32(3), f32(3), f32(3), f32(3), (scalars.leaky_relu, 0.1), odd),
        ("batch_norm_grad", x, x, f32(8), f32(8), f32(8), f32(8), (scalars.relu,)),
        ("batch_norm_grad", odd, odd, f32(3), f32(3), f32(3), f32(3), (scalars.silu,)),
        ("channel_sum", f32(64, 128, 28, 28)),
        ("row_norm", f32(8, 1, 512, 1), f32(512), f32(512), 1e-5, True),
        ("row_norm_grad", f32(8, 1, 512, 1), f32(8, 1, 512, 1), f32(8, 1), f32(8, 1), f32(512), True),
        ("row_norm", f32(8, 2, 8, 64), f32(16), f32(16), 1e-5, True, (scalars.relu,)),
        ("row_norm_grad", *[f32(8, 2, 8, 64)] * 2, *[f32(8, 2)] * 2, f32(16), True, f32(16), (scalars.gelu,)),
        ("softmax", f32(64, 10), 1),
        ("log_softmax", f32(64, 1000), 1),
        ("softmax_grad", f32(64, 1000), f32(64, 1000), 1),
        ("log_softmax_grad", f32(64, 10), f32(64, 10), 1),
        ("nll", f32(64, 10, 1), i64(64, 1), f32(10), -100),
        ("nll_grad", f32(64, 1), i64(64, 1), None, -100, 10),
        ("sgd_update", [rows], [rows], [rows], 0.1, 0.9, 0.0, 1e-4, True, False),
        ("adam_update", [rows], [rows], [rows], [rows], [rows], [1], 1e-3, 0.9, 0.999, 1e-8, 0.01, True, False),
        ("sgd_update", [rows], [rows], None, f32(), 0.0, 0.0, 0.0, False, False),
        ("adam_update", *[[rows]] * 4, None, [f32()], f32(), 0.9, 0.999, 1e-8, 0.0, False, False),
        ("dropout", rows, i64(2).astype("uint64"), 0.5),
        ("random_words", i64(2).astype("uint64"), 100),
        ("rmsprop_update", [rows], [rows], [rows], [rows], [rows], 1e-2, 0.9, 1e-8, 0.0, 0.9, False),
        ("adagrad_update", [rows], [rows], [rows], [1], 1e-2, 0.0, 1e-10, 0.0, False),
        ("elementwise_broadcast", scalars.add, (), rows, f32(1, 400)),
        ("total", rows, (1,)),
        ("total", rows, (0, 1)),
        ("extreme", rows, (1,), True),
        ("moments", rows, (1,)),
        ("running_total", rows, 1, False),
        ("gather", f32(2, 5, 3), i64(2, 4, 3)),
        ("scatter", f32(2, 5, 3), i64(2, 4, 3), f32(2, 4, 3), "amax"),
        ("gather_rows", rows, i64(7)),
        ("scatter_add_rows", f32(7, 16), i64(7), 64),
        ("lstm_step", f32(4, 32), f32(4, 32), f32(4, 8)),
        ("lstm_step_grad", f32(4, 8), f32(4, 8), f32(4, 32), f32(4, 8), f32(4, 8)),
        ("gru_step", f32(4, 24), f32(4, 24), f32(4, 8)),
        ("gru_step_grad", f32(4, 8), f32(4, 24), f32(4, 24), f32(4, 8)),
        ("linear_recurrence", rows, rows),
        ("unfold", x, (3, 3), (1, 1), (1, 1), (1, 1), (12, 12)),
        ("fold", f32(2, 72, 144), (12, 12), (3, 3), (1, 1), (1, 1), (1, 1), (12, 12)),
        ("resample", x, 2, i64(13), i64(12), f32(12)),
        ("kth_smallest", f32(4, 9), 3),
        ("ctc", f32(5, 2, 4), i64(2, 3), i64(2), i64(2), 0),
        ("ctc_grad", f32(2), f32(5, 2, 4), i64(2, 3), i64(2), i64(2), f32(2), f32(2, 5, 7), 0, True),
        ("grid_sample", x, f32(2, 5, 5, 2), "bicubic", "reflection", False, (0, 0)),
        ("grid_sample_grad", f32(2, 8, 5, 5), f32(2, 5, 5, 2), x.shape, "bilinear", "zeros", True, (0, 0)),
        ("grid_sample_grid_grad", f32(2, 8, 5, 5), x, f32(2, 5, 5, 2), "bilinear", "border", False, (0, 0)),
    )


PARAMETERS = {"alpha", "beta", "bound", "high", "limit", "low", "rate", "scale", "slope", "value"}
VOCABULARY = {"where", "real", "absolute", "quotient", "larger", "exp", "expm1", "log1p", "log", "sqrt", "erf"}


def activations():
    """Every function of numbers, with its parameters, on one array or on two."""
    for name, function in inspect.getmembers(scalars, inspect.isfunction):
        if name not in VOCABULARY:
            names = list(inspect.signature(function).parameters)
            parameters = tuple(0.5 for word in names if word in PARAMETERS)
            yield "elementwise", function, parameters, *[f32(64)] * (len(names) - len(parameters))


@functools.cache
def found(group, fp32="ieee"):
    """The kernels that a group of calls launches, as (kernel, constants)."""
    calls = {**TILES, "layers": layers(), "activations": activations()}[group]
    precision.set_fp32_precision("all", fp32)
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            return list(recorded(monkeypatch, calls))
    finally:
        precision.set_fp32_precision("all", "none")


def check(code):
    """No more registers than leave room for 512 threads, and nothing spilled to memory."""
    registers, spilled, stack, _ = code
    assert registers <= REGISTERS
    assert spilled == stack == 0


@pytest.mark.parametrize("capability", ARCHITECTURES, ids="sm_{0[0]}{0[1]}".format)
@pytest.mark.parametrize("group", ["forward", "weight gradient", "product"])
def test_tiles_multiply_and_add(group, capability):
    kernel, constants = found(group)[0]
    code = assembled(ptx(kernel, constants, capability), f"{capability[0]}{capability[1]}")
    check(code)
    wide = {operation[:3] for _, operation, _ in code.instructions if ".128" in operation}
    assert wide >= {"LDG", "LDS", "STG"}  # loads and stores of four numbers
    hot = [operation for _, operation, _ in code.hot_loop()]
    assert hot.count("FFMA") >= 0.7 * len(hot)


@pytest.mark.parametrize("group", TENSOR_TILES)
def test_tiles_multiply_on_tensor_cores(group):
    kernel, constants = found(group, "tf32")[0]
    tile = dict(constants)
    for architecture in ("80", "90"):
        code = assembled(ptx(kernel, constants, (8, 0)), architecture)
        check(code)
        assert "LDG.E.128" in {operation.replace(".CONSTANT", "") for _, operation, _ in code.instructions}
        hot = [operation for _, operation, _ in code.hot_loop(TENSOR_PRODUCT)]
        assert hot.count(TENSOR_PRODUCT) == tile["HIGH"] * tile["WIDE"] * tile["DEPTH"] // 8
        assert hot.count(TENSOR_PRODUCT) >= TENSOR_TILES[group] * len(hot)
        assert hot.count("LDS.64") >= 2 * tile["HIGH"]  # pairs of factors, read to where they are needed:
        assert sum("MOV" in operation for operation in hot) <= 12


@pytest.mark.parametrize("group", ["layers", "activations"])
def test_everything_compiles(group):
    names, failures = set(), []
    for kernel, constants in found(group):
        names.add(kernel.function.__name__)
        code = ptx(kernel, constants, ARCHITECTURES[0])
        for major, minor in ARCHITECTURES:
            registers, spilled, stack, _ = assembled(code, f"{major}{minor}", listed=False)
            if registers > REGISTERS or spilled or stack:
                what = f"{kernel.function.__name__} {constants} for sm_{major}{minor}"
                failures.append(f"{what}: {registers} registers, {spilled} bytes spilled, {stack} bytes of stack")
    assert failures == []
    assert len(names) >= (50 if group == "layers" else 1)
