"""Dropout: random elements or whole channels switched off in training.

The random numbers come from the default generator, drawn once for every element or channel. Single elements are dropped
by a kernel that draws as it goes.
"""

import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor
from minigrad.autograd.dtypes import TORCH_NAMES, boxed
from minigrad.kernels import kernels_for

from .inplace import assign
from .random import counter_of, stream_of
from .registry import function, functional

SATURATION = 1.7580993408473766  # SELU's scale · alpha: its value at -∞, negated


class Dropout(Operation):
    """y = x · mask / (1 - p)"""

    formula = "dx = dy · mask / (1 - p)"

    @staticmethod
    def forward(ctx, x, scaled_mask):
        ctx.save_for_backward(scaled_mask)
        return np.multiply(x, scaled_mask)

    @staticmethod
    def backward(ctx, dy):
        (scaled_mask,) = ctx.saved_tensors
        return dy * scaled_mask


class ElementDropout(Dropout):
    """y = x · mask / (1 - p), the mask drawn from a stream"""

    formula = "dx = dy · mask / (1 - p)"

    @staticmethod
    def forward(ctx, x, stream, p):
        if isinstance(stream, np.ndarray):  # made for this call, which can then be repeated; the GPU's stream goes on
            stream = stream.copy()
        y, scaled_mask = kernels_for(x).dropout(x, stream, p)
        ctx.save_for_backward(scaled_mask)
        return y

    @staticmethod
    def backward(ctx, dy):
        return Dropout.backward(ctx, dy), None, None


class AlphaDropout(Operation):
    """y = a · (x where the mask holds, else SELU's value at -∞) + b, which keeps mean 0 and variance 1"""

    formula = "dx = dy · a · mask"

    @staticmethod
    def forward(ctx, x, scaled_mask, shift):
        ctx.save_for_backward(scaled_mask)
        return x * scaled_mask + shift

    @staticmethod
    def backward(ctx, dy):
        (scaled_mask,) = ctx.saved_tensors
        return dy * scaled_mask


def _check(p):
    if not 0.0 <= p <= 1.0:
        kind = RuntimeError if p != p else ValueError
        raise kind(f"dropout probability has to be between 0 and 1, but got {p}")


def _feature_shape(shape):
    """One random number for each channel, dimension 1 of the shape."""
    if len(shape) < 2:
        raise RuntimeError(
            f"Feature dropout requires at least 2 dimensions in the input\nhint: the input is {tuple(shape)}; "
            "dropout works on single elements"
        )
    return (*shape[:2], *[1] * (len(shape) - 2))


def _drop(input, p, training, inplace, noise_shape, alpha=False):
    """The input with what `noise_shape(its shape)` random numbers switch off; `alpha` for SELU networks."""
    if not training or p == 0 or input.numel() == 0:
        return input
    dtype = input._array.dtype
    if dtype.kind != "f":
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {TORCH_NAMES[dtype]}\nhint: use x.float()"
        )
    if p == 1:
        operation, arrays = Dropout, [np.zeros((), dtype, like=input._array)]
    else:
        if noise_shape is _own_shape and not alpha:
            draw = counter_of(input.device), p
            return assign(input, ElementDropout, *draw) if inplace else ElementDropout.apply(input, *draw)
        kept = stream_of(None, input.device).random(noise_shape(input._array.shape), np.float32) >= p
        if alpha:
            a = 1 / np.sqrt((SATURATION * SATURATION * p + 1) * (1 - p))
            shift = a * SATURATION * (kept - 1.0 + p)
            operation, arrays = AlphaDropout, [kept * dtype.type(a), boxed(shift).astype(dtype)]
        else:
            operation, arrays = Dropout, [kept * dtype.type(1 / (1 - p))]
    constants = [Tensor._wrap(boxed(array)) for array in arrays]
    return assign(input, operation, *constants) if inplace else operation.apply(input, *constants)


def _own_shape(shape):
    return shape


@functional
@function
def dropout(input, p=0.5, training=True, inplace=False):
    """In training, zero each element with probability `p` and scale the rest by 1 / (1 - p)
    (`torch.nn.functional.dropout`).

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    >>> import minigrad
    >>> dropout(minigrad.ones(3), 0.0)
    tensor([1., 1., 1.])
    """
    _check(p)
    return _drop(input, p, training, inplace, _own_shape)


@functional
@function
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """In training, put SELU's value at -∞ in the place of elements with probability `p`, then scale and shift such that
    mean 0 and variance 1 stay (`torch.nn.functional.alpha_dropout`).

    Klambauer et al. 2017, https://arxiv.org/abs/1706.02515.

    >>> import minigrad
    >>> alpha_dropout(minigrad.ones(3), 0.0, training=True)
    tensor([1., 1., 1.])
    """
    _check(p)
    return _drop(input, p, training, inplace, _own_shape, alpha=True)


@functional
@function
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels, dimension 1 (`torch.nn.functional.feature_alpha_dropout`).

    >>> import minigrad
    >>> feature_alpha_dropout(minigrad.ones(1, 3), 0.0, training=True)
    tensor([[1., 1., 1.]])
    """
    _check(p)
    return _drop(input, p, training, inplace, _feature_shape, alpha=True)


@functional
def dropout1d(input, p=0.5, training=True, inplace=False):
    """`dropout` of whole channels of (N, C, L) or (C, L) (`torch.nn.functional.dropout1d`).

    >>> import minigrad
    >>> dropout1d(minigrad.ones(1, 2, 3), 1.0).sum()
    tensor(0.)
    """
    _check(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that dropout1d exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs)."
        )
    return _drop(input, p, training, inplace, _feature_shape if input.ndim == 3 else _unbatched_feature_shape)


def _unbatched_feature_shape(shape):
    return _feature_shape((1, *shape))[1:]


def _warn_of_rank(name, rank, spatial):
    warnings.warn(
        f"{name}: Received a {rank}-D input to {name}, which is deprecated and will result in an error in a future "
        "release. To retain the behavior and silence this warning, please use dropout instead. Note that "
        f"{name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a channel "
        f"dimension, and an optional batch dimension (i.e. {spatial + 1}D or {spatial + 2}D inputs).",
        stacklevel=3,
    )


@functional
def dropout2d(input, p=0.5, training=True, inplace=False):
    """`dropout` of whole channels of (N, C, H, W) (`torch.nn.functional.dropout2d`).

    As in PyTorch, three dimensions are (N, C, L), and a warning says so. Tompson et al. 2015,
    https://arxiv.org/abs/1411.4280.

    >>> import minigrad
    >>> dropout2d(minigrad.ones(1, 2, 3, 3), 1.0).sum()
    tensor(0.)
    """
    _check(p)
    if input.ndim not in (3, 4):
        _warn_of_rank("dropout2d", input.ndim, 2)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a "
            "future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop(input, p, training, inplace, _feature_shape)


@functional
def dropout3d(input, p=0.5, training=True, inplace=False):
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.functional.dropout3d`).

    >>> import minigrad
    >>> dropout3d(minigrad.ones(1, 2, 3, 3, 3), 1.0).sum()
    tensor(0.)
    """
    _check(p)
    if input.ndim not in (4, 5):
        _warn_of_rank("dropout3d", input.ndim, 3)
    return _drop(input, p, training, inplace, _feature_shape if input.ndim == 5 else _unbatched_feature_shape)
