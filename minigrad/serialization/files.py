"""Files to read from and to write to: where a checkpoint's bytes come from, and how they reach the disk whole."""

import contextlib
import io
import os
import uuid
from pathlib import Path

SLACK = 64 << 20  # bytes that plain data may take beyond twice the size of the file they come from


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read; the message names the file and the cause.

    >>> raise CheckpointError("state.pt: the file is empty")
    Traceback (most recent call last):
        ...
    minigrad.serialization.files.CheckpointError: state.pt: the file is empty
    """


class MissingCheckpoint(CheckpointError, FileNotFoundError):
    """The CheckpointError of a file that is not there; programs that start afresh then catch a FileNotFoundError."""


class Malformed(ValueError):
    """What is wrong with a file, said where it is noticed; `load` makes a CheckpointError that names the file."""


def brief(value):
    """A value from a file for an error: what is nested could be too long to write out."""
    if isinstance(value, (list, tuple)) and all(type(item) is int for item in value):
        return str(value)[:80]
    return repr(value)[:80] if type(value) in (int, float, str, bytes, bool) else f"a {type(value).__name__}"


class Source:
    """A file being read: its name for errors, its size, and reads that never ask for more than is there."""

    def __init__(self, file, name, path=None):
        self.file, self.name, self.path = file, name, path
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def peek(self, count):
        """The first `count` bytes, or all if there are fewer; the place in the file stays."""
        place = self.file.tell()
        self.file.seek(0)
        start = self.file.read(count)
        self.file.seek(place)
        return start

    def read(self, count):
        """Exactly `count` bytes from the present place on."""
        if count > 4096 and count > self.size - self.file.tell():
            raise Malformed(f"the file ends too early: {count} bytes are announced at {self.file.tell()}")
        data = self.file.read(count)
        if len(data) != count:
            raise Malformed("the file ends too early")
        return data

    def readline(self):
        """The bytes up to a line feed, without it; names in pickles are short."""
        line = self.file.readline(256)
        if not line.endswith(b"\n"):
            raise Malformed("a name in the pickle does not end")
        return line[:-1]

    def readinto(self, block):
        """Fill `block`, a memoryview of bytes, from the present place on."""
        read_exactly(self.file, block)


def read_exactly(file, block):
    """Fill `block`, a memoryview of bytes, from `file`."""
    while len(block):
        count = file.readinto(block)
        if not count:
            raise Malformed("the file ends too early")
        block = block[count:]


@contextlib.contextmanager
def opened(f):
    """`f`, a path or a file object at the place where the checkpoint begins, as a `Source`."""
    if isinstance(f, (str, os.PathLike)):
        path = os.fspath(f)
        try:
            file = open(path, "rb")  # noqa: SIM115 (closed below)
        except FileNotFoundError:
            raise MissingCheckpoint(f"{path}: no such file") from None
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror}") from error
        with file:
            yield Source(file, path, path)
        return
    if not hasattr(f, "read"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'read'\nhint: pass a path or a file opened with 'rb'"
        )
    data = f if isinstance(f, (io.BytesIO, io.BufferedReader)) and f.tell() == 0 else io.BytesIO(f.read())
    yield Source(data, str(getattr(f, "name", f"<{type(f).__name__}>")))


@contextlib.contextmanager
def written(f):
    """A file to write to, that becomes `f` when all went well; a file object is written to as it is."""
    if not isinstance(f, (str, os.PathLike)):
        if not hasattr(f, "write"):
            raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
        yield f
        return
    target = Path(os.path.realpath(f))  # a link stays one
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":  # the new name reaches the disk with its folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
