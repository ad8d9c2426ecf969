"""Transforms that look up each pixel of the result somewhere in the image: rotation, affine maps, perspective, elastic
deformation. All are random."""

import math
from collections.abc import Sequence

from minigrad import Tensor, cat, rand

from .base import Transform, angles, chance, check_fill, check_sequence, uniform, whole
from .images import InterpolationMode, get_dimensions, interpolation_mode
from .neighbour_functions import gaussian_blur
from .warp_functions import affine, elastic_transform, perspective, rotate


def _fill_for(img, fill):
    """`fill` as the functions want it: of a tensor a number for each channel."""
    if not isinstance(img, Tensor):
        return fill
    return [float(fill)] * get_dimensions(img)[0] if isinstance(fill, (int, float)) else [float(f) for f in fill]


class RandomRotation(Transform):
    """The image turned by a random angle.

    Args:
        degrees: the range of angles, (least, most), or -degrees to degrees.
        interpolation: how values between pixels are found.
        expand: the result is large enough for the whole turned image.
        center: the centre (x, y) of the rotation, the middle of the image for None.
        fill: the value beyond the image, or one for each channel.

    Raises:
        TypeError, ValueError: arguments of another form.

    torchvision's `torchvision.transforms.RandomRotation`.

    >>> RandomRotation(30)
    RandomRotation(degrees=[-30.0, 30.0], interpolation=nearest, expand=False, fill=0)
    """

    def __init__(
        self,
        degrees,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] | None = 0,
    ):
        super().__init__()
        self.degrees = angles(degrees, "degrees")
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center
        self.interpolation = interpolation_mode(interpolation)
        self.expand = expand
        self.fill = check_fill(fill)

    @staticmethod
    def get_params(degrees):
        """A random angle."""
        return uniform(*degrees)

    def forward(self, img):
        """The turned image."""
        angle = self.get_params(self.degrees)
        return rotate(img, angle, self.interpolation, self.expand, self.center, _fill_for(img, self.fill))

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}, fill={self.fill})"
        )


