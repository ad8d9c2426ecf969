"""What is drawn as what: chips, arrows, clusters, closed modules and folded rows."""

from itertools import pairwise

import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd import Operation
from minigrad.viz.drawing import MOST_ARROWS, arrange


def leaf(*shape):
    return mg.ones(shape, requires_grad=True)


def draw(outputs, params=None, depth=None):
    return arrange(viz.extract(outputs, params), depth)


def named(drawing):
    """A short name for every box."""
    return [box.group.kind if box.node is None else box.node.label or box.node.name for box in drawing.boxes]


def pairs(drawing):
    return [(arrow.tail.key, arrow.head.key) for arrow in drawing.arrows]


def test_a_parameter_used_once_is_a_chip_and_an_input_a_box():
    x, w = leaf(2), leaf(2)
    drawing = draw((x * w).sum(), {"w": w})
    assert named(drawing) == ["Tensor", "Mul", "Sum", "loss"]
    assert [(chip.node.label, chip.uses, chip.shared) for chip in drawing.boxes[1].chips] == [("w", 1, 1)]
    assert pairs(drawing) == [("n0", "n2"), ("n2", "n3"), ("n3", "n4")]


def test_a_parameter_that_is_a_result_is_a_box():
    w = leaf(2)
    drawing = draw(w, {"w": w})
    assert named(drawing) == ["w", "result"] and pairs(drawing) == [("n0", "n1")]


def test_a_parameter_used_twice_by_one_operation_is_one_chip():
    w = leaf(2)
    (chip,) = draw((w * w).sum(), {"w": w}).boxes[0].chips
    assert (chip.uses, chip.shared) == (2, 1)


@pytest.mark.parametrize("uses", [2, MOST_ARROWS, MOST_ARROWS + 1])
def test_a_shared_parameter_is_a_box_unless_its_arrows_would_be_many(uses):
    x, w = leaf(2), leaf(2)
    for _ in range(uses):
        x = x * w
    drawing = draw(x.sum(), {"w": w})
    products = [box for box in drawing.boxes if box.node.name == "Mul"]
    arrows = [arrow for arrow in drawing.arrows if arrow.tail.node.label == "w"]
    if uses <= MOST_ARROWS:
        assert [arrow.head for arrow in arrows] == products
        assert not any(box.chips for box in products)
    else:
        assert not arrows
        assert [[chip.shared for chip in box.chips] for box in products] == [[uses]] * uses


def test_the_same_tensor_twice_is_two_arrows():
    drawing = draw((lambda y: y * y)(leaf(2).tanh()))
    assert pairs(drawing).count(("n1", "n2")) == 2


class Residual(nn.Module):
    """Calls one module twice, round other operations."""

    def __init__(self, width=3):
        super().__init__()
        self.first, self.second, self.act = nn.Linear(width, width), nn.Linear(width, width), nn.Tanh()

    def forward(self, x):
        return self.act(self.second(self.act(self.first(x))) + x)


def test_a_call_of_one_operation_names_its_box_and_others_are_clusters():
    drawing = draw(nn.Sequential(Residual())(leaf(2, 3)))
    assert [(group.path, group.kind) for group in drawing.clusters] == [("", "Sequential"), ("0", "Residual")]
    named_boxes = {box.group.path: (box.node.name, box.parent) for box in drawing.boxes if box.group is not None}
    assert named_boxes == {"0.first": ("Linear", 1), "0.second": ("Linear", 1), "0.act": ("Tanh", 1)}
    (add,) = [box for box in drawing.boxes if box.node.name == "Add"]
    assert (add.group, add.parent) == (None, 1)


def test_a_shared_parameter_stands_in_the_innermost_cluster_around_its_users():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(mg.ones(2))

        def forward(self, x):
            return (x * self.weight).tanh() * self.weight

    model = nn.Sequential(Tied(), nn.Tanh())
    drawing = draw(model(leaf(2)))
    (weight,) = [box for box in drawing.boxes if box.node.label == "0.weight"]
    assert [group.path for group in drawing.clusters if group.id == weight.parent] == ["0"]
    (entry,) = [box for box in drawing.boxes if box.node.kind == "leaf" and not box.node.parameter]
    assert entry.parent is None


def residual_net(*widths):
    return nn.Sequential(nn.Linear(2, widths[0]), *(Residual(width) for width in widths), nn.Linear(widths[-1], 1))


@pytest.mark.parametrize(
    ("depth", "boxes"),
    [
        (0, ["Sequential", "Sum", "loss"]),
        (1, ["Linear", "Residual", "Linear", "Sum", "loss"]),
        (2, ["Linear", "Linear", "Tanh", "Linear", "Add", "Tanh", "Linear", "Sum", "loss"]),
    ],
)
def test_depth_closes_modules(depth, boxes):
    drawing = draw(residual_net(3)(mg.ones(4, 2)).sum(), depth=depth)
    assert named(drawing) == boxes
    assert len(drawing.clusters) == min(depth, 2)
    for box in drawing.boxes:  # a closed call of one operation is shown as that operation
        assert (box.node is None) == (len(box.members) > 1)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, None])
