"""Each layer against torch's: text, state, initialisation, results and gradients with the same weights."""

import copy
import math

import numpy as np
import pytest
from torch_oracle import draw, named, same, same_program, torch

import minigrad as mg

LAYERS = {
    "Linear": (lambda m: m.nn.Linear(4, 3), (5, 4)),
    "Linear of more dimensions": (lambda m: m.nn.Linear(4, 3, bias=False), (2, 5, 4)),
    "Conv2d": (lambda m: m.nn.Conv2d(2, 4, 3), (2, 2, 6, 5)),
    "Conv2d with everything": (
        lambda m: m.nn.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False),
        (2, 4, 6, 7),
    ),
    "Conv2d same": (lambda m: m.nn.Conv2d(2, 3, (2, 3), padding="same", dilation=2), (2, 2, 6, 5)),
    "Conv2d valid": (lambda m: m.nn.Conv2d(2, 3, 2, padding="valid"), (2, 2, 4, 5)),
    "Conv2d reflect": (lambda m: m.nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="reflect"), (2, 2, 5, 6)),
    "Conv2d circular": (lambda m: m.nn.Conv2d(2, 3, 4, padding="same", padding_mode="circular"), (1, 2, 5, 6)),
    "Conv2d replicate": (lambda m: m.nn.Conv2d(2, 3, 3, padding=2, padding_mode="replicate"), (1, 2, 5, 6)),
    "MaxPool2d": (lambda m: m.nn.MaxPool2d(3, 2, 1), (2, 2, 6, 5)),
    "MaxPool2d ceil": (lambda m: m.nn.MaxPool2d((2, 3), ceil_mode=True), (1, 2, 5, 5)),
    "AvgPool2d": (lambda m: m.nn.AvgPool2d(2), (2, 2, 6, 5)),
    "AvgPool2d with everything": (
        lambda m: m.nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        (1, 2, 6, 6),
    ),
    "AdaptiveAvgPool2d": (lambda m: m.nn.AdaptiveAvgPool2d((2, None)), (2, 2, 6, 5)),
    "BatchNorm1d": (lambda m: m.nn.BatchNorm1d(3), (5, 3)),
    "BatchNorm1d of sequences": (lambda m: m.nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), (4, 3, 5)),
    "BatchNorm2d": (lambda m: m.nn.BatchNorm2d(3), (4, 3, 2, 2)),
    "BatchNorm2d plain": (lambda m: m.nn.BatchNorm2d(3, affine=False, track_running_stats=False), (4, 3, 2, 2)),
    "BatchNorm2d cumulative": (lambda m: m.nn.BatchNorm2d(3, momentum=None), (4, 3, 2, 2)),
    "BatchNorm1d without bias": (lambda m: m.nn.BatchNorm1d(3, bias=False), (5, 3)),
    "ReLU": (lambda m: m.nn.ReLU(), (3, 4)),
    "Tanh": (lambda m: m.nn.Tanh(), (3, 4)),
    "Sigmoid": (lambda m: m.nn.Sigmoid(), (3, 4)),
    "Softmax": (lambda m: m.nn.Softmax(dim=1), (3, 4)),
    "LogSoftmax": (lambda m: m.nn.LogSoftmax(dim=-1), (3, 4)),
    "Dropout of nothing": (lambda m: m.nn.Dropout(0.0), (3, 4)),
    "Flatten": (lambda m: m.nn.Flatten(), (3, 4, 2)),
    "Flatten some": (lambda m: m.nn.Flatten(0, 1), (3, 4, 2)),
    "Identity": (lambda m: m.nn.Identity(), (3, 4)),
}
LOSSES = {
    "MSELoss": (lambda m: m.nn.MSELoss(), draw((3, 4), "float32", seed=5)),
    "MSELoss sum": (lambda m: m.nn.MSELoss(reduction="sum"), draw((3, 4), "float32", seed=5)),
    "NLLLoss": (lambda m: m.nn.NLLLoss(ignore_index=2), np.array([0, 2, 3])),
    "CrossEntropyLoss": (lambda m: m.nn.CrossEntropyLoss(label_smoothing=0.1), np.array([0, 2, 3])),
    "CrossEntropyLoss weighted": (lambda m: m.nn.CrossEntropyLoss(m.tensor([1.0, 2.0, 3.0, 4.0])), np.array([0, 2, 3])),
}


