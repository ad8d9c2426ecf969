"""Event files for TensorBoard, read back record by record: what was written, and graphs nested by module."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

pytest.importorskip("tensorboardX")
matplotlib = pytest.importorskip("matplotlib.figure")
from PIL import Image  # noqa: E402
from tensorboardX.proto.event_pb2 import Event  # noqa: E402
from tensorboardX.proto.graph_pb2 import GraphDef  # noqa: E402

from minigrad.utils.tensorboard import SummaryWriter  # noqa: E402


def events(folder):
    """The events of a folder's only event file: records of a length, its checksum, the message and its checksum."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def values(folder):
    """[(tag, step, value), ...] of the folder's summaries."""
    return [(value.tag, event.step, value) for event in events(folder) for value in event.summary.value]


def test_numbers(tmp_path):
    loss = (mg.tensor([1.5], requires_grad=True) * 3).sum()
    with SummaryWriter(tmp_path / "run") as writer:
        writer.add_scalar("loss/train", loss, 7)
        writer.add_scalar("rate", 0.25, global_step=8, walltime=12.5, new_style=True)
        writer.add_scalars("both", {"a": mg.tensor(1.0), "b": 2}, 9)
        assert writer.log_dir == writer.get_logdir() == str(tmp_path / "run")
    assert [(tag, step, value.simple_value) for tag, step, value in values(tmp_path / "run")] == [
        ("loss/train", 7, 4.5),
        ("rate", 8, 0.25),
    ]
    assert [event.wall_time for event in events(tmp_path / "run") if event.step == 8] == [12.5]
    for name, expected in (("a", 1.0), ("b", 2.0)):
        ((tag, step, value),) = values(tmp_path / "run" / "both" / name)
        assert (tag, step, value.simple_value) == ("both", 9, expected)


def test_images_are_what_they_were(tmp_path):
    image = mg.rand(3, 5, 7)
    batch = mg.rand(2, 1, 4, 4)
    figure = matplotlib.Figure(figsize=(1, 1), dpi=50)
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("one", image, 1)
        writer.add_image("turned", image.permute(1, 2, 0), 1, dataformats="HWC")
        writer.add_images("many", batch, 2)
        writer.add_figure("plot", figure, 3)
    found = {tag: value.image for tag, _, value in values(tmp_path)}
    shown = {tag: np.asarray(Image.open(io.BytesIO(image.encoded_image_string))) for tag, image in found.items()}
    np.testing.assert_array_equal(shown["one"], (image.numpy().transpose(1, 2, 0) * 255).astype(np.uint8))
    np.testing.assert_array_equal(shown["one"], shown["turned"])
    assert (found["many"].height, found["many"].width) == (4, 8)
    assert shown["plot"].shape[:2] == (50, 50)


def test_histograms_texts_curves_and_embeddings(tmp_path):
    points = mg.randn(12, 3, requires_grad=True)
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("weights", points, 3)
        writer.add_text("note", "**hello**", 4)
        writer.add_pr_curve("curve", mg.tensor([0, 1, 1]), mg.tensor([0.1, 0.9, 0.4]), 5)
        labels = [f"point {number}" for number in range(12)]
        writer.add_embedding(points, metadata=labels, label_img=mg.rand(12, 3, 4, 4), tag="points")
        writer.add_hparams({"lr": mg.tensor(0.1), "kind": "sgd"}, {"accuracy": 0.5}, run_name="first")
    found = {tag: (step, value) for tag, step, value in values(tmp_path)}
    step, histogram = found["weights"]
    array = points.detach().numpy().astype(np.float64)
    assert (step, histogram.histo.num) == (3, 36)
    np.testing.assert_allclose(histogram.histo.sum_squares, (array**2).sum(), rtol=1e-6)
    assert found["note/text_summary"][1].tensor.string_val == [b"**hello**"]
    assert found["curve"][1].metadata.plugin_data.plugin_name == "pr_curves"
    folder = tmp_path / "00000" / "points"
    np.testing.assert_allclose(np.loadtxt(folder / "tensors.tsv"), array, rtol=1e-5)
    assert (folder / "metadata.tsv").read_text().split("\n")[:2] == ["point 0", "point 1"]
    assert (folder / "sprite.png").exists() and "points" in (tmp_path / "projector_config.pbtxt").read_text()
    assert any(tag == "accuracy" for tag, _, _ in values(tmp_path / "first"))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(2), Block(2))
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(2, 3)

    def forward(self, x):
        return {"scores": self.head(self.drop(self.body(x).mean((2, 3)))), "of": [x * 2]}


def graph(folder, model, inputs):
    with SummaryWriter(folder) as writer:
        writer.add_graph(model, inputs)
    (event,) = (event for event in events(folder) if event.graph_def)
    nodes = {node.name: node for node in GraphDef.FromString(event.graph_def).node}
    for node in nodes.values():  # a graph: every edge leads to a node
        assert all(name.partition(":")[0] in nodes for name in node.input), node
    return nodes


