"""Parameter groups, state_dict, hooks and misuse of the optimizers against torch."""

import numpy as np
import pytest
from torch_oracle import array_of, draw, named, same, same_error, same_program, torch

import minigrad as mg

OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "dampening": 0.2},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {"betas": (0.9, 0.8)},
    "Adagrad": {"lr_decay": 0.1},
    "Adadelta": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Rprop": {},
    "ASGD": {"t0": 3, "lambd": 0.1},
}


def new(m, name, values, lr=0.1):
    parameters = [m.nn.Parameter(m.from_numpy(np.array(v))) for v in values]
    return parameters, getattr(m.optim, name)(parameters, lr=lr, **OPTIMIZERS[name])


def train(m, parameters, optimizer, seeds):
    for i in seeds:
        for j, p in enumerate(parameters):
            p.grad = m.from_numpy(draw(tuple(p.shape), seed=i + 100 * j))
        optimizer.step()


def translated(value, m):
    """A state_dict of one library with tensors of the other."""
    if isinstance(value, dict):
        return {key: translated(entry, m) for key, entry in value.items()}
    if isinstance(value, list):
        return [translated(entry, m) for entry in value]
    return m.from_numpy(np.array(array_of(value))) if isinstance(value, mg.Tensor | torch.Tensor) else value


VALUES = [draw((4,)), draw((2, 3))]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("first, second", [(mg, torch), (torch, mg)], ids=["from minigrad", "from torch"])
def test_a_state_dict_goes_on_in_the_other_library(name, first, second):
    parameters, optimizer = new(first, name, VALUES)
    train(first, parameters, optimizer, range(5))
    others, other = new(second, name, [array_of(p) for p in parameters], lr=7.0)
    other.load_state_dict(translated(optimizer.state_dict(), second))
    train(first, parameters, optimizer, range(5, 10))
    train(second, others, other, range(5, 10))
    for p, q in zip(parameters, others):
        np.testing.assert_allclose(
            array_of(p), array_of(q), rtol=1e-7, atol=1e-12
        )  # torch converts numbers of the state


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_dict_has_torchs_form(name):
    forms = []
    for m in (mg, torch):
        parameters, optimizer = new(m, name, VALUES)
        train(m, parameters, optimizer, range(2))
        state = optimizer.state_dict()
        entries = {
            key: {k: (tuple(v.shape), str(v.dtype)[-7:]) for k, v in state["state"][key].items()} for key in (0, 1)
        }
        forms.append((list(state), sorted(state["state"]), entries, state["param_groups"]))
    assert forms[0] == forms[1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_is_bit_identical(name):
    parameters, whole = new(mg, name, VALUES)
    train(mg, parameters, whole, range(6))
    others, first = new(mg, name, VALUES)
    train(mg, others, first, range(3))
    saved = first.state_dict()
    second = new(mg, name, VALUES, lr=5.0)[1].__class__(others, lr=5.0)
    second.load_state_dict(saved)
    train(mg, others, second, range(3, 6))
    assert [p.tolist() for p in parameters] == [p.tolist() for p in others]
    assert float(saved["state"][0]["step"]) == 3 if "step" in saved["state"][0] else True  # a copy was loaded


def test_a_state_of_another_precision_is_converted():
    parameters, optimizer = new(mg, "Adam", VALUES)
    train(mg, parameters, optimizer, range(2))
    p = mg.nn.Parameter(mg.ones(4))
    other = mg.optim.Adam([p, mg.nn.Parameter(mg.ones(2, 3))], amsgrad=True)
    other.load_state_dict(optimizer.state_dict())
    assert other.state[p]["exp_avg"].dtype == mg.float32


def test_an_old_checkpoint_counts_steps_by_plain_numbers():
    parameters, optimizer = new(mg, "Adam", VALUES)
    train(mg, parameters, optimizer, range(2))
    saved = optimizer.state_dict()
    for state in saved["state"].values():
        state["step"] = int(state["step"])
    for key in ("maximize", "foreach", "capturable"):
        del saved["param_groups"][0][key]
    optimizer.load_state_dict(saved)
    train(mg, parameters, optimizer, [2])
    assert optimizer.state[parameters[0]]["step"].item() == 3.0


def groups(m):
    a, b, c = (m.nn.Parameter(m.ones(2, dtype=m.float64)) for _ in range(3))
    optimizer = m.optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5, "momentum": 0.9}], lr=0.1)
    optimizer.add_param_group({"params": (p for p in [c]), "weight_decay": 0.1})
    for _ in range(3):
        optimizer.zero_grad()
        (a * b * c).sum().backward()
        optimizer.step()
    return a, b, c, [g["lr"] for g in optimizer.param_groups], optimizer.state_dict()["param_groups"]


