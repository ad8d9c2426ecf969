"""The negative log likelihood: the fast kernels against the reference loops and PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import DTYPES, TOLERANCE, arrays, assert_same, one_and_two_threads, unchanged

from minigrad.kernels import cpu, reference
from minigrad.testing import LAYOUTS, lay_out


@given(
    data=st.data(), n=st.integers(0, 5), c=st.integers(1, 5), l=st.integers(0, 5), dtype=DTYPES,
    weighted=st.booleans(), ignore_index=st.integers(-2, 4), layout=st.sampled_from(list(LAYOUTS)),
)  # fmt: skip
def test_agrees_with_reference(data, n, c, l, dtype, weighted, ignore_index, layout):
    logp, dlosses = data.draw(arrays((n, c, l), dtype)), data.draw(arrays((n, l), dtype))
    weight = data.draw(arrays((c,), dtype)) if weighted else None
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    classes = rng.integers(0, c, (n, l))
    target = lay_out(np.where(rng.random((n, l)) < 0.3, ignore_index, classes), layout)
    with unchanged(logp, dlosses, target):
        losses, weights = cpu.nll(logp, target, weight, ignore_index)
        dlogp = cpu.nll_grad(dlosses, target, weight, ignore_index, c)
    expected = reference.nll(logp, target, weight, ignore_index)
    assert_same(losses, expected[0], **TOLERANCE[dtype])
    assert_same(weights, expected[1])
    assert_same(dlogp, reference.nll_grad(dlosses, target, weight, ignore_index, c), **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(64, 10, 1), (9, 5, 4099), (500, 100, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_torch(dtype, shape, weighted):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logp = rng.normal(size=shape).astype(dtype)
    target = rng.integers(0, shape[1], (shape[0], shape[2]))
    dlosses = rng.normal(size=target.shape).astype(dtype)
    weight = rng.random(shape[1]).astype(dtype) if weighted else None
    leaf = torch.from_numpy(logp).requires_grad_()
    result = torch.nn.functional.nll_loss(
        leaf, torch.from_numpy(target), None if weight is None else torch.from_numpy(weight), ignore_index=2,
        reduction="none",
    )  # fmt: skip
    result.backward(torch.from_numpy(dlosses))
    losses, weights = cpu.nll(logp, target, weight, 2)
    factors = np.ones(shape[1], dtype) if weight is None else weight
    assert_same(losses, result.detach().numpy())
    assert_same(weights, np.where(target == 2, 0, factors[target]).astype(dtype))
    assert_same(cpu.nll_grad(dlosses, target, weight, 2, shape[1]), leaf.grad.numpy())


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    logp, target = rng.normal(size=(50, 7, 900)), rng.integers(0, 7, (50, 900))
    one_and_two_threads(cpu.nll, logp, target, None, -100)
    one_and_two_threads(cpu.nll_grad, rng.normal(size=target.shape), target, None, -100, 7)
