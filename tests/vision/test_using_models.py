"""Networks as users meet them: initialisation, arguments, published weights found and fetched, heads replaced."""

import hashlib
import http.server
import math
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.autograd import Tensor
from minigrad.vision import models
from minigrad.vision.models import weights
from minigrad.vision.models.densenet import DenseNet
from minigrad.vision.models.googlenet import GoogLeNet, GoogLeNetOutputs
from minigrad.vision.models.inception import InceptionOutputs
from minigrad.vision.models.mobilenetv2 import InvertedResidual
from minigrad.vision.models.registry import build
from minigrad.vision.models.resnet import BasicBlock, Bottleneck, ResNet, conv1x1, conv3x3
from minigrad.vision.models.vgg import VGG, make_layers
from minigrad.vision.models.weights import WeightsEnum, published


def arrays(state):
    return {key: tensor.numpy().copy() for key, tensor in state.items()}


def same_state(net, state):
    ours = arrays(net.state_dict())
    assert ours.keys() == state.keys()
    for key, array in ours.items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)


# initialisation -----------------------------------------------------------------------------------------------------

DRAWN = {  # constructor: {parameter: its deviation, or its value where that is one number}
    "alexnet": {"features.3.weight": 1 / math.sqrt(3 * 64 * 25), "features.3.bias": 1 / math.sqrt(3 * 64 * 25)},
    "densenet121": {
        "features.conv0.weight": math.sqrt(2 / (3 * 49)),
        "features.denseblock2.denselayer3.conv1.weight": math.sqrt(2 / 192),
        "classifier.bias": 0,
    },
    "googlenet": {"inception4a.branch1.conv.weight": 0.01, "fc.weight": 0.01, "aux1.fc2.weight": 0.01},
    "inception_v3": {
        "Mixed_5b.branch1x1.conv.weight": 0.1,
        "AuxLogits.conv0.conv.weight": 0.1,
        "AuxLogits.fc.weight": 0.001,
    },
    "mobilenet_v2": {
        "features.18.0.weight": math.sqrt(2 / 1280),
        "features.4.conv.1.0.weight": math.sqrt(2 / (144 * 9)),
        "classifier.1.weight": 0.01,
        "classifier.1.bias": 0,
    },
    "resnet18": {
        "conv1.weight": math.sqrt(2 / (64 * 49)),
        "layer4.0.downsample.0.weight": math.sqrt(2 / 512),
        "fc.weight": 1 / math.sqrt(3 * 512),
        "layer1.0.bn2.weight": 1,
    },
    "squeezenet1_1": {
        "features.0.weight": math.sqrt(2 / 27),
        "features.3.squeeze.weight": math.sqrt(2 / 64),
        "features.3.squeeze.bias": 0,
        "classifier.1.weight": 0.01,
    },
}


@pytest.fixture
def only_small_ones_drawn(monkeypatch):
    """Large parameters, of which no test asks anything, hold whatever memory held: quick."""
    for name in ("uniform_", "normal_"):
        draw = getattr(Tensor, name)
        monkeypatch.setattr(Tensor, name, lambda t, *a, draw=draw, **k: t if t.numel() > 1.5e6 else draw(t, *a, **k))


@pytest.mark.parametrize("name", DRAWN)
def test_initialisation(name, only_small_ones_drawn):
    mg.manual_seed(0)
    state = arrays(models.get_model(name).state_dict())
    for key, expected in DRAWN[name].items():
        if expected in (0, 1):
            assert (state[key] == expected).all(), key
        else:
            assert state[key].std() == pytest.approx(expected, rel=5 / math.sqrt(state[key].size)), key
            assert abs(state[key].mean()) < 5 * expected / math.sqrt(state[key].size), key


def test_vgg_may_keep_the_layers_own_initialisation(only_small_ones_drawn):
    drawn = [VGG(make_layers([4, "M", 512]), 10, init_weights=init) for init in (True, False)]
    deviations = [float(net.features[3].weight.std()) for net in drawn]
    assert deviations == pytest.approx([math.sqrt(2 / (512 * 9)), 1 / math.sqrt(3 * 4 * 9)], rel=0.05)
    assert not drawn[0].features[3].bias.any() and drawn[1].features[3].bias.any()


def test_residual_blocks_may_begin_as_the_identity():
    for block, last in ((BasicBlock, "bn2"), (Bottleneck, "bn3")):
        net = ResNet(block, [1, 1, 1, 1], zero_init_residual=True)
        weights = {name: getattr(getattr(net, name)[0], last).weight for name in ("layer1", "layer4")}
        assert not any(weight.any() for weight in weights.values())
        assert net.layer1[0].bn1.weight.all()


# arguments ----------------------------------------------------------------------------------------------------------


