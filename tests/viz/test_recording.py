"""Recordings of programs whose operations, gradients and lines are known by hand."""

import base64
import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, viz
from minigrad.autograd import Function, Operation, watch
from minigrad.vision.models import resnet18

F = nn.functional


def leaf(*values):
    return mg.tensor(np.array(values, np.float64), requires_grad=True)


def numbers(document, place):
    """The array at a place of the document's data, as NumPy has it."""
    data = document["data"][place]
    if "numbers" in data:
        return np.array(data["numbers"], np.float64)
    planes = data["planes"]
    flat = np.frombuffer(base64.b64decode(planes["f32"]), "<f4")
    return flat.reshape(planes["count"], planes["rows"], planes["cols"])


def operations(document):
    return [node["operation"] for node in document["nodes"]]


def named(document, name):
    """The entry of the tensor of this name, the latest."""
    return [tensor for tensor in document["tensors"] if tensor["name"] == name][-1]


def check_whole(document):
    """What holds for every document: ids are places, both directions of every reference agree, it is JSON."""
    json.dumps(document, allow_nan=False)
    for kind in ("calls", "tensors", "nodes", "passes"):
        assert [thing["id"] for thing in document[kind]] == list(range(len(document[kind])))
    for node in document["nodes"]:
        for output, tensor in enumerate(node["outputs"]):
            if tensor is not None:
                assert document["tensors"][tensor]["node"] == node["id"]
                assert document["tensors"][tensor]["output"] == output
        for place, tensor in enumerate(node["inputs"]):
            if tensor is not None:
                assert [node["id"], place] in document["tensors"][tensor]["users"]
                made_by = document["tensors"][tensor]["node"]
                assert made_by is None or made_by < node["id"]
    forward = [event[1] for event in document["timeline"] if event[0] == "forward"]
    assert forward == list(range(len(document["nodes"])))
    backward = [tuple(event[1:]) for event in document["timeline"] if event[0] == "backward"]
    assert sorted(backward) == [(p["id"], step["index"]) for p in document["passes"] for step in p["steps"]]
    check_ledgers(document)
    return document


def check_ledgers(document):
    """In every pass the parts of a tensor's gradient, and its seed, sum to what arrives there."""
    for walk in document["passes"]:
        parts: dict = {}
        for root, seed in zip(walk["roots"], walk["seed"]):
            parts.setdefault(root, []).append(numbers(document, seed))
        for step in walk["steps"]:
            for arriving in step["arriving"]:
                if arriving["stats"] is not None and not step["hooked"] and document["data"][arriving["data"]]:
                    total = sum(parts[arriving["tensor"]])
                    np.testing.assert_allclose(total, numbers(document, arriving["data"]), rtol=2e-6, atol=1e-7)
            for leaving in step["leaving"]:
                parts.setdefault(leaving["tensor"], []).append(numbers(document, leaving["data"]))


def test_a_residual_diamond():
    x = leaf(1.0, 2.0)
    with viz.record("diamond") as recording:
        h = x * 3
        y = h + h.exp()
        loss = y.sum()
        loss.backward()
    document = check_whole(recording.document())
    assert document["title"] == "diamond" and document["error"] is None
    assert operations(document) == ["Mul", "Exp", "Add", "Sum"]
    assert [named(document, name)["role"] for name in ("x", "h", "y", "loss")] == [
        "input",
        "result",
        "result",
        "result",
    ]
    steps = document["passes"][0]["steps"]
    assert [step["node"] for step in steps] == [3, 2, 1, 0, None]
    assert steps[-1]["leaf"] == named(document, "x")["id"]
    h_id = named(document, "h")["id"]
    parts = [
        (s["node"], p["partial"], numbers(document, p["data"]))
        for s in steps
        for p in s["leaving"]
        if p["tensor"] == h_id
    ]
    assert [(node, partial) for node, partial, _ in parts] == [(2, True), (1, True)]
    np.testing.assert_allclose(parts[0][2], [1, 1])
    np.testing.assert_allclose(parts[1][2], np.exp([3.0, 6.0]), rtol=1e-8)
    np.testing.assert_allclose(numbers(document, named(document, "x")["grad"]["data"]), x.grad.numpy(), rtol=1e-8)


