"""`viz.explore` of graphs that nobody recorded, files and their sizes, long chains, and `minigrad explain`."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import cli, nn, viz
from minigrad.autograd import watch
from minigrad.vision.models import LeNet5, resnet18
from minigrad.viz.explaining import training_steps

F = nn.functional


def lenet_loss(model):
    mg.manual_seed(1)
    return F.cross_entropy(model(mg.randn(64, 1, 32, 32)), mg.randint(0, 10, (64,)))


def gradients(document):
    return {
        tensor["name"]: tensor["grad"]["stats"]["norm"]
        for tensor in document["tensors"]
        if tensor["is_leaf"] and tensor["grad"]
    }


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: nn.LSTM(3, 4)(x)[0], {"hidden": (2, 4), "cell_state": (2, 4)}),
        (lambda x: nn.GRU(3, 4)(x)[0], {"bias": (12,), "hidden": (2, 4)}),
        (lambda x: nn.GRU(3, 4, bias=False)(x)[0], {"hidden": (2, 4)}),
        (lambda x: mg.where(x > 0, x.clone().requires_grad_(), 0.0), {"condition": (5, 2, 3)}),
        (lambda x: x.clone().requires_grad_() @ mg.ones(3, 4), {"y": (3, 4)}),
        (lambda x: F.embedding(mg.tensor([[1, 0]]), x[0].clone().requires_grad_()), {"index": (1, 2)}),
    ],
)
def test_arguments_found_on_the_graph_have_their_own_names(make, expected):
    """With arguments that are None before them, and settings behind them."""
    document = viz.explore(make(mg.ones(5, 2, 3)).sum())
    node = next(node for node in document["nodes"] if set(expected) <= set(node["input_names"]))
    found = {
        name: tuple(document["tensors"][tensor]["shape"])
        for name, tensor in zip(node["input_names"], node["inputs"])
        if tensor is not None
    }
    assert found.items() >= expected.items() and "projection" not in found


def test_a_loss_without_a_recording_gives_the_same_gradients_and_touches_none():
    model = LeNet5()
    loss = lenet_loss(model)
    kept = mg.ones(3, requires_grad=True)
    middle = kept * 2
    middle.retain_grad()
    middle.grad = mg.zeros(3)
    total = loss + middle.sum()
    document = viz.explore(total, title="LeNet")
    assert all(parameter.grad is None for parameter in model.parameters()) and kept.grad is None
    assert middle.grad.tolist() == [0, 0, 0]
    assert watch.observer is None
    total.backward()  # the graph is still there
    expected = {name: float(np.linalg.norm(p.grad.numpy().astype(float))) for name, p in model.named_parameters()}
    found = gradients(document)
    assert found["kept"] == pytest.approx(2 * 3**0.5)
    assert {name: pytest.approx(found[name], rel=1e-6) for name in expected} == expected
    assert [walk["kind"] for walk in document["passes"]] == ["backward"]
    assert [call["path"] for call in document["calls"]][:3] == ["", "c1", "s2"]
    convolution = document["nodes"][0]
    assert convolution["operation"] == "Convolution" and convolution["line"] is None
    assert all(document["tensors"][tensor]["data"] is not None for tensor in convolution["inputs"][:3])


def test_a_recorded_loss_is_shown_with_its_recording():
    x = mg.ones(2, requires_grad=True)
    with viz.record() as recording:
        loss = (x * 3).sum()
    document = viz.explore(loss)
    assert document["nodes"][0]["source"] == "loss = (x * 3).sum()"
    assert len(document["passes"]) == 1
    assert len(viz.explore(loss)["passes"]) == 1  # it has one now
    assert len(recording.passes) == 1 and x.grad is None


def test_exploring_inside_a_recording():
    x = mg.ones(2, requires_grad=True)
    with viz.record() as recording:
        loss = (x * 3).sum()
        viz.explore(loss)
        loss.backward()
    assert [node["operation"] for node in recording.document()["nodes"]] == ["Mul", "Sum"]
    assert len(recording.passes) == 2


def test_several_outputs():
    x = mg.ones(2, requires_grad=True)
    document = viz.explore([x.exp(), (x * 2).sum()])
    walk = document["passes"][0]
    assert len(walk["roots"]) == len(walk["seed"]) == 2
    np.testing.assert_allclose(document["data"][document["tensors"][0]["grad"]["data"]]["numbers"], np.e + 2, rtol=1e-6)


def test_what_cannot_be_explored():
    x = mg.ones(2, requires_grad=True)
    loss = x.exp().sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="was freed\nhint: explore before backward"):
        viz.explore(loss)
    with pytest.raises(ValueError, match="has no graph: it does not require grad"):
        viz.explore(mg.ones(2))
    with pytest.raises(TypeError, match="explore needs a tensor, got a float"):
        viz.explore(2.0)
    with pytest.raises(ValueError, match=r"must end in .html or .json"):
        viz.explore(mg.ones(1, requires_grad=True) * 2, "graph.svg")


def test_the_document_of_a_program_is_always_the_same():
    def made():
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        with viz.record() as recording:
            model(mg.randn(5, 4)).sum().backward()
        return json.dumps(recording.document())

    assert made() == made()


def test_a_long_chain_takes_linear_time_and_no_recursion():
    length = 50_000
    x = mg.ones(1, requires_grad=True)
    recording = viz.record()
    with recording:
        y = x
        for _ in range(length):
            y = y + x
        y.sum().backward()
    assert len(recording.nodes) == length + 1
    assert len(recording.passes[0].steps) == length + 2
    assert len(recording.tensors[0].users) == length + 1
    assert recording.passes[0].totals()[recording.tensors[0]] == length + 1


def test_titles(tmp_path):
    """Given to the recording, to what writes it, or else the file's name."""
    with viz.record() as recording:
        loss = mg.ones(2, requires_grad=True).sum()
    assert recording.explore(tmp_path / "step.html")["title"] == ""
    assert "<title>step · minigrad</title>" in (tmp_path / "step.html").read_text(encoding="utf-8")
    assert recording.explore(tmp_path / "a.html", title="one & two")["title"] == "one & two"
    assert "<title>one &amp; two · minigrad</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert viz.explore(loss, title="found again")["title"] == "found again"
    viz.explore(loss, tmp_path / "runs" / "today" / "loss.json")  # folders are made, as `minigrad.save` does
    assert json.loads((tmp_path / "runs" / "today" / "loss.json").read_text(encoding="utf-8"))["title"] == "loss"
    named = json.loads(recording.save(tmp_path / "b.json", title="saved").read_text(encoding="utf-8"))
    assert named["title"] == "saved" and recording.document()["title"] == ""


