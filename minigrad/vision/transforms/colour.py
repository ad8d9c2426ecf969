"""Transforms of colours: jitter, grey, and what happens with a probability."""

import numbers

from minigrad import randperm

from .base import Transform, chance, each, uniform
from .colour_functions import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
)
from .images import get_dimensions
from .neighbour_functions import adjust_sharpness


class ColorJitter(Transform):
    """The image with random brightness, contrast, saturation and hue, changed in a random order.

    Args:
        brightness, contrast, saturation: the range (least, most) of a factor, or max(0, 1 - x) to 1 + x.
        hue: the range of a turn, within -0.5 and 0.5, or -x to x.

    Raises:
        TypeError, ValueError: a range of another form or out of bounds.

    torchvision's `torchvision.transforms.ColorJitter`.

    >>> ColorJitter(brightness=0.2, hue=0.1)
    ColorJitter(brightness=(0.8, 1.2), contrast=None, saturation=None, hue=(-0.1, 0.1))
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        super().__init__()
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", center=0, bound=(-0.5, 0.5))

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """(the order of the four changes, then a random factor or None for each of them)."""
        order = randperm(4)
        return order, *(
            None if limits is None else uniform(*limits) for limits in (brightness, contrast, saturation, hue)
        )

    def forward(self, img):
        """The image with changed colours."""
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
        for which in order.tolist():
            if factors[which] is not None:
                img = changes[which](img, factors[which])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _range(value, name, center=1, bound=(0, float("inf"))):
    """(least, most) of a factor, or None if it can only be the one that changes nothing."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        least, most = center - float(value), center + float(value)
        least = max(least, 0.0) if center else least
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        least, most = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= least <= most <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[least, most]}.")
    return None if least == most == center else (least, most)


class Grayscale(Transform):
    """The image in grey, of one channel or three equal ones.

    torchvision's `torchvision.transforms.Grayscale`.

    >>> from PIL import Image
    >>> Grayscale()(Image.new("RGB", (2, 2))).mode
    'L'
    """

    def __init__(self, num_output_channels: int = 1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        """The grey image."""
        return rgb_to_grayscale(img, self.num_output_channels)

    def batch(self, images):
        """A stack of grey images."""
        return each(self.forward, images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class _Sometimes(Transform):
    """A function of the image, with probability p; its arguments are attributes with the names in `arguments`."""

    arguments: tuple[str, ...] = ()

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def change(self, img):
        """What happens with that probability."""
        raise NotImplementedError

    def forward(self, img):
        """The image, changed or not."""
        return self.change(img) if chance(self.p) else img

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={getattr(self, name)}" for name in (*self.arguments, "p"))
        return f"{type(self).__name__}({shown})"


class RandomGrayscale(_Sometimes):
    """The image, or with probability p the image in grey, with as many channels.

    torchvision's `torchvision.transforms.RandomGrayscale`.

    >>> RandomGrayscale()
    RandomGrayscale(p=0.1)
    """

    def __init__(self, p: float = 0.1):
        super().__init__(p)

    def change(self, img):
        """The grey image."""
        return rgb_to_grayscale(img, get_dimensions(img)[0])


class RandomInvert(_Sometimes):
    """The image, or with probability p its negative.

    torchvision's `torchvision.transforms.RandomInvert`.

    >>> RandomInvert()
    RandomInvert(p=0.5)
    """

    def change(self, img):
        """The negative."""
        return invert(img)


class RandomPosterize(_Sometimes):
    """The image, or with probability p the image with `bits` bits a value left.

    torchvision's `torchvision.transforms.RandomPosterize`.

    >>> RandomPosterize(3)
    RandomPosterize(bits=3,p=0.5)
    """

    arguments = ("bits",)

    def __init__(self, bits: int, p: float = 0.5):
        super().__init__(p)
        self.bits = bits

    def change(self, img):
        """The image with fewer bits."""
        return posterize(img, self.bits)


class RandomSolarize(_Sometimes):
    """The image, or with probability p the image with all values from `threshold` on inverted.

    torchvision's `torchvision.transforms.RandomSolarize`.

    >>> RandomSolarize(128)
    RandomSolarize(threshold=128,p=0.5)
    """

    arguments = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5):
        super().__init__(p)
        self.threshold = threshold

    def change(self, img):
        """The image with its bright values inverted."""
        return solarize(img, self.threshold)


class RandomAdjustSharpness(_Sometimes):
    """The image, or with probability p the image sharpened or blurred.

    torchvision's `torchvision.transforms.RandomAdjustSharpness`.

    >>> RandomAdjustSharpness(2)
    RandomAdjustSharpness(sharpness_factor=2,p=0.5)
    """

    arguments = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, img):
        """The sharpened image."""
        return adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_Sometimes):
    """The image, or with probability p the image stretched from black to white.

    torchvision's `torchvision.transforms.RandomAutocontrast`.

    >>> RandomAutocontrast()
    RandomAutocontrast(p=0.5)
    """

    def change(self, img):
        """The stretched image."""
        return autocontrast(img)


class RandomEqualize(_Sometimes):
    """The image, or with probability p the image with flat histograms.

    torchvision's `torchvision.transforms.RandomEqualize`.

    >>> RandomEqualize()
    RandomEqualize(p=0.5)
    """

    def change(self, img):
        """The equalised image."""
        return equalize(img)
