"""Computer vision under torchvision's names: data sets, transforms, models, pictures from and into files."""

from . import datasets, io, models, transforms, utils

__all__ = ["datasets", "io", "models", "transforms", "utils"]
