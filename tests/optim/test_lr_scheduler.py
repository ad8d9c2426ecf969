"""Learning-rate schedules against torch."""

import warnings

import numpy as np
import pytest
from torch_oracle import named, same, same_error, same_program, torch

import minigrad as mg

EPOCHS = 200
pytestmark = pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")


class Halve:
    """A function with a state."""

    def __init__(self, power):
        self.power = power

    def __call__(self, epoch):
        return 0.5 ** (self.power * epoch / 100)


def several(*schedules):
    """The settings of a combination: names and settings of its schedules."""
    return lambda m, optimizer: [getattr(m.optim.lr_scheduler, name)(optimizer, **s) for name, s in schedules]


SCHEDULES = {
    "StepLR": [{"step_size": 7, "gamma": 0.5}, {"step_size": 30}, {"step_size": 1, "gamma": 0.99}],
    "MultiStepLR": [{"milestones": [5, 30, 30, 150], "gamma": 0.3}, {"milestones": [80, 20]}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 50}, {"factor": 1.0}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.3, "total_iters": 77}, {"end_factor": 0.0}],
    "ExponentialLR": [{"gamma": 0.9}, {"gamma": 1.01}],
    "PolynomialLR": [{}, {"total_iters": 150, "power": 2.5}],
    "CosineAnnealingLR": [{"T_max": 200}, {"T_max": 30, "eta_min": 0.01}, {"T_max": 1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 10}, {"T_0": 7, "T_mult": 2, "eta_min": 0.05}],
    "LambdaLR": [{"lr_lambda": lambda e: 0.95**e}, {"lr_lambda": [lambda e: 1 / (1 + e), Halve(2)]}],
    "MultiplicativeLR": [{"lr_lambda": lambda e: 0.95}, {"lr_lambda": [lambda e: 1 - 1 / (1 + e), Halve(0.01)]}],
    "OneCycleLR": [
        {"max_lr": 0.5, "total_steps": 200},
        {"max_lr": [0.5, 2.0], "epochs": 10, "steps_per_epoch": 20, "anneal_strategy": "linear", "div_factor": 3.0},
        {"max_lr": 1.0, "total_steps": 205, "three_phase": True, "pct_start": 0.2, "final_div_factor": 50.0},
        {"max_lr": 1.0, "total_steps": 200, "base_momentum": [0.7, 0.8], "max_momentum": 0.9},
        {"max_lr": 1.0, "total_steps": 200, "cycle_momentum": False},
    ],
    "CyclicLR": [
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 13},
        {"base_lr": [0.1, 0.2], "max_lr": 1.0, "step_size_up": 10, "step_size_down": 25, "mode": "triangular2"},
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 9, "mode": "exp_range", "gamma": 0.98},
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 9, "scale_fn": lambda x: 1 / x, "cycle_momentum": False},
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 9, "scale_fn": Halve(1), "scale_mode": "iterations"},
    ],
    "SequentialLR": [
        {
            "schedulers": several(("ConstantLR", {"factor": 0.1}), ("ExponentialLR", {"gamma": 0.9})),
            "milestones": [20],
        },
        {
            "schedulers": several(
                ("LinearLR", {"total_iters": 10}), ("CosineAnnealingLR", {"T_max": 80}), ("StepLR", {"step_size": 20})
            ),
            "milestones": [10, 90],
        },
        {
            "schedulers": several(("CosineAnnealingWarmRestarts", {"T_0": 9}), ("PolynomialLR", {"total_iters": 40})),
            "milestones": [50],
        },
    ],
    "ChainedScheduler": [
        {"schedulers": several(("ConstantLR", {"factor": 0.1}), ("ExponentialLR", {"gamma": 0.9}))},
        {"schedulers": several(("MultiStepLR", {"milestones": [3, 60]}), ("CosineAnnealingLR", {"T_max": 40}))},
    ],
    "ReduceLROnPlateau": [
        {"patience": 3, "factor": 0.5},
        {"patience": 0, "mode": "max", "threshold": 0.1, "threshold_mode": "abs", "cooldown": 4},
        {"patience": 5, "min_lr": [0.01, 0.5], "threshold": 0.05},
        {"patience": 2, "mode": "max", "min_lr": 0.02, "eps": 1e-3},
    ],
}
CASES = [pytest.param(name, s, id=f"{name}{i}") for name, settings in SCHEDULES.items() for i, s in enumerate(settings)]
METRICS = np.abs(np.sin(np.arange(EPOCHS) / 9.0)) + 3 / (1 + np.arange(EPOCHS))


def build(m, name, settings, lr=0.1, kind="SGD"):
    """An optimizer of two groups, and a schedule."""
    p, q = (m.nn.Parameter(m.ones(1)) for _ in range(2))
    momentum = {"momentum": 0.5} if kind == "SGD" else {}
    optimizer = getattr(m.optim, kind)([{"params": [p]}, {"params": [q], "lr": 3.0}], lr=lr, **momentum)
    make = getattr(m.optim.lr_scheduler, name)
    if "schedulers" in settings:
        settings = {**settings, "schedulers": settings["schedulers"](m, optimizer)}
        return optimizer, make(settings["schedulers"]) if name == "ChainedScheduler" else make(optimizer, **settings)
    return optimizer, make(optimizer, **settings)


