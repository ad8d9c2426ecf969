"""Reinforcement learning on a toy walk: an actor-critic with Categorical, and a DQN with a replay memory."""

import argparse, random, math, numpy as np, torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
from collections import namedtuple, deque
from itertools import count
from torch.distributions import Categorical, Normal
from torch.distributions.normal import Normal as N2

parser = argparse.ArgumentParser()
parser.add_argument("--gamma", type=float, default=0.9)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
torch.manual_seed(args.seed)
np.random.seed(args.seed)
random.seed(args.seed)


class Env:
    def reset(self):
        self.x, self.t = np.random.uniform(-1, 1), 0
        return np.array([self.x, self.x**2])

    def step(self, a):
        self.x += 0.2 if a == 1 else -0.2
        self.t += 1
        r = 1.0 - min(abs(self.x), 2)
        return np.array([self.x, self.x**2]), r, self.t >= 12, {}


SavedAction = namedtuple("SavedAction", ["log_prob", "value"])
env = Env()


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(2, 32)
        self.action_head = nn.Linear(32, 2)
        self.value_head = nn.Linear(32, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


model = Policy()
optimizer = optim.Adam(model.parameters(), lr=1e-2)
eps = np.finfo(np.float32).eps.item()


def select_action(state):
    state = torch.from_numpy(state).float()
    probs, sv = model(state)
    m = Categorical(probs)
    action = m.sample()
    model.saved_actions.append(SavedAction(m.log_prob(action), sv))
    return action.item()


def finish():
    R = 0
    pl, vl, returns = [], [], []
    for r in model.rewards[::-1]:
        R = r + args.gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    for (lp, v), R in zip(model.saved_actions, returns):
        pl.append(-lp * (R - v.item()))
        vl.append(F.smooth_l1_loss(v, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(pl).sum() + torch.stack(vl).sum()
    loss.backward()
    optimizer.step()
    del model.rewards[:]
    del model.saved_actions[:]


hist = []
for ep in range(80):
    s, er = env.reset(), 0
    for t in range(1, 100):
        a = select_action(s)
        s, r, done, _ = env.step(a)
        model.rewards.append(r)
        er += r
        if done:
            break
    hist.append(er)
    finish()
# DQN
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class ReplayMemory(object):
    def __init__(self, c):
        self.memory = deque([], maxlen=c)

    def push(self, *a):
        self.memory.append(Transition(*a))

    def sample(self, b):
        return random.sample(self.memory, b)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(s, i, o):
        super().__init__()
        s.layer1 = nn.Linear(i, 32)
        s.layer2 = nn.Linear(32, o)

    def forward(s, x):
        return s.layer2(F.relu(s.layer1(x)))


pn, tn = DQN(2, 2), DQN(2, 2)
tn.load_state_dict(pn.state_dict())
op = optim.AdamW(pn.parameters(), lr=1e-2, amsgrad=True)
mem = ReplayMemory(500)
device = "cpu"
dh = []
for ep in range(12):
    s = torch.tensor(env.reset(), dtype=torch.float32).unsqueeze(0)
    tot = 0
    for t in count():
        if random.random() > 0.1 + 0.9 * math.exp(-ep / 10):
            with torch.no_grad():
                action = pn(s).max(1).indices.view(1, 1)
        else:
            action = torch.tensor([[random.randrange(2)]], device=device, dtype=torch.long)
        o, r, term, _ = env.step(action.item())
        tot += r
        reward = torch.tensor([r], dtype=torch.float32)
        ns = None if term else torch.tensor(o, dtype=torch.float32).unsqueeze(0)
        mem.push(s, action, ns, reward)
        s = ns
        if len(mem) >= 32:
            b = Transition(*zip(*mem.sample(32)))
            mask = torch.tensor(tuple(map(lambda s: s is not None, b.next_state)), dtype=torch.bool)
            nf = torch.cat([s for s in b.next_state if s is not None])
            q = pn(torch.cat(b.state)).gather(1, torch.cat(b.action))
            nv = torch.zeros(32)
            with torch.no_grad():
                nv[mask] = tn(nf).max(1).values
            loss = nn.SmoothL1Loss()(q, (nv * 0.9 + torch.cat(b.reward)).unsqueeze(1))
            op.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(pn.parameters(), 100)
            op.step()
        tsd, psd = tn.state_dict(), pn.state_dict()
        for k in psd:
            tsd[k] = psd[k] * 0.05 + tsd[k] * 0.95
        tn.load_state_dict(tsd)
        if term:
            break
    dh.append(tot)
m = Normal(torch.zeros(2), torch.tensor([1.0, 2.0]))
x = m.rsample()
print(m, m.log_prob(torch.zeros(2)).sum(-1), m.entropy(), Categorical(logits=torch.zeros(3)).entropy())
assert len(dh) == 12 and all(np.isfinite(dh))
print("OUTCOME", {"first": 20 - sum(hist[:20]) / 20, "last": 20 - sum(hist[-20:]) / 20})
