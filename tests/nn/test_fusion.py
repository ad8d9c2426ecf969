"""Normalisation and activation as one operation: where that is done, and that nobody can tell.

The kernels are the reference ones: the tests of the kernels compare the fast ones with them, and these compile nothing.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.kernels import use
from minigrad.nn import functional as F
from minigrad.nn.fusion import fusible, norm_activation
from minigrad.vision.models import resnet, resnet_cifar
from minigrad.vision.models.blocks import Conv2dNormActivation
from minigrad.viz import record

ACTIVATIONS = {
    "ReLU": nn.ReLU(), "ReLU in place": nn.ReLU(inplace=True), "ReLU6": nn.ReLU6(), "Hardtanh": nn.Hardtanh(-0.5, 0.7),
    "LeakyReLU": nn.LeakyReLU(0.3), "Hardswish": nn.Hardswish(), "SiLU": nn.SiLU(), "Mish": nn.Mish(),
    "GELU": nn.GELU(), "GELU by tanh": nn.GELU(approximate="tanh"), "Sigmoid": nn.Sigmoid(), "Tanh": nn.Tanh(),
    "F.relu": F.relu, "F.relu6": F.relu6, "F.leaky_relu": F.leaky_relu, "F.gelu": F.gelu,
    "mg.relu": mg.relu, "mg.tanh": mg.tanh,
}  # fmt: skip


@pytest.fixture(autouse=True)
def reference():
    with use("reference"):
        yield


def norm(kind, dtype=None):
    """A normalisation of 4 channels with parameters that are not 1 and 0."""
    module = {"batch": nn.BatchNorm1d, "group": lambda c, **kw: nn.GroupNorm(2, c, **kw), "layer": nn.LayerNorm}[kind]
    module = module(4, dtype=dtype)
    with mg.no_grad():
        module.weight.copy_(mg.linspace(-1, 2, 4))
        module.bias.copy_(mg.linspace(0.3, -0.4, 4))
    return module


def numbers(dtype=mg.float32):
    mg.manual_seed(0)
    return mg.randn(6, 4).to(dtype)


def results(call, module, x):
    """Everything that a call leaves behind: the result, gradients, buffers."""
    module.zero_grad()
    x = x.clone().requires_grad_()
    y = call(x)
    (y * mg.linspace(-1, 2, y.numel()).to(y.dtype).reshape(y.shape)).sum().backward()
    return [t.numpy(force=True) for t in (y, x.grad, *[p.grad for p in module.parameters()], *module.buffers())]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_gives_what_it_gives_alone(name):
    activation, x = ACTIVATIONS[name], numbers()
    one, two = norm("batch"), norm("batch")
    assert fusible(one, activation)
    fused = results(lambda x: norm_activation(one, activation, x), one, x)
    apart = results(lambda x: activation(two(x)), two, x)
    for a, b in zip(fused, apart, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["batch", "group", "layer"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("residual", [False, True], ids=["alone", "with a residual"])
def test_every_normalisation_gives_what_it_gives_alone(kind, training, residual):
    x = numbers(mg.float64)
    other = [x.flip(0)] * residual
    one, two = norm(kind, mg.float64).train(training), norm(kind, mg.float64).train(training)
    fused = results(lambda x: norm_activation(one, F.relu, x, *other), one, x)
    apart = results(lambda x: F.relu(two(x) + sum(other)), two, x)
    for a, b in zip(fused, apart, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def made(y):
    """The name of the operation that computed y."""
    return y.grad_fn.name()


def test_sequential_runs_neighbours_as_one():
    net, x = nn.Sequential(nn.Linear(4, 4), norm("batch"), nn.ReLU(), norm("layer"), nn.GELU(), nn.Tanh()), numbers()
    assert made(net[:3](x)) == "BatchNormReLUBackward0"
    assert made(net[:5](x)) == "GELUBackward0"  # whose numbers are those of two operations up to rounding alone
    assert made(norm_activation(net[3], net[4], x)) == "LayerNormGELUBackward0"
    assert made(net(x)) == "TanhBackward0"
    assert made(net[:2](x)) == "BatchNormBackward0"
    assert list(net.state_dict()) == list(nn.Sequential(*net).state_dict())
    assert net[1].num_batches_tracked.item() == 4


def test_hooks_see_what_they_always_see():
    net, x, seen = nn.Sequential(norm("batch"), nn.ReLU()), numbers(), []

    def hook(module, args, result):
        seen.append((type(module).__name__, args[0].numpy(force=True).copy(), result.numpy(force=True).copy()))

    fused = net(x)
    for module in net:
        handle = module.register_forward_hook(hook)
        assert made(net(x)) == "ReLUBackward0"
        handle.remove()
    assert [name for name, *_ in seen] == ["BatchNorm1d", "ReLU"]
    assert (seen[0][2] < 0).any()
    np.testing.assert_array_equal(seen[0][2], seen[1][1])
    np.testing.assert_allclose(seen[1][2], fused.numpy(force=True), atol=1e-6)
    handle = nn.modules.module.register_module_forward_hook(hook)
    assert made(net(x)) == "ReLUBackward0"
    handle.remove()
    assert made(net(x)) == "BatchNormReLUBackward0"


def test_recordings_see_two_operations_in_two_modules():
    net, x = nn.Sequential(norm("batch"), nn.ReLU()), numbers()
    with record() as recording:
        net(x)
    assert [node.title for node in recording.nodes] == ["BatchNorm", "ReLU"]


class Shifted(nn.BatchNorm1d):
    def forward(self, input):
        return super().forward(input) + 1


class Doubled(nn.ReLU):
    def forward(self, input):
        return super().forward(input) * 2


def test_what_is_not_known_runs_apart():
    x = numbers()
    replaced = norm("batch")
    replaced.forward = lambda input: input * 0 - 1
    for one, two in (
        (Shifted(4), nn.ReLU()), (norm("batch"), Doubled()), (nn.Identity(), nn.ReLU()), (norm("batch"), nn.PReLU()),
        (norm("batch"), lambda z: z.relu() + 3), (replaced, nn.ReLU()), (nn.RMSNorm(4), nn.ReLU()),
    ):  # fmt: skip
        y = norm_activation(one, two, x)
        np.testing.assert_allclose(y.numpy(force=True), two(one(x)).numpy(force=True), rtol=1e-6)
    y = norm_activation(norm("batch"), F.relu, x, residual=mg.ones(4))  # repeats along the batch
    np.testing.assert_allclose(y.numpy(force=True), F.relu(norm("batch")(x) + 1).numpy(force=True), rtol=1e-6)
    assert made(norm_activation(norm("batch"), F.silu, x, residual=x)) == "SiLUBackward0"


def test_errors_name_the_module_and_are_the_same():
    net = nn.Sequential(norm("batch"), nn.ReLU())
    for x in (mg.ones(1, 4), mg.ones(2, 5), mg.ones(4), mg.ones(2, 4, dtype=mg.int64)):
        with pytest.raises(Exception) as fused:
            net(x)
        with pytest.raises(fused.type) as apart:
            net[0](x)
        assert str(fused.value) == str(apart.value)
        assert "0 (BatchNorm1d)" in fused.value.__notes__[0]


BLOCKS = {
    "basic": lambda: resnet.BasicBlock(4, 4),
    "bottleneck": lambda: resnet.Bottleneck(8, 2),
    "CIFAR": lambda: resnet_cifar.BasicBlock(4, 8, 2),
    "ReLU6": lambda: Conv2dNormActivation(4, 4, activation_layer=nn.ReLU6),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_of_networks_give_what_they_give_apart(name):
    mg.manual_seed(1)
    net = BLOCKS[name]()
    x = mg.randn(2, 8 if name == "bottleneck" else 4, 4, 4)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert made(net(x)) == ("BatchNormHardtanhBackward0" if name == "ReLU6" else "BatchNormReLUBackward0")
    net.load_state_dict(state)
    fused = results(net, net, x)
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    net.load_state_dict(state)
    apart = results(net, net, x)
    handle.remove()
    for a, b in zip(fused, apart, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * max(1, np.abs(b).max()))
