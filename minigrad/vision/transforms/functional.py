"""The transforms as functions, for one image with given parameters (`torchvision.transforms.functional`).

Each takes a PIL image, which Pillow works on, or a tensor (..., C, H, W).
"""

from .colour_functions import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from .geometry_functions import center_crop, crop, five_crop, hflip, pad, resize, resized_crop, ten_crop, vflip
from .images import InterpolationMode, get_dimensions, get_image_num_channels, get_image_size
from .neighbour_functions import adjust_sharpness, erase, gaussian_blur
from .tensor_functions import convert_image_dtype, normalize, pil_to_tensor, to_pil_image, to_tensor
from .warp_functions import affine, elastic_transform, perspective, rotate

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "elastic_transform",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]