def pair(make):
    """The layer of both libraries with the same state."""
    ours, theirs = make(mg), make(torch)
    ours.load_state_dict({name: mg.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    return ours, theirs


def step(layer, m, x, *rest):
    """Result, gradient of the input and of the parameters, and the state afterwards."""
    x = m.from_numpy(x.copy()).requires_grad_()
    y = layer(x, *rest)
    y.backward(m.from_numpy(draw(tuple(y.shape), "float32", seed=7)))
    grads = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    return [y, x.grad, *grads, *layer.state_dict().values()]


def equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        same(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [make for make, _ in (LAYERS | LOSSES).values()], ids=LAYERS | LOSSES)
def test_text_state_and_flags_are_those_of_torch(make):
    ours, theirs = make(mg), make(torch)
    assert repr(ours) == repr(theirs)
    describe = [
        [(name, tuple(t.shape), str(t.dtype).split(".")[-1]) for name, t in n.state_dict().items()]
        for n in (ours, theirs)
    ]
    assert describe[0] == describe[1]
    assert [p.requires_grad for p in ours.parameters()] == [p.requires_grad for p in theirs.parameters()]


@pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)
def test_training_and_evaluation_agree_with_torch(make, shape):
    ours, theirs = pair(make)
    for seed in range(3):
        x = draw(shape, "float32", seed=seed)
        equal(step(ours, mg, x), step(theirs, torch, x))
    ours.eval(), theirs.eval()
    equal(step(ours, mg, x), step(theirs, torch, x))


@pytest.mark.parametrize("make, target", LOSSES.values(), ids=LOSSES)
def test_losses_agree_with_torch(make, target):
    x = draw((3, 4), "float32")
    ours, theirs = (step(make(m), m, x, m.from_numpy(target)) for m in (mg, torch))
    equal(ours, theirs)


def test_inplace_relu_writes_into_its_input():
    x = mg.tensor([-1.0, 2.0])
    assert mg.nn.ReLU(inplace=True)(x) is x and x.tolist() == [0.0, 2.0]
    assert repr(mg.nn.ReLU(inplace=True)) == repr(torch.nn.ReLU(inplace=True))


def test_max_pooling_returns_indices():
    x = draw((1, 2, 4, 4), "float32")
    ours, theirs = (m.nn.MaxPool2d(2, return_indices=True)(m.from_numpy(x)) for m in (mg, torch))
    same(ours[0], theirs[0])
    same(ours[1], theirs[1])


def test_dropout_drops_only_in_training():
    layer, x = mg.nn.Dropout(0.5), mg.ones(1000)
    assert set(layer(x).tolist()) == {0.0, 2.0}
    assert layer.eval()(x) is x


def test_batch_norm_forgets_on_request():
    layer = mg.nn.BatchNorm1d(2)
    layer(mg.randn(8, 2))
    layer.reset_running_stats()
    assert [t.tolist() for t in layer.buffers()] == [[0.0, 0.0], [1.0, 1.0], 0]


# initialisation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, fan",
    [(lambda m: m.nn.Linear(50, 400), 50), (lambda m: m.nn.Conv2d(6, 100, (3, 5), groups=2), 45)],
    ids=["Linear", "Conv2d"],
)
def test_layers_are_drawn_from_the_bounds_of_torch(make, fan):
    bound = 1 / math.sqrt(fan)
    for m in (mg, torch):
        layer = make(m)
        for parameter in layer.parameters():
            values = parameter.detach().numpy()
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.9 * bound
            assert abs(values.std() * math.sqrt(3) / bound - 1) < 0.25 and abs(values.mean()) < 0.25 * bound


