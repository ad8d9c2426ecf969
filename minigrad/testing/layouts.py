"""The same values in odd memory: what an operation must not notice."""

import numpy as np


def _inside(array, index, shape):
    """`array` written into the places that `index` picks from a larger array, all else NaN (or the largest int)."""
    filler = np.nan if array.dtype.kind == "f" else True if array.dtype == bool else np.iinfo(array.dtype).max
    buffer = np.full(shape, filler, array.dtype)
    part = buffer[(*index, ...)]
    part[...] = array
    return part


def _permuted(array):
    """The first two axes exchanged in memory, and the last put first: channels-last for images."""
    order = (0, *range(2, array.ndim), 1) if array.ndim > 2 else tuple(reversed(range(array.ndim)))
    return array.transpose(order).copy().transpose(np.argsort(order).tolist())


def _strided(array):
    return _inside(array, (slice(1, None, 2),) * array.ndim, [2 * n + 1 for n in array.shape])


def _negative(array):
    backwards = (*[slice(None, None, -1)] * array.ndim, ...)
    return array[backwards].copy()[backwards]


def _read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _broadcast(array):
    if array.ndim == 0:
        return array.copy()
    axis = int(np.argmax(array.shape))
    return np.broadcast_to(array.take([0], axis) if array.shape[axis] else array, array.shape)


LAYOUTS = {
    "permuted": _permuted,
    "strided": _strided,
    "negative": _negative,
    "fortran": lambda array: np.array(array, order="F"),
    "read-only": _read_only,
    "broadcast": _broadcast,
}


def lay_out(array, layout):
    """A copy of `array` in the memory order that `layout` names, one of `LAYOUTS`.

    "permuted" is channels-last for images, "strided" lies between NaNs, "negative" is stored backwards, "fortran" is
    column-major, "read-only" may not be written. "broadcast" alone changes values: its longest axis has stride 0, and
    the first entry stands for all.

    >>> lay_out(np.arange(3.0), "negative").strides
    (-8,)
    >>> lay_out(np.arange(3.0), "broadcast")
    array([0., 0., 0.])
    """
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; expected one of {', '.join(map(repr, LAYOUTS))}")
    return LAYOUTS[layout](np.asarray(array))
