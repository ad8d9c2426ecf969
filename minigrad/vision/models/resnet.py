"""The residual networks for large images and their descendants, which differ in how wide the blocks are.

He et al. 2015 (https://arxiv.org/abs/1512.03385), ResNeXt: Xie et al. 2016 (https://arxiv.org/abs/1611.05431), Wide
ResNet: Zagoruyko and Komodakis 2016 (https://arxiv.org/abs/1605.07146). Those for 32x32 images are in
`resnet_cifar.py`.
"""

from minigrad import nn
from minigrad.nn.fusion import norm_activation

from .registry import build, register_model
from .weights import published

ResNet18_Weights = published("ResNet18_Weights", "resnet18-f37072fd")
ResNet34_Weights = published("ResNet34_Weights", "resnet34-b627a593")
ResNet50_Weights = published("ResNet50_Weights", "resnet50-0676ba61", "resnet50-11ad3fa6")
ResNet101_Weights = published("ResNet101_Weights", "resnet101-63fe2227", "resnet101-cd907fc2")
ResNet152_Weights = published("ResNet152_Weights", "resnet152-394f9c45", "resnet152-f82ba261")
ResNeXt50_32X4D_Weights = published("ResNeXt50_32X4D_Weights", "resnext50_32x4d-7cdf4587", "resnext50_32x4d-1a0047aa")
ResNeXt101_32X8D_Weights = published(
    "ResNeXt101_32X8D_Weights", "resnext101_32x8d-8ba56ff5", "resnext101_32x8d-110c445d"
)
ResNeXt101_64X4D_Weights = published("ResNeXt101_64X4D_Weights", "resnext101_64x4d-173b62eb")
Wide_ResNet50_2_Weights = published("Wide_ResNet50_2_Weights", "wide_resnet50_2-95faca4d", "wide_resnet50_2-9ba9bcbe")
Wide_ResNet101_2_Weights = published(
    "Wide_ResNet101_2_Weights", "wide_resnet101_2-32ee1156", "wide_resnet101_2-d733dc28"
)


