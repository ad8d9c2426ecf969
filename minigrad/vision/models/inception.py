"""Inception v3: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567."""

from collections import namedtuple

from minigrad import cat, nn
from minigrad.nn import functional as F

from .blocks import BasicConv2d, from_imagenet_units
from .registry import build, register_model
from .weights import published

Inception_V3_Weights = published("Inception_V3_Weights", "inception_v3_google-0cc3c7bd")

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
InceptionOutputs.__doc__ = "Scores in training: of the network and of its auxiliary classifier."

WIDE, TALL = {"kernel_size": (1, 7), "padding": (0, 3)}, {"kernel_size": (7, 1), "padding": (3, 0)}


def _mean_of_neighbours(x):
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(nn.Module):
    """Branches 1x1, 1x1-5x5, 1x1-3x3-3x3 and pooling-1x1 (the paper's figure 5).

    >>> import minigrad
    >>> InceptionA(192, pool_features=32)(minigrad.ones(1, 192, 5, 5)).shape
    minigrad.Size([1, 256, 5, 5])
    """

    def __init__(self, in_channels, pool_features, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = conv(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = conv(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, kernel_size=1)

    def forward(self, x):
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3dbl = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch1x1(x), branch5x5, branch3x3dbl, self.branch_pool(_mean_of_neighbours(x))], 1)


class InceptionB(nn.Module):
    """Halves the image: branches 3x3, 1x1-3x3-3x3 and pooling (figure 10).

    >>> import minigrad
    >>> InceptionB(288)(minigrad.ones(1, 288, 5, 5)).shape
    minigrad.Size([1, 768, 2, 2])
    """

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3 = conv(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, stride=2)

    def forward(self, x):
        branch3x3dbl = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch3x3(x), branch3x3dbl, F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionC(nn.Module):
    """Branches with 7x7 windows taken apart into 1x7 and 7x1 (figure 6).

    >>> import minigrad
    >>> InceptionC(768, channels_7x7=128)(minigrad.ones(1, 768, 3, 3)).shape
    minigrad.Size([1, 768, 3, 3])
    """

    def __init__(self, in_channels, channels_7x7, conv_block=None):
        super().__init__()
        conv, width = conv_block or BasicConv2d, channels_7x7
        self.branch1x1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = conv(in_channels, width, kernel_size=1)
        self.branch7x7_2 = conv(width, width, **WIDE)
        self.branch7x7_3 = conv(width, 192, **TALL)
        self.branch7x7dbl_1 = conv(in_channels, width, kernel_size=1)
        self.branch7x7dbl_2 = conv(width, width, **TALL)
        self.branch7x7dbl_3 = conv(width, width, **WIDE)
        self.branch7x7dbl_4 = conv(width, width, **TALL)
        self.branch7x7dbl_5 = conv(width, 192, **WIDE)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x):
        branch7x7 = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        branch7x7dbl = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branch7x7dbl = self.branch7x7dbl_5(self.branch7x7dbl_4(branch7x7dbl))
        return cat([self.branch1x1(x), branch7x7, branch7x7dbl, self.branch_pool(_mean_of_neighbours(x))], 1)


class InceptionD(nn.Module):
    """Halves the image: branches 1x1-3x3, 1x1-1x7-7x1-3x3 and pooling.

    >>> import minigrad
    >>> InceptionD(768)(minigrad.ones(1, 768, 5, 5)).shape
    minigrad.Size([1, 1280, 2, 2])
    """

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = conv(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = conv(192, 192, **WIDE)
        self.branch7x7x3_3 = conv(192, 192, **TALL)
        self.branch7x7x3_4 = conv(192, 192, kernel_size=3, stride=2)

    def forward(self, x):
        branch3x3 = self.branch3x3_2(self.branch3x3_1(x))
        branch7x7x3 = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return cat([branch3x3, self.branch7x7x3_4(branch7x7x3), F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionE(nn.Module):
    """Branches that end in 1x3 and 3x1 windows side by side (figure 7).

    >>> import minigrad
    >>> InceptionE(1280)(minigrad.ones(1, 1280, 3, 3)).shape
    minigrad.Size([1, 2048, 3, 3])
    """

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        wide, tall = {"kernel_size": (1, 3), "padding": (0, 1)}, {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, **wide)
        self.branch3x3_2b = conv(384, 384, **tall)
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **wide)
        self.branch3x3dbl_3b = conv(384, 384, **tall)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x):
        short, long = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branch3x3 = self.branch3x3_2a(short), self.branch3x3_2b(short)
        branch3x3dbl = self.branch3x3dbl_3a(long), self.branch3x3dbl_3b(long)
        return cat([self.branch1x1(x), *branch3x3, *branch3x3dbl, self.branch_pool(_mean_of_neighbours(x))], 1)


class InceptionAux(nn.Module):
    """A classifier of the 17x17 maps, which brings gradients to the lower layers in training.

    >>> import minigrad
    >>> InceptionAux(768, 10)(minigrad.ones(2, 768, 17, 17)).shape
    minigrad.Size([2, 10])
    """

    def __init__(self, in_channels, num_classes, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x):
        x = F.avg_pool2d(x, kernel_size=5, stride=3)  # (N, 768, 17, 17) -> (N, 768, 5, 5)
        x = self.conv1(self.conv0(x))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class Inception3(nn.Module):
    """Inception v3 for (N, 3, 299, 299) images or others of 75 pixels at least, result (N, num_classes) scores.

    With `aux_logits` there is an auxiliary classifier, and in training the result is `InceptionOutputs`.
    `transform_input` takes images normalised by ImageNet's mean and deviation to those units that the published
    weights expect. `inception_blocks` may replace `BasicConv2d`, `InceptionA` to `InceptionE` and `InceptionAux`.
    `init_weights` draws the weights of a convolution or linear layer with deviation `stddev`, an attribute of the
    layer, or 0.1.

    >>> sum(p.numel() for p in Inception3(aux_logits=False, init_weights=False).parameters())
    23834568
    """

    def __init__(
        self,
        num_classes=1000,
        aux_logits=True,
        transform_input=False,
        inception_blocks=None,
        init_weights=True,
        dropout=0.5,
    ):
        super().__init__()
        if inception_blocks is None:
            inception_blocks = BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux
        if len(inception_blocks) != 7:
            raise ValueError(f"length of inception_blocks should be 7 instead of {len(inception_blocks)}")
        conv, a, b, c, d, e, auxiliary = inception_blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)  # (N, 3, 299, 299) -> (N, 32, 149, 149)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)  # -> (N, 64, 73, 73)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)  # -> (N, 192, 35, 35)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)  # -> (N, 768, 17, 17)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = auxiliary(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)  # -> (N, 1280, 8, 8)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)  # -> (N, 2048, 8, 8)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        for module in self.modules() if init_weights in (True, None) else ():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # torchvision cuts the normal distribution at ±2, 20 deviations away
                nn.init.normal_(module.weight, 0, getattr(module, "stddev", 0.1))

    def forward(self, x):
        if self.transform_input:
            x = from_imagenet_units(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = middle = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(self.dropout(self.avgpool(x)).flatten(1))
        return InceptionOutputs(x, self.AuxLogits(middle)) if self.training and self.aux_logits else x


@register_model
def inception_v3(weights=None, progress=True, **kwargs):
    """Inception v3, 27,161,264 parameters, 23,834,568 with `aux_logits=False`.

    With published weights `transform_input` is True unless said otherwise.
    """
    settings = {"transform_input": True, "init_weights": False}
    return build(Inception3, Inception_V3_Weights, weights, progress, with_weights=settings, **kwargs)
