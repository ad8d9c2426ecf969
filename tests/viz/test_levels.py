"""The explorer's drawings: complete, true to the document, folded where it repeats, and laid out without overlaps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn, viz
from minigrad.autograd import Function
from minigrad.viz.page import layout, levels


def document(operations, calls=(), parameters=0):
    """A document of operations (name, call, inputs): an input is the place of an earlier operation, or -k: a leaf.

    Calls are (name, parent). Leaves up to `parameters` are parameters.
    """
    made = {"calls": [], "tensors": [], "nodes": [], "passes": [], "timeline": [], "error": None, "title": "made"}
    for i, (name, parent) in enumerate(calls):
        made["calls"].append({"id": i, "path": name, "name": name, "kind": "Block", "settings": "", "parent": parent})

    def add(node, name="", role="result"):
        tensor = {"id": len(made["tensors"]), "name": name, "role": role, "shape": [2, 3], "dtype": "float32"}
        made["tensors"].append({**tensor, "node": node, "users": [], "output": 0})
        return tensor["id"]

    leaves, results = {}, []
    for i, (name, call, inputs) in enumerate(operations):
        given_ids = []
        for place in inputs:
            if place < 0 and place not in leaves:
                leaves[place] = add(None, f"leaf{place}", "parameter" if -place <= parameters else "input")
            given_ids.append(leaves[place] if place < 0 else results[place])
        for argument, tensor in enumerate(given_ids):
            made["tensors"][tensor]["users"].append([i, argument])
        results.append(add(i))
        made["nodes"].append({"id": i, "name": name, "call": call, "inputs": given_ids, "outputs": [results[-1]]})
        made["timeline"].append(["forward", i])
    return made


@st.composite
def documents(draw):
    """Nested calls, each entered once and left before its caller is, and operations on whatever was made before."""
    calls, operations = [], []

    def fill(parent, depth):
        for _ in range(draw(st.integers(1, 4))):
            if depth < 3 and draw(st.booleans()):
                calls.append((f"call{len(calls)}", parent))
                fill(len(calls) - 1, depth + 1)
            else:
                inputs = st.lists(st.integers(-4, len(operations) - 1).filter(bool), min_size=1, max_size=3)
                if operations:
                    inputs |= st.just([0])
                operations.append((draw(st.sampled_from(["Add", "Mul"])), parent, draw(inputs)))

    fill(None, 0)
    return document(operations, calls, parameters=draw(st.integers(0, 4)))


def contents(drawings):
    """For every level, the operations in each box, however deep."""
    inside = {}
    for level in reversed(drawings):
        inside[level["id"]] = [
            [box["node"]]
            if box["kind"] == "operation"
            else [node for part in inside[box["level"]] for node in part]
            if "level" in box
            else []
            for box in level["boxes"]
        ]
    return inside


def check_truth(made, drawings):
    """Every operation has one box; every level has exactly the arrows that its operations' inputs demand."""
    inside = contents(drawings)
    homes = [box["node"] for level in drawings for box in level["boxes"] if box["kind"] == "operation"]
    assert sorted(homes) == list(range(len(made["nodes"])))
    assert sorted(node for box in inside[0] for node in box) == list(range(len(made["nodes"])))
    for level in drawings:
        box_of = {node: i for i, nodes in enumerate(inside[level["id"]]) for node in nodes}
        wanted, outside = set(), set()
        for node, head in box_of.items():
            for tensor in made["nodes"][node]["inputs"]:
                about = made["tensors"][tensor]
                if about["role"] == "parameter":
                    continue
                tail = box_of.get(about["node"])
                if tail is None:
                    outside.add((tensor, head))
                elif tail != head:
                    wanted.add((tail, head, tensor))
        boxes = level["boxes"]
        arrows = {(edge["tail"], edge["head"], tensor) for edge in level["edges"] for tensor in edge["tensors"]}
        assert {arrow for arrow in arrows if arrow[0] in box_of.values() and arrow[1] in box_of.values()} == wanted
        entering = {(tensor, head) for tail, head, tensor in arrows if boxes[tail].get("side") == "in"}
        chips = {(chip["tensor"], i) for i, box in enumerate(boxes) for chip in box.get("chips", ())}
        assert entering | {(t, i) for t, i in chips if made["tensors"][t]["role"] != "parameter"} == outside


class _Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy


class _Wrapped(Function):
    @staticmethod
    def forward(ctx, x):
        return _Cube.apply(nn.functional.relu(x))

    @staticmethod
    def backward(ctx, dy):
        return dy


class _Cubed(nn.Module):
    def forward(self, x):
        return _Cube.apply(x)


@pytest.mark.parametrize(
    ("step", "outer", "inner"),
    [
        (lambda x: _Cube.apply(x), "_Cube", [["Pow"]]),
        (lambda x: _Cubed()(x), "_Cube", [["Pow"]]),
        (lambda x: _Wrapped.apply(x), "_Wrapped", [["ReLU", "_Cube"], ["Pow"]]),
    ],
)
def test_what_ran_inside_a_function_is_drawn_inside_its_box(step, outer, inner):
    x = minigrad.ones(2, 3, requires_grad=True)
    with viz.record() as recording:
        step(x * 2).sum().backward()
    made = recording.document()
    drawings = levels(made)
    titles = [[box["title"] for box in level["boxes"] if box["kind"] == "operation"] for level in drawings]
    assert titles == [["Mul", outer, "Sum"], *inner]
    assert [level["parent"] for level in drawings] == [None, *range(len(inner))]
    box = drawings[0]["boxes"][1]
    assert made["nodes"][box["node"]]["flags"] == ["function"] and box["level"] == 1
    check_layout(drawings)


