"""Damaged data set files: from each comes data or a DatasetError that names it, soon, and for little memory.

200 of them in every run; MINIGRAD_EXAMPLES=5000 for as many as that.
"""

import gzip
import io
import os
import resource
import signal
import tracemalloc
import warnings

import numpy as np
import pytest
from dataset_files import MNIST_NAMES, binary, cifar_records, mnist_content, pickled
from PIL import Image

from minigrad.vision.datasets import CIFAR10, CIFAR100, MNIST, DatasetError, ImageFolder
from minigrad.vision.datasets.pictures import DENSEST, SMALL

COUNT = int(os.environ.get("MINIGRAD_EXAMPLES") or 200)
SLACK = 4 << 20  # bytes that reading takes whatever the size: blocks of 1 MiB, tables
SECONDS = 10  # of computing, for one file


def picture_files():
    """{name: content} of pictures of every format."""
    random = np.random.default_rng(1)
    smooth = np.add.outer(np.arange(40) * 5, np.arange(50) * 3)[:, :, None] + [0, 30, 60]
    colour = Image.fromarray(((smooth + random.integers(0, 30, smooth.shape)) % 256).astype(np.uint8))
    kinds = {
        "rgb.png": (colour, {}),
        "palette.png": (colour.quantize(8), {}),
        "grey.png": (colour.convert("L"), {}),
        "deep.png": (colour.convert("L").convert("I;16"), {}),
        "plain.jpg": (colour, {}),
        "progressive.jpeg": (colour, {"progressive": True}),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
        "lossy.webp": (colour, {}),
        "lossless.webp": (colour, {"lossless": True}),
        "bits.bmp": (colour.convert("1"), {}),
        "colour.bmp": (colour, {}),
        "packed.tif": (colour, {"compression": "tiff_lzw"}),
        "plain.tiff": (colour, {}),
        "colour.ppm": (colour, {}),
        "grey.pgm": (colour.convert("L"), {}),
        "animated.png": (colour.quantize(8), {"format": "GIF"}),
    }
    files = {}
    for name, (image, options) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, **{"format": Image.registered_extensions()[f".{name.partition('.')[2]}"], **options})
        files[name] = buffer.getvalue()
    return files


def subjects():
    """(name of the damaged file, {name: content} of it and its neighbours, how to read them)."""
    content, _, _ = mnist_content()
    batches, _, _ = cifar_records(count=3)
    images, labels = MNIST_NAMES[True]
    zipped = {f"{name}.gz": gzip.compress(data) for name, data in content.items()}
    found = [
        (images, content, MNIST),
        (labels, content, MNIST),
        (f"{images}.gz", zipped, MNIST),
        (f"{labels}.gz", zipped, MNIST),
        ("test_batch", {"test_batch": pickled(*batches[0])}, lambda folder: CIFAR10(folder, train=False)),
        ("test", {"test": pickled(*batches[0], "fine_labels")}, lambda folder: CIFAR100(folder, train=False)),
        ("test_batch.bin", {"test_batch.bin": binary(*batches[0])}, lambda folder: CIFAR10(folder, train=False)),
    ]
    return found + [
        (f"class/{name}", {f"class/{name}": data}, lambda folder: ImageFolder(folder)[0])
        for name, data in picture_files().items()
    ]


def mutated(content, random):
    """The content with one to four damages of one kind each."""
    content = bytearray(content)
    for _ in range(random.integers(1, 5)):
        header = random.random() < 0.5  # headers are short and matter most
        place = int(random.integers(0, max(1, min(len(content), 200) if header else len(content))))
        kind = random.integers(0, 7)
        if kind == 0:
            del content[place:]
        elif kind == 1:
            content[place : place + 1] = bytes([int(random.integers(0, 256))])
        elif kind == 2:
            content[place : place + 1] = bytes([(content[place] if content else 0) ^ (1 << int(random.integers(0, 8)))])
        elif kind == 3:  # a large number
            content[place : place + 4] = [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x01\x00"][random.integers(0, 3)]
        elif kind == 4:
            content[place:place] = random.bytes(int(random.integers(1, 40)))
        elif kind == 5:
            del content[place : place + int(random.integers(1, 40))]
        else:
            other = int(random.integers(0, len(content) + 1))
            content[place:place] = content[other : other + int(random.integers(1, 100))]
    return bytes(content)


def hang(*_):
    raise AssertionError(f"more than {SECONDS} seconds")


@pytest.fixture
def alarm():
    before = signal.signal(signal.SIGPROF, hang)
    yield lambda seconds: signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def check(name, folder, read):
    """Read what is in the folder: (whether there was data, the most memory that Python took)."""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about the files
            result = read(folder)
    except DatasetError as error:
        assert str(folder) in str(error)
        return False, tracemalloc.get_traced_memory()[1]
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if isinstance(result, tuple):
        assert result[0].width * result[0].height * 4 <= max(SMALL, DENSEST * (folder / name).stat().st_size)
    return True, peak


def test_damaged_files(tmp_path, alarm):
    found = subjects()
    for name, content, read in found:  # what is not damaged is read; and everything is imported
        for part, data in content.items():
            (tmp_path / part).parent.mkdir(exist_ok=True)
            (tmp_path / part).write_bytes(data)
        assert check(name, tmp_path, read)[0], name
        for part in content:
            (tmp_path / part).unlink()
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for number in range(COUNT):
        name, content, read = found[number % len(found)]
        random = np.random.default_rng(number)
        damaged = content | {name: mutated(content[name], random)}
        for part, data in damaged.items():
            (tmp_path / part).write_bytes(data)
        alarm(SECONDS)
        read_well, peak = check(name, tmp_path, read)
        alarm(0)
        refused += not read_well
        size = sum(map(len, damaged.values()))
        assert peak <= 2 * size + SLACK, f"{name}, number {number}: {peak} bytes for a file of {size}"
        for part in content:
            (tmp_path / part).unlink()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 64, f"{grown} MiB"  # Pillow's memory, which Python does not see
    assert refused > COUNT // 3
    print(f"{COUNT} files, {refused} refused, {grown:.1f} MiB more")