def conv3x3(in_planes, out_planes, stride=1, groups=1, dilation=1):
    """A 3x3 convolution without bias that keeps the size at stride 1.

    >>> conv3x3(64, 128, stride=2)
    Conv2d(64, 128, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
    """
    return nn.Conv2d(in_planes, out_planes, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(in_planes, out_planes, stride=1):
    """A 1x1 convolution without bias.

    >>> conv1x1(64, 128)
    Conv2d(64, 128, kernel_size=(1, 1), stride=(1, 1), bias=False)
    """
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions of `planes` channels around a shortcut, which `downsample` brings to the result's shape.

    >>> import minigrad
    >>> BasicBlock(64, 64)(minigrad.ones(1, 64, 8, 8)).shape
    minigrad.Size([1, 64, 8, 8])
    """

    expansion = 1

    def __init__(
        self,
        inplanes,
        planes,
        stride=1,
        downsample=None,
        groups=1,
        base_width=64,
        dilation=1,
        norm_layer=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = norm_activation(self.bn1, self.relu, self.conv1(x))
        return norm_activation(self.bn2, self.relu, self.conv2(out), residual=shortcut)


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1 around a shortcut; the middle one is narrow, the result has 4 `planes` channels.

    Where the block halves the image, the 3x3 convolution does it (in the paper the first one does).

    >>> import minigrad
    >>> Bottleneck(256, 64)(minigrad.ones(1, 256, 8, 8)).shape
    minigrad.Size([1, 256, 8, 8])
    """

    expansion = 4

    def __init__(
        self,
        inplanes,
        planes,
        stride=1,
        downsample=None,
        groups=1,
        base_width=64,
        dilation=1,
        norm_layer=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = norm_activation(self.bn1, self.relu, self.conv1(x))
        out = norm_activation(self.bn2, self.relu, self.conv2(out))
        return norm_activation(self.bn3, self.relu, self.conv3(out), residual=shortcut)


class ResNet(nn.Module):
    """A residual network for (N, 3, H, W) images: four stages of `layers` blocks, result (N, num_classes) scores.

    `groups` and `width_per_group` are the groups and the width of the 3x3 convolutions in `Bottleneck` blocks.
    `replace_stride_with_dilation`, three bools, keeps the resolution in the last three stages and spreads the windows
    instead. `zero_init_residual` lets every block begin as the identity (Goyal et al. 2017, arXiv:1706.02677).

    >>> net = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)
    >>> import minigrad
    >>> net(minigrad.ones(2, 3, 64, 64)).shape
    minigrad.Size([2, 10])
    """

    def __init__(
        self,
        block,
        layers,
        num_classes=1000,
        zero_init_residual=False,
        groups=1,
        width_per_group=64,
        replace_stride_with_dilation=None,
        norm_layer=None,
    ):
        super().__init__()
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ValueError(f"replace_stride_with_dilation should be None or a 3-element tuple, got {dilate}")
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1  # of what the next stage gets
        self.groups, self.base_width = groups, width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)  # halves H and W
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                last = module.bn2 if isinstance(module, BasicBlock) else module.bn3
                if last.weight is not None:
                    nn.init.zeros_(last.weight)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        """A stage: its first block may change the shape, the others keep it."""
        norm_layer, dilation, outplanes = self._norm_layer, self.dilation, planes * block.expansion
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        downsample = None
        if stride != 1 or self.inplanes != outplanes:
            downsample = nn.Sequential(conv1x1(self.inplanes, outplanes, stride), norm_layer(outplanes))
        kind = self.groups, self.base_width
        first = block(self.inplanes, planes, stride, downsample, *kind, dilation, norm_layer)
        self.inplanes = outplanes
        others = [block(outplanes, planes, 1, None, *kind, self.dilation, norm_layer) for _ in range(blocks - 1)]
        return nn.Sequential(first, *others)

    def forward(self, x):
        x = self.maxpool(norm_activation(self.bn1, self.relu, self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _resnet(enumeration, weights, progress, block, layers, **kwargs):
    return build(ResNet, enumeration, weights, progress, block=block, layers=layers, **kwargs)


@register_model
def resnet18(weights=None, progress=True, **kwargs):
    """ResNet-18, 11,689,512 parameters."""
    return _resnet(ResNet18_Weights, weights, progress, BasicBlock, [2, 2, 2, 2], **kwargs)


@register_model
def resnet34(weights=None, progress=True, **kwargs):
    """ResNet-34, 21,797,672 parameters."""
    return _resnet(ResNet34_Weights, weights, progress, BasicBlock, [3, 4, 6, 3], **kwargs)


@register_model
def resnet50(weights=None, progress=True, **kwargs):
    """ResNet-50, 25,557,032 parameters."""
    return _resnet(ResNet50_Weights, weights, progress, Bottleneck, [3, 4, 6, 3], **kwargs)


@register_model
def resnet101(weights=None, progress=True, **kwargs):
    """ResNet-101, 44,549,160 parameters."""
    return _resnet(ResNet101_Weights, weights, progress, Bottleneck, [3, 4, 23, 3], **kwargs)


@register_model
def resnet152(weights=None, progress=True, **kwargs):
    """ResNet-152, 60,192,808 parameters."""
    return _resnet(ResNet152_Weights, weights, progress, Bottleneck, [3, 8, 36, 3], **kwargs)


@register_model
def resnext50_32x4d(weights=None, progress=True, **kwargs):
    """ResNeXt-50 with 32 groups of width 4, 25,028,904 parameters."""
    width = {"groups": 32, "width_per_group": 4}
    return _resnet(ResNeXt50_32X4D_Weights, weights, progress, Bottleneck, [3, 4, 6, 3], **width, **kwargs)


@register_model
def resnext101_32x8d(weights=None, progress=True, **kwargs):
    """ResNeXt-101 with 32 groups of width 8, 88,791,336 parameters."""
    width = {"groups": 32, "width_per_group": 8}
    return _resnet(ResNeXt101_32X8D_Weights, weights, progress, Bottleneck, [3, 4, 23, 3], **width, **kwargs)


@register_model
def resnext101_64x4d(weights=None, progress=True, **kwargs):
    """ResNeXt-101 with 64 groups of width 4, 83,455,272 parameters."""
    width = {"groups": 64, "width_per_group": 4}
    return _resnet(ResNeXt101_64X4D_Weights, weights, progress, Bottleneck, [3, 4, 23, 3], **width, **kwargs)


@register_model
def wide_resnet50_2(weights=None, progress=True, **kwargs):
    """ResNet-50 with 3x3 convolutions twice as wide, 68,883,240 parameters."""
    width = {"width_per_group": 128}
    return _resnet(Wide_ResNet50_2_Weights, weights, progress, Bottleneck, [3, 4, 6, 3], **width, **kwargs)


@register_model
def wide_resnet101_2(weights=None, progress=True, **kwargs):
    """ResNet-101 with 3x3 convolutions twice as wide, 126,886,696 parameters."""
    width = {"width_per_group": 128}
    return _resnet(Wide_ResNet101_2_Weights, weights, progress, Bottleneck, [3, 4, 23, 3], **width, **kwargs)