INITIALISERS = {
    "uniform_": {"a": -2.0, "b": 3.0},
    "normal_": {"mean": 1.0, "std": 2.0},
    "constant_": {"val": 0.25},
    "zeros_": {},
    "ones_": {},
    "xavier_uniform_": {"gain": 2.0},
    "xavier_normal_": {},
    "kaiming_uniform_": {"a": 1.0, "mode": "fan_out"},
    "kaiming_normal_": {"nonlinearity": "relu"},
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_have_the_moments_of_torch(name):
    moments = []
    for m in (mg, torch):
        m.manual_seed(0)
        x = m.empty(60, 40, 3, 3)
        assert getattr(m.nn.init, name)(x, **INITIALISERS[name]) is x
        values = x.numpy().astype("float64")
        moments.append((values.mean(), values.std(), values.min(), values.max()))
    spread = max(moments[1][1], 0.01)
    np.testing.assert_allclose(moments[0][:2], moments[1][:2], atol=0.03 * spread)
    if "normal" not in name:
        np.testing.assert_allclose(moments[0], moments[1], atol=0.03 * spread)


def gains(m):
    names = ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
    return [*[m.nn.init.calculate_gain(name) for name in names], m.nn.init.calculate_gain("leaky_relu", 0.2)]


def initialising_a_parameter_needs_no_grad(m):
    layer = m.nn.Linear(2, 2)
    m.nn.init.ones_(layer.weight)
    return layer.weight.is_leaf, layer.weight.requires_grad, layer.weight.sum().item()


@named(gains, initialising_a_parameter_needs_no_grad)
def test_same_as_torch(function):
    same_program(function)


def test_the_same_seed_gives_the_same_network():
    states = []
    for _ in range(2):
        mg.manual_seed(3)
        states.append([p.tolist() for p in mg.nn.Sequential(mg.nn.Conv2d(1, 2, 3), mg.nn.Linear(3, 2)).parameters()])
    assert states[0] == states[1]


def test_batch_normalisation_over_processes_is_that_of_the_one_there_is():
    net = mg.nn.Sequential(mg.nn.Conv2d(1, 3, 3), mg.nn.Sequential(mg.nn.BatchNorm2d(3, momentum=0.3), mg.nn.ReLU()))
    x = mg.rand(4, 1, 5, 5)
    net(x)
    plain = copy.deepcopy(net)
    converted = mg.nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(converted[1][0]) is mg.nn.SyncBatchNorm
    assert converted.state_dict().keys() == plain.state_dict().keys()
    np.testing.assert_array_equal(converted(x).numpy(force=True), plain(x).numpy(force=True))
    np.testing.assert_array_equal(converted.eval()(x).numpy(force=True), plain.eval()(x).numpy(force=True))
    with pytest.raises(ValueError, match="expected at least 2D input"):
        converted[1][0](mg.ones(3))


@pytest.mark.parametrize("options", [{"affine": False}, {"bias": False, "eps": 0.5}, {"track_running_stats": False}])
def test_converted_batch_normalisation_is_what_it_was(options):
    before = mg.nn.BatchNorm1d(3, momentum=0.3, **options).eval()
    after = mg.nn.SyncBatchNorm.convert_sync_batchnorm(before, "the group")
    assert after.extra_repr() == before.extra_repr() and after.process_group == "the group" and not after.training
    assert dict(after.named_parameters()).keys() == dict(before.named_parameters()).keys()
    assert all(one is other for one, other in zip(after.parameters(), before.parameters(), strict=True))
    inside = mg.nn.SyncBatchNorm.convert_sync_batchnorm(mg.nn.Sequential(before.train()), "the group")[0]
    assert inside.process_group == "the group" and inside.training
