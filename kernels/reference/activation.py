"""Activations and their gradients, written as their definition: one loop over the elements.

Arrays are float32 or float64 of any shape; a gradient is computed from the forward's result y. The fast versions live
in `kernels/cpu/activation.py`.
"""

import math

import numpy as np


def _elementwise(function, *arrays):
    """function of the arrays' elements, as floats, in an array like the last one."""
    result = np.empty_like(arrays[-1])
    for at in np.ndindex(result.shape):
        result[at] = function(*(float(array[at]) for array in arrays))
    return result


def relu(x):
    """max(x, 0) element by element, NaN where x is: same shape and dtype.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _elementwise(lambda value: 0.0 if value <= 0 else value, x)


def relu_grad(dy, y):
    """Gradient of `relu` from its result y: 0 where y <= 0, else dy (also where y is NaN). dy and y share shape
    and dtype.

    >>> relu_grad(np.array([3.0, 3.0]), np.array([0.0, 2.0]))
    array([0., 3.])
    """
    return _elementwise(lambda grad, value: 0.0 if value <= 0 else grad, dy, y)


def tanh(x):
    """Hyperbolic tangent element by element: same shape and dtype.

    >>> tanh(np.array([0.0, 100.0]))
    array([0., 1.])
    """
    return _elementwise(math.tanh, x)


def tanh_grad(dy, y):
    """Gradient of `tanh` from its result y: dy (1 - y²). dy and y share shape and dtype.

    >>> tanh_grad(np.array([4.0]), np.array([0.5]))
    array([3.])
    """
    return _elementwise(lambda grad, value: grad * (1 - value * value), dy, y)


def _logistic(value):
    power = math.exp(-abs(value))  # never overflows
    return (power if value < 0 else 1.0) / (1 + power)


def sigmoid(x):
    """1 / (1 + exp(-x)) element by element: same shape and dtype.

    >>> sigmoid(np.array([0.0, 1000.0]))
    array([0.5, 1. ])
    """
    return _elementwise(_logistic, x)


def sigmoid_grad(dy, y):
    """Gradient of `sigmoid` from its result y: dy y (1 - y). dy and y share shape and dtype.

    >>> sigmoid_grad(np.array([4.0]), np.array([0.5]))
    array([1.])
    """
    return _elementwise(lambda grad, value: grad * value * (1 - value), dy, y)
