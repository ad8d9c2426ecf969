"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 in ten classes, from the files of its binary version."""

import os
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from .base import VisionDataset
from .files import BLOCK, DatasetError, data_folder, download, locate, matches, missing, search_path, write_atomically

CHANNELS, SIDE = 3, 32
RECORD = 1 + CHANNELS * SIDE * SIDE  # a label, then the red, the green and the blue plane
MOST = 10_000  # records a file


class CIFAR10(VisionDataset):
    """Small colour photographs: 50,000 to train and 10,000 to test, RGB, 32 x 32, in ten classes.

    The files of the binary version, `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, are looked for in
    `root`, `root/cifar-10-batches-bin` and `root/cifar10`, then in the same subfolders of the folder in the
    environment variable MINIGRAD_DATA (~/.cache/minigrad/data when unset) and in that folder itself. With
    `download=True` the archive is fetched into `root`, or that folder, and its `cifar-10-batches-bin` is unpacked
    beside it.

    What is checked: of a download, the size and sha256 of the published archive. Of files that are already there only
    that they are sound: 1 to 10,000 whole records each, labels 0 to 9.

    Args:
        root: folder of the files.
        train: the training images, otherwise the test images.
        transform: called on each image, a uint8 array (32, 32, 3).
        target_transform: called on each label.
        download: fetch the files if they are not there.

    Raises:
        DatasetError: a file is missing, damaged or could not be downloaded.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009); torchvision's
    `torchvision.datasets.CIFAR10`.

    >>> CIFAR10.classes[:3]
    ['airplane', 'automobile', 'bird']
    """

    mirrors = ("https://www.cs.toronto.edu/~kriz",)
    archive = "cifar-10-binary.tar.gz"
    resource = (170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
    subfolders = ("cifar-10-batches-bin", "cifar10", ".")
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
        super().__init__(root, transform, target_transform)
        self.train = train
        batches = [f"data_batch_{number}.bin" for number in range(1, 6)]
        wanted = batches if train else ["test_batch.bin"]
        folders = search_path(self.root, self.subfolders)
        paths = locate(wanted, folders)
        if paths is None and download:
            paths = self._fetch([*batches, "test_batch.bin"], wanted)
        if paths is None:
            raise missing("CIFAR10", wanted, folders)
        parts = [read_records(path, len(self.classes)) for path in paths]
        self.data = np.concatenate([images for _, images in parts])
        self.targets = np.concatenate([labels for labels, _ in parts])

    def _fetch(self, names: list[str], wanted: list[str]) -> list[Path] | None:
        folder = self.root or data_folder()
        archive = folder / self.archive
        if not matches(archive, *self.resource):
            download(self.archive, *self.resource, self.mirrors, folder)
        unpack(archive, [f"{self.subfolders[0]}/{name}" for name in names], folder)
        return locate(wanted, [folder / self.subfolders[0]])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


def read_records(path: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) int64 and images (N, 32, 32, 3) uint8 of one batch file; DatasetError if it is not whole."""
    size = path.stat().st_size
    if size == 0 or size % RECORD or size > MOST * RECORD:
        raise DatasetError(f"{path}: {size} bytes, expected 1 to {MOST} records of {RECORD} bytes")
    records = np.fromfile(path, np.uint8, count=size).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= classes:
        raise DatasetError(f"{path}: label {labels.max()} in record {labels.argmax()}, expected 0 to {classes - 1}")
    planes = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE)  # (N, 3, 32, 32) -> (N, 32, 32, 3)
    return labels, np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def unpack(archive: Path, members: list[str], folder: Path) -> None:
    """Write the `members` of a .tar.gz of batch files below `folder`, and nothing else of what it holds."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name in members:
                member = tar.getmember(name)
                source = tar.extractfile(member)
                if source is None or not member.isreg() or member.size > MOST * RECORD:
                    raise DatasetError(f"{archive}: {name} is no file of at most {MOST * RECORD} bytes")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, iter(partial(source.read, BLOCK), b""))
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise DatasetError(f"{archive}: cannot be unpacked: {error}") from error
