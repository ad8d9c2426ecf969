"""Transforms made of others: a sequence of them, and any function."""

from collections.abc import Callable, Sequence

from .images import Transform, batched


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
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image

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
        lines = [f"    {line}\n" for transform in self.transforms for line in repr(transform).splitlines()]
        return f"{type(self).__name__}(\n{''.join(lines)})"


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
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, image):
        return self.lambd(image)
