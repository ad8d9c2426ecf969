"""Layers that rearrange elements or resample a grid: nothing here is learned."""

from minigrad.ops import functions

from . import functional as F
from .layer import Layer
from .module import Module

_WINDOW = "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}"


class Identity(Module):
    """The input itself, whatever the arguments (`torch.nn.Identity`).

    >>> import minigrad
    >>> Identity(54)(minigrad.ones(1))
    tensor([1.])
    """

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input


class Flatten(Layer, call=functions["flatten"], text="start_dim={start_dim}, end_dim={end_dim}"):
    """Dimensions `start_dim` to `end_dim` as one (`torch.nn.Flatten`).

    >>> import minigrad
    >>> Flatten()(minigrad.ones(2, 3, 4)).shape
    minigrad.Size([2, 12])
    """

    start_dim: int = 1
    end_dim: int = -1


class Unflatten(Module):
    """Dimension `dim` as several, of sizes `unflattened_size` (`torch.nn.Unflatten`).

    >>> import minigrad
    >>> Unflatten(1, (3, 4))(minigrad.ones(2, 12)).shape
    minigrad.Size([2, 3, 4])
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}"
            )
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    f"unflattened_size must be tuple of ints, but found element of type {type(size).__name__} at pos "
                    f"{position}"
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input):
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Unfold(Layer, call=F.unfold, text=_WINDOW):
    """The windows of a convolution as columns: (N, C, H, W) to (N, C · kernel, windows) (`torch.nn.Unfold`).

    >>> import minigrad
    >>> Unfold(2)(minigrad.ones(1, 3, 4, 4)).shape
    minigrad.Size([1, 12, 9])
    """

    kernel_size: int | tuple
    dilation: int | tuple = 1
    padding: int | tuple = 0
    stride: int | tuple = 1


class Fold(
    Layer,
    call=F.fold,
    text="output_size={output_size}, " + _WINDOW,
):
    """The sums of windows given as columns, the adjoint of `Unfold` (`torch.nn.Fold`).

    >>> import minigrad
    >>> Fold((4, 4), 2)(minigrad.ones(1, 12, 9)).shape
    minigrad.Size([1, 3, 4, 4])
    """

    output_size: int | tuple
    kernel_size: int | tuple
    dilation: int | tuple = 1
    padding: int | tuple = 0
    stride: int | tuple = 1


class PixelShuffle(Layer, call=F.pixel_shuffle, text="upscale_factor={upscale_factor}"):
    """(*, C · r², H, W) to (*, C, H · r, W · r): Shi et al. 2016, arXiv:1609.05158 (`torch.nn.PixelShuffle`).

    >>> import minigrad
    >>> PixelShuffle(2)(minigrad.ones(1, 4, 3, 3)).shape
    minigrad.Size([1, 1, 6, 6])
    """

    upscale_factor: int


class PixelUnshuffle(Layer, call=F.pixel_unshuffle, text="downscale_factor={downscale_factor}"):
    """(*, C, H · r, W · r) to (*, C · r², H, W), undoes `PixelShuffle` (`torch.nn.PixelUnshuffle`).

    >>> import minigrad
    >>> PixelUnshuffle(2)(minigrad.ones(1, 1, 6, 6)).shape
    minigrad.Size([1, 4, 3, 3])
    """

    downscale_factor: int


class ChannelShuffle(Layer, call=F.channel_shuffle, text="groups={groups}"):
    """Channels of `groups` groups dealt out in turn: Zhang et al. 2018, arXiv:1707.01083 (`torch.nn.ChannelShuffle`).

    >>> import minigrad
    >>> ChannelShuffle(2)(minigrad.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    groups: int


class Upsample(Module):
    """Resamples to `size` or by `scale_factor` (`torch.nn.Upsample`).

    `mode` is "nearest", "linear", "bilinear", "bicubic", "trilinear", "area" or "nearest-exact".

    >>> import minigrad
    >>> Upsample(scale_factor=2)(minigrad.tensor([[[1.0, 2.0]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None):
        super().__init__()
        self.name = type(self).__name__
        if isinstance(scale_factor, tuple):
            scale_factor = tuple([float(factor) for factor in scale_factor])
        else:
            scale_factor = float(scale_factor) if scale_factor else None
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input):
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self):
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resamples (N, C, H, W), each pixel the nearest (`torch.nn.UpsamplingNearest2d`).

    >>> import minigrad
    >>> UpsamplingNearest2d(scale_factor=2)(minigrad.ones(1, 1, 2, 3)).shape
    minigrad.Size([1, 1, 4, 6])
    """

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Resamples (N, C, H, W) bilinearly, corners on corners (`torch.nn.UpsamplingBilinear2d`).

    >>> import minigrad
    >>> UpsamplingBilinear2d(size=(1, 3))(minigrad.tensor([[[[0.0, 2.0]]]]))
    tensor([[[[0., 1., 2.]]]])
    """

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
