"""Padding: more cells around a tensor, filled with a constant or with its own elements."""

import numpy as np

from minigrad.autograd import Operation

from .registry import functional

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


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


@functional
def pad(input, pad, mode="constant", value=None):
    """More cells around `input`: (left, right, top, bottom, ...) from the last dimension back
    (`torch.nn.functional.pad`).

    Modes: "constant" (with `value`, 0 by default; negative amounts cut), "reflect", "replicate" and "circular".

    >>> import minigrad
    >>> pad(minigrad.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    amounts = tuple([a.__index__() for a in pad])
    if len(amounts) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(amounts) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(amounts)} "
            f"and input of dimension {input.ndim}"
        )
    pairs = [(0, 0)] * (input.ndim - len(amounts) // 2) + list(zip(amounts[::2], amounts[1::2]))[::-1]
    for axis, (n, (a, b)) in enumerate(zip(input._array.shape, pairs)):
        if n + a + b < 0 or n + a + b >= 2**31:
            raise RuntimeError(
                f"The input size {n}, plus negative padding {a} and {b}, resulted in a negative output size, which is "
                "invalid. "
                f"Check dimension {axis} of your input."
                if n + a + b < 0
                else f"padding {a} and {b} of dimension {axis} is too large\nhint: sizes must stay below 2**31"
            )
    if mode == "constant":
        return Pad.apply(input, tuple(pairs), 0 if value is None else value)
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    for axis, (a, b) in enumerate(pairs):
        if (a, b) != (0, 0):
            input = input[(slice(None),) * axis + (_cells(input._array.shape[axis], a, b, mode),)]
    return input


def _cells(size, before, after, mode):
    """Which of `size` cells each cell of the padded axis shows."""
    limit = {"reflect": size - 1, "circular": size}.get(mode, 2**31)
    if max(before, after) > limit:
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got: padding ({before}, "
            f"{after}) for a "
            f"dimension of size {size}"
        )
    cells = np.arange(max(-before, 0), size - max(-after, 0))
    return np.pad(cells, (max(before, 0), max(after, 0)), mode=_MODES[mode])
