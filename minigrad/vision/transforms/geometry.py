"""Transforms that keep the whole image: padding, resizing, flipping."""

from collections.abc import Sequence

import numpy as np

from minigrad import from_numpy, rand

from .base import Transform, chance, each
from .geometry_functions import check_padding, hflip, pad, resize, sides, vflip
from .images import InterpolationMode, interpolation_mode


class Pad(Transform):
    """A border around the image.

    Args:
        padding: its width: one number, (left and right, top and bottom), or (left, top, right, bottom).
        fill: the value of the border, for "constant"; of a PIL image also one for each channel.
        padding_mode: "constant", "edge" (the outermost pixel again), "reflect" (mirrored without the outermost pixel)
            or "symmetric" (mirrored with it).

    Raises:
        TypeError, ValueError: another padding, fill or mode.

    torchvision's `torchvision.transforms.Pad`.

    >>> from PIL import Image
    >>> Pad((1, 0))(Image.new("L", (2, 2))).size
    (4, 2)
    """

    def __init__(self, padding: int | Sequence[int], fill: float = 0, padding_mode: str = "constant"):
        super().__init__()
        check_padding(padding, fill, padding_mode)
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img):
        """The image with the border."""
        return pad(img, self.padding, self.fill, self.padding_mode)

    def batch(self, images):
        """A stack of images with the border."""
        left, top, right, bottom = sides(self.padding)
        if not isinstance(images, np.ndarray) or min(left, top, right, bottom) < 0 or self.fill != 0:
            return each(self.forward, images)
        widths = ((0, 0), (top, bottom), (left, right), (0, 0))[: images.ndim]
        return np.pad(images, widths, self.padding_mode)  # type: ignore[call-overload]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class Resize(Transform):
    """The image in another size.

    Args:
        size: (H, W), or the new length of the shorter side, the other one in proportion.
        interpolation: how values between pixels are found.
        max_size: the most that the longer side may have when `size` is one number; `size` gives way to it.
        antialias: of tensors, bilinear and bicubic weights widen when shrinking, as they always do for PIL images.

    Raises:
        TypeError, ValueError: a size of another form, or `max_size` where it cannot apply.

    torchvision's `torchvision.transforms.Resize`.

    >>> import minigrad
    >>> Resize((1, 4))(minigrad.tensor([[[0.0, 1.0]]]))
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool = True,
    ):
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img):
        """The image in that size."""
        return resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def batch(self, images):
        """A stack of images in that size."""
        return each(self.forward, images)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class RandomHorizontalFlip(Transform):
    """The image, or with probability p its mirror image, left and right exchanged.

    Args:
        p: the probability.

    torchvision's `torchvision.transforms.RandomHorizontalFlip`.

    >>> import minigrad
    >>> RandomHorizontalFlip(p=1.0)(minigrad.tensor([[[1, 2, 3]]]))
    tensor([[[3, 2, 1]]])
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        """The image or its mirror image."""
        return hflip(img) if chance(self.p) else img

    def batch(self, images):
        """A stack of images, some of them mirrored."""
        return _some_flipped(images, self.p, 2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(Transform):
    """The image, or with probability p the image upside down.

    Args:
        p: the probability.

    torchvision's `torchvision.transforms.RandomVerticalFlip`.

    >>> import minigrad
    >>> RandomVerticalFlip(p=1.0)(minigrad.tensor([[[1], [2]]])).flatten()
    tensor([2, 1])
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        """The image as it is or upside down."""
        return vflip(img) if chance(self.p) else img

    def batch(self, images):
        """A stack of images, some of them upside down."""
        return _some_flipped(images, self.p, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


def _some_flipped(images, p, axis):
    """A stack with some images flipped along its axis 1 (of rows) or 2 (of columns), counted as in arrays."""
    arrays = isinstance(images, np.ndarray)
    values = images if arrays else images.detach().numpy()
    chosen = rand(len(values)).numpy() < p
    result = values.copy()
    result[chosen] = np.flip(values[chosen], axis if arrays else axis - 3)
    return result if arrays else from_numpy(result)
