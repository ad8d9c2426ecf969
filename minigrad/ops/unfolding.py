"""Windows of images as columns of a matrix, and back: two linear operations that are each other's derivative."""

from operator import index

from minigrad.autograd import Operation
from minigrad.kernels import kernels_for

from .convolution import LIMIT, refuse_absurd
from .registry import functional


class Unfold(Operation):
    """y[n, (c, tap), p] = x[n, c, p · stride + tap · dilation - padding]"""

    formula = "dx = dy, added over the windows that overlap"

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation, windows):
        ctx.size, ctx.geometry = x.shape[2:], (kernel, stride, padding, dilation, windows)
        return kernels_for(x).unfold(x, *ctx.geometry)

    @staticmethod
    def backward(ctx, dy):
        return Fold.apply(dy, ctx.size, *ctx.geometry)


class Fold(Operation):
    """x[n, c, q] = Σ y[n, (c, tap), p] over the windows p and taps that meet at q"""

    formula = "dy = the windows of dx"

    @staticmethod
    def forward(ctx, y, size, kernel, stride, padding, dilation, windows):
        ctx.geometry = kernel, stride, padding, dilation, windows
        return kernels_for(y).fold(y, size, *ctx.geometry)

    @staticmethod
    def backward(ctx, dx):
        return Unfold.apply(dx, *ctx.geometry)


def _pair(value, name):
    values = tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),) * 2
    if len(values) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}\nhint: {name}={values}")
    return values


def _geometry(kernel_size, dilation, padding, stride):
    """The settings as pairs of ints, checked."""
    names = ("kernel_size", "dilation", "padding", "stride")
    kernel, dilation, padding, stride = (
        _pair(value, name) for name, value in zip(names, (kernel_size, dilation, padding, stride))
    )
    for words, short, values, low in (
        ("kernel size should be greater than zero", "kernel", kernel, 1),
        ("dilation should be greater than zero", "dilation", dilation, 1),
        ("padding should be non-negative", "pad", padding, 0),
        ("stride should be greater than zero", "stride", stride, 1),
    ):
        if min(values) < low:
            raise RuntimeError(f"{words}, but got {short}_height: {values[0]} {short}_width: {values[1]}")
    return kernel, tuple([min(s, LIMIT) for s in stride]), padding, dilation


def _windows(size, kernel, stride, padding, dilation):
    return tuple(
        [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, stride, padding, dilation)]
    )


def _refuse_dtype(name, input):
    if input.dtype.kind not in "fb":
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}\nhint: use x.float()')


@functional
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Every window of (N, C, H, W) or (C, H, W) as a column: (N, C · R · S, windows) (`torch.nn.functional.unfold`).

    The rows of a channel's taps follow each other, as in a convolution's weight; padding is zeros. Geometry that does
    not fit raises a RuntimeError with the numbers.

    >>> import minigrad
    >>> unfold(minigrad.arange(6.0).reshape(1, 1, 2, 3), 2)
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    if input.ndim not in (3, 4) or 0 in input._array.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    kernel, stride, padding, dilation = _geometry(kernel_size, dilation, padding, stride)
    size = input._array.shape[-2:]
    windows = _windows(size, kernel, stride, padding, dilation)
    if min(windows) < 1:
        raise RuntimeError(
            f"Given input with spatial size {size}, kernel_size={kernel}, dilation={dilation}, padding={padding}, "
            f"calculated shape of the array of sliding blocks as {windows}, but its components must be at least one."
        )
    refuse_absurd([n + 2 * p for n, p in zip(size, padding)], (*kernel, *windows))
    _refuse_dtype("im2col_out_cpu", input)
    if input.ndim == 3:
        return Unfold.apply(input.unsqueeze(0), kernel, stride, padding, dilation, windows).squeeze(0)
    return Unfold.apply(input, kernel, stride, padding, dilation, windows)


@functional
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The columns of (N, C · R · S, windows) or (C · R · S, windows) added up to images of `output_size`
    (`torch.nn.functional.fold`).

    It is the adjoint of `unfold`, not its inverse: where windows overlap, elements are sums.

    >>> import minigrad
    >>> fold(minigrad.ones(1, 4, 2), (2, 3), 2)
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    if input.ndim not in (2, 3) or 0 in input._array.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    size = _pair(output_size, "output_size")
    kernel, stride, padding, dilation = _geometry(kernel_size, dilation, padding, stride)
    rows, columns = input._array.shape[-2:]
    if rows % (kernel[0] * kernel[1]):
        raise RuntimeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={rows} and kernel_size={kernel}."
        )
    windows = _windows(size, kernel, stride, padding, dilation)
    if windows[0] * windows[1] != columns or min(windows) < 1:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, padding={padding}, stride={stride}, "
            f"expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{windows[0]} * {windows[1]} = {windows[0] * windows[1]}, but got input.size(2)={columns}."
        )
    refuse_absurd([n + 2 * p for n, p in zip(size, padding)])
    _refuse_dtype("col2im_out_cpu", input)
    if input.ndim == 2:
        return Fold.apply(input.unsqueeze(0), size, kernel, stride, padding, dilation, windows).squeeze(0)
    return Fold.apply(input, size, kernel, stride, padding, dilation, windows)
