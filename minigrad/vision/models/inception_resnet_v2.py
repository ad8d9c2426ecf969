"""Inception-ResNet-v2, residual blocks of branches: Szegedy et al. 2016, arXiv:1602.07261, under timm's names."""

from minigrad import cat, nn

from .blocks import Branches
from .inception_v4 import CUT, HALVE, chain, pooled
from .registry import build, register_model


class Mixed_5b(Branches):
    """Four branches for 35x35 maps: 192 channels to 320."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(192, (96, 1))
        self.branch1 = chain(192, (48, 1), (64, 5))
        self.branch2 = chain(192, (64, 1), (96, 3), (96, 3))
        self.branch3 = pooled(192, 64)


class Mixed_6a(Branches):
    """Halves the image: 320 channels to 1088 (the paper's figure 7)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(320, (384, 3, HALVE))
        self.branch1 = chain(320, (256, 1), (256, 3), (384, 3, HALVE))
        self.branch2 = nn.MaxPool2d(3, stride=2)


class Mixed_7a(Branches):
    """Halves the image: 1088 channels to 2080 (figure 18)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(1088, (256, 1), (384, 3, HALVE))
        self.branch1 = chain(1088, (256, 1), (288, 3, HALVE))
        self.branch2 = chain(1088, (256, 1), (288, 3), (320, 3, HALVE))
        self.branch3 = nn.MaxPool2d(3, stride=2)


class Residual(nn.Module):
    """x + scale · (1x1 convolution of the branches side by side), then ReLU unless `no_relu`.

    >>> import minigrad
    >>> Block8(no_relu=True)(minigrad.ones(1, 2080, 2, 2)).shape
    minigrad.Size([1, 2080, 2, 2])
    """

    def __init__(self, branches, found, channels, scale, no_relu=False):
        super().__init__()
        for i, branch in enumerate(branches):
            self.add_module(f"branch{i}", branch)
        self.conv2d = nn.Conv2d(found, channels, kernel_size=1)
        self.act = nn.Identity() if no_relu else nn.ReLU()
        self.scale = scale

    def forward(self, x):
        maps = cat([part(x) for name, part in self.named_children() if name.startswith("branch")], 1)
        return self.act(x + self.conv2d(maps) * self.scale)


class Block35(Residual):
    """A residual block for 35x35 maps of 320 channels (figure 16)."""

    def __init__(self, scale=1.0):
        branches = chain(320, (32, 1)), chain(320, (32, 1), (32, 3)), chain(320, (32, 1), (48, 3), (64, 3))
        super().__init__(branches, 128, 320, scale)


class Block17(Residual):
    """A residual block for 17x17 maps of 1088 channels (figure 17)."""

    def __init__(self, scale=1.0):
        branches = chain(1088, (192, 1)), chain(1088, (128, 1), (160, (1, 7)), (192, (7, 1)))
        super().__init__(branches, 384, 1088, scale)


class Block8(Residual):
    """A residual block for 8x8 maps of 2080 channels (figure 19)."""

    def __init__(self, scale=1.0, no_relu=False):
        branches = chain(2080, (192, 1)), chain(2080, (192, 1), (224, (1, 3)), (256, (3, 1)))
        super().__init__(branches, 448, 2080, scale, no_relu)


class InceptionResnetV2(nn.Module):
    """Inception-ResNet-v2 for (N, in_chans, 299, 299) images or others of 75 pixels at least.

    The result is (N, num_classes) scores.

    >>> InceptionResnetV2(num_classes=10).classif
    Linear(in_features=1536, out_features=10, bias=True)
    """

    def __init__(self, num_classes=1000, in_chans=3, drop_rate=0.0):
        super().__init__()
        self.num_classes, self.in_chans, self.num_features = num_classes, in_chans, 1536
        self.conv2d_1a, self.conv2d_2a, self.conv2d_2b = chain(in_chans, (32, 3, HALVE), (32, 3, CUT), (64, 3))
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)  # (N, 64, 147, 147) -> (N, 64, 73, 73)
        self.conv2d_3b, self.conv2d_4a = chain(64, (80, 1), (192, 3, CUT))
        self.maxpool_5a = nn.MaxPool2d(3, stride=2)  # -> (N, 192, 35, 35)
        self.mixed_5b = Mixed_5b()
        self.repeat = nn.Sequential(*(Block35(scale=0.17) for _ in range(10)))
        self.mixed_6a = Mixed_6a()  # -> (N, 1088, 17, 17)
        self.repeat_1 = nn.Sequential(*(Block17(scale=0.10) for _ in range(20)))
        self.mixed_7a = Mixed_7a()  # -> (N, 2080, 8, 8)
        self.repeat_2 = nn.Sequential(*(Block8(scale=0.20) for _ in range(9)))
        self.block8 = Block8(no_relu=True)
        self.conv2d_7b = chain(2080, (self.num_features, 1))
        self.global_pool = nn.AdaptiveAvgPool2d((1, 1))
        self.head_drop = nn.Dropout(drop_rate)
        self.classif = nn.Linear(self.num_features, num_classes)

    def forward(self, x):
        x = self.maxpool_3a(self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x))))
        x = self.maxpool_5a(self.conv2d_4a(self.conv2d_3b(x)))
        x = self.repeat(self.mixed_5b(x))
        x = self.repeat_1(self.mixed_6a(x))
        x = self.block8(self.repeat_2(self.mixed_7a(x)))
        x = self.global_pool(self.conv2d_7b(x)).flatten(1)
        return self.classif(self.head_drop(x))


@register_model
def inception_resnet_v2(weights=None, progress=True, **kwargs):
    """Inception-ResNet-v2, 55,843,464 parameters."""
    return build(InceptionResnetV2, None, weights, progress, **kwargs)
