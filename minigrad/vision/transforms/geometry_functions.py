"""Functions that move whole pixels or change their number: padding, cropping, flipping, resizing."""

import numbers
import warnings

import numpy as np
from PIL import Image, ImageOps

from minigrad import Tensor
from minigrad.nn import functional as F

from .images import (
    RESAMPLING,
    InterpolationMode,
    as_pixels,
    get_dimensions,
    get_image_num_channels,
    interpolation_mode,
    picture,
)

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def fill_of(fill, img):
    """`fill` as Pillow wants it for a PIL image: a number, or one for each channel."""
    channels = get_image_num_channels(img)
    fill = 0 if fill is None else fill
    if isinstance(fill, (list, tuple)):
        fill = tuple(fill) * channels if len(fill) == 1 else tuple(fill)
        if len(fill) != channels:
            raise ValueError(
                f"The number of elements in 'fill' does not match the number of channels of the image ({len(fill)} != "
                f"{channels})"
            )
    elif channels > 1:
        fill = (fill,) * channels
    if img.mode == "F":
        return fill
    return tuple(int(value) for value in fill) if isinstance(fill, tuple) else int(fill)


def sides(padding):
    """(left, top, right, bottom) of a padding: one number, (left and right, top and bottom), or all four."""
    numbers_ = (padding,) if isinstance(padding, int) else tuple(padding)
    return numbers_ * (4 // len(numbers_))


def check_padding(padding, fill, padding_mode):
    """TypeError or ValueError for what `pad` cannot take."""
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if isinstance(padding, (tuple, list)) and len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    if padding_mode not in PADDING_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


def pad(img, padding, fill=0, padding_mode="constant"):
    """The image with a border (`torchvision.transforms.functional.pad`).

    `padding` is its width: one number, (left and right, top and bottom), or (left, top, right, bottom); negative
    widths cut off. Modes: "constant" (`fill`), "edge" (the outermost pixel again), "reflect" (mirrored without the
    outermost pixel), "symmetric" (mirrored with it).

    >>> import minigrad
    >>> pad(minigrad.tensor([[[1, 2]]]), (1, 0), fill=7)
    tensor([[[7, 1, 2, 7]]])
    """
    check_padding(padding, 0 if fill is None else fill, padding_mode)
    left, top, right, bottom = sides(padding)
    if isinstance(img, Tensor):
        get_dimensions(img)
        if isinstance(fill, (tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        widths = (left, right, top, bottom)
        if padding_mode == "constant":
            return F.pad(img, widths, value=0 if fill is None else fill)
        if padding_mode == "symmetric":
            return _symmetric(img, widths)
        images, _ = (img, None) if img.ndim >= 3 else (img[None], None)
        padded = F.pad(images, widths, mode="replicate" if padding_mode == "edge" else padding_mode)
        return padded if img.ndim >= 3 else padded[0]
    if padding_mode == "constant":
        padded = ImageOps.expand(picture(img), (left, top, right, bottom), fill_of(fill, img))
    else:
        cut = np.maximum([-left, -top, -right, -bottom], 0)
        if cut.any():
            picture(img)
            img = img.crop((cut[0], cut[1], img.width - cut[2], img.height - cut[3]))
        left, top, right, bottom = np.maximum([left, top, right, bottom], 0)
        values = np.asarray(picture(img))
        widths = ((top, bottom), (left, right), (0, 0))[: values.ndim]
        padded = Image.fromarray(np.pad(values, widths, padding_mode))
    if img.mode == "P":
        padded.putpalette(img.getpalette())
    return padded


def _symmetric(img, widths):
    """The tensor with its mirror image around it; `widths` are left, right, top, bottom."""
    for axis, (before, after) in ((-1, widths[:2]), (-2, widths[2:])):
        places = np.arange(img.shape[axis])
        places = places[max(-before, 0) : len(places) - max(-after, 0)]
        places = np.pad(places, (max(before, 0), max(after, 0)), "symmetric").tolist()
        img = img[..., places] if axis == -1 else img[..., places, :]
    return img


def crop(img, top, left, height, width):
    """The part of an image from (top, left) on; what lies beyond the image is 0
    (`torchvision.transforms.functional.crop`).

    >>> import minigrad
    >>> crop(minigrad.tensor([[[1, 2, 3]]]), 0, 1, 1, 3)
    tensor([[[2, 3, 0]]])
    """
    if not isinstance(img, Tensor):
        return picture(img).crop((left, top, left + width, top + height))
    _, h, w = get_dimensions(img)
    bottom, right = top + height, left + width
    inside = img[..., min(max(top, 0), h) : max(bottom, 0), min(max(left, 0), w) : max(right, 0)]
    beyond = [
        max(min(-left, width), 0),
        max(min(-top, height), 0),
        max(right - max(w, left), 0),
        max(bottom - max(h, top), 0),
    ]
    return pad(inside, beyond) if any(beyond) else inside


def center_crop(img, output_size):
    """The middle of an image, which gets a border of 0 where it is smaller
    (`torchvision.transforms.functional.center_crop`).

    >>> center_crop(Image.new("L", (9, 5)), 3).size
    (3, 3)
    """
    height, width = _square(output_size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        missing = max(width - w, 0), max(height - h, 0)
        img = pad(img, [*(n // 2 for n in missing), *((n + 1) // 2 for n in missing)])
        _, h, w = get_dimensions(img)
    return crop(img, round((h - height) / 2), round((w - width) / 2), height, width)


def _square(size):
    """(height, width) of a size that may be one number."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)
    return tuple(size) * 2 if len(size) == 1 else tuple(size)


def hflip(img):
    """The image mirrored, left and right exchanged (`torchvision.transforms.functional.hflip`).

    >>> import minigrad
    >>> hflip(minigrad.tensor([[[1, 2]]]))
    tensor([[[2, 1]]])
    """
    if not isinstance(img, Tensor):
        return picture(img).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    get_dimensions(img)
    return img.flip(-1)


def vflip(img):
    """The image upside down (`torchvision.transforms.functional.vflip`).

    >>> import minigrad
    >>> vflip(minigrad.tensor([[[1], [2]]])).flatten()
    tensor([2, 1])
    """
    if not isinstance(img, Tensor):
        return picture(img).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    get_dimensions(img)
    return img.flip(-2)


def resized_to(height, width, size, max_size=None):
    """(height, width) of the image after `resize`."""
    if len(size) == 2:
        return tuple(size)
    shorter, longer = size[0], int(size[0] * max(height, width) / min(height, width))
    if max_size is not None:
        if max_size <= shorter:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge size = "
                f"{size}"
            )
        if longer > max_size:
            shorter, longer = int(max_size * shorter / longer), max_size
    return (longer, shorter) if width <= height else (shorter, longer)


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """The image in another size (`torchvision.transforms.functional.resize`).

    `size` is (H, W), or the new length of the shorter side, the other one in proportion and `max_size` at most.
    `antialias` (always so for PIL images): when an image shrinks, bilinear and bicubic weights widen.

    >>> resize(Image.new("L", (8, 4)), 2).size
    (4, 2)
    """
    interpolation = interpolation_mode(interpolation)
    size = [size] if isinstance(size, int) else list(size)
    if len(size) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list")
    if max_size is not None and len(size) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1 in torchscript mode."
        )
    _, height, width = get_dimensions(img)
    wanted = resized_to(height, width, size, max_size)
    if (height, width) == wanted:
        return img
    if not isinstance(img, Tensor):
        if antialias is False:
            warnings.warn(
                "Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.", stacklevel=2
            )
        return img.resize(wanted[::-1], RESAMPLING[interpolation])
    smooth = interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    images, restore = as_pixels(img)
    result = F.interpolate(
        images,
        wanted,
        mode=interpolation.value,
        align_corners=False if smooth else None,
        antialias=bool(antialias) and smooth,
    )
    if interpolation is InterpolationMode.BICUBIC and img.dtype == np.uint8:
        result = result.clamp(0, 255)
    return restore(result)


def resized_crop(img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True):
    """`crop`, then `resize` (`torchvision.transforms.functional.resized_crop`).

    >>> resized_crop(Image.new("L", (8, 8)), 1, 1, 4, 4, [2, 2]).size
    (2, 2)
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img, size):
    """The four corners of an image, in reading order, and its middle (`torchvision.transforms.functional.five_crop`).

    >>> import minigrad
    >>> [int(part) for part in five_crop(minigrad.arange(9).reshape(1, 3, 3), 1)]
    [0, 2, 6, 8, 4]
    """
    size = _square(size)
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    (height, width), (_, h, w) = size, get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
    corners = [crop(img, top, left, height, width) for top in (0, h - height) for left in (0, w - width)]
    return *corners, center_crop(img, [height, width])


def ten_crop(img, size, vertical_flip=False):
    """`five_crop` of an image and of its mirror image (`torchvision.transforms.functional.ten_crop`).

    >>> len(ten_crop(Image.new("L", (4, 4)), 2))
    10
    """
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)
