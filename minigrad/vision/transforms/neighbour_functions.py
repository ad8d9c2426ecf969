"""Functions that look at a pixel's neighbours (blurring, sharpening), and one that paints over a part."""

import numpy as np
from PIL import ImageEnhance

from minigrad import Tensor, from_numpy

from .colour_functions import blend
from .images import as_pixels, check_channels, get_dimensions, is_picture, picture
from .tensor_functions import pil_to_tensor, to_pil_image


def gaussian_blur(img, kernel_size, sigma=None):
    """The image blurred with a Gaussian of `kernel_size` (x, y) odd numbers and standard deviations `sigma`, by
    default 0.15 kernel_size + 0.35, mirrored at its edges (`torchvision.transforms.functional.gaussian_blur`).

    >>> import minigrad
    >>> gaussian_blur(minigrad.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]]), [3, 1], 1.0)
    tensor([[[0.0000, 0.2741, 0.4519, 0.2741, 0.0000]]])
    """
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    kernel_size = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    sigma = [size * 0.15 + 0.35 for size in kernel_size] if sigma is None else sigma
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigma = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else list(sigma) * (2 if len(sigma) == 1 else 1)
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(deviation <= 0.0 for deviation in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if not isinstance(img, Tensor):
        if not is_picture(img):
            raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
        return to_pil_image(gaussian_blur(pil_to_tensor(img), kernel_size, sigma), img.mode)
    images, restore = as_pixels(img)
    values = images.detach().numpy()
    from scipy import ndimage  # here because importing it takes longer than all of minigrad

    for axis, size, deviation in ((-1, kernel_size[0], sigma[0]), (-2, kernel_size[1], sigma[1])):
        if size // 2 >= values.shape[axis]:
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension\n"
                f"hint: the kernel has {size} cells, the image {values.shape[axis]}"
            )
        steps = np.arange(size) - size // 2
        weights = np.exp(-0.5 * (steps / deviation) ** 2)
        values = ndimage.correlate1d(values, weights / weights.sum(), axis, mode="mirror")
    return restore(from_numpy(values))


def adjust_sharpness(img, sharpness_factor):
    """The image mixed with a smoothed one: 0 is blurred, 1 the image, 2 twice as sharp; its edge stays
    (`torchvision.transforms.functional.adjust_sharpness`).

    >>> import minigrad
    >>> adjust_sharpness(minigrad.eye(3)[None], 0)[0, 1]
    tensor([0.0000, 0.5385, 0.0000])
    """
    if not isinstance(img, Tensor):
        return ImageEnhance.Sharpness(picture(img)).enhance(sharpness_factor)
    if sharpness_factor < 0:
        raise ValueError(f"sharpness_factor ({sharpness_factor}) is not non-negative.")
    check_channels(img, [1, 3])
    if min(img.shape[-2:]) <= 2:
        return img
    images, restore = as_pixels(img)
    from scipy import ndimage

    weights = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    values = images.detach().numpy()
    smooth = values.copy()
    smooth[..., 1:-1, 1:-1] = ndimage.correlate(values, weights[None, None])[..., 1:-1, 1:-1]
    return blend(img, restore(from_numpy(smooth)), sharpness_factor)


def erase(img, i, j, h, w, v, inplace=False):
    """A tensor image with the value(s) `v` in `h` rows from `i` on and `w` columns from `j` on
    (`torchvision.transforms.functional.erase`).

    >>> import minigrad
    >>> erase(minigrad.ones(1, 1, 3), 0, 1, 1, 2, 0)
    tensor([[[1., 0., 0.]]])
    """
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    get_dimensions(img)
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
