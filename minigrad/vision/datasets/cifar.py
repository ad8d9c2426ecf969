"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images of 32 x 32, from their Python or binary files."""

import os
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from .base import ImagesInMemory
from .fetching import download
from .files import BLOCK, DatasetError, data_folder, locate, matches, missing, search_path, write_atomically
from .pickled import read_pickled_batch

CHANNELS, SIDE = 3, 32
PIXELS = CHANNELS * SIDE * SIDE  # of a record: the red, the green and the blue plane
MOST = 50_000  # records a file
LARGEST = MOST * (PIXELS + 128)  # bytes of an unpacked file: there are file names in the Python version


class CIFAR10(ImagesInMemory):
    """Small colour photographs: 50,000 to train and 10,000 to test, RGB, 32 x 32, in ten classes.

    The files of the Python version, `data_batch_1` to `data_batch_5` and `test_batch`, are looked for in `root`,
    `root/cifar-10-batches-py` (torchvision's layout) and `root/cifar10`, then in the same subfolders of the folder in
    the environment variable MINIGRAD_DATA (~/.cache/minigrad/data when unset) and in that folder itself; then those
    of the binary version, `data_batch_1.bin` and so on, likewise with `cifar-10-batches-bin`. With `download=True`
    the archive of the Python version is fetched into `root`, or that folder, and unpacked beside it.

    What is checked: of a download, the size and sha256 of the published archive. Of files that are already there only
    that they are sound: whole records, labels 0 to 9. Pickles are read by a reader that knows arrays of bytes and
    plain values and nothing else.

    Args:
        root: folder of the files.
        train: the training images, otherwise the test images.
        transform: called on each image, a PIL image "RGB".
        target_transform: called on each label.
        download: fetch the files if they are not there.

    Attributes:
        data: uint8 array (N, 32, 32, 3).
        targets: list of N ints.

    Raises:
        DatasetError: a file is missing, damaged or could not be downloaded.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009); torchvision's
    `torchvision.datasets.CIFAR10`.

    >>> CIFAR10.classes[:3]
    ['airplane', 'automobile', 'bird']
    """

    mirrors = ("https://www.cs.toronto.edu/~kriz",)
    archive = "cifar-10-python.tar.gz"
    resource = (170498071, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce")
    base_folder, binary_folder, own_folder = "cifar-10-batches-py", "cifar-10-batches-bin", "cifar10"
    train_files: tuple[str, ...] = tuple(f"data_batch_{number}" for number in range(1, 6))
    test_files: tuple[str, ...] = ("test_batch",)
    meta_file = "batches.meta"
    label_key, label_bytes = "labels", 1  # the key in a pickle; the bytes before the pixels of a binary record
    classes: ClassVar[list[str]] = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        paths = self._files(self.train_files if train else self.test_files, download)
        parts = [self._read(path) for path in paths]
        self.targets = [label for labels, _ in parts for label in labels]
        self.data = np.empty((len(self.targets), SIDE, SIDE, CHANNELS), np.uint8)
        start = 0
        while parts:  # each part goes as soon as it is copied
            _, rows = parts.pop(0)
            planes = rows.reshape(-1, CHANNELS, SIDE, SIDE)  # (N, 3, 32, 32) -> (N, 32, 32, 3)
            self.data[start : start + len(planes)] = planes.transpose(0, 2, 3, 1)
            start += len(planes)

    def _read(self, path: Path) -> tuple[list[int], np.ndarray]:
        """Labels and rows of pixels of one file."""
        if path.suffix == ".bin":
            return read_records(path, len(self.classes), self.label_bytes)
        return read_pickled_batch(path, self.label_key, PIXELS, len(self.classes))

    def _files(self, names: tuple[str, ...], fetch: bool) -> list[Path]:
        folders = search_path(self.root, (self.base_folder, self.own_folder, "."))
        binary = search_path(self.root, (self.binary_folder, self.own_folder, "."))
        paths = locate(names, folders) or locate([f"{name}.bin" for name in names], binary)
        if paths is None and fetch:
            folder = Path(data_folder() if self.root is None else self.root)
            archive = folder / self.archive
            if not matches(archive, *self.resource):
                download(self.archive, *self.resource, self.mirrors, folder)
            members = (*self.train_files, *self.test_files, self.meta_file)
            unpack(archive, [f"{self.base_folder}/{name}" for name in members], folder)
            paths = locate(names, [folder / self.base_folder])
        if paths is None:
            raise missing(type(self).__name__, [f"{name}[.bin]" for name in names], dict.fromkeys([*folders, *binary]))
        return paths


class CIFAR100(CIFAR10):
    """Small colour photographs: 50,000 to train and 10,000 to test, RGB, 32 x 32, in a hundred classes.

    Arguments, attributes, checks and errors are CIFAR10's. The files are `train` and `test`, in the subfolders
    `cifar-100-python` and `cifar100`, or `train.bin` and `test.bin` in `cifar-100-binary`. The labels are the fine
    ones.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009); torchvision's
    `torchvision.datasets.CIFAR100`.

    >>> len(CIFAR100.classes), CIFAR100.classes[:3]
    (100, ['apple', 'aquarium_fish', 'baby'])
    """

    archive = "cifar-100-python.tar.gz"
    resource = (169001437, "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7")
    base_folder, binary_folder, own_folder = "cifar-100-python", "cifar-100-binary", "cifar100"
    train_files = ("train",)
    test_files = ("test",)
    meta_file = "meta"
    label_key, label_bytes = "fine_labels", 2
    classes: ClassVar[list[str]] = [
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
        "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
        "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
        "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
        "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
        "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
        "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
        "willow_tree", "wolf", "woman", "worm",
    ]  # fmt: skip


def read_records(path: Path, classes: int, label_bytes: int) -> tuple[list[int], np.ndarray]:
    """Labels, the last of `label_bytes` bytes each, and rows (N, 3072) of one binary file.

    Raises:
        DatasetError: the file does not hold whole records, or a label is no class.
    """
    size, record = path.stat().st_size, label_bytes + PIXELS
    if size == 0 or size % record or size > MOST * record:
        raise DatasetError(f"{path}: {size} bytes, expected 1 to {MOST} records of {record} bytes")
    records = np.fromfile(path, np.uint8, count=size).reshape(-1, record)
    labels = records[:, label_bytes - 1]
    if labels.max() >= classes:
        raise DatasetError(f"{path}: label {labels.max()} in record {labels.argmax()}, expected 0 to {classes - 1}")
    return labels.tolist(), records[:, label_bytes:]


def unpack(archive: Path, members: list[str], folder: Path) -> None:
    """Write the `members` of a .tar.gz of batch files below `folder`, and nothing else of what it holds."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name in members:
                member = tar.getmember(name)
                source = tar.extractfile(member)
                if source is None or not member.isreg() or member.size > LARGEST:
                    raise DatasetError(f"{archive}: {name} is no file of at most {LARGEST} bytes")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, iter(partial(source.read, BLOCK), b""))
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise DatasetError(f"{archive}: cannot be unpacked: {error}") from error
