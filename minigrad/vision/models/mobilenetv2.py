"""MobileNetV2, for telephones: Sandler et al. 2018, https://arxiv.org/abs/1801.04381."""

from minigrad import nn
from minigrad.nn import functional as F

from .blocks import Conv2dNormActivation
from .registry import build, register_model
from .weights import published

MobileNet_V2_Weights = published("MobileNet_V2_Weights", "mobilenet_v2-b0353104", "mobilenet_v2-7ebf99e0")

# The paper's table 2: expansion, channels, number of blocks, stride of the first one.
SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _make_divisible(value, divisor):
    """The multiple of `divisor` next to `value`, which is not less than nine tenths of it."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


class InvertedResidual(nn.Module):
    """Expansion by a 1x1 convolution, a 3x3 convolution of each channel by itself, projection to `oup` channels.

    The narrow ends are joined by a shortcut where their shapes agree.

    >>> import minigrad
    >>> InvertedResidual(16, 24, stride=2, expand_ratio=6)(minigrad.ones(1, 16, 8, 8)).shape
    minigrad.Size([1, 24, 4, 4])
    """

    def __init__(self, inp, oup, stride, expand_ratio, norm_layer=None):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm_layer = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        common = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        layers = [] if expand_ratio == 1 else [Conv2dNormActivation(inp, hidden, kernel_size=1, **common)]
        layers.append(Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, **common))
        self.conv = nn.Sequential(*layers, nn.Conv2d(hidden, oup, 1, bias=False), norm_layer(oup))
        self.stride, self.out_channels = stride, oup
        self.use_res_connect = stride == 1 and inp == oup

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 for (N, 3, H, W) images, result (N, num_classes) scores.

    `width_mult` multiplies the channels, which `round_nearest` rounds to its multiples; `inverted_residual_setting`
    lists (expansion, channels, blocks, stride) of each stage.

    >>> sum(p.numel() for p in MobileNetV2().parameters())
    3504872
    """

    def __init__(
        self,
        num_classes=1000,
        width_mult=1.0,
        inverted_residual_setting=None,
        round_nearest=8,
        block=None,
        norm_layer=None,
        dropout=0.2,
    ):
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if len(setting) == 0 or len(setting[0]) != 4:
            raise ValueError(f"inverted_residual_setting should be non-empty or a 4-element list, got {setting}")
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        common = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        features = [Conv2dNormActivation(3, channels, stride=2, **common)]
        for expansion, width, blocks, first_stride in setting:
            width = _make_divisible(width * width_mult, round_nearest)
            for stride in (first_stride, *[1] * (blocks - 1)):
                features.append(block(channels, width, stride, expand_ratio=expansion, norm_layer=norm_layer))
                channels = width
        features.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, **common))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


@register_model
def mobilenet_v2(weights=None, progress=True, **kwargs):
    """MobileNetV2, 3,504,872 parameters."""
    return build(MobileNetV2, MobileNet_V2_Weights, weights, progress, **kwargs)
