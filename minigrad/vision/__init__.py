"""Computer vision under torchvision's names: data sets, transforms and models."""

from . import datasets, models, transforms

__all__ = ["datasets", "models", "transforms"]
