"""The densely connected networks, whose layers see all maps before them: Huang et al. 2016, arXiv:1608.06993."""

import re
from collections import OrderedDict

from minigrad import cat, nn
from minigrad.nn import functional as F
from minigrad.nn.fusion import norm_activation
from minigrad.utils.checkpoint import checkpoint

from .registry import build, register_model
from .weights import published

DenseNet121_Weights = published("DenseNet121_Weights", "densenet121-a639ec97")
DenseNet161_Weights = published("DenseNet161_Weights", "densenet161-8d451a50")
DenseNet169_Weights = published("DenseNet169_Weights", "densenet169-b2777c0a")
DenseNet201_Weights = published("DenseNet201_Weights", "densenet201-c1103571")

OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")  # "norm.1.weight" is "norm1.weight" now


class _DenseLayer(nn.Module):
    """`growth_rate` new maps from all those before: 1x1 convolution to `bn_size` times as many, then 3x3."""

    def __init__(self, num_input_features, growth_rate, bn_size, drop_rate, memory_efficient=False):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def _bottleneck(self, *maps):
        return self.conv1(norm_activation(self.norm1, self.relu1, cat(maps, 1)))

    def forward(self, maps):
        if self.memory_efficient and any(map.requires_grad for map in maps):
            x = checkpoint(self._bottleneck, *maps)
        else:
            x = self._bottleneck(*maps)
        x = self.conv2(norm_activation(self.norm2, self.relu2, x))
        return F.dropout(x, self.drop_rate, self.training) if self.drop_rate > 0 else x


class _DenseBlock(nn.Module):
    """`num_layers` layers, each of which sees what the block got and what all layers before it found."""

    def __init__(self, num_layers, num_input_features, bn_size, growth_rate, drop_rate, memory_efficient=False):
        super().__init__()
        for i in range(num_layers):
            channels = num_input_features + i * growth_rate
            layer = _DenseLayer(channels, growth_rate, bn_size, drop_rate, memory_efficient)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x):
        maps = [x]
        for layer in self.children():
            maps.append(layer(maps))
        return cat(maps, 1)


class _Transition(nn.Sequential):
    """Halves the image and changes the number of channels."""

    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """A densely connected network for (N, 3, H, W) images of 29 pixels at least, result (N, num_classes) scores.

    `block_config` says how many layers each of the blocks has; each layer adds `growth_rate` channels.
    `memory_efficient` computes the concatenations again in the backward pass instead of keeping them (Pleiss et al.
    2017, arXiv:1707.06990). State dicts of weights published under older names ("norm.1" for "norm1") load too.

    >>> sum(p.numel() for p in DenseNet(growth_rate=12, block_config=(6, 6), num_classes=10).parameters())
    141706
    """

    def __init__(
        self,
        growth_rate=32,
        block_config=(6, 12, 24, 16),
        num_init_features=64,
        bn_size=4,
        drop_rate=0,
        num_classes=1000,
        memory_efficient=False,
    ):
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, layers in enumerate(block_config, 1):
            if i > 1:
                self.features.add_module(f"transition{i - 1}", _Transition(channels, channels // 2))
                channels //= 2
            block = _DenseBlock(layers, channels, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i}", block)
            channels += layers * growth_rate
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        nn.init.zeros_(self.classifier.bias)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """As every module's, but entries under the older names of published weights are known too."""
        renamed = {OLD_NAME.sub(r"\1\2", key): tensor for key, tensor in state_dict.items()}
        return super().load_state_dict(renamed, strict, assign)


def _densenet(enumeration, weights, progress, growth_rate, block_config, num_init_features, **kwargs):
    shape = {"growth_rate": growth_rate, "block_config": block_config, "num_init_features": num_init_features}
    return build(DenseNet, enumeration, weights, progress, **shape, **kwargs)


@register_model
def densenet121(weights=None, progress=True, **kwargs):
    """DenseNet-121, 7,978,856 parameters."""
    return _densenet(DenseNet121_Weights, weights, progress, 32, (6, 12, 24, 16), 64, **kwargs)


@register_model
def densenet161(weights=None, progress=True, **kwargs):
    """DenseNet-161, 28,681,000 parameters."""
    return _densenet(DenseNet161_Weights, weights, progress, 48, (6, 12, 36, 24), 96, **kwargs)


@register_model
def densenet169(weights=None, progress=True, **kwargs):
    """DenseNet-169, 14,149,480 parameters."""
    return _densenet(DenseNet169_Weights, weights, progress, 32, (6, 12, 32, 32), 64, **kwargs)


@register_model
def densenet201(weights=None, progress=True, **kwargs):
    """DenseNet-201, 20,013,928 parameters."""
    return _densenet(DenseNet201_Weights, weights, progress, 32, (6, 12, 48, 32), 64, **kwargs)
