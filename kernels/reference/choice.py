"""Choices between two operands, element by element. The fast version lives in `kernels/cpu/choice.py`."""

import numpy as np


def choose(condition, x, y):
    """x where the condition holds, else y: condition is of bool, x and y of its shape or of shape (), of one dtype.

    >>> choose(np.array([True, False]), np.array([1.0, 2.0]), np.array(0.0))
    array([1., 0.])
    """
    result = np.empty(condition.shape, x.dtype.newbyteorder("="))
    for at in np.ndindex(condition.shape):
        source = x if condition[at] else y
        result[at] = source[at if source.ndim else ()]
    return result


def select(x, mask):
    """The elements of x, in order, where the bool mask of its shape holds; 1-d, of any dtype of up to 8 bytes.

    >>> select(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    array([1., 3.])
    """
    return np.array([x[at] for at in np.ndindex(x.shape) if mask[at]], x.dtype.newbyteorder("="))
