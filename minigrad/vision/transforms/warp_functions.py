"""Functions that look up each pixel of the result somewhere in the image: rotation, affine maps, perspective, elastic.

PIL images are warped by Pillow. For tensors the places are a grid in the units of `grid_sample`: -1 and 1 are the outer
edges of the image.
"""

import math
import numbers

import numpy as np
from PIL import Image

from minigrad import Size, Tensor, cat, ones, tensor, where
from minigrad.nn import functional as F

from .geometry_functions import fill_of
from .images import RESAMPLING, InterpolationMode, as_pixels, get_dimensions, interpolation_mode, is_picture, picture
from .tensor_functions import pil_to_tensor, to_pil_image


def sample(img, places, interpolation, fill):
    """The tensor image at `places`, an array (H', W', 2) of x and y; `fill` (0 for None) beyond the image."""
    if interpolation not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"Interpolation mode '{interpolation.value}' is unsupported with Tensor input")
    channels = get_dimensions(img)[0]
    if isinstance(fill, (tuple, list)) and len(fill) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(fill)} != {channels})"
        )
    images, restore = as_pixels(img)
    grid = tensor(places, dtype=images.dtype).expand(len(images), *places.shape)
    if fill is None:
        return restore(F.grid_sample(images, grid, interpolation.value, align_corners=False))
    inside = ones(len(images), 1, *images.shape[-2:], dtype=images.dtype)  # tells how much of a pixel is image
    result = F.grid_sample(cat([images, inside], 1), grid, interpolation.value, align_corners=False)
    result, inside = result[:, :-1], result[:, -1:]
    beyond = tensor(fill if isinstance(fill, (tuple, list)) else [fill], dtype=images.dtype).view(1, -1, 1, 1)
    if interpolation is InterpolationMode.NEAREST:
        return restore(where(inside < 0.5, beyond.expand_as(result), result))
    return restore(result * inside + (1 - inside) * beyond)


def _centres(height, width, dtype):
    """(H, W, 3): the centres of pixels, (x, y, 1), with the middle of the image at (0, 0)."""
    y, x = np.mgrid[:height, :width].astype(dtype)
    return np.stack([x + (1 - width) / 2, y + (1 - height) / 2, np.ones_like(x)], -1)


def _affine_places(matrix, size, wanted, dtype):
    """Where a 2 x 3 matrix takes the pixels of an image of `wanted` height and width, in one of `size`."""
    height, width = size
    rescaled = np.array(matrix, dtype).reshape(2, 3).T / np.array([0.5 * width, 0.5 * height], dtype)
    return _centres(*wanted, dtype) @ rescaled


def _real(img):
    """The dtype that the places in a tensor image are computed in."""
    return img.dtype if img.dtype.kind == "f" else np.float32


