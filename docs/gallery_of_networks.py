"""The explored networks of the gallery, written by the public API: `python docs/gallery_of_networks.py FOLDER`.

Each is one training step on a few samples, so that a page holds all its numbers. The docs' build calls `write`.
"""

import sys
from pathlib import Path

import minigrad
from minigrad import nn, optim, viz
from minigrad.nn import functional as F
from minigrad.vision.models import LeNet5, resnet18


def first_steps():
    """The three operations of How the engine works."""
    w = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = w * minigrad.tensor([3.0, 4.0])
    return (y * y).sum()


def lenet():
    """LeNet-5 on two images."""
    return F.cross_entropy(LeNet5()(minigrad.rand(2, 1, 32, 32)), minigrad.tensor([3, 7]))


def resnet():
    """ResNet-18 on one image of 32 x 32 and another."""
    return F.cross_entropy(resnet18(num_classes=10)(minigrad.rand(2, 3, 32, 32)), minigrad.tensor([1, 5]))


def lstm():
    """An LSTM that reads three steps and guesses what comes next."""
    reader, head = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 4)
    states, _ = reader(minigrad.rand(2, 3, 4))
    return F.mse_loss(head(states[:, -1]), minigrad.rand(2, 4))


def gan(path):
    """Both steps of a GAN: the discriminator learns, then the generator through it."""
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    steps = [optim.SGD(model.parameters(), lr=0.1) for model in (discriminator, generator)]
    real, noise = minigrad.rand(3, 4), minigrad.randn(3, 2)
    yes, no = minigrad.ones(3, 1), minigrad.zeros(3, 1)
    with viz.record("A step of a GAN") as recording:
        fake = generator(noise)
        losses = F.binary_cross_entropy_with_logits(discriminator(real), yes)
        losses = losses + F.binary_cross_entropy_with_logits(discriminator(fake.detach()), no)
        losses.backward()
        steps[0].step()
        steps[1].zero_grad()
        F.binary_cross_entropy_with_logits(discriminator(fake), yes).backward()
        steps[1].step()
    recording.save(path)


NETWORKS = {
    "first-steps": ("Three operations", first_steps),
    "lenet": ("LeNet-5", lenet),
    "resnet18": ("ResNet-18", resnet),
    "lstm": ("LSTM", lstm),
}


def write(folder):
    """Write the explorers into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, loss) in NETWORKS.items():
        minigrad.manual_seed(0)
        viz.explore(loss(), folder / f"{name}.html", title=title)
    minigrad.manual_seed(0)
    gan(folder / "gan.html")


if __name__ == "__main__":
    write(*sys.argv[1:])