def sizes(node):
    return [[dim.size for dim in shape.dim] for shape in node.attr["_output_shapes"].list.shape]


def test_a_graph_nests_by_module(tmp_path):
    model = Net()
    x = mg.rand(1, 2, 4, 5)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    randomness = mg.get_rng_state()
    nodes = graph(tmp_path, model, x)

    assert {f"Net/{name.replace('.', '/')}" for name, _ in model.named_parameters()} < set(nodes)
    for block in ("Net/body/0", "Net/body/1"):
        convolution = nodes[f"{block}/conv/Convolution"]
        source = "input" if block.endswith("0") else "Net/body/0/ReLU"
        assert convolution.input == [source, f"{block}/conv/weight", f"{block}/conv/bias"]
        assert sizes(convolution) == [[1, 2, 4, 5]] and sizes(nodes[f"{block}/conv/weight"]) == [[2, 2, 3, 3]]
        assert source in nodes[f"{block}/Add"].input and nodes[f"{block}/ReLU"].input == [f"{block}/Add"]
    assert nodes["Net/head/Linear"].attr["formula"].s.decode() and nodes["Net/head/weight"].op == "Parameter"
    assert nodes["output"].input == ["Net/head/Linear"] and nodes["output_1"].input == ["Net/Mul"]
    assert nodes["Net/Mul"].input == ["input"] and not any("drop" in name for name in nodes)

    assert all(module.training and not module._forward_pre_hooks for module in model.modules())
    assert not x.requires_grad and all(parameter.grad is None for parameter in model.parameters())
    for name, buffer in model.named_buffers():
        np.testing.assert_array_equal(buffer.numpy(), buffers[name].numpy())
    assert (mg.get_rng_state() == randomness).all()


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.lstm = nn.Embedding(9, 4), nn.Embedding(9, 4), nn.LSTM(4, 3)

    def forward(self, words, places, scale):
        return self.lstm((self.words(words) + self.places(places)) * scale)[0]


def test_a_graph_of_several_inputs_some_of_integers(tmp_path):
    words = mg.tensor([[1, 2], [3, 4]])
    with mg.no_grad():
        nodes = graph(tmp_path, Words(), (words, words + 1, mg.tensor(2.0)))
    assert nodes["Words/words/Embedding"].input == ["Words/words/weight", "input_0"]
    assert nodes["Words/places/Embedding"].input == ["Words/places/weight", "input_1"]
    assert nodes["Words/Mul"].input == ["Words/Add", "input_2"]
    assert sizes(nodes["input_0"]) == [[2, 2]] and sizes(nodes["output"]) == [[2, 2, 3]]


def test_a_module_called_twice_has_two_operations_and_one_weight(tmp_path):
    shared = nn.Linear(3, 3)
    nodes = graph(tmp_path, nn.Sequential(shared, nn.Tanh(), shared), mg.ones(1, 3))
    assert nodes["Sequential/0/Linear_1"].input[1:] == ["Sequential/0/weight", "Sequential/0/bias"]
    assert len([name for name in nodes if name.endswith("weight")]) == 1


def test_misuse(tmp_path, monkeypatch):
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match="add_graph needs input_to_model"):
            writer.add_graph(nn.Linear(1, 1))
        model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        with pytest.raises(RuntimeError):
            writer.add_graph(model, mg.ones(1, 3))
        assert model.training and not model[0]._forward_pre_hooks
        with pytest.raises(AttributeError):
            writer.add_nothing(1)


PROGRAM = """
import sys, torch
from torch.utils.tensorboard import SummaryWriter

writer = SummaryWriter(sys.argv[1])
writer.add_scalar("loss", torch.tensor(0.5), 3)
writer.add_graph(torch.nn.Linear(2, 1), torch.ones(1, 2))
writer.close()
"""


def test_a_program_for_pytorch_logs(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "minigrad", "run", tmp_path / "program.py", tmp_path / "logs"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [(tag, step, value.simple_value) for tag, step, value in values(tmp_path / "logs")] == [("loss", 3, 0.5)]
    assert any(event.graph_def for event in events(tmp_path / "logs"))


def test_without_tensorboardx_the_import_says_what_to_install(tmp_path):
    hide = (
        "import importlib.util as util; found = util.find_spec; "
        "util.find_spec = lambda name, *rest: None if name == 'tensorboardX' else found(name, *rest); "
    )
    (tmp_path / "program.py").write_text(PROGRAM)
    for code, expected in (
        ("from minigrad.utils.tensorboard import SummaryWriter", 'pip install "minigrad[tensorboard]"'),
        (f"from minigrad.dropin import check; print(check({str(tmp_path / 'program.py')!r}))", "[]\n"),
    ):
        done = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True)
        assert expected in done.stdout + done.stderr, done.stderr