def names(m):
    net = m.nn.Linear(2, 2)
    optimizer = m.optim.Adam(net.named_parameters())
    optimizer.add_param_group({"params": [("extra", m.nn.Parameter(m.ones(1)))], "lr": 1.0})
    saved = optimizer.state_dict()["param_groups"]
    saved[0]["param_names"] = ["other", "names"]
    loaded = m.optim.Adam(net.named_parameters())
    loaded.load_state_dict({"state": {}, "param_groups": saved[:1]})
    return saved, loaded.param_groups[0]["param_names"], repr(optimizer)


def group_dicts_are_taken_over(m):
    group = {"params": m.nn.Parameter(m.ones(1)), "note": "mine"}
    optimizer = m.optim.SGD([group], lr=0.5)
    return optimizer.param_groups[0] is group, group["lr"], group["note"], len(group["params"])


def representation(m):
    a, b = (m.nn.Parameter(m.ones(1)) for _ in range(2))
    optimizer = m.optim.SGD([{"params": [a]}, {"params": [b], "lr": 2.0}], lr=0.5, momentum=0.9)
    return repr(optimizer), repr(m.optim.Adam([a])), repr(m.optim.LBFGS([a]))


def step_hooks(m):
    log = []
    p = m.nn.Parameter(m.ones(1))
    optimizer = m.optim.SGD([p], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: log.append(("before", len(args), p.item() == 1)))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: log.append(("after", p.item() == 1)))
    changed = optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "other loss"), {}))
    p.grad = m.ones(1)
    log.append(optimizer.step(lambda: "loss"))
    handle.remove()
    changed.remove()
    log.append(optimizer.step())
    return log


def state_dict_hooks(m):
    log = []
    optimizer = m.optim.SGD([m.nn.Parameter(m.ones(1))], lr=0.1)
    for number, prepend in ((1, False), (2, True)):
        optimizer.register_state_dict_pre_hook(lambda o, n=number: log.append(("saving", n)), prepend)
        optimizer.register_load_state_dict_pre_hook(lambda o, s, n=number: log.append(("loading", n)), prepend)
        optimizer.register_load_state_dict_post_hook(lambda o, n=number: log.append(("loaded", n)), prepend)
    optimizer.register_state_dict_post_hook(lambda o, s: {**s, "extra": 3})
    optimizer.register_load_state_dict_pre_hook(lambda o, s: {k: v for k, v in s.items() if k != "extra"})
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    return log, sorted(state)


def own_optimizer(m):
    class Sign(m.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, dict(lr=lr))  # noqa: C408

        def step(self, closure=None):
            with m.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        self.state[p]["seen"] = True
                        p.add_(p.grad.sign(), alpha=-group["lr"])

    log = []
    p = m.nn.Parameter(m.tensor([1.0, -1.0]))
    optimizer = Sign([p], 0.25)
    optimizer.register_step_post_hook(lambda *_: log.append("stepped"))
    (p * p).sum().backward()
    optimizer.step()
    return p, log, optimizer.state_dict()


@named(groups, names, group_dicts_are_taken_over, representation, step_hooks, state_dict_hooks, own_optimizer)
def test_same_as_torch(function):
    same_program(function)


def make(name, *args, **settings):
    return lambda m: getattr(m.optim, name)(
        *([[m.nn.Parameter(m.ones(1))]] if not args else [a(m) for a in args]), **settings
    )


def twice(m):
    p = m.nn.Parameter(m.ones(1))
    return [{"params": [p]}, {"params": [p]}]


def some_names(m):
    return [("a", m.nn.Parameter(m.ones(1))), m.nn.Parameter(m.ones(1))]


def groups_with_and_without_names(m):
    return [{"params": [("a", m.nn.Parameter(m.ones(1)))]}, {"params": [m.nn.Parameter(m.ones(1))]}]


def load(change):
    def program(m):
        optimizer = m.optim.SGD([m.nn.Parameter(m.ones(1))], lr=0.1)
        state = optimizer.state_dict()
        change(state["param_groups"])
        optimizer.load_state_dict(state)

    return program