def test_names():
    assert {"resnet18", "vgg16_bn", "inception_v4"} <= set(models.list_models())
    assert models.list_models(include=["alex*", "goog*"]) == ["alexnet", "googlenet"]
    assert models.list_models(models, "resnet*", ["*0", "*2"]) == ["resnet101", "resnet18", "resnet34"]
    assert models.list_models(nn) == []
    assert models.get_model_builder("ResNet18") is models.resnet18
    with pytest.raises(ValueError, match=r"Unknown model resnet19\n.*resnet18"):
        models.get_model("resnet19")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ResNet(BasicBlock, [1] * 4, replace_stride_with_dilation=[True]), ValueError, "3-element tuple"),
        (lambda: BasicBlock(64, 64, groups=2), ValueError, "only supports groups=1"),
        (lambda: BasicBlock(64, 64, dilation=2), NotImplementedError, "Dilation > 1"),
        (lambda: InvertedResidual(8, 8, 3, 6), ValueError, "stride should be 1 or 2 instead of 3"),
        (lambda: models.mobilenet_v2(inverted_residual_setting=[]), ValueError, "4-element list"),
        (lambda: models.SqueezeNet("2_0"), ValueError, "Unsupported SqueezeNet version 2_0"),
        (lambda: models.googlenet(blocks=[]), ValueError, "should be 3 instead of 0"),
        (lambda: models.inception_v3(inception_blocks=[]), ValueError, "should be 7 instead of 0"),
        (lambda: models.resnet18(depth=3), TypeError, "depth"),
        (lambda: models.resnet18(weights="V9"), KeyError, "V9"),
        (lambda: models.resnet18(weights=models.ResNet34_Weights.DEFAULT), TypeError, "expected ResNet18_Weights"),
        (lambda: models.resnet18(weights="DEFAULT", num_classes=10), ValueError, "expected value 1000 but got 10"),
        (lambda: models.inception_v4(weights="DEFAULT"), ValueError, "No weights available for InceptionV4"),
    ],
)
def test_misuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_pretrained_is_still_read():
    with pytest.warns(UserWarning, match="'pretrained' is deprecated"):
        assert isinstance(models.squeezenet1_1(pretrained=False), models.SqueezeNet)
    assert isinstance(models.squeezenet1_1(False, num_classes=2), models.SqueezeNet)


def test_residual_networks_of_other_shapes():
    net = ResNet(Bottleneck, [1, 1, 1, 1], 7, norm_layer=lambda channels: nn.GroupNorm(8, channels))
    assert isinstance(net.layer2[0].downsample[1], nn.GroupNorm)
    assert net(mg.ones(1, 3, 32, 32)).shape == (1, 7)
    assert (conv1x1(4, 8, 2).stride, conv3x3(4, 8, groups=2, dilation=2).padding) == ((2, 2), (2, 2))
    dilated = ResNet(Bottleneck, [1, 2, 1, 1], replace_stride_with_dilation=[True, False, True])
    assert [block.conv2.dilation[0] for block in dilated.layer2] == [1, 2]
    assert [dilated.layer3[0].conv2.stride, dilated.layer4[0].conv2.stride] == [(2, 2), (1, 1)]


def test_auxiliary_classifiers_speak_in_training_only():
    net = GoogLeNet(num_classes=5)
    scores = net(mg.ones(2, 3, 32, 32))
    assert isinstance(scores, GoogLeNetOutputs) and [y.shape for y in scores] == [(2, 5)] * 3
    assert scores.logits is scores[0] and scores.aux_logits1 is scores[2]
    assert net.eval()(mg.ones(2, 3, 32, 32)).shape == (2, 5)
    assert GoogLeNet(5, aux_logits=False)(mg.ones(2, 3, 32, 32)).shape == (2, 5)
    assert InceptionOutputs._fields == ("logits", "aux_logits")


def test_a_head_replaced_and_trained_alone():
    mg.manual_seed(0)
    net = ResNet(BasicBlock, [1, 1, 1, 1]).eval()
    net.requires_grad_(False)
    net.fc = nn.Linear(net.fc.in_features, 2)
    before = arrays(net.state_dict())
    optimizer = mg.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=0.01)
    x, target, losses = mg.randn(4, 3, 32, 32), mg.tensor([0, 1, 0, 1]), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = arrays(net.state_dict())
    assert {key for key in after if (after[key] != before[key]).any()} == {"fc.weight", "fc.bias"}


# dense networks -----------------------------------------------------------------------------------------------------


def small_densenet(**arguments):
    mg.manual_seed(0)
    return DenseNet(growth_rate=8, block_config=(2, 3), num_init_features=16, num_classes=5, **arguments)


