"""Windows for signals: weights that fall off towards both ends (Harris 1978)."""

import math

import numpy as np

from minigrad.autograd import get_default_dtype
from minigrad.autograd.dtypes import as_dtype

from .creation import finish
from .registry import function


def _cosines(length, periodic, dtype, requires_grad, *weights):
    """A sum of cosines over a full turn: of `length` places, or of one more without the last if periodic."""
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    turn = 2 * math.pi * np.arange(length) / max(length - (not periodic), 1)
    values = sum(weight * np.cos(k * turn) for k, weight in enumerate(weights))
    return finish(np.asarray(values if length > 1 else np.ones(length)).astype(dtype), requires_grad)


@function
def hann_window(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
    """(1 - cos) / 2 over a turn (`torch.hann_window`).

    >>> hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _cosines(window_length, periodic, dtype, requires_grad, 0.5, -0.5)


@function
def hamming_window(
    window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, device=None, requires_grad=False
):
    """alpha - beta · cos over a turn (`torch.hamming_window`).

    >>> hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _cosines(window_length, periodic, dtype, requires_grad, alpha, -beta)


@function
def blackman_window(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
    """0.42 - 0.5 · cos + 0.08 · cos of twice the angle, over a turn (`torch.blackman_window`).

    >>> blackman_window(4)[1:]
    tensor([0.3400, 1.0000, 0.3400])
    """
    return _cosines(window_length, periodic, dtype, requires_grad, 0.42, -0.5, 0.08)
