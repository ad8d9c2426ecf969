"""What several families of networks are made of."""

import minigrad
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.nn.fusion import norm_activation

# Published Inception weights expect images in [-1, 1], images normalised as for the other networks are in these units.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def from_imagenet_units(x):
    """Images (N, 3, H, W) normalised by the mean and deviation of ImageNet, in the units ±1 of the Inception networks.

    >>> black = -minigrad.tensor(IMAGENET_MEAN) / minigrad.tensor(IMAGENET_STD)
    >>> from_imagenet_units(black.view(1, 3, 1, 1)).flatten()
    tensor([-1.0000, -1.0000, -1.0000])
    """
    mean, std = (minigrad.tensor(values, dtype=x.dtype).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return x * (std / 0.5) + (mean - 0.5) / 0.5


class BasicConv2d(nn.Module):
    """Convolution without bias, batch normalisation, ReLU: what the Inception networks are built of.

    >>> BasicConv2d(3, 8, kernel_size=3)(minigrad.ones(1, 3, 8, 8)).shape
    minigrad.Size([1, 8, 6, 6])
    """

    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        return norm_activation(self.bn, F.relu, self.conv(x))


class Branches(nn.Module):
    """The results of all children for the same input, one after another along the channels."""

    def forward(self, x):
        return minigrad.cat([branch(x) for branch in self.children()], 1)


class Conv2dNormActivation(nn.Sequential):
    """Convolution, normalisation, activation; either of the last two may be None (`torchvision.ops`).

    `padding` None keeps the size at stride 1, `bias` None leaves the bias to the normalisation.

    >>> Conv2dNormActivation(3, 8, stride=2)(minigrad.ones(1, 3, 8, 8)).shape
    minigrad.Size([1, 8, 4, 4])
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size=3,
        stride=1,
        padding=None,
        groups=1,
        norm_layer=nn.BatchNorm2d,
        activation_layer=nn.ReLU,
        dilation=1,
        inplace=True,
        bias=None,
    ):
        padding = (kernel_size - 1) // 2 * dilation if padding is None else padding
        bias = norm_layer is None if bias is None else bias
        layers = [
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias),
            None if norm_layer is None else norm_layer(out_channels),
            None if activation_layer is None else activation_layer(**({} if inplace is None else {"inplace": inplace})),
        ]
        super().__init__(*(layer for layer in layers if layer is not None))
        self.out_channels = out_channels
