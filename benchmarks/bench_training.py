"""Whole training steps, forward, loss, backward and optimizer, beside the same network in PyTorch.

Run `python -m benchmarks.bench_training [--only TEXT] [--seconds S]`. The networks have the same weights and see the
same batch; torch runs eagerly, with its default memory layout and with channels-last. Two threads each.
"""

import argparse
import sys

import numba
import numpy as np
import torch

import minigrad

from .networks import NETWORKS
from .timing import interleave, machine

THREADS = 2


def steps(network, batch, channels, size, classes):
    """{name: one training step} for a network in minigrad and in both of torch's memory layouts."""
    random = np.random.default_rng(0)
    images = random.standard_normal((batch, channels, size, size), dtype=np.float32)
    labels = random.integers(0, classes, batch)
    ours = network(minigrad)
    weights = {name: torch.from_numpy(t.numpy().copy()) for name, t in ours.state_dict().items()}

    def step_of(m, model, images):
        x, y = images, m.from_numpy(labels)
        optimizer = m.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

        def step():
            optimizer.zero_grad()
            loss = m.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    candidates = {"minigrad": step_of(minigrad, ours, minigrad.from_numpy(images))}
    for name, layout in (("torch NCHW", torch.contiguous_format), ("torch channels-last", torch.channels_last)):
        model = network(torch)
        model.load_state_dict(weights)
        model.to(memory_format=layout)
        candidates[name] = step_of(torch, model, torch.from_numpy(images).contiguous(memory_format=layout))
    losses = {name: step() for name, step in candidates.items()}
    assert max(losses.values()) - min(losses.values()) < 1e-3, losses
    return candidates


def main(arguments=()):
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="the networks with this in their name")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each candidate")
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    numba.set_num_threads(THREADS)
    print(f"## Training steps\n\n{machine()}, torch {torch.__version__}; float32, SGD with momentum; median (best)\n")
    print("| network | minigrad ms | torch NCHW ms | torch channels-last ms | torch's better / minigrad |")
    print("|---|---|---|---|---|")
    for name, (network, batch, *rest) in NETWORKS.items():
        if options.only in name:
            times = interleave(steps(network, batch, *rest), seconds=options.seconds)
            cells = [f"{1e3 * median:.2f} ({1e3 * best:.2f})" for median, best in times.values()]
            medians = [median for median, _ in times.values()]
            print(f"| {name}, batch {batch} | {' | '.join(cells)} | {min(medians[1:]) / medians[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
