"""The pickled batches of CIFAR, read without Python's pickle: only plain values and arrays of bytes can come of them.

A batch is a dict written by Python 2: "data", an array (N, 3072) of bytes, and lists of N labels and file names.
"""

import os

import numpy as np

from minigrad.serialization.files import Malformed, Source
from minigrad.serialization.pickles import Builder, Machine

from .files import DatasetError

SLACK = 4 << 20  # bytes that the values may take beyond twice the size of the file


class _Bytes:
    """An array of bytes that is being built: nothing is allocated before its state has come."""

    array: np.ndarray | None = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        if dtype is not _BYTE or fortran or type(data) not in (bytes, str) or type(shape) is not tuple:
            raise Malformed("an array of something else than bytes")
        data = data.encode() if type(data) is str else data  # bytes that happened to be UTF-8
        if not all(type(length) is int and length >= 0 for length in shape):
            raise Malformed("an array of no shape")
        self.array = np.frombuffer(data, np.uint8).reshape(shape)


_ARRAY, _BYTE = object(), object()


def _reconstruct(kind, shape, code):
    if kind is not _ARRAY:
        raise Malformed("an array of an unknown class")
    return _Bytes()


def _dtype(name, *flags):
    if name not in ("u1", "|u1", "uint8", b"u1"):
        raise Malformed("an array of something else than bytes")
    return _BYTE


def _encode(text, encoding):
    if encoding != "latin1" or type(text) is not str:
        raise Malformed("a string in an unknown encoding")
    return text.encode(encoding)


_NAMES = {
    "numpy.core.multiarray._reconstruct": Builder("_reconstruct", _reconstruct),
    "numpy._core.multiarray._reconstruct": Builder("_reconstruct", _reconstruct),
    "numpy.ndarray": _ARRAY,
    "numpy.dtype": Builder("dtype", _dtype),
    "_codecs.encode": Builder("encode", _encode),
}


def _named(module, name):
    if f"{module}.{name}" not in _NAMES:
        raise Malformed(f"the pickle names {module}.{name}, which no data set needs")
    return _NAMES[f"{module}.{name}"]


def _built(target, state):
    if isinstance(target, _Bytes):
        target.__setstate__(state)
    elif target is not _BYTE:
        raise Malformed("the pickle gives a state to what has none")


def _storage(identity):
    raise Malformed("the pickle refers to something outside")


def read_pickled_batch(path: str | os.PathLike, label: str, row: int, classes: int) -> tuple[list[int], np.ndarray]:
    """The labels and the rows (N, `row`) of bytes, read-only, of a pickled batch.

    Args:
        path: the file.
        label: the key of the labels.
        row: bytes of an image.
        classes: number of classes.

    Raises:
        DatasetError: the file is no such batch, or names anything that an array of bytes does not need.

    The format is that of Krizhevsky's page (https://www.cs.toronto.edu/~kriz/cifar.html).
    """
    try:
        with open(path, "rb") as file:
            source = Source(file, str(path))
            machine = Machine(source, source.size, _named, _storage, _built)
            machine.left = SLACK + 2 * source.size
            batch = machine.run()
            if file.read(1):
                raise Malformed("there is more after its end")
        if type(batch) is not dict or not {"data", label} <= batch.keys():
            raise Malformed(f"it is no dict with data and {label}")
        images, labels = batch["data"], batch[label]
        if not isinstance(images, _Bytes) or images.array is None or images.array.shape[1:] != (row,):
            raise Malformed(f"its data is no array of rows of {row} bytes")
        if type(labels) is not list or len(labels) != len(images.array) or not labels:
            raise Malformed(f"it has no label for each of its {len(images.array)} images")
        for number, value in enumerate(labels):
            if type(value) is not int or not 0 <= value < classes:
                raise Malformed(f"label {value!r:.40} in record {number}, expected 0 to {classes - 1}")
    except (Malformed, RecursionError, MemoryError) as error:
        raise DatasetError(f"{path}: not a pickled batch: {error}") from error
    return labels, images.array
