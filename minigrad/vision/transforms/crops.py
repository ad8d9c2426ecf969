"""Transforms that cut parts out of the image: in the middle, in the corners, at random."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from minigrad import from_numpy, randint

from .base import Transform, each, two_sizes, uniform, whole
from .geometry import Pad
from .geometry_functions import center_crop, crop, five_crop, pad, resized_crop, ten_crop
from .images import InterpolationMode, get_dimensions, interpolation_mode

_TWO = "Please provide only two dimensions (h, w) for size."


class CenterCrop(Transform):
    """The middle of the image, which gets a border of 0 where it is smaller.

    Args:
        size: (H, W), or the side of a square.

    torchvision's `torchvision.transforms.CenterCrop`.

    >>> from PIL import Image
    >>> CenterCrop(4)(Image.new("L", (9, 5))).size
    (4, 4)
    """

    def __init__(self, size: int | Sequence[int]):
        super().__init__()
        self.size = two_sizes(size, _TWO)

    def forward(self, img):
        """The middle of an image."""
        return center_crop(img, self.size)

    def batch(self, images):
        """The middles of a stack of images."""
        return each(self.forward, images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class RandomCrop(Transform):
    """A part of the image, at a random place.

    Args:
        size: (H, W) of the part, or the side of a square.
        padding: border that is added first, as in `Pad`.
        pad_if_needed: widen an image that is smaller than `size`, on both sides.
        fill: value of the border.
        padding_mode: kind of border, as in `Pad`.

    Raises:
        ValueError: the image is smaller than the part.

    torchvision's `torchvision.transforms.RandomCrop`.

    >>> from PIL import Image
    >>> RandomCrop(8, padding=1)(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ):
        super().__init__()
        self.size = tuple(two_sizes(size, _TWO))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img, output_size):
        """(top, left, height, width) of a random part."""
        _, h, w = get_dimensions(img)
        height, width = output_size
        _check_part((height, width), (h, w))
        return whole(0, h - height + 1), whole(0, w - width + 1), height, width

    def forward(self, img):
        """A part of the image."""
        if self.padding is not None:
            img = pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = get_dimensions(img)
        for missing in self._missing(height, width):
            img = pad(img, missing, self.fill, self.padding_mode)
        return crop(img, *self.get_params(img, self.size))

    def batch(self, images):
        """A part of each image of a stack."""
        if self.padding is not None:
            images = Pad(self.padding, self.fill, self.padding_mode).batch(images)
        arrays = isinstance(images, np.ndarray)
        rows = 1 if arrays else images.ndim - 2
        for missing in self._missing(*images.shape[rows : rows + 2]):
            images = Pad(missing, self.fill, self.padding_mode).batch(images)
        (height, width), (h, w) = self.size, images.shape[rows : rows + 2]
        _check_part(self.size, (h, w))
        values = images if arrays else images.detach().numpy()
        tops, lefts = (randint(0, limit, (len(values),)).tolist() for limit in (h - height + 1, w - width + 1))
        before = (slice(None),) * (rows - 1)
        parts = np.stack(
            [
                image[(*before, slice(top, top + height), slice(left, left + width))]
                for image, top, left in zip(values, tops, lefts, strict=True)
            ]
        )
        return parts if arrays else from_numpy(parts)

    def _missing(self, height, width):
        """The paddings that `pad_if_needed` asks for, for an image of that size."""
        if not self.pad_if_needed:
            return []
        missing = [[max(self.size[1] - width, 0), 0], [0, max(self.size[0] - height, 0)]]
        return [padding for padding in missing if any(padding)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def _check_part(size, whole_size):
    if any(part > length for part, length in zip(size, whole_size)):
        raise ValueError(f"Required crop size {tuple(size)} is larger than input image size {tuple(whole_size)}")


def random_part(area: int, scale, ratio, fits) -> tuple[int, int] | None:
    """(height, width) of a random part: a share of `area` within `scale`, width / height within `ratio`, evenly on a
    logarithmic scale. None if ten attempts do not fit."""
    low, high = (math.log(value) for value in ratio)
    for _ in range(10):
        part, aspect = area * uniform(*scale), math.exp(uniform(low, high))
        height, width = round(math.sqrt(part / aspect)), round(math.sqrt(part * aspect))
        if fits(height, width):
            return height, width
    return None


class RandomResizedCrop(Transform):
    """A random part of the image, of random size and proportions, resized.

    Args:
        size: (H, W) of the result, or the side of a square.
        scale: the least and the most of the image's area.
        ratio: the least and the most of width / height.
        interpolation, antialias: as in `Resize`.

    torchvision's `torchvision.transforms.RandomResizedCrop`; the cropping of Szegedy et al. 2015, "Going deeper with
    convolutions".

    >>> from PIL import Image
    >>> RandomResizedCrop(4)(Image.new("L", (9, 7))).size
    (4, 4)
    """

    def __init__(
        self,
        size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool = True,
    ):
        super().__init__()
        self.size = two_sizes(size, _TWO)
        check_ranges(scale, ratio)
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img, scale, ratio):
        """(top, left, height, width) of a random part; the middle of the image where none fits."""
        _, h, w = get_dimensions(img)
        part = random_part(h * w, scale, ratio, lambda height, width: 0 < height <= h and 0 < width <= w)
        if part is not None:
            return whole(0, h - part[0] + 1), whole(0, w - part[1] + 1), *part
        height, width = h, w
        if w / h < min(ratio):
            height = round(w / min(ratio))
        elif w / h > max(ratio):
            width = round(h * max(ratio))
        return (h - height) // 2, (w - width) // 2, height, width

    def forward(self, img):
        """A part of the image, resized."""
        part = self.get_params(img, self.scale, self.ratio)
        return resized_crop(img, *part, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(value, 4) for value in values) for values in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def check_ranges(scale, ratio) -> None:
    """TypeError unless both are sequences; a warning if one is no (least, most)."""
    for name, values in (("Scale", scale), ("Ratio", ratio)):
        if not isinstance(values, Sequence):
            raise TypeError(f"{name} should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


class FiveCrop(Transform):
    """The four corners of the image and its middle, a tuple.

    torchvision's `torchvision.transforms.FiveCrop`.

    >>> from PIL import Image
    >>> len(FiveCrop(2)(Image.new("L", (9, 7))))
    5
    """

    def __init__(self, size: int | Sequence[int]):
        super().__init__()
        self.size = two_sizes(size, _TWO)

    def forward(self, img):
        """The five parts."""
        return five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(FiveCrop):
    """The four corners of the image and its middle, and those of its mirror image, a tuple.

    torchvision's `torchvision.transforms.TenCrop`.

    >>> from PIL import Image
    >>> len(TenCrop(2)(Image.new("L", (9, 7))))
    10
    """

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False):
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img):
        """The ten parts."""
        return ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"
