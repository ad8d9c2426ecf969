"""Normalisation and activation as one operation: against torch, where they are two, and through the harness.

The kernels are the reference ones: the tests of the kernels compare the fast ones with them, and these compile nothing.
"""

import numpy as np
import pytest
from torch_oracle import agree, draw, torch

import minigrad as mg
from minigrad.kernels import use
from minigrad.ops.activation_operations import GELU, Hardtanh, LeakyReLU, ReLU, Sigmoid, SiLU
from minigrad.ops.fused_normalization import batch_norm_activation, group_norm_activation, layer_norm_activation
from minigrad.testing import check_op

EPS = 1e-2


@pytest.fixture(autouse=True)
def reference():
    with use("reference"):
        yield


ACTIVATIONS = {
    "relu": ((ReLU,), lambda z: z.relu()),
    "leaky_relu": ((LeakyReLU, 0.1), lambda z: torch.nn.functional.leaky_relu(z, 0.1)),
    "silu": ((SiLU,), torch.nn.functional.silu),
    "sigmoid": ((Sigmoid,), torch.sigmoid),
}


def of_batch(activation, statistics=None):
    """The operation, or in torch the two, of x, weight, bias and maybe a residual."""
    ours, theirs = ACTIVATIONS[activation]

    def fn(m, x, weight, bias, *residual):
        mean, var = (m.from_numpy(s.copy()).to(x.dtype) for s in statistics) if statistics else (None, None)
        arguments = mean, var, weight, bias, statistics is None, 0.1, EPS
        if m is mg:
            return batch_norm_activation(x, *arguments, ours, *residual)
        return theirs(m.nn.functional.batch_norm(x, *arguments) + sum(residual))

    return fn


def given(shape, residual):
    inputs = [draw(shape, seed=1), draw(shape[1:2], seed=2), draw(shape[1:2], seed=3)]
    return [*inputs, draw(shape, seed=4)] if residual else inputs


STATISTICS = {"training": None, "evaluation": (draw((3,), seed=5), draw((3,), seed=6, low=0.5))}


@pytest.mark.parametrize("mode", STATISTICS)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "relu of a sum", "sigmoid of a sum"])
def test_batch_norm_and_activation_agree_with_torch(activation, mode):
    activation, _, residual = activation.partition(" ")
    agree(of_batch(activation, STATISTICS[mode]), *given((4, 3, 2, 3), residual))


@pytest.mark.parametrize("mode", STATISTICS)
@pytest.mark.parametrize("residual", [False, True])
def test_batch_norm_and_relu_pass_the_harness(residual, mode):
    fn = of_batch("relu", STATISTICS[mode])
    check_op(lambda *xs: fn(mg, *xs), *map(mg.from_numpy, given((3, 3, 4), residual)))


def rows(m, kind, activation, x, weight, bias):
    ours, theirs = ACTIVATIONS[activation]
    if kind == "layer_norm":
        arguments, fused = (x, x.shape[1:], weight, bias, EPS), layer_norm_activation
    else:
        arguments, fused = (x, 2, weight, bias, EPS), group_norm_activation
    return fused(*arguments, ours) if m is mg else theirs(getattr(m.nn.functional, kind)(*arguments))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("kind, shape", [("layer_norm", (4, 2)), ("group_norm", (4,))])
def test_rows_and_activation_agree_with_torch(kind, shape, activation):
    xs = [draw((3, 4, 2), seed=1), draw(shape, seed=2), draw(shape, seed=3)]
    agree(lambda m, *xs: rows(m, kind, activation, *xs), *xs)
    check_op(lambda *xs: rows(mg, kind, activation, *xs), *map(mg.from_numpy, xs))


def test_without_parameters():
    x = draw((5, 3, 4))
    agree(lambda m, x: of_batch("relu")(m, x, None, None), x)
    ours = batch_norm_activation(mg.from_numpy(x), None, None, None, None, True, 0.1, EPS, (Hardtanh, 0.0, 1.0))
    theirs = torch.nn.functional.batch_norm(torch.from_numpy(x), None, None, training=True, eps=EPS).clamp(0, 1)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-9, atol=1e-12)
    ours = layer_norm_activation(mg.from_numpy(x), (4,), None, None, EPS, (GELU,))
    theirs = torch.nn.functional.gelu(torch.nn.functional.layer_norm(torch.from_numpy(x), (4,), eps=EPS))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-7, atol=1e-9)


def test_what_is_saved_is_watched():
    x, weight, bias = (mg.from_numpy(a).requires_grad_() for a in given((4, 3), False))
    y = of_batch("relu")(mg, x * 1, weight, bias)
    y.sum().backward(retain_graph=True)
    with mg.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    residual = of_batch("relu")(mg, x, weight, bias, mg.ones(4, 3, dtype=mg.float64))
    residual.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        residual.sum().backward()
