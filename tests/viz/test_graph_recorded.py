"""Pictures of recordings: inputs, operations without gradient, failures; and the documents of graphs."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.viz.drawing import arrange
from minigrad.viz.recorded import document_of, recorded_graph


def recorded(program):
    with viz.record() as recording:
        program()
    return recording


def boxes(picture):
    return [box.group.kind if box.node is None else box.node.label or box.node.name for box in picture._drawing.boxes]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.body(x) + x)


def test_what_ran_is_drawn_with_its_inputs_and_the_engines_order():
    net, x = Net(), mg.ones(5, 3)
    recording = recorded(lambda: net(x).sum().backward())
    picture = viz.graph(recording)
    assert [box for box in boxes(picture) if box not in ("Tensor", "x", "loss")] == [
        "Linear",
        "Tanh",
        "Linear",
        "Add",
        "Linear",
        "Sum",
    ]
    orders = {node.id: node.order for node in picture.graph.nodes if node.kind == "operation"}
    assert list(orders.values()) == [6, 5, 4, 3, 2, 1]
    (entry,) = [node for node in picture.graph.nodes if node.kind == "leaf" and not node.parameter]
    assert not entry.recorded and entry.ports == [viz.Port((5, 3), "float32")]
    users = [picture.graph.nodes[edge.target].name for edge in picture.graph.edges if edge.source == entry.id]
    assert users == ["Linear", "Add"]


def test_a_recorded_loss_and_the_loss_alone_are_the_same_but_for_the_inputs():
    net, x = Net(), mg.ones(5, 3)
    with viz.record() as recording:
        loss = net(x).sum()
    alone, seen = viz.extract(loss), viz.graph(recording).graph
    assert [group.path for group in alone.groups] == [group.path for group in seen.groups]
    for kind in ("operation", "leaf"):
        of = {id(graph): [n for n in graph.nodes if n.kind == kind and n.recorded] for graph in (alone, seen)}
        for one, other in zip(of[id(alone)], of[id(seen)], strict=True):
            fields = ("name", "ports", "formula", "saved_bytes", "group", "parameter", "has_grad")
            if kind == "leaf":
                fields = ("ports", "label", "parameter", "has_grad")
            assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]


def test_operations_without_gradient_are_dashed():
    x = mg.ones(2, requires_grad=True)

    def program():
        with mg.no_grad():
            y = x.exp()
        (x * y).sum().backward()

    graph = viz.graph(recorded(program)).graph
    assert {node.name: node.recorded for node in graph.nodes if node.kind == "operation"} == {
        "Exp": False,
        "Mul": True,
        "Sum": True,
    }
    text = viz.graph(recorded(program)).dot
    assert text.count("rounded,filled,dashed") == 1 and "no gradient passes" in text


def test_values_of_a_recording():
    a, b = mg.tensor(2.0, requires_grad=True), mg.tensor([[1.0, -2.0]], requires_grad=True)
    w = mg.tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3), requires_grad=True)
    recording = recorded(lambda: (a * b @ w).sum().backward())
    contents = [(node.data, node.grad) for node in viz.graph(recording, values=True).graph.nodes if node.kind == "leaf"]
    assert contents == [
        ("2", "-21"),  # (1, -2) @ w = (-6, -7, -8)
        ("[1, -2]", "[6, 24]"),  # 2 · sums of w's rows (3, 12)
        (f"norm {np.sqrt(55):.4g}", f"norm {np.sqrt(3 * 4 + 3 * 16):.4g}"),
    ]


def fails_in_forward():
    nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(5, 3))(mg.ones(2, 3))


def fails_between_operations():
    (mg.ones(2, requires_grad=True) * 2).sum()
    raise KeyError("labels")


@pytest.mark.parametrize(("program", "error"), [(fails_in_forward, RuntimeError), (fails_between_operations, KeyError)])
@pytest.mark.parametrize("depth", [None, 0])
def test_an_error_leaves_the_graph_up_to_what_failed(program, error, depth, tmp_path):
    with pytest.raises(error) as raised, viz.record() as recording:
        program()
    picture = viz.graph(recording, depth=depth)
    (failed,) = [node for node in picture.graph.nodes if node.error]
    assert failed.error == f"{error.__name__}: {raised.value}"
    assert not any(node.kind == "result" for node in picture.graph.nodes)
    assert picture.dot.count('fillcolor="#F9DDD2"') == 1
    svg = picture.render(tmp_path / "a.svg").read_text(encoding="utf-8")
    assert f"{error.__name__}:" in svg
    if program is fails_in_forward:
        assert picture.graph.groups[failed.group].path == "2"
        before = [picture.graph.nodes[edge.source].name for edge in picture.graph.edges if edge.target == failed.id]
        assert "Tanh" in before
        assert [box for box in boxes(picture) if box in ("Linear", "Tanh", "Sequential")][:2] == (
            ["Linear", "Tanh"] if depth is None else ["Sequential"]
        )


def test_a_document_of_a_graph_leads_back_to_it():
    net = Net()
    loss = net(mg.ones(5, 3, requires_grad=True)).sum()
    graph = viz.extract(loss)
    again = recorded_graph({**document_of(graph), "passes": []})
    assert [(n.kind, n.name, n.label, n.ports, n.group) for n in graph.nodes] == [
        (n.kind, n.name, n.label, n.ports, n.group) for n in again.nodes
    ]
    assert graph.edges == again.edges and graph.groups == again.groups
    assert len(arrange(again).boxes) == len(arrange(graph).boxes)
