"""The IDX format of MNIST: a big-endian header (two zero bytes, type, rank, one uint32 per axis), then the numbers.

Nothing a header says is trusted: it is held against limits first, and memory grows only with the bytes that really
come, one past the announced end at most, so that neither a header of 2**60 images nor a gzip bomb gets far.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import BLOCK, DatasetError

UNSIGNED_BYTE = 0x08


def read_idx(path: str | os.PathLike, limits: Sequence[int]) -> np.ndarray:
    """The array of unsigned bytes in an IDX file, plain or (by its name) .gz.

    Args:
        path: the file.
        limits: the largest size allowed on each axis; their number is the rank the file must have.

    Returns:
        A uint8 array of the shape in the file's header, each axis at least 1 and at most its limit.

    Raises:
        DatasetError: the file is no whole IDX file of unsigned bytes of this rank within the limits.

    The format is the one of the MNIST page (LeCun, Cortes and Burges).
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            shape = _read_shape(file, path, limits)
            size = math.prod(shape)
            content = _read_at_most(file, size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: not a whole gzip file: {error}") from error
    if len(content) != size:
        found = f"only {len(content)}" if len(content) < size else "more"
        raise DatasetError(f"{path}: the header announces {size} bytes ({_times(shape)}), the file holds {found}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_shape(file, path: Path, limits: Sequence[int]) -> tuple[int, ...]:
    length = 4 + 4 * len(limits)
    header = bytes(_read_at_most(file, length))
    if header[:2] != b"\0\0"[: len(header)]:
        raise DatasetError(f"{path}: not an IDX file: it starts with {header[:2].hex(' ')}, not with 00 00")
    if len(header) >= 4 and (header[2], header[3]) != (UNSIGNED_BYTE, len(limits)):
        raise DatasetError(
            f"{path}: type 0x{header[2]:02x} and rank {header[3]} in the header; "
            f"expected 0x{UNSIGNED_BYTE:02x} (unsigned bytes) and rank {len(limits)}"
        )
    if len(header) < length:
        raise DatasetError(f"{path}: {len(header)} bytes, too short for its header of {length}")
    shape = struct.unpack(f">{len(limits)}I", header[4:])
    if not all(1 <= size <= limit for size, limit in zip(shape, limits, strict=True)):
        raise DatasetError(f"{path}: the header announces {_times(shape)}; expected 1 to {_times(limits)}")
    return shape


def _read_at_most(file, size: int) -> bytearray:
    content = bytearray()
    while block := file.read(min(BLOCK, size - len(content))):
        content += block
    return content


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
