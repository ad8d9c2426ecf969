"""How a file gets here: from the first mirror that serves it whole, going on where an earlier attempt ended."""

import contextlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from .files import BLOCK, TIMEOUT, DatasetError, hashing, matches

try:
    import fcntl
except ImportError:  # not on Windows: there two processes should not download one file at once
    fcntl = None  # type: ignore[assignment]


def download(name: str, size: int, checksum: str, mirrors: Iterable[str], folder: Path) -> Path:
    """The path of `name` in `folder`, fetched from the first of `mirrors` that serves `size` bytes of that `checksum`.

    The file appears under its name only once it is whole, checked and on disk. What an interrupted transfer brought
    stays in `name.part` beside it, and the next attempt, from whatever mirror, asks for the rest only; if the mirror
    sends everything instead, or the sum turns out wrong, it starts over. Processes that want the same file at the same
    time wait for each other.

    Args:
        name: of the file, on the mirrors and in the folder.
        size: of the published file, in bytes.
        checksum: its sha256 or md5, in hexadecimal.
        mirrors: addresses of folders.
        folder: made if it is not there.

    Raises:
        DatasetError: no mirror served the file; the message says what each of them did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        try:
            _fetch(url, size, checksum, folder / name)
        except (OSError, http.client.HTTPException, DatasetError) as error:
            failures.append(f"  {url}: {error}\n")
        else:
            return folder / name
    raise DatasetError(
        f"{name} could not be downloaded\n{''.join(failures)}"
        f"hint: fetch it by other means and put it into {folder} (checksum {checksum})"
    )


def _fetch(url: str, size: int, checksum: str, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    while True:
        with part.open("a+b") as file, _locked(file):
            if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                continue  # while this process waited, another one finished and moved the file away
            if matches(target, size, checksum):
                part.unlink()
                return
            try:
                _complete(url, size, checksum, file, target.name)
                file.flush()
                os.fsync(file.fileno())
                part.replace(target)
            finally:
                file.flush()
                if part.exists() and not part.stat().st_size:
                    part.unlink()
            return


@contextlib.contextmanager
def _locked(file):
    """Wait until no other process holds the file; closing it lets go."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _complete(url: str, size: int, checksum: str, file, name: str) -> None:
    """Make `file`, which may hold a beginning, the published one. It is emptied when its content is wrong."""
    begun = file.seek(0, os.SEEK_END)
    if begun > size:
        file.truncate(0)
        begun = 0
    while True:
        digest = hashing(checksum)
        file.seek(0)
        while block := file.read(BLOCK):
            digest.update(block)
        if begun < size:
            begun, digest = _receive(url, size, file, begun, digest, checksum, name)
        if digest.hexdigest() == checksum:
            return
        file.truncate(0)
        if not begun:
            kind = "sha256" if len(checksum) == 64 else "md5"
            raise DatasetError(f"{kind} is {digest.hexdigest()}, the published file has {checksum}")
        begun = 0  # the beginning may have been wrong, and is gone now


def _receive(url: str, size: int, file, begun: int, digest, checksum: str, name: str):
    """Append to `file` what the server sends from byte `begun` on; (where it began to send, the digest of it all)."""
    headers = {"User-Agent": "minigrad"} | ({"Range": f"bytes={begun}-"} if begun else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        file.truncate(0)  # the file there is shorter than what is here
        raise DatasetError(f"the server has less than the {size} bytes of the published file") from error
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if not resumed or not (response.headers.get("Content-Range") or "").startswith(f"bytes {begun}-"):
            if resumed:
                raise DatasetError(f"the server sent another part than the one from byte {begun} on")
            file.truncate(0)  # it sends the whole file
            begun, digest = 0, hashing(checksum)
        received = begun
        with tqdm(total=size, initial=begun, unit="B", unit_scale=True, desc=name, disable=None) as bar:
            while block := response.read(min(BLOCK, size + 1 - received)):
                received += len(block)
                if received > size:
                    file.truncate(0)
                    raise DatasetError(f"more than the {size} bytes of the published file")
                file.write(block)
                digest.update(block)
                bar.update(len(block))
    if received < size:
        raise DatasetError(f"the transfer ended after {received} of {size} bytes")
    return begun, digest
