"""Normalisation of rows, written as its definition: one loop per row, float64 sums.

The fast versions live in `kernels/cpu/row_norm.py`.
"""

from math import sqrt

import numpy as np

from ..activations import applied, pulled_back


def _affine(weight, groups, channels, default):
    """By group and channel, a list of lists of floats."""
    values = [default] * (groups * channels) if weight is None else list(map(float, weight))
    return [values[g * channels : (g + 1) * channels] for g in range(groups)]


def row_norm(x, weight, bias, eps, centred, activation=None):
    """y = f((x - mean) / √(var + eps) * weight + bias) for rows of x: `(y, mean, 1 / √(var + eps))`.

    x is (N, G, K, S), float32 or float64; each row x[n, g] has a mean and a biased variance. weight and bias are (G K,)
    of x's dtype or None, for 1 and 0; the others (N, G). Unless `centred`, the mean counts as 0. f is an `activation`
    of `kernels.activations`, or nothing. Sources: Ba et al., "Layer Normalization", 2016; Wu and He, "Group
    Normalization", 2018; Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    >>> y, mean, invstd = row_norm(np.array([[[[1.0], [3.0]]]]), None, np.array([0.0, 5.0]), 0.0, True)
    >>> y.ravel(), mean, invstd
    (array([-1.,  6.]), array([[2.]]), array([[1.]]))
    """
    samples, groups, channels, places = x.shape
    y, (mean, invstd) = np.empty_like(x), np.zeros((2, samples, groups), x.dtype)
    weights, biases = _affine(weight, groups, channels, 1.0), _affine(bias, groups, channels, 0.0)
    function, parameters = applied(activation)
    for n, g in np.ndindex(samples, groups):
        values = list(map(float, x[n, g].ravel()))
        if values:
            center = sum(values) / len(values) if centred else 0.0
            scale = 1 / sqrt(sum((value - center) ** 2 for value in values) / len(values) + eps)
            mean[n, g], invstd[n, g] = center, scale
            for k, s in np.ndindex(channels, places):
                value = (float(x[n, g, k, s]) - center) * scale * weights[g][k] + biases[g][k]
                y[n, g, k, s] = function(value, *parameters)
    return y, mean, invstd


def row_norm_grad(dy, x, mean, invstd, weight, centred, bias=None, activation=None):
    """Gradient of `row_norm` through its statistics: `(dx, dweight, dbias)`.

    dy is like x, the others are those of `row_norm`; dweight and dbias are (G K,). With h = dy f' (x is enough to know
    it; the bias is not needed without an activation) and z = (x - mean) * invstd over rows of M values: dbias = Σ h,
    dweight = Σ h z and, with g = h weight, dx = invstd (g - Σ g / M - z Σ g z / M), where the first sum falls away
    unless `centred`.

    >>> dx, dweight, dbias = row_norm_grad(
    ...     np.array([[[[1.0], [0.0]]]]), np.array([[[[1.0], [3.0]]]]), np.array([[2.0]]), np.array([[1.0]]), None, True
    ... )
    >>> dx.ravel(), dweight, dbias
    (array([0., 0.]), array([-1.,  0.]), array([1., 0.]))
    """
    samples, groups, channels, places = x.shape
    dx, count = np.empty_like(x), channels * places
    dweight, dbias = np.zeros((2, groups, channels))
    weights, biases = _affine(weight, groups, channels, 1.0), _affine(bias, groups, channels, 0.0)
    function, parameters = pulled_back(activation)
    for n, g in np.ndindex(samples, groups):
        scale, places_of = float(invstd[n, g]), list(np.ndindex(channels, places))
        normals = {at: (float(x[n, g][at]) - float(mean[n, g])) * scale for at in places_of}
        arguments = {at: normals[at] * weights[g][at[0]] + biases[g][at[0]] for at in places_of}
        grads = {at: function(float(dy[n, g][at]), arguments[at], *parameters) for at in places_of}
        total = sum(grads[at] * weights[g][at[0]] for at in places_of) if centred else 0.0
        product = sum(grads[at] * weights[g][at[0]] * normals[at] for at in places_of)
        for at in places_of:
            dx[n, g][at] = scale * (grads[at] * weights[g][at[0]] - total / count - normals[at] * product / count)
            dweight[g, at[0]] += grads[at] * normals[at]
            dbias[g, at[0]] += grads[at]
    return dx, dweight.ravel().astype(x.dtype), dbias.ravel().astype(x.dtype)