def bad_hook(m):
    optimizer = m.optim.SGD([m.nn.Parameter(m.ones(1))], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    optimizer.step()


MISUSE = {
    "negative rate": make("SGD", lr=-1.0),
    "rate of two elements": make("SGD", lr=mg.ones(2)),
    "negative momentum": make("SGD", momentum=-0.1),
    "negative decay": make("SGD", weight_decay=-0.1),
    "nesterov without momentum": make("SGD", nesterov=True),
    "fused and foreach": make("SGD", fused=True, foreach=True),
    "Adam negative rate": make("Adam", lr=-1.0),
    "Adam eps": make("Adam", eps=-1.0),
    "Adam beta": make("Adam", betas=(1.0, 0.9)),
    "Adam second beta": make("Adam", betas=(0.9, -0.1)),
    "Adam whole betas": make("Adam", betas=(0, 0.9)),
    "AdamW decay": make("AdamW", weight_decay=-1.0),
    "Adamax eps": make("Adamax", eps=-1.0),
    "NAdam momentum decay": make("NAdam", momentum_decay=-1.0),
    "RAdam beta": make("RAdam", betas=(0.9, 1.0)),
    "Adagrad rate decay": make("Adagrad", lr_decay=-1.0),
    "Adagrad start": make("Adagrad", initial_accumulator_value=-1.0),
    "Adadelta rho": make("Adadelta", rho=1.5),
    "RMSprop alpha": make("RMSprop", alpha=-1.0),
    "RMSprop momentum": make("RMSprop", momentum=-1.0),
    "Rprop etas": make("Rprop", etas=(1.5, 1.2)),
    "ASGD decay": make("ASGD", weight_decay=-1.0),
    "LBFGS rate": make("LBFGS", lr=-1.0),
    "LBFGS groups": make("LBFGS", lambda m: [{"params": [m.nn.Parameter(m.ones(1))]} for _ in range(2)]),
    "no parameters": make("SGD", lambda m: []),
    "a parameter twice": make("SGD", twice),
    "a number": make("SGD", lambda m: [1.0]),
    "computed tensor": make("SGD", lambda m: [m.ones(1, requires_grad=True) * 2]),
    "a set": make("SGD", lambda m: [{"params": {m.nn.Parameter(m.ones(1))}}]),
    "some names": make("SGD", some_names),
    "names in one group": make("SGD", groups_with_and_without_names),
    "no dict": lambda m: m.optim.SGD([m.nn.Parameter(m.ones(1))]).add_param_group([1]),
    "fewer groups": load(lambda groups: groups.clear()),
    "fewer parameters": load(lambda groups: groups[0]["params"].clear()),
    "hook": bad_hook,
    "parentheses forgotten": make("SGD", lambda m: m.nn.Linear(1, 1).parameters),
}


@pytest.mark.parametrize("misuse", MISUSE, ids=str)
def test_same_error_as_torch(misuse):
    if misuse == "rate of two elements":
        with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
            MISUSE[misuse](mg)
    else:
        same_error(MISUSE[misuse], "<function" if misuse == "hook" else None)


def test_a_single_tensor_is_refused():
    same_error(
        make("SGD", lambda m: m.ones(1)),
        "params argument given to the optimizer should be an iterable of Tensors or dicts",
    )


def test_differentiable_steps_are_refused():
    with pytest.raises(NotImplementedError, match="SGD does not support differentiable=True"):
        mg.optim.SGD([mg.ones(1, requires_grad=True)], differentiable=True)


def test_a_state_that_lost_its_parameters_shape_is_an_error():
    p = mg.nn.Parameter(mg.ones(2))
    optimizer = mg.optim.Adam([p])
    p.grad = mg.ones(2)
    optimizer.step()
    p.data, p.grad = mg.ones(300), None
    p.grad = mg.ones(300)
    with pytest.raises(ValueError, match="must have its parameter's shape"):
        optimizer.step()


def test_a_rate_that_is_a_tensor_of_the_group_is_copied_when_loaded():
    p = mg.nn.Parameter(mg.ones(2))
    optimizer = mg.optim.SGD([p], lr=mg.tensor(0.5))
    other = mg.optim.SGD([p])
    other.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"].fill_(3.0)
    same(other.param_groups[0]["lr"], torch.tensor(0.5))
