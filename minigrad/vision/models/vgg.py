"""The VGG networks: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556."""

from minigrad import nn

from .registry import build, register_model
from .weights import published

VGG11_Weights = published("VGG11_Weights", "vgg11-8a719046")
VGG11_BN_Weights = published("VGG11_BN_Weights", "vgg11_bn-6002323d")
VGG13_Weights = published("VGG13_Weights", "vgg13-19584684")
VGG13_BN_Weights = published("VGG13_BN_Weights", "vgg13_bn-abd245e5")
VGG16_Weights = published("VGG16_Weights", "vgg16-397923af")
VGG16_BN_Weights = published("VGG16_BN_Weights", "vgg16_bn-6c64b313")
VGG19_Weights = published("VGG19_Weights", "vgg19-dcbb9e9d")
VGG19_BN_Weights = published("VGG19_BN_Weights", "vgg19_bn-c79401a0")

# Columns A, B, D and E of the paper's table 1: channels of the 3x3 convolutions, "M" for max pooling.
cfgs: dict[str, list] = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "D": [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    "E": [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def make_layers(cfg, batch_norm=False):
    """The convolutions and poolings that `cfg` lists, for images of 3 channels.

    >>> make_layers([64, "M"])
    Sequential(
      (0): Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): ReLU(inplace=True)
      (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    )
    """
    layers = []
    channels = 3
    for entry in cfg:
        if entry == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, entry, kernel_size=3, padding=1))
        layers += [nn.BatchNorm2d(entry)] * batch_norm
        layers.append(nn.ReLU(inplace=True))
        channels = entry
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """A VGG network of those `features` for (N, 3, 224, 224) images or others of 32 pixels at least.

    The result is (N, num_classes) scores; `features` are what `make_layers` gives. `init_weights` draws
    the weights anew, convolutions as He et al. 2015.
    """

    def __init__(self, features, num_classes=1000, init_weights=True, dropout=0.5):
        super().__init__()
        self.features = features  # (N, 3, 224, 224) -> (N, 512, 7, 7)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        for module in self.modules() if init_weights else ():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                continue
            nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _vgg(enumeration, weights, progress, cfg, batch_norm=False, **kwargs):
    features = make_layers(cfgs[cfg], batch_norm)
    settings = {"init_weights": False}
    return build(VGG, enumeration, weights, progress, with_weights=settings, features=features, **kwargs)


@register_model
def vgg11(weights=None, progress=True, **kwargs):
    """VGG-11, 132,863,336 parameters."""
    return _vgg(VGG11_Weights, weights, progress, "A", **kwargs)


@register_model
def vgg11_bn(weights=None, progress=True, **kwargs):
    """VGG-11 with batch normalisation, 132,868,840 parameters."""
    return _vgg(VGG11_BN_Weights, weights, progress, "A", batch_norm=True, **kwargs)


@register_model
def vgg13(weights=None, progress=True, **kwargs):
    """VGG-13, 133,047,848 parameters."""
    return _vgg(VGG13_Weights, weights, progress, "B", **kwargs)


@register_model
def vgg13_bn(weights=None, progress=True, **kwargs):
    """VGG-13 with batch normalisation, 133,053,736 parameters."""
    return _vgg(VGG13_BN_Weights, weights, progress, "B", batch_norm=True, **kwargs)


@register_model
def vgg16(weights=None, progress=True, **kwargs):
    """VGG-16, 138,357,544 parameters."""
    return _vgg(VGG16_Weights, weights, progress, "D", **kwargs)


@register_model
def vgg16_bn(weights=None, progress=True, **kwargs):
    """VGG-16 with batch normalisation, 138,365,992 parameters."""
    return _vgg(VGG16_BN_Weights, weights, progress, "D", batch_norm=True, **kwargs)


@register_model
def vgg19(weights=None, progress=True, **kwargs):
    """VGG-19, 143,667,240 parameters."""
    return _vgg(VGG19_Weights, weights, progress, "E", **kwargs)


@register_model
def vgg19_bn(weights=None, progress=True, **kwargs):
    """VGG-19 with batch normalisation, 143,678,248 parameters."""
    return _vgg(VGG19_BN_Weights, weights, progress, "E", batch_norm=True, **kwargs)
