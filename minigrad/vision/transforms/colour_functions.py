"""Functions that change colours: brightness, contrast, saturation, hue, gamma, grey, inversion, histograms."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from minigrad import Tensor, from_numpy, isfinite, where

from .images import check_channels, get_dimensions, is_picture, picture
from .tensor_functions import convert_image_dtype, highest


def blend(first, second, ratio):
    """ratio · first + (1 - ratio) · second in the dtype of `first`, cut to black and white."""
    ratio = float(ratio)
    return (ratio * first + (1.0 - ratio) * second).clamp(0, highest(first.dtype)).to(first.dtype)


def _checked(img, name, factor):
    """A tensor image of one or three channels, and a factor that is not negative."""
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")
    check_channels(img, [1, 3])


def adjust_brightness(img, brightness_factor):
    """The image mixed with black: 0 is black, 1 the image, 2 twice as bright
    (`torchvision.transforms.functional.adjust_brightness`).

    >>> import minigrad
    >>> adjust_brightness(minigrad.tensor([[[0.25, 0.75]]]), 2)
    tensor([[[0.5000, 1.0000]]])
    """
    if not isinstance(img, Tensor):
        return ImageEnhance.Brightness(picture(img)).enhance(brightness_factor)
    _checked(img, "brightness_factor", brightness_factor)
    return blend(img, img.new_zeros(()), brightness_factor)


def adjust_contrast(img, contrast_factor):
    """The image mixed with its mean grey: 0 is grey, 1 the image, 2 twice the contrast
    (`torchvision.transforms.functional.adjust_contrast`).

    >>> import minigrad
    >>> adjust_contrast(minigrad.tensor([[[0.25, 0.75]]]), 2)
    tensor([[[0., 1.]]])
    """
    if not isinstance(img, Tensor):
        return ImageEnhance.Contrast(picture(img)).enhance(contrast_factor)
    _checked(img, "contrast_factor", contrast_factor)
    grey = rgb_to_grayscale(img) if get_dimensions(img)[0] == 3 else img
    grey = grey if img.dtype.kind == "f" else grey.float()
    return blend(img, grey.mean(tuple(range(-min(img.ndim, 3), 0)), keepdim=True), contrast_factor)


def adjust_saturation(img, saturation_factor):
    """The image mixed with its grey version: 0 is grey, 1 the image
    (`torchvision.transforms.functional.adjust_saturation`).

    >>> adjust_saturation(Image.new("RGB", (1, 1), (100, 0, 0)), 0).getpixel((0, 0))
    (30, 30, 30)
    """
    if not isinstance(img, Tensor):
        return ImageEnhance.Color(picture(img)).enhance(saturation_factor)
    _checked(img, "saturation_factor", saturation_factor)
    return img if get_dimensions(img)[0] == 1 else blend(img, rgb_to_grayscale(img), saturation_factor)


def adjust_hue(img, hue_factor):
    """The image with its hues turned by `hue_factor` of the circle, -0.5 to 0.5
    (`torchvision.transforms.functional.adjust_hue`). Grey images stay as they are.

    >>> adjust_hue(Image.new("RGB", (1, 1), (255, 0, 0)), 0.5).getpixel((0, 0))
    (0, 255, 252)
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if isinstance(img, Tensor):
        check_channels(img, [1, 3])
        if get_dimensions(img)[0] == 1:
            return img
        colours = convert_image_dtype(img).detach().numpy()
        return convert_image_dtype(from_numpy(_turned(colours, hue_factor)), img.dtype)
    if picture(img).mode in ("L", "1", "I", "F"):
        return img
    hue, saturation, value = img.convert("HSV").split()
    turned = np.array(hue) + np.int32(hue_factor * 255).astype(np.uint8)  # bytes go round the circle by themselves
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(img.mode)


def _turned(colours, angle):
    """RGB (..., 3, H, W) of float32 with its hues turned, by way of hue, saturation and value
    (https://en.wikipedia.org/wiki/HSL_and_HSV)."""
    red, green, blue = np.moveaxis(colours, -3, 0)
    value, least = colours.max(-3), colours.min(-3)
    chroma = value - least
    divisor = np.where(chroma == 0, 1, chroma)
    hue = np.select(
        [chroma == 0, value == red, value == green],
        [np.zeros_like(value), (green - blue) / divisor, 2 + (blue - red) / divisor],
        4 + (red - green) / divisor,
    )
    hue = (hue / 6 + np.float32(angle)) % 1
    steps = [(offset + 6 * hue) % 6 for offset in (5, 3, 1)]  # of red, green and blue
    planes = [value - chroma * np.minimum(step, 4 - step).clip(0, 1) for step in steps]
    return np.stack(planes, -3).clip(0, 1).astype(np.float32)


