"""AlexNet in its form for one device: Krizhevsky 2014, https://arxiv.org/abs/1404.5997."""

from minigrad import nn

from .registry import build, register_model
from .weights import published

AlexNet_Weights = published("AlexNet_Weights", "alexnet-owt-7be5be79")


class AlexNet(nn.Module):
    """AlexNet for (N, 3, 224, 224) images or others of 63 pixels at least, result (N, num_classes) scores.

    >>> AlexNet(num_classes=10).classifier[6]
    Linear(in_features=4096, out_features=10, bias=True)
    """

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),  # (N, 3, 224, 224) -> (N, 64, 55, 55)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # -> (N, 64, 27, 27)
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # -> (N, 192, 13, 13)
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # -> (N, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@register_model
def alexnet(weights=None, progress=True, **kwargs):
    """AlexNet, 61,100,840 parameters."""
    return build(AlexNet, AlexNet_Weights, weights, progress, **kwargs)
