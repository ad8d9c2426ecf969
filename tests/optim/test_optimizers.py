"""The steps of every optimizer against torch."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_oracle import array_of, draw, named, same, same_error, same_program, torch

import minigrad as mg

SHAPES = [(3, 4), (5,), (), (0, 3), (2, 3, 2, 2), (1, 7)]
STEPS = 100

rates = st.sampled_from([1e-3, 0.02, 0.1])
small = st.sampled_from([0.0, 0.01, 0.1])
betas = st.tuples(st.sampled_from([0.0, 0.7, 0.9]), st.sampled_from([0.9, 0.99, 0.999]))
flags = st.booleans()
OPTIONS = {
    "SGD": st.one_of(
        st.fixed_dictionaries({}, optional={"momentum": small, "dampening": small, "weight_decay": small}),
        st.fixed_dictionaries({"momentum": st.just(0.9), "nesterov": st.just(True)}, optional={"weight_decay": small}),
    ),
    "Adam": st.fixed_dictionaries({}, optional={"betas": betas, "weight_decay": small, "amsgrad": flags}),
    "AdamW": st.fixed_dictionaries({}, optional={"betas": betas, "weight_decay": small, "amsgrad": flags}),
    "Adamax": st.fixed_dictionaries({}, optional={"betas": betas, "weight_decay": small}),
    "NAdam": st.fixed_dictionaries(
        {},
        optional={"betas": betas, "weight_decay": small, "momentum_decay": small, "decoupled_weight_decay": flags},
    ),
    "RAdam": st.fixed_dictionaries(
        {}, optional={"betas": betas, "weight_decay": small, "decoupled_weight_decay": flags}
    ),
    "Adagrad": st.fixed_dictionaries(
        {}, optional={"lr_decay": small, "weight_decay": small, "initial_accumulator_value": small}
    ),
    "Adadelta": st.fixed_dictionaries({}, optional={"rho": st.sampled_from([0.5, 0.9]), "weight_decay": small}),
    "RMSprop": st.fixed_dictionaries(
        {"eps": st.just(1e-4)},
        optional={
            "alpha": st.sampled_from([0.9, 0.99]), "momentum": small, "weight_decay": small, "centered": flags,
        },
    ),
    "Rprop": st.fixed_dictionaries(
        {}, optional={"etas": st.just((0.4, 1.5)), "step_sizes": st.just((1e-3, 0.1))}
    ),
    "ASGD": st.fixed_dictionaries({}, optional={"t0": st.just(20), "lambd": small, "weight_decay": small}),
    "Adafactor": st.fixed_dictionaries(
        {"eps": st.just((1e-4, 1e-3))},
        optional={"beta2_decay": st.sampled_from([-0.8, -0.5]), "d": st.just(2.0), "weight_decay": small},
    ),
}  # fmt: skip


def problem(m, dtype, shapes=SHAPES):
    """Parameters of several shapes, and a function that gives them new gradients."""
    parameters = [m.nn.Parameter(m.from_numpy(draw(shape, dtype, seed=i))) for i, shape in enumerate(shapes)]

    def differentiate(i, optimizer):
        optimizer.zero_grad()
        noise = [m.from_numpy(draw(tuple(p.shape), dtype, seed=1000 + i)) for p in parameters]
        sum(((p - 0.5) ** 2 + 0.3 * p * n).sum() for p, n in zip(parameters, noise)).backward()

    return parameters, differentiate


def minimise(m, name, options, dtype, steps=STEPS):
    """The parameters after some steps on a quadratic with noise, and the optimizer's state."""
    shapes = [shape for shape in SHAPES if name != "Adafactor" or 0 not in shape]  # torch's divides by that 0
    parameters, differentiate = problem(m, dtype, shapes)
    unused = m.nn.Parameter(m.ones(2))
    optimizer = getattr(m.optim, name)([*parameters, unused], **options)
    for i in range(steps):
        differentiate(i, optimizer)
        optimizer.step()
    states = [v for p in parameters for k, v in sorted(optimizer.state[p].items()) if v is not None]
    return [*parameters, unused, *states]


