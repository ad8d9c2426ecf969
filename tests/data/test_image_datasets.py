"""The image data sets: where files are looked for, what items look like, what is refused; the real MNIST if present."""

import hashlib
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_files import (
    MNIST_NAMES,
    binary,
    cifar_content,
    cifar_records,
    digits,
    idx_bytes,
    mnist_content,
    peak_below,
    pickled,
    write,
)
from PIL import Image

import minigrad as mg
from minigrad.utils.data import DataLoader
from minigrad.vision.datasets import CIFAR10, CIFAR100, KMNIST, MNIST, DatasetError, Digits, FakeData, FashionMNIST
from minigrad.vision.datasets.base import ImagesInMemory, VisionDataset
from minigrad.vision.transforms import Compose, Normalize, ToTensor

REAL = Path(os.environ.get("MINIGRAD_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("subfolder", [".", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("by_root", [False, True])
def test_mnist_is_found(tmp_path, empty_data_folder, by_root, subfolder, train, compress):
    content, images, labels = mnist_content(train, compress=compress)
    place = tmp_path if by_root else empty_data_folder
    write(place / subfolder, content)
    dataset = MNIST(tmp_path if by_root else None, train=train)
    np.testing.assert_array_equal(dataset.data, images)
    np.testing.assert_array_equal(dataset.targets, labels)
    assert dataset.data.dtype == mg.uint8 and dataset.targets.dtype == mg.int64


def test_root_comes_before_the_environment(tmp_path, empty_data_folder):
    write(empty_data_folder / "mnist", mnist_content(count=3)[0])
    write(tmp_path / "mnist", mnist_content(count=5)[0])
    assert len(MNIST(str(tmp_path))) == 5
    assert len(MNIST()) == 3


def test_images_and_labels_come_from_one_folder(tmp_path):
    content, _, _ = mnist_content()
    images, labels = MNIST_NAMES[True]
    write(tmp_path / "MNIST" / "raw", {images: content[images]})
    write(tmp_path / "mnist", {labels: content[labels]})
    with pytest.raises(DatasetError, match=r"^Dataset not found\. You can use download=True to download it"):
        MNIST(tmp_path)


def test_fashion_mnist_does_not_take_mnist_for_itself(tmp_path, empty_data_folder):
    content, images, _ = mnist_content()
    write(empty_data_folder, content)
    write(empty_data_folder / "mnist", content)
    for other in (FashionMNIST, KMNIST):
        with pytest.raises(DatasetError, match=f"{other.__name__}: no folder holds"):
            other()
        write(tmp_path / other.__name__ / "raw", content)
        np.testing.assert_array_equal(other(tmp_path).data, images)
    write(tmp_path / "FashionMNIST" / "raw", content)
    np.testing.assert_array_equal(FashionMNIST(tmp_path).data, images)
    write(tmp_path / "direct", content)
    np.testing.assert_array_equal(FashionMNIST(tmp_path / "direct").data, images)


def test_missing_files_say_where_and_what_to_do(tmp_path, empty_data_folder):
    with pytest.raises(DatasetError) as caught:
        MNIST(tmp_path)
    message = str(caught.value)
    for part in (
        "MNIST: no folder holds",
        *MNIST_NAMES[True],
        str(tmp_path / "MNIST" / "raw"),
        str(empty_data_folder / "mnist"),
        "download=True",
    ):
        assert part in message
    with pytest.raises(DatasetError, match=r"CIFAR10: no folder holds test_batch\[\.bin\]"):
        CIFAR10(tmp_path, train=False)


def test_items(tmp_path):
    content, images, labels = mnist_content()
    write(tmp_path, content)
    dataset = MNIST(tmp_path, transform=lambda image: np.sum(image), target_transform=lambda label: label * 10)
    assert dataset[2] == (images[2].sum(), 10 * labels[2])
    plain = MNIST(tmp_path)
    image, label = plain[-1]
    assert type(label) is int and label == labels[-1]
    assert isinstance(image, Image.Image) and image.mode == "L"
    np.testing.assert_array_equal(image, images[-1])
    image.putpixel((0, 0), 255 - image.getpixel((0, 0)))  # an item is a copy
    np.testing.assert_array_equal(plain.data, images)
    with pytest.raises(IndexError):
        plain[len(plain)]
    assert plain.class_to_idx["3 - three"] == 3
    assert isinstance(plain.data, mg.Tensor) and isinstance(plain.targets, mg.Tensor)
    assert plain.raw_folder == str(tmp_path / "MNIST" / "raw")


def test_older_names_of_mnist_warn(tmp_path):
    write(tmp_path, mnist_content()[0])
    dataset = MNIST(tmp_path)
    for old, new in (
        ("train_data", "data"),
        ("test_data", "data"),
        ("train_labels", "targets"),
        ("test_labels", "targets"),
    ):
        with pytest.warns(UserWarning, match=f"{old} has been renamed {new}"):
            assert getattr(dataset, old) is getattr(dataset, new)


def test_a_data_set_may_be_cut_down(tmp_path):
    write(tmp_path, mnist_content()[0])
    dataset = MNIST(tmp_path, transform=ToTensor())
    dataset.data, dataset.targets = dataset.data[2:5], dataset.targets[2:5]
    ((images, labels),) = DataLoader(dataset, batch_size=8)
    np.testing.assert_array_equal(images.numpy()[:, 0] * 255, dataset.data.numpy().astype(np.float32))
    assert labels.tolist() == dataset.targets.tolist()


def test_repr(tmp_path):
    write(tmp_path, mnist_content()[0])
    lines = ("Dataset MNIST", "Number of datapoints: 7", f"Root location: {tmp_path}", "Split: Train")
    assert repr(MNIST(tmp_path)) == "\n    ".join(lines)
    transform = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    assert repr(MNIST(tmp_path, True, transform, abs)).splitlines()[4:] == [
        "    StandardTransform",
        "Transform: Compose(",
        "               ToTensor()",
        "               Normalize(mean=(0.5,), std=(0.5,))",
        "           )",
        "Target transform: <built-in function abs>",
    ]


def test_transforms_of_both():
    dataset = VisionDataset(transforms=lambda image, target: (target, image))
    assert dataset.transforms(1, 2) == (2, 1) and dataset.transform is None
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform can be passed as argument"):
        VisionDataset(transforms=abs, transform=abs)


def damaged(part, change):
    """MNIST's training files with the images (0) or labels (1) replaced by change(array)."""
    arrays = list(digits(7))
    arrays[part] = change(arrays[part])
    return dict(zip(MNIST_NAMES[True], map(idx_bytes, arrays), strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged(1, lambda labels: labels[:-1]), "6 labels for the 7 images of train-images"),
        (damaged(1, lambda labels: np.where(labels == labels[0], 10, labels)), "label 10, expected 0 to 9"),
        (damaged(0, lambda images: images[:, :, :27]), "images of .28, 27., expected .28, 28."),
        (damaged(0, lambda images: images[:, 0, 0]), "rank 1 in the header"),
        (damaged(1, lambda labels: labels[:, None]), "rank 2 in the header"),
    ],
)
def test_damaged_mnist(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(DatasetError, match=message):
        MNIST(tmp_path)


def test_test_images_are_at_most_10000(tmp_path):
    images, labels = MNIST_NAMES[False]
    header = struct.pack(">4B3I", 0, 0, 8, 3, 10_001, 28, 28)
    write(tmp_path, {images: header + bytes(10_001 * 28 * 28), labels: idx_bytes(np.zeros(10_001))})
    with peak_below(1 << 22), pytest.raises(DatasetError, match="10001 x 28 x 28; expected 1 to 10000 x 28 x 28"):
        MNIST(tmp_path, train=False)


@pytest.mark.parametrize(
    ("subfolder", "kind", "suffix"),
    [
        (".", pickled, ""),
        ("cifar-10-batches-py", pickled, ""),
        ("cifar10", pickled, ""),
        (".", binary, ".bin"),
        ("cifar-10-batches-bin", binary, ".bin"),
        ("cifar10", binary, ".bin"),
    ],
)
def test_cifar10(tmp_path, subfolder, kind, suffix):
    content, images, labels = cifar_content(write=kind, suffix=suffix)
    write(tmp_path / subfolder, content)
    train, test = CIFAR10(tmp_path), CIFAR10(tmp_path, train=False)
    np.testing.assert_array_equal(train.data, images[:20])
    np.testing.assert_array_equal(test.data, images[20:])
    assert train.targets + test.targets == labels.tolist()
    image, label = train[3]
    assert image.mode == "RGB" and image.size == (32, 32) and label == labels[3]
    np.testing.assert_array_equal(image, images[3])
    assert train.data.flags.c_contiguous


@pytest.mark.parametrize("kind", ["python", "binary"])
def test_cifar100(tmp_path, kind):
    batches, images, _ = cifar_records(classes=100)
    for name, (fine, rows), expected in (("train", batches[0], images[:4]), ("test", batches[5], images[20:])):
        if kind == "python":
            content = {name: pickled(fine, rows, "fine_labels")}
        else:
            content = {f"{name}.bin": b"".join(bytes([7, label]) + row.tobytes() for label, row in zip(fine, rows))}
        write(tmp_path / f"cifar-100-{kind}", content)
        dataset = CIFAR100(tmp_path, train=name == "train")
        assert dataset.targets == fine
        np.testing.assert_array_equal(dataset.data, expected)
    assert len(set(CIFAR100.classes)) == 100 and CIFAR100.classes == sorted(CIFAR100.classes)


def test_pickles_of_python_3(tmp_path):
    (labels, rows), *_ = cifar_records()[0]
    for protocol in range(2, 5):
        batch = {"data": rows, "labels": labels, "batch_label": "of today"}
        write(tmp_path, {"test_batch": pickle.dumps(batch, protocol)})
        dataset = CIFAR10(tmp_path, train=False)
        np.testing.assert_array_equal(dataset.data.transpose(0, 3, 1, 2).reshape(4, -1), rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, expected 1 to 50000 records of 3073 bytes"),
        (bytes(3072), "3072 bytes"),
        (bytes(3074), "3074 bytes"),
        (bytes([10]) + bytes(3072), "label 10 in record 0, expected 0 to 9"),
    ],
)
def test_damaged_cifar10(tmp_path, content, message):
    write(tmp_path, {"test_batch.bin": content})
    with pytest.raises(DatasetError, match=message):
        CIFAR10(tmp_path, train=False)


class Hostile:
    def __reduce__(self):
        return os.system, ("echo it ran > /dev/stderr",)


ROWS = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"data": ROWS, "labels": [1, 10]}, "label 10 in record 1, expected 0 to 9"),
        ({"data": ROWS, "labels": [1, "2"]}, "label '2' in record 1"),
        ({"data": ROWS, "labels": [1]}, "no label for each of its 2 images"),
        ({"data": ROWS, "fine_labels": [1, 2]}, "no dict with data and labels"),
        ({"data": ROWS[:, 1:].copy(), "labels": [1, 2]}, "no array of rows of 3072 bytes"),
        ({"data": ROWS.astype(np.int8), "labels": [1, 2]}, "something else than bytes"),
        ({"data": ROWS.tolist(), "labels": [1, 2]}, "no array of rows"),
        ([1, 2], "no dict"),
        (Hostile(), "names posix.system, which no data set needs"),
        ({"data": Hostile(), "labels": [1]}, "names posix.system"),
    ],
)
def test_damaged_pickles(tmp_path, batch, message, capfd):
    write(tmp_path, {"test_batch": pickle.dumps(batch, 2)})
    with pytest.raises(DatasetError, match=message) as caught:
        CIFAR10(tmp_path, train=False)
    assert str(tmp_path / "test_batch") in str(caught.value)
    assert "it ran" not in capfd.readouterr().err


