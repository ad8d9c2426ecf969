"""What an image is: a PIL image, or a tensor (..., C, H, W); its sizes, and how values between pixels are found."""

import enum

from PIL import Image

from minigrad import Tensor


class InterpolationMode(enum.Enum):
    """How values between pixels are found (`torchvision.transforms.InterpolationMode`).

    BOX, HAMMING and LANCZOS are for PIL images. On these NEAREST_EXACT is NEAREST, which is exact there.
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


RESAMPLING = {mode: Image.Resampling[mode.name.removesuffix("_EXACT")] for mode in InterpolationMode}
_BY_NUMBER = {int(RESAMPLING[mode]): mode for mode in InterpolationMode if mode is not InterpolationMode.NEAREST_EXACT}


def interpolation_mode(interpolation):
    """The mode of an `InterpolationMode` or of Pillow's number for it; TypeError for anything else."""
    if isinstance(interpolation, int):
        return _BY_NUMBER[interpolation]
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant"
        )
    return interpolation


def is_picture(img):
    """Whether `img` is a PIL image."""
    return isinstance(img, Image.Image)


def picture(img):
    """`img` itself, a PIL image; TypeError for anything else."""
    if not is_picture(img):
        raise TypeError(f"img should be PIL Image. Got {type(img)}\nhint: arrays become PIL images by ToPILImage()")
    return img


def get_dimensions(img):
    """[channels, height, width] of an image (`torchvision.transforms.functional.get_dimensions`).

    >>> get_dimensions(Image.new("RGB", (4, 2)))
    [3, 2, 4]
    """
    if isinstance(img, Tensor):
        if img.ndim < 2:
            raise TypeError("Tensor is not a torch image.")
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    if is_picture(img):
        return [len(img.getbands()), img.height, img.width]
    raise TypeError(f"Unexpected type {type(img)}")


def get_image_size(img):
    """[width, height] of an image (`torchvision.transforms.functional.get_image_size`).

    >>> get_image_size(Image.new("L", (4, 2)))
    [4, 2]
    """
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img):
    """The channels of an image (`torchvision.transforms.functional.get_image_num_channels`).

    >>> get_image_num_channels(Image.new("L", (4, 2)))
    1
    """
    return get_dimensions(img)[0]


def check_channels(img, permitted):
    """TypeError unless the tensor has one of the `permitted` numbers of channels."""
    channels = get_dimensions(img)[0]
    if channels not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {permitted}, but found {channels}")


def as_pixels(img):
    """(the tensor as (N, C, H, W) of floats, a function that gives such a tensor the shape and dtype of `img`).

    Whole numbers are rounded.
    """
    dtype, shape = img.dtype, img.shape
    images = img.reshape(-1, *shape[-3:]) if img.ndim > 2 else img.reshape(1, 1, *shape)
    if dtype.kind != "f":
        images = images.float()

    def restore(result):
        result = result.reshape(*shape[:-2], *result.shape[-2:])
        return result if dtype.kind == "f" else result.round().to(dtype)

    return images, restore
