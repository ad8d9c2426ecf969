"""Whole training steps, forward, loss, backward and optimizer, beside the same network in PyTorch.

The networks have the same weights and see the same batch; torch runs eagerly, with its default memory layout and with
channels-last. Two threads each unless OMP_NUM_THREADS and NUMBA_NUM_THREADS say otherwise.
"""

import numba
import numpy as np
import torch

import minigrad
from minigrad import optim
from minigrad.nn import functional as F
from minigrad.vision import models

from .timing import interleave, machine

THREADS = 2
BATCHES = {"LeNet-5": (64, 1), "ResNet-20": (128, 3)}


class TorchLeNet5(torch.nn.Module):
    """`minigrad.vision.models.LeNet5`, in PyTorch."""

    def __init__(self):
        super().__init__()
        self.c1, self.c3, self.c5 = (torch.nn.Conv2d(*size, 5) for size in ((1, 6), (6, 16), (16, 120)))
        self.f6, self.output = torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)

    def forward(self, x):
        pool = torch.nn.functional.avg_pool2d
        x = pool(self.c1(x).tanh(), 2)
        x = pool(self.c3(x).tanh(), 2)
        return self.output(self.f6(self.c5(x).tanh().flatten(1)).tanh())


class TorchBlock(torch.nn.Module):
    """The residual block of `minigrad.vision.models.ResNetCIFAR`, in PyTorch."""

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.stride, self.new_channels = stride, channels - in_channels

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.new_channels:
            half = self.new_channels // 2
            x = torch.nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        return (y + x).relu()


class TorchResNet20(torch.nn.Module):
    """`minigrad.vision.models.resnet20()`, in PyTorch."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for number, (before, channels, stride) in enumerate(widths, 1):
            blocks = [TorchBlock(before, channels, stride), *(TorchBlock(channels, channels, 1) for _ in range(2))]
            setattr(self, f"stage{number}", torch.nn.Sequential(*blocks))
        self.fc = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(self.bn1(self.conv1(x)).relu())))
        return self.fc(torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def steps(ours, theirs, batch, channels):
    """{name: one training step} for our network and for theirs in both memory layouts."""
    random = np.random.default_rng(0)
    images = random.standard_normal((batch, channels, 32, 32), dtype=np.float32)
    labels = random.integers(0, 10, batch)
    theirs.load_state_dict({name: torch.from_numpy(t.numpy().copy()) for name, t in ours.state_dict().items()})

    def our_step():
        optimizer.zero_grad()
        loss = F.cross_entropy(ours(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def torch_step(model, x, y, optimizer):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    x, y = minigrad.from_numpy(images), minigrad.from_numpy(labels)
    optimizer = optim.SGD(ours.parameters(), lr=1e-3, momentum=0.9)
    candidates = {"minigrad": our_step}
    for layout in (torch.contiguous_format, torch.channels_last):
        model = type(theirs)()
        model.load_state_dict(theirs.state_dict())
        model.to(memory_format=layout)
        batch_of = torch.from_numpy(images).contiguous(memory_format=layout)
        arguments = (
            model,
            batch_of,
            torch.from_numpy(labels),
            torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9),
        )
        name = "torch NCHW" if layout is torch.contiguous_format else "torch channels-last"
        candidates[name] = lambda arguments=arguments: torch_step(*arguments)
    losses = {name: step() for name, step in candidates.items()}
    assert max(losses.values()) - min(losses.values()) < 1e-4, losses
    return candidates


def main():
    """Print the table."""
    torch.set_num_threads(THREADS)
    numba.set_num_threads(THREADS)
    print(f"## Training steps\n\n{machine()}, torch {torch.__version__}; float32, SGD with momentum; median (best)\n")
    print("| network | minigrad ms | torch NCHW ms | torch channels-last ms | torch's better / minigrad |")
    print("|---|---|---|---|---|")
    for name, ours, theirs in (
        ("LeNet-5", models.LeNet5(), TorchLeNet5()),
        ("ResNet-20", models.resnet20(), TorchResNet20()),
    ):
        batch, channels = BATCHES[name]
        times = interleave(steps(ours, theirs, batch, channels), seconds=5)
        cells = [f"{1e3 * median:.2f} ({1e3 * best:.2f})" for median, best in times.values()]
        medians = [median for median, _ in times.values()]
        print(f"| {name}, batch {batch} | {' | '.join(cells)} | {min(medians[1:]) / medians[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
