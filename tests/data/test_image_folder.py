"""Folders of pictures: which files are found, what items are, what is refused and with which words."""

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.utils.data import DataLoader
from minigrad.vision import io
from minigrad.vision.datasets import DatasetError, DatasetFolder, ImageFolder, find_classes, make_dataset
from minigrad.vision.datasets.folder import is_image_file
from minigrad.vision.transforms import ToTensor


@pytest.fixture
def root(tmp_path):
    random = np.random.default_rng(0)
    for name in ("dog/2.png", "dog/deep/1.PNG", "cat/b.jpeg", "cat/a.webp", "cat/c.bmp"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (5, 7, 3), np.uint8)).save(path)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "readme").write_text("no class")
    return tmp_path


def test_samples_are_found(root):
    dataset = ImageFolder(root)
    assert dataset.classes == ["cat", "dog"] and dataset.class_to_idx == {"cat": 0, "dog": 1}
    names = [(str(path).removeprefix(f"{root}/"), target) for path, target in dataset.samples]
    assert names == [("cat/a.webp", 0), ("cat/b.jpeg", 0), ("cat/c.bmp", 0), ("dog/2.png", 1), ("dog/deep/1.PNG", 1)]
    assert dataset.targets == [0, 0, 0, 1, 1] and dataset.imgs == dataset.samples
    assert repr(dataset) == f"Dataset ImageFolder\n    Number of datapoints: 5\n    Root location: {root}"


def test_items(root):
    image, target = ImageFolder(root, target_transform=lambda target: target + 5)[3]
    assert image.mode == "RGB" and target == 6
    np.testing.assert_array_equal(image, Image.open(root / "dog" / "2.png"))
    assert ImageFolder(root, loader=lambda path: path[-5:])[0] == (".webp"[-5:], 0)
    images, labels = next(iter(DataLoader(ImageFolder(root, ToTensor()), batch_size=5, num_workers=2)))
    assert images.shape == (5, 3, 5, 7) and labels.tolist() == [0, 0, 0, 1, 1]


def test_which_files_count(root):
    notes = DatasetFolder(root, str, is_valid_file=lambda path: path.endswith("notes.txt"), allow_empty=True)
    assert [path[-9:] for path, _ in notes.samples] == ["notes.txt"]
    assert len(DatasetFolder(root, str, (".png", ".bmp"))) == 3
    assert len(ImageFolder(root, is_valid_file=lambda path: "a" in path.rpartition("/")[2], allow_empty=True)) == 1
    assert is_image_file("A.JPG") and not is_image_file("a.gif")
    assert make_dataset(root, {"dog": 7}, ".png") == [(f"{root}/dog/2.png", 7), (f"{root}/dog/deep/1.PNG", 7)]


def test_what_is_refused(root, tmp_path_factory):
    (root / "bird").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"Found no valid file for the classes bird. Supported extensions are: \.j"
    ):
        ImageFolder(root)
    assert ImageFolder(root, allow_empty=True).classes == ["bird", "cat", "dog"]
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder in"):
        find_classes(empty)
    with pytest.raises(FileNotFoundError):
        ImageFolder(empty / "nowhere")
    for options in ({}, {"extensions": (".png",), "is_valid_file": bool}):
        with pytest.raises(ValueError, match="Both extensions and is_valid_file cannot be None or not None"):
            DatasetFolder(root, str, **options)
    with pytest.raises(ValueError, match="must have at least one entry"):
        make_dataset(root, {}, ".png")
    with pytest.raises(ValueError, match="class_to_idx parameter cannot be None"):
        DatasetFolder.make_dataset(root, None)


def test_a_damaged_picture_is_named(root):
    path = root / "cat" / "a.webp"
    path.write_bytes(b"RIFF, but no more")
    with pytest.raises(DatasetError, match=str(path)):
        ImageFolder(root)[0]
    loader = DataLoader(ImageFolder(root, ToTensor()), batch_size=5, num_workers=1)
    with pytest.raises(DatasetError, match=str(path)):
        list(loader)


def test_a_decompression_bomb_is_not_unpacked(root):
    path = root / "cat" / "bomb.png"
    Image.new("1", (9000, 9000)).save(path)  # 10 MB of pixels, or 324 MB in four channels, in 10 kB
    assert path.stat().st_size < 1 << 14
    with pytest.raises(DatasetError, match=f"{path}: not a whole picture: it claims 9000 x 9000 pixels"):
        io.read_image(path)
    Image.new("1", (400, 400)).save(path)
    assert io.read_image(path).shape == (1, 400, 400)


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("UNCHANGED", 3), ("GRAY", 1), ("RGB", 3), (io.ImageReadMode.RGB_ALPHA, 4), ("gray_alpha", 2), ("RGBA", 4)],
)
def test_read_image(root, mode, channels):
    image = io.read_image(str(root / "dog" / "2.png"), mode)
    assert image.dtype == mg.uint8 and image.shape == (channels, 5, 7)


def test_written_pictures_are_read(tmp_path):
    image = mg.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8))
    io.write_png(image, tmp_path / "a.png")
    assert io.read_image(tmp_path / "a.png").tolist() == image.tolist()
    flat = mg.full((1, 8, 8), 77, dtype=mg.uint8)
    io.write_jpeg(flat, tmp_path / "a.jpg")
    assert io.read_image(tmp_path / "a.jpg").tolist() == flat.tolist()
    with pytest.raises(RuntimeError, match="Input tensor dtype should be uint8"):
        io.write_png(image.float(), tmp_path / "b.png")
    with pytest.raises(RuntimeError, match="The number of channels should be 1 or 3, got: 2"):
        io.write_png(image[:2], tmp_path / "b.png")
