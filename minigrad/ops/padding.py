"""Padding: more cells around a tensor, filled with a constant or with its own elements."""

from operator import index

import numpy as np

from minigrad.autograd import DEVICES, Operation, placed

from .registry import functional
from .resampling import Resample, Taps

LIMIT = 2**31  # sizes beyond it are mistakes


class Pad(Operation):
    """x within a larger tensor of one value; negative amounts cut"""

    formula = "dx = the inner part of dy"

    @staticmethod
    def forward(ctx, x, amounts, value):
        ctx.amounts = amounts
        inner = x[tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, amounts)])]
        y = np.full_like(x, value, shape=[n + a + b for n, (a, b) in zip(x.shape, amounts)])  # of x's memory order
        y[tuple([slice(max(a, 0), n + a + b - max(b, 0)) for n, (a, b) in zip(x.shape, amounts)])] = inner
        return y

    @staticmethod
    def backward(ctx, dy):
        return Pad.apply(dy, tuple([(-a, -b) for a, b in ctx.amounts]), 0.0)


class PadWithCopies(Resample):
    """x within a larger tensor of copies of its own cells"""

    formula = "dx = dy, added over the copies"
    fused = True

    @staticmethod
    def forward(ctx, x, taps):
        if x.dtype.kind == "f":
            return Resample.forward(ctx, x, taps)
        for axis, table in taps:
            x = np.take(x, placed(table.indices, DEVICES[type(x)]), axis)
        return x


def _reflect(n, before, after):
    at = np.abs(np.arange(-before, n + after))
    return np.where(at < n, at, 2 * (n - 1) - at)


def _replicate(n, before, after):
    return np.clip(np.arange(-before, n + after), 0, n - 1)


def _circular(n, before, after):
    left, right = max(-before, 0), max(-after, 0)
    cells = n - left - right  # what is cut is not repeated
    return (np.arange(-max(before, 0), cells + max(after, 0)) % max(cells, 1)) + left


_MODES = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}


@functional
def pad(input, pad, mode="constant", value=None):
    """More cells around `input`: (left, right, top, bottom, ...) from the last dimension back
    (`torch.nn.functional.pad`).

    Modes: "constant" (with `value`, 0 by default), and "reflect", "replicate" and "circular" for the last one, two or
    three dimensions of tensors with a channel and perhaps a batch dimension before them. Negative amounts cut. Amounts
    that the mode cannot fill raise a RuntimeError with the numbers.

    >>> import minigrad
    >>> pad(minigrad.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    if not isinstance(pad, (tuple, list)):
        raise TypeError(f"pad(): argument 'pad' (position 2) must be tuple of ints, not {type(pad).__name__}")
    amounts = tuple(map(index, pad))
    if len(amounts) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(amounts) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(amounts)} and input of dimension {input.ndim}"
        )
    pairs = [(0, 0)] * (input.ndim - len(amounts) // 2) + list(zip(amounts[::2], amounts[1::2]))[::-1]
    if mode != "constant":
        _check_copies(input, len(amounts), pairs, mode, value)
    for axis, (n, (a, b)) in enumerate(zip(input._array.shape, pairs)):
        if n + a + b < 0 or (a < 0 and b < 0 and n + min(a, b) < 0):
            raise RuntimeError(
                f"The input size {n}, plus negative padding {a} and {b}, resulted in a negative output size, which is "
                f"invalid. Check dimension {axis} of your input."
            )
        if max(a, b, n + a + b) >= LIMIT or n + min(a, b) < 0:
            raise RuntimeError(
                f"narrow(): length must be non-negative.\nhint: dimension {axis} of size {n} cannot lose {-min(a, b)}"
                if n + min(a, b) < 0
                else f"padding {a} and {b} of dimension {axis} is too large\nhint: sizes must stay below 2**31"
            )
    if mode == "constant":
        return Pad.apply(input, tuple(pairs), _fill(input.dtype, value))
    taps = [
        (axis, Taps.copies(_MODES[mode](n, a, b), n))
        for axis, (n, (a, b)) in enumerate(zip(input._array.shape, pairs))
        if (a, b) != (0, 0)
    ]
    return PadWithCopies.apply(input, tuple(taps))


def _fill(dtype, value):
    """The value to fill with, of the tensor's dtype."""
    if value is None:
        return 0
    dtype = np.dtype(dtype)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise RuntimeError(f"value cannot be converted to type {dtype}_t without overflow\nhint: value={value}")
    return dtype.type(value)


def _check_copies(input, length, pairs, mode, value):
    """Errors of the modes that copy cells."""
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    rank = length // 2
    if length not in (2, 4, 6) or input.ndim not in (rank + 1, rank + 2):
        raise NotImplementedError(
            f"Padding size {length} is not supported for {input.ndim}D input tensor.\nhint: {mode} takes two numbers "
            "for 2-d and 3-d tensors, four for 3-d and 4-d, six for 4-d and 5-d"
        )
    shape = input._array.shape
    if mode == "circular":
        for n, (a, b) in list(zip(shape, pairs))[-rank:]:
            if n + a + b < 0:
                raise RuntimeError("Negative padding value is resulting in an empty dimension")
            if max(a, b) > n + min(a, 0) + min(b, 0):
                raise RuntimeError(
                    f"Padding value causes wrapping around more than once.\nhint: {(a, b)} for a size of {n}"
                )
        return
    if 0 in shape[-rank - 1 :]:
        raise RuntimeError(
            f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    if input.dtype.kind == "b":
        name = {"reflect": "reflection", "replicate": "replication"}[mode]
        raise NotImplementedError(f"\"{name}_pad{rank}d\" not implemented for 'Bool'")
    for place, axis in enumerate(range(input.ndim - 1, input.ndim - 1 - rank, -1)):
        (a, b), n = pairs[axis], shape[axis]
        if mode == "reflect" and max(a, b) >= n:
            raise RuntimeError(
                f"Argument #{2 * place + 4}: Padding size should be less than the corresponding input dimension, but "
                f"got: padding {(a, b)} at dimension {axis} of input {list(input.shape)}"
            )
        if n + a + b < (1 if rank == 1 else 0):
            raise RuntimeError(f"input (W: {n}) is too small. Calculated output W: {n + a + b}")
