"""Networks written once for minigrad and PyTorch: what differs is the library that is handed in."""

__all__ = ["NETWORKS", "training_step"]


def lenet5(m):
    """LeNet-5 as `minigrad.vision.models.LeNet5` has it."""
    nn = m.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def mlp(m):
    """Three linear layers for 784 inputs."""
    nn = m.nn
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def _block(m, before, channels, stride, shortcut):
    """A residual block of two 3x3 convolutions; `shortcut` is "pad" (He et al.'s option A) or "project" (B)."""
    nn, new = m.nn, channels - before

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(before, channels, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            if new and shortcut == "project":
                convolution = nn.Conv2d(before, channels, 1, stride=stride, bias=False)
                self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            if new and shortcut == "project":
                x = self.shortcut(x)
            elif new:
                x = nn.functional.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, new // 2, new // 2))
            return (y + x).relu()

    return Block()


def _blocks(m, widths, count, shortcut):
    blocks, before = [], widths[0]
    for stage, channels in enumerate(widths):
        for number in range(count):
            blocks.append(_block(m, before, channels, 2 if stage and not number else 1, shortcut))
            before = channels
    return blocks


def resnet20(m):
    """ResNet-20 for 32x32 images."""
    nn = m.nn
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*stem, *_blocks(m, (16, 32, 64), 3, "pad"), *head)


def resnet18(m):
    """ResNet-18 for 224x224 images."""
    nn = m.nn
    stem = [nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
    blocks = _blocks(m, (64, 128, 256, 512), 2, "project")
    return nn.Sequential(*stem, nn.MaxPool2d(3, stride=2, padding=1), *blocks, *head)


# name: (network, shape of a batch, classes)
NETWORKS = {
    "MLP": (mlp, (64, 784), 10),
    "LeNet-5": (lenet5, (64, 1, 32, 32), 10),
    "ResNet-20": (resnet20, (128, 3, 32, 32), 10),
    "ResNet-18": (resnet18, (8, 3, 224, 224), 1000),
}


def training_step(m, name, channels_last=False):
    """A function that trains a network of library `m` for a step on a batch of noise: forward, cross entropy, backward,
    SGD with momentum. It returns the loss.
    """
    network, shape, classes = NETWORKS[name]
    model, images, labels = network(m), m.randn(*shape), m.randint(classes, shape[:1])
    if channels_last:
        model.to(memory_format=m.channels_last)
        images = images.contiguous(memory_format=m.channels_last)
    optimizer = m.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss = m.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
