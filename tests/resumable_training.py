"""A training run that goes on from its checkpoint: `resumable_training.py FOLDER STEPS WORKERS [KILLED]`.

For the tests. It saves after every step and prints the step's number; with KILLED it kills itself (SIGKILL) in that
step, half-way. WORKERS is how many threads make the batches; "spawn" is one process. Every source of randomness takes
part: minigrad's default generator (dropout), one of the loader's own (order of the data), the streams of the batches
(noise), NumPy's global and own generators, and Python's.
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
from minigrad.utils.data import DataLoader, Dataset

PARTS = "model", "optimizer", "schedule", "loader", "history"


class Noisy(Dataset):
    """Points that are moved whenever they are looked at, and on which side of a plane they were."""

    def __init__(self):
        self.points = mg.randn(50, 6, generator=mg.Generator().manual_seed(6))
        self.labels = (self.points.sum(1) > 0).long()

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return self.points[index] + 0.1 * mg.randn(6), self.labels[index]


class Run:
    """Model, optimizer, schedule, random states, the place in the data, and what has been measured."""

    def __init__(self, workers):
        mg.manual_seed(1)
        random.seed(2)
        np.random.seed(3)
        self.numpy, self.order = np.random.default_rng(4), mg.Generator().manual_seed(5)
        ahead = {"num_workers": 1, "multiprocessing_context": "spawn"} if workers == "spawn" else {}
        ahead = ahead or {"num_workers": int(workers)}
        ahead["persistent_workers"] = ahead["num_workers"] > 0
        self.loader = DataLoader(Noisy(), batch_size=8, shuffle=True, generator=self.order, **ahead)
        hidden = [nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3)]
        self.model = nn.Sequential(nn.Linear(6, 12), *hidden, nn.Linear(12, 2))
        self.optimizer = mg.optim.Adam(self.model.parameters(), lr=0.01, amsgrad=True)
        self.schedule = mg.optim.lr_scheduler.StepLR(self.optimizer, step_size=2, gamma=0.7)
        self.history = mg.History()

    def state(self):
        """Everything that the next steps depend on."""
        return {
            **{part: getattr(self, part).state_dict() for part in PARTS},
            "minigrad": mg.get_rng_state(),
            "order": self.order.get_state(),
            "python": random.getstate(),
            "numpy": np.random.get_state(),
            "own": self.numpy.bit_generator.state,
        }

    def resume(self, state):
        """Go back to where `state` was taken."""
        for part in PARTS:
            getattr(self, part).load_state_dict(state[part])
        mg.set_rng_state(state["minigrad"])
        self.order.set_state(state["order"])
        random.setstate(state["python"])
        np.random.set_state(state["numpy"])
        self.numpy.bit_generator.state = state["own"]

    def epoch(self, killed):
        """Yield after each step of an epoch, or of what is left of it; the process dies in step `killed`."""
        for points, labels in self.history.track(self.loader):
            noise = random.gauss(0, 0.1) + np.random.normal() * 0.1 + self.numpy.normal() * 0.1
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(points + noise), labels)
            loss.backward()
            if self.history.step == killed:
                os.kill(os.getpid(), signal.SIGKILL)
            self.optimizer.step()
            self.history.add(loss=loss, rate=self.schedule.get_last_lr()[0])
            yield
        self.history.add_epoch()
        self.schedule.step()


def main(folder, steps, workers, killed=-1):
    """Train to `steps`, from the checkpoint in `folder` if there is one."""
    path, run = Path(folder) / "checkpoint", Run(workers)
    if path.exists():
        run.resume(mg.load(path))
    while run.history.step < int(steps):
        for _ in run.epoch(int(killed)):
            mg.save(run.state(), path)
            print(run.history.step, flush=True)
            if run.history.step == int(steps):
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
