"""Transforms that move pixels: padding, resizing, cropping, flipping. They work on arrays, PIL images and tensors."""

import enum
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import rand, randint

from .images import Transform, on_pixels, plane_size


class InterpolationMode(enum.Enum):
    """How `Resize` finds the values between pixels."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Pad(Transform):
    """A border around the image.

    Args:
        padding: its width: one number, (left and right, top and bottom), or (left, top, right, bottom).
        fill: the value of the border, for "constant".
        padding_mode: "constant", "edge" (the outermost pixel again), "reflect" (mirrored without the outermost pixel)
            or "symmetric" (mirrored with it).

    Raises:
        ValueError: another padding or mode.

    torchvision's `torchvision.transforms.Pad`.

    >>> Pad((1, 0))(np.ones((1, 2), np.uint8))
    array([[0, 1, 1, 0]], dtype=uint8)
    """

    def __init__(self, padding: int | Sequence[int], fill: float = 0, padding_mode: str = "constant"):
        numbers = (padding,) if isinstance(padding, int) else tuple(padding)
        if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
            raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple of numbers >= 0, got {padding}")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode!r}"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode
        self.left, self.top, self.right, self.bottom = numbers * (4 // len(numbers))

    def batch(self, images):
        """The transform of a stack of images of one size."""
        return on_pixels(self._pad, images, height=1)

    def _pad(self, array: np.ndarray, height: int) -> np.ndarray:
        widths = [(0, 0)] * array.ndim
        widths[height : height + 2] = (self.top, self.bottom), (self.left, self.right)
        if self.padding_mode != "constant":
            mode: Any = self.padding_mode
            return np.pad(array, widths, mode)
        shape = [before + size + after for size, (before, after) in zip(array.shape, widths)]
        padded = np.full(shape, self.fill, array.dtype)
        padded[tuple(slice(before, before + size) for size, (before, _) in zip(array.shape, widths))] = array
        return padded

    def __repr__(self) -> str:
        return f"Pad(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class Resize(Transform):
    """The image in another size.

    uint8 values are interpolated in float32 and rounded.

    Args:
        size: (H, W), or the new length of the shorter side, the other one in proportion.
        interpolation: bilinear (corners not aligned) or nearest.
        max_size: the most that the longer side may have when `size` is one number; `size` gives way to it.
        antialias: bilinear weights widen when shrinking, so that every pixel counts.

    Raises:
        ValueError: an unknown interpolation, a size of another form, or `max_size` where it cannot apply.

    torchvision's `torchvision.transforms.Resize`; the values are those of `torch.nn.functional.interpolate`.

    >>> Resize((1, 4))(np.array([[0.0, 1.0]]))
    array([[0.  , 0.25, 0.75, 1.  ]])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool = True,
    ):
        numbers = (size,) if isinstance(size, int) else tuple(size)
        if len(numbers) not in (1, 2) or min(numbers) < 1:
            raise ValueError(f"If size is a sequence, it should have 1 or 2 values of at least 1, got {size}")
        if max_size is not None and (len(numbers) == 2 or max_size <= numbers[0]):
            raise ValueError(f"max_size = {max_size} needs a size of one number that is smaller, got size = {size}")
        self.size = size
        self.interpolation = InterpolationMode(interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def batch(self, images):
        """The transform of a stack of images of one size."""
        return on_pixels(self._resize, images, height=1)

    def _resize(self, array: np.ndarray, height: int) -> np.ndarray:
        size = self._output_size(*array.shape[height : height + 2])
        if self.interpolation is InterpolationMode.NEAREST:
            for axis, length in enumerate(size, start=height):
                array = array.take(_nearest(array.shape[axis], length), axis)
            return array
        result = array if array.dtype.kind == "f" else array.astype(np.float32)
        for axis, length in enumerate(size, start=height):
            result = _interpolate(result, axis, length, self.antialias)
        return result if array.dtype.kind == "f" else np.rint(result).astype(array.dtype)

    def _output_size(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, int) and len(self.size) == 2:
            return self.size[0], self.size[1]
        shorter = self.size if isinstance(self.size, int) else self.size[0]
        longer = int(shorter * max(height, width) / min(height, width))
        if self.max_size is not None and longer > self.max_size:
            shorter, longer = int(self.max_size * shorter / longer), self.max_size
        return (shorter, longer) if height <= width else (longer, shorter)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class RandomCrop(Transform):
    """A part of the image, at a random place.

    Args:
        size: (H, W) of the part, or the side of a square.
        padding: border that is added first, as in `Pad`.
        pad_if_needed: widen an image that is smaller than `size`.
        fill: value of the border.
        padding_mode: kind of border, as in `Pad`.

    Raises:
        ValueError: the image is smaller than the part.

    torchvision's `torchvision.transforms.RandomCrop`.

    >>> RandomCrop(8, padding=1)(np.zeros((8, 8, 3), np.uint8)).shape
    (8, 8, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ):
        self.size = _pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    def batch(self, images):
        """The transform of a stack of images of one size."""
        if self.padding is not None:
            images = Pad(self.padding, self.fill, self.padding_mode).batch(images)
        if self.pad_if_needed:
            missing = [max(wanted - length, 0) for wanted, length in zip(self.size, plane_size(images[0]))]
            images = Pad((missing[1], missing[0]), self.fill, self.padding_mode).batch(images)
        if any(wanted > length for wanted, length in zip(self.size, plane_size(images[0]))):
            raise ValueError(f"Required crop size {self.size} is larger than input image size {plane_size(images[0])}")
        return on_pixels(self._crop, images, height=1)

    def _crop(self, array: np.ndarray, height: int) -> np.ndarray:
        (h, w), before = self.size, (slice(None),) * (height - 1)
        limits = [array.shape[height] - h + 1, array.shape[height + 1] - w + 1]
        corners = zip(*(randint(0, limit, (len(array),)).tolist() for limit in limits))
        return np.stack(
            [image[(*before, slice(y, y + h), slice(x, x + w))] for image, (y, x) in zip(array, corners, strict=True)]
        )

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(Transform):
    """The image, or with probability p its mirror image, left and right exchanged.

    Args:
        p: the probability.

    torchvision's `torchvision.transforms.RandomHorizontalFlip`.

    >>> RandomHorizontalFlip(p=1.0)(np.array([[1, 2, 3]]))
    array([[3, 2, 1]])
    """

    def __init__(self, p: float = 0.5):
        self.p = p

    def batch(self, images):
        """The transform of a stack of images of one size."""
        return on_pixels(self._flip, images, height=1)

    def _flip(self, array: np.ndarray, height: int) -> np.ndarray:
        chosen = rand(len(array)).numpy() < self.p
        result = array.copy()
        result[chosen] = np.flip(array[chosen], height + 1)
        return result

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    numbers = (size,) if isinstance(size, int) else tuple(size)
    if len(numbers) not in (1, 2):
        raise ValueError(f"Please provide only two dimensions (h, w) for size, got {size}")
    return numbers[0], numbers[-1]


def _nearest(length: int, wanted: int) -> np.ndarray:
    """For each of `wanted` positions the nearest of `length`, rounded down in float32 as torch's "nearest" does."""
    scale = np.float32(length) / np.float32(wanted)
    return np.minimum(np.floor(np.arange(wanted, dtype=np.float32) * scale).astype(np.intp), length - 1)


def _interpolate(array: np.ndarray, axis: int, wanted: int, antialias: bool) -> np.ndarray:
    """`array` with `wanted` positions along `axis`, each a weighted sum of neighbours in the input."""
    if array.shape[axis] == wanted:
        return array
    indices, weights = _neighbours(array.shape[axis], wanted, antialias)
    trailing = (1,) * (array.ndim - axis - 1)
    terms = (
        array.take(index, axis) * weight.astype(array.dtype).reshape(-1, *trailing)
        for index, weight in zip(indices, weights)
    )
    return functools.reduce(np.add, terms)


@functools.lru_cache(maxsize=64)
def _neighbours(length: int, wanted: int, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which positions count for each of `wanted` ones, and how much: two arrays (neighbours, wanted).

    Weights fall linearly from the centre to `radius`, in units of the input's positions, and add up to 1.
    """
    scale = length / wanted
    radius = max(scale, 1.0) if antialias else 1.0
    centre = (np.arange(wanted) + 0.5) * scale
    first = np.floor(centre - radius + 0.5).astype(np.intp)
    indices = first + np.arange(math.ceil(2 * radius))[:, None]
    weights = np.maximum(1 - np.abs(indices + 0.5 - centre) / radius, 0)
    weights[(indices < 0) | (indices >= length)] = 0
    return indices.clip(0, length - 1), weights / weights.sum(0)
