"""Data sets in folders: one subfolder for each class, one file for each sample."""

import os
from collections.abc import Callable

from PIL import Image

from .base import VisionDataset
from .pictures import read_picture

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether a file's name ends in one of the extensions, in whatever case.

    torchvision's `torchvision.datasets.folder.has_file_allowed_extension`.

    >>> has_file_allowed_extension("Photo.JPG", (".jpg", ".png"))
    True
    """
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def is_image_file(filename: str) -> bool:
    """Whether a file's name is that of a picture (`torchvision.datasets.folder.is_image_file`).

    >>> is_image_file("notes.txt")
    False
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """The names of the subfolders, sorted, and the index of each (`torchvision.datasets.folder.find_classes`).

    FileNotFoundError if there are none.
    """
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: index for index, name in enumerate(classes)}


def make_dataset(
    directory: str | os.PathLike[str],
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """(path, class index) of every file below the folders of the classes, sorted by class and path
    (`torchvision.datasets.folder.make_dataset`).

    Either `extensions` or `is_valid_file` says which files count. FileNotFoundError for a class without any, unless
    `allow_empty`.
    """
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")

    def counts(path):
        return has_file_allowed_extension(path, extensions) if is_valid_file is None else is_valid_file(path)

    samples, empty = [], []
    for name in sorted(class_to_idx):
        found = [
            (path, class_to_idx[name])
            for folder, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True))
            for path in (os.path.join(folder, file) for file in sorted(files))
            if counts(path)
        ]
        samples += found
        empty += [] if found else [name]
    if empty and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(empty)}. "
        if extensions is not None:
            listed = extensions if isinstance(extensions, str) else ", ".join(extensions)
            message += f"Supported extensions are: {listed}"
        raise FileNotFoundError(message)
    return samples


def pil_loader(path: str | os.PathLike[str]) -> Image.Image:
    """The picture in a file as a PIL image "RGB" (`torchvision.datasets.folder.pil_loader`).

    DatasetError, with the file's name, if it is no whole picture.
    """
    return read_picture(path, "RGB")


default_loader = pil_loader


class DatasetFolder(VisionDataset):
    """Samples in files `root/class/.../name.ext`, each read by `loader` when it is asked for.

    Args:
        root: the folder of the folders of the classes.
        loader: makes a sample of a file's path.
        extensions: the endings of files that count.
        transform: called on each sample.
        target_transform: called on each class index.
        is_valid_file: says which files count, in place of `extensions`.
        allow_empty: accept classes without files.

    Attributes:
        classes: the names of the classes, sorted.
        class_to_idx: the index of each.
        samples: list of (path, class index).
        targets: the class index of each sample.

    Raises:
        FileNotFoundError: there are no classes, or one has no file.
        ValueError: both or neither of `extensions` and `is_valid_file` are given.

    torchvision's `torchvision.datasets.DatasetFolder`.

    >>> import pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for path in ("cat/1.txt", "dog/1.txt", "dog/2.txt"):
    ...     (root / path).parent.mkdir(exist_ok=True)
    ...     _ = (root / path).write_text(path)
    >>> dataset = DatasetFolder(root, lambda path: open(path).read(), (".txt",))
    >>> dataset.classes, dataset[2]
    (['cat', 'dog'], ('dog/2.txt', 1))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable,
        extensions: tuple[str, ...] | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(directory, class_to_idx, extensions=None, is_valid_file=None, allow_empty=False):
        """The samples: (path, class index) of every file that counts; a subclass may find others."""
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory):
        """The names of the classes and their indices; a subclass may find others."""
        return find_classes(directory)

    def __getitem__(self, index: int):
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        return sample, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in files `root/class/.../name.jpg` (.jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp).

    Arguments, attributes and errors are DatasetFolder's; `loader` makes PIL images "RGB".

    Raises:
        DatasetError: from an item whose file is no whole picture; it names the file.

    torchvision's `torchvision.datasets.ImageFolder`.

    >>> import pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / "cat").mkdir()
    >>> Image.new("L", (4, 3)).save(root / "cat" / "1.png")
    >>> image, target = ImageFolder(root)[0]
    >>> image.mode, image.size, target
    ('RGB', (4, 3), 0)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        loader: Callable = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ):
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
