"""Every operation of the engine has formulas, settings by name, and shapes in its formulas."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import Binary, Function, Operation
from minigrad.autograd.operation import Constant
from minigrad.nn.hooks import Entrance, Exit
from minigrad.ops.activation_operations import (
    GELU,
    Activation,
    ActivationCurve,
    ActivationGrad,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
)
from minigrad.ops.convolution import Convolution, Geometry
from minigrad.ops.fused_normalization import with_activation
from minigrad.ops.joining import Cat, Stack
from minigrad.ops.loss import NLLGrad
from minigrad.ops.matrix import Linear, MatMul
from minigrad.ops.normalization import BatchNorm, ChannelScale
from minigrad.ops.pooling import AvgPool
from minigrad.ops.reduction import Sum
from minigrad.ops.row_normalization import GroupNorm, LayerNorm
from minigrad.ops.views import Replace, Slice, Unview
from minigrad.viz import formulas, record


def _operations(base=Operation):
    for cls in base.__subclasses__():
        yield cls
        yield from _operations(cls)


for module in pkgutil.walk_packages(mg.__path__, "minigrad."):
    importlib.import_module(module.name)
for normalisation in BatchNorm, ChannelScale, LayerNorm, GroupNorm:  # these are made when they are first used
    for activation in ReLU, LeakyReLU, GELU, SiLU, Sigmoid:
        with_activation(normalisation, activation)
OPERATIONS = sorted(
    {cls for cls in _operations() if cls.__module__.startswith("minigrad.")} - {Binary, Function},
    key=lambda cls: (cls.__module__, cls.__name__),
)

OF_LISTS = Constant, Entrance, Exit, Cat, Stack, NLLGrad  # x is any of several arguments, ℓ the losses


def test_the_registry_is_all_there():
    assert len(OPERATIONS) > 180
    assert {ReLU, Convolution, MatMul, Sum} <= set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda cls: f"{cls.__module__.split('.')[-1]}.{cls.__name__}")
def test_every_operation_has_both_formulas_and_named_settings(operation):
    forward, derivative = formulas.forward(operation), formulas.derivative(operation)
    assert re.search(r"\S \S", forward) and "torch" not in forward and not forward.endswith(".")
    result = formulas.result_name(operation)
    assert "=" in forward or re.match(rf"{result}\b", forward), "it does not say what the result is"
    said = "no gradient", "not implemented", "none: ", "the cell's gradient"
    defined, _ = formulas._cotangents(operation)
    assert defined or derivative.startswith(said)
    # the gradients that it defines are of arguments of forward: no formula outlives a renamed argument
    names = list(inspect.signature(operation.forward).parameters)[1:]
    loose = operation in OF_LISTS or issubclass(operation, (ActivationGrad, ActivationCurve))  # v stands for x or y
    for symbol in [] if loose else defined:
        assert any(formulas._means(symbol, name) for name in names), f"d{symbol} is of no argument of {names}"
    # only tensors in any number, or what another function names, come as `*arguments`
    named = hasattr(operation, "scalar") or operation in (Unview, Replace, Activation, ActivationGrad, ActivationCurve)
    assert named or formulas._rest(operation) in (None, "xs", "arrays", "args", "cotangents", "parameters")


def test_the_result_has_the_name_that_the_derivative_gives_it():
    assert formulas.forward(MatMul).startswith("Z = X · Y")
    assert formulas.forward(ReLU) == "y = max(x, 0)"
    assert formulas.forward(type(mg.ones(1, requires_grad=True).sin().grad_fn)).startswith("y = sin x")


def test_shapes_are_filled_in():
    x, weight, bias = mg.ones(64, 10), mg.ones(5, 10), mg.ones(5)
    forward, derivative = formulas.with_shapes(Linear, (x, weight, bias), [(64, 5)])
    assert forward == "Y (64, 5) = X (64, 10) · Wᵀ (10, 5) + b (5,), the rows of X being samples"
    assert derivative == (
        "dX (64, 10) = dY (64, 5) · W (5, 10), dW (5, 10) = dYᵀ (5, 64) · X (64, 10), "
        "db (5,) = Σ dY (64, 5) over the samples"
    )


def test_shapes_go_before_an_index_and_not_into_words():
    x = mg.ones(2, 3)
    forward, derivative = formulas.with_shapes(Slice, (x, (slice(0, 1),)), [(1, 3)])
    assert forward == "y (1, 3) = x (2, 3) [...] with whole numbers, slices, None and ... : a view"
    assert derivative == "dx (2, 3) = dy (1, 3) in the chosen places, 0 elsewhere"


def test_a_normalisation_with_its_activation_is_named_and_explained():
    operation = with_activation(BatchNorm, LeakyReLU)
    assert operation.__name__ == "BatchNormLeakyReLU"
    assert formulas.forward(operation).startswith(
        "y = z, but slope · z where z ≤ 0, where z = (x - mean) / √(var + eps)"
    )
    assert formulas.derivative(operation).endswith("dresidual = h, where h = dy, but slope · dy where z ≤ 0")
    x = mg.ones(2, 3)
    given = formulas.arguments(operation, (x, None, None, None, 0.0, 1.0, 1e-5, 0.1))
    assert given[-2:] == [("eps", 1e-5), ("slope", 0.1)]


def test_settings_have_names():
    image, weight = mg.ones(1, 3, 8, 8), mg.ones(4, 3, 3, 3)
    geometry = Geometry((2, 2), ((1, 1), (1, 1)), (1, 1), 1)
    assert formulas.settings(Convolution, (image, weight, mg.ones(4), geometry)) == [
        ("stride", "(2, 2)"),
        ("padding", "((1, 1), (1, 1))"),
        ("dilation", "(1, 1)"),
        ("groups", "1"),
    ]
    assert formulas.settings(Sum, (image, (0, 2), True, None)) == [
        ("axes", "(0, 2)"),
        ("keepdim", "True"),
        ("dtype", "None"),
    ]
    assert formulas.settings(LeakyReLU, (image, 0.01)) == [("slope", "0.01")]
    pooled = formulas.settings(AvgPool, (image, (4, 4), (2, 2), (2, 2), (0, 0), True, None))
    assert [name for name, _ in pooled] == ["output_size", "kernel", "stride", "padding", "include", "divisor"]
    assert formulas.settings(Slice, (image, (0, slice(1, None), slice(None, None, 2), None, ...))) == [
        ("index", "(0, 1:, ::2, None, ...)")
    ]
    unview = formulas.settings(Unview, (image, (8, 8), Slice, (0,)))
    assert unview == [("shape", "(8, 8)"), ("view", "Slice"), ("index", "(0,)")]
    assert [name for name, _ in formulas.arguments(Cat, (1, image, image))] == ["axis", "xs[0]", "xs[1]"]


def test_long_settings_are_cut_short():
    ((_, text),) = formulas.settings(Slice, (mg.ones(3), (np.arange(100),)))
    assert text == "(int64 array (100,),)"
    assert formulas.settings(Sum, (mg.ones(3), tuple(range(20)), False, None))[0][1] == "(0, 1, 2, 3, 4, 5, 6, 7, ...)"


class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        return scale * x**3

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy, None


class Documented(Function):
    """y = x, and nothing else."""

    formula = "dx = dy, for once"

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, dy):
        return dy


def test_a_users_function_has_what_it_says_of_itself():
    assert formulas.forward(Cube) == "y = Cube(x, scale)"
    assert formulas.derivative(Cube) == "given by the user's backward"
    assert formulas.settings(Cube, (mg.ones(2), 0.5)) == [("scale", "0.5")]
    assert formulas.forward(Documented) == "y = x, and nothing else"
    assert formulas.with_shapes(Documented, (mg.ones(2),), [(2,)])[1] == "dx (2,) = dy (2,), for once"


def test_reductions_name_their_axes():
    with record() as recording:
        (mg.ones(2, 3, 4, requires_grad=True).mean((1, 2)) + mg.ones(2, 2).sum(-1)).logsumexp(0)
    computed = {node["operation"]: node["forward_shapes"] for node in recording.document()["nodes"]}
    assert computed["Mean"] == "y (2,) = the mean of x (2, 3, 4) over axes (1, 2)"
    assert computed["Sum"].endswith("over axes (1,)") and "over axes (0,)" in computed["LogSumExp"]


def test_a_vector_transposed_is_a_vector():
    _, derivative = formulas.with_shapes(MatMul, (mg.ones(2, 3), mg.ones(3)), [(2,)])
    assert derivative == "dX (2, 3) = dZ (2,) · Yᵀ (3,), dY (3,) = Xᵀ (3, 2) · dZ (2,)"
