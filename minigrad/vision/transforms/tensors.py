"""From pixels to what a network wants to see, and back: `ToTensor`, `Normalize`, `ToPILImage`."""

from collections.abc import Sequence

import numpy as np

from minigrad import Tensor, from_numpy, zeros

from .base import Transform
from .tensor_functions import convert_image_dtype, normalize, pil_to_tensor, scaled_planes, to_pil_image, to_tensor


class ToTensor(Transform):
    """A PIL image or an array (H, W) or (H, W, C) as a tensor (C, H, W); bytes become floats between 0 and 1.

    Other dtypes keep their values.

    Raises:
        TypeError: the image is a tensor already.

    torchvision's `torchvision.transforms.ToTensor`.

    >>> ToTensor()(np.array([[0, 51, 255]], dtype=np.uint8))
    tensor([[[0.0000, 0.2000, 1.0000]]])
    """

    def forward(self, pic) -> Tensor:
        """The tensor of an image."""
        return to_tensor(pic)

    def batch(self, images: np.ndarray) -> Tensor:
        """The tensor of a stack of images."""
        return scaled_planes(images) if isinstance(images, np.ndarray) else to_tensor(images)


class PILToTensor(Transform):
    """A PIL image as a tensor (C, H, W) of its values as they are.

    torchvision's `torchvision.transforms.PILToTensor`.

    >>> from PIL import Image
    >>> PILToTensor()(Image.new("L", (2, 1), 7))
    tensor([[[7, 7]]], dtype=minigrad.uint8)
    """

    def forward(self, pic) -> Tensor:
        """The tensor of an image."""
        return pil_to_tensor(pic)

    def batch(self, images: np.ndarray) -> Tensor:
        """The tensor of a stack of images."""
        if not isinstance(images, np.ndarray):
            return pil_to_tensor(images)
        return from_numpy(np.array(images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2), order="C"))


class ToPILImage(Transform):
    """A tensor (C, H, W) or an array (H, W, C) as a PIL image, of PIL's `mode` or the one that fits.

    torchvision's `torchvision.transforms.ToPILImage`; see `functional.to_pil_image`.

    >>> ToPILImage()(np.zeros((2, 2), np.uint8)).mode
    'L'
    """

    def __init__(self, mode: str | None = None):
        super().__init__()
        self.mode = mode

    def forward(self, pic):
        """The PIL image."""
        return to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Transform):
    """A tensor image in another dtype, its values scaled such that black and white stay what they are.

    torchvision's `torchvision.transforms.ConvertImageDtype`.

    >>> import minigrad
    >>> ConvertImageDtype(minigrad.uint8)(minigrad.tensor([[[0.0, 1.0]]]))
    tensor([[[  0, 255]]], dtype=minigrad.uint8)
    """

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        """The image in that dtype."""
        return convert_image_dtype(image, self.dtype)

    def batch(self, images: Tensor) -> Tensor:
        """A stack of images in that dtype."""
        return convert_image_dtype(images, self.dtype)


class Normalize(Transform):
    """(x - mean) / std of float tensors (..., C, H, W), with a mean and a standard deviation for each channel.

    Args:
        mean: a number for each channel, or one for all.
        std: likewise.
        inplace: change the tensor itself.

    Raises:
        TypeError: the image is not a tensor of floats.
        ValueError: it has no channel axis, or a standard deviation is 0.

    torchvision's `torchvision.transforms.Normalize`.

    >>> import minigrad as mg
    >>> Normalize((0.5,), (0.5,))(mg.tensor([[[0.0, 0.5, 1.0]]]))
    tensor([[[-1.,  0.,  1.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False):
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        """The normalised image."""
        return normalize(tensor, self.mean, self.std, self.inplace)

    def batch(self, images: Tensor) -> Tensor:
        """A normalised stack of images."""
        if isinstance(images, Tensor) and images.ndim == 3:  # images without a channel axis: let one of them complain
            return normalize(zeros(images.shape[1:], dtype=images.dtype), self.mean, self.std)
        return normalize(images, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


class LinearTransformation(Transform):
    """(x - mean) times a square matrix, of tensors (..., C, H, W) taken as vectors: whitening, for instance.

    Args:
        transformation_matrix: tensor (D, D), D = C · H · W.
        mean_vector: tensor (D,).

    Raises:
        ValueError: the shapes do not fit.

    torchvision's `torchvision.transforms.LinearTransformation`.

    >>> import minigrad as mg
    >>> LinearTransformation(2 * mg.eye(2), mg.ones(2))(mg.tensor([[[1.0, 2.0]]]))
    tensor([[[0., 2.]]])
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor):
        super().__init__()
        shape = tuple(transformation_matrix.shape)
        if shape[0] != shape[1]:
            raise ValueError(f"transformation_matrix should be square. Got {shape} rectangular matrix.")
        if mean_vector.size(0) != shape[0]:
            raise ValueError(
                f"mean_vector should have the same length {mean_vector.size(0)} as any one of the dimensions of the "
                f"transformation_matrix [{shape}]"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                f"Input tensors should have the same dtype. Got {transformation_matrix.dtype} and {mean_vector.dtype}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        """The transformed image, or images."""
        channels, height, width = tensor.shape[-3:]
        if channels * height * width != len(self.mean_vector):
            raise ValueError(
                "Input tensor and transformation matrix have incompatible shape."
                f"[{channels} x {height} x {width}] != {len(self.mean_vector)}"
            )
        flat = tensor.reshape(-1, len(self.mean_vector)) - self.mean_vector
        return (flat @ self.transformation_matrix.to(flat.dtype)).reshape(tensor.shape)

    def __repr__(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"{type(self).__name__}(transformation_matrix={matrix}, mean_vector={mean})"
