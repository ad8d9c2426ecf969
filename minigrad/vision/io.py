"""Pictures from files and into files, as tensors of bytes (C, H, W)."""

import enum
import os

import numpy as np

from minigrad import Tensor

from .datasets.pictures import read_picture
from .transforms.functional import pil_to_tensor, to_pil_image


class ImageReadMode(enum.Enum):
    """The channels that `read_image` gives (`torchvision.io.ImageReadMode`)."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = 4


_MODES = {"UNCHANGED": None, "GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_image(path: str | os.PathLike, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """The picture in a file as a tensor of bytes (C, H, W) (`torchvision.io.read_image`).

    FileNotFoundError if there is no such file, DatasetError if it is no whole picture.

    >>> import tempfile
    >>> from PIL import Image
    >>> path = tempfile.mkdtemp() + "/one.png"
    >>> Image.new("L", (4, 3), 7).save(path)
    >>> read_image(path).shape
    minigrad.Size([1, 3, 4])
    """
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    image = read_picture(path, _MODES[mode.name])
    return pil_to_tensor(image.convert("RGB") if image.mode == "P" else image)


def write_png(input: Tensor, filename: str | os.PathLike, compression_level: int = 6) -> None:
    """Write a tensor of bytes (C, H, W), of one or three channels, as PNG (`torchvision.io.write_png`).

    >>> import minigrad, tempfile
    >>> from PIL import Image
    >>> path = tempfile.mkdtemp() + "/one.png"
    >>> write_png(minigrad.zeros(3, 4, 5, dtype=minigrad.uint8), path)
    >>> Image.open(path).size
    (5, 4)
    """
    _checked(input).save(filename, format="PNG", compress_level=compression_level)


def write_jpeg(input: Tensor, filename: str | os.PathLike, quality: int = 75) -> None:
    """Write a tensor of bytes (C, H, W), of one or three channels, as JPEG (`torchvision.io.write_jpeg`).

    >>> import minigrad, tempfile
    >>> from PIL import Image
    >>> path = tempfile.mkdtemp() + "/one.jpg"
    >>> write_jpeg(minigrad.zeros(1, 4, 5, dtype=minigrad.uint8), path)
    >>> Image.open(path).mode
    'L'
    """
    _checked(input).save(filename, format="JPEG", quality=quality)


def _checked(input):
    """The PIL image of a tensor of bytes with one or three channels."""
    if input.dtype != np.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8\nhint: it is {input.dtype}")
    if input.ndim != 3 or input.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {input.shape[0]}")
    return to_pil_image(input)