def test_every_node_knows_its_line_and_its_code():
    x = leaf(1.0)
    with viz.record() as recording:
        y = x * 2  # a line of the user's
    node = recording.document()["nodes"][0]
    assert node["source"] == "y = x * 2  # a line of the user's"
    assert node["line"].endswith(
        f"test_recording.py:{test_every_node_knows_its_line_and_its_code.__code__.co_firstlineno + 3}"
    )
    assert node["arguments"] == [["y", "2"]]
    assert y.requires_grad


def test_broadcasting_and_casts_are_undone_before_and_after():
    a, b = leaf(1.0, 2.0, 3.0), mg.ones(4, 1, requires_grad=True)
    with viz.record() as recording:
        (a * b).sum().backward()
    document = check_whole(recording.document())
    ofa, ofb = document["passes"][0]["steps"][1]["leaving"]
    assert (ofa["summed"], ofb["summed"]) == ([0], [1])
    assert (ofa["cast"], ofb["cast"]) == (None, "float64->float32")
    assert (ofa["raw"]["shape"], ofb["raw"]["shape"]) == ([4, 3], [4, 3])
    np.testing.assert_allclose(numbers(document, ofb["raw"]["data"]), np.tile([1.0, 2.0, 3.0], (4, 1)))
    np.testing.assert_allclose(numbers(document, ofb["data"]), np.full((4, 1), 6.0))


def test_statistics_are_numpys():
    values = np.random.default_rng(0).normal(size=(30, 20))
    values[values < 0] = 0
    x = mg.tensor(values, requires_grad=True)
    with viz.record() as recording:
        x.sum().backward()
    stats = recording.document()["tensors"][0]["stats"]
    assert stats["size"] == 600 and stats["nan"] == stats["inf"] == 0
    expected = [np.linalg.norm(values), values.min(), values.max(), values.mean(), np.mean(values == 0)]
    found = [stats[key] for key in ("norm", "min", "max", "mean", "zeros")]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_what_is_not_finite_is_counted_and_said_in_words():
    with viz.record() as recording:
        leaf(np.nan, np.inf, -1.0).sum()
    document = check_whole(recording.document())
    tensor = document["tensors"][0]
    assert tensor["stats"] == {
        "size": 3, "norm": "NaN", "min": -1.0, "max": "Infinity", "mean": "Infinity", "zeros": 0.0, "nan": 1, "inf": 1,
    }  # fmt: skip
    assert document["data"][tensor["data"]] == {"numbers": ["NaN", "Infinity", -1.0]}


def test_what_happens_outside_the_graph_is_seen_too():
    x = leaf(1.0, 5.0)
    with viz.record() as recording:
        y = x * 2
        z = y.detach() + 1
        best = y.argmax()
        above = y > z
        with mg.no_grad():
            w = y * 3
        y.sum().item()
    document = check_whole(recording.document())
    assert operations(document) == ["Mul", "detach", "Add", "argmax", "__gt__", "Mul", "Sum", "item"]
    assert [node["recorded"] for node in document["nodes"]] == [True, False, False, False, False, False, True, False]
    assert document["nodes"][1]["inputs"] == document["nodes"][0]["outputs"]
    assert document["nodes"][5]["flags"] == ["no_grad"]
    assert document["nodes"][7]["outputs"] == []
    assert not any(tensor.requires_grad for tensor in (z, best, above, w))


def test_writes_in_place_make_new_tensors():
    x = leaf(1.0, 2.0, 3.0)
    with viz.record() as recording:
        y = x * 2
        y.add_(1)
        y[:2].mul_(10)
        y.sum().backward()
    document = check_whole(recording.document())
    assert operations(document) == ["Mul", "Add", "Slice", "Mul", "CopySlices", "Sum"]
    assert [node["flags"] for node in document["nodes"]] == [[], ["inplace"], ["view"], ["inplace"], [], []]
    values = [numbers(document, document["tensors"][node["outputs"][0]]["data"]) for node in document["nodes"]]
    np.testing.assert_array_equal(values[0], [2, 4, 6])
    np.testing.assert_array_equal(values[1], [3, 5, 7])
    np.testing.assert_array_equal(values[4], [30, 50, 7])
    np.testing.assert_array_equal(x.grad.numpy(), [20, 20, 2])


def test_writes_in_place_outside_the_graph():
    with viz.record() as recording:
        y = mg.ones(3) * 2
        y.add_(1)
        y[:2].mul_(10)
        z = y + 0
    document = check_whole(recording.document())
    last = document["tensors"][document["nodes"][-1]["inputs"][0]]
    assert document["nodes"][last["node"]]["operation"] == "Mul"
    np.testing.assert_array_equal(numbers(document, last["data"]), z.numpy())


