"""The receptive field of a cell of a layer: which pixels can reach it (from the geometry), and which do (measured)."""

from dataclasses import dataclass

from minigrad import autograd, enable_grad

from .dependence import depends_on
from .observing import as_batch, evaluating, result_of

__all__ = ["ReceptiveField", "effective_receptive_field", "receptive_field"]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The pixels that a cell sees. Each tuple has a number for each dimension of the image.

    `size` is the number of pixels from the first to the last one, `start` the first one (negative where the field
    begins in the padding), `stride` how far the field of the next cell is from this one's (None if that cell sees
    nothing); as if the padding were part of the image and everything went on there. `region` is exact: (first, last) of
    the pixels in the image, of size `image`, which the cell was computed from; None if it sees nothing but padding.
    """

    cell: tuple
    size: tuple
    stride: tuple | None
    start: tuple
    region: tuple | None
    image: tuple

    @property
    def padding(self):
        """(before, after) for each dimension: how many pixels of the field lie outside the image."""
        return tuple(
            (max(-start, 0), max(start + size - n, 0)) for start, size, n in zip(self.start, self.size, self.image)
        )


def receptive_field(model, images, layer=None, cell=None):
    """The exact `ReceptiveField` of a cell of a layer's result, read from the graph that one image leaves.

    The model runs in evaluation mode on the first of `images` (N, C, ...), whose values do not matter: any network of
    operations whose windows are known, functions, branches and skips included. Paths are joined in one box. Layers that
    use the whole image (linear, global pooling, group normalisation) say so; batch normalisation counts as element by
    element. `layer` is a module of the model or its name in `named_modules()`, without one it is the whole model;
    `cell` is a place in its result without batch and channels, the middle one by default.

    Raises ValueError for an unknown layer, a cell outside, an image that the result does not depend on, and an
    operation whose windows are not known.

    Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks"
    (https://distill.pub/2019/computing-receptive-fields).

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, dilation=2))
    >>> field = receptive_field(model, minigrad.zeros(1, 1, 32, 32), cell=(0, 0))
    >>> field.size, field.stride, field.start, field.region
    ((12, 12), (2, 2), (-1, -1), ((0, 10), (0, 10)))
    """
    image = as_batch(images)[:1].clone().requires_grad_()
    with evaluating(model), enable_grad():
        result = result_of(model, image, layer)
    cell = _checked(cell, result)
    channels = tuple((0, n - 1) for n in result.shape[:2])

    def seen(cell, clip):
        return depends_on(result, image, (*channels, *[(at, at) for at in cell]), clip)

    field, following = seen(cell, clip=False), seen([at + 1 for at in cell], clip=False)
    if field is None:
        raise ValueError("the result does not depend on the image: no gradient leads back to it")
    region = seen(cell, clip=True)
    return ReceptiveField(
        cell=cell,
        size=tuple(last - first + 1 for first, last in field[2:]),
        stride=following and tuple(after[0] - here[0] for here, after in zip(field[2:], following[2:])),
        start=tuple(first for first, _ in field[2:]),
        region=None if region is None else region[2:],
        image=tuple(image.shape[2:]),
    )


def effective_receptive_field(model, images, layer=None, cell=None):
    """How much each pixel moves a cell of a layer's result, an array of the image's size (H, W) or the like.

    It is the mean over `images` (N, C, ...) of |d cell / d pixel|, the cell being the sum over its channels, and the
    absolute values summed over the image's. A pixel with 0 had no influence on any of these images: maxima pass on one
    pixel of a window, dead units none. The model runs in evaluation mode, and its parameters' gradients stay as they
    are. `layer`, `cell` and errors: `receptive_field`.

    Luo, Li, Urtasun and Zemel 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks"
    (https://arxiv.org/abs/1701.04128).

    >>> import minigrad
    >>> model = minigrad.nn.AvgPool2d(2)
    >>> print(effective_receptive_field(model, minigrad.ones(1, 1, 4, 4), cell=(0, 1)))
    [[0.   0.   0.25 0.25]
     [0.   0.   0.25 0.25]
     [0.   0.   0.   0.  ]
     [0.   0.   0.   0.  ]]
    """
    images = as_batch(images).clone().requires_grad_()
    with evaluating(model), enable_grad():
        result = result_of(model, images, layer)
        cell = _checked(cell, result)
        total = result[(slice(None), slice(None), *cell)].sum()
        if not total.requires_grad:
            raise ValueError("the result does not depend on the image: no gradient leads back to it")
        (slope,) = autograd.grad(total, images, allow_unused=True)
    if slope is None:
        raise ValueError("the result does not depend on the image: no gradient leads back to it")
    return slope.abs().sum(1).mean(0).numpy()


def _checked(cell, result):
    """The cell as a tuple of places in `result`, the middle one for None."""
    if result.ndim < 2:
        raise ValueError(f"the result must be (N, C, ...), but its shape is {tuple(result.shape)}")
    sizes = tuple(result.shape[2:])
    if cell is None:
        return tuple(n // 2 for n in sizes)
    cell = tuple(cell)
    if len(cell) != len(sizes):
        raise ValueError(f"a cell of a result of size {sizes} is {len(sizes)} numbers, not {cell}")
    if any(not 0 <= at < n for at, n in zip(cell, sizes)):
        raise ValueError(f"the cell {cell} lies outside of the result, whose size is {sizes}")
    return cell