def test_huge_cifar10_is_not_read(tmp_path):
    with (tmp_path / "test_batch.bin").open("wb") as file:
        file.truncate(3073 * 10_000_000)  # a sparse file
    with peak_below(1 << 20), pytest.raises(DatasetError, match="30730000000 bytes"):
        CIFAR10(tmp_path, train=False)


def test_fake_data():
    dataset = FakeData(5, (3, 4, 6), num_classes=3)
    images = [image for image, _ in dataset]
    assert len(images) == 5 and all(image.mode == "RGB" and image.size == (6, 4) for image in images)
    assert len({image.tobytes() for image in images}) == 5
    assert [target for _, target in FakeData(5, (1, 2, 2), 3)] == [target for _, target in FakeData(5, (1, 2, 2), 3)]
    assert FakeData(5, (3, 4, 6), random_offset=2)[1][0] == dataset[3][0]
    assert {target for _, target in FakeData(60, (1, 1, 1), 3)} == {0, 1, 2}
    assert FakeData(transform=lambda image: image.size, target_transform=lambda target: -1)[0] == ((224, 224), -1)
    with pytest.raises(IndexError):
        dataset[5]


def test_digits():
    sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    both = np.concatenate([train.data.numpy(), test.data.numpy()]).reshape(1797, 64)
    whole = np.rint(sklearn.images * 255 / 16).astype(np.uint8).reshape(1797, 64)
    assert both.min() == 0 and both.max() == 255
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(whole, axis=0))  # nothing lost, nothing twice
    counts = np.bincount(sklearn.target)
    assert np.all(np.abs(np.bincount(test.targets.numpy()) - counts / 5) < 1)
    assert test.targets[:12].tolist() == Digits(train=False).targets[:12].tolist()
    digest = hashlib.sha256(test.data.numpy().tobytes() + test.targets.numpy().tobytes()).hexdigest()
    assert digest[:16] == DIGITS_TEST_SHA256, "the split must never change: published accuracies depend on it"


DIGITS_TEST_SHA256 = "5d3c754b2c0698c5"


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "minigrad\[examples\]"'):
        Digits()


def test_subclass_with_its_own_items_is_fetched_item_by_item():
    class Numbered(ImagesInMemory):
        data, targets = np.zeros((4, 2, 2), np.uint8), np.arange(4)

        def __getitem__(self, index):
            return *super().__getitem__(index), index

    assert Numbered.__getitems__ is None
    assert ImagesInMemory.__getitems__ is not None


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason=f"no MNIST in {REAL / 'mnist'}")
def test_the_real_mnist():
    train, test = MNIST(REAL), MNIST(REAL, train=False)
    assert train.data.shape == (60_000, 28, 28) and test.data.shape == (10_000, 28, 28)
    assert hashlib.sha256(idx_bytes(train.data.numpy())).hexdigest().startswith("ba891046e6505d7a")
    assert hashlib.sha256(idx_bytes(test.data.numpy())).hexdigest().startswith("0fa7898d509279e4")
    assert np.bincount(train.targets.numpy()).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