def test_a_parameter_updated_between_two_steps_is_seen_in_both_versions():
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    x = mg.ones(3, 2)
    weights, grads = [], []
    with viz.record() as recording:
        for _ in range(2):
            optimizer.zero_grad()
            weights.append(layer.weight.detach().numpy().copy())
            layer(x).pow(2).sum().backward()
            grads.append(layer.weight.grad.numpy().copy())
            optimizer.step()
    document = check_whole(recording.document())
    entries = [tensor for tensor in document["tensors"] if tensor["name"] == "weight"]
    assert [entry["version"] for entry in entries] == [0, 1]
    for entry, weight, grad in zip(entries, weights, grads):
        np.testing.assert_allclose(numbers(document, entry["data"]), weight, rtol=1e-6)
        np.testing.assert_allclose(numbers(document, entry["grad"]["data"]), grad, rtol=1e-6)


def test_making_and_initializing_a_network_is_no_operation_of_it():
    with viz.record() as recording:
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        model(mg.randn(4, 3)).sum().backward()
    document = check_whole(recording.document())
    assert operations(document) == ["Linear", "BatchNorm", "Sum"]
    assert named(document, "0.weight")["role"] == named(document, "1.bias")["role"] == "parameter"


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy


def test_a_users_function_and_what_ran_inside():
    x = leaf(2.0)
    with viz.record() as recording:
        Cube.apply(x).backward()
    document = check_whole(recording.document())
    cube = next(node for node in document["nodes"] if node["operation"] == "Cube")
    assert cube["flags"] == ["function"] and cube["recorded"] and cube["name"] == "Cube"
    assert {node["within"] for node in document["nodes"] if node is not cube} == {cube["id"]}
    assert document["passes"][0]["steps"][0]["node"] == cube["id"]
    assert numbers(document, document["tensors"][cube["inputs"][0]]["grad"]["data"]) == 12


def test_gradients_of_gradients():
    x = leaf(1.0, 2.0)
    with viz.record() as recording:
        (slope,) = mg.autograd.grad((x**3).sum(), x, create_graph=True)
        (slope * slope).sum().backward()
    document = check_whole(recording.document())
    first, second = document["passes"]
    assert (first["kind"], first["create_graph"], first["inputs"]) == ("grad", True, [0])
    assert (second["kind"], second["create_graph"], second["inputs"]) == ("backward", False, None)
    inside = {node["id"] for node in document["nodes"] if node["within"] == ["pass", 0]}
    assert inside & {step["node"] for step in second["steps"]}
    np.testing.assert_allclose(numbers(document, document["tensors"][0]["grad"]["data"]), x.grad.numpy())
    np.testing.assert_allclose(x.grad.numpy(), 36 * np.array([1.0, 8.0]))


def test_hooks_that_change_a_gradient_are_shown():
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda grad: grad * 10)
    with viz.record() as recording:
        y.sum().backward()
    steps = recording.document()["passes"][0]["steps"]
    assert [step["hooked"] for step in steps] == [[], [0], []]
    assert [step["arriving"][0]["stats"]["max"] for step in steps] == [1.0, 10.0, 20.0]


def test_a_step_of_a_gan():
    torch = mg.Generator().manual_seed(0)
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizers = [optim.Adam(net.parameters()) for net in (generator, discriminator)]
    noise = mg.randn(4, 2, generator=torch)
    with viz.record() as recording:
        fake = generator(noise)
        real_loss = F.binary_cross_entropy_with_logits(discriminator(noise), mg.ones(4, 1))
        real_loss.backward()
        fake_loss = F.binary_cross_entropy_with_logits(discriminator(fake.detach()), mg.zeros(4, 1))
        fake_loss.backward()
        optimizers[1].step()
        F.binary_cross_entropy_with_logits(discriminator(fake), mg.ones(4, 1)).backward()
        optimizers[0].step()
    document = check_whole(recording.document())
    assert len(document["passes"]) == 3
    roots = [document["tensors"][walk["roots"][0]]["name"] for walk in document["passes"]]
    assert roots == ["real_loss", "fake_loss", ""]
    assert [call["name"] for call in document["calls"]] == ["generator", *["discriminator"] * 3]
    assert [t["version"] for t in document["tensors"] if t["name"] == "discriminator.weight"] == [0, 1]
    assert named(document, "generator.weight")["grad"] is not None
    reached = {part["tensor"] for step in document["passes"][1]["steps"] for part in step["leaving"]}
    assert named(document, "fake")["id"] not in reached


