"""ResNet-20 trained on CIFAR-10 by minigrad and by PyTorch: accuracy after each epoch and seconds an epoch.

    python -m benchmarks.train_resnet_cifar [epochs]

Both start from the same weights and see the same batches, from minigrad's loader; an epoch's seconds include it.
Needs CIFAR-10 in $MINIGRAD_DATA. Takes some minutes.
"""

import sys
import time

import numpy as np
import torch

import minigrad
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader
from minigrad.vision import datasets, transforms

from .bench_training import THREADS
from .networks import resnet20
from .timing import machine

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SETTINGS = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}


def loaders():
    """(training batches, augmented and shuffled; test batches)."""
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmented = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *plain]
    train = datasets.CIFAR10(train=True, transform=transforms.Compose(augmented))
    test = datasets.CIFAR10(train=False, transform=transforms.Compose(plain))
    return DataLoader(train, 128, shuffle=True, drop_last=True), DataLoader(test, 500)


class Minigrad:
    """Our network, as the loop below needs it."""

    name = "minigrad"

    def __init__(self, epochs):
        self.model = resnet20(minigrad)
        self.optimizer = minigrad.optim.SGD(self.model.parameters(), **SETTINGS)
        milestones = [round(epochs * 0.5), round(epochs * 0.8)]
        self.schedule = minigrad.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=0.1)

    def step(self, images, labels):
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(images), labels).backward()
        self.optimizer.step()

    def scores(self, images):
        with minigrad.no_grad():
            return self.model(images).numpy()


class Torch:
    """The same network in PyTorch, with its weights, in the memory layout that is faster for it."""

    name = "torch, channels-last"

    def __init__(self, epochs, weights):
        self.model = resnet20(torch)
        self.model.load_state_dict({name: torch.from_numpy(t.numpy().copy()) for name, t in weights.items()})
        self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), **SETTINGS)
        milestones = [round(epochs * 0.5), round(epochs * 0.8)]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=0.1)

    def _images(self, images):
        return torch.from_numpy(images.numpy()).contiguous(memory_format=torch.channels_last)

    def step(self, images, labels):
        self.optimizer.zero_grad()
        scores = self.model(self._images(images))
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels.numpy())).backward()
        self.optimizer.step()

    def scores(self, images):
        with torch.no_grad():
            return self.model(self._images(images)).numpy()


def train(trainer, epochs):
    """[(test accuracy, seconds)] of each epoch."""
    minigrad.manual_seed(1)
    batches, tests = loaders()
    history = []
    for _ in range(epochs):
        start = time.perf_counter()
        trainer.model.train()
        for images, labels in batches:
            trainer.step(images, labels)
        trainer.schedule.step()
        seconds = time.perf_counter() - start
        trainer.model.eval()
        hits = [trainer.scores(images).argmax(1) == labels.numpy() for images, labels in tests]
        history.append((float(np.concatenate(hits).mean()), seconds))
        print(f"{trainer.name}: {history[-1][0]:.2%}, {seconds:.1f} s", file=sys.stderr, flush=True)
    return history


def main(epochs=5):
    """Train both and print the table."""
    torch.set_num_threads(THREADS)
    minigrad.manual_seed(0)
    ours = Minigrad(epochs)
    theirs = Torch(epochs, ours.model.state_dict())
    print(f"## ResNet-20 on CIFAR-10, {epochs} epochs\n\n{machine()}, torch {torch.__version__}\n")
    print("| | test accuracy after each epoch, % | seconds an epoch (median) |\n|---|---|---|")
    for trainer in (ours, theirs):
        history = train(trainer, epochs)
        accuracies = " ".join(f"{100 * accuracy:.2f}" for accuracy, _ in history)
        print(f"| {trainer.name} | {accuracies} | {np.median([s for _, s in history]):.1f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
