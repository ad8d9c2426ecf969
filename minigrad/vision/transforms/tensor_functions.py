"""Functions between PIL images, arrays and tensors, and between dtypes; normalisation."""

import sys

import numpy as np
from PIL import Image

from minigrad import Tensor, float32, from_numpy, get_default_dtype
from minigrad.autograd.dtypes import as_dtype

from .images import get_dimensions, is_picture

_I16 = "I;16" if sys.byteorder == "little" else "I;16B"
_DTYPES = {"I": np.int32, _I16: np.int16, "F": np.float32}  # of PIL's modes; the others hold bytes


def to_tensor(pic):
    """A PIL image or an array (H, W) or (H, W, C) as a tensor (C, H, W); bytes become floats between 0 and 1
    (`torchvision.transforms.functional.to_tensor`).

    Other dtypes keep their values. TypeError for a tensor, ValueError for arrays of other ranks.

    >>> to_tensor(np.array([[0, 51, 255]], dtype=np.uint8))
    tensor([[[0.0000, 0.2000, 1.0000]]])
    """
    if is_picture(pic):
        values = np.array(pic, _DTYPES.get(pic.mode, np.uint8))
        return scaled_planes((values * 255 if pic.mode == "1" else values)[None])[0]
    if not isinstance(pic, np.ndarray):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    return scaled_planes(pic[None])[0]


def scaled_planes(images):
    """Arrays (N, H, W) or (N, H, W, C) as a tensor (N, C, H, W) with memory of its own; bytes are divided by 255."""
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    if images.dtype != np.uint8:
        return from_numpy(planes.copy(order="C"))
    planes = planes.astype(get_default_dtype(), order="C")
    planes /= 255
    return from_numpy(planes)


def pil_to_tensor(pic):
    """A PIL image as a tensor (C, H, W) of its values as they are
    (`torchvision.transforms.functional.pil_to_tensor`).

    >>> pil_to_tensor(Image.new("RGB", (2, 1), (1, 2, 3))).flatten().tolist()
    [1, 1, 2, 2, 3, 3]
    """
    if not is_picture(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    values = np.array(pic)
    return from_numpy(np.array(values[None] if values.ndim == 2 else values.transpose(2, 0, 1), order="C"))


def to_pil_image(pic, mode=None):
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL image
    (`torchvision.transforms.functional.to_pil_image`).

    Floats between 0 and 1 are stretched to bytes. `mode` is PIL's: by default "L", "LA", "RGB" or "RGBA" for one to
    four channels of bytes, and "I", "I;16" or "F" for one channel of int32, int16 or ("F" asked for) float32.
    TypeError or ValueError for what no mode can hold.

    >>> image = to_pil_image(np.zeros((2, 3, 3), np.uint8))
    >>> image.mode, image.size
    ('RGB', (3, 2))
    """
    if isinstance(pic, Tensor):
        values = pic.detach().cpu().numpy()
        values = values.transpose(1, 2, 0) if values.ndim == 3 else values
    elif isinstance(pic, np.ndarray):
        values = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {values.ndim} dimensions.")
    channels = values.shape[-1]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if values.dtype.kind == "f" and mode != "F":
        values = (values * 255).astype(np.uint8)
    if channels == 1:
        expected = {"uint8": "L", "int16": _I16, "int32": "I", "float32": "F"}.get(values.dtype.name)
        if mode not in (None, expected):
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {values.dtype}. Should be {expected}")
        return _from_array(values[:, :, 0], expected)
    modes = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}[channels]
    if mode not in (None, *modes):
        raise ValueError(f"Only modes {modes} are supported for {channels}D inputs")
    return _from_array(values, mode or (modes[0] if values.dtype == np.uint8 else None))


def _from_array(values, mode):
    if mode is None:
        raise TypeError(f"Input type {values.dtype} is not supported")
    values = np.ascontiguousarray(values)
    raw = {_I16: "I;16", "I": "I;32NS", "F": "F;32NF"}.get(mode, mode)
    return Image.frombytes(mode, values.shape[1::-1], values.tobytes(), "raw", raw)


def highest(dtype):
    """The value of white: the largest whole number of a dtype, 1 for floats and booleans."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else 1


def convert_image_dtype(image, dtype=float32):
    """A tensor image in another dtype, its values scaled such that black and white stay what they are
    (`torchvision.transforms.functional.convert_image_dtype`).

    RuntimeError for floats to whole numbers that they cannot fill.

    >>> import minigrad
    >>> convert_image_dtype(minigrad.tensor([[[0, 51, 255]]], dtype=minigrad.uint8))
    tensor([[[0.0000, 0.2000, 1.0000]]])
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    given, dtype = image.dtype, as_dtype(dtype)
    if given == dtype:
        return image
    if dtype.kind == "f":
        return image.to(dtype) if given.kind == "f" else image.to(dtype) / float(highest(given))
    if given.kind == "f":
        if dtype.itemsize > given.itemsize // 2 and dtype.itemsize >= 4:
            raise RuntimeError(f"The cast from {given} to {dtype} cannot be performed safely.")
        return (image * (highest(dtype) + 1.0 - 1e-3)).to(dtype)  # each whole number gets an equal share of [0, 1]
    steps, wanted = highest(given) + 1, highest(dtype) + 1
    if steps > wanted:
        return (image // (steps // wanted)).to(dtype)
    return image.to(dtype) * (wanted // steps)


def normalize(tensor, mean, std, inplace=False):
    """(x - mean) / std of a float tensor (..., C, H, W), with a mean and a standard deviation for each channel
    (`torchvision.transforms.functional.normalize`).

    TypeError for whole numbers, ValueError without a channel axis or where `std` has a 0.

    >>> import minigrad
    >>> normalize(minigrad.tensor([[[0.0, 0.5, 1.0]]]), [0.5], [0.5])
    tensor([[[-1.,  0.,  1.]]])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}\nhint: put ToTensor() before Normalize")
    get_dimensions(tensor)
    if tensor.dtype.kind != "f":
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    mean, std = (np.asarray(values, tensor.dtype) for values in (mean, std))
    if not std.all():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    mean, std = (values.reshape(-1, 1, 1) if values.ndim == 1 else values for values in (mean, std))
    if inplace or tensor.requires_grad or any(values.size not in (1, tensor.shape[-3]) for values in (mean, std)):
        return (tensor if inplace else tensor.clone()).sub_(from_numpy(mean)).div_(from_numpy(std))
    result = tensor.numpy() - mean  # the same, for the many images that need no graph
    result /= std
    return from_numpy(result)