def test_a_network_along_a_sequence_shares_its_parameters():
    cell = nn.LSTMCell(3, 4)
    with viz.record() as recording:
        h = c = mg.zeros(2, 4)
        for _ in range(3):
            h, c = cell(mg.randn(2, 3), (h, c))
        h.sum().backward()
    document = check_whole(recording.document())
    assert [call["kind"] for call in document["calls"]] == ["LSTMCell"] * 3
    weight = named(document, "weight_hh")
    assert len(weight["users"]) == 3
    parts = [
        part for step in document["passes"][0]["steps"] for part in step["leaving"] if part["tensor"] == weight["id"]
    ]
    assert len(parts) == 3 and all(part["partial"] for part in parts)
    np.testing.assert_allclose(weight["grad"]["stats"]["norm"], np.linalg.norm(cell.weight_hh.grad.numpy()), rtol=1e-6)


def test_results_that_nobody_uses():
    with viz.record() as recording:
        top, _ = leaf(3.0, 1.0, 2.0).topk(2)
        pooled = F.max_pool2d(mg.randn(1, 1, 4, 4, requires_grad=True), 2)
        (top.sum() + pooled.sum()).backward()
    check_whole(recording.document())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.second = nn.Sequential(nn.ReLU(), nn.Linear(5, 2))

    def forward(self, x):
        return self.second(self.first(x))


def test_an_error_in_forward_leaves_the_graph_up_to_it():
    recording = viz.record()
    with pytest.raises(RuntimeError, match="cannot be multiplied"), recording:
        Net()(mg.ones(2, 4))
    document = check_whole(recording.document())
    error = document["error"]
    failed = document["nodes"][error["node"]]
    assert operations(document) == ["Linear", "ReLU", "linear"]
    assert failed["flags"] == ["failed"] and failed["outputs"] == []
    assert failed["inputs"][0] == document["nodes"][1]["outputs"][0]
    assert document["calls"][error["call"]]["path"] == "second.1"
    assert (error["type"], error["source"]) == ("RuntimeError", "return self.second(self.first(x))")
    assert watch.observer is None


def test_an_error_in_an_operation_itself():
    recording = viz.record()
    with pytest.raises(RuntimeError, match="must match"), recording:
        leaf(1.0, 2.0) * 2 + mg.ones(3)
    document = check_whole(recording.document())
    assert operations(document) == ["Mul", "Add"]
    assert document["error"]["node"] == 1 and document["error"]["call"] is None


class Faulty(Operation):
    """A derivative that raises."""

    formula = "none"

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        raise ZeroDivisionError("in backward")


def test_an_error_in_backward():
    recording = viz.record()
    with pytest.raises(ZeroDivisionError), recording:
        (Faulty.apply(leaf(1.0)) * 2).sum().backward()
    document = recording.document()
    assert document["error"]["pass"] == 0
    assert document["nodes"][document["error"]["node"]]["operation"] == "Faulty"
    assert [step["node"] for step in document["passes"][0]["steps"]] == [2, 1, 0]


def test_a_recording_is_over_with_its_block():
    x = leaf(1.0)
    detach = mg.Tensor.detach
    with viz.record() as outer:
        a = x * 1
        with viz.record() as inner:
            a = a * 2
        a = a * 3
    a * 4
    assert watch.observer is None and mg.Tensor.detach is detach
    assert [node["arguments"] for node in outer.document()["nodes"]] == [[["y", "1"]], [["y", "3"]]]
    assert [node["arguments"] for node in inner.document()["nodes"]] == [[["y", "2"]]]


class Refusing(Function):
    @staticmethod
    def forward(ctx, x):
        if x.sum() > 1:
            raise ArithmeticError("too much")
        return x.exp()

    @staticmethod
    def backward(ctx, dy):
        return dy