CASES = {
    "SGD": [{"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05}],
    "Adam": [{"betas": (0.7, 0.9), "eps": 1e-4}, {"amsgrad": True, "weight_decay": 0.05}],
    "AdamW": [{"weight_decay": 0.3}, {"amsgrad": True}],
    "Adamax": [{"betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1}],
    "NAdam": [{"betas": (0.7, 0.9), "momentum_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{"betas": (0.7, 0.9), "weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "Adagrad": [{"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-4}],
    "Adadelta": [{"rho": 0.7, "eps": 1e-4, "weight_decay": 0.1}],
    "RMSprop": [{"alpha": 0.9, "weight_decay": 0.1, "momentum": 0.8}, {"centered": True, "eps": 1e-4}],
    "Rprop": [{"etas": (0.4, 1.5), "step_sizes": (1e-3, 0.1)}],
    "ASGD": [{"t0": 20, "lambd": 0.1, "alpha": 0.5, "weight_decay": 0.1}],
    "Adafactor": [{"eps": (1e-4, 1e-2), "d": 1.5, "weight_decay": 0.1}, {"beta2_decay": -0.5, "eps": (1e-4, 1e-3)}],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", [(name, case) for name in CASES for case in CASES[name]], ids=str)
def test_every_option_is_torchs(name, options, dtype):
    options = {"lr": 0.02, "maximize": dtype == "float64", **options}
    for a, b in zip(minimise(mg, name, options, dtype), minimise(torch, name, options, dtype), strict=True):
        same(a, b, rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-9)


EXAMPLES = max(1, settings().max_examples // 20)  # each is 200 steps


@pytest.mark.parametrize("name", OPTIONS)
def test_100_steps_equal_those_of_torch(name):
    @settings(max_examples=EXAMPLES)
    @given(st.data(), rates, flags, st.sampled_from(["float32", "float64"]))
    def run(data, lr, maximize, dtype):
        options = {"lr": lr, "maximize": maximize, **data.draw(OPTIONS[name])}
        ours, theirs = (minimise(m, name, options, dtype) for m in (mg, torch))
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-9)

    run()


@pytest.mark.parametrize("layout", ["permuted", "negative"])
@pytest.mark.parametrize("name", OPTIONS)
def test_memory_layout_does_not_matter(name, layout):
    results = []
    for odd in (False, True):
        array = draw((3, 4), seed=1)
        array = mg.testing.lay_out(array, layout) if odd else array
        p = mg.nn.Parameter(mg.from_numpy(array))
        optimizer = getattr(mg.optim, name)([p], lr=0.1)
        for i in range(3):
            p.grad = mg.from_numpy(draw((4, 3), seed=i)).t() if odd else mg.from_numpy(draw((4, 3), seed=i).T.copy())
            optimizer.step()
        results.append(p.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIONS)
def test_parameters_of_both_dtypes_and_a_rate_that_is_a_tensor(name):
    results = []
    for m in (mg, torch):
        parameters = [m.nn.Parameter(m.from_numpy(draw((3,), dtype, seed=1))) for dtype in ("float32", "float64")]
        optimizer = getattr(m.optim, name)(parameters, lr=m.tensor(0.1))
        for i in range(5):
            if i == 3:
                optimizer.param_groups[0]["lr"].fill_(0.01)
            for p in parameters:
                p.grad = m.from_numpy(draw((3,), array_of(p).dtype.name, seed=i))
            optimizer.step()
        results.append(parameters)
    for a, b in zip(*results):
        same(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_step_is_a_write_that_backward_notices(name):
    p = mg.nn.Parameter(mg.ones(2))
    loss = (p * p).sum()
    p.grad = mg.ones(2)
    getattr(mg.optim, name)([p]).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("name", OPTIONS)
def test_an_optimizer_is_copied_and_pickled_with_its_parameters(name):
    (p, *_), _ = problem(mg, "float64")
    optimizer = getattr(mg.optim, name)([p], lr=0.1)

    def step(p, optimizer, i):
        p.grad = mg.from_numpy(draw((3, 4), seed=i))
        optimizer.step()
        return p.tolist()

    step(p, optimizer, 0)
    copies = [copy.deepcopy((p, optimizer)), pickle.loads(pickle.dumps((p, optimizer)))]
    after = step(p, optimizer, 1)
    for other, twin in copies:
        assert step(other, twin, 1) == after


MUON = [{}, {"nesterov": False, "momentum": 0.8, "weight_decay": 0.0}, {"adjust_lr_fn": "match_rms_adamw"}]


@pytest.mark.parametrize("options", MUON, ids=str)
def test_muon_is_torchs_within_the_bfloat16_that_torch_computes_in(options):
    lr, steps, results = 0.01, 10, []
    for m in (mg, torch):
        parameters, differentiate = problem(m, "float64", [(3, 4), (7, 2), (1, 5)])
        optimizer = m.optim.Muon(parameters, lr=lr, **options)
        for i in range(steps):
            differentiate(i, optimizer)
            optimizer.step()
        results.append(parameters)
    for a, b in zip(*results):
        same(a, b, rtol=0, atol=0.02 * lr * steps)  # of a path of lr * steps


def test_muons_direction_is_nearly_orthogonal():
    p = mg.nn.Parameter(mg.zeros(5, 3, dtype=mg.float64))
    p.grad = mg.from_numpy(draw((5, 3), seed=1))
    mg.optim.Muon([p], lr=1.0, ns_steps=10).step()
    values = np.linalg.svd(p.numpy(force=True), compute_uv=False) / (5 / 3) ** 0.5
    assert (values > 0.6).all() and (values < 1.3).all()


@pytest.mark.parametrize("name", [*OPTIONS, "Muon"])
def test_what_is_not_said_is_what_torch_takes(name):
    ours, theirs = (getattr(m.optim, name)([m.nn.Parameter(m.ones(2, 2))]).defaults for m in (mg, torch))
    assert {key: value for key, value in theirs.items() if key in ours} == ours


def one_step_of_muon(m, **options):
    p = m.nn.Parameter(m.ones(2, 2))
    p.grad = m.ones(2, 2)
    m.optim.Muon([p], **options).step()


WRONG = {
    "a vector": lambda m: m.optim.Muon([m.nn.Parameter(m.ones(2))]),
    "Muon, momentum": lambda m: m.optim.Muon([m.nn.Parameter(m.ones(2, 2))], momentum=-1),
    "Muon, learning rate": lambda m: m.optim.Muon([m.nn.Parameter(m.ones(2, 2))], lr=-1),
    "Muon, weight decay": lambda m: m.optim.Muon([m.nn.Parameter(m.ones(2, 2))], weight_decay=-1),
    "Muon, steps": lambda m: one_step_of_muon(m, ns_steps=100),
    "Muon, coefficients": lambda m: one_step_of_muon(m, ns_coefficients=(1, 2)),
    "Muon, rate": lambda m: m.optim.Muon([m.nn.Parameter(m.ones(2, 2))], adjust_lr_fn="larger"),
    "Adafactor, d": lambda m: m.optim.Adafactor([m.nn.Parameter(m.ones(2))], d=0.5),
    "Adafactor, beta2_decay": lambda m: m.optim.Adafactor([m.nn.Parameter(m.ones(2))], beta2_decay=0.5),
    "Adafactor, eps": lambda m: m.optim.Adafactor([m.nn.Parameter(m.ones(2))], eps=(-1, 0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_out_of_range(name):
    same_error(WRONG[name])


def duplicate(m):
    p = m.nn.Parameter(m.ones(2, dtype=m.float64))
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = m.optim.Adam([p, p], lr=0.1)
    for i in range(3):
        p.grad = m.from_numpy(draw((2,), seed=i))
        optimizer.step()
    return p.detach(), optimizer.state[p]["step"]


def frozen_at_first(m):
    p, q = (m.nn.Parameter(m.ones(2, dtype=m.float64)) for _ in range(2))
    optimizer = m.optim.SGD([p, q], lr=0.1, momentum=0.9, dampening=0.5)
    for i in range(4):
        p.grad = m.from_numpy(draw((2,), seed=i))
        q.grad = m.from_numpy(draw((2,), seed=10 + i)) if i > 1 else None
        optimizer.step()
    return p.detach(), q.detach()


def no_gradient(m):
    p, q = (m.nn.Parameter(m.ones(2)) for _ in range(2))
    optimizer = m.optim.Adam([p, q], lr=0.1, weight_decay=0.5)
    p.sum().backward()
    optimizer.step()
    return q, q in optimizer.state


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


def ignored_choices(m):
    results = []
    for choice in ({"foreach": True}, {"foreach": False}, {"fused": True}):
        p = m.nn.Parameter(m.ones(2))
        optimizer = m.optim.AdamW([p], lr=0.1, **choice)
        p.grad = m.ones(2)
        optimizer.step()
        results.append(p.detach())
    return results


@named(duplicate, frozen_at_first, no_gradient, closure, zero_grad, ignored_choices)
def test_same_as_torch(function):
    same_program(function)


# L-BFGS -------------------------------------------------------------------------------------------------------------


def fit(m, options, steps, dtype="float64", saved=None):
    """Some steps of L-BFGS on a regression: parameters, losses and state."""
    x, y = (m.from_numpy(draw(shape, dtype, seed=3)) for shape in ((20, 6), (20,)))
    w, b = (m.nn.Parameter(m.from_numpy(draw(shape, dtype, seed=4))) for shape in ((6,), ()))
    unused = m.nn.Parameter(m.ones(2, dtype=w.dtype))
    optimizer = m.optim.LBFGS([w, b, unused], **options)
    if saved is not None:
        with m.no_grad():
            w.copy_(saved[0]), b.copy_(saved[1])
        optimizer.load_state_dict(saved[2])

    def compute():
        optimizer.zero_grad()
        loss = ((m.tanh(x @ w + b) * 2 - y) ** 2).mean() + 0.1 * (w**4).sum()
        loss.backward()
        return loss

    losses = [optimizer.step(compute).item() for _ in range(steps)]
    return w, b, losses, optimizer


LBFGS = [
    {},
    {"line_search_fn": "strong_wolfe"},
    {"lr": 0.3, "history_size": 3, "max_iter": 5},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 4, "lr": 0.5},
    {"line_search_fn": "strong_wolfe", "max_eval": 3, "tolerance_change": 1e-4},
    {"tolerance_grad": 1e-2},
]


@pytest.mark.parametrize("options", LBFGS, ids=str)
def test_lbfgs_equals_torchs(options):
    (w, b, losses, ours), (v, c, others, theirs) = (fit(m, options, 6) for m in (mg, torch))
    same(w, v, rtol=1e-6, atol=1e-8)
    same(b, c, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(losses, others, rtol=1e-8)
    mine, other = ours.state_dict()["state"], theirs.state_dict()["state"]
    assert list(mine) == list(other) == [0]
    assert sorted(mine[0]) == sorted(other[0])
    assert [mine[0][key] for key in ("func_evals", "n_iter")] == [other[0][key] for key in ("func_evals", "n_iter")]


@pytest.mark.parametrize("options", LBFGS[:4], ids=str)
def test_lbfgs_goes_on_where_it_stopped(options):
    w, b, _, optimizer = fit(mg, {**options, "max_iter": 3}, 2)
    resumed = fit(mg, {**options, "max_iter": 3}, 2, saved=(w.detach(), b.detach(), optimizer.state_dict()))
    assert fit(mg, {**options, "max_iter": 3}, 4)[0].tolist() == resumed[0].tolist()


def test_lbfgs_reaches_the_minimum_in_float32():
    _, _, losses, _ = fit(mg, {"line_search_fn": "strong_wolfe"}, 8, "float32")
    _, _, others, _ = fit(torch, {"line_search_fn": "strong_wolfe"}, 8, "float32")
    assert abs(losses[-1] - others[-1]) < 1e-5
