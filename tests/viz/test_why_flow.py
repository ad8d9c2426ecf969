"""`explain_grad` of a gradient that is there: its parts, and in how many ways it came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_steps import leaf, randn, recorded

import minigrad as mg
from minigrad import nn, optim, viz
from minigrad.viz import explain_grad


def test_contributions_and_ways():
    def step():
        w = leaf(3, 4)
        h = w * 2
        return w, (h.relu() + h + w.sin()).sum()

    tensor, loss, _ = recorded(step)
    found = explain_grad(tensor)
    assert found.state == "flows" and found.paths == 3
    array = tensor.detach().numpy().astype(np.float64)
    norms = {"Mul": np.linalg.norm(2.0 * (array > 0) + 2), "Sin": np.linalg.norm(np.cos(array))}
    assert {c.node.name(): pytest.approx(c.norm, rel=1e-5) for c in found.contributions} == norms
    assert [c.share for c in found.contributions] == sorted((c.share for c in found.contributions), reverse=True)
    assert sum(c.share for c in found.contributions) == pytest.approx(1)
    assert found.norm == pytest.approx(np.linalg.norm(tensor.grad.numpy()), rel=1e-5)
    assert "3 ways through 6 operations" in str(found)
    # the graph alone says the same, but for the lines
    tensor, loss = step()
    alone = explain_grad(tensor, loss)
    assert (alone.paths, alone.norm) == (3, pytest.approx(found.norm))
    loss.backward()
    freed = explain_grad(tensor, loss)
    assert (freed.state, freed.paths) == ("flows", 3) and "freed" in str(freed)


@given(st.integers(0, 40))
def test_ways_through_residual_diamonds_double_with_each(depth):
    x = leaf(2)
    h = x * 1
    for _ in range(depth):
        h = h.tanh() + h
    found = explain_grad(x, h.sum())
    assert found.paths == 2**depth
    assert f"{2**depth:,} way" in str(found)


def test_several_passes_add_up():
    weight = leaf(3)
    with viz.record():
        for factor in (1.0, 2.0):
            (weight * factor).sum().backward()
    found = explain_grad(weight)
    assert found.norm == pytest.approx(3 * 3**0.5) and found.paths == 2
    assert "2 backward passes" in str(found)


def _passes(text):
    return [line for line in str(text).splitlines() if "backward passes" in line]


def test_only_passes_that_reached_the_tensor_are_counted():
    generator, critic = nn.Linear(4, 3), nn.Linear(3, 1)
    with viz.record():
        fake = generator(randn(6, 4))
        critic(fake.detach()).square().mean().backward()
        (critic(fake) - 1).square().mean().backward()
    assert not _passes(explain_grad(generator.weight))
    assert _passes(explain_grad(critic.weight)) == ["2 backward passes have added to it."]


@pytest.mark.parametrize("to_none", [True, False])
def test_passes_before_zero_grad_are_not_counted(to_none):
    model, x = nn.Linear(3, 1), randn(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with viz.record():
        for _ in range(3):
            optimizer.zero_grad(set_to_none=to_none)
            model(x).square().mean().backward()
            optimizer.step()
    found = explain_grad(model.weight)
    assert not _passes(found) and found.paths == 1 and ".grad itself" not in str(found)
    assert found.norm == pytest.approx(np.linalg.norm(model.weight.grad.numpy()), rel=1e-5)


def test_passes_on_both_sides_of_an_optimizers_step_add_up():
    generator, critic = nn.Linear(4, 3), nn.Linear(3, 1)
    steps = [optim.SGD(net.parameters(), lr=0.1) for net in (critic, generator)]
    with viz.record():
        fake = generator(randn(6, 4))
        steps[0].zero_grad()
        first = critic(fake.detach()).square().mean()
        first.backward()
        alone = float(np.linalg.norm(critic.weight.grad.numpy()))
        steps[0].step()
        (critic(fake) - 1).square().mean().backward()
    found = explain_grad(critic.weight)
    assert _passes(found) == ["2 backward passes have added to it."] and len(found.contributions) == 2
    assert found.paths == 2 and ".grad itself" not in str(found)
    assert found.norm == pytest.approx(np.linalg.norm(critic.weight.grad.numpy()), rel=1e-5)
    assert explain_grad(critic.weight, first).norm == pytest.approx(alone, rel=1e-5)


def test_a_parameter_has_its_gradient_still_when_it_is_used_after_the_step():
    model, x = nn.Linear(3, 1), randn(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with viz.record():
        model(x).square().mean().backward()
        optimizer.step()
        with mg.no_grad():
            model(x)
    found = explain_grad(model.weight)
    assert (found.state, found.cause) == ("flows", "")


def test_only_the_passes_of_the_loss_count():
    weight = leaf(3)
    with viz.record():
        first, second = (weight * 1.0).sum(), (weight * 2.0).sum()
        first.backward()
        second.backward()
    assert explain_grad(weight, first).norm == pytest.approx(3**0.5)
    assert explain_grad(weight, second).norm == pytest.approx(2 * 3**0.5)


def test_parameters_have_their_names_and_lines():
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with viz.record():
        loss = model(randn(5, 3)).square().mean()
        loss.backward()
    text = str(explain_grad(model[0].weight))
    assert text.startswith("model.0.weight: a gradient of norm")
    assert f"{np.linalg.norm(model[0].weight.grad.numpy()):.4g}" in text
    assert "model.0.weight ← Linear ← ReLU ← Linear ← " in text


def test_the_root_itself_many_parts_and_parts_that_partly_cancel():
    x = mg.ones(3, requires_grad=True)
    with viz.record():
        total = sum((x * float(i) for i in range(1, 11)), x * 0.5).sum()
        total.retain_grad()
        total.backward()
    assert str(explain_grad(total)).endswith("It is what the backward pass started with.")
    found = explain_grad(x)
    assert [round(part.norm / 3**0.5, 3) for part in found.contributions] == [*range(10, 0, -1), 0.5]
    assert "It is the sum of 11 parts:" in str(found) and "  and 3 smaller ones\n" in str(found)
    assert "cancel" not in str(found) and found.paths == 11
    y = mg.ones(3, requires_grad=True)
    with viz.record():
        (y * 3 - y * 2).sum().backward()
    assert "The parts partly cancel: their norms sum to 8.66.\n2 ways through 4 operations: y ←" in str(explain_grad(y))


def test_nan_in_a_gradient_is_counted():
    x = mg.tensor([0.0, 4.0], requires_grad=True)
    with viz.record():
        (x.sqrt() * mg.tensor([0.0, 1.0])).sum().backward()
    assert "1 of its 2 elements are NaN or infinite" in str(explain_grad(x))


def test_a_long_chain_is_walked_without_recursion():
    x = leaf(1)
    h = x
    for _ in range(3000):
        h = h + 1.0
    assert explain_grad(x, h.sum()).paths == 1
    with viz.record():
        h = x
        for _ in range(3000):
            h = h * 1.0
        (h.detach() + 1.0).requires_grad_().sum().backward()
    assert explain_grad(x).cause == "detached"


def test_looking_changes_nothing():
    x = leaf(3)
    h = x * 2
    h.retain_grad()
    loss = (h * h).sum()
    explain_grad(x, loss)
    explain_grad(h, loss)
    assert x.grad is None and h.grad is None
    loss.backward()
    np.testing.assert_allclose(h.grad.numpy(), 2 * h.detach().numpy())


def test_misuse():
    x = leaf(3)
    with pytest.raises(TypeError, match="explain_grad needs a tensor as tensor, got a list"):
        explain_grad([x])
    with pytest.raises(TypeError, match="explain_grad needs a tensor as loss, got a float"):
        explain_grad(x, 1.0)
    with viz.record() as recording:
        (x * 2).sum()
    assert explain_grad(leaf(2), recording=recording).cause == "not_recorded"
    assert explain_grad(x, mg.ones(())).cause == "loss_without_graph"
