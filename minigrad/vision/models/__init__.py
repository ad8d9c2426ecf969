"""Networks for images."""

from .lenet import LeNet5
from .resnet_cifar import ResNetCIFAR, resnet20, resnet32, resnet44, resnet56, resnet110

__all__ = ["LeNet5", "ResNetCIFAR", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"]
