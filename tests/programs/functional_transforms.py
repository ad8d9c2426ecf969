"""torch.func: per-sample gradients, ensembles by vmap, Jacobians; and meta-learning through inner steps."""

import torch, torch.nn as nn, torch.nn.functional as F, copy
from torch.func import functional_call, vmap, grad, stack_module_state, jacrev, jacfwd, hessian, vjp, jvp

torch.manual_seed(0)


class SimpleCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, 10)

    def forward(self, x):
        return F.log_softmax(self.fc(F.relu(self.conv1(x)).mean((2, 3))), dim=1)


model = SimpleCNN()
data, targets = torch.randn(6, 1, 8, 8), torch.randint(0, 10, (6,))
params = {k: v.detach() for k, v in model.named_parameters()}
buffers = {k: v.detach() for k, v in model.named_buffers()}


def compute_loss(params, buffers, sample, target):
    batch = sample.unsqueeze(0)
    t = target.unsqueeze(0)
    return F.nll_loss(functional_call(model, (params, buffers), (batch,)), t)


ft = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))
g = ft(params, buffers, data, targets)
print({k: tuple(v.shape) for k, v in g.items()})
ps = [
    torch.autograd.grad(F.nll_loss(model(data[i : i + 1]), targets[i : i + 1]), list(model.parameters()))
    for i in range(6)
]
print(all(torch.allclose(a, b, atol=1e-5) for a, b in zip([torch.stack(s) for s in zip(*ps)], g.values())))
models = [SimpleCNN() for _ in range(3)]
P, B = stack_module_state(models)
base = copy.deepcopy(models[0])
out = vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), in_dims=(0, 0, None))(P, B, data)
print(out.shape, torch.allclose(out[1], models[1](data), atol=1e-5))
f = lambda x: (x**3).sum()
x = torch.tensor([1.0, 2.0])
print(
    grad(f)(x),
    jacrev(lambda x: x**2)(x),
    jacfwd(lambda x: x.sin())(x),
    hessian(f)(x),
    vjp(torch.sin, x)[1](torch.ones(2))[0],
    jvp(torch.sin, (x,), (torch.ones(2),))[1],
    vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2)),
    vmap(lambda a, b: a * b, in_dims=(0, None), out_dims=1)(torch.ones(3, 2), x).shape,
)
# MAML
w1, b1, w2, b2 = [
    torch.nn.Parameter(t) for t in (torch.randn(20, 1) * 0.5, torch.zeros(20), torch.randn(1, 20) * 0.2, torch.zeros(1))
]
W = [w1, b1, w2, b2]
mo = torch.optim.Adam(W, 1e-2)
H = []
fw = lambda p, x: F.linear(torch.tanh(F.linear(x, p[0], p[1])), p[2], p[3])
for it in range(80):
    mo.zero_grad()
    tot = 0
    for task in range(4):
        a, ph = torch.rand(1) * 2 + 0.5, torch.rand(1) * 3
        xs, xq = torch.rand(10, 1) * 6 - 3, torch.rand(10, 1) * 6 - 3
        fast = W
        for _ in range(2):
            gr = torch.autograd.grad(F.mse_loss(fw(fast, xs), a * torch.sin(xs + ph)), fast, create_graph=True)
            fast = [p - 0.05 * q for p, q in zip(fast, gr)]
        tot = tot + F.mse_loss(fw(fast, xq), a * torch.sin(xq + ph))
    (tot / 4).backward()
    mo.step()
    H.append(tot.item() / 4)
print("OUTCOME", {"first": sum(H[:10]) / 10, "last": sum(H[-20:]) / 20})
