"""Pruning against torch's: masks, state, gradients, history and errors."""

import importlib

import pytest
from torch_oracle import draw, named, same_error, same_program

import minigrad as mg

importlib.import_module("torch.nn.utils.prune")  # `import torch` alone does not


def layer(m, seed=0):
    """A layer of drawn weights, the same in both libraries."""
    result = m.nn.Linear(4, 3)
    for p in result.parameters():
        p.data = m.from_numpy(draw(tuple(p.shape), "float32", seed=seed))
    return result


def seen(module, m):
    """Everything there is to see of a pruned module, which has learned once."""
    module(m.ones(2, 4)).sum().backward()
    names = [name for name, _ in module.named_parameters()]
    state = module.state_dict()
    return names, list(state), *state.values(), module.weight, *[p.grad for p in module.parameters()]


def by_size(m):
    prune = m.nn.utils.prune
    return seen(prune.l1_unstructured(prune.l1_unstructured(layer(m), "weight", 0.3), "bias", 1), m)


def by_scores(m):
    scores = m.arange(12.0).reshape(3, 4)
    return seen(m.nn.utils.prune.l1_unstructured(layer(m), "weight", 5, importance_scores=scores), m)


def by_channels(m):
    prune = m.nn.utils.prune
    rows = prune.ln_structured(layer(m), "weight", 1, n=2, dim=0)
    columns = prune.ln_structured(layer(m), "weight", 0.5, n=float("inf"), dim=-1)
    return *seen(rows, m), *seen(columns, m)


def by_mask(m):
    prune, mask = m.nn.utils.prune, m.tensor([[1, 0, 1, 0]]).expand(3, 4)
    return *seen(prune.custom_from_mask(layer(m), "weight", mask), m), *seen(prune.identity(layer(m), "weight"), m)


def again_and_again(m):
    prune = m.nn.utils.prune
    pruned = prune.l1_unstructured(layer(m), "weight", 0.25)
    prune.ln_structured(pruned, "weight", 0.5, n=2, dim=0)
    prune.l1_unstructured(pruned, "weight", 2)
    (hook,) = pruned._forward_pre_hooks.values()
    return (
        *seen(pruned, m),
        [type(method).__name__ for method in hook],
        hook._tensor_name,
        len(hook),
        type(hook[0]).__name__,
    )


def everywhere(m):
    prune, net = m.nn.utils.prune, m.nn.Sequential(layer(m), m.nn.ReLU(), layer(m, 3))
    prune.l1_unstructured(net[0], "weight", 0.2)
    places = [(net[0], "weight"), (net[2], "weight"), (net[2], "bias")]
    prune.global_unstructured(places, pruning_method=prune.L1Unstructured, amount=0.4)
    return [*net.state_dict()], *net.state_dict().values()


def removed(m):
    prune, net = m.nn.utils.prune, m.nn.Sequential(layer(m))
    flags = [prune.is_pruned(net)]
    prune.l1_unstructured(net[0], "weight", 0.5)
    flags.append(prune.is_pruned(net))
    original = net[0].weight_orig
    prune.remove(net[0], "weight")
    flags += [prune.is_pruned(net), net[0].weight is original]
    return flags, [*net.state_dict()], net[0].weight, net(m.ones(4))


def without_a_module(m):
    method, t = m.nn.utils.prune.L1Unstructured(amount=2), m.tensor([3.0, -1.0, 2.0, 0.5])
    return (
        method.prune(t),
        method.prune(t, importance_scores=-t),
        method.prune(t, default_mask=m.tensor([0.0, 1, 1, 1])),
    )


@named(by_size, by_scores, by_channels, by_mask, again_and_again, everywhere, removed, without_a_module)
def test_same_as_torch(function):
    same_program(function)


def test_random_pruning_hits_as_many_as_asked():
    prune = mg.nn.utils.prune
    net = mg.nn.Linear(20, 10)
    prune.random_unstructured(net, "weight", 0.25)
    assert (net.weight_mask == 0).sum().item() == 50
    prune.random_unstructured(net, "weight", 30)
    assert (net.weight_mask == 0).sum().item() == 80
    rows = prune.random_structured(mg.nn.Linear(20, 10), "weight", 3, dim=0).weight_mask
    assert sorted(rows.sum(1).tolist()) == [0] * 3 + [20] * 7


ERRORS = {
    "less than nothing": lambda m: m.nn.utils.prune.l1_unstructured(layer(m), "weight", -1),
    "more than all": lambda m: m.nn.utils.prune.l1_unstructured(layer(m), "weight", 1.5),
    "more than there is": lambda m: m.nn.utils.prune.l1_unstructured(layer(m), "weight", 13),
    "no number": lambda m: m.nn.utils.prune.random_unstructured(layer(m), "weight", "x"),
    "channels of a vector": lambda m: m.nn.utils.prune.ln_structured(layer(m), "bias", 1, 2, 0),
    "channels beyond": lambda m: m.nn.utils.prune.ln_structured(layer(m), "weight", 1, 2, 2),
    "a mask of another shape": lambda m: m.nn.utils.prune.custom_from_mask(layer(m), "weight", m.ones(2)),
    "not pruned": lambda m: m.nn.utils.prune.remove(layer(m), "weight"),
    "nothing to prune": lambda m: m.nn.utils.prune.global_unstructured(3, m.nn.utils.prune.L1Unstructured),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_same_error_as_torch(make):
    same_error(make)


def test_a_failed_attempt_leaves_the_module_alone():
    net = layer(mg)
    with pytest.raises(ValueError, match="should be smaller"):
        mg.nn.utils.prune.l1_unstructured(net, "weight", 13)
    assert list(net.state_dict()) == ["weight", "bias"] and not mg.nn.utils.prune.is_pruned(net)
