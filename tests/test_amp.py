"""`amp` on the CPU in float32: nothing is scaled, and programs written for it do the same with and without."""

import pytest
from torch_oracle import named, same_program

import minigrad as mg


def scaled_training(m):
    linear = m.nn.Linear(2, 1)
    with m.no_grad():
        linear.weight.fill_(0.5), linear.bias.fill_(0.25)
    optimizer = m.optim.SGD(linear.parameters(), lr=0.1)
    scaler = m.amp.GradScaler("cpu", enabled=False)
    for _ in range(3):
        optimizer.zero_grad()
        with m.amp.autocast("cpu", enabled=False):
            loss = linear(m.tensor([[1.0, -2.0]])).square().sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 1.0 and not scaler.is_enabled() and scaler.state_dict() == {}
    return linear.weight, linear.bias, loss


@named(scaled_training)
def test_like_torch(function):
    same_program(function)


def test_a_scaler_says_that_it_does_not_scale():
    with pytest.warns(UserWarning, match="Disabling the GradScaler"):
        scaler = mg.amp.GradScaler()
    loss = mg.tensor(3.0)
    assert scaler.get_scale() == 1.0 and scaler.scale(loss).item() == pytest.approx(3.0)
