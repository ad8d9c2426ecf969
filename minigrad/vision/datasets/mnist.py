"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 in ten classes, from their four IDX files."""

import os
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from .base import VisionDataset
from .files import DatasetError, data_folder, download, locate, missing, search_path
from .idx import read_idx

SIDE = 28


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 to train and 10,000 to test, grey, 28 x 28.

    The IDX files, plain or .gz, are looked for in `root`, `root/MNIST/raw` (torchvision's layout) and `root/mnist`,
    then in the same subfolders of the folder in the environment variable MINIGRAD_DATA (~/.cache/minigrad/data when
    unset) and in that folder itself. With `download=True` missing files are fetched into `MNIST/raw` below `root`, or
    below that folder.

    What is checked: of a download, the size and sha256 of the published .gz file. Of files that are already there,
    recompressed or cut down to fewer images perhaps, only that they are sound: well-formed IDX files, as many labels
    as images, images of 28 x 28, labels 0 to 9.

    Args:
        root: folder of the files.
        train: the training images, otherwise the test images.
        transform: called on each image, a uint8 array (28, 28).
        target_transform: called on each label.
        download: fetch the files if they are not there.

    Raises:
        DatasetError: a file is missing, damaged or could not be downloaded.

    LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; torchvision's `torchvision.datasets.MNIST`.

    >>> dataset = MNIST(train=False)                      # doctest: +SKIP
    >>> dataset.data.shape, dataset.targets[:3].tolist()  # doctest: +SKIP
    ((10000, 28, 28), [7, 2, 1])
    """

    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    )
    resources: ClassVar[dict[str, tuple[int, str]]] = {
        "train-images-idx3-ubyte.gz": (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "train-labels-idx1-ubyte.gz": (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte.gz": (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "t10k-labels-idx1-ubyte.gz": (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    }
    subfolders: tuple[str, ...] = ("MNIST/raw", "mnist", ".")
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
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
        most, part = (60_000, "train") if train else (10_000, "t10k")
        images, labels = self._files([f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"], download)
        self.data = read_idx(images, limits=(most, SIDE, SIDE))
        self.targets = read_idx(labels, limits=(most,)).astype(np.int64)
        if self.data.shape[1:] != (SIDE, SIDE):
            raise DatasetError(f"{images}: images of {self.data.shape[1:]}, expected {(SIDE, SIDE)}")
        if len(self.data) != len(self.targets):
            raise DatasetError(f"{labels}: {len(self.targets)} labels for the {len(self.data)} images of {images.name}")
        if self.targets.max() >= len(self.classes):
            raise DatasetError(f"{labels}: label {self.targets.max()}, expected 0 to {len(self.classes) - 1}")

    def _files(self, names: list[str], fetch: bool):
        folders = search_path(self.root, self.subfolders)
        found = locate(names, folders)
        if found is None and fetch:
            folder = (self.root or data_folder()) / self.subfolders[0]
            archives = (f"{name}.gz" for name in names if locate([name], [folder]) is None)
            for archive in archives:
                download(archive, *self.resources[archive], self.mirrors, folder)
            found = locate(names, [folder])
        if found is None:
            raise missing(type(self).__name__, names, folders)
        return found

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Photographs of clothes: 60,000 to train and 10,000 to test, grey, 28 x 28, in ten classes.

    Arguments, files, checks and errors are MNIST's, with the subfolders `FashionMNIST/raw` and `fashion-mnist`;
    because the files have the names of MNIST's, the folder of MINIGRAD_DATA itself is not looked through.

    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms"
    (2017); torchvision's `torchvision.datasets.FashionMNIST`.

    >>> FashionMNIST.classes[:3]
    ['T-shirt/top', 'Trouser', 'Pullover']
    """

    mirrors = (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    )
    resources: ClassVar[dict[str, tuple[int, str]]] = {
        "train-images-idx3-ubyte.gz": (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        "train-labels-idx1-ubyte.gz": (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte.gz": (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        "t10k-labels-idx1-ubyte.gz": (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    }
    subfolders = ("FashionMNIST/raw", "fashion-mnist")
    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip
