"""Image data sets with torchvision's names: MNIST and its like, CIFAR, folders of pictures, random images; and Digits,
which needs no download."""

from .base import StandardTransform, VisionDataset
from .cifar import CIFAR10, CIFAR100
from .digits import Digits
from .fake import FakeData
from .files import DatasetError
from .folder import IMG_EXTENSIONS, DatasetFolder, ImageFolder, default_loader, find_classes, make_dataset, pil_loader
from .mnist import KMNIST, MNIST, FashionMNIST

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "IMG_EXTENSIONS",
    "KMNIST",
    "MNIST",
    "DatasetError",
    "DatasetFolder",
    "Digits",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "StandardTransform",
    "VisionDataset",
    "default_loader",
    "find_classes",
    "make_dataset",
    "pil_loader",
]