def test_an_error_inside_a_users_function_is_the_functions():
    x = leaf(1.0, 2.0)
    with pytest.raises(ArithmeticError, match="too much"), viz.record() as recording:
        Refusing.apply(x * 1)
    document = recording.document()
    failed = document["nodes"][document["error"]["node"]]
    assert (failed["operation"], failed["flags"], failed["outputs"]) == ("Refusing", ["failed"], [])
    assert document["error"]["source"] == 'raise ArithmeticError("too much")'
    assert failed["inputs"] == document["nodes"][0]["outputs"]


def test_an_array_that_goes_out_and_comes_back_is_the_same_tensor():
    w = leaf(1.0, 2.0)
    with viz.record() as recording:
        outside = w.detach().numpy()
        (mg.from_numpy(outside) * w).sum().backward()
    nodes = recording.document()["nodes"]
    assert [node["operation"] for node in nodes] == ["detach", "numpy", "Mul", "Sum"]
    assert nodes[2]["inputs"] == [nodes[0]["outputs"][0], nodes[0]["inputs"][0]]


def test_an_input_that_numpy_has_written_is_another_version():
    numbers_outside = np.array([1.0, 2.0], np.float32)
    x, w = mg.from_numpy(numbers_outside), leaf(1.0, 2.0)
    with viz.record() as recording:
        (x * w).sum().backward()
        (x * w).sum().backward()
        numbers_outside[0] = 5
        (x * w).sum().backward()
    document = recording.document()
    used = [document["tensors"][node["inputs"][0]] for node in document["nodes"] if node["operation"] == "Mul"]
    assert [tensor["version"] for tensor in used] == [0, 0, 1] and used[0] is used[1]
    assert [numbers(document, tensor["data"]).tolist() for tensor in used] == [[1, 2], [1, 2], [5, 2]]


def test_recording_changes_no_number():
    def train(recording):
        mg.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        with recording:
            for _ in range(2):
                optimizer.zero_grad()
                model(mg.randn(3, 1, 6, 6)).pow(2).mean().backward()
                optimizer.step()
        return [parameter.detach().numpy() for parameter in model.parameters()]

    recorded, plain = train(viz.record()), train(mg.enable_grad())
    assert all(np.array_equal(a, b) for a, b in zip(recorded, plain))


def test_an_error_deep_in_a_network_names_the_module():
    model = resnet18(num_classes=10)
    model.layer2[0].conv1 = nn.Conv2d(32, 128, 3)
    recording = viz.record()
    with pytest.raises(RuntimeError), recording:
        model(mg.randn(1, 3, 32, 32))
    document = check_whole(recording.document())
    assert document["calls"][document["error"]["call"]]["path"] == "layer2.0.conv1"
    assert document["nodes"][-1]["flags"] == ["failed"] and document["error"]["node"] == len(document["nodes"]) - 1


def test_tensors_that_minigrad_made_itself_are_constants():
    batch = {"x": mg.ones(3, 4)}
    with viz.record() as recording:
        hidden = nn.Dropout1d(0.5)(nn.LSTM(4, 5)(batch["x"])[0])
        hidden = hidden * mg.ones(5)
        mg.cat([hidden, mg.zeros(1, 5)]).sum().backward()
    made = check_whole(recording.document())
    roles = [(tensor["role"], tuple(tensor["shape"])) for tensor in made["tensors"] if tensor["node"] is None]
    assert sorted(role for role in roles if role[0] != "parameter") == [
        ("constant", (1, 1, 5)),  # the first states
        ("constant", (1, 1, 5)),
        ("constant", (3, 1)),  # the mask
        ("input", (1, 5)),
        ("input", (3, 4)),
        ("input", (5,)),
    ]


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 8)
        self.b = nn.Linear(8, 2)

    def forward(self, x):
        scale = mg.tensor([2.0])
        return self.b(self.a(x) * scale)


def test_a_model_and_its_input_have_the_names_that_the_caller_gave_them():
    def step(model, batch):
        loss = model(batch).sum()
        loss.backward()

    other = nn.Linear(1, 1)
    with viz.record() as recording:
        step(_Net(), mg.ones(3, 4))
        other(mg.ones(1, 1))  # with a second model, names begin with the model's
    document = check_whole(recording.document())
    assert [call["name"] for call in document["calls"]] == ["model", "a", "b", "other"]
    names = [tensor["name"] for tensor in document["tensors"] if tensor["role"] in ("input", "parameter")]
    assert names[:3] == ["batch", "model.a.weight", "model.a.bias"]
    assert "scale" in names and not any("self" in name for name in names)
