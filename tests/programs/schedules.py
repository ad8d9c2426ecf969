"""Learning-rate schedules: what each does to the rate over thirty steps, and a run with two of them after another."""

import math

import torch
from torch import nn
from torch.optim import SGD, AdamW, lr_scheduler

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(-1)
y = torch.sin(x)


def make():
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0, 1))
    return model, SGD(model.parameters(), lr=0.1, momentum=0.9)


schedules = {
    "step": lambda o: lr_scheduler.StepLR(o, 10, 0.5),
    "multistep": lambda o: lr_scheduler.MultiStepLR(o, [5, 20]),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.95),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=30, eta_min=1e-4),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda epoch: 0.9**epoch),
    "linear": lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=10),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, total_iters=30, power=2.0),
    "onecycle": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.2, total_steps=30),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=5, mode="triangular2"),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1, 5), lr_scheduler.ExponentialLR(o, 0.9)], milestones=[5]
    ),
}
rates = {}
for name, schedule in schedules.items():
    model, optimizer = make()
    scheduler = schedule(optimizer)
    rates[name] = 0.0
    for step in range(29):
        optimizer.step()
        scheduler.step()
        rates[name] += scheduler.get_last_lr()[0] * (step + 1)
    print(f"{name:12s} {rates[name]:.6f}")

model, _ = make()
optimizer = AdamW(
    [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 3e-3}], lr=1e-2, weight_decay=1e-3
)
plateau = lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=10)
losses = []
for _ in range(250):
    loss = nn.functional.mse_loss(model(x), y.squeeze())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    plateau.step(loss)
    losses.append(loss.item())
print("OUTCOME", {"first": losses[0], "last": losses[-1], "exact": rates})
