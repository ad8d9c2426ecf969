"""Tensors as pictures: many in one grid, and in a file."""

import math

import numpy as np
from PIL import Image

from minigrad import Tensor, cat, no_grad, stack


@no_grad()
def make_grid(tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0):
    """Images side by side in one (`torchvision.utils.make_grid`).

    Args:
        tensor: (N, C, H, W), a list of (C, H, W), or one image (C, H, W) or (H, W).
        nrow: images in a row.
        padding: width of the lines between them.
        normalize: shift and stretch the values to 0 to 1, from `value_range` or the least and the largest.
        value_range: (least, largest), for `normalize`.
        scale_each: normalize each image by itself.
        pad_value: of the lines.

    Returns:
        A tensor (C, H', W'); one channel becomes three.

    Raises:
        TypeError: it is something else.

    >>> import minigrad
    >>> make_grid(minigrad.zeros(5, 1, 4, 6), nrow=3).shape
    minigrad.Size([3, 14, 26])
    """
    if isinstance(tensor, list):
        for image in tensor:
            if not isinstance(image, Tensor):
                raise TypeError(f"tensor or list of tensors expected, got a list containing {type(image)}")
        tensor = stack(tensor)
    elif not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    tensor = tensor[None] if tensor.ndim == 2 else tensor
    tensor = tensor[None] if tensor.ndim == 3 else tensor
    if tensor.shape[1] == 1:
        tensor = cat([tensor] * 3, 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        tensor = stack([_stretched(t, value_range) for t in tensor]) if scale_each else _stretched(tensor, value_range)
    count, channels, height, width = tensor.shape
    if count == 1:
        return tensor[0]
    columns = min(nrow, count)
    grid = tensor.new_full(
        (channels, (height + padding) * math.ceil(count / columns) + padding, (width + padding) * columns + padding),
        pad_value,
    )
    for i in range(count):
        top, left = (height + padding) * (i // columns) + padding, (width + padding) * (i % columns) + padding
        grid[:, top : top + height, left : left + width] = tensor[i]
    return grid


def _stretched(tensor, value_range):
    """`tensor` with its values cut to the range, then shifted and stretched to 0 to 1."""
    low, high = (float(tensor.min()), float(tensor.max())) if value_range is None else value_range
    return (tensor.clamp(low, high) - low) / max(high - low, 1e-5)


@no_grad()
def save_image(tensor, fp, format=None, **kwargs):
    """Write a grid of images with values from 0 to 1 into a file (`torchvision.utils.save_image`).

    Args:
        tensor: as in `make_grid`.
        fp: a path or a file object.
        format: Pillow's name of the format, by default the one that the path's ending means.
        **kwargs: as in `make_grid`.

    >>> import io, minigrad
    >>> file = io.BytesIO()
    >>> save_image(minigrad.rand(3, 8, 9), file, format="png")
    >>> Image.open(file).size
    (9, 8)
    """
    grid = make_grid(tensor, **kwargs)
    pixels = (grid * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).numpy().astype(np.uint8)
    Image.fromarray(pixels).save(fp, format=format)
