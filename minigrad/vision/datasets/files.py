"""Where a data set's files lie and how they get there.

`search_path` lists the folders to look through, `locate` looks, `download` fetches a file from the first mirror that
serves it whole. What the files say is read next door (`idx.py`, `cifar.py`). Whatever is wrong with a file,
`DatasetError` says it.
"""

import hashlib
import http.client
import os
import urllib.request
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

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
        f"{dataset} not found: no folder holds {', '.join(names)} (plain or .gz)\n"
        + "".join(f"  looked in {folder}\n" for folder in folders)
        + "hint: pass download=True, or the folder of the files as root=, or set MINIGRAD_DATA to a folder of data sets"
    )


def download(name: str, size: int, sha256: str, mirrors: Iterable[str], folder: Path) -> Path:
    """The path of `name` in `folder`, fetched from the first of `mirrors` that serves `size` bytes of that `sha256`.

    The file appears under its name only once it is whole, checked and on disk: until then it has a temporary name
    beside it, which goes away if the transfer fails.

    Raises:
        DatasetError: no mirror served the file; the message says what each of them did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        try:
            _fetch(url, size, sha256, folder / name)
        except (OSError, http.client.HTTPException, DatasetError) as error:
            failures.append(f"  {url}: {error}\n")
        else:
            return folder / name
    raise DatasetError(
        f"{name} could not be downloaded\n{''.join(failures)}"
        f"hint: fetch it by other means and put it into {folder} (sha256 {sha256})"
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


def matches(path: Path, size: int, sha256: str) -> bool:
    """Whether `path` is a file of `size` bytes with that `sha256`."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _fetch(url: str, size: int, sha256: str, target: Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "minigrad"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        write_atomically(target, _checked(response, size, sha256, target.name))


def _checked(response, size: int, sha256: str, name: str):
    """The blocks of `response`; raises instead of ending when they are not `size` bytes with that `sha256`."""
    digest, received = hashlib.sha256(), 0
    with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=None) as bar:  # shown on terminals only
        while block := response.read(min(BLOCK, size + 1 - received)):
            received += len(block)
            if received > size:
                raise DatasetError(f"more than the {size} bytes of the published file")
            digest.update(block)
            bar.update(len(block))
            yield block
    if received < size:
        raise DatasetError(f"the transfer ended after {received} of {size} bytes")
    if digest.hexdigest() != sha256:
        raise DatasetError(f"sha256 is {digest.hexdigest()}, the published file has {sha256}")
