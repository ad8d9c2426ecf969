"""Inception-v4: Szegedy et al. 2016, https://arxiv.org/abs/1602.07261, under timm's names."""

from minigrad import cat, nn

from .blocks import BasicConv2d, Branches
from .registry import build, register_model


def chain(channels, *steps):
    """Convolutions one after another, each step (channels, size) or (channels, size, more); one is not wrapped.

    Sizes are a number or a pair, images keep their size unless `more` says otherwise.

    >>> chain(64, (96, (1, 7)), (96, 3, {"stride": 2, "padding": 0}))[0].conv
    Conv2d(64, 96, kernel_size=(1, 7), stride=(1, 1), padding=(0, 3), bias=False)
    """
    layers = []
    for out_channels, size, *more in steps:
        padding = size // 2 if isinstance(size, int) else tuple(side // 2 for side in size)
        settings = {"kernel_size": size, "padding": padding} | (more[0] if more else {})
        layers.append(BasicConv2d(channels, out_channels, **settings))
        channels = out_channels
    return nn.Sequential(*layers) if len(layers) > 1 else layers[0]


def pooled(channels, out_channels):
    """The mean of each pixel's neighbours, then a 1x1 convolution.

    >>> pooled(384, 96)[0].count_include_pad
    False
    """
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(pool, BasicConv2d(channels, out_channels, kernel_size=1))


HALVE = {"stride": 2, "padding": 0}
CUT = {"padding": 0}


class Mixed3a(Branches):
    """Halves the image by pooling and by a convolution side by side: 64 channels to 160."""

    def __init__(self):
        super().__init__()
        self.maxpool = nn.MaxPool2d(3, stride=2)
        self.conv = chain(64, (96, 3, HALVE))


class Mixed4a(Branches):
    """Two chains of convolutions that end without padding: 160 channels to 192."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(160, (64, 1), (96, 3, CUT))
        self.branch1 = chain(160, (64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, CUT))


class Mixed5a(Branches):
    """Halves the image by a convolution and by pooling side by side: 192 channels to 384."""

    def __init__(self):
        super().__init__()
        self.conv = chain(192, (192, 3, HALVE))
        self.maxpool = nn.MaxPool2d(3, stride=2)


class InceptionA(Branches):
    """Four branches for 35x35 maps of 384 channels (the paper's figure 4)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(384, (96, 1))
        self.branch1 = chain(384, (64, 1), (96, 3))
        self.branch2 = chain(384, (64, 1), (96, 3), (96, 3))
        self.branch3 = pooled(384, 96)


class ReductionA(Branches):
    """Halves the image: 384 channels to 1024 (figure 7)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(384, (384, 3, HALVE))
        self.branch1 = chain(384, (192, 1), (224, 3), (256, 3, HALVE))
        self.branch2 = nn.MaxPool2d(3, stride=2)


class InceptionB(Branches):
    """Four branches for 17x17 maps of 1024 channels (figure 5)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(1024, (384, 1))
        self.branch1 = chain(1024, (192, 1), (224, (1, 7)), (256, (7, 1)))
        self.branch2 = chain(1024, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7)))
        self.branch3 = pooled(1024, 128)


class ReductionB(Branches):
    """Halves the image: 1024 channels to 1536 (figure 8)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(1024, (192, 1), (192, 3, HALVE))
        self.branch1 = chain(1024, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, HALVE))
        self.branch2 = nn.MaxPool2d(3, stride=2)


class InceptionC(nn.Module):
    """Branches for 8x8 maps of 1536 channels that end in 1x3 and 3x1 windows side by side (figure 6)."""

    def __init__(self):
        super().__init__()
        self.branch0 = chain(1536, (256, 1))
        self.branch1_0 = chain(1536, (384, 1))
        self.branch1_1a = chain(384, (256, (1, 3)))
        self.branch1_1b = chain(384, (256, (3, 1)))
        self.branch2_0 = chain(1536, (384, 1))
        self.branch2_1 = chain(384, (448, (3, 1)))
        self.branch2_2 = chain(448, (512, (1, 3)))
        self.branch2_3a = chain(512, (256, (1, 3)))
        self.branch2_3b = chain(512, (256, (3, 1)))
        self.branch3 = pooled(1536, 256)

    def forward(self, x):
        short, long = self.branch1_0(x), self.branch2_2(self.branch2_1(self.branch2_0(x)))
        branch1 = self.branch1_1a(short), self.branch1_1b(short)
        branch2 = self.branch2_3a(long), self.branch2_3b(long)
        return cat([self.branch0(x), *branch1, *branch2, self.branch3(x)], 1)


class InceptionV4(nn.Module):
    """Inception-v4 for (N, in_chans, 299, 299) images or others of 75 pixels at least.

    The result is (N, num_classes) scores.

    >>> InceptionV4(num_classes=10).last_linear
    Linear(in_features=1536, out_features=10, bias=True)
    """

    def __init__(self, num_classes=1000, in_chans=3, drop_rate=0.0):
        super().__init__()
        self.num_classes, self.in_chans, self.num_features = num_classes, in_chans, 1536
        self.features = nn.Sequential(
            *chain(in_chans, (32, 3, HALVE), (32, 3, CUT), (64, 3)),  # (N, 3, 299, 299) -> (N, 64, 147, 147)
            *(Mixed3a(), Mixed4a(), Mixed5a()),  # -> (N, 384, 35, 35)
            *(InceptionA() for _ in range(4)),
            ReductionA(),  # -> (N, 1024, 17, 17)
            *(InceptionB() for _ in range(7)),
            ReductionB(),  # -> (N, 1536, 8, 8)
            *(InceptionC() for _ in range(3)),
        )
        self.global_pool = nn.AdaptiveAvgPool2d((1, 1))
        self.head_drop = nn.Dropout(drop_rate)
        self.last_linear = nn.Linear(self.num_features, num_classes)

    def forward(self, x):
        return self.last_linear(self.head_drop(self.global_pool(self.features(x)).flatten(1)))


@register_model
def inception_v4(weights=None, progress=True, **kwargs):
    """Inception-v4, 42,679,816 parameters."""
    return build(InceptionV4, None, weights, progress, **kwargs)