def test_older_names_of_published_weights_load():
    net, other = small_densenet(), DenseNet(8, (2, 3), 16, num_classes=5)
    state = net.state_dict()
    older = {}
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            for kind in ("norm", "relu", "conv") if "denselayer" in key else ():
                key = key.replace(f".{kind}1.", f".{kind}.1.").replace(f".{kind}2.", f".{kind}.2.")
            older[key] = tensor
    assert "features.denseblock1.denselayer2.norm.1.weight" in older
    missing, unexpected = other.load_state_dict(older, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing) and unexpected == []
    same_state(other, arrays(state))
    with pytest.raises(RuntimeError, match=r"Unexpected key.*denselayer9\.norm1\.weight"):
        other.load_state_dict(older | {"denselayer9.norm.1.weight": mg.ones(1)})


@pytest.mark.parametrize("drop_rate", [0, 0.5])
def test_memory_efficient_gradients_are_the_same(drop_rate):
    gradients = []
    for efficient in (False, True):
        net = small_densenet(memory_efficient=efficient, drop_rate=drop_rate)
        x = mg.randn(2, 3, 32, 32, requires_grad=True)
        nn.functional.cross_entropy(net(x), mg.tensor([1, 4])).backward()
        gradients.append([x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())])
    for plain, efficient in zip(*gradients, strict=True):
        np.testing.assert_array_equal(plain, efficient)


# published weights --------------------------------------------------------------------------------------------------


class Tiny(nn.Module):
    def __init__(self, num_classes=1000, shift=0.0):
        super().__init__()
        self.fc, self.shift = nn.Linear(2, num_classes), shift


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content` under every name."""

    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of weights: ours and torch.hub's."""
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folders = tmp_path / "data" / "models", tmp_path / "torch" / "hub" / "checkpoints"
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


@pytest.fixture
def tiny(tmp_path):
    """A state, the file of it, and the enumeration that publishes it."""
    state = Tiny().state_dict()
    mg.save(state, tmp_path / "saved")
    content = (tmp_path / "saved").read_bytes()
    return arrays(state), content, published("Tiny_Weights", f"tiny-{hashlib.sha256(content).hexdigest()[:8]}")


@pytest.fixture
def server(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        monkeypatch.setattr(weights, "SERVER", f"http://127.0.0.1:{server.server_port}/models")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_weights_are_fetched_once(server, folders, tiny):
    state, content, enumeration = tiny
    server.content = content
    same_state(build(Tiny, enumeration, "DEFAULT", False), state)
    name = enumeration.DEFAULT.value
    assert (folders[0] / name).read_bytes() == content and len(list(folders[0].iterdir())) == 1
    same_state(build(Tiny, enumeration, enumeration.IMAGENET1K_V1, False), state)
    same_state(build(Tiny, enumeration, True, False), state)
    assert server.requests == [f"/models/{name}"]


def test_weights_that_torch_has_fetched_are_found(server, folders, tiny):
    state, content, enumeration = tiny
    (folders[1] / enumeration.DEFAULT.value).write_bytes(content)
    net = build(Tiny, enumeration, "Tiny_Weights.IMAGENET1K_V1", False, with_weights={"shift": 1.0})
    same_state(net, state)
    assert net.shift == 1.0 and server.requests == []


def test_a_file_with_other_content_is_refused(server, folders, tiny):
    _, content, enumeration = tiny
    server.content = bytes(reversed(content))
    with pytest.raises(RuntimeError, match=r"invalid hash value(.|\n)*http://127.0.0.1"):
        enumeration.DEFAULT.get_state_dict(progress=False)
    assert list(folders[0].iterdir()) == []
    (folders[1] / enumeration.DEFAULT.value).write_bytes(server.content)
    with pytest.raises(RuntimeError, match=r"invalid hash value(.|\n)*checkpoints"):
        enumeration.DEFAULT.get_state_dict()


def test_without_a_network_the_error_says_how_to_load_a_file(folders, monkeypatch):
    monkeypatch.setattr(weights, "SERVER", "http://127.0.0.1:9/models")  # nobody listens there
    with pytest.raises(RuntimeError) as caught:
        models.squeezenet1_1(weights="DEFAULT")
    for part in (
        "squeezenet1_1-b8a52dc0.pth could not be downloaded",
        'model.load_state_dict(minigrad.load("squeezenet1_1-b8a52dc0.pth"))',
        str(folders[0]),
    ):
        assert part in str(caught.value)


def test_published_googlenet_comes_without_its_untrained_heads(monkeypatch):
    state = GoogLeNet(init_weights=False).state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, progress, check_hash: state)
    net = models.googlenet(weights="DEFAULT")
    assert net.aux1 is None and net.transform_input
    same_state(net, {key: array for key, array in arrays(state).items() if not key.startswith("aux")})
    net = models.googlenet(weights="DEFAULT", aux_logits=True, transform_input=False)
    assert not net.transform_input
    same_state(net, arrays(state))
