"""A training run that goes on from its checkpoint, for the tests: `resumable_training.py FOLDER STEPS [KILLED]`.

It saves after every step and prints the step's number; with KILLED it kills itself (SIGKILL) in that step, half-way.
Every source of randomness takes part: minigrad's default generator (dropout), one of the run's own (order of the data),
NumPy's global and own generators, and Python's.
"""

import os
import random
import signal
import sys
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

BATCH = 8


class Run:
    """Model, optimizer, schedule, random states and the place in the data."""

    def __init__(self):
        mg.manual_seed(1)
        random.seed(2)
        np.random.seed(3)
        self.numpy, self.order = np.random.default_rng(4), mg.Generator().manual_seed(5)
        self.data = mg.randn(64, 6, generator=mg.Generator().manual_seed(6))
        self.labels = (self.data.sum(1) > 0).long()
        hidden = [nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3)]
        self.model = nn.Sequential(nn.Linear(6, 12), *hidden, nn.Linear(12, 2))
        self.optimizer = mg.optim.Adam(self.model.parameters(), lr=0.01, amsgrad=True)
        self.schedule = mg.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.7)
        self.step, self.losses, self.permutation = 0, [], None

    def state(self):
        """Everything that the next steps depend on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "minigrad": mg.get_rng_state(),
            "order": self.order.get_state(),
            "python": random.getstate(),
            "numpy": np.random.get_state(),
            "own": self.numpy.bit_generator.state,
            "step": self.step,
            "losses": self.losses,
            "permutation": self.permutation,
        }

    def resume(self, state):
        """Go back to where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        mg.set_rng_state(state["minigrad"])
        self.order.set_state(state["order"])
        random.setstate(state["python"])
        np.random.set_state(state["numpy"])
        self.numpy.bit_generator.state = state["own"]
        self.step, self.losses, self.permutation = state["step"], state["losses"], state["permutation"]

    def train(self, killed):
        """One step, in which the process dies if it is step `killed`."""
        batches = len(self.data) // BATCH
        batch = self.step % batches
        if batch == 0:
            self.permutation = mg.randperm(len(self.data), generator=self.order)
        chosen = self.permutation[batch * BATCH : (batch + 1) * BATCH]
        noise = random.gauss(0, 0.1) + np.random.normal() * 0.1 + self.numpy.normal() * 0.1
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.data[chosen] + noise), self.labels[chosen])
        loss.backward()
        if self.step == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        self.optimizer.step()
        self.losses.append(loss.item())
        self.step += 1
        if self.step % batches == 0:
            self.schedule.step()


def main(folder, steps, killed=-1):
    """Train to `steps`, from the checkpoint in `folder` if there is one."""
    path, run = Path(folder) / "checkpoint", Run()
    if path.exists():
        run.resume(mg.load(path))
    while run.step < int(steps):
        run.train(int(killed))
        mg.save(run.state(), path)
        print(run.step, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
