"""CTC, selection and sampling at given places: the GPU's kernels against the reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from simulated import DTYPES, TOLERANCE, arrays, called, check

from minigrad.kernels import reference


@given(st.data(), st.integers(0, 3), st.integers(1, 5), st.integers(0, 3), st.integers(2, 4), DTYPES, st.booleans())
def test_ctc(data, batch, steps, most, classes, dtype, zero_infinity):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    scores = rng.normal(size=(steps, batch, classes))
    logp = (scores - np.log(np.exp(scores).sum(2, keepdims=True))).astype(dtype)
    labels = rng.integers(1, classes, (batch, most))
    lengths = rng.integers(0, steps + 1, batch), rng.integers(0, most + 1, batch)
    losses, alpha = called("ctc", logp, labels, *lengths, 0)

    expected, table = reference.ctc(logp, labels, *lengths, 0)
    np.testing.assert_allclose(losses, expected, **TOLERANCE[dtype])
    for n in range(batch):
        known = n, slice(lengths[0][n]), slice(2 * lengths[1][n] + 1)
        np.testing.assert_allclose(alpha[known], table[known], **TOLERANCE[dtype])
    dlosses = rng.normal(size=batch).astype(dtype)
    check("ctc_grad", dlosses, logp, labels, *lengths, expected, table, 0, zero_infinity)


@given(st.data(), st.integers(0, 4), st.integers(1, 9), st.booleans(), st.booleans())
def test_selection(data, rows, count, largest, ties):
    x = data.draw(arrays((rows, count), "float64"))
    x = np.round(x) if ties else np.array(x)
    x[x == 1] = np.nan
    k = data.draw(st.integers(0, count - 1))
    check("kth_smallest", x, k)
    found = called("top_k", x, k + 1, largest, True)
    picked = np.take_along_axis(x, found, 1)
    ordered = np.sort(x, 1)
    np.testing.assert_array_equal(picked, ordered[:, ::-1][:, : k + 1] if largest else ordered[:, : k + 1])


@given(
    st.data(), st.integers(2, 3), st.sampled_from(["bilinear", "nearest", "bicubic"]),
    st.sampled_from(["zeros", "border", "reflection"]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_grid_sample(data, rank, mode, padding_mode, align_corners, steep):
    if rank == 3 and mode == "bicubic":
        mode = "bilinear"
    size = data.draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    places = data.draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank))
    orders = tuple(int(steep and axis == 0) for axis in range(rank))
    x = data.draw(arrays((2, 2, *size), "float64"))
    grid = data.draw(arrays((2, *places, rank), "float64"))
    settings = mode, padding_mode, align_corners, orders
    y = check("grid_sample", x, grid, *settings)
    dy = data.draw(arrays(y.shape, "float64"))
    check("grid_sample_grad", dy, grid, x.shape, *settings)
    check("grid_sample_grid_grad", dy, x, grid, mode, padding_mode, align_corners, (0,) * rank)
