"""The extracted graph: nodes, edges, order, names and module calls, on graphs whose shape is known by hand."""

import json
from typing import ClassVar

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd import Operation


def leaf(*shape, value=1.0):
    return mg.tensor(np.full(shape, value, np.float32), requires_grad=True)


class Join(Operation):
    """The first argument's numbers; every argument is an edge."""

    formula = "dx_i = dy"
    visits = 0
    ran: ClassVar[list] = []

    @property
    def edges(self):
        Join.visits += 1
        return self.__dict__["edges"]

    @edges.setter
    def edges(self, value):
        self.__dict__["edges"] = value

    @staticmethod
    def forward(ctx, *arrays):
        return arrays[0].copy()

    @staticmethod
    def backward(ctx, dy):
        Join.ran.append(ctx.sequence)
        return (dy,) * len(ctx.needs_input_grad)


class Halves(Operation):
    """Two results."""

    @staticmethod
    def forward(ctx, x):
        return x[:2].copy(), x[2:].copy()


@pytest.fixture(autouse=True)
def fresh_counts():
    Join.visits, Join.ran = 0, []


def of_kind(graph, kind):
    return [node for node in graph.nodes if node.kind == kind]


def test_diamond():
    x = leaf(2)
    left, right = Join.apply(x), Join.apply(x)
    graph = viz.extract(Join.apply(left, right).sum())
    assert [(node.id, node.kind, node.name) for node in graph.nodes] == [
        (0, "leaf", "Tensor"),
        (1, "operation", "Join"),
        (2, "operation", "Join"),
        (3, "operation", "Join"),
        (4, "operation", "Sum"),
        (5, "result", "Result"),
    ]
    assert [(edge.source, edge.target, edge.output, edge.input) for edge in graph.edges] == [
        (0, 1, 0, 0),
        (0, 2, 0, 0),
        (1, 3, 0, 0),
        (2, 3, 0, 1),
        (3, 4, 0, 0),
        (4, 5, 0, 0),
    ]
    assert [node.order for node in graph.nodes] == [4, 4, 3, 2, 1, None]
    assert graph.nodes[1].ports == [viz.Port((2,), "float32")]
    assert graph.nodes[1].formula == Join.formula


def test_arguments_without_a_gradient_leave_their_number_free():
    x, constant = leaf(2), mg.ones(2)
    graph = viz.extract(Join.apply(constant, x, constant, x))
    assert [(edge.source, edge.input) for edge in graph.edges[:2]] == [(0, 1), (0, 3)]


def test_order_is_the_engines():
    a, b = leaf(1), leaf(1)
    first = Join.apply(a)
    second = Join.apply(first, b)
    third = Join.apply(first, second)
    loss = Join.apply(third, Join.apply(b)).sum()
    graph = viz.extract(loss, params={"a": a, "b": b})
    done = {}
    for name, tensor in {"a": a, "b": b}.items():
        tensor.register_hook(lambda grad, name=name: done.update({name: len(Join.ran)}))
    loss.backward()
    joins = [node for node in graph.nodes if node.name == "Join"]
    assert len(Join.ran) == len(joins) == 5
    by_age = {sequence: age for age, sequence in enumerate(sorted(Join.ran))}
    assert [by_age[sequence] for sequence in Join.ran] == [
        joins.index(node) for node in sorted(joins, key=lambda node: node.order)
    ]
    # the sum at the end is step 1, so a leaf that is complete after k Joins is complete after step k + 1
    leaves = {node.label: node.order for node in of_kind(graph, "leaf")}
    assert leaves == {name: count + 1 for name, count in done.items()}


def test_shared_weight_is_one_leaf():
    w = leaf(3)
    graph = viz.extract((Join.apply(w) * w).sum(), params={"w": w})
    (node,) = of_kind(graph, "leaf")
    assert node.label == "w" and node.parameter
    assert [graph.nodes[edge.target].name for edge in graph.edges if edge.source == node.id] == ["Join", "Mul"]


def test_several_outputs_and_several_results():
    first, second = Halves.apply(leaf(4, 2))
    graph = viz.extract([second.sum(), first], params={"top": first})
    assert [node.label for node in of_kind(graph, "result")] == ["result 0", "top"]
    halves = graph.nodes[1]
    used = {graph.nodes[edge.target].name: edge.output for edge in graph.edges if edge.source == halves.id}
    assert used == {"Sum": 1, "Result": 0}
    assert (halves.label, halves.ports) == ("top", [viz.Port((2, 2), "float32")] * 2)


def test_residual_chain_is_walked_once_per_node():
    x = leaf(1)
    for _ in range(1000):
        x = Join.apply(x, Join.apply(Join.apply(x)))
    Join.visits = 0
    graph = viz.extract(x)
    assert len(of_kind(graph, "operation")) == 3000
    assert Join.visits == 3000
    assert len(graph.edges) == 4000 + 1


def test_long_chain_needs_no_recursion():
    x = leaf(1)
    for _ in range(100_000):
        x = Join.apply(x)
    graph = viz.extract(x)
    assert len(graph.nodes) == 100_002
    assert [(edge.source, edge.target) for edge in graph.edges] == [(i, i + 1) for i in range(100_001)]


