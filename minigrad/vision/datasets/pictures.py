"""Reading picture files: whatever is wrong with one, the error names it; what it unpacks to has its limits."""

import io
import os
import struct
import zlib
from pathlib import Path

from PIL import Image

from .files import DatasetError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not those that Pillow hands to other programs
DENSEST = 1100  # bytes of pixels from a byte of file; deflate reaches 1032, and only for pictures of one colour
SMALL = 1 << 20  # bytes of pixels that a file of any size may unpack to

# What Pillow raises for damaged files, of these formats.
_DAMAGE = (
    OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, OverflowError, MemoryError, RuntimeError,
    AttributeError, ArithmeticError, AssertionError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


def read_picture(path: str | os.PathLike, mode: str | None = None) -> Image.Image:
    """The PIL image in a file, in the given mode.

    A picture that claims more pixels than its file can hold is refused before any memory is taken for it, and so is
    one of more than `PIL.Image.MAX_IMAGE_PIXELS`.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is no whole picture.
    """
    content = Path(
        path
    ).read_bytes()  # read from memory no block can be longer than what is left, whatever it announces
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
            most = max(SMALL, DENSEST * len(content)) // 4
            if pixels > min(most, Image.MAX_IMAGE_PIXELS or pixels):
                raise ValueError(f"it claims {image.width} x {image.height} pixels, too many for the file")
            image.load()
            return image.copy() if mode is None else image.convert(mode)
    except _DAMAGE as error:
        raise DatasetError(f"{os.fspath(path)}: not a whole picture: {error}") from error
