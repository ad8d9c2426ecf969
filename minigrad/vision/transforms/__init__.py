"""Image transforms with torchvision's names, for PIL images and tensors (..., C, H, W).

`base.py` says what a transform is, `images.py` what an image is. The transforms are in `compose.py`, `tensors.py`,
`geometry.py`, `crops.py`, `warps.py`, `colour.py`, `neighbours.py`; what they do to one image with given parameters is
in the rooms of functions (`geometry_functions.py` and so on), which `functional.py` brings together. Random transforms
draw from the default generator (see `manual_seed`).
"""

from . import functional
from .base import Transform, batched
from .colour import (
    ColorJitter,
    Grayscale,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomEqualize,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from .compose import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from .crops import CenterCrop, FiveCrop, RandomCrop, RandomResizedCrop, TenCrop
from .geometry import Pad, RandomHorizontalFlip, RandomVerticalFlip, Resize
from .images import InterpolationMode
from .neighbours import GaussianBlur, RandomErasing
from .tensors import ConvertImageDtype, LinearTransformation, Normalize, PILToTensor, ToPILImage, ToTensor
from .warps import ElasticTransform, RandomAffine, RandomPerspective, RandomRotation

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "ElasticTransform",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "LinearTransformation",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomApply",
    "RandomAutocontrast",
    "RandomChoice",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomOrder",
    "RandomPerspective",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSolarize",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "ToPILImage",
    "ToTensor",
    "Transform",
    "batched",
    "functional",
]