def test_boxes_hold_every_operation_once_and_arrows_lead_on(depth):
    loss = nn.MSELoss()(residual_net(3, 3, 4 - 1)(mg.ones(4, 2)), mg.zeros(4, 1))
    graph = viz.extract(loss)
    drawing = arrange(graph, depth)
    members = sorted(node.id for box in drawing.boxes for node in box.members)
    chips = sorted(chip.node.id for box in drawing.boxes for chip in box.chips)
    assert sorted(members + chips) == list(range(len(graph.nodes)))
    place = {box.key: i for i, box in enumerate(drawing.boxes)}
    assert all(place[tail] < place[head] for tail, head in pairs(drawing))
    assert {head for _, head in pairs(drawing)} == set(list(place)[1:])  # the first box alone has nothing before it
    known = {group.id for group in drawing.clusters}
    assert all(box.parent is None or box.parent in known for box in drawing.boxes)


def test_alike_neighbours_fold():
    loss = residual_net(3, 3, 3, 3)(mg.ones(4, 2)).sum()
    drawing = draw(loss, depth=1)
    assert named(drawing) == ["Linear", "Residual", "Linear", "Sum", "loss"]
    row = drawing.boxes[1]
    assert [box.group.path for box in [row, *row.folded]] == ["1", "2", "3", "4"]
    assert (len(row.chips), len(row.members)) == (16, 20)
    keys = [box.key for box in drawing.boxes]
    assert pairs(drawing) == list(pairwise(keys))


def test_what_is_not_alike_or_not_in_a_row_does_not_fold():
    wide = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()))
    assert [box.folded for box in draw(wide(mg.ones(1, 3)), depth=1).boxes] == [[], [], []]

    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = Residual(), Residual()

        def forward(self, x):
            y = self.a(x)
            return self.b(y) + y

    assert named(draw(Skip()(mg.ones(1, 3)), depth=1)) == ["Residual", "Residual", "Add", "result"]


def test_a_recurrent_cell_folds_with_its_parameters_once():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

        def forward(self, h):
            for _ in range(6):
                h = self.cell(h)
            return h

    row, result = draw(Recurrent()(mg.ones(1, 3)), depth=1).boxes
    assert (len(row.folded), len(row.chips), result.node.kind) == (5, 2, "result")


def test_a_tensor_enters_a_closed_module_once_and_results_that_leave_are_its_ports():
    class Two(nn.Module):
        def forward(self, x):
            return x.tanh(), x * x

    x = leaf(2).exp()
    first, second = Two()(x)
    drawing = draw([first.sum(), second, first], depth=0)
    closed = next(box for box in drawing.boxes if box.node is None)
    assert len([arrow for arrow in drawing.arrows if arrow.head is closed]) == 1
    leaving = [arrow for arrow in drawing.arrows if arrow.tail is closed]
    assert len(closed.ports) == 2 and len(leaving) == 3


class Halves(Operation):
    """Two results."""

    @staticmethod
    def forward(ctx, x):
        return x[:2].copy(), x[2:].copy()


def test_an_arrow_carries_the_result_that_it_leads_on():
    parts = Halves.apply(leaf(5, 2))
    drawing = draw([parts[0], parts[1]])
    assert [arrow.port.shape for arrow in drawing.arrows] == [(5, 2), (2, 2), (3, 2)]


def test_modules_that_differ_in_sizes_alone_fold():
    net = nn.Sequential(*(nn.Sequential(nn.Linear(n, n - 1), nn.Tanh()) for n in (5, 4, 3)), nn.Linear(2, 2))
    row, last, _ = draw(net(mg.ones(4, 5)), depth=1).boxes
    assert [box.ports[0].shape for box in [row, *row.folded]] == [(4, 4), (4, 3), (4, 2)]
    assert (len(row.chips), len(row.members), last.node.name) == (6, 6, "Linear")


@pytest.mark.parametrize("heads", [1, 2, 5])
def test_alike_modules_side_by_side_fold(heads):
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.heads = nn.ModuleList(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(heads))
            self.other = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid())

        def forward(self, x):
            return mg.cat([*(head(x) for head in self.heads), self.other(x)])

    graph = viz.extract(Heads()(leaf(2, 3).exp()))
    drawing = arrange(graph, 1)
    assert named(drawing) == ["Tensor", "Exp", "Sequential", "Sequential", "Cat", "result"]
    several, other = drawing.boxes[2:4]
    assert (len(several.folded), len(several.chips), other.folded) == (heads - 1, 2 * heads, [])
    assert len(pairs(drawing)) == len(set(pairs(drawing))) == 6
    assert sum(len(box.members) + len(box.chips) for box in drawing.boxes) == len(graph.nodes)