def inverse_matrix(center, angle, translate, scale, shear):
    """The six numbers of the map from places in the result to places in the image.

    Forward, the image is sheared, rotated and scaled around `center`, then moved: T C R Sy Sx S C^-1.
    """
    rotation, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    a = math.cos(rotation - shear_y) / math.cos(shear_y)
    b = -math.cos(rotation - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(rotation)
    c = math.sin(rotation - shear_y) / math.cos(shear_y)
    d = -math.sin(rotation - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(rotation)
    # a d - b c = 1, so the inverse of (a b; c d) is (d -b; -c a)
    rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
    x, y = -center[0] - translate[0], -center[1] - translate[1]
    return [number for (p, q), origin in zip(rows, center) for number in (p, q, (p * x + q * y) + origin)]


def _from_middle(center, img):
    """`center`, counted from the corner, as counted from the middle of the image; the middle itself for None."""
    _, height, width = get_dimensions(img)
    return [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]


def rotate(img, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None):
    """The image turned by `angle` degrees, counter-clockwise (`torchvision.transforms.functional.rotate`).

    `expand`: the result is large enough for the whole turned image. `center` is (x, y), the middle for None.

    >>> rotate(Image.new("L", (4, 2)), 90, expand=True).size
    (2, 4)
    """
    interpolation = interpolation_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if not isinstance(img, Tensor):
        return picture(img).rotate(angle, RESAMPLING[interpolation], expand, center, fillcolor=fill_of(fill, img))
    matrix = inverse_matrix(_from_middle(center, img), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = wanted = tuple(img.shape[-2:])
    if expand:
        corners = np.array([[x, y, 1] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * [size[1], size[0], 1]
        middle = np.array([size[1] / 2, size[0] / 2], np.float32)
        turned = corners.astype(np.float32) @ np.array(matrix, np.float32).reshape(2, 3).T + middle
        turned = np.trunc(turned / np.float32(1e-4)) * np.float32(
            1e-4
        )  # so that rounding errors reach no further pixel
        wanted = tuple((np.ceil(turned.max(0)) - np.floor(turned.min(0))).astype(int).tolist())[::-1]
    return sample(img, _affine_places(matrix, size, wanted, _real(img)), interpolation, fill)


def affine(img, angle, translate, scale, shear, interpolation=InterpolationMode.NEAREST, fill=None, center=None):
    """The image rotated clockwise by `angle` degrees, moved by `translate` pixels (x, y), scaled, and sheared by one
    or two angles in degrees, around `center` (`torchvision.transforms.functional.affine`).

    >>> import minigrad
    >>> affine(minigrad.tensor([[[1, 2, 3]]]), 0, [1, 0], 1.0, [0.0, 0.0])
    tensor([[[0, 1, 2]]])
    """
    interpolation = interpolation_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shear = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear) * (2 if len(shear) == 1 else 1)
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if not isinstance(img, Tensor):
        _, height, width = get_dimensions(img)
        center = [width * 0.5, height * 0.5] if center is None else center
        matrix = inverse_matrix(center, angle, translate, scale, shear)
        return img.transform(
            img.size, Image.Transform.AFFINE, matrix, RESAMPLING[interpolation], fillcolor=fill_of(fill, img)
        )
    matrix = inverse_matrix(_from_middle(center, img), angle, translate, scale, shear)
    return sample(img, _affine_places(matrix, img.shape[-2:], img.shape[-2:], _real(img)), interpolation, fill)


def _perspective_coefficients(startpoints, endpoints):
    """The eight numbers that take each of four end points back to its start point."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):  # u (g x + h y + 1) = a x + b y + c, and so for v
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solution = np.linalg.lstsq(np.array(rows, np.float64), np.array(startpoints, np.float64).ravel(), rcond=None)[0]
    return solution.astype(np.float32).tolist()


def perspective(img, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """The image seen from elsewhere: four points of it, (x, y) each, come to lie on four others
    (`torchvision.transforms.functional.perspective`).

    >>> corners = [[0, 0], [3, 0], [3, 3], [0, 3]]
    >>> perspective(Image.new("L", (4, 4), 9), corners, corners).getpixel((1, 1))
    9
    """
    coefficients = _perspective_coefficients(startpoints, endpoints)
    interpolation = interpolation_mode(interpolation)
    if not isinstance(img, Tensor):
        return picture(img).transform(
            img.size,
            Image.Transform.PERSPECTIVE,
            coefficients,
            RESAMPLING[interpolation],
            fillcolor=fill_of(fill, img),
        )
    _, height, width = get_dimensions(img)
    dtype = _real(img)
    matrix = np.array([*coefficients, 1.0], dtype).reshape(3, 3)
    corners = _centres(height, width, dtype) + np.array([width / 2, height / 2, 0], dtype)
    scale = np.array([0.5 * width, 0.5 * height], dtype)
    places = corners @ (matrix[:2].T / scale) / (corners @ matrix[2:].T) - 1
    return sample(img, places, interpolation, fill)


def elastic_transform(img, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """The image with each pixel taken from its place plus a displacement, a tensor (1, H, W, 2) in halves of the
    image's sizes (`torchvision.transforms.functional.elastic_transform`).

    >>> import minigrad
    >>> image = minigrad.arange(3.0).reshape(1, 1, 3)
    >>> elastic_transform(image, minigrad.zeros(1, 1, 3, 2))
    tensor([[[0., 1., 2.]]])
    """
    interpolation = interpolation_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    if not isinstance(img, Tensor):
        if not is_picture(img):
            raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
        moved = elastic_transform(pil_to_tensor(img), displacement, interpolation, fill)
        return to_pil_image(moved, img.mode)
    height, width = img.shape[-2:]
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            f"Argument displacement shape should be {Size((1, height, width, 2))}, but given {displacement.shape}"
        )
    identity = _affine_places([1, 0, 0, 0, 1, 0], (height, width), (height, width), np.float32)
    return sample(img, identity + displacement.detach().numpy()[0], interpolation, fill)