def step(name, schedule, epoch):
    schedule.step(*([METRICS[epoch]] if name == "ReduceLROnPlateau" else []))


def seen(optimizer, schedule):
    """Everything that a schedule sets."""
    momentum = [float(g.get("momentum", 0)) + float(g.get("betas", [0])[0]) for g in optimizer.param_groups]
    return [*map(float, schedule.get_last_lr()), *[float(g["lr"]) for g in optimizer.param_groups], *momentum]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name, settings", CASES)
def test_200_rates_equal_those_of_torch(name, settings, kind):
    curves = []
    for m in (mg, torch):
        optimizer, schedule = build(m, name, settings, kind=kind)
        curve = []
        for epoch in range(EPOCHS):
            curve.append(seen(optimizer, schedule))
            step(name, schedule, epoch)
        curves.append(curve)
    np.testing.assert_allclose(*curves, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name, settings", CASES)
def test_a_schedule_goes_on_where_it_stopped(name, settings):
    optimizer, schedule = build(mg, name, settings)
    for epoch in range(33):
        step(name, schedule, epoch)
    other, resumed = build(mg, name, settings, lr=0.7)
    resumed.load_state_dict(schedule.state_dict())
    other.load_state_dict(optimizer.state_dict())
    for epoch in range(33, 100):
        step(name, schedule, epoch)
        step(name, resumed, epoch)
        assert seen(optimizer, schedule) == seen(other, resumed)


@pytest.mark.parametrize("name, settings", CASES)
def test_the_state_has_torchs_entries(name, settings):
    ours, theirs = (build(m, name, settings)[1].state_dict() for m in (mg, torch))
    assert sorted(ours) == sorted(theirs)


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "OneCycleLR", "LinearLR"])
def test_a_schedule_starts_at_a_later_epoch(name):
    curves = []
    for m in (mg, torch):
        optimizer, schedule = build(m, name, SCHEDULES[name][0])
        for _ in range(5):
            schedule.step()
        later = getattr(m.optim.lr_scheduler, name)(optimizer, **SCHEDULES[name][0], last_epoch=5)
        curve = []
        for _ in range(20):
            curve.append(seen(optimizer, later))
            later.step()
        curves.append(curve)
    np.testing.assert_allclose(*curves, rtol=1e-10)


@pytest.mark.parametrize(
    "name, settings",
    [case for case in CASES if case.values[0] not in ("SequentialLR", "ChainedScheduler", "ReduceLROnPlateau")],
)
def test_steps_to_an_epoch(name, settings):
    curves = []
    for m in (mg, torch):
        optimizer, schedule = build(m, name, settings)
        curve = []
        for epoch in (3, 50, 4, 120, 0, 31):
            schedule.step(epoch)
            curve.append(seen(optimizer, schedule))
        curves.append(curve)
    np.testing.assert_allclose(*curves, rtol=1e-10)


