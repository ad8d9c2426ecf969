"""SqueezeNet, AlexNet's accuracy with a fiftieth of its parameters: Iandola et al. 2016, arXiv:1602.07360."""

import minigrad
from minigrad import nn

from .registry import build, register_model
from .weights import published

SqueezeNet1_0_Weights = published("SqueezeNet1_0_Weights", "squeezenet1_0-b66bff10")
SqueezeNet1_1_Weights = published("SqueezeNet1_1_Weights", "squeezenet1_1-b8a52dc0")

# (kernel of the first convolution, its channels, then each squeeze's channels, "M" for max pooling). A squeeze to s
# channels expands to 4s with 1x1 and to 4s with 3x3 windows.
VERSIONS: dict[str, tuple] = {
    "1_0": (7, 96, "M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64),
    "1_1": (3, 64, "M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64),
}


class Fire(nn.Module):
    """A 1x1 convolution that squeezes the channels, then 1x1 and 3x3 convolutions side by side that expand them.

    >>> Fire(96, 16, 64, 64)(minigrad.ones(1, 96, 5, 5)).shape
    minigrad.Size([1, 128, 5, 5])
    """

    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        narrow, wide = self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))
        return minigrad.cat([narrow, wide], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet of a version, "1_0" or "1_1", for (N, 3, H, W) images, result (N, num_classes) scores.

    >>> sum(p.numel() for p in SqueezeNet("1_0").parameters())
    1248424
    """

    def __init__(self, version="1_0", num_classes=1000, dropout=0.5):
        super().__init__()
        if version not in VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        kernel_size, channels, *entries = VERSIONS[version]
        layers = [nn.Conv2d(3, channels, kernel_size=kernel_size, stride=2), nn.ReLU(inplace=True)]
        for entry in entries:
            if entry == "M":
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                layers.append(Fire(channels, entry, 4 * entry, 4 * entry))
                channels = 8 * entry
        self.features = nn.Sequential(*layers)
        scores = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), scores, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(scores.weight, mean=0.0, std=0.01)

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


@register_model
def squeezenet1_0(weights=None, progress=True, **kwargs):
    """SqueezeNet 1.0, 1,248,424 parameters."""
    return build(SqueezeNet, SqueezeNet1_0_Weights, weights, progress, version="1_0", **kwargs)


@register_model
def squeezenet1_1(weights=None, progress=True, **kwargs):
    """SqueezeNet 1.1, 1,235,496 parameters and 2.4 times less to compute than 1.0."""
    return build(SqueezeNet, SqueezeNet1_1_Weights, weights, progress, version="1_1", **kwargs)