class RandomAffine(Transform):
    """The image rotated, moved, scaled and sheared at random around a centre.

    Args:
        degrees: the range of angles, (least, most), or -degrees to degrees.
        translate: the most that the image moves, as parts (horizontal, vertical) of its sizes.
        scale: the range of scales.
        shear: the range of angles along x, or of both, (least x, most x, least y, most y).
        interpolation: how values between pixels are found.
        fill: the value beyond the image, or one for each channel.
        center: the centre (x, y), the middle of the image for None.

    Raises:
        TypeError, ValueError: arguments of another form or out of range.

    torchvision's `torchvision.transforms.RandomAffine`.

    >>> RandomAffine(10, translate=(0.1, 0.1), shear=5)
    RandomAffine(degrees=[-10.0, 10.0], translate=(0.1, 0.1), shear=[-5.0, 5.0])
    """

    def __init__(
        self,
        degrees,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear=None,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: float | Sequence[float] | None = 0,
        center: Sequence[float] | None = None,
    ):
        super().__init__()
        self.degrees = angles(degrees, "degrees")
        if translate is not None:
            check_sequence(translate, "translate", (2,))
            if not all(0.0 <= part <= 1.0 for part in translate):
                raise ValueError("translation values should be between 0 and 1")
        self.translate = translate
        if scale is not None:
            check_sequence(scale, "scale", (2,))
            if not all(factor > 0 for factor in scale):
                raise ValueError("scale values should be positive")
        self.scale = scale
        self.shear = None if shear is None else angles(shear, "shear", (2, 4))
        self.interpolation = interpolation_mode(interpolation)
        self.fill = check_fill(fill)
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """Random (angle, translation, scale, shear) for an image of `img_size`, (width, height)."""
        angle = uniform(*degrees)
        most = (0, 0) if translate is None else [part * size for part, size in zip(translate, img_size)]
        translation = tuple(round(uniform(-pixels, pixels)) if pixels else 0 for pixels in most)
        scale = 1.0 if scale_ranges is None else uniform(*scale_ranges)
        shears = [] if shears is None else shears
        shear = tuple(uniform(*shears[i : i + 2]) if shears[i:] else 0.0 for i in (0, 2))
        return angle, translation, scale, shear

    def forward(self, img):
        """The deformed image."""
        _, height, width = get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, (width, height))
        return affine(img, *drawn, self.interpolation, _fill_for(img, self.fill), self.center)

    def __repr__(self) -> str:
        parts = [f"degrees={self.degrees}"]
        parts += [
            f"{name}={getattr(self, name)}"
            for name in ("translate", "scale", "shear")
            if getattr(self, name) is not None
        ]
        if self.interpolation is not InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomPerspective(Transform):
    """The image, or with probability p the image seen from elsewhere.

    Args:
        distortion_scale: how far the corners move: 0 not at all, 1 to the middle at the most.
        p: the probability.
        interpolation: how values between pixels are found.
        fill: the value beyond the image, or one for each channel.

    torchvision's `torchvision.transforms.RandomPerspective`.

    >>> RandomPerspective(0.3)
    RandomPerspective(p=0.5)
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: float | Sequence[float] | None = 0,
    ):
        super().__init__()
        self.p = p
        self.interpolation = interpolation_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = check_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float):
        """The corners of the image, and where they come to lie, each (x, y)."""
        dx, dy = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))
        (left, right), (top, bottom) = ((0, width - dx - 1), (0, height - dy - 1))
        moved = [
            [x + whole(0, dx + 1), y + whole(0, dy + 1)]
            for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
        ]
        return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], moved

    def forward(self, img):
        """The image as it is or from elsewhere."""
        if not chance(self.p):
            return img
        _, height, width = get_dimensions(img)
        corners = self.get_params(width, height, self.distortion_scale)
        return perspective(img, *corners, self.interpolation, _fill_for(img, self.fill))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ElasticTransform(Transform):
    """The image with its pixels displaced by a random smooth field.

    Args:
        alpha: the size of the displacements, one number or (along x, along y).
        sigma: how smooth they are: standard deviation of a Gaussian, in pixels; likewise.
        interpolation: how values between pixels are found.
        fill: the value beyond the image, or one for each channel.

    Raises:
        TypeError, ValueError: arguments of another form.

    torchvision's `torchvision.transforms.ElasticTransform`; Simard et al. 2003, "Best practices for convolutional
    neural networks applied to visual document analysis".

    >>> ElasticTransform(alpha=30.0)
    ElasticTransform(alpha=[30.0, 30.0], sigma=[5.0, 5.0], interpolation=InterpolationMode.BILINEAR, fill=[0.0])
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: float | Sequence[float] = 0,
    ):
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = interpolation_mode(interpolation)
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeError(f"fill should be int or float or a list or tuple of them. Got {type(fill)}")
        self.fill = [float(value) for value in (fill if isinstance(fill, (list, tuple)) else [fill])]

    @staticmethod
    def get_params(alpha, sigma, size):
        """A random displacement, a tensor (1, H, W, 2), for an image of `size`, (H, W)."""
        fields = []
        for strength, deviation, length in zip(alpha, sigma, reversed(size)):
            field = rand(1, 1, *size) * 2 - 1
            if deviation > 0.0:
                cells = math.floor(8 * deviation + 1) // 2 * 2 + 1
                field = gaussian_blur(field, [cells, cells], [deviation, deviation])
            fields.append(field * strength / length)
        return cat(fields, 1).permute(0, 2, 3, 1)

    def forward(self, tensor):
        """The deformed image."""
        _, height, width = get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


def _two_floats(value, name):
    if isinstance(value, float):
        return [value, value]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if len(value) != 2:
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
    for element in value:
        if not isinstance(element, float):
            raise TypeError(f"{name} should be a sequence of floats. Got {type(element)}")
    return value
