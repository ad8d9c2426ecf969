"""The residual networks for 32x32 images: He et al. 2015, section 4.2 (https://arxiv.org/abs/1512.03385)."""

from minigrad import nn
from minigrad.nn import functional as F
from minigrad.nn.fusion import norm_activation


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut without parameters (the paper's option A).

    Where the block halves the image, the shortcut takes every second pixel and fills the new channels with zeros.
    """

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.new_channels = stride, channels - in_channels

    def shortcut(self, x):
        """The input in the shape of the block's result."""
        if self.stride != 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            before = self.new_channels // 2
            x = F.pad(x, (0, 0, 0, 0, before, self.new_channels - before))
        return x

    def forward(self, x):
        y = norm_activation(self.bn1, F.relu, self.conv1(x))
        return norm_activation(self.bn2, F.relu, self.conv2(y), residual=self.shortcut(x))


class ResNetCIFAR(nn.Module):
    """A residual network of 6n + 2 layers for (N, 3, 32, 32) images: three stages of n blocks with 16, 32, 64 channels.

    >>> import minigrad
    >>> sum(p.numel() for p in ResNetCIFAR(3).parameters())
    269722
    """

    def __init__(self, blocks_per_stage, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.stage1 = self._stage(16, 16, 1, blocks_per_stage)  # (N, 16, 32, 32)
        self.stage2 = self._stage(16, 32, 2, blocks_per_stage)  # (N, 32, 16, 16)
        self.stage3 = self._stage(32, 64, 2, blocks_per_stage)  # (N, 64, 8, 8)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    @staticmethod
    def _stage(in_channels, channels, stride, blocks):
        first = BasicBlock(in_channels, channels, stride)
        return nn.Sequential(first, *[BasicBlock(channels, channels) for _ in range(blocks - 1)])

    def forward(self, x):
        x = norm_activation(self.bn1, F.relu, self.conv1(x))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def resnet20(num_classes=10):
    """ResNet-20 for 32x32 images, 269,722 parameters.

    >>> len(resnet20().stage1)
    3
    """
    return ResNetCIFAR(3, num_classes)


def resnet32(num_classes=10):
    """ResNet-32 for 32x32 images, 464,154 parameters.

    >>> len(resnet32().stage1)
    5
    """
    return ResNetCIFAR(5, num_classes)


def resnet44(num_classes=10):
    """ResNet-44 for 32x32 images, 658,586 parameters.

    >>> len(resnet44().stage1)
    7
    """
    return ResNetCIFAR(7, num_classes)


def resnet56(num_classes=10):
    """ResNet-56 for 32x32 images, 853,018 parameters.

    >>> len(resnet56().stage1)
    9
    """
    return ResNetCIFAR(9, num_classes)


def resnet110(num_classes=10):
    """ResNet-110 for 32x32 images, 1,727,962 parameters.

    >>> len(resnet110().stage1)
    18
    """
    return ResNetCIFAR(18, num_classes)
