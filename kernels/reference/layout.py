"""Copies in another memory order, element by element. The fast version lives in `kernels/cpu/layout.py`."""

import numpy as np


def contiguous(x):
    """A C-contiguous copy of an array of any dtype, in the machine's byte order.

    >>> contiguous(np.arange(4).reshape(2, 2).T).strides
    (16, 8)
    """
    result = np.empty(x.shape, x.dtype.newbyteorder("="))
    for at in np.ndindex(x.shape):
        result[at] = x[at]
    return result


def duplicate(x, dtype):
    """A copy of x in a dtype, in its own memory order if that has no gaps; numbers out of the dtype's range are lost.

    >>> duplicate(np.arange(4).reshape(2, 2).T, np.float32).strides
    (4, 8)
    """
    result = np.empty_like(x, dtype)
    copy_into(result, x)
    return result


def copy_into(target, source):
    """target[...] = source, for arrays of one shape that do not overlap; nothing is returned.

    >>> target = np.zeros((2, 2))
    >>> copy_into(target.T, np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> target
    array([[1., 3.],
           [2., 4.]])
    """
    for at in np.ndindex(target.shape):
        target[at] = source[at]


def concatenate(arrays, axis):
    """Arrays of one dtype one after another along an axis; in the first one's memory order, if that has no gaps.

    >>> concatenate([np.ones(2), np.zeros(1)], 0)
    array([1., 1., 0.])
    """
    shape = list(arrays[0].shape)
    shape[axis] = sum([x.shape[axis] for x in arrays])
    result, start = np.empty_like(arrays[0], shape=shape), 0
    for x in arrays:
        for at in np.ndindex(x.shape):
            place = *at[:axis], at[axis] + start, *at[axis + 1 :]
            result[place] = x[at]
        start += x.shape[axis]
    return result
