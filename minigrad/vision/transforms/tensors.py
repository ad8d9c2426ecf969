"""From pixels to what a network wants to see: `ToTensor`, then `Normalize`."""

from collections.abc import Sequence

import numpy as np

from minigrad import Tensor, from_numpy

from .images import Transform


class ToTensor(Transform):
    """An array or PIL image (H, W) or (H, W, C) as a tensor (C, H, W); uint8 becomes float32 between 0 and 1.

    Other dtypes keep their values.

    Raises:
        TypeError: the image is a tensor already.

    torchvision's `torchvision.transforms.ToTensor`.

    >>> ToTensor()(np.array([[0, 51, 255]], dtype=np.uint8))
    tensor([[[0.0000, 0.2000, 1.0000]]])
    """

    def batch(self, images: np.ndarray) -> Tensor:
        """The transform of a stack of images of one size."""
        if not isinstance(images, np.ndarray):
            raise TypeError(f"pic should be PIL Image or ndarray. Got {type(images)}")
        planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)  # -> (N, C, H, W)
        if images.dtype == np.uint8:
            planes = planes.astype(np.float32, order="C")
            planes /= 255
            return from_numpy(planes)
        return from_numpy(planes.copy())


class Normalize(Transform):
    """(x - mean) / std of float tensors (..., C, H, W), with a mean and a standard deviation for each channel.

    Args:
        mean: a number for each channel, or one for all.
        std: likewise.

    Raises:
        TypeError: the image is not a tensor of floats.
        ValueError: it has no channel axis or another number of channels, or a standard deviation is 0.

    torchvision's `torchvision.transforms.Normalize`.

    >>> import minigrad as mg
    >>> Normalize((0.5,), (0.5,))(mg.tensor([[[0.0, 0.5, 1.0]]]))
    tensor([[[-1.,  0.,  1.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        self.mean = mean
        self.std = std

    def batch(self, images: Tensor) -> Tensor:
        """The transform of a stack of images of one size."""
        if not isinstance(images, Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(images)}\nhint: put ToTensor() before Normalize")
        if images.dtype.kind != "f":
            raise TypeError(f"Input tensor should be a float tensor. Got {images.dtype}.")
        shape = tuple(images.shape[1:])
        if len(shape) < 3:
            raise ValueError(
                f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {shape}"
            )
        mean, std = (np.array(number, images.dtype).reshape(-1, 1, 1) for number in (self.mean, self.std))
        for name, numbers in (("mean", mean), ("std", std)):
            if len(numbers) not in (1, shape[-3]):
                raise ValueError(f"{name} has {len(numbers)} values for {shape[-3]} channels")
        if not std.all():
            raise ValueError(f"std evaluated to zero after conversion to {std.dtype}, leading to division by zero.")
        result = images.detach().numpy() - mean
        result /= std
        return from_numpy(result)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"
