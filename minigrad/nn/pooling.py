"""Pooling: the largest, the mean or another summary of each window, or of each part of a grid."""

from . import functional as F
from .layer import Layer, as_tuple
from .module import Module

_WINDOW = "kernel_size={kernel_size}, stride={stride}, padding={padding}"


class _Windows(Layer):
    """Windows step by their own size unless `stride` says otherwise."""

    def __post_init__(self):
        self.stride = self.kernel_size if self.stride is None else self.stride


class _MaxPool(_Windows, text=_WINDOW + ", dilation={dilation}, ceil_mode={ceil_mode}"):
    kernel_size: int | tuple
    stride: int | tuple | None = None
    padding: int | tuple = 0
    dilation: int | tuple = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool1d(_MaxPool, call=F.max_pool1d):
    """The largest element of each window of (N, C, L) or (C, L) (`torch.nn.MaxPool1d`).

    `return_indices=True` gives (values, indices), which `MaxUnpool1d` takes.

    >>> import minigrad
    >>> MaxPool1d(2)(minigrad.ones(1, 1, 4)).shape
    minigrad.Size([1, 1, 2])
    """


class MaxPool2d(_MaxPool, call=F.max_pool2d):
    """The largest element of each window of (N, C, H, W) or (C, H, W) (`torch.nn.MaxPool2d`).

    `return_indices=True` gives (values, indices), which `MaxUnpool2d` takes.

    >>> import minigrad
    >>> MaxPool2d(2)(minigrad.ones(1, 1, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2])
    """


class MaxPool3d(_MaxPool, call=F.max_pool3d):
    """The largest element of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.MaxPool3d`).

    `return_indices=True` gives (values, indices), which `MaxUnpool3d` takes.

    >>> import minigrad
    >>> MaxPool3d(2)(minigrad.ones(1, 1, 4, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2, 2])
    """


class _MaxUnpool(Module):
    """Each value back at the index it came from, zeros elsewhere."""

    spatial: int
    function: staticmethod

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = as_tuple(kernel_size, self.spatial)
        self.stride = as_tuple(kernel_size if stride is None else stride, self.spatial)
        self.padding = as_tuple(padding, self.spatial)

    def forward(self, input, indices, output_size=None):
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self):
        return _WINDOW.format_map(vars(self))


class MaxUnpool1d(_MaxUnpool):
    """Undoes `MaxPool1d` as far as its indices tell: zeros elsewhere (`torch.nn.MaxUnpool1d`).

    >>> import minigrad
    >>> values, indices = MaxPool1d(2, return_indices=True)(minigrad.rand(1, 1, 4))
    >>> MaxUnpool1d(2)(values, indices).shape
    minigrad.Size([1, 1, 4])
    """

    spatial, function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Undoes `MaxPool2d` as far as its indices tell: zeros elsewhere (`torch.nn.MaxUnpool2d`).

    >>> import minigrad
    >>> values, indices = MaxPool2d(2, return_indices=True)(minigrad.rand(1, 1, 4, 4))
    >>> MaxUnpool2d(2)(values, indices).shape
    minigrad.Size([1, 1, 4, 4])
    """

    spatial, function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Undoes `MaxPool3d` as far as its indices tell: zeros elsewhere (`torch.nn.MaxUnpool3d`).

    >>> import minigrad
    >>> values, indices = MaxPool3d(2, return_indices=True)(minigrad.rand(1, 1, 4, 4, 4))
    >>> MaxUnpool3d(2)(values, indices).shape
    minigrad.Size([1, 1, 4, 4, 4])
    """

    spatial, function = 3, staticmethod(F.max_unpool3d)


class _AvgPool(_Windows, text=_WINDOW):
    kernel_size: int | tuple
    stride: int | tuple | None = None
    padding: int | tuple = 0
    ceil_mode: bool = False
    count_include_pad: bool = True


class _DividedAvgPool(_AvgPool, text=_WINDOW):
    divisor_override: int | None = None


class AvgPool1d(_AvgPool, call=F.avg_pool1d):
    """The mean of each window of (N, C, L) or (C, L) (`torch.nn.AvgPool1d`).

    >>> import minigrad
    >>> AvgPool1d(2)(minigrad.ones(1, 1, 4)).shape
    minigrad.Size([1, 1, 2])
    """

    def __post_init__(self):
        super().__post_init__()
        for name in ("kernel_size", "stride", "padding"):
            setattr(self, name, as_tuple(getattr(self, name), 1))


