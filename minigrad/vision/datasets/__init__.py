"""Image data sets with torchvision's names: MNIST, Fashion-MNIST, CIFAR-10, and Digits, which needs no download."""

from .base import VisionDataset
from .cifar import CIFAR10
from .digits import Digits
from .files import DatasetError
from .mnist import MNIST, FashionMNIST

__all__ = ["CIFAR10", "MNIST", "DatasetError", "Digits", "FashionMNIST", "VisionDataset"]
