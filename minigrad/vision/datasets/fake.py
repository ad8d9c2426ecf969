"""Images that mean nothing, for trying programs out."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from .base import VisionDataset


class FakeData(VisionDataset):
    """Random PIL images and labels, the same ones every time.

    Args:
        size: how many there are.
        image_size: (channels, height, width), with 1, 3 or 4 channels.
        num_classes: labels are 0 to num_classes - 1.
        transform: called on each image.
        target_transform: called on each label.
        random_offset: added to the index, from which an image is made.

    torchvision's `torchvision.datasets.FakeData`, with other random numbers.

    >>> image, target = FakeData(10, (3, 4, 5))[9]
    >>> image.mode, image.size, 0 <= target < 10
    ('RGB', (5, 4), True)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ):
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int):
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        random = np.random.Generator(np.random.Philox(key=(index + self.random_offset) % 2**64))
        channels, height, width = self.image_size
        pixels = random.integers(0, 256, (height, width, channels), np.uint8)
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        target = int(random.integers(self.num_classes))
        return (
            image if self.transform is None else self.transform(image),
            target if self.target_transform is None else self.target_transform(target),
        )

    def __len__(self) -> int:
        return self.size
