"""Digits: 1,797 scanned handwritten digits of 8 x 8. They come with scikit-learn: no file and no network is needed."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from minigrad import from_numpy

from .base import ImagesInMemory

BRIGHTEST = 16  # in scikit-learn's images


class Digits(ImagesInMemory):
    """Handwritten digits, grey, 8 x 8: 1,437 to train and 360 to test, the same ones every time.

    A fifth of each class is for testing. The values 0 to 16 of the scans are stretched to 0 to 255. Needs scikit-learn.

    Args:
        train: the training images, otherwise the test images.
        transform: called on each image, a PIL image "L".
        target_transform: called on each label.

    Attributes:
        data: uint8 tensor (N, 8, 8).
        targets: int64 tensor (N,).

    Raises:
        ImportError: scikit-learn is not installed.

    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (UCI, 1998); `sklearn.datasets.load_digits`.

    >>> dataset = Digits(train=False)
    >>> len(dataset), dataset[0][0].size, int(dataset.data.max())
    (360, (8, 8), 255)
    """

    classes: ClassVar[list[str]] = [str(digit) for digit in range(10)]

    def __init__(self, train: bool = True, transform: Callable | None = None, target_transform: Callable | None = None):
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.train = train
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ImportError('Digits needs scikit-learn: pip install "minigrad[examples]"') from error
        digits = load_digits()
        chosen = _split(digits.target, train)
        self.data = from_numpy(np.rint(digits.images[chosen] * (255 / BRIGHTEST)).astype(np.uint8))
        self.targets = from_numpy(digits.target[chosen].astype(np.int64))


def _split(targets: np.ndarray, train: bool) -> np.ndarray:
    """Ascending indices of the training or test images: shuffled, sorted by class, every fifth is for testing."""
    shuffled = np.random.RandomState(0).permutation(len(targets))  # the one generator whose stream NumPy never changes
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    in_test = np.arange(len(targets)) % 5 == 0
    return np.sort(by_class[in_test != train])
