"""What the image data sets share: transforms, PIL images of arrays in memory, and fetching a whole batch at once."""

import os
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from PIL import Image

from minigrad.utils.data import Columns, Dataset

from ..transforms import batched


class VisionDataset(Dataset):
    """Base of the image data sets: a folder, and transforms of images and targets.

    Args:
        root: folder of the files, or None.
        transforms: called on each image and its target, gives both.
        transform: called on each image.
        target_transform: called on each target.

    Raises:
        ValueError: both `transforms` and one of the others are given.

    torchvision's `torchvision.datasets.VisionDataset`.

    >>> class Numbers(VisionDataset):
    ...     def __len__(self):
    ...         return 3
    >>> Numbers("pictures")
    Dataset Numbers
        Number of datapoints: 3
        Root location: pictures
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def __len__(self) -> int:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Lines that a subclass adds to its `repr`."""
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])


class StandardTransform:
    """A transform of images and one of targets, as one of both.

    torchvision's `torchvision.datasets.vision.StandardTransform`.

    >>> StandardTransform(abs, float)(-1, 2)
    (1, 2.0)
    """

    def __init__(self, transform: Callable | None = None, target_transform: Callable | None = None):
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input, target):
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        body = [type(self).__name__]
        for label, transform in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                body += [f"{label}{first}", *(" " * len(label) + line for line in rest)]
        return "\n".join(body)


class ImagesInMemory(VisionDataset):
    """A data set whose images are all in one array of bytes: item i is a PIL image, "L" or "RGB", and an int.

    Each goes through its transform first, if there is one. A subclass sets `data`, a tensor or array (N, H, W) or
    (N, H, W, 3), `targets`, a tensor or list, and `classes`.

    A `DataLoader` fetches a batch at once, with the result it would have item by item: when `transform` is one of
    `minigrad.vision.transforms` that can work on a stack of images, it is called once a batch instead of once an image.

    >>> class Dots(ImagesInMemory):
    ...     data, targets = np.eye(3, dtype=np.uint8).reshape(3, 1, 3), [0, 1, 2]
    >>> image, target = Dots(target_transform=lambda target: target + 10)[1]
    >>> image.size, image.getpixel((1, 0)), target
    ((3, 1), 1, 11)
    """

    classes: ClassVar[list[str]]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int):
        image = Image.fromarray(np.asarray(self.data)[index])
        return image if self.transform is None else self.transform(image), self._target(index)

    def __getitems__(self, indices: Sequence[int]):
        transform = batched(self.transform)
        if transform is None:
            return [self[index] for index in indices]
        images = transform(np.asarray(self.data)[np.asarray(indices, np.intp)])
        if isinstance(images, np.ndarray):  # which stands for PIL images
            images = [Image.fromarray(image) for image in images]
        return Columns(images, [self._target(index) for index in indices])

    def _target(self, index: int):
        target = int(self.targets[index])
        return target if self.target_transform is None else self.target_transform(target)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: label for label, name in enumerate(self.classes)}

    def extra_repr(self) -> str:
        """The split, where there is one."""
        train = getattr(self, "train", None)
        return "" if train is None else f"Split: {'Train' if train else 'Test'}"
