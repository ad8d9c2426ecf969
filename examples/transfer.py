"""Transfer learning: a network that knows the digits 0 to 4 learns 5 to 9 from a few images of each.

    python examples/transfer.py                # 2 images of each new digit
    python examples/transfer.py --shots 20

A small ResNet is trained on all images of 0 to 4, in all four orientations: it has to tell which digit it is and how it
is turned, so that it learns about shapes and not only about five digits (Gidaris et al. 2018, "Unsupervised
representation learning by predicting image rotations"). Then three networks learn the new digits from the same few
images: one from scratch; one with the pretrained layers frozen and a new head; one that starts like that and then
trains all layers. Everything is repeated with other weights and images. Prints a table of the accuracies on the test
images of the new digits, and draws runs/transfer/accuracy.png. The images are the scanned digits of scikit-learn.
"""

import argparse
from pathlib import Path

import numpy as np
from training import accuracy, run_main

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset
from minigrad.vision import datasets, transforms
from minigrad.vision.models import ResNetCIFAR


def load(train, classes):
    """The images of some digits, (N, 1, 8, 8), and their classes, counted from 0."""
    prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.3,), (0.35,))])
    digits = datasets.Digits(train=train, transform=prepare)
    images, labels = next(iter(DataLoader(digits, len(digits))))
    chosen = (labels >= classes[0]) & (labels <= classes[-1])
    return TensorDataset(images[chosen], labels[chosen] - classes[0])


def turned(dataset):
    """Every image in four orientations, each of which makes classes of its own."""
    images, labels = dataset.tensors
    classes = int(labels.max()) + 1
    turns = [(images.rot90(turn, (2, 3)), labels + classes * turn) for turn in range(4)]
    return TensorDataset(*map(minigrad.cat, zip(*turns)))


def few(dataset, shots):
    """A random choice of `shots` images of each class."""
    images, labels = dataset.tensors
    order = minigrad.randperm(len(labels))
    places = minigrad.cat([order[labels[order] == label][:shots] for label in labels.unique()])
    return TensorDataset(images[places], labels[places])


def network(classes):
    """A ResNet of 8 layers for grey images."""
    model = ResNetCIFAR(1, classes)
    model.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
    return model


def pretrained(state):
    """A network with the layers of `state`, frozen, and a new head for five classes."""
    model = network(classes=len(state["fc.bias"]))
    model.load_state_dict(state)
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, 5)
    return model


def train(model, data, epochs, lr, history, test_loader):
    """Train whatever is not frozen; `history` gets losses, and the accuracy on the test images after each epoch."""
    frozen = not model.conv1.weight.requires_grad
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optim.SGD(weights, lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loader = DataLoader(data, batch_size=min(32, len(data)), shuffle=True, drop_last=True)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        model.train(not frozen)  # frozen normalisation uses the statistics that it has learned
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
            history.add(loss=loss)
        history.add_epoch(test_accuracy=accuracy(model, test_loader))


def scratch(state, data, epochs, history, test_loader):
    """All layers, from random weights."""
    train(network(classes=5), data, epochs, 0.05, history, test_loader)


def head(state, data, epochs, history, test_loader):
    """The head on frozen layers."""
    train(pretrained(state), data, epochs, 0.05, history, test_loader)


def finetune(state, data, epochs, history, test_loader):
    """The head on frozen layers for a quarter of the epochs, then all layers."""
    model = pretrained(state)
    train(model, data, epochs // 4, 0.05, history, test_loader)
    model.requires_grad_(True)
    train(model, data, epochs - epochs // 4, 0.05, history, test_loader)


WAYS = {"from scratch": scratch, "new head, rest frozen": head, "new head, then all layers": finetune}


def plot(curves, path):
    """The test accuracy after each epoch, for each way: the mean over the repetitions, and their range."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for way, curve in curves.items():
        epochs = np.arange(1, len(curve[0]) + 1)
        axis.plot(epochs, 100 * np.mean(curve, 0), label=way)
        axis.fill_between(epochs, 100 * np.min(curve, 0), 100 * np.max(curve, 0), alpha=0.15)
    axis.set(xlabel="epoch", ylabel="%", title="test accuracy on the new digits", ylim=(0, 100))
    axis.legend(loc="lower right")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=2, help="images of each new digit (default: 2)")
    parser.add_argument(
        "--repeats", type=int, default=6, help="how often, with other weights and images each (default: 6)"
    )
    parser.add_argument(
        "--epochs", type=int, default=40, help="over the few images, and a tenth as many before (default: 40)"
    )
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"), help="output folder")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    minigrad.manual_seed(args.seed)

    old, new = range(5), range(5, 10)
    source, source_loader = turned(load(True, old)), DataLoader(turned(load(False, old)), 500)
    images, test_loader = load(True, new), DataLoader(load(False, new), 500)
    before, curves = [], {way: [] for way in WAYS}
    for _ in minigrad.History().track(range(args.repeats), "repetitions", unit="time"):
        model, history = network(classes=20), minigrad.History()
        train(model, source, max(1, args.epochs // 10), 0.1, history, source_loader)
        before.append(history["test_accuracy"][-1])
        data = few(images, args.shots)
        for way, learn in WAYS.items():
            history = minigrad.History()
            learn(model.state_dict(), data, args.epochs, history, test_loader)
            curves[way].append(history["test_accuracy"])
    print(f"pretrained on {len(source):,} images of 0 to 4, turned: test accuracy {np.mean(before):.1%}")
    print(f"{args.shots} images of each of 5 to 9, {args.repeats} times:      accuracy   lowest  highest")
    for way, curve in curves.items():
        last = np.array(curve)[:, -1]
        print(f"{way:42}{last.mean():10.1%}{last.min():9.1%}{last.max():9.1%}")
    plot(curves, args.out / "accuracy.png")
    print(f"the curves are in {args.out / 'accuracy.png'}")


if __name__ == "__main__":
    run_main(main)
