"""Activations, softmax and dropout, away from their kinks."""

from gradient_cases import X, case

import minigrad as mg
from minigrad.nn import functional as F

SHAPE = ("a", "b")


def _seeded(fn):
    """The same random numbers at every call."""

    def call(*tensors):
        mg.manual_seed(0)
        return fn(*tensors)

    return call


CASES = [
    case("relu", F.relu, X(SHAPE, away=(0,))),
    case("relu_", lambda x: F.relu_(x * 1.0), X(SHAPE, away=(0,))),
    case("relu6", lambda x: F.relu6(4 * x), X(SHAPE, away=(0, 1.5))),
    case("leaky_relu", lambda x: F.leaky_relu(x, 0.2), X(SHAPE, away=(0,))),
    case("leaky_relu_", lambda x: F.leaky_relu_(x * 1.0, -0.2), X(SHAPE, away=(0,))),
    case("prelu", F.prelu, X(("n", "c", "a"), away=(0,)), X(("c",))),
    case("prelu", F.prelu, X(SHAPE, away=(0,)), X(())),
    case("rrelu", _seeded(lambda x: F.rrelu(x, training=True)), X(SHAPE, away=(0,))),
    case("elu", lambda x: F.elu(x, 1.5), X(SHAPE, away=(0,))),
    case("elu_", lambda x: F.elu_(x * 1.0), X(SHAPE, away=(0,))),
    case("selu", F.selu, X(SHAPE, away=(0,))),
    case("celu", lambda x: F.celu(x, 0.7), X(SHAPE, away=(0,))),
    case("gelu", F.gelu),
    case("gelu", lambda x: F.gelu(x, approximate="tanh")),
    case("silu", F.silu),
    case("mish", F.mish),
    case("softplus", lambda x: F.softplus(x, 2.0, 2.5), X(SHAPE, away=(1.25,))),
    case("softsign", F.softsign, X(SHAPE, away=(0,))),
    case("tanh", F.tanh),
    case("tanhshrink", F.tanhshrink),
    case("sigmoid", F.sigmoid),
    case("logsigmoid", F.logsigmoid),
    case("hardtanh", lambda x: F.hardtanh(x, -0.8, 1.1), X(SHAPE, away=(-0.8, 1.1))),
    case("hardswish", lambda x: F.hardswish(2 * x), X(SHAPE, away=(-1.5, 1.5))),
    case("hardsigmoid", lambda x: F.hardsigmoid(2 * x), X(SHAPE, away=(-1.5, 1.5))),
    case("hardshrink", lambda x: F.hardshrink(x, 0.6), X(SHAPE, away=(-0.6, 0.6))),
    case("softshrink", lambda x: F.softshrink(x, 0.6), X(SHAPE, away=(-0.6, 0.6))),
    case("threshold", lambda x: F.threshold(x, 0.4, -3.0), X(SHAPE, away=(0.4,))),
    case("glu", lambda x: F.glu(x, 1), X(("a", 4, "n"))),
    case("softmax", lambda x: F.softmax(x, 1)),
    case("softmax", lambda x: F.softmax(x, 0), X(("a", "b", "n"))),
    case("log_softmax", lambda x: F.log_softmax(x, -1)),
    case("softmin", lambda x: F.softmin(x, 0)),
    case("gumbel_softmax", _seeded(lambda x: F.gumbel_softmax(x, tau=0.7))),
    case("dropout", _seeded(lambda x: F.dropout(x, 0.4)), linear=True),
    case("dropout1d", _seeded(lambda x: F.dropout1d(x, 0.4)), X(("c", "a")), linear=True),
    case("dropout2d", _seeded(lambda x: F.dropout2d(x, 0.4)), X(("n", "c", "a", "b")), linear=True),
    case("dropout3d", _seeded(lambda x: F.dropout3d(x, 0.4)), X(("n", "c", "a", "b", 2)), linear=True),
    case("alpha_dropout", _seeded(lambda x: F.alpha_dropout(x, 0.4, training=True))),
    case("feature_alpha_dropout", _seeded(lambda x: F.feature_alpha_dropout(x, 0.4, training=True))),
]