def test_a_freed_graph_can_still_be_read():
    x = leaf(2)
    loss = (x * x * x).sum()
    before = viz.extract(loss)
    assert [node.saved_bytes for node in before.nodes if node.name == "Mul"] == [16, 16]
    loss.backward()
    after = viz.extract(loss)
    assert after.edges == before.edges
    assert [node.saved_bytes for node in after.nodes if node.name == "Mul"] == [0, 0]
    assert (before.nodes[0].has_grad, after.nodes[0].has_grad) == (False, True)


def test_a_leaf_is_a_graph():
    x = leaf(2)
    graph = viz.extract(x, params={"x": x})
    assert [(node.kind, node.label, node.order) for node in graph.nodes] == [
        ("leaf", "x", None),
        ("result", "result", None),
    ]
    assert len(graph.edges) == 1


def test_values():
    a, b = leaf(value=2.0), leaf(3, 2, value=2.0)
    c = a * 3
    c.retain_grad()
    loss = (c * b).sum()
    names = {"a": a, "b": b, "c": c}
    pending = viz.extract(loss, names, values=True)
    loss.backward()
    graph = viz.extract(loss, names, values=True)
    contents = {node.label: (node.data, node.grad) for node in graph.nodes if node.label}
    norms = f"norm {np.sqrt(24):.4g}", f"norm {np.sqrt(216):.4g}"
    assert contents == {"a": ("2", "36"), "b": norms, "c": ("6", "12"), "loss": ("72", None)}
    assert {node.grad for node in pending.nodes} == {None}
    assert {node.data for node in viz.extract(loss, names).nodes} == {None}
    four = leaf(2, 2)
    assert viz.extract(four.sum(), values=True).nodes[0].data == "[1, 1, 1, 1]"


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
        self.act = nn.Tanh()

    def forward(self, x):
        return self.act(self.inner(self.act(x)) + x)


def test_module_calls():
    model = nn.Sequential(Block(), nn.Linear(2, 1))
    graph = viz.extract(nn.MSELoss()(model(mg.ones(3, 2, requires_grad=True)), mg.zeros(3, 1)))
    calls = [(group.path, group.name, group.kind, group.depth, group.parent) for group in graph.groups]
    assert calls == [
        ("", "", "Sequential", 0, None),
        ("0", "0", "Block", 1, 0),
        ("0.act", "act", "Tanh", 2, 1),
        ("0.inner", "inner", "Sequential", 2, 1),
        ("0.inner.0", "0", "Linear", 3, 3),
        ("0.inner.1", "1", "Tanh", 3, 3),
        ("0.act", "act", "Tanh", 2, 1),
        ("1", "1", "Linear", 1, 0),
        ("", "", "MSELoss", 0, None),
    ]
    assert graph.groups[4].settings == model[0].inner[0].extra_repr()
    inside = {graph.groups[node.group].path for node in graph.nodes if node.name == "Tanh"}
    assert inside == {"0.act", "0.inner.1"}
    assert {graph.nodes[edge.source].label for edge in graph.edges} - {""} == {
        "0.inner.0.weight",
        "0.inner.0.bias",
        "1.weight",
        "1.bias",
    }


def test_a_module_that_no_attribute_leads_to():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = (lambda layer: lambda x: layer(x))(nn.Tanh())

        def forward(self, x):
            return self.part(x) * 2

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = Hidden()

        def forward(self, x):
            return self.hidden(x)

    graph = viz.extract(Outer()(leaf(2)))
    assert [group.path for group in graph.groups] == ["", "hidden", "hidden.Tanh"]


def test_params_override_and_forms():
    model = nn.Linear(2, 1)
    loss = model(mg.ones(1, 2)).sum()
    expected = {"weight", "bias"}
    for params in (None, model, dict(model.named_parameters()), model.named_parameters()):
        assert {node.label for node in of_kind(viz.extract(loss, params), "leaf")} == expected
    renamed = viz.extract(loss, {"w": model.weight})
    assert {node.label for node in of_kind(renamed, "leaf")} == {"w", "bias"}


def test_to_dict_is_json_and_the_same_for_the_same_model():
    model = nn.Sequential(Block(), nn.Linear(2, 1))
    kept = model(mg.ones(3, 2)).sum()
    texts = [
        json.dumps(viz.extract(loss, values=True).to_dict(), allow_nan=False)
        for loss in (kept, model(mg.ones(3, 2)).sum())
    ]
    assert texts[0] == texts[1]
    assert set(json.loads(texts[0])) == {"nodes", "edges", "groups"}


@pytest.mark.parametrize(
    ("outputs", "error", "words"),
    [
        (lambda: mg.ones(2), ValueError, "output 0, of shape .2,., has no graph.*\nhint: .*requires_grad"),
        (lambda: [leaf(1), leaf(1).detach()], ValueError, "output 1"),
        (lambda: [], ValueError, "at least one tensor"),
        (lambda: nn.Tanh(), TypeError, "output 0 is a Tanh"),
        (lambda: [leaf(1), 3.0], TypeError, "output 1 is a float"),
    ],
)
def test_what_has_no_graph(outputs, error, words):
    with pytest.raises(error, match=words):
        viz.extract(outputs())


@pytest.mark.parametrize("params", [[mg.ones(1)], {"a": 1.0}, ["ab"], [("a", mg.ones(1), 3)]])
def test_params_must_be_named_tensors(params):
    with pytest.raises(TypeError, match=r"pairs .name, tensor."):
        viz.extract(leaf(1), params)
