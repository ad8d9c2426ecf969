"""The networks of the benchmarks, each written once for any library with PyTorch's names: `m` is minigrad or torch.

The blocks of the residual networks call what minigrad's own do, `minigrad.nn.fusion.norm_activation`, which in torch is
its definition; "ResNet-20, apart" is written as for torch in both.
"""

from functools import partial

from minigrad.nn.fusion import norm_activation


def lenet5(m):
    """LeNet-5 (LeCun et al. 1998) for 32 x 32 images of one channel."""
    nn = m.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def _apart(norm, relu, x, residual=None):
    """relu(norm(x) + residual)."""
    x = norm(x)
    if residual is not None:
        x += residual
    return relu(x)


def _basic_block(m, before, channels, stride, shortcut, apart):
    """Two 3 x 3 convolutions with batch norm around a shortcut (He et al. 2015)."""
    nn = m.nn
    norm_relu = _apart if apart or m.__name__ == "torch" else norm_activation

    class BasicBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(before, channels, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut = shortcut

        def forward(self, x):
            y = norm_relu(self.bn1, self.relu, self.conv1(x))
            return norm_relu(self.bn2, self.relu, self.conv2(y), self.shortcut(x))

    return BasicBlock()


def resnet20(m, apart=False):
    """ResNet-20 for 32 x 32 images (He et al. 2015, section 4.2), with shortcuts that subsample and pad."""
    nn = m.nn

    class Narrow(nn.Module):
        """Every second pixel, and as many channels of zeros as there were."""

        def forward(self, x):
            quarter = x.shape[1] // 2
            return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    before = 16
    for channels in (16, 32, 64):
        for _ in range(3):
            wider = channels != before
            shortcut = Narrow() if wider else nn.Identity()
            layers.append(_basic_block(m, before, channels, 2 if wider else 1, shortcut, apart))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet18(m):
    """ResNet-18 for 224 x 224 images (He et al. 2015), as torchvision builds it."""
    nn = m.nn
    layers = [
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]  # fmt: skip
    before = 64
    for channels in (64, 128, 256, 512):
        for _ in range(2):
            stride, shortcut = 1, nn.Identity()
            if channels != before:
                stride = 2
                project = nn.Conv2d(before, channels, 1, stride=2, bias=False)
                shortcut = nn.Sequential(project, nn.BatchNorm2d(channels))
            layers.append(_basic_block(m, before, channels, stride, shortcut, False))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def vgg11(m):
    """VGG-11 for 224 x 224 images (Simonyan and Zisserman 2014), without dropout, whose random numbers differ."""
    nn = m.nn
    layers, before = [], 3
    for channels in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"):
        if channels == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
            before = channels
    classifier = [
        nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
        nn.Linear(4096, 1000),
    ]  # fmt: skip
    return nn.Sequential(*layers, *classifier)


# name: (network, batch, channels, image size, classes)
NETWORKS = {
    "LeNet-5": (lenet5, 64, 1, 32, 10),
    "ResNet-20": (resnet20, 128, 3, 32, 10),
    "ResNet-18": (resnet18, 8, 3, 224, 1000),
    "ResNet-20, apart": (partial(resnet20, apart=True), 128, 3, 32, 10),
    "VGG-11": (vgg11, 4, 3, 224, 1000),
}
