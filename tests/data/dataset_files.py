"""Small data set files for the tests of this folder: IDX, MNIST's four files, CIFAR-10's batches."""

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
CIFAR_NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


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


def cifar_content(count=4):
    """{file name: content} of six batches of `count` records, and all images (N, 32, 32, 3) and labels."""
    random = np.random.default_rng(5)
    records = random.integers(0, 256, (6, count, 3073), dtype=np.uint8)
    records[..., 0] %= 10
    images = records[..., 1:].reshape(6 * count, 3, 32, 32).transpose(0, 2, 3, 1)
    content = {name: batch.tobytes() for name, batch in zip(CIFAR_NAMES, records, strict=True)}
    return content, images, records[..., 0].reshape(-1)


def tar_bytes(content, folder="cifar-10-batches-bin"):
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
