"""What the image data sets share: arrays of images and targets, transforms, and fetching a whole batch at once."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from minigrad.utils.data import Columns, Dataset

from ..transforms import batched


class VisionDataset(Dataset):
    """Base of the image data sets: all images in one array, one label each.

    A subclass sets `data` and `targets` (and `classes`). Item i is `(image, target)`: the image a uint8 NumPy array,
    (H, W) when grey and (H, W, C) in colour (a copy; torchvision gives a PIL image here), the target an int; each
    goes through its transform first, if there is one.

    A `DataLoader` fetches a batch at once, with the result it would have item by item: when `transform` is one of
    `minigrad.vision.transforms` that can work on a stack of images, it is called once a batch instead of once an image.

    Args:
        root: folder of the files, or None.
        transform: called on each image.
        target_transform: called on each target.

    Attributes:
        data: uint8 array (N, H, W) or (N, H, W, C).
        targets: int64 array (N,), or any sequence of ints.
        classes: the name of each class.

    torchvision's `torchvision.datasets.VisionDataset`.

    >>> class Dots(VisionDataset):
    ...     data, targets = np.eye(3, dtype=np.uint8).reshape(3, 1, 3), np.arange(3)
    >>> Dots(target_transform=lambda target: target + 10)[1]
    (array([[0, 1, 0]], dtype=uint8), 11)
    """

    data: np.ndarray
    targets: np.ndarray
    classes: ClassVar[list[str]]

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ):
        self.root = None if root is None else Path(root).expanduser()
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int):
        image = self.data[index].copy()
        return image if self.transform is None else self.transform(image), self._target(index)

    def __getitems__(self, indices: Sequence[int]):
        transform = None if self.transform is None else batched(self.transform)
        if self.transform is not None and transform is None:
            return [self[index] for index in indices]
        images = self.data[np.asarray(indices, np.intp)]
        return Columns(images if transform is None else transform(images), [self._target(index) for index in indices])

    def _target(self, index: int):
        target = int(self.targets[index])
        return target if self.target_transform is None else self.target_transform(target)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: label for label, name in enumerate(self.classes)}

    def extra_repr(self) -> str:
        """Lines that a subclass adds to its `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        for label, transform in (("Transform", self.transform), ("Target transform", self.target_transform)):
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                lines += [f"{label}: {first}", *rest]
        return f"Dataset {type(self).__name__}\n" + "\n".join(f"    {line}" for line in lines)
