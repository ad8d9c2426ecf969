"""Optimizers, schedules and clipping against torch."""

import numpy as np
import pytest
from torch_oracle import draw, named, same, same_error, same_program, torch

import minigrad as mg

OPTIMIZERS = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3},
        {"momentum": 0.9, "nesterov": True},
        {"weight_decay": 0.1},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05, "maximize": True},
    ],
    "Adam": [
        {},
        {"betas": (0.7, 0.9), "eps": 1e-4},
        {"weight_decay": 0.1},
        {"amsgrad": True},
        {"amsgrad": True, "weight_decay": 0.05, "maximize": True},
    ],
    "AdamW": [{}, {"weight_decay": 0.3}, {"amsgrad": True, "maximize": True}],
}
CASES = [(name, settings) for name, all_settings in OPTIMIZERS.items() for settings in all_settings]


def minimise(m, name, settings, dtype, steps=100):
    """The parameters after some steps on a quadratic with noise, and the optimizer's buffers."""
    parameters = [
        m.nn.Parameter(m.from_numpy(draw(shape, dtype, seed=i))) for i, shape in enumerate([(3, 4), (5,), ()])
    ]
    unused = m.nn.Parameter(m.ones(2))
    optimizer = getattr(m.optim, name)([*parameters, unused], lr=0.02, **settings)
    for i in range(steps):
        optimizer.zero_grad()
        noise = [m.from_numpy(draw(tuple(p.shape), dtype, seed=1000 + i)) for p in parameters]
        sum(((p - 0.5) ** 2 + 0.3 * p * n).sum() for p, n in zip(parameters, noise)).backward()
        optimizer.step()
    buffers = [
        v for p in parameters for k, v in sorted(optimizer.state[p].items()) if hasattr(v, "shape") and k != "step"
    ]
    return [*parameters, unused, *buffers]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, settings", CASES, ids=str)
def test_100_steps_equal_those_of_torch(name, settings, dtype):
    for a, b in zip(minimise(mg, name, settings, dtype), minimise(torch, name, settings, dtype), strict=True):
        same(a, b, rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("layout", ["permuted", "strided"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_memory_layout_does_not_matter(name, layout):
    results = []
    for odd in (False, True):
        array = draw((3, 4), seed=1)
        array = mg.testing.lay_out(array, layout) if odd else array
        p = mg.nn.Parameter(mg.from_numpy(array))
        optimizer = getattr(mg.optim, name)([p], lr=0.1, weight_decay=0.1)
        for i in range(3):
            p.grad = mg.from_numpy(draw((4, 3), seed=i)).t() if odd else mg.from_numpy(draw((4, 3), seed=i).T.copy())
            optimizer.step()
        results.append(p.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-12)


def groups(m):
    a, b, c = (m.nn.Parameter(m.ones(2, dtype=m.float64)) for _ in range(3))
    optimizer = m.optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5, "momentum": 0.9}], lr=0.1)
    optimizer.add_param_group({"params": [c], "weight_decay": 0.1})
    for _ in range(3):
        optimizer.zero_grad()
        (a * b * c).sum().backward()
        optimizer.step()
    return a, b, c, [g["lr"] for g in optimizer.param_groups]


def named_parameters(m):
    net = m.nn.Linear(2, 2)
    return len(m.optim.Adam(net.named_parameters()).param_groups[0]["params"])


def closure(m):
    p = m.nn.Parameter(m.ones(2, dtype=m.float64))
    optimizer = m.optim.SGD([p], lr=0.1)

    def compute():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with m.no_grad():
        loss = optimizer.step(compute)
    return loss.detach(), p


def zero_grad(m):
    p = m.nn.Parameter(m.ones(2))
    optimizer = m.optim.SGD([p], lr=0.1)
    p.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    filled = p.grad
    optimizer.zero_grad()
    return filled, p.grad


def parameters_without_gradient_stay(m):
    p, q = (m.nn.Parameter(m.ones(2)) for _ in range(2))
    optimizer = m.optim.Adam([p, q], lr=0.1, weight_decay=0.5)
    p.sum().backward()
    optimizer.step()
    return q


def resumed(m):
    def run(steps, saved=None):
        p = m.nn.Parameter(m.ones(3, dtype=m.float64) if saved is None else saved[0].clone())
        optimizer = m.optim.Adam([p], lr=0.1, amsgrad=True)
        if saved is not None:
            optimizer.load_state_dict(saved[1])
        for _ in range(steps):
            optimizer.zero_grad()
            ((p - 3) ** 4).sum().backward()
            optimizer.step()
        return p.detach(), optimizer.state_dict()

    return run(10)[0], run(5, run(5))[0]


@named(groups, named_parameters, closure, zero_grad, parameters_without_gradient_stay, resumed)
def test_same_as_torch(function):
    same_program(function)


@pytest.mark.parametrize("name, settings", CASES, ids=str)
def test_a_resumed_run_is_bit_identical(name, settings):
    def run(p, optimizer, seeds):
        for i in seeds:
            p.grad = mg.from_numpy(draw((4,), seed=i))
            optimizer.step()

    make = getattr(mg.optim, name)
    p, q = (mg.nn.Parameter(mg.ones(4, dtype=mg.float64)) for _ in range(2))
    whole, first = make([p], lr=0.1, **settings), make([q], lr=0.1, **settings)
    run(p, whole, range(6))
    run(q, first, range(3))
    second = make([q], lr=5.0, **settings)
    second.load_state_dict(first.state_dict())
    run(q, second, range(3, 6))
    assert p.tolist() == q.tolist()