def adjust_gamma(img, gamma, gain=1):
    """gain · x^gamma of values between 0 and 1 (`torchvision.transforms.functional.adjust_gamma`).

    >>> import minigrad
    >>> adjust_gamma(minigrad.tensor([[[0.5, 1.0]]]), 2)
    tensor([[[0.2500, 1.0000]]])
    """
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    if not isinstance(img, Tensor):
        table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
        return picture(img).convert("RGB").point(table).convert(img.mode)
    check_channels(img, [1, 3])
    values = img if img.dtype.kind == "f" else convert_image_dtype(img)
    return convert_image_dtype((gain * values**gamma).clamp(0, 1), img.dtype)


def rgb_to_grayscale(img, num_output_channels=1):
    """The image in grey, of one channel or three equal ones (`torchvision.transforms.functional.rgb_to_grayscale`).

    >>> rgb_to_grayscale(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0))
    76
    """
    if not isinstance(img, Tensor):
        return to_grayscale(picture(img), num_output_channels)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    check_channels(img, [1, 3])
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = img.clone()
    if img.shape[-3] == 3:
        red, green, blue = img.unbind(-3)
        grey = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(-3)
    return grey if num_output_channels == 1 else grey.expand(img.shape)  # one channel stays one, as in torchvision


def to_grayscale(img, num_output_channels=1):
    """A PIL image in grey, "L" or "RGB" (`torchvision.transforms.functional.to_grayscale`).

    >>> to_grayscale(Image.new("RGB", (1, 1)), 3).mode
    'RGB'
    """
    if not is_picture(img):
        raise TypeError("Input should be PIL Image")
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else Image.merge("RGB", [grey] * 3)


def _planes(img):
    """Check a tensor image for the functions that need channels."""
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    check_channels(img, [1, 3])


def invert(img):
    """The negative of an image (`torchvision.transforms.functional.invert`).

    >>> invert(Image.new("L", (1, 1), 5)).getpixel((0, 0))
    250
    """
    if not isinstance(img, Tensor):
        return ImageOps.invert(picture(img))
    _planes(img)
    return highest(img.dtype) - img


def posterize(img, bits):
    """The image with `bits` bits a value left (`torchvision.transforms.functional.posterize`).

    >>> posterize(Image.new("L", (1, 1), 255), 2).getpixel((0, 0))
    192
    """
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if not isinstance(img, Tensor):
        return ImageOps.posterize(picture(img), bits)
    if img.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    _planes(img)
    return img & (256 - 2 ** (8 - bits))


def solarize(img, threshold):
    """The image with all values from `threshold` on inverted (`torchvision.transforms.functional.solarize`).

    >>> solarize(Image.new("L", (1, 1), 250), 128).getpixel((0, 0))
    5
    """
    if not isinstance(img, Tensor):
        return ImageOps.solarize(picture(img), threshold)
    _planes(img)
    if threshold > highest(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return where(img >= threshold, invert(img), img)


def autocontrast(img):
    """The image with each channel stretched from black to white (`torchvision.transforms.functional.autocontrast`).

    >>> import minigrad
    >>> autocontrast(minigrad.tensor([[[0.25, 0.5]]]))
    tensor([[[0., 1.]]])
    """
    if not isinstance(img, Tensor):
        return ImageOps.autocontrast(picture(img))
    _planes(img)
    values = img if img.dtype.kind == "f" else img.float()
    least, most = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
    scale = highest(img.dtype) / (most - least)
    stretched = (values - least) * scale
    return where(isfinite(scale), stretched, values).clamp(0, highest(img.dtype)).to(img.dtype)


def equalize(img):
    """The image with each channel's histogram made flat (`torchvision.transforms.functional.equalize`).

    >>> equalize(Image.new("L", (1, 1), 250)).getpixel((0, 0))
    250
    """
    if not isinstance(img, Tensor):
        return ImageOps.equalize(picture(img))
    if img.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    if not 3 <= img.ndim <= 4:
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    check_channels(img, [1, 3])
    planes = img.numpy().reshape(-1, *img.shape[-2:])
    equal = [np.asarray(ImageOps.equalize(Image.fromarray(plane))) for plane in planes]
    return from_numpy(np.stack(equal).reshape(tuple(img.shape)))
