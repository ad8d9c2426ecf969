"""MNIST, Fashion-MNIST and KMNIST: 60,000 + 10,000 grey images of 28 x 28 in ten classes, from four IDX files."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from minigrad import from_numpy

from .base import ImagesInMemory
from .fetching import download
from .files import DatasetError, data_folder, locate, missing, search_path
from .idx import read_idx

SIDE = 28


class MNIST(ImagesInMemory):
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
        transform: called on each image, a PIL image "L".
        target_transform: called on each label.
        download: fetch the files if they are not there.

    Attributes:
        data: uint8 tensor (N, 28, 28).
        targets: int64 tensor (N,).

    Raises:
        DatasetError: a file is missing, damaged or could not be downloaded.

    LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; torchvision's `torchvision.datasets.MNIST`.

    >>> dataset = MNIST(train=False)                      # doctest: +SKIP
    >>> dataset.data.shape, dataset.targets[:3].tolist()  # doctest: +SKIP
    ((10000, 28, 28), [7, 2, 1])
    """

    mirrors: tuple[str, ...] = (
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
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        most, part = (60_000, "train") if train else (10_000, "t10k")
        images, labels = self._files([f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"], download)
        data = read_idx(images, limits=(most, SIDE, SIDE))
        targets = read_idx(labels, limits=(most,)).astype(np.int64)
        if data.shape[1:] != (SIDE, SIDE):
            raise DatasetError(f"{images}: images of {data.shape[1:]}, expected {(SIDE, SIDE)}")
        if len(data) != len(targets):
            raise DatasetError(f"{labels}: {len(targets)} labels for the {len(data)} images of {images.name}")
        if targets.max() >= len(self.classes):
            raise DatasetError(f"{labels}: label {targets.max()}, expected 0 to {len(self.classes) - 1}")
        self.data, self.targets = from_numpy(data), from_numpy(targets)

    @property
    def raw_folder(self) -> str:
        """The folder that files are downloaded into."""
        return os.path.join(data_folder() if self.root is None else self.root, self.subfolders[0])

    @property
    def train_labels(self):
        """`targets` under an older name."""
        return self._renamed("train_labels", "targets")

    @property
    def test_labels(self):
        """`targets` under an older name."""
        return self._renamed("test_labels", "targets")

    @property
    def train_data(self):
        """`data` under an older name."""
        return self._renamed("train_data", "data")

    @property
    def test_data(self):
        """`data` under an older name."""
        return self._renamed("test_data", "data")

    def _renamed(self, old: str, new: str):
        warnings.warn(f"{old} has been renamed {new}", stacklevel=3)
        return getattr(self, new)

    def _files(self, names: list[str], fetch: bool):
        folders = search_path(self.root, self.subfolders)
        found = locate(names, folders)
        if found is None and fetch:
            folder = Path(self.raw_folder)
            archives = (f"{name}.gz" for name in names if locate([name], [folder]) is None)
            for archive in archives:
                download(archive, *self.resources[archive], self.mirrors, folder)
            found = locate(names, [folder])
        if found is None:
            raise missing(type(self).__name__, names, folders)
        return found


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


class KMNIST(MNIST):
    """Handwritten Japanese syllables in cursive script: 60,000 to train and 10,000 to test, grey, 28 x 28, ten classes.

    Arguments, attributes, files, checks and errors are MNIST's, with the subfolders `KMNIST/raw` and `kmnist`; because
    the files have the names of MNIST's, the folder of MINIGRAD_DATA itself is not looked through.

    Clanuwat et al., "Deep Learning for Classical Japanese Literature" (2018); torchvision's
    `torchvision.datasets.KMNIST`.

    >>> KMNIST.classes[:3]
    ['o', 'ki', 'su']
    """

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist",)
    resources: ClassVar[dict[str, tuple[int, str]]] = {
        "train-images-idx3-ubyte.gz": (18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        "train-labels-idx1-ubyte.gz": (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        "t10k-images-idx3-ubyte.gz": (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        "t10k-labels-idx1-ubyte.gz": (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    }
    subfolders = ("KMNIST/raw", "kmnist")
    classes: ClassVar[list[str]] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
