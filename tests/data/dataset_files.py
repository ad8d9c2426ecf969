"""Small data set files for the tests of this folder: IDX, MNIST's four files, CIFAR's batches."""

import gzip
import io
import struct
import tarfile
import tracemalloc
from contextlib import contextmanager

import numpy as np

MNIST_NAMES = {
    True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CIFAR_NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def idx_bytes(array):
    array = np.asarray(array, np.uint8)
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def digits(count, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 28, 28), dtype=np.uint8), random.integers(0, 10, count, dtype=np.uint8)


def mnist_content(train=True, count=7, compress=False):
    """{file name: content} of `count` images and labels, and the images and labels."""
    images, labels = digits(count, seed=train)
    content = {name: idx_bytes(array) for name, array in zip(MNIST_NAMES[train], (images, labels), strict=True)}
    if compress:
        content = {f"{name}.gz": gzip.compress(data) for name, data in content.items()}
    return content, images, labels


def write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def cifar_records(count=4, classes=10):
    """Six batches of `count` records, (labels, rows of pixels) each, and all images (N, 32, 32, 3) and labels."""
    random = np.random.default_rng(5)
    rows = random.integers(0, 256, (6, count, 3072), dtype=np.uint8)
    labels = random.integers(0, classes, (6, count))
    images = rows.reshape(6 * count, 3, 32, 32).transpose(0, 2, 3, 1)
    return [(batch.tolist(), part) for batch, part in zip(labels, rows, strict=True)], images, labels.reshape(-1)


def binary(labels, rows):
    """A file of CIFAR-10's binary version."""
    return b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, rows, strict=True))


def _string(text):
    """A short string as Python 2 pickled it."""
    return b"U" + bytes([len(text)]) + text.encode()


def pickled(labels, rows, key="labels"):
    """A file of CIFAR's Python version, opcode by opcode what Python 2 and its NumPy wrote."""
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    names = b"".join(_string(f"picture_{i}.png") for i in range(len(labels)))
    shape = b"M" + struct.pack("<H", len(rows)) + b"M" + struct.pack("<H", rows.shape[1]) + b"\x86"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85" + _string("b") + b"\x87Rq\x08("
        + b"K\x01" + shape + b"cnumpy\ndtype\nq\t" + _string("u1") + b"K\x00K\x01\x87Rq\n(K\x03" + _string("|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", rows.size) + rows.tobytes() + b"tb"
    )  # fmt: skip
    return (
        b"\x80\x02}q\x01(" + _string("batch_label") + b"q\x02" + _string("a batch") + b"q\x03"
        + _string(key) + b"q\x04](" + numbers + b"e" + _string("data") + b"q\x05" + array
        + _string("filenames") + b"](" + names + b"eu."
    )  # fmt: skip


def cifar_content(count=4, write=pickled, suffix=""):
    """{file name: content} of six batches of `count` records, and all images (N, 32, 32, 3) and labels."""
    batches, images, labels = cifar_records(count)
    content = {f"{name}{suffix}": write(*batch) for name, batch in zip(CIFAR_NAMES, batches, strict=True)}
    return content, images, labels


def tar_bytes(content, folder="cifar-10-batches-py"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@contextmanager
def peak_below(limit):
    """Fails if the block allocates more than `limit` bytes at any moment."""
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < limit, f"peak of {peak:,} bytes"