class AvgPool2d(_DividedAvgPool, call=F.avg_pool2d):
    """The mean of each window of (N, C, H, W) or (C, H, W) (`torch.nn.AvgPool2d`).

    `divisor_override` divides the sums in place of the windows' sizes.

    >>> import minigrad
    >>> AvgPool2d(2)(minigrad.ones(1, 1, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2])
    """


class AvgPool3d(_DividedAvgPool, call=F.avg_pool3d):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.AvgPool3d`).

    `divisor_override` divides the sums in place of the windows' sizes.

    >>> import minigrad
    >>> AvgPool3d(2)(minigrad.ones(1, 1, 4, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2, 2])
    """


class _LPPool(Layer, text="norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, ceil_mode={ceil_mode}"):
    norm_type: float
    kernel_size: int | tuple
    stride: int | tuple | None = None
    ceil_mode: bool = False


class LPPool1d(_LPPool, call=F.lp_pool1d):
    """(Σ xᵖ)^(1/p) of each window of (N, C, L) or (C, L) (`torch.nn.LPPool1d`).

    >>> import minigrad
    >>> LPPool1d(2, 2)(minigrad.ones(1, 1, 4)).shape
    minigrad.Size([1, 1, 2])
    """


class LPPool2d(_LPPool, call=F.lp_pool2d):
    """(Σ xᵖ)^(1/p) of each window of (N, C, H, W) or (C, H, W) (`torch.nn.LPPool2d`).

    >>> import minigrad
    >>> LPPool2d(2, 2)(minigrad.ones(1, 1, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2])
    """


class LPPool3d(_LPPool, call=F.lp_pool3d):
    """(Σ xᵖ)^(1/p) of each window of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.LPPool3d`).

    >>> import minigrad
    >>> LPPool3d(2, 2)(minigrad.ones(1, 1, 4, 4, 4)).shape
    minigrad.Size([1, 1, 2, 2, 2])
    """


class _AdaptivePool(Layer, text="output_size={output_size}"):
    output_size: int | tuple


class _AdaptiveMaxPool(_AdaptivePool, text="output_size={output_size}"):
    return_indices: bool = False


class AdaptiveAvgPool1d(_AdaptivePool, call=F.adaptive_avg_pool1d):
    """The means over a grid of `output_size` parts (`torch.nn.AdaptiveAvgPool1d`).

    >>> import minigrad
    >>> AdaptiveAvgPool1d(1)(minigrad.ones(1, 3, 4)).shape
    minigrad.Size([1, 3, 1])
    """


class AdaptiveAvgPool2d(_AdaptivePool, call=F.adaptive_avg_pool2d):
    """The means over a grid of `output_size` parts; None keeps a size (`torch.nn.AdaptiveAvgPool2d`).

    >>> import minigrad
    >>> AdaptiveAvgPool2d(1)(minigrad.ones(1, 3, 4, 4)).shape
    minigrad.Size([1, 3, 1, 1])
    """


class AdaptiveAvgPool3d(_AdaptivePool, call=F.adaptive_avg_pool3d):
    """The means over a grid of `output_size` parts; None keeps a size (`torch.nn.AdaptiveAvgPool3d`).

    >>> import minigrad
    >>> AdaptiveAvgPool3d(1)(minigrad.ones(1, 3, 4, 4, 4)).shape
    minigrad.Size([1, 3, 1, 1, 1])
    """


class AdaptiveMaxPool1d(_AdaptiveMaxPool, call=F.adaptive_max_pool1d):
    """The largest elements over a grid of `output_size` parts (`torch.nn.AdaptiveMaxPool1d`).

    >>> import minigrad
    >>> AdaptiveMaxPool1d(1)(minigrad.ones(1, 3, 4)).shape
    minigrad.Size([1, 3, 1])
    """


class AdaptiveMaxPool2d(_AdaptiveMaxPool, call=F.adaptive_max_pool2d):
    """The largest elements over a grid of `output_size` parts; None keeps a size (`torch.nn.AdaptiveMaxPool2d`).

    >>> import minigrad
    >>> AdaptiveMaxPool2d(1)(minigrad.ones(1, 3, 4, 4)).shape
    minigrad.Size([1, 3, 1, 1])
    """


class AdaptiveMaxPool3d(_AdaptiveMaxPool, call=F.adaptive_max_pool3d):
    """The largest elements over a grid of `output_size` parts; None keeps a size (`torch.nn.AdaptiveMaxPool3d`).

    >>> import minigrad
    >>> AdaptiveMaxPool3d(1)(minigrad.ones(1, 3, 4, 4, 4)).shape
    minigrad.Size([1, 3, 1, 1, 1])
    """
