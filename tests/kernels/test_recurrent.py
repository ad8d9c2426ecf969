"""Steps of LSTM and GRU: the fast kernels against the reference loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


@given(data=st.data(), n=st.integers(0, 4), h=st.integers(1, 9), dtype=DTYPES, scale=st.sampled_from([1.0, 100.0]))
def test_lstm_agrees_with_reference(data, n, h, dtype, scale):
    x, hidden = (data.draw(arrays((n, 4 * h), dtype, scale)) for _ in range(2))
    cell, dhidden, dcell = (data.draw(arrays((n, h), dtype)) for _ in range(3))
    with unchanged(x, hidden, cell):
        ours = cpu.lstm_step(x, hidden, cell)
    theirs = reference.lstm_step(x, hidden, cell.astype(dtype))
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b, **TOLERANCE[dtype])
    gates, next_cell, _ = theirs
    ours = cpu.lstm_step_grad(dhidden, dcell, gates, cell, next_cell)
    for a, b in zip(ours, reference.lstm_step_grad(dhidden, dcell, gates, cell, next_cell), strict=True):
        assert_same(a, b, **TOLERANCE[dtype])


@given(data=st.data(), n=st.integers(0, 4), h=st.integers(1, 9), dtype=DTYPES, scale=st.sampled_from([1.0, 100.0]))
def test_gru_agrees_with_reference(data, n, h, dtype, scale):
    x, part = (data.draw(arrays((n, 3 * h), dtype, scale)) for _ in range(2))
    hidden, dhidden = (data.draw(arrays((n, h), dtype)) for _ in range(2))
    with unchanged(x, part, hidden):
        ours = cpu.gru_step(x, part, hidden)
    theirs = reference.gru_step(x, part, hidden.astype(dtype))
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b, **TOLERANCE[dtype])
    ours = cpu.gru_step_grad(dhidden, theirs[0], part, hidden)
    tolerance = {name: scale * value for name, value in TOLERANCE[dtype].items()}
    for a, b in zip(ours, reference.gru_step_grad(dhidden, theirs[0], part, hidden), strict=True):
        assert_same(a, b, **tolerance)


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    x, part, cell = rng.normal(size=(2, 64, 1024))[0], rng.normal(size=(64, 1024)), rng.normal(size=(64, 256))
    one_and_two_threads(cpu.lstm_step, x, part, cell)
    gates, next_cell, _ = cpu.lstm_step(x, part, cell)
    one_and_two_threads(cpu.lstm_step_grad, cell, cell, gates, cell, next_cell)
    one_and_two_threads(cpu.gru_step, x[:, :768], part[:, :768], cell)
    one_and_two_threads(cpu.gru_step_grad, cell, cpu.gru_step(x[:, :768], part[:, :768], cell)[0], part[:, :768], cell)
