"""Connectionist temporal classification: the fast kernels against the reference loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference


def problem(rng, steps, batch, classes, longest):
    """Labels, input lengths, target lengths and a blank."""
    blank = int(rng.integers(0, classes))
    labels = (blank + rng.integers(1, max(classes, 2), (batch, longest))) % classes
    return labels, rng.integers(0, steps + 1, batch), rng.integers(0, longest + 1, batch), blank


@given(
    data=st.data(), t=st.integers(1, 6), n=st.integers(1, 4), c=st.integers(2, 4), s=st.integers(0, 4), dtype=DTYPES,
    zero_infinity=st.booleans(),
)  # fmt: skip
def test_agrees_with_reference(data, t, n, c, s, dtype, zero_infinity):
    logp, dlosses = data.draw(arrays((t, n, c), dtype)), data.draw(arrays((n,), dtype))
    labels, inputs, targets, blank = problem(np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))), t, n, c, s)
    with unchanged(logp, dlosses, labels):
        losses, alpha = cpu.ctc(logp, labels, inputs, targets, blank)
        grad = cpu.ctc_grad(dlosses, logp, labels, inputs, targets, losses, alpha, blank, zero_infinity)
    expected, their_alpha = reference.ctc(logp, labels, inputs, targets, blank)
    arguments = dlosses, logp, labels, inputs, targets, expected, their_alpha, blank, zero_infinity
    tolerance = {name: 10 * value for name, value in TOLERANCE[dtype].items()}  # sums of logarithms of sums
    assert_same(losses, expected, **tolerance)
    assert_same(grad, reference.ctc_grad(*arguments), **tolerance)


def test_the_loss_counts_all_alignments():
    rng = np.random.default_rng(0)
    p = rng.random((4, 1, 3)) / 2
    total = 0.0
    for path in np.ndindex(3, 3, 3, 3):
        read = [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]
        if read == [1, 2]:
            total += np.prod([p[t, 0, c] for t, c in enumerate(path)])
    losses, _ = cpu.ctc(np.log(p), np.array([[1, 2]]), np.array([4]), np.array([2]), 0)
    np.testing.assert_allclose(np.exp(-losses), [total])


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    logp = np.log(rng.random((50, 9, 6)))
    labels, inputs, targets, blank = problem(rng, 50, 9, 6, 12)
    one_and_two_threads(lambda: cpu.ctc(logp, labels, inputs, targets, blank)[0])
    losses, alpha = cpu.ctc(logp, labels, inputs, targets, blank)
    one_and_two_threads(cpu.ctc_grad, np.ones(9), logp, labels, inputs, targets, losses, alpha, blank, True)
