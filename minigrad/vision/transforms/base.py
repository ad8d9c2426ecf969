"""What a transform is, how it works on whole batches, and the numbers that random transforms draw.

A transform is a module: `transform(image)` calls its `forward(image)`. A data set may hand it a stack of images
instead, if it defines `batch(images)`: an array (N, H, W) or (N, H, W, C) of bytes, which stands for N PIL images
"L" or "RGB", or a tensor (N, ..., C, H, W). `batch` gives what `forward` would give image by image; random transforms
draw for all images of a stack at once, which is the same in distribution.
"""

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from minigrad.nn import Module
from minigrad.ops.random import default_generator


class Transform(Module):
    """Base of the transforms: a subclass defines `forward(image)` and, where stacks can be quicker, `batch(images)`.

    A subclass that overrides only `forward` is applied image by image.

    >>> class Invert(Transform):
    ...     def forward(self, image):
    ...         return 1 - image
    >>> import minigrad
    >>> Invert()(minigrad.tensor([[[0.0, 1.0]]]))
    tensor([[[1., 0.]]])
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def batched(transform: Callable | None) -> Callable | None:
    """The function that applies `transform` to a stack of images at once, or None if it is for single images only.

    >>> from minigrad.vision.transforms import Compose, Lambda, Pad
    >>> batched(Compose([Pad(2)]))(np.zeros((5, 8, 8), np.uint8)).shape
    (5, 12, 12)
    >>> batched(Lambda(np.negative)) is None
    True
    """
    if not isinstance(transform, Transform):
        return None
    ways = {"__call__", "forward", "batch"}
    nearest = next(base for base in type(transform).__mro__ if not ways.isdisjoint(vars(base)))
    return transform.batch if "batch" in vars(nearest) else None


def each(function: Callable, images):
    """`function` of a stack: of each array as a PIL image, or of a tensor as it is."""
    if not isinstance(images, np.ndarray):
        return function(images)
    return np.stack([np.asarray(function(Image.fromarray(image))) for image in images])


def uniform(low: float, high: float) -> float:
    """A number drawn evenly from [low, high)."""
    return low + (high - low) * default_generator.stream.random()


def chance(p: float) -> bool:
    """True with probability p."""
    return default_generator.stream.random() < p


def whole(low: int, high: int) -> int:
    """A whole number drawn evenly from [low, high)."""
    return int(default_generator.stream.integers(low, high))


def two_sizes(size: Any, message: str):
    """(height, width) of a size that may be one number; ValueError with `message` for another count."""
    if isinstance(size, numbers.Real):
        return int(size), int(size)  # type: ignore[call-overload]
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(message)
    return size


def check_sequence(value, name: str, lengths: Sequence[int]) -> None:
    """TypeError or ValueError unless `value` is a sequence of one of the lengths."""
    allowed = " or ".join(map(str, lengths))
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {allowed}.")
    if len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {allowed}.")


def angles(value: Any, name: str, lengths: Sequence[int] = (2,)) -> list[float]:
    """The range -value to value of one number, or the numbers of a sequence."""
    if isinstance(value, numbers.Real):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(value), float(value)]
    check_sequence(value, name, lengths)
    return [float(angle) for angle in value]


def check_fill(fill):
    """`fill`, 0 for None; TypeError unless it is a number or a sequence."""
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Real)):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill
