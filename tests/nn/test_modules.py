"""The module protocol: what is registered, found, saved, loaded, hooked and reported."""

import copy
from collections import OrderedDict

import pytest
from torch_oracle import named, same_error, same_program, torch

import minigrad as mg


def network(m):
    """A network with nested, listed, shared and unused parts."""

    class Block(m.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.linear = m.nn.Linear(width, width)
            self.norm = m.nn.BatchNorm1d(width)
            self.scale = m.nn.Parameter(m.ones(width))
            self.register_buffer("count", m.zeros(1))
            self.register_buffer("scratch", m.zeros(2), persistent=False)
            self.register_parameter("nothing", None)

        def forward(self, x):
            return self.norm(self.linear(x)) * self.scale

    class Net(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = m.nn.Sequential(m.nn.Linear(4, 3), m.nn.ReLU(), m.nn.Dropout(0.5))
            self.blocks = m.nn.ModuleList([Block(3) for _ in range(2)])
            self.named = m.nn.Sequential(OrderedDict([("a", m.nn.Linear(3, 3)), ("b", m.nn.Tanh())]))
            self.tied = self.named[0]
            self.options = {"depth": 2}

        def forward(self, x):
            x = self.first(x)
            for block in self.blocks:
                x = block(x)
            return self.tied(self.named(x))

    return Net()


def parameters(m):
    net = network(m)
    return (
        [name for name, _ in net.named_parameters()],
        len(list(net.parameters())),
        len(list(net.parameters(recurse=False))),
    )


def buffers(m):
    return [name for name, _ in network(m).named_buffers()]


def modules(m):
    net = network(m)
    paths = [(path, type(module).__name__) for path, module in net.named_modules()]
    return paths, [name for name, _ in net.named_children()], len(list(net.modules()))


def state(m):
    return [(name, tuple(t.shape), str(t.dtype).split(".")[-1]) for name, t in network(m).state_dict().items()]


def representation(m):
    return (repr(network(m)),)


def duplicates_on_request(m):
    return [name for name, _ in network(m).named_parameters(remove_duplicate=False)]


def training_mode(m):
    net = network(m)
    seen = [net.training]
    net.eval()
    seen += [module.training for module in net.modules()]
    net.blocks.train()
    return [*seen, *[module.training for module in net.modules()]]


def frozen(m):
    net = network(m).requires_grad_(False)
    return [p.requires_grad for p in net.parameters()]


def applied(m):
    seen = []
    network(m).apply(lambda module: seen.append(type(module).__name__))
    return seen


def submodules(m):
    net = network(m)
    return (
        net.get_submodule("blocks.1.linear") is net.blocks[1].linear,
        net.get_submodule("") is net,
        len(net.first),
        net.first[-1] is net.first[2],
        len(net.first[:2]),
        [type(module).__name__ for module in net.first],
    )


def containers_change(m):
    net = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.ReLU())
    net.append(m.nn.Tanh())
    net[1] = m.nn.Sigmoid()
    del net[0]
    layers = m.nn.ModuleList([m.nn.Identity()])
    layers.extend([m.nn.Flatten()])
    layers.append(m.nn.ReLU())
    return repr(net), repr(layers), repr(layers[1:]), list(net.state_dict())


def attributes_move_between_kinds(m):
    net = m.nn.Module()
    net.x = 3
    net.x = m.nn.Parameter(m.ones(1))
    kinds = [list(net._parameters), "x" in net.__dict__]
    net.x = None
    kinds.append(net.x)
    del net.x
    kinds.append(hasattr(net, "x"))
    net.x = m.nn.ReLU()
    return [*kinds, list(net._modules)]


def converted_to_float64(m):
    net = network(m).double()
    return [(str(t.dtype).split(".")[-1], t.requires_grad) for t in [*net.parameters(), *net.buffers()]]


def forward_hooks(m):
    net, seen = m.nn.Identity(), []
    before = net.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    after = net.register_forward_hook(lambda module, args, result: seen.append(args[0]) or result * 10)
    x = m.ones(2)
    results = [net(x)]
    before.remove()
    results.append(net(x))
    after.remove()
    return [*results, net(x), *seen]


def zero_grad(m):
    net = m.nn.Linear(2, 1)
    net(m.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    filled = net.weight.grad
    net.zero_grad()
    return filled, net.weight.grad


def copies_are_independent(m):
    net = network(m)
    twin = copy.deepcopy(net)
    return (
        twin.tied is twin.named[0],
        twin.tied is net.tied,
        all(a is not b for a, b in zip(net.parameters(), twin.parameters())),
        [name for name, _ in twin.named_parameters()] == [name for name, _ in net.named_parameters()],
    )


@named(
    parameters,
    buffers,
    modules,
    state,
    representation,
    duplicates_on_request,
    training_mode,
    frozen,
    applied,
    submodules,
    containers_change,
    attributes_move_between_kinds,
    converted_to_float64,
    forward_hooks,
    zero_grad,
    copies_are_independent,
)
def test_same_as_torch(function):
    same_program(function)


def misspelt_attribute(m):
    network(m).blcoks  # noqa: B018


def misspelt_submodule(m):
    network(m).get_submodule("blocks.9")


def parameter_before_init(m):
    class Net(m.nn.Module):
        def __init__(self):
            self.weight = m.nn.Parameter(m.ones(1))

    Net()


def module_before_init(m):
    class Net(m.nn.Module):
        def __init__(self):
            self.layer = m.nn.ReLU()

    Net()


def tensor_for_a_parameter(m):
    m.nn.Linear(2, 2).weight = m.ones(2, 2)


def number_for_a_module(m):
    net = network(m)
    net.first = 3


def number_for_a_buffer(m):
    m.nn.BatchNorm1d(2).running_mean = 3


def parameter_with_a_dot(m):
    m.nn.Module().register_parameter("a.b", None)


def parameter_without_a_name(m):
    m.nn.Module().register_parameter("", None)


def parameter_that_is_a_tensor(m):
    m.nn.Module().register_parameter("weight", m.ones(2))


def buffer_over_an_attribute(m):
    net = m.nn.Module()
    net.x = 3
    net.register_buffer("x", m.ones(1))


def something_else_as_a_module(m):
    m.nn.Module().add_module("x", 3)


def module_without_forward(m):
    m.nn.Module()(1)


def mode_that_is_no_bool(m):
    network(m).train("yes")


def index_out_of_range(m):
    network(m).first[3]


def converted_to_integers(m):
    network(m).to(m.int64)


def state_with_many_problems(m):
    net = network(m)
    entries = net.state_dict()
    del entries["first.0.bias"], entries["blocks.0.count"]
    entries["surplus"] = m.ones(1)
    entries["tied.weight"] = m.ones(2, 3)
    net.load_state_dict(entries)


def groups_that_do_not_divide(m):
    m.nn.Conv2d(3, 4, 3, groups=2)


def unknown_padding_mode(m):
    m.nn.Conv2d(3, 4, 3, padding_mode="mirror")


def unknown_padding(m):
    m.nn.Conv2d(3, 4, 3, padding="full")


def same_with_stride(m):
    m.nn.Conv2d(3, 4, 3, padding="same", stride=2)


def dropout_out_of_range(m):
    m.nn.Dropout(2)


def batch_norm_of_another_rank(m):
    m.nn.BatchNorm2d(3)(m.ones(2, 3))


@named(
    misspelt_attribute,
    misspelt_submodule,
    parameter_before_init,
    module_before_init,
    number_for_a_module,
    number_for_a_buffer,
    parameter_with_a_dot,
    parameter_without_a_name,
    buffer_over_an_attribute,
    something_else_as_a_module,
    module_without_forward,
    mode_that_is_no_bool,
    index_out_of_range,
    converted_to_integers,
    groups_that_do_not_divide,
    same_with_stride,
    dropout_out_of_range,
    batch_norm_of_another_rank,
)
def test_same_error_as_torch(function):
    same_error(function)


def test_texts_that_name_a_type_or_a_set_begin_as_in_torch():
    same_error(tensor_for_a_parameter, "cannot assign '")
    same_error(parameter_that_is_a_tensor, "cannot assign '")
    same_error(unknown_padding_mode, "padding_mode must be one of {")
    same_error(unknown_padding, "Invalid padding string 'full', should be one of {")


def test_all_problems_of_a_state_dict_are_reported_at_once():
    messages = []
    for m in (mg, torch):
        with pytest.raises(RuntimeError) as raised:
            state_with_many_problems(m)
        messages.append(
            [line.strip().replace("torch.", "").replace("minigrad.", "") for line in str(raised.value).split("\n")]
        )
    assert messages[0] == messages[1]


def test_nothing_is_loaded_when_something_is_wrong():
    net = mg.nn.Linear(2, 2)
    before = net.weight.tolist()
    with pytest.raises(RuntimeError):
        net.load_state_dict({"weight": mg.zeros(2, 2), "bias": mg.zeros(3)})
    assert net.weight.tolist() == before


def test_state_is_loaded_into_the_same_parameters():
    net, other = network(mg), network(mg)
    parameters = list(net.parameters())
    assert repr(net.load_state_dict(other.state_dict())) == repr(
        network(torch).load_state_dict(network(torch).state_dict())
    )
    assert all(a is b for a, b in zip(parameters, net.parameters()))
    assert all(mg.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values()))


def test_not_strict_loading_returns_what_did_not_fit():
    net = mg.nn.Linear(2, 2)
    result = net.load_state_dict({"weight": mg.zeros(2, 2), "extra": mg.ones(1)}, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == (["bias"], ["extra"])
    assert net.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_assigned_state_is_taken_itself():
    net, weight = mg.nn.Linear(1, 1), mg.full((1, 1), 5.0)
    net.load_state_dict({"weight": weight, "bias": mg.zeros(1)}, assign=True)
    weight.fill_(7.0)
    assert net.weight.tolist() == [[7.0]] and net.weight.requires_grad


def test_a_state_dict_shares_memory_and_needs_no_grad():
    net = mg.nn.Linear(1, 1)
    entry = net.state_dict()["weight"]
    entry.fill_(3.0)
    assert net.weight.item() == 3.0 and not entry.requires_grad


def test_an_error_names_the_path_of_the_module():
    net = network(mg)
    with pytest.raises(RuntimeError) as raised:
        net(mg.ones(2, 5))
    (note,) = raised.value.__notes__
    assert note.startswith("in module ") and "first" in note and "Linear" in note
    assert mg.autograd.state.scope is None


def test_a_node_knows_the_module_that_made_it():
    net = network(mg)
    y = net.blocks[0].linear(mg.ones(2, 3))
    assert y.grad_fn.scope.module is net.blocks[0].linear and y.grad_fn.scope.parent is None
    assert (y * 2).grad_fn.scope is None


def test_parameters_are_used_and_trained_everywhere():
    net = network(mg)
    net(mg.randn(5, 4)).square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None]
    assert without == []


def test_keywords_reach_forward():
    class Net(mg.nn.Module):
        def forward(self, x, *, scale=1):
            return x * scale

    assert Net()(mg.ones(1), scale=3).item() == 3.0
