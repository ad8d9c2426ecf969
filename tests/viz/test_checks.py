"""Derivatives against finite differences: right ones agree, planted errors are found, kinks and chance are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd import Function, Operation
from minigrad.ops.activation_operations import ReLU, Sigmoid, Tanh
from minigrad.ops.arithmetic import Add, Mul
from minigrad.ops.convolution import Convolution, Geometry
from minigrad.ops.ctc import CTC
from minigrad.ops.decompositions import Cholesky, Eigh
from minigrad.ops.embedding import Embedding
from minigrad.ops.matrix import Linear, MatMul
from minigrad.ops.maxima import ExtremeOfAll
from minigrad.ops.pooling import MaxPool
from minigrad.ops.reduction import Mean, Sum
from minigrad.ops.rounding import Step
from minigrad.ops.softmax import Softmax
from minigrad.viz import cards
from minigrad.viz.checks import MOST, TOLERANCE, check
from minigrad.viz.local import local, summed_axes
from minigrad.viz.replay import Replay

F = nn.functional
GEOMETRY = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)


def _randn(*shape, seed=0):
    return mg.from_numpy(np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32))


# what a wrong backward may be: for each operation its arguments, and backwards that contain one error ----------------


def _sign(ctx, dy):
    (x,) = ctx.saved_tensors
    return -dy * (1 - x * x)


def _no_factor(ctx, dy):
    return dy


def _not_transposed(ctx, dz):
    x, y = ctx.saved_tensors
    return dz @ y, x.mT @ dz


def _not_summed(ctx, dz):
    """The gradient of a broadcast operand, of which one row is taken instead of the sum of all."""
    x, y = ctx.saved_tensors
    return dz * y, (dz * x)[0]


def _wrong_shape(ctx, dz):
    x, y = ctx.saved_tensors
    return dz * y, (dz * x).sum()[None, None, None].expand(2, 3, 4)


def _not_divided(ctx, dy):
    return dy.expand(ctx.shape)


def _first_only(ctx, dz):
    _, y = ctx.saved_tensors
    return dz * y, None


def _no_bias_sum(ctx, dy):
    x, weight, *_ = ctx.saved_tensors
    return dy @ weight, dy.mT @ x, dy[0]


def _swapped(ctx, dz):
    x, y = ctx.saved_tensors
    return dz * x, dz * y


def _bit(ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * (1 - y * y) * 1.001


def _some(ctx, dy):
    (y,) = ctx.saved_tensors
    scale = np.ones(dy.shape, np.float64)
    scale.flat[0] = 0.0
    return dy * (1 - y * y) * mg.from_numpy(scale)


PLANTED = {
    "sign flipped": (Tanh, _sign, (_randn(3, 4),)),
    "sign flipped, large": (Tanh, _sign, (_randn(30, 40),)),
    "factor missing": (Tanh, _no_factor, (_randn(3, 4),)),
    "factor missing, large": (Tanh, _no_factor, (_randn(50, 60),)),
    "a thousandth too much": (Tanh, _bit, (_randn(50, 60),)),
    "one element of 3000 left out": (Tanh, _some, (_randn(50, 60),)),
    "square matrix not transposed": (MatMul, _not_transposed, (_randn(4, 4), _randn(4, 4, seed=1))),
    "square matrix not transposed, large": (MatMul, _not_transposed, (_randn(40, 40), _randn(40, 40, seed=1))),
    "broadcasting forgotten": (Mul, _not_summed, (_randn(5, 4), _randn(4))),
    "broadcasting forgotten, large": (Mul, _not_summed, (_randn(50, 40), _randn(40))),
    "shape that does not fit": (Mul, _wrong_shape, (_randn(5, 4), _randn(4))),
    "operands swapped": (Mul, _swapped, (_randn(3, 4), _randn(3, 4, seed=1))),
    "mean not divided": (Mean, _not_divided, (_randn(3, 4), (0, 1), False, None)),
    "no gradient for an operand": (Mul, _first_only, (_randn(3, 4), _randn(3, 4, seed=1))),
    "bias not summed": (Linear, _no_bias_sum, (_randn(20, 6), _randn(5, 6), _randn(5))),
}


def _sources(args):
    return [i for i, arg in enumerate(args) if isinstance(arg, mg.Tensor) and arg.is_floating_point()]


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(name, monkeypatch):
    operation, backward, args = PLANTED[name]
    assert check(operation, args, _sources(args)).state == "agrees"
    monkeypatch.setattr(operation, "backward", staticmethod(backward))
    found = check(operation, args, _sources(args))
    assert found.state == "disagrees", found
    assert found.worst is None or found.worst > TOLERANCE


def test_a_backward_that_returns_too_little_disagrees(monkeypatch):
    monkeypatch.setattr(Mul, "backward", staticmethod(lambda ctx, dz: (dz,)))
    found = check(Mul, (_randn(5, 4), _randn(4)), [0, 1])
    assert found.state == "disagrees" and "returns what does not fit: function MulBackward0" in found.text


@pytest.mark.parametrize("size", [3, 8])
def test_operations_of_symmetric_matrices_are_compared_along_symmetric_steps(size):
    root = _randn(size, size).double()
    symmetric = root @ root.mT + size * mg.eye(size, dtype=mg.float64)
    assert check(Cholesky, (symmetric,), [0]).state == "agrees"
    assert check(Eigh, (symmetric, "L"), [0]).state == "agrees"


def test_a_derivative_too_faint_for_a_difference_is_not_judged():
    offset = mg.full((4, 4), 1e9, dtype=mg.float64)
    found = check(Add, (_randn(4, 4).double() * 1e-9, offset), [0])
    assert found.state == "not checked" and "so small beside its result" in found.text


def test_the_wrong_gradient_is_named(monkeypatch):
    monkeypatch.setattr(Linear, "backward", staticmethod(_no_bias_sum))
    args = PLANTED["bias not summed"][2]
    found = check(Linear, args, [0, 1, 2])
    assert "dbias is off by" in found.text and "dx is off" not in found.text and "dweight" not in found.text


def test_an_error_in_a_network_is_found_where_it_is(monkeypatch):
    mg.manual_seed(0)
    monkeypatch.setattr(Sigmoid.gradient, "forward", staticmethod(lambda ctx, dy, y: dy * y))  # (1 - y) forgotten
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 1))
    with viz.record() as recording:
        model(_randn(8, 6)).square().mean().backward()
    made = recording.document()
    states = {made["nodes"][s["node"]]["operation"]: s["check"]["state"] for s in _steps(made)}
    assert states.pop("Sigmoid") == "disagrees"
    assert set(states.values()) == {"agrees"}


def _steps(made):
    return [step for walk in made["passes"] for step in walk["steps"] if step["node"] is not None]


# right derivatives ---------------------------------------------------------------------------------------------------


def _lenet():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 84),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(84, 10),
    )
    images = mg.rand(4, 1, 28, 28)
    images = images * (images > 0.7)  # mostly black, as digits are: ties in every pooling
    F.cross_entropy(model(images), mg.tensor([1, 2, 3, 4])).backward()


def _residual():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

        def forward(self, x):
            return (x + self.b(self.a(x))).relu()

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Block(), Block()
    )
    (model(mg.randn(3, 3, 16, 16)).mean((2, 3)) @ mg.randn(4, 2)).log_softmax(1)[:, 0].sum().backward()


def _lstm():
    lstm, cell = nn.LSTM(3, 4, 2, batch_first=True), nn.GRUCell(4, 2)
    y, (h, c) = lstm(mg.randn(2, 5, 3))
    (cell(y[:, -1]).sum() + h.square().sum() + c.mean()).backward()


def _attention():
    layer, table = (
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True),
        nn.Embedding(9, 8, padding_idx=0),
    )
    mask = mg.ones(4, 4).tril() == 0
    layer(table(mg.tensor([[1, 2, 0, 0], [3, 3, 4, 8]])), src_mask=mask).square().mean().backward()


@pytest.mark.parametrize("network", [_lenet, _residual, _lstm, _attention], ids=lambda f: f.__name__[1:])
def test_no_operation_of_a_network_is_flagged(network):
    mg.manual_seed(0)
    with viz.record() as recording:
        network()
    made = recording.document()
    found = [(made["nodes"][step["node"]]["name"], step["check"]) for step in _steps(made)]
    assert len(found) > 10
    assert [(name, c["text"]) for name, c in found if c["state"] != "agrees"] == []
    assert max(c["worst"] for _, c in found) < 1e-5


OPERATIONS = {
    "conv": (Convolution, lambda: (_randn(2, 3, 6, 6), _randn(4, 3, 3, 3), _randn(4), GEOMETRY)),
    "linear": (Linear, lambda: (_randn(3, 4), _randn(2, 4), _randn(2))),
    "relu": (ReLU, lambda: (_randn(7, 7),)),
    "sum": (Sum, lambda: (_randn(3, 4), (1,), True, np.dtype("float32"))),
    "softmax": (Softmax, lambda: (_randn(3, 4), 1)),
    "add": (Add, lambda: (_randn(2, 1, 3), _randn(4, 1))),
}


@settings(max_examples=30)
@given(name=st.sampled_from(sorted(OPERATIONS)), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_the_scale_of_the_numbers_does_not_matter(name, scale):
    operation, make = OPERATIONS[name]
    args = tuple([arg * scale if isinstance(arg, mg.Tensor) else arg for arg in make()])
    assert check(operation, args, _sources(args)).state == "agrees"


@pytest.mark.parametrize("count", [2, 3, 20])
def test_batch_normalisation_moves_its_statistics_with_its_input(count):
    """Of two samples the results are always 1 and -1, whatever the samples: a derivative of next to nothing."""
    x = _randn(count, 3, 4).requires_grad_()
    with viz.record() as recording:
        F.batch_norm(x[..., 0], None, None, training=True).pow(3).sum().backward()
    assert {step["check"]["state"] for step in _steps(recording.document())} == {"agrees"}


def test_the_same_comparison_gives_the_same_numbers():
    args = OPERATIONS["conv"][1]()
    assert check(Convolution, args, [0, 1, 2]) == check(Convolution, args, [0, 1, 2])


@pytest.mark.parametrize("name", ["conv", "linear"])
def test_rounding_does_not_show_in_the_numbers(name, monkeypatch):
    """As where a library sums in another order."""
    operation, make = OPERATIONS[name]
    args = make()
    first, moved, rng = check(operation, args, _sources(args)), Replay.moved, np.random.default_rng(1)

    def rounded(replay, source, values):
        return [y * (1 + 2e-16 * rng.integers(-1, 2, y.shape)) for y in moved(replay, source, values)]

    monkeypatch.setattr(Replay, "moved", rounded)
    assert check(operation, args, _sources(args)) == first


def test_only_the_gradients_there_were_are_compared():
    class Half(Operation):
        formula = "dx = dz, dy = nothing"

        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, dz):
            return dz, None

    args = _randn(2, 3), _randn(2, 3)
    assert check(Half, args, [0]).state == "agrees"
    assert check(Half, args, [0, 1]).state == "disagrees"


# where nothing can be said ------------------------------------------------------------------------------------------


def test_kinks_are_left_out_and_what_lies_beside_them_is_compared(monkeypatch):
    x = _randn(20, 20)
    x[:10] = 0.0
    found = check(ReLU, (x,), [0])
    assert found.state == "agrees" and "200 of 400 results left out" in found.text
    assert check(ReLU, (mg.zeros(20, 20),), [0]).text.startswith("not checked: its results are at a kink")
    assert check(ExtremeOfAll, (mg.ones(3), (0,), False, True), [0]).state == "not checked"
    monkeypatch.setattr(ReLU, "backward", staticmethod(_no_factor))
    assert check(ReLU, (x,), [0]).state == "disagrees"


def test_ties_of_a_pooling_are_kinks():
    x = mg.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0] = 1.0
    found = check(MaxPool, (x, (2, 2), (2, 2), (0, 0), (1, 1), (2, 2)), [0])
    assert found.state == "agrees" and "3 of 4 results left out" in found.text


def _entropy(count):
    p = mg.zeros(count, requires_grad=True)
    with mg.no_grad():
        p[1] = 0.5
    return -(p * p.log()).sum()


@pytest.mark.parametrize(
    "loss",
    [
        lambda count: _entropy(count),
        lambda count: mg.arange(count).float().requires_grad_().sqrt().sum(),
        lambda count: mg.full((count,), np.nan, requires_grad=True).exp().sum(),
        lambda count: (mg.full((count,), np.inf, requires_grad=True) * mg.arange(count)).softmax(0)[1],
    ],
)
@pytest.mark.parametrize("count", [3, 50])
def test_what_is_nan_or_infinite_is_no_disagreement(loss, count):
    with viz.record() as recording:
        loss(count).backward()
    checks = [step["check"] for step in _steps(recording.document())]
    assert {found["state"] for found in checks} <= {"agrees", "not checked"}
    assert any("NaN or infinite" in found["text"] for found in checks)


@pytest.mark.parametrize("count", [3, 50])
def test_nothing_but_infinite_derivatives_is_not_checked(count):
    root = type(mg.zeros(1, requires_grad=True).sqrt().grad_fn)
    assert check(root, (mg.zeros(count),), [0]).text == "not checked: its value or derivative is NaN or infinite"


def test_a_wrong_derivative_beside_nan_is_found(monkeypatch):
    monkeypatch.setattr(Mul, "backward", staticmethod(_swapped))
    factors = mg.tensor([np.nan, 2.0, 3.0]), mg.tensor([1.0, 5.0, 7.0])
    assert check(Mul, factors, [0, 1]).state == "disagrees"


def test_a_derivative_that_is_zero_agrees():
    assert check(Step, (_randn(3, 3), np.floor), [0]).state == "agrees"


class Noisy(Function):
    @staticmethod
    def forward(ctx, x):
        return x * np.random.default_rng().random(x.shape)

    @staticmethod
    def backward(ctx, dy):
        return dy


def test_a_random_function_is_not_compared():
    x = _randn(40, 40)
    once = Noisy.apply(x)
    found = check(Noisy, (x,), [0], [once.numpy()])
    assert found.state == "not checked" and "random" in found.text


def test_dropout_is_compared_with_its_own_mask():
    with viz.record() as recording:
        F.dropout(_randn(30, 30).requires_grad_(), 0.5).sum().backward()
    assert {step["check"]["state"] for step in _steps(recording.document())} == {"agrees"}


def test_inputs_written_since_are_recognised():
    x = _randn(5, 5)
    result = Tanh.apply(x)
    x += 1.0
    found = check(Tanh, (x,), [0], [result.numpy()])
    assert found.state == "not checked" and "written since" in found.text


def test_an_operation_in_place_is_compared_with_what_it_read():
    x = _randn(3, 4).requires_grad_()
    with viz.record() as recording:
        y = x * 2
        y.tanh_()
        z = y * 1.0
        z[0] *= 3.0
        z.sum().backward()
    states = [step["check"]["state"] for step in _steps(recording.document())]
    assert set(states) == {"agrees"} and len(states) > 3


def test_what_is_too_large_says_so():
    found = check(Tanh, (mg.zeros(MOST // 2 + 1),), [0], [np.zeros(MOST // 2, np.float32)])
    assert found.state == "not checked" and "4,194,305 elements" in found.text


def test_what_cannot_be_said_has_a_reason():
    x = _randn(2, 3)
    assert "no argument needs a gradient" in check(Tanh, (x,), []).text
    assert "empty" in check(Tanh, (mg.zeros(0, 3),), [0]).text
    assert "empty" in check(Sum, (mg.zeros(0, 3), (0,), False, None), [0]).text  # its result is not
    logp = x.log_softmax(1).reshape(2, 1, 3)
    ctc = check(CTC, (logp, np.array([1]), np.array([2]), np.array([1]), 0, False), [0])
    assert ctc.state == "not checked" and "log_softmax" in ctc.text
    padding = check(Embedding, (_randn(4, 2), mg.tensor([0, 1, 1]), 0, False), [0])
    assert padding.state == "agrees"
    assert "cannot be computed again" in check(MatMul, (x, x), [0]).text


class Straight(Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, dy):
        return dy


def test_a_straight_through_estimator_is_told_that_it_is_one():
    found = check(Straight, (_randn(4, 4),), [0])
    assert found.state == "disagrees" and "straight-through" in found.text


# the local derivative -----------------------------------------------------------------------------------------------


def test_a_local_derivative_of_scalars_names_what_it_equals():
    entries = local(Mul, (mg.tensor(2.0), mg.tensor(3.0)), [0, 1])
    assert [entry["text"] for entry in entries] == ["dz/dx = y = 3", "dz/dy = x = 2"]
    assert entries[0] == {
        "input": 0,
        "output": 0,
        "name": "x",
        "text": "dz/dx = y = 3",
        "diagonal": True,
        "numbers": 3.0,
    }


def test_a_local_derivative_element_by_element():
    x = np.array([[0.5, -1.0], [0.0, 2.0]], np.float32)
    (entry,) = local(Tanh, (mg.from_numpy(x),), [0])
    assert entry["diagonal"]
    np.testing.assert_allclose(entry["numbers"], 1 - np.tanh(x.astype(np.float64)) ** 2, rtol=1e-8)


def test_a_jacobian_has_one_row_for_each_result():
    x, weight = _randn(1, 3), _randn(2, 3)
    by_x, by_weight = local(Linear, (x, weight, None), [0, 1])
    assert not by_x["diagonal"]
    np.testing.assert_allclose(by_x["numbers"], weight.numpy(), rtol=1e-6)
    rows = np.array(by_weight["numbers"]).reshape(2, 2, 3)
    np.testing.assert_allclose(rows[0, 0], x.numpy()[0], rtol=1e-6)
    assert not rows[0, 1].any()


def test_the_jacobian_of_a_broadcast_operand():
    (entry,) = local(Add, (_randn(2, 2), _randn(2)), [1])
    assert entry["numbers"] == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_large_tensors_have_no_jacobian_and_middling_ones_no_rows():
    assert local(Tanh, (_randn(7, 6),), [0]) is None and local(Sum, (_randn(7, 6), (0, 1), False, None), [0]) is None
    (entry, _) = local(MatMul, (_randn(5, 5), _randn(5, 5)), [0, 1])
    assert entry["numbers"] is None and entry["text"] == "dZ/dX: 25 × 25 numbers"


def test_what_was_saved_is_named():
    x, weight = _randn(2, 3).requires_grad_(), _randn(4, 3).requires_grad_()
    with viz.record() as recording:
        y = F.linear(x, weight)
        y = y.tanh()
        F.batch_norm(y, None, None, training=True).square().sum().backward()
    linear, tanh, norm, *_ = recording.document()["nodes"]
    assert linear["saved_names"] == ["X", "W"] and linear["saved"] == linear["inputs"][:2]
    assert tanh["saved_names"] == ["y"] and tanh["saved"] == tanh["outputs"]
    assert norm["saved_names"] == ["x", "", ""], "mean and invstd are its own"


SIZES = st.lists(st.sampled_from([1, 2, 3]), max_size=4)


@given(shape=SIZES, more=SIZES, data=st.data())
def test_summed_axes_bring_a_gradient_to_its_shape(shape, more, data):
    broadcast = [*more, *[data.draw(st.sampled_from([n, 3])) if n == 1 else n for n in shape]]
    gradient = np.random.default_rng(0).random(broadcast)
    summed = gradient.sum(summed_axes(tuple(shape), tuple(broadcast))).reshape(shape)
    expected = mg.from_numpy(gradient).sum_to_size(*shape) if shape else mg.from_numpy(gradient).sum()
    np.testing.assert_allclose(summed, expected.numpy())


def test_a_document_carries_derivatives_and_comparisons():
    a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(-3.0, requires_grad=True)
    with viz.record() as recording:
        (a * b).backward()
    made = recording.document()
    (step,) = _steps(made)
    assert step["check"]["state"] == "agrees" and step["check"]["worst"] < 1e-6
    assert [entry["text"] for entry in step["local"]] == ["dz/dx = y = -3", "dz/dy = x = 2"]
    assert [made["tensors"][entry["tensor"]]["name"] for entry in step["local"]] == ["a", "b"]
    (node,) = made["nodes"]
    assert node["formula"] == "dx = dz · y, dy = dz · x" and node["forward_formula"] == "z = x · y"
    assert node["forward_shapes"] == "z () = x () · y ()" and node["input_names"] == ["x", "y"]


def test_a_graph_alone_is_not_compared_and_says_why():
    x = _randn(3).requires_grad_()
    made = viz.explore((x * x).sum())
    checks = [step["check"] for step in _steps(made)]
    assert {c["state"] for c in checks} == {"not checked"} and all("viz.record()" in c["text"] for c in checks)


def test_a_long_program_is_compared_as_far_as_the_budget_goes(monkeypatch):
    """Starting an operation costs, however small its tensors: 100 of 4 elements are not computed again for nothing."""
    monkeypatch.setattr(cards, "BUDGET", 1_000_000)
    with viz.record() as recording:
        x = mg.rand(2, 2, requires_grad=True)
        for _ in range(100):
            x = x.tanh()
        x.backward(mg.ones(2, 2))
    steps = recording.document()["passes"][0]["steps"][:-1]
    states = [step["check"]["state"] for step in steps]
    compared = states.count("agrees")
    assert 5 < compared < 50 and states == ["agrees"] * compared + ["not checked"] * (100 - compared)
    assert steps[-1]["check"]["text"] == "not checked: the operations before it took the budget"
    assert steps[0]["local"] and steps[-1]["local"] is None
