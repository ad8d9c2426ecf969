"""GoogLeNet, the first Inception network: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, with batch norm."""

from collections import namedtuple

from minigrad import nn
from minigrad.nn import functional as F

from .blocks import BasicConv2d, Branches, from_imagenet_units
from .registry import build, register_model
from .weights import published

GoogLeNet_Weights = published("GoogLeNet_Weights", "googlenet-1378be20")

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])
GoogLeNetOutputs.__doc__ = "Scores in training: of the network and of its auxiliary classifiers, the upper one first."

# The paper's table 1: each module's name, then the channels of its convolutions as `Inception` takes them.
MODULES = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}


class Inception(Branches):
    """Four branches side by side: 1x1, 1x1 then 3x3 (twice), 3x3 pooling then 1x1.

    The third branch has 5x5 windows in the paper, but the published weights were trained with 3x3.

    >>> import minigrad
    >>> Inception(192, 64, 96, 128, 16, 32, 32)(minigrad.ones(1, 192, 7, 7)).shape
    minigrad.Size([1, 256, 7, 7])
    """

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj, conv_block=None):
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv(in_channels, ch3x3red, kernel_size=1), conv(ch3x3red, ch3x3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            conv(in_channels, ch5x5red, kernel_size=1), conv(ch5x5red, ch5x5, kernel_size=3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            conv(in_channels, pool_proj, kernel_size=1),
        )


class InceptionAux(nn.Module):
    """A classifier of the maps half-way, which brings gradients to the lower layers in training.

    >>> import minigrad
    >>> InceptionAux(512, 10)(minigrad.ones(1, 512, 14, 14)).shape
    minigrad.Size([1, 10])
    """

    def __init__(self, in_channels, num_classes, conv_block=None, dropout=0.7):
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


class GoogLeNet(nn.Module):
    """GoogLeNet for (N, 3, H, W) images of 15 pixels at least, result (N, num_classes) scores.

    With `aux_logits` there are two auxiliary classifiers, and in training the result is `GoogLeNetOutputs`.
    `transform_input` takes images normalised by ImageNet's mean and deviation to those units that the published
    weights expect. `blocks` may replace `BasicConv2d`, `Inception` and `InceptionAux`.

    >>> sum(p.numel() for p in GoogLeNet(aux_logits=False).parameters())
    6624904
    """

    def __init__(
        self,
        num_classes=1000,
        aux_logits=True,
        transform_input=False,
        init_weights=True,
        blocks=None,
        dropout=0.2,
        dropout_aux=0.7,
    ):
        super().__init__()
        blocks = [BasicConv2d, Inception, InceptionAux] if blocks is None else blocks
        if len(blocks) != 3:
            raise ValueError(f"blocks length should be 3 instead of {len(blocks)}")
        conv, inception, auxiliary = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input

        def add_modules(stage):
            for name in MODULES:
                if name.startswith(f"inception{stage}"):
                    setattr(self, name, inception(*MODULES[name]))

        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)  # (N, 3, 224, 224) -> (N, 64, 112, 112)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # -> (N, 192, 28, 28)
        add_modules(3)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # -> (N, 480, 14, 14)
        add_modules(4)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # -> (N, 832, 7, 7)
        add_modules(5)
        self.aux1 = auxiliary(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = auxiliary(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        for module in self.modules() if init_weights in (True, None) else ():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)  # torchvision cuts this at ±2, 200 deviations away

    def forward(self, x):
        if self.transform_input:
            x = from_imagenet_units(x)
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = lower = self.inception4a(x)
        x = upper = self.inception4d(self.inception4c(self.inception4b(x)))
        x = self.maxpool4(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return GoogLeNetOutputs(x, self.aux2(upper), self.aux1(lower)) if self.training and self.aux_logits else x


@register_model
def googlenet(weights=None, progress=True, **kwargs):
    """GoogLeNet, 13,004,888 parameters, 6,624,904 with `aux_logits=False`.

    With published weights the auxiliary classifiers, which were not trained, are left out unless asked for, and
    `transform_input` is True.
    """
    settings = {"transform_input": True, "aux_logits": False, "init_weights": False}
    return build(GoogLeNet, GoogLeNet_Weights, weights, progress, with_weights=settings, **kwargs)
