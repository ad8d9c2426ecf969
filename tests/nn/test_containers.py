"""Lists, dicts and sequences of modules and parameters against torch's: what they hold, print and refuse."""

from collections import OrderedDict

import pytest
from torch_oracle import error_of, first_line, torch

import minigrad as mg


def text(value):
    """What both libraries should print, without the library's name."""
    return repr(value).replace("minigrad.", "torch.")


def sequences(m):
    nn = m.nn
    s = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Tanh())
    yield from (s * 2, 2 * s, s + nn.Sequential(nn.GELU()), s[1:], s.insert(1, nn.GELU()), s.insert(-1, nn.SiLU()))
    yield from (s.pop(0), s.pop(-1), s, len(s))
    s *= 2
    s += nn.Sequential(nn.GELU())
    s[-2] = nn.Mish()
    del s[:2]
    yield s
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.GELU()))
    yield named[1:]
    del named[0]
    yield from (named, [name for name in dir(s) if name.isdigit()])


def lists(m):
    nn = m.nn
    modules = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()])
    yield from (modules, modules + nn.ModuleList([nn.GELU()]), modules[:2], modules.insert(1, nn.SiLU()), modules)
    yield from (modules.pop(1), modules.pop(-1), modules[-1], nn.ModuleList())
    modules += [nn.Tanh()]
    modules[0] = nn.Identity()
    del modules[1]
    yield from (modules, nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.ReLU()) for _ in range(2)]))


def dicts(m):
    nn = m.nn
    modules = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Linear(1, 2)})
    yield from (modules, list(modules), list(modules.keys()), "a" in modules, modules.pop("b"), len(modules))
    modules.update([["x", nn.Tanh()], ("y", nn.GELU())])
    yield from (list(modules.items()), list(modules.values()), nn.ModuleDict(modules))
    del modules["x"]
    modules.clear()
    yield modules


def parameter_lists(m):
    nn = m.nn
    values = nn.ParameterList([m.ones(2, 3), nn.Parameter(m.ones(())), 3, "x"])
    yield from (values, values[-2], values[1:], len(values), values.append(m.ones(1)) is values)
    values += [m.zeros(2)]
    values[0] = m.zeros(1)
    yield from ([name for name, _ in values.named_parameters()], list(values.state_dict()), values)


def parameter_dicts(m):
    nn = m.nn
    values = nn.ParameterDict({"b": m.ones(2), "a": m.zeros(1, 2), "n": 3})
    yield from (values, list(values.items()), values.popitem(), values.setdefault("z", m.ones(1)), len(values))
    yield from (values | {"y": m.ones(1)}, {"y": m.ones(1)} | values, values.get("none"), values.get("z"))
    values |= nn.ParameterDict(OrderedDict(q=m.ones(1), c=None))
    yield from (values, list(reversed(values)), values.copy(), values.fromkeys(["k"], 2))
    del values["q"]
    yield from (values.pop("z"), "a" in values, [name for name, _ in values.named_parameters()])
    values.clear()
    yield values


@pytest.mark.parametrize("program", [sequences, lists, dicts, parameter_lists, parameter_dicts])
def test_same_as_torch(program):
    for ours, theirs in zip(program(mg), program(torch), strict=True):
        assert text(ours) == text(theirs)


ERRORS = {
    "insert beyond the end": lambda nn: nn.Sequential().insert(1, nn.ReLU()),
    "insert what is no module": lambda nn: nn.Sequential().insert(0, 3),
    "add a number": lambda nn: nn.Sequential() + 3,
    "times nothing": lambda nn: nn.Sequential() * 0,
    "times a fraction": lambda nn: nn.Sequential() * 1.5,
    "index beyond the end": lambda nn: nn.Sequential()[0],
    "a plain dict in sequence": lambda nn: nn.Sequential({"a": nn.ReLU()}),
    "a number in a list": lambda nn: nn.ModuleList([3]),
    "no list": lambda nn: nn.ModuleList().extend(3),
    "a list called": lambda nn: nn.ModuleList()(3),
    "no dict": lambda nn: nn.ModuleDict().update(3),
    "no pairs": lambda nn: nn.ModuleDict().update([3]),
    "triples": lambda nn: nn.ModuleDict().update([[1, 2, 3]]),
    "a number in a dict": lambda nn: nn.ModuleDict({"a": 3}),
    "a name with a dot": lambda nn: nn.ModuleDict({"a.b": nn.ReLU()}),
    "a name of a method": lambda nn: nn.ModuleDict({"forward": nn.ReLU()}),
    "no such module": lambda nn: nn.ModuleDict()["a"],
    "a tensor to walk along": lambda nn: nn.ParameterList().extend(nn.Parameter()),
    "parameters called": lambda nn: nn.ParameterList()(),
    "no such parameter": lambda nn: nn.ParameterList()[0],
    "a dict called": lambda nn: nn.ParameterDict()({}),
    "a name that is a number": lambda nn: nn.ParameterDict()[3],
    "no dict of parameters": lambda nn: nn.ParameterDict().update(3),
}


@pytest.mark.parametrize("program", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(program):
    ours, theirs = error_of(program, mg.nn), error_of(program, torch.nn)
    assert type(ours) is type(theirs)
    assert (
        first_line(ours).split(" <class")[0].split(": <")[0] == first_line(theirs).split(" <class")[0].split(": <")[0]
    )
