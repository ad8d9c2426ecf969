"""Training on a GPU beside PyTorch's: LeNet-5's step, eagerly and as a CUDA graph, and ResNet-20's accuracy.

    python -m benchmarks.device_training lenet|resnet [--device cpu] [--seconds 3] [--epochs 3] [--images 50000]

Both libraries start from the same weights and see the same batches, in strict float32. A step is forward pass, loss,
backward pass and SGD with momentum; its time is the host's for many steps, until the device has done them. ResNet-20
learns CIFAR-10 from $MINIGRAD_DATA; where that is absent it learns made-up images, and the table says so.
"""

import argparse
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

import minigrad
from minigrad.vision import datasets

from .networks import lenet5, resnet20

ROUNDS = 7
SETTINGS = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
PACKAGES = "numpy", "numba", "numba-cuda", "cuda-core", "cupy-cuda13x", "torch"


def machine():
    """Print what the report was made with, and what a first kernel on the device says."""
    print("| | |\n|---|---|")
    print(f"| Python | {sys.version.split()[0]} |")
    for package in PACKAGES:
        try:
            print(f"| {package} | {version(package)} |")
        except PackageNotFoundError:
            print(f"| {package} | absent |")
    print(f"| our device | {minigrad.cuda.get_device_properties() if minigrad.cuda.is_available() else 'none'} |")
    start = time.perf_counter()
    x = minigrad.ones(16, 16, device="cuda")
    assert (x @ x).sum().item() == 16**3
    print(f"| the first product, with its compilation | {time.perf_counter() - start:.1f} s |")


def torch_twin(network, model, device):
    """The same network in torch, with the same weights."""
    twin = network(torch)
    twin.load_state_dict({name: torch.from_numpy(t.numpy().copy()) for name, t in model.state_dict().items()})
    return twin.to(device)


def step_of(m, model, optimizer, images, labels):
    """A training step in a library, on the images and labels that lie in the same memory every time; gives the loss."""

    def step():
        optimizer.zero_grad()
        loss = m.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def captured(m, step):
    """The step as a CUDA graph: a function that launches it and gives the loss."""
    side = m.cuda.Stream()
    side.wait_stream(m.cuda.current_stream())
    with m.cuda.stream(side):
        for _ in range(3):
            step()
    m.cuda.current_stream().wait_stream(side)
    graph = m.cuda.CUDAGraph()
    with m.cuda.graph(graph):
        loss = step()

    def replay():
        graph.replay()
        return loss

    return replay


def waiting(m, device):
    """What lets the host wait for a library's device."""
    return m.cuda.synchronize if device == "cuda" else lambda: None


def lenet(device, seconds, batch=64):
    """Print milliseconds a step of LeNet-5, each library eagerly and, on a GPU, as a graph."""
    torch_device = "cuda" if torch.cuda.is_available() and device == "cuda" else "cpu"
    random = np.random.default_rng(0)
    images = random.standard_normal((batch, 1, 32, 32), dtype=np.float32)
    labels = random.integers(0, 10, batch)
    minigrad.manual_seed(0)
    model, candidates, losses = lenet5(minigrad), {}, {}
    for m, name, place in ((minigrad, "minigrad", device), (torch, "torch", torch_device)):
        for kind in ("eager", "captured")[: 2 if place == "cuda" else 1]:
            twin = torch_twin(lenet5, model, place) if m is torch else lenet5(minigrad)
            if m is minigrad:
                twin.load_state_dict(model.state_dict())
                twin.to(place)
            x, y = m.from_numpy(images).to(place), m.from_numpy(labels).to(place)
            step = step_of(m, twin, m.optim.SGD(twin.parameters(), lr=1e-3, momentum=0.9), x, y)
            losses[name, kind] = [step().item() for _ in range(3)]
            candidates[name, kind] = (captured(m, step) if kind == "captured" else step), waiting(m, place)
    assert np.ptp([*losses.values()], axis=0).max() < 1e-3, losses
    milliseconds = {}
    for key, (step, wait) in candidates.items():
        start = time.perf_counter()
        step()
        wait()
        calls = max(1, min(200, round(0.05 / (time.perf_counter() - start))))
        times, end = [], time.perf_counter() + seconds
        while len(times) < ROUNDS or time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(calls):
                loss = step()
            wait()
            times.append(1e3 * (time.perf_counter() - start) / calls)
        assert np.isfinite(loss.item())
        milliseconds[key] = statistics.median(times)
    print("| | ms a step |\n|---|---|")
    for (name, kind), median in milliseconds.items():
        print(f"| {name}, {kind} | {median:.3f} |")
    if ours := milliseconds.get(("minigrad", "captured")):
        ratio = milliseconds["torch", "eager"] / ours
        print(f"\ntorch eager takes {ratio:.2f} times as long as ours captured; the goal is 2.")


