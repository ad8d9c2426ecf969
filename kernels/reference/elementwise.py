"""Functions of numbers, such as those of `kernels/scalars.py`, applied as they stand: one loop over the elements.

The fast version lives in `kernels/cpu/elementwise.py`.
"""

import numpy as np


def elementwise(function, parameters, *arrays):
    """function(*elements, *parameters) for the elements of one array or of two with one shape and dtype.

    `function` is one of `kernels.scalars`, `parameters` a tuple of numbers. Arrays are float32 or float64; the result
    is like the last one.

    >>> from minigrad.kernels import scalars
    >>> elementwise(scalars.leaky_relu, (0.5,), np.array([-1.0, 2.0]))
    array([-0.5,  2. ])
    """
    result = np.empty_like(arrays[-1])
    rounded = [np.float64(result.dtype.type(parameter)) for parameter in parameters]
    with np.errstate(all="ignore"):  # np.float64 divides by 0, where float raises
        for at in np.ndindex(result.shape):
            result[at] = function(*(np.float64(array[at]) for array in arrays), *rounded)
    return result


def elementwise_in_place(function, parameters, x, *others):
    """x[...] = function(x, *others, *parameters), element by element; others are none or one array like x.

    >>> from minigrad.kernels import scalars
    >>> x = np.array([1.0, 2.0])
    >>> elementwise_in_place(scalars.add, (), x, np.array([3.0, 4.0]))
    >>> x
    array([4., 6.])
    """
    x[...] = elementwise(function, parameters, x, *others)


def elementwise_broadcast(function, parameters, x, y):
    """function(element of x, element of y, *parameters), where y has x's rank and, on some axes, the size 1.

    >>> from minigrad.kernels import scalars
    >>> elementwise_broadcast(scalars.subtract, (), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [2.0]]))
    array([[0., 1.],
           [1., 2.]])
    """
    result = np.empty_like(x)
    result[...] = elementwise(function, parameters, x, np.broadcast_to(y, x.shape))
    return result