def test_the_state_dict_has_torchs_form():
    forms = []
    for m in (mg, torch):
        p = m.nn.Parameter(m.ones(2))
        optimizer = m.optim.Adam([p], lr=0.1, amsgrad=True)
        p.grad = m.ones(2)
        optimizer.step()
        state = optimizer.state_dict()
        forms.append((list(state), list(state["state"]), sorted(state["state"][0]), state["param_groups"][0]["params"]))
    assert forms[0] == forms[1]


def test_repr_lists_the_settings():
    text = repr(mg.optim.SGD([mg.nn.Parameter(mg.ones(1))], lr=0.5, momentum=0.9))
    assert text.startswith("SGD (\nParameter Group 0\n") and "    lr: 0.5\n" in text and "    momentum: 0.9\n" in text


def make(name, *args, **settings):
    return lambda m: getattr(m.optim, name)(
        *([[m.nn.Parameter(m.ones(1))]] if not args else [a(m) for a in args]), **settings
    )


def twice(m):
    p = m.nn.Parameter(m.ones(1))
    return [{"params": [p]}, {"params": [p]}]


MISUSE = {
    "negative rate": make("SGD", lr=-1.0),
    "negative momentum": make("SGD", momentum=-0.1),
    "negative decay": make("SGD", weight_decay=-0.1),
    "nesterov without momentum": make("SGD", nesterov=True),
    "Adam negative rate": make("Adam", lr=-1.0),
    "Adam eps": make("Adam", eps=-1.0),
    "Adam beta": make("Adam", betas=(1.0, 0.9)),
    "Adam second beta": make("Adam", betas=(0.9, -0.1)),
    "AdamW decay": make("AdamW", weight_decay=-1.0),
    "no parameters": make("SGD", lambda m: []),
    "a parameter twice": make("SGD", twice),
    "something that is no tensor": make("SGD", lambda m: [1.0]),
    "computed tensor": make("SGD", lambda m: [m.ones(1, requires_grad=True) * 2]),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_same_error_as_torch(misuse):
    same_error(misuse, "" if misuse is MISUSE["something that is no tensor"] else None)


def test_a_single_tensor_is_refused():
    same_error(
        make("SGD", lambda m: m.ones(1)),
        "params argument given to the optimizer should be an iterable of Tensors or dicts",
    )


# schedules ----------------------------------------------------------------------------------------------------------

SCHEDULES = {
    "StepLR": {"step_size": 7, "gamma": 0.5},
    "StepLR default": {"step_size": 30},
    "MultiStepLR": {"milestones": [5, 30, 30, 150], "gamma": 0.3},
    "MultiStepLR unordered": {"milestones": [80, 20]},
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_200_rates_equal_those_of_torch(name):
    curves = []
    for m in (mg, torch):
        p, q = (m.nn.Parameter(m.ones(1)) for _ in range(2))
        optimizer = m.optim.SGD([{"params": [p]}, {"params": [q], "lr": 3.0}], lr=0.1)
        schedule = getattr(m.optim.lr_scheduler, name.split()[0])(optimizer, **SCHEDULES[name])
        rates = []
        for _ in range(200):
            rates.append([*schedule.get_last_lr(), *[g["lr"] for g in optimizer.param_groups]])
            schedule.step()
        curves.append(rates)
    np.testing.assert_allclose(*curves, rtol=1e-12)


def test_a_schedule_goes_on_where_it_stopped():
    def fresh():
        optimizer = mg.optim.SGD([mg.nn.Parameter(mg.ones(1))], lr=1.0)
        return optimizer, mg.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    optimizer, schedule = fresh()
    for _ in range(3):
        schedule.step()
    other, resumed = fresh()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    schedule.step()
    resumed.step()
    assert resumed.get_last_lr() == schedule.get_last_lr() == [0.25]
    assert other.param_groups[0]["lr"] == 0.25


# clipping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_by_norm_equals_that_of_torch(norm_type, max_norm):
    results = []
    for m in (mg, torch):
        parameters = [m.nn.Parameter(m.ones(3, 2)), m.nn.Parameter(m.ones(4)), m.nn.Parameter(m.ones(1))]
        for i, p in enumerate(parameters[:2]):
            p.grad = m.from_numpy(draw(tuple(p.shape), "float32", seed=i))
        total = m.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        results.append([total, *[p.grad for p in parameters[:2]]])
    for a, b in zip(*results):
        same(a, b, rtol=1e-6, atol=1e-7)


def test_clipping_by_value_equals_that_of_torch():
    results = []
    for m in (mg, torch):
        p = m.nn.Parameter(m.ones(4))
        p.grad = m.tensor([-2.0, 0.1, 0.5, 3.0])
        m.nn.utils.clip_grad_value_(p, 0.5)
        results.append(p.grad)
    same(*results)


def test_a_norm_that_is_not_finite_is_an_error_on_request():
    def program(m):
        p = m.nn.Parameter(m.ones(1))
        p.grad = m.tensor([float("inf")])
        m.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)

    same_error(program)