def cifar(count):
    """(what it is, training images (N, 3, 32, 32) in float32, labels, test images, labels)."""
    try:
        train, test = datasets.CIFAR10(train=True), datasets.CIFAR10(train=False)
    except (FileNotFoundError, RuntimeError):
        random, tests = np.random.default_rng(0), max(100, count // 10)
        patterns = random.standard_normal((10, 3, 32, 32), dtype=np.float32)
        labels = random.integers(0, 10, count + tests)
        images = 0.15 * patterns[labels] + random.standard_normal((count + tests, 3, 32, 32), dtype=np.float32)
        return "MADE-UP images, no CIFAR-10 in $MINIGRAD_DATA", *_halves(images, labels, count)
    images, labels = (
        np.concatenate([np.asarray(getattr(d, name)) for d in (train, test)]) for name in ("data", "targets")
    )
    images = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, deviation = (images.mean((0, 2, 3), keepdims=True), images.std((0, 2, 3), keepdims=True))
    return "CIFAR-10", *_halves((images - mean) / deviation, labels, len(train))


def _halves(images, labels, count):
    return images[:count], labels[:count], images[count:], labels[count:]


def accuracies(m, model, device, data, epochs, batch):
    """([test accuracy after each epoch], seconds an epoch) of a network of a library on a device."""
    images, labels, test_images, test_labels = [m.from_numpy(np.ascontiguousarray(part)).to(device) for part in data]
    optimizer = m.optim.SGD(model.parameters(), **SETTINGS)
    schedule = m.optim.lr_scheduler.MultiStepLR(optimizer, [max(1, round(epochs * 0.6))], gamma=0.1)
    random, history, seconds = np.random.default_rng(1), [], []
    for _ in range(epochs):
        start = time.perf_counter()
        model.train()
        order = random.permutation(len(images))
        for at in range(0, len(order) - batch + 1, batch):
            chosen = m.from_numpy(order[at : at + batch]).to(device)
            mirrored = m.from_numpy(random.random((batch, 1, 1, 1)) < 0.5).to(device)
            x = images[chosen]
            step_of(m, model, optimizer, m.where(mirrored, x.flip(3), x), labels[chosen])()
        schedule.step()
        waiting(m, device)()
        seconds.append(time.perf_counter() - start)
        model.eval()
        hits = 0
        with m.no_grad():
            for at in range(0, len(test_images), 500):
                hits += (model(test_images[at : at + 500]).argmax(1) == test_labels[at : at + 500]).sum().item()
        history.append(hits / len(test_images))
    return history, statistics.median(seconds)


def resnet(device, epochs, count, batch=128):
    """Print ResNet-20's accuracy after each epoch, ours and torch's."""
    what, *data = cifar(count)
    torch_device = "cuda" if torch.cuda.is_available() and device == "cuda" else "cpu"
    minigrad.manual_seed(0)
    model = resnet20(minigrad)
    twin = torch_twin(resnet20, model, torch_device)
    print(f"{what}: {len(data[0])} images to learn from, {len(data[2])} to test with.\n")
    print("| | test accuracy after each epoch, % | seconds an epoch |\n|---|---|---|")
    for m, name, net, place in ((torch, "torch", twin, torch_device), (minigrad, "minigrad", model.to(device), device)):
        history, seconds = accuracies(m, net, place, data, epochs, batch)
        cells = " ".join(f"{100 * accuracy:.2f}" for accuracy in history)
        print(f"| {name}, {place} | {cells} | {seconds:.1f} |", flush=True)


def main(arguments=None):
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["lenet", "resnet"])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each of LeNet-5's candidates")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=20000, help="made-up ones, where there is no CIFAR-10")
    parser.add_argument("--batch", type=int, default=None)
    options = parser.parse_args(arguments)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if options.what == "lenet":
        lenet(options.device, options.seconds, options.batch or 64)
    else:
        resnet(options.device, options.epochs, options.images, options.batch or 128)


if __name__ == "__main__":
    main()