def test_files_are_within_their_sizes(tmp_path):
    mg.manual_seed(0)
    with viz.record("LeNet") as recording:
        lenet_loss(LeNet5()).backward()
    assert recording.save(tmp_path / "new" / "lenet.json").stat().st_size < 800_000
    page = recording.save(tmp_path / "lenet.html")
    assert page.stat().st_size < 1_000_000
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    document = json.loads((tmp_path / "new" / "lenet.json").read_text(encoding="utf-8"))
    assert document["format"] == "minigrad.explorer" and document["levels"]
    assert None not in document["data"]


def test_a_residual_network_is_within_its_size_and_a_smaller_budget_is_kept():
    mg.manual_seed(0)
    with viz.record() as recording:
        F.cross_entropy(resnet18(num_classes=10)(mg.randn(2, 3, 32, 32)), mg.tensor([1, 2])).backward()
    document = recording.document()
    assert len(json.dumps(document)) < 3_300_000 and None not in document["data"]
    small = viz.document.document(recording, budget=100_000)
    assert len(json.dumps(small["data"])) < 150_000
    assert None in small["data"] and small["data"][0] is not None


SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with torch.no_grad():
    print("before", model(torch.ones(1, 2)).shape)
for step in range(100):
    optimizer.zero_grad()
    loss = (model(torch.ones(4, 2)) - 5).pow(2).mean()
    loss.backward()
    optimizer.step()
    print("step", step)
