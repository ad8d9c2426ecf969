"""Activations as other kernels end in them: a function of `scalars.py` and its parameters, `(relu,)` or `(elu, 1.0)`.

A kernel that ends in an activation keeps its argument nowhere, and its gradient computes it anew: here is the gradient
of an activation in terms of the argument alone.
"""

import functools
from types import FunctionType

from . import scalars


def identity(x):
    """x"""
    return x


def identity_grad(dy, x):
    """dy"""
    return dy


def applied(activation):
    """(function of numbers, its parameters) of an activation, or of None for none.

    >>> applied((scalars.leaky_relu, 0.5))[1]
    (0.5,)
    """
    return (identity, ()) if activation is None else (activation[0], tuple(activation[1:]))


def pulled_back(activation):
    """(function of dy and the activation's argument, parameters): dy times the derivative.

    >>> pulled_back((scalars.sigmoid,))[0](8.0, 0.0)
    2.0
    """
    function, parameters = applied(activation)
    return _pullback(function), parameters


@functools.cache
def _pullback(function):
    gradient = identity_grad if function is identity else getattr(scalars, f"{function.__name__}_grad")
    if gradient.__code__.co_varnames[1] == "x":
        return gradient
    names = {"function": function, "gradient": gradient, "__name__": __name__}
    return FunctionType(_through_result.__code__, names, f"{function.__name__}_pullback")


def _through_result(dy, x):
    """A gradient in terms of the result; no activation with such a one has parameters."""
    return gradient(dy, function(x))  # noqa: F821