def fractions_of_epochs(m):
    optimizer, schedule = build(m, "CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2})
    curve = []
    for i in range(80):
        schedule.step(i / 3)
        curve.append(round(optimizer.param_groups[0]["lr"], 12))
    return curve


def rate_in_a_tensor(m):
    p = m.nn.Parameter(m.ones(1))
    rate = m.tensor(0.5)
    optimizer = m.optim.Adam([p], lr=rate)
    schedule = m.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    before = schedule.get_last_lr()[0]
    schedule.step()
    return rate, before, optimizer.param_groups[0]["lr"] is rate, schedule.get_last_lr()[0]


def own_schedule(m):
    class Own(m.optim.lr_scheduler._LRScheduler):
        def __init__(self, optimizer, last_epoch=-1):
            self.warm = 3
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            if self._get_lr_called_within_step:
                return [base * min(1.0, (self.last_epoch + 1) / self.warm) for base in self.base_lrs]
            return []

    optimizer = m.optim.SGD([m.nn.Parameter(m.ones(1))], lr=0.6)
    schedule, curve = Own(optimizer), []
    for _ in range(5):
        curve.append(schedule.get_last_lr())
        schedule.step()
    return curve, schedule.last_epoch


def a_group_more(m):
    optimizer, schedule = build(m, "ReduceLROnPlateau", {"patience": 0, "min_lr": 0.3, "factor": 0.5})
    optimizer.add_param_group({"params": [m.nn.Parameter(m.ones(1))], "lr": 2.0})
    for _ in range(4):
        schedule.step(m.tensor(1.0))
    return schedule.get_last_lr()


@named(fractions_of_epochs, rate_in_a_tensor, own_schedule, a_group_more)
def test_same_as_torch(function):
    same_program(function)


def warned(program):
    """The beginnings of the warnings of a program with each library."""
    lists = []
    for m in (mg, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            program(m)
        lists.append([(w.category, str(w.message)[:70]) for w in caught])
    return lists


def in_the_wrong_order(m):
    build(m, "StepLR", {"step_size": 3})[1].step()


def in_the_right_order(m):
    optimizer, schedule = build(m, "StepLR", {"step_size": 3})
    for _ in range(2):
        optimizer.step()
        schedule.step()


def with_a_step_before_the_schedule(m):
    optimizer = m.optim.SGD([m.nn.Parameter(m.ones(1))], lr=0.6)
    optimizer.step()
    m.optim.lr_scheduler.StepLR(optimizer, 3).step()


def to_an_epoch(m):
    optimizer, schedule = build(m, "StepLR", {"step_size": 3})
    optimizer.step()
    schedule.step(3)


def asked_for_rates(m):
    build(m, "StepLR", {"step_size": 3})[1].get_lr()


@named(in_the_wrong_order, in_the_right_order, with_a_step_before_the_schedule, to_an_epoch, asked_for_rates)
def test_the_warnings_are_torchs(function):
    ours, theirs = warned(function)
    assert ours == theirs


def make(name, *args, **settings):
    return lambda m: build(m, name, settings) if not args else getattr(m.optim.lr_scheduler, name)(*args, **settings)


def too_many_steps(m):
    schedule = build(m, "OneCycleLR", {"max_lr": 1.0, "total_steps": 3})[1]
    for _ in range(5):
        schedule.step()


def two_optimizers(m):
    first, one = build(m, "ConstantLR", {})
    _, other = build(m, "ConstantLR", {})
    m.optim.lr_scheduler.SequentialLR(first, [one, other], [2])


def without_momentum(m):
    m.optim.lr_scheduler.CyclicLR(m.optim.Adagrad([m.nn.Parameter(m.ones(1))]), 0.1, 1.0)


MISUSE = {
    "no optimizer": make("StepLR", 3, 4),
    "no optimizer for a plateau": make("ReduceLROnPlateau", 3),
    "resumed without rates": make("StepLR", step_size=3, last_epoch=2),
    "constant": make("ConstantLR", factor=1.5),
    "linear start": make("LinearLR", start_factor=0.0),
    "linear end": make("LinearLR", end_factor=1.5),
    "lambdas": make("LambdaLR", lr_lambda=[abs]),
    "multiplied by a number": make("MultiplicativeLR", lr_lambda=0.5),
    "restarts": make("CosineAnnealingWarmRestarts", T_0=0),
    "restarts multiplied": make("CosineAnnealingWarmRestarts", T_0=2, T_mult=1.5),
    "one cycle without steps": make("OneCycleLR", max_lr=1.0, epochs=3),
    "one cycle of steps": make("OneCycleLR", max_lr=1.0, total_steps=-3),
    "one cycle of epochs": make("OneCycleLR", max_lr=1.0, epochs=1.5, steps_per_epoch=2),
    "one cycle fraction": make("OneCycleLR", max_lr=1.0, total_steps=3, pct_start=2),
    "one cycle strategy": make("OneCycleLR", max_lr=1.0, total_steps=3, anneal_strategy="no"),
    "one cycle rates": make("OneCycleLR", max_lr=[1.0], total_steps=3),
    "one cycle ends": too_many_steps,
    "cycle mode": make("CyclicLR", base_lr=0.1, max_lr=1.0, mode="no"),
    "cycle momentum": without_momentum,
    "plateau factor": make("ReduceLROnPlateau", factor=1.0),
    "plateau mode": make("ReduceLROnPlateau", mode="no"),
    "plateau threshold": make("ReduceLROnPlateau", threshold_mode="no"),
    "plateau minima": make("ReduceLROnPlateau", min_lr=[0.1]),
    "no schedules": make("SequentialLR", schedulers=several(), milestones=[]),
    "no schedules chained": lambda m: m.optim.lr_scheduler.ChainedScheduler([]),
    "milestones": make("SequentialLR", schedulers=several(("ConstantLR", {})), milestones=[3]),
    "a plateau in a sequence": make("SequentialLR", schedulers=several(("ReduceLROnPlateau", {})), milestones=[]),
    "something in a sequence": make("SequentialLR", schedulers=lambda m, optimizer: [3], milestones=[]),
    "two optimizers": two_optimizers,
}


@pytest.mark.parametrize("misuse", MISUSE)
def test_same_error_as_torch(misuse):
    beginning = {"resumed without rates": "", "two optimizers": "SequentialLR expects all schedulers"}
    same_error(MISUSE[misuse], beginning.get(misuse))


def test_the_rate_of_a_tensor_group_is_a_tensor():
    optimizer = mg.optim.SGD([mg.nn.Parameter(mg.ones(1))], lr=mg.tensor(1.0))
    same(mg.optim.lr_scheduler.ConstantLR(optimizer, 0.5).get_last_lr()[0], torch.tensor(0.5))
