"""Matrix products and convolutions of the GPU's kernels against the reference's loops, with tiles of a few cells."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import DTYPES, arrays, called, check, geometries

from minigrad.kernels.cuda import _numba


@given(
    st.data(), st.integers(0, 20), st.integers(0, 13), st.integers(0, 20), st.booleans(), st.booleans(), DTYPES,
    st.sampled_from([(), (1,), (3,)]), st.booleans(),
)  # fmt: skip
def test_matmul(data, rows, depth, columns, a_across, b_across, dtype, batch, fours):
    if fours:
        rows, depth, columns = 4 * (rows // 4), 4 * (depth // 4), 4 * (columns // 4)
    a = data.draw(arrays((*batch, *((depth, rows) if a_across else (rows, depth))), dtype))
    b = data.draw(arrays((*batch, *((columns, depth) if b_across else (depth, columns))), dtype))
    check("matmul", a.swapaxes(-1, -2) if a_across else a, b.swapaxes(-1, -2) if b_across else b)


@pytest.mark.parametrize("shape", [(7, 2, 3, 4), (1, 2, 3, 40), (3, 2, 5, 37)], ids=str)
def test_a_product_of_more_blocks_than_a_grid_has(monkeypatch, shape):
    matrices, rows, depth, columns = shape
    matmul = sys.modules["minigrad.kernels.cuda.matmul"]  # the package's name is the function's
    for module in (matmul, _numba):
        monkeypatch.setattr(module, "MOST_ACROSS", 2)
    rng = np.random.default_rng(0)
    a, b = rng.random((matrices, rows, depth)), rng.random((matrices, depth, columns))
    check("matmul", a, b)
    check("matmul", a[0], b[0])
    with pytest.raises(ValueError, match=r"^a grid of \(1, 3, 1\) blocks has more than 2 along its second"):
        _numba.launch(matmul.tiled_product, (1, 3), 4)


def is_channels_last(y):
    return np.moveaxis(y, 1, -1).flags.c_contiguous


@given(st.data(), geometries(), DTYPES)
def test_convolution(data, geometry, dtype):
    x_shape, weight_shape, y_shape, settings = geometry
    x, weight, dy = (data.draw(arrays(shape, dtype)) for shape in (x_shape, weight_shape, y_shape))
    bias = data.draw(st.none() | arrays(weight_shape[:1], dtype))
    assert is_channels_last(check("conv_forward", x, weight, bias, *settings))
    assert is_channels_last(check("conv_input_grad", dy, weight, x_shape, *settings))
    assert check("conv_weight_grad", dy, x, weight_shape, *settings).flags.c_contiguous


@pytest.mark.parametrize(
    "x_shape, weight_shape, stride, padding, dilation, groups",
    [
        ((2, 4, 9, 10), (8, 4, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
        ((2, 8, 9, 7), (4, 8, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 1),
        ((1, 8, 7, 8), (8, 4, 2, 3), (1, 2), ((0, 2), (2, 0)), (2, 1), 2),
        ((3, 5, 9, 9), (5, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 5),
        ((2, 3, 12, 12), (6, 3, 5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ],
)
def test_layers_as_networks_have_them(x_shape, weight_shape, stride, padding, dilation, groups):
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(shape).astype("float32") for shape in (x_shape, weight_shape))
    settings = stride, padding, dilation, groups
    y = check("conv_forward", x, weight, rng.standard_normal(len(weight)).astype("float32"), *settings)
    dy = rng.standard_normal(y.shape).astype("float32")
    check("conv_input_grad", dy, weight, x.shape, *settings)
    check("conv_weight_grad", dy, x, weight.shape, *settings)
    for name, args in (("conv_forward", (x, weight, None)), ("conv_weight_grad", (dy, x, weight.shape))):
        np.testing.assert_array_equal(called(name, *args, *settings), called(name, *args, *settings))
