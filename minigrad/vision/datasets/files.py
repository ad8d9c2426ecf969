"""Where a data set's files lie and how they get there.

`search_path` lists the folders to look through, `locate` looks. Fetching is next door (`fetching.py`), and so is what
the files say (`idx.py`, `cifar.py`). Whatever is wrong with a file, `DatasetError` says it.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

BLOCK = 1 << 20  # bytes read at a time
TIMEOUT = 30  # seconds without a byte before a mirror is given up


class DatasetError(RuntimeError):
    """A data set's file is missing, damaged or not what it says it is; the message names the file and what is wrong.

    >>> raise DatasetError("train-images-idx3-ubyte: 12 bytes, too short for its header of 16")
    Traceback (most recent call last):
        ...
    minigrad.vision.datasets.files.DatasetError: train-images-idx3-ubyte: 12 bytes, too short for its header of 16
    """


def data_folder() -> Path:
    """The folder of data sets: the environment variable MINIGRAD_DATA, or ~/.cache/minigrad/data."""
    return Path(os.environ.get("MINIGRAD_DATA") or "~/.cache/minigrad/data").expanduser()


def search_path(root: str | os.PathLike | None, subfolders: Sequence[str]) -> list[Path]:
    """The folders to look through, in order: `root` and its subfolders, then the subfolders of `data_folder()`."""
    folders = [data_folder() / subfolder for subfolder in subfolders]
    if root is not None:
        root = Path(root).expanduser()
        folders = [root, *(root / subfolder for subfolder in subfolders), *folders]
    return list(dict.fromkeys(folders))


def locate(names: Iterable[str], folders: Iterable[Path]) -> list[Path] | None:
    """The paths of all `names`, each plain or with ".gz", in the first folder that has every one of them, or None."""
    names = list(names)
    for folder in folders:
        candidates = ((folder / name, folder / f"{name}.gz") for name in names)
        found = (next((path for path in pair if path.is_file()), None) for pair in candidates)
        paths = [path for path in found if path is not None]
        if len(paths) == len(names):
            return paths
    return None


def missing(dataset: str, names: Iterable[str], folders: Iterable[Path]) -> DatasetError:
    """The error to raise when `locate` found nothing: what is missing, where it was sought, what to do."""
    return DatasetError(
        "Dataset not found. You can use download=True to download it\n"
        f"{dataset}: no folder holds {', '.join(names)} (plain or .gz)\n"
        + "".join(f"  looked in {folder}\n" for folder in folders)
        + "hint: pass download=True, or the folder of the files as root=, or set MINIGRAD_DATA to a folder of data sets"
    )


def write_atomically(target: Path, blocks: Iterable[bytes]) -> None:
    """Write `blocks` to `target` such that the file is there whole or not at all, even if `blocks` raises half-way."""
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def hashing(checksum: str):
    """A fresh digest of the kind that `checksum`, in hexadecimal, is of: sha256, or md5 if it is that short."""
    return hashlib.sha256() if len(checksum) == 64 else hashlib.md5(usedforsecurity=False)


def matches(path: Path, size: int, checksum: str) -> bool:
    """Whether `path` is a file of `size` bytes with that `checksum`."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashing(checksum)).hexdigest() == checksum
