"""What published weights want to see: the transforms that were used when they were measured."""

from collections.abc import Sequence

from .base import Transform
from .geometry_functions import center_crop, resize
from .images import InterpolationMode, is_picture
from .tensor_functions import convert_image_dtype, normalize, pil_to_tensor


class ImageClassification(Transform):
    """Resize, crop the middle, values between 0 and 1, normalise: for PIL images and tensors (..., C, H, W).

    torchvision's `torchvision.transforms._presets.ImageClassification`, what `weights.transforms()` gives.

    >>> from PIL import Image
    >>> ImageClassification(crop_size=224)(Image.new("RGB", (300, 400))).shape
    minigrad.Size([3, 224, 224])
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool = True,
    ):
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img):
        """The tensor that the network takes."""
        img = resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = center_crop(img, self.crop_size)
        img = convert_image_dtype(pil_to_tensor(img) if is_picture(img) else img)
        return normalize(img, self.mean, self.std)

    def describe(self) -> str:
        """What happens to an image, in words."""
        return (
            f"Images are resized to {self.resize_size} with {self.interpolation}, the middle {self.crop_size} is "
            f"cropped, values are scaled to [0.0, 1.0] and normalized with mean={self.mean} and std={self.std}."
        )

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return f"{type(self).__name__}(" + "".join(f"\n    {name}={getattr(self, name)}" for name in names) + "\n)"
