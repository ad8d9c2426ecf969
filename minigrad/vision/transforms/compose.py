"""Transforms made of others: in sequence, sometimes, one of several, in any order; and any function."""

from collections.abc import Callable, Sequence

import numpy as np

from minigrad import randperm

from .base import Transform, batched, chance, uniform


class Compose(Transform):
    """Transforms one after the other.

    Args:
        transforms: the transforms, or any functions of one image.

    torchvision's `torchvision.transforms.Compose`.

    >>> from minigrad.vision.transforms import Pad, ToTensor
    >>> Compose([Pad(2), ToTensor()])
    Compose(
        Pad(padding=2, fill=0, padding_mode=constant)
        ToTensor()
    )
    """

    def __init__(self, transforms: Sequence[Callable]):
        super().__init__()
        self.transforms = transforms

    def forward(self, img):
        """The image after all transforms."""
        for transform in self.transforms:
            img = transform(img)
        return img

    @property
    def batch(self) -> Callable | None:
        """The function that applies all transforms to a stack of images, or None if one is for single images only."""
        steps = [batched(transform) for transform in self.transforms]
        if None in steps:
            return None

        def apply(images):
            for step in steps:
                images = step(images)
            return images

        return apply

    def __repr__(self) -> str:
        return _listing(self, self.transforms)


def _listing(transform, parts) -> str:
    return f"{type(transform).__name__}(" + "".join(f"\n    {part}" for part in parts) + "\n)"


class Lambda(Transform):
    """Any function of one image.

    Args:
        lambd: the function.

    Raises:
        TypeError: it cannot be called.

    torchvision's `torchvision.transforms.Lambda`.

    >>> Lambda(lambda image: image + 1)(41)
    42
    """

    def __init__(self, lambd: Callable):
        super().__init__()
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def forward(self, img):
        """What the function makes of the image."""
        return self.lambd(img)


class RandomApply(Transform):
    """A sequence of transforms, all of them with probability p or none.

    torchvision's `torchvision.transforms.RandomApply`.

    >>> RandomApply([Lambda(abs)], p=1.0)(-1)
    1
    """

    def __init__(self, transforms: Sequence[Callable], p: float = 0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img):
        """The image, or the image after all transforms."""
        if chance(self.p):
            for transform in self.transforms:
                img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listing(self, [f"p={self.p}", *self.transforms])


class _Several(Transform):
    def __init__(self, transforms: Sequence[Callable]):
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        return _listing(self, self.transforms)


class RandomOrder(_Several):
    """A sequence of transforms in a random order.

    torchvision's `torchvision.transforms.RandomOrder`.

    >>> RandomOrder([Lambda(abs), Lambda(float)])(-1)
    1.0
    """

    def forward(self, img):
        """The image after all transforms."""
        for index in randperm(len(self.transforms)).tolist():
            img = self.transforms[index](img)
        return img


class RandomChoice(_Several):
    """One of several transforms, each as probable as its weight in `p` says.

    torchvision's `torchvision.transforms.RandomChoice`.

    >>> RandomChoice([Lambda(abs), Lambda(float)], p=[1, 0])(-1)
    1
    """

    def __init__(self, transforms: Sequence[Callable], p: Sequence[float] | None = None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def forward(self, *args):
        """The image after one of the transforms."""
        ends = np.cumsum([1] * len(self.transforms) if self.p is None else self.p)
        return self.transforms[int(np.searchsorted(ends, uniform(0, ends[-1]), side="right"))](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