def check_layout(drawings):
    for level in drawings:
        for edge in level["edges"]:
            assert len(edge["path"]) % 6 == 2 and len(edge["path"]) >= 8, "a start and three points for every bend"
        boxes = level["boxes"]
        for i, one in enumerate(boxes):
            assert one["x"] >= 0 and one["y"] >= 0
            assert one["x"] + one["w"] <= level["width"] + 1 and one["y"] + one["h"] <= level["height"] + 1
            for other in boxes[:i]:
                apart = one["x"] >= other["x"] + other["w"] or other["x"] >= one["x"] + one["w"]
                assert apart or one["y"] >= other["y"] + other["h"] or other["y"] >= one["y"] + one["h"]


@settings(deadline=None, max_examples=40)
@given(documents())
def test_a_drawing_says_what_the_document_says(made):
    drawings = levels(made)
    check_truth(made, drawings)
    check_layout(drawings)
    assert levels(made) == drawings


@settings(deadline=None, max_examples=40)
@given(documents())
def test_drawings_need_no_graphviz(made):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "pygraphviz", None)
        patch.setattr(layout.shutil, "which", lambda name: None)
        drawings = levels(made)
    check_truth(made, drawings)
    check_layout(drawings)


def test_what_repeats_is_one_box_with_a_level_of_its_own():
    """Eight hundred operations of a loop: nobody has to look at more than the hundred repetitions."""
    operations = [("Start", None, [-1])]
    for step in range(100):
        last = 8 * step
        operations += [("MatMul", None, [last, -2])]
        operations += [(name, None, [last + i]) for i, name in enumerate(["Add", "Tanh", "Mul"], 1)]
        operations += [(name, None, [last + i]) for i, name in enumerate(["Sub", "Exp", "Log", "Neg"], 4)]
    made = document(operations, parameters=2)
    drawings = levels(made)
    check_truth(made, drawings)
    row = next(box for box in drawings[0]["boxes"] if box["kind"] == "row")
    assert row["title"] == "8 operations ×100"
    assert [box["title"] for box in drawings[0]["boxes"] if box["kind"] == "operation"] == ["Start"]
    steps = drawings[row["level"]]["boxes"]
    assert [box["kind"] for box in steps].count("repetition") == 100
    assert steps[41]["title"] == "42 · 8 operations"
    assert [box["title"] for box in drawings[steps[41]["level"]]["boxes"][:8]] == [
        name for name, _, _ in operations[1 + 8 * 41 : 1 + 8 * 42]
    ]


def test_few_alike_things_stay_as_they_are():
    made = document([("ReLU", None, [i - 1 if i else -1]) for i in range(20)])
    assert len(levels(made)) == 1


def test_a_tensor_that_many_use_is_a_chip_in_each():
    made = document([("Mul", None, [-1, i - 1 if i else -2]) for i in range(6)])
    (drawing,) = levels(made)
    assert [[chip["text"] for chip in box["chips"]] for box in drawing["boxes"][:6]] == [["leaf-1"]] * 6
    assert [box["title"] for box in drawing["boxes"][6:]] == ["leaf-2"]


def test_a_drawing_too_long_winded_for_graphviz_is_laid_out_all_the_same(monkeypatch):
    """Arrows across a thousand layers would keep Graphviz busy for minutes: it is not asked."""
    monkeypatch.setattr(layout, "_graphviz", lambda texts: pytest.fail("asked") if texts else {})
    operations = [("Add", None, [-1])]
    operations += [(f"Op{i}", None, [i, i // 2]) for i in range(200)]
    made = document(operations)
    drawings = levels(made)
    check_truth(made, drawings)
    check_layout(drawings)


def test_levels_of_a_network():
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4)), nn.Linear(4, 1))
    with viz.record() as recording:
        loss = model(minigrad.ones(2, 3)).sum()
        loss.backward()
    made = recording.document()
    top, outer, inner = levels(made)
    assert [box["kind"] for box in top["boxes"]] == ["module", "operation", "tensor", "tensor"]
    assert top["boxes"][3]["side"] == "result"
    assert [box["title"] for box in outer["boxes"]] == ["0: Sequential", "1: Linear", "input", "1"]
    assert outer["boxes"][0]["detail"] == "2×4 · 36 parameters"
    assert [box["title"] for box in inner["boxes"]] == ["0: Linear", "1: ReLU", "2: Linear", "input", "0.2"]
    assert [chip["text"] for chip in inner["boxes"][2]["chips"]] == ["weight", "bias"]
    assert (outer["parent"], inner["parent"], inner["key"]) == (0, 1, "call-1")


def test_an_operation_that_failed_has_no_result():
    made = document([("Add", None, [-1]), ("MatMul", None, [0, -2])])
    made["nodes"][1]["outputs"] = []
    made["tensors"].pop()
    (drawing,) = levels(made)
    assert drawing["boxes"][1]["detail"] == ""
    made["nodes"][1]["outputs"] = [None]
    assert levels(made) == [drawing]
    assert any(edge["head"] == 1 for edge in drawing["edges"])


def test_nothing_makes_an_empty_drawing():
    (drawing,) = levels(document([]))
    assert (drawing["boxes"], drawing["edges"]) == ([], [])
