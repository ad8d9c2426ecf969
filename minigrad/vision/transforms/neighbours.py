"""Transforms that blur the image or erase a part of it."""

import numbers
from collections.abc import Sequence
from typing import Any

from minigrad import Tensor, randn, tensor

from .base import Transform, chance, two_sizes, uniform, whole
from .crops import check_ranges, random_part
from .neighbour_functions import erase, gaussian_blur


class GaussianBlur(Transform):
    """The image blurred with a Gaussian of random width.

    Args:
        kernel_size: odd sizes (x, y) of the kernel, or one for both.
        sigma: the range of the standard deviation, in pixels, or the one.

    Raises:
        ValueError: sizes or a range out of bounds.

    torchvision's `torchvision.transforms.GaussianBlur`.

    >>> GaussianBlur(3)
    GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Any = (0.1, 2.0)):
        super().__init__()
        self.kernel_size = two_sizes(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not (isinstance(sigma, Sequence) and len(sigma) == 2):
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A random standard deviation."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img):
        """The blurred image."""
        sigma = self.get_params(*self.sigma)
        return gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomErasing(Transform):
    """The tensor image, or with probability p the image with a random rectangle painted over.

    Args:
        p: the probability.
        scale: the least and the most of the image's area.
        ratio: the least and the most of height / width.
        value: what it is painted with: a number, one for each channel, or "random" for normal numbers.
        inplace: change the tensor itself.

    Raises:
        TypeError, ValueError: arguments of another form or out of range.

    torchvision's `torchvision.transforms.RandomErasing`; Zhong et al. 2017, "Random erasing data augmentation".

    >>> RandomErasing()
    RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ):
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        check_ranges(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img: Tensor, scale, ratio, value=None):
        """(top, left, height, width, value) of a random rectangle; the whole image, unchanged, where none fits."""
        channels, h, w = img.shape[-3:]
        part = random_part(h * w, scale, ratio, lambda width, height: height < h and width < w)
        if part is None:
            return 0, 0, h, w, img
        width, height = part
        paint = randn(channels, height, width) if value is None else tensor(value)[:, None, None]
        return whole(0, h - height + 1), whole(0, w - width + 1), height, width, paint

    def forward(self, img: Tensor) -> Tensor:
        """The image, with or without a rectangle."""
        if not chance(self.p):
            return img
        value = None
        if not isinstance(self.value, str):
            value = [float(v) for v in (self.value if isinstance(self.value, (tuple, list)) else [self.value])]
            if len(value) not in (1, img.shape[-3]):
                raise ValueError(
                    "If value is a sequence, it should have either a single value or "
                    f"{img.shape[-3]} (number of input channels)"
                )
        top, left, height, width, paint = self.get_params(img, self.scale, self.ratio, value)
        return erase(img, top, left, height, width, paint, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )
