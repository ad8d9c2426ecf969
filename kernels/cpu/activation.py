"""Activations and their gradients: one loop per function over the elements in memory order, vectorised by LLVM.

Arrays are float32 or float64 of any shape and strides; the result has the memory order of a dense input. A gradient is
computed from the forward's result y. `kernels/reference/activation.py` is the definition.
"""

import numpy as np
from numba import prange

from ..jit import jit, parallel_jit
from .exponential import exp, expm1_negative
from .layout import SERIAL, dense, inverse, memory_order, parts

RELU, TANH, SIGMOID, RELU_GRAD, TANH_GRAD, SIGMOID_GRAD = range(6)


@jit
def _apply(function, a, y, result):
    """result = function(a, y); the forward functions have y alone."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    if function == RELU:
        for i in range(len(result)):
            result[i] = zero if y[i] <= zero else y[i]
    elif function == TANH:
        for i in range(len(result)):
            size = abs(y[i])
            decay = expm1_negative(-(size + size))
            value = abs(decay) / (one + one + decay)
            result[i] = -value if y[i] < zero else value
    elif function == SIGMOID:
        for i in range(len(result)):
            power = exp(-abs(y[i]))
            result[i] = (power if y[i] < zero else one) / (one + power)
    elif function == RELU_GRAD:
        for i in range(len(result)):
            result[i] = a[i] if y[i] > zero else zero
    elif function == TANH_GRAD:
        for i in range(len(result)):
            result[i] = a[i] * (one - y[i] * y[i])
    elif function == SIGMOID_GRAD:
        for i in range(len(result)):
            result[i] = a[i] * (y[i] * (one - y[i]))


@parallel_jit
def _apply_parallel(function, a, y, result, count):
    size = len(y)
    for part in prange(count):
        first, last = size * part // count, size * (part + 1) // count
        _apply(function, a[first:last], y[first:last], result[first:last])


def _elementwise(function, a, y):
    if not y.flags.c_contiguous:
        axes = memory_order(y)
        ordered = dense(y.transpose(axes))
        return _elementwise(function, ordered if a is y else a.transpose(axes), ordered).transpose(inverse(axes))
    y = dense(y)
    result = np.empty(y.shape, y.dtype)
    source, flat = y.reshape(-1), result.reshape(-1)
    grad = source if a is y else dense(a).reshape(-1)
    if y.size < SERIAL:
        _apply(function, grad, source, flat)
    else:
        _apply_parallel(function, grad, source, flat, parts(y.size, y.size))
    return result


def relu(x):
    """max(x, 0) element by element, NaN where x is: same shape and dtype.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _elementwise(RELU, x, x)


def tanh(x):
    """Hyperbolic tangent element by element: same shape and dtype.

    >>> tanh(np.array([0.0, 100.0]))
    array([0., 1.])
    """
    return _elementwise(TANH, x, x)


def sigmoid(x):
    """1 / (1 + exp(-x)) element by element: same shape and dtype.

    >>> sigmoid(np.array([0.0, 1000.0]))
    array([0.5, 1. ])
    """
    return _elementwise(SIGMOID, x, x)


def relu_grad(dy, y):
    """Gradient of `relu` from its result y: dy where y > 0, else 0. dy and y share shape and dtype.

    >>> relu_grad(np.array([3.0, 3.0]), np.array([0.0, 2.0]))
    array([0., 3.])
    """
    return _elementwise(RELU_GRAD, dy, y)


def tanh_grad(dy, y):
    """Gradient of `tanh` from its result y: dy (1 - y²). dy and y share shape and dtype.

    >>> tanh_grad(np.array([4.0]), np.array([0.5]))
    array([3.])
    """
    return _elementwise(TANH_GRAD, dy, y)


def sigmoid_grad(dy, y):
    """Gradient of `sigmoid` from its result y: dy y (1 - y). dy and y share shape and dtype.

    >>> sigmoid_grad(np.array([4.0]), np.array([0.5]))
    array([1.])
    """
    return _elementwise(SIGMOID_GRAD, dy, y)
