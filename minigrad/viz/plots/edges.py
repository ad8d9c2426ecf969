"""Kirsch's compass: how strongly an image rises towards each of eight directions."""

import numpy as np

from minigrad import Tensor, from_numpy, tensor
from minigrad.nn import functional as F

__all__ = ["DIRECTIONS", "kirsch", "kirsch_kernels"]

DIRECTIONS = ("N", "NW", "W", "SW", "S", "SE", "E", "NE")
RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # the neighbours, clockwise from the top left
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def kirsch_kernels():
    """Kirsch's eight kernels, (8, 1, 3, 3), in the order of `DIRECTIONS`: 5 on three neighbours there, -3 on the rest.

    >>> kirsch_kernels()[0, 0]
    tensor([[ 5.,  5.,  5.],
            [-3.,  0., -3.],
            [-3., -3., -3.]])
    """
    kernels = np.zeros((8, 1, 3, 3), np.float32)
    for turn, kernel in enumerate(kernels):
        for place, (row, column) in enumerate(RING):
            kernel[0, row, column] = 5 if (place + turn) % 8 < 3 else -3
    return from_numpy(kernels)


def kirsch(image):
    """The responses of an image to Kirsch's eight kernels, (8, H, W), in the order of `DIRECTIONS`.

    `image` is a tensor or array (H, W), (1, H, W) or (3, H, W); of colours the luminance counts. A response is positive
    where the image is brighter towards that direction; the largest of the eight is Kirsch's measure of an edge, and its
    direction the edge's. Beyond its border the image goes on with its outermost pixels. Raises ValueError for other
    shapes.

    Kirsch 1971, "Computer determination of the constituent structure of biological images", Computers and Biomedical
    Research 4(3).

    >>> import minigrad
    >>> step = minigrad.tensor([[0.0, 0.0, 1.0, 1.0]] * 4)
    >>> response = kirsch(step)
    >>> [DIRECTIONS[k] for k in range(8) if response[k, 2, 1] == response[:, 2, 1].max()]
    ['E']
    """
    image = image.detach() if isinstance(image, Tensor) else tensor(image)
    image = image.unsqueeze(0) if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[0] not in (1, 3) or image.numel() == 0:
        raise ValueError(f"kirsch takes an image (H, W), (1, H, W) or (3, H, W), not of shape {tuple(image.shape)}")
    image = image.float()
    if image.shape[0] == 3:
        image = (image * tensor(LUMINANCE).reshape(3, 1, 1)).sum(0, keepdim=True)
    framed = F.pad(image.unsqueeze(0), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(framed, kirsch_kernels())[0]
