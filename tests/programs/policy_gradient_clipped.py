"""Clipped policy gradients with a multivariate normal policy; squashed normals, mixtures and divergences."""

import torch, torch.nn as nn, numpy as np
from torch.distributions import (
    MultivariateNormal,
    Normal,
    Independent,
    TransformedDistribution,
    Beta,
    Bernoulli,
    kl_divergence,
)
from torch.distributions.transforms import TanhTransform
import torch.distributions as D

torch.manual_seed(0)


class ActorCritic(nn.Module):
    def __init__(self, s, a):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(s, 32), nn.Tanh(), nn.Linear(32, a), nn.Tanh())
        self.critic = nn.Sequential(nn.Linear(s, 32), nn.Tanh(), nn.Linear(32, 1))
        self.action_var = torch.full((a,), 0.36)

    def forward(self):
        raise NotImplementedError

    def act(self, state):
        mean = self.actor(state)
        cov = torch.diag(self.action_var).unsqueeze(dim=0)
        dist = MultivariateNormal(mean, cov)
        a = dist.sample()
        return a.detach(), dist.log_prob(a).detach()

    def evaluate(self, state, action):
        mean = self.actor(state)
        var = self.action_var.expand_as(mean)
        dist = MultivariateNormal(mean, torch.diag_embed(var))
        return dist.log_prob(action), self.critic(state), dist.entropy()


pol, old = ActorCritic(3, 2), ActorCritic(3, 2)
old.load_state_dict(pol.state_dict())
opt = torch.optim.Adam(
    [{"params": pol.actor.parameters(), "lr": 0.01}, {"params": pol.critic.parameters(), "lr": 0.01}]
)
mse = nn.MSELoss()
H = []
for it in range(20):
    S = torch.randn(128, 3)
    with torch.no_grad():
        A, LP = old.act(S)
    R = -((A - 0.5) ** 2).sum(-1)
    Rn = (R - R.mean()) / (R.std() + 1e-7)
    for _ in range(4):
        lp, v, ent = pol.evaluate(S, A)
        v = torch.squeeze(v)
        ratios = torch.exp(lp - LP.detach())
        adv = Rn - v.detach()
        s1 = ratios * adv
        s2 = torch.clamp(ratios, 0.8, 1.2) * adv
        loss = -torch.min(s1, s2) + 0.5 * mse(v, Rn) - 0.01 * ent
        opt.zero_grad()
        loss.mean().backward()
        opt.step()
    old.load_state_dict(pol.state_dict())
    H.append(-R.mean().item())
mu, ls = torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
d = TransformedDistribution(Independent(Normal(mu, ls.exp()), 1), TanhTransform(cache_size=1))
a = d.rsample()
lp = d.log_prob(a)
lp.mean().backward()
print(lp.shape, mu.grad.shape, a.abs().max() < 1)
lp2 = Normal(mu, 1.0).log_prob(a) - torch.log(1 - a.pow(2) + 1e-6)
print(lp2.sum(1, keepdim=True).shape)
print(
    kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0)),
    D.kl.kl_divergence(Bernoulli(torch.tensor([0.2])), Bernoulli(torch.tensor([0.5]))),
    Beta(torch.tensor([2.0]), torch.tensor([3.0])).mean,
    D.Categorical(torch.ones(4)).sample((3,)).shape,
)
mix = D.MixtureSameFamily(D.Categorical(torch.ones(2)), D.Normal(torch.tensor([-1.0, 1.0]), torch.tensor([0.5, 0.5])))
print(mix.log_prob(torch.tensor(0.0)), mix.sample((5,)).shape)
try:
    Normal(0.0, -1.0)
except ValueError as e:
    print(str(e).splitlines()[0])
print("OUTCOME", {"first": H[0], "last": H[-1]})
