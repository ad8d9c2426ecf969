"""What every module can do, against torch's: state with hooks and extra state, conversion, copies."""

import copy
import multiprocessing
import pickle
import warnings
from collections import OrderedDict

import pytest
from torch_oracle import first_line, named, same, same_error, same_program, torch

import minigrad as mg


def linear(m):
    """A layer of known weights."""
    layer = m.nn.Linear(2, 2)
    layer.weight.data = m.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer.bias.data = m.tensor([0.5, -0.5])
    return layer


# state --------------------------------------------------------------------------------------------------------------


def extra_state(m):
    class Counting(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.count = m.nn.Linear(1, 1), 3

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    outer = m.nn.Sequential(Counting())
    state = outer.state_dict()
    other = m.nn.Sequential(Counting())
    other[0].count = 0
    result = str(other.load_state_dict(state))
    del state["0._extra_state"]
    missing = other.load_state_dict(state, strict=False).missing_keys
    return list(state), result, other[0].count, missing


def metadata(m):
    state = m.nn.Sequential(m.nn.Linear(1, 1), m.nn.BatchNorm1d(1)).state_dict()
    return {name: dict(notes) for name, notes in state._metadata.items()}


def state_hooks(m):
    layer, log = m.nn.Sequential(linear(m)), []
    layer[0].register_state_dict_pre_hook(lambda mod, prefix, keep_vars: log.append(("pre", prefix, keep_vars)))
    layer[0].register_state_dict_post_hook(lambda mod, state, prefix, meta: state.update({prefix + "more": m.ones(1)}))
    layer[0]._register_state_dict_hook(lambda mod, state, prefix, meta: log.append((list(state), dict(meta))))
    state = layer.state_dict()
    return list(state), log


def load_hooks(m):
    layer, log = m.nn.Sequential(linear(m)), []

    def rename(mod, state, prefix, meta, strict, missing, unexpected, errors):
        state[prefix + "weight"] = state.pop(prefix + "w")

    def forgive(mod, incompatible):
        log.append([list(keys) for keys in incompatible])
        incompatible.missing_keys.clear()

    layer[0].register_load_state_dict_pre_hook(rename)
    layer.register_load_state_dict_post_hook(forgive)
    result = layer.load_state_dict(OrderedDict([("0.w", m.zeros(2, 2))]))
    return log, str(result), layer[0].weight


def own_loading(m):
    class Old(m.nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            if local_metadata.get("version", 1) < 2:
                state_dict[prefix + "weight"] = state_dict[prefix + "weight"] * 10
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "note"] = m.ones(1)

    old, new = m.nn.Sequential(linear(m)).state_dict(), m.nn.Sequential(Old(2, 2))
    new.load_state_dict(old)
    first = new[0].weight.detach().clone()
    saved = new.state_dict()
    result = new.load_state_dict(saved, strict=False)
    return first, new[0].weight, list(saved), result.unexpected_keys


def loading_one_module_alone(m):
    layer, missing, unexpected, errors = linear(m), [], [], []
    state = {"weight": m.zeros(2, 2), "other": m.ones(1)}
    layer._load_from_state_dict(state, "", {}, True, missing, unexpected, errors)
    return layer.weight, missing, unexpected, errors


def states_of_old_versions(m):
    norm, scalar = m.nn.BatchNorm1d(2), m.nn.Module()
    state = {name: tensor for name, tensor in norm.state_dict().items() if name != "num_batches_tracked"}
    scalar.value = m.nn.Parameter(m.tensor(1.0))
    scalar.load_state_dict({"value": m.tensor([7.0])})
    return str(norm.load_state_dict(state)), norm.num_batches_tracked, scalar.value


def positional_state_dict(m):
    destination = OrderedDict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear(m).state_dict(destination, "a.")
    return list(destination)


# finding and replacing ----------------------------------------------------------------------------------------------


def found_by_path(m):
    net = m.nn.Sequential(m.nn.Linear(1, 1), m.nn.Sequential(m.nn.BatchNorm1d(3)))
    net.set_submodule("1.0", m.nn.LayerNorm(2))
    net.set_submodule("1.extra", m.nn.ReLU())
    net.set_submodule("0", m.nn.Identity(), strict=True)
    net[1].register_buffer("table", m.zeros(2))
    found = net.get_parameter("1.0.weight") is net[1][0].weight, net.get_buffer("1.table") is net[1].table
    return *found, repr(net), net.get_submodule("") is net


def buffers_by_assignment(m):
    module = m.nn.Module()
    module.a = m.nn.Buffer(m.zeros(2))
    module.b = m.nn.Buffer(m.ones(1), persistent=False)
    module.a = m.ones(3)
    module.c = m.zeros(1)
    return [n for n, _ in module.named_buffers()], list(module.state_dict()), module.a, isinstance(module.a, m.Tensor)


def attributes_replaced(m):
    module = m.nn.Linear(2, 2)
    module.weight = m.nn.Parameter(m.zeros(2, 2))
    module.bias = None
    module.extra = m.nn.Parameter(m.ones(1))
    names = [name for name, _ in module.named_parameters()]
    del module.extra
    module.extra = 3
    return (
        names,
        [name for name, _ in module.named_parameters()],
        module(m.ones(2)),
        module.extra,
        "weight" in dir(module),
    )


def texts_of_several_lines(m):
    class Told(m.nn.Module):
        def extra_repr(self):
            return "one\ntwo"

    outer = m.nn.Sequential(Told())
    return repr(Told()), repr(outer), Told()._get_name(), repr(m.nn.Module())


# conversion and copies ----------------------------------------------------------------------------------------------


def converted(m):
    net = m.nn.Sequential(linear(m), m.nn.BatchNorm1d(2))
    net(m.ones(3, 2)).sum().backward()
    weight, mean = net[0].weight, net[1].running_mean
    same_net = net.double() is net
    kinds = [str(t.dtype).split(".")[-1] for t in (*net.state_dict().values(), weight.grad)]
    net.to(m.ones(1)), net.type(m.float64), net.float(), net.to("cpu", m.float64), net.to(dtype=m.float32)
    kinds += [str(t.dtype).split(".")[-1] for t in (weight, net[1].num_batches_tracked)]
    net.type(m.float64)
    return (
        same_net,
        kinds,
        weight is net[0].weight,
        str(net[1].num_batches_tracked.dtype).split(".")[-1],
        str(mean.dtype)[-2:],
    )


def emptied_and_shared(m):
    net = linear(m)
    shape = tuple(net.to_empty(device="cpu").weight.shape)
    return shape, linear(m).share_memory()(m.ones(2)), net.cpu() is net


def deep_copies(m):
    net = m.nn.Sequential(linear(m), m.nn.ReLU())
    net[0].tied = net[0].weight
    net[0].register_forward_hook(lambda mod, args, out: out * 2)
    net(m.ones(2)).sum().backward()
    other = copy.deepcopy(net)
    with m.no_grad():
        other[0].weight.zero_()
    return (
        net(m.ones(2)),
        other(m.ones(2)),
        other[0].tied is other[0].weight,
        other[0].weight.grad is None,
        other[0].weight.requires_grad,
    )


def pickled(m):
    net = m.nn.Sequential(linear(m), m.nn.Dropout(0.3), m.nn.BatchNorm1d(2)).eval()
    other = pickle.loads(pickle.dumps(net))
    return other(m.ones(3, 2)), repr(other), other.training, [p.requires_grad for p in other.parameters()]


def parameters_printed(m):
    p = m.nn.Parameter(m.ones(2))
    return repr(p), repr(m.nn.Parameter(m.zeros(1), requires_grad=False)), repr(copy.deepcopy(p)), p.is_leaf


STATE = [extra_state, metadata, state_hooks, load_hooks, own_loading, loading_one_module_alone, states_of_old_versions]
REST = [positional_state_dict, found_by_path, buffers_by_assignment, attributes_replaced, texts_of_several_lines]
COPIES = [converted, emptied_and_shared, deep_copies, pickled, parameters_printed]


@named(*STATE, *REST, *COPIES)
def test_same_as_torch(function):
    same_program(function)


def test_states_of_torch_load_as_they_are():
    for make in (
        lambda m: m.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        lambda m: m.nn.Sequential(m.nn.Conv2d(3, 4, 2), m.nn.BatchNorm2d(4)),
        lambda m: m.nn.TransformerEncoder(m.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2),
    ):
        ours, theirs = make(mg), make(torch)
        assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
        for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            same(a, b, name)


def test_pickles_from_before_there_were_so_many_hooks():
    layer = linear(mg)
    names = "_forward_hooks", "_load_state_dict_post_hooks", "_backward_pre_hooks"
    other = mg.nn.Linear.__new__(mg.nn.Linear)
    other.__setstate__({name: value for name, value in layer.__dict__.items() if name not in names})
    assert mg.equal(other(mg.ones(2)), layer(mg.ones(2))) and list(other.state_dict()) == ["weight", "bias"]


def test_shared_memory_is_seen_by_forked_processes():
    layer = linear(mg).share_memory()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that threads run while forking
        child = multiprocessing.get_context("fork").Process(target=lambda: layer.bias.data.fill_(7))
        child.start()
    child.join()
    assert layer.bias.tolist() == [7, 7]


ERRORS = {
    "a state that is no dict": lambda m: linear(m).load_state_dict([1]),
    "a state that holds no tensors": lambda m: linear(m).load_state_dict({"weight": 3, "bias": [1]}),
    "a post-hook that returns": lambda m: _with_state_hook(m),
    "integers": lambda m: linear(m).to(m.int64),
    "no such submodule": lambda m: linear(m).get_submodule("a.b"),
    "a parameter as submodule": lambda m: linear(m).get_submodule("weight"),
    "no such parameter": lambda m: linear(m).get_parameter("a"),
    "a buffer as parameter": lambda m: m.nn.BatchNorm1d(1).get_parameter("running_mean"),
    "a parameter as buffer": lambda m: linear(m).get_buffer("weight"),
    "a submodule without a path": lambda m: linear(m).set_submodule("", m.nn.ReLU()),
    "a submodule under nothing": lambda m: linear(m).set_submodule("a.b", m.nn.ReLU()),
    "a submodule that replaces nothing": lambda m: linear(m).set_submodule("a", m.nn.ReLU(), strict=True),
    "a submodule over a parameter": lambda m: linear(m).set_submodule("weight", m.nn.ReLU()),
}


def _with_state_hook(m):
    layer = linear(m)
    layer.register_state_dict_post_hook(lambda *arguments: {})
    layer.state_dict()


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)


def test_everything_wrong_with_a_state_is_said_at_once_and_nothing_is_written():
    net = mg.nn.Sequential(linear(mg), linear(mg))
    state = {"0.weight": mg.zeros(2, 2), "0.bias": mg.zeros(3), "1.weight": 3, "other": mg.ones(1)}
    with pytest.raises(RuntimeError) as ours:
        net.load_state_dict(state)
    assert 'Missing key(s) in state_dict: "1.bias"' in str(ours.value)
    assert 'Unexpected key(s) in state_dict: "other"' in str(ours.value)
    assert "size mismatch for 0.bias" in str(ours.value) and 'parameter named "1.weight"' in str(ours.value)
    assert first_line(ours.value) == "Error(s) in loading state_dict for Sequential:"
    assert net[0].weight.tolist() == [[1, 2], [3, 4]]
