"""Convolutions and transposed convolutions of sequences, images and volumes."""

from . import functional as F
from .layer import as_tuple
from .linear import Weighted

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
SIZES = ("kernel_size", "stride", "padding", "dilation", "output_padding")


class _ConvolutionBase(Weighted):
    """What all convolutions keep; a subclass says over how many dimensions it slides and which function does it."""

    spatial: int
    function: staticmethod
    transposed = False

    def _keep(self, channels, sizes, groups, padding_mode):
        self.in_channels, self.out_channels = channels
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer\nhint: groups is {groups}")
        for name, count in zip(("in_channels", "out_channels"), channels):
            if count % groups:
                raise ValueError(f"{name} must be divisible by groups\nhint: {count} is no multiple of {groups}")
        for name, value in zip(SIZES, sizes):
            setattr(self, name, value if isinstance(value, str) else as_tuple(value, self.spatial))
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {self.padding!r}, should be one of {{'same', 'valid'}}")
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {{{', '.join(map(repr, PADDING_MODES))}}}, but got "
                f"padding_mode='{padding_mode}'"
            )
        self.groups, self.padding_mode = groups, padding_mode

    def extra_repr(self):
        count = self.spatial
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            if getattr(self, name) != (usual,) * count:
                text += f", {name}={getattr(self, name)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Convolution(_ConvolutionBase):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__()
        sizes = kernel_size, stride, padding, dilation, 0
        self._keep((in_channels, out_channels), sizes, groups, padding_mode)
        self._make((out_channels, in_channels // groups, *self.kernel_size), out_channels, bias, device, dtype)

    def forward(self, input):
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._amounts(), self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _amounts(self):
        """How much `F.pad` adds: before and after the last dimension, then the one before it, and so on."""
        if self.padding == "valid":
            pairs = [(0, 0)] * self.spatial
        elif self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(amount, amount) for amount in self.padding]
        return [amount for pair in reversed(pairs) for amount in pair]


class Conv1d(_Convolution):
    """1-d convolution of (N, C, L) or (C, L) (`torch.nn.Conv1d`).

    `padding` is numbers, "same" or "valid"; `padding_mode` is "zeros", "reflect", "replicate" or "circular".

    >>> import minigrad
    >>> Conv1d(1, 6, 5)(minigrad.ones(2, 1, 32)).shape
    minigrad.Size([2, 6, 28])
    """

    spatial, function = 1, staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """2-d convolution of (N, C, H, W) or (C, H, W) (`torch.nn.Conv2d`).

    `padding` is numbers, "same" or "valid"; `padding_mode` is "zeros", "reflect", "replicate" or "circular".

    >>> import minigrad
    >>> Conv2d(1, 6, 5)(minigrad.ones(2, 1, 32, 32)).shape
    minigrad.Size([2, 6, 28, 28])
    """

    spatial, function = 2, staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """3-d convolution of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.Conv3d`).

    `padding` is numbers, "same" or "valid"; `padding_mode` is "zeros", "reflect", "replicate" or "circular".

    >>> import minigrad
    >>> Conv3d(1, 2, 3)(minigrad.ones(2, 1, 4, 5, 6)).shape
    minigrad.Size([2, 2, 2, 3, 4])
    """

    spatial, function = 3, staticmethod(F.conv3d)


class _TransposedConvolution(_ConvolutionBase):
    transposed = True

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        sizes = kernel_size, stride, padding, dilation, output_padding
        self._keep((in_channels, out_channels), sizes, groups, padding_mode)
        self._make((in_channels, out_channels // groups, *self.kernel_size), out_channels, bias, device, dtype)

    def forward(self, input, output_size=None):
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, input, output_size):
        """The output padding that gives `output_size`: strides make several sizes of output fit one input."""
        count, leading = self.spatial, 2 if input.ndim == self.spatial + 2 else 1
        wanted = output_size[leading:] if len(output_size) == count + leading else output_size
        if len(wanted) != count:
            raise ValueError(
                f"ConvTranspose{count}D: for {input.ndim}D input, output_size must have {count} or {leading + count} "
                f"elements (got {len(wanted)})"
            )
        smallest = [
            (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
            for size, stride, padding, dilation, kernel in zip(
                input.shape[leading:], self.stride, self.padding, self.dilation, self.kernel_size
            )
        ]
        largest = [low + stride - 1 for low, stride in zip(smallest, self.stride)]
        if not all(low <= size <= high for low, size, high in zip(smallest, wanted, largest)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {smallest} to {largest} (for an "
                f"input of {input.shape[2:]})"
            )
        return [size - low for size, low in zip(wanted, smallest)]


class ConvTranspose1d(_TransposedConvolution):
    """Transposed 1-d convolution of (N, C, L) or (C, L), the adjoint of `Conv1d` (`torch.nn.ConvTranspose1d`).

    >>> import minigrad
    >>> ConvTranspose1d(6, 1, 5)(minigrad.ones(2, 6, 28)).shape
    minigrad.Size([2, 1, 32])
    """

    spatial, function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_TransposedConvolution):
    """Transposed 2-d convolution of (N, C, H, W) or (C, H, W), the adjoint of `Conv2d` (`torch.nn.ConvTranspose2d`).

    >>> import minigrad
    >>> up = ConvTranspose2d(3, 1, 3, stride=2, padding=1)
    >>> up(minigrad.ones(2, 3, 6, 6)).shape, up(minigrad.ones(2, 3, 6, 6), output_size=(12, 12)).shape
    (minigrad.Size([2, 1, 11, 11]), minigrad.Size([2, 1, 12, 12]))
    """

    spatial, function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_TransposedConvolution):
    """Transposed 3-d convolution of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.ConvTranspose3d`).

    >>> import minigrad
    >>> ConvTranspose3d(2, 1, 2, stride=2)(minigrad.ones(1, 2, 2, 3, 4)).shape
    minigrad.Size([1, 1, 4, 6, 8])
    """

    spatial, function = 3, staticmethod(F.conv_transpose3d)
