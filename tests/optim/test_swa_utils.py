"""Averages of models against torch."""

import numpy as np
import pytest
from torch_oracle import draw, named, same, same_error, same_program, torch

import minigrad as mg
from minigrad.optim import swa_utils

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of")


def library(m):
    return swa_utils if m is mg else torch.optim.swa_utils


def network(m):
    net = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4))
    with m.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(m.from_numpy(draw(tuple(p.shape), "float32", seed=i)))
    return net


AVERAGES = {
    "plain": lambda m: {},
    "buffers too": lambda m: {"use_buffers": True},
    "ema": lambda m: {"avg_fn": library(m).get_ema_avg_fn(0.8)},
    "swa": lambda m: {"avg_fn": library(m).get_swa_avg_fn()},
    "multi ema": lambda m: {"multi_avg_fn": library(m).get_ema_multi_avg_fn(0.8), "use_buffers": True},
    "multi swa": lambda m: {"multi_avg_fn": library(m).get_swa_multi_avg_fn()},
    "own": lambda m: {"avg_fn": lambda average, value, n: 0.3 * average + 0.7 * value},
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_equal_torchs(name):
    states = []
    for m in (mg, torch):
        net = network(m)
        average = library(m).AveragedModel(net, **AVERAGES[name](m))
        for i in range(4):
            net(m.from_numpy(draw((6, 3), "float32", seed=i)))
            with m.no_grad():
                for p in net.parameters():
                    p.mul_(1.1).add_(0.1 * i)
            average.update_parameters(net)
        states.append(average.state_dict())
    assert list(states[0]) == list(states[1])
    for key in states[0]:
        same(states[0][key], states[1][key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [lambda x: x, lambda x: (x, 3)], ids=["tensor", "tuple"])
def test_statistics_equal_torchs(batch):
    states = []
    for m in (mg, torch):
        net = network(m).eval()
        library(m).update_bn([batch(m.from_numpy(draw((6, 3), "float32", seed=i))) for i in range(3)], net)
        assert not net.training and net[1].momentum == 0.1
        states.append(net.state_dict())
    for key in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        same(states[0][key], states[1][key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"swa_lr": 0.05},
        {"swa_lr": [0.05, 1.0], "anneal_epochs": 20, "anneal_strategy": "linear"},
        {"swa_lr": 0.05, "anneal_epochs": 0},
    ],
    ids=str,
)
def test_rates_equal_torchs(options):
    curves = []
    for m in (mg, torch):
        p, q = (m.nn.Parameter(m.ones(1)) for _ in range(2))
        optimizer = m.optim.SGD([{"params": [p]}, {"params": [q], "lr": 3.0}], lr=0.1)
        schedule = library(m).SWALR(optimizer, **options)
        curve = []
        for _ in range(40):
            curve.append(schedule.get_last_lr())
            schedule.step()
        curves.append(curve)
    np.testing.assert_allclose(*curves, rtol=1e-10)


def nothing_to_update(m):
    net = m.nn.Linear(2, 2)
    library(m).update_bn([3], net)
    return net.training


@named(nothing_to_update)
def test_same_as_torch(function):
    same_program(function)


MISUSE = {
    "decay": lambda m: library(m).get_ema_multi_avg_fn(1.5),
    "both": lambda m: library(m).AveragedModel(m.nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max),
    "strategy": lambda m: library(m).SWALR(m.optim.SGD(m.nn.Linear(1, 1).parameters()), 0.1, anneal_strategy="no"),
    "epochs": lambda m: library(m).SWALR(m.optim.SGD(m.nn.Linear(1, 1).parameters()), 0.1, anneal_epochs=-1),
}


@pytest.mark.parametrize("misuse", MISUSE)
def test_same_error_as_torch(misuse):
    same_error(MISUSE[misuse])
