"""Image transforms with torchvision's names.

`images.py` says what an image is and what a transform is, `tensors.py` turns images into normalised tensors,
`geometry.py` pads, resizes, crops and flips. Results record no gradient. Random transforms draw from the default
generator (see `manual_seed`).
"""

from .compose import Compose, Lambda
from .geometry import InterpolationMode, Pad, RandomCrop, RandomHorizontalFlip, Resize
from .images import Transform, batched
from .tensors import Normalize, ToTensor

__all__ = [
    "Compose",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "ToTensor",
    "Transform",
    "batched",
]
