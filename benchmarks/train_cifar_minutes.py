"""ResNet-20 on CIFAR-10 for a given time: as many epochs as it allows, test accuracy after each.

    python -m benchmarks.train_cifar_minutes [minutes]

The learning rate rises over the first 3% of the time and then falls linearly to zero at its end, whatever the
machine's speed, so that the last epochs are always the fine ones (Li, Yumer & Ramanan, "Budgeted Training", 2020).
Pictures are shifted by up to four pixels and mirrored, as in the paper of ResNet. Testing is not counted. CIFAR-10 is
looked for in $MINIGRAD_DATA.
"""

import sys
import time

import minigrad
from minigrad.nn import functional as F
from minigrad.vision.models import resnet20

from .timing import machine
from .train_resnet_cifar import SETTINGS, loaders

WARMUP = 0.03  # of the time


def rate(spent):
    """The share of the highest learning rate after the share `spent` of the time."""
    return max(0.0, min(spent / WARMUP, (1 - spent) / (1 - WARMUP)))


@minigrad.no_grad()
def accuracy(model, batches):
    """The share of test images whose class the model finds."""
    model.eval()
    hits = [(model(images).argmax(1) == labels).float().mean().item() for images, labels in batches]
    return sum(hits) / len(hits)


def main(minutes=60.0):
    """Train, and print a line an epoch."""
    minigrad.manual_seed(1)
    batches, tests = loaders()
    model = resnet20()
    optimizer = minigrad.optim.SGD(model.parameters(), **SETTINGS)
    print(f"ResNet-20 on CIFAR-10 for {minutes:g} minutes: {machine()}", flush=True)
    spent, steps = 0.0, 0
    while spent < 60 * minutes:
        start = time.perf_counter()
        model.train()
        for images, labels in batches:
            share = (spent + time.perf_counter() - start) / (60 * minutes)
            if share >= 1:
                break
            optimizer.param_groups[0]["lr"] = SETTINGS["lr"] * rate(share)
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            steps += 1
        spent += time.perf_counter() - start
        found = accuracy(model, tests)
        print(f"{spent / 60:5.1f} min, {steps / len(batches):5.2f} epochs: test accuracy {found:.2%}", flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
