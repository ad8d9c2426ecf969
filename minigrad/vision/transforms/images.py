"""What an image is, and what a transform is.

An image is a NumPy array (H, W) or (H, W, C), a PIL image (read as such an array), or a tensor (..., C, H, W). A
transform is a function of one image; most are written for a stack of images of one size, (N, H, W), (N, H, W, C) or
(N, ..., C, H, W), and one image is a stack of one. So working by batches gives by construction what working image by
image gives; random transforms draw for all images of a batch at once, which is the same in distribution.
"""

import sys
from collections.abc import Callable

import numpy as np

from minigrad import Tensor, from_numpy


class Transform:
    """Base of the transforms: a subclass defines `batch(images)`, for a stack of images, or `__call__(image)`, for one.

    Where `batch` is defined, `__call__` follows from it, and a data set applies it to whole batches. A subclass that
    overrides only `__call__` is applied image by image.

    >>> class Invert(Transform):
    ...     def batch(self, images):
    ...         return 255 - images
    >>> Invert()(np.array([[0, 250]], dtype=np.uint8))
    array([[255,   5]], dtype=uint8)
    """

    def __call__(self, image):
        return self.batch(as_image(image)[None])[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def batched(transform: Callable) -> Callable | None:
    """The function that applies `transform` to a stack of images at once, or None if it is for single images only.

    >>> from minigrad.vision.transforms import Compose, Lambda, Pad
    >>> batched(Compose([Pad(2)]))(np.zeros((5, 8, 8), np.uint8)).shape
    (5, 12, 12)
    >>> batched(Lambda(np.negative)) is None
    True
    """
    if not isinstance(transform, Transform):
        return None
    nearest = next(base for base in type(transform).__mro__ if not {"__call__", "batch"}.isdisjoint(vars(base)))
    return transform.batch if "batch" in vars(nearest) else None


def as_image(image):
    """`image` itself if it is an array or a tensor, a PIL image as the array (H, W) or (H, W, C) of its values.

    Raises:
        TypeError: it is none of these.
        ValueError: an array is not of rank 2 or 3, or a tensor has a rank below 2.
    """
    if _is_pil(image):
        return np.array(image.convert("L") if image.mode == "1" else image)
    if isinstance(image, np.ndarray):
        if image.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {image.ndim} dimensions.")
        return image
    if isinstance(image, Tensor):
        if image.ndim < 2:
            raise ValueError(f"a tensor image has shape (..., C, H, W), got {tuple(image.shape)}")
        return image
    raise TypeError(f"pic should be a NumPy array, a PIL image or a Tensor. Got {type(image)}")


def plane_size(image) -> tuple[int, int]:
    """(H, W) of an image that is an array or a tensor."""
    return tuple(image.shape[-2:] if isinstance(image, Tensor) else image.shape[:2])


def on_pixels(function: Callable[[np.ndarray, int], np.ndarray], images, height: int):
    """`function(array, axis of H)` of images: an array, where that axis is `height`, or a tensor, where it is -2."""
    if isinstance(images, Tensor):
        return from_numpy(function(images.detach().numpy(), images.ndim - 2))
    return function(images, height)


def _is_pil(image) -> bool:
    pil = sys.modules.get("PIL.Image")  # Pillow is optional: where nobody imported it, nothing is a PIL image
    return pil is not None and isinstance(image, pil.Image)
