"""Activations and their gradients: one loop per function over the elements in memory order, vectorised by LLVM.

Arrays are float32 or float64 of any shape and strides; the result has the memory order of a dense input. A gradient is
computed from the forward's result y. `kernels/reference/activation.py` is the definition.
"""

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .exponential import exp, expm1_negative
from .layout import dense, inverse, memory_order, parts

RELU, TANH, SIGMOID, RELU_GRAD, TANH_GRAD, SIGMOID_GRAD = range(6)


@jit
def _apply(part, count, function, dy, x, y):
    """Part `part` of `count` of y = function(dy, x); the forward functions have x alone."""
    first, last = len(x) * part // count, len(x) * (part + 1) // count
    grad, source, result = dy[first:last], x[first:last], y[first:last]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    if function == RELU:
        for i in range(len(result)):
            result[i] = zero if source[i] <= zero else source[i]
    elif function == TANH:
        for i in range(len(result)):
            size = abs(source[i])
            decay = expm1_negative(-(size + size))
            value = abs(decay) / (one + one + decay)
            result[i] = -value if source[i] < zero else value
    elif function == SIGMOID:
        for i in range(len(result)):
            power = exp(-abs(source[i]))
            result[i] = (power if source[i] < zero else one) / (one + power)
    elif function == RELU_GRAD:
        for i in range(len(result)):
            result[i] = zero if source[i] <= zero else grad[i]
    elif function == TANH_GRAD:
        for i in range(len(result)):
            result[i] = grad[i] * (one - source[i] * source[i])
    elif function == SIGMOID_GRAD:
        for i in range(len(result)):
            result[i] = grad[i] * (source[i] * (one - source[i]))


@pool_jit
def _apply_all(count, function, dy, x, y):
    parallel_for(count, count > 1, _apply, (count, function, dy, x, y))


def _elementwise(function, dy, x):
    """function(dy, x) in x's memory order; the forward functions have x alone, as dy too."""
    if not x.flags.c_contiguous:
        axes = memory_order(x)
        ordered = dense(x.transpose(axes))
        return _elementwise(function, ordered if dy is x else dy.transpose(axes), ordered).transpose(inverse(axes))
    source = dense(x)
    grad = source if dy is x else dense(dy)
    y = np.empty(x.shape, source.dtype)
    _apply_all(parts(x.size, x.size), function, grad.reshape(-1), source.reshape(-1), y.reshape(-1))
    return y


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
    """Gradient of `relu` from its result y: 0 where y <= 0, else dy (also where y is NaN). dy and y share shape
    and dtype.

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