"""


def explain(folder, text, *options, arguments=()):
    (folder / "train.py").write_text(text)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "minigrad", "explain", *options, "train.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=300)


def test_explain_stops_after_the_steps_and_writes_both_files(tmp_path):
    done = explain(tmp_path, SCRIPT, "--steps", "2", "--json", "twin.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "before torch.Size([1, 1])\nstep 0\n"
    assert (tmp_path / "train.explorer.html").is_file()
    document = json.loads((tmp_path / "twin.json").read_text())
    assert document["title"] == "train.py" and len(document["passes"]) == 2
    assert [call["path"] for call in document["calls"]] == ["", "0", "1", "2"] * 2
    assert document["nodes"][0]["line"] == "train.py:11"
    names = [(tensor["name"], tensor["version"]) for tensor in document["tensors"]]
    assert ("2.bias", 0) in names and ("2.bias", 1) in names and ("loss", 0) in names


def test_explain_writes_the_graph_of_a_script_that_fails(tmp_path):
    done = explain(
        tmp_path, SCRIPT.replace("nn.Linear(3, 1)", "nn.Linear(4, 1)"), "-o", "page.html", "--json", "t.json"
    )
    assert done.returncode == 1 and done.stderr.count("\nRuntimeError: ") == 1
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["error"]["line"] == "train.py:8"
    assert document["calls"][document["error"]["call"]]["path"] == "2"
    assert (tmp_path / "page.html").is_file()


def test_explain_a_script_without_an_optimizer_or_a_graph(tmp_path):
    text = "import torch\nw = torch.ones(2, requires_grad=True)\nwhile True:\n    (w * w).sum().backward()\n"
    done = explain(tmp_path, text)
    assert done.returncode == 0 and "2 operations, 1 backward pass\n" in done.stderr
    done = explain(tmp_path, "import torch\nprint(torch.ones(2).sum())", "-o", "none.html")
    assert "no module was called and nothing was computed on the graph" in done.stderr
    assert not (tmp_path / "none.html").exists()


def test_explain_says_that_there_was_no_backward_pass(tmp_path):
    quiet = "import torch\nwith torch.no_grad():\n    torch.nn.Linear(2, 1)(torch.ones(1, 2))\n"
    assert "1 operation, no backward pass: the program called no backward()" in explain(tmp_path, quiet).stderr
    failing = "import torch\nw = torch.ones(2, requires_grad=True)\n(w * w).exp() @ torch.ones(3)\n"
    assert "no backward pass: the program failed before one" in explain(tmp_path, failing).stderr


def test_explain_says_that_options_after_the_script_are_the_scripts(tmp_path):
    text = "import sys, torch\nprint(sys.argv[1:])\ntorch.ones(1, requires_grad=True).exp()"
    done = explain(tmp_path, text, arguments=["-o", "x.html", "--steps=2", "--rate", "1"])
    assert "-o, --steps=2 after the script's name" in done.stderr and "--rate" not in done.stderr
    assert done.stdout == "['-o', 'x.html', '--steps=2', '--rate', '1']\n"
    assert (tmp_path / "train.explorer.html").exists() and not (tmp_path / "x.html").exists()


def test_what_ran_before_the_training_is_no_part_of_it():
    model, x = nn.Linear(2, 1), mg.rand(4, 2)
    with training_steps(1) as recording:
        with mg.no_grad():
            model(x).square().mean()
        while True:
            model(x).square().mean().backward()
    document = recording.document()
    assert [node["operation"] for node in document["nodes"]] == ["Linear", "Pow", "Mean"]
    weight = next(tensor for tensor in document["tensors"] if tensor["name"] == "weight")
    assert weight["users"] == [[0, 1]] and document["timeline"][0] == ["forward", 0]


@pytest.mark.parametrize(
    "arguments", [["--steps", "0", "x.py"], ["-o", "x.svg", "x.py"], ["--json", "a.txt", "x.py"], ["none.py"]]
)
def test_explain_refuses(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["explain", *arguments])
    assert stop.value.code == 2 and capsys.readouterr().err.startswith("minigrad: ")
