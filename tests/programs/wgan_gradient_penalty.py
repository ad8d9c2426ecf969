"""A Wasserstein GAN with gradient penalty on points in the plane: gradients of gradients."""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn

torch.manual_seed(12)
np.random.seed(12)
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
generator = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
one = torch.tensor(1, dtype=torch.float)
mone = one * -1


def real_batch(n):
    centers = np.array([[2, 0], [-2, 0], [0, 2], [0, -2]], dtype=np.float32)
    points = centers[np.random.randint(0, 4, n)] + 0.1 * np.random.randn(n, 2)
    return torch.from_numpy(points.astype("float32"))


def calc_gradient_penalty(net, real_data, fake_data):
    alpha = torch.rand(real_data.size(0), 1)
    alpha = alpha.expand(real_data.size())
    interpolates = alpha * real_data + ((1 - alpha) * fake_data)
    interpolates = autograd.Variable(interpolates, requires_grad=True)
    disc_interpolates = net(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones(disc_interpolates.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * 10


distances = []
for iteration in range(60):
    for p in critic.parameters():
        p.requires_grad = True
    for _ in range(5):
        real = real_batch(128)
        critic.zero_grad()
        d_real = critic(real).mean()
        d_real.backward(mone)
        with torch.no_grad():
            fake = generator(torch.randn(128, 4))
        d_fake = critic(fake).mean()
        d_fake.backward(one)
        penalty = calc_gradient_penalty(critic, real.data, fake.data)
        penalty.backward()
        optimizer_d.step()
    for p in critic.parameters():
        p.requires_grad = False
    generator.zero_grad()
    g = critic(generator(torch.randn(128, 4))).mean()
    g.backward(mone)
    optimizer_g.step()
    distances.append((d_real - d_fake).item())
with torch.no_grad():
    radius = generator(torch.randn(512, 4)).norm(dim=1).mean().item()
print("OUTCOME", {"first": float(np.mean(distances[5:15])), "last": float(np.mean(distances[-10:])), "radius": radius})
