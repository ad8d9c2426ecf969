"""Batch normalisation, written as its definition: one loop per channel, float64 sums.

Every function takes (N, C, *any) of rank 2 or more; channel c owns x[:, c]. The fast versions live in
`kernels/cpu/norm.py`.
"""

import numpy as np

from ..activations import applied, pulled_back


def _empty_channels_last(shape, dtype):
    """An uninitialised (N, C, *any) array whose memory is (N, *any, C)."""
    return np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _channel_values(x, c):
    return list(map(float, x[:, c].ravel()))


def batch_norm_stats(x):
    """Mean and biased variance of every channel, `(mean, var)`, both (C,) of x's dtype (float32 or float64).

    x is (N, C, *any). A channel without values has the mean and variance NaN. Source: Ioffe and Szegedy, "Batch
    Normalization", 2015.

    >>> batch_norm_stats(np.array([[1.0], [3.0]]))
    (array([2.]), array([1.]))
    """
    channels = x.shape[1]
    mean, var = np.full(channels, np.nan, x.dtype), np.full(channels, np.nan, x.dtype)
    for c in range(channels):
        values = _channel_values(x, c)
        if values:
            average = sum(values) / len(values)
            mean[c] = average
            var[c] = sum((value - average) ** 2 for value in values) / len(values)
    return mean, var


def _affine(x, at, mean, invstd, weight, bias):
    """(x - mean) * invstd * weight + bias of one element."""
    c = at[1]
    normal = (float(x[at]) - float(mean[c])) * float(invstd[c])
    scaled = normal if weight is None else normal * float(weight[c])
    return scaled if bias is None else scaled + float(bias[c])


def batch_norm(x, mean, invstd, weight, bias, activation=None, residual=None):
    """y = f((x - mean) * invstd * weight + bias + residual), channel by channel: (N, C, *any) to the same shape.

    mean, invstd, weight and bias are (C,) of x's dtype; weight and bias may be None, for 1 and 0. f is an `activation`
    of `kernels.activations`, or nothing; the residual is like x, or None. Rules: PyTorch's
    `torch.nn.functional.batch_norm`.

    >>> batch_norm(np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None, np.array([5.0]))
    array([[4.],
           [6.]])
    """
    y, (function, parameters) = _empty_channels_last(x.shape, x.dtype), applied(activation)
    for at in np.ndindex(x.shape):
        value = _affine(x, at, mean, invstd, weight, bias)
        y[at] = function(value if residual is None else value + float(residual[at]), *parameters)
    return y


def batch_norm_grad(dy, x, mean, invstd, weight, bias=None, activation=None):
    """Gradient of `batch_norm` without residual through its own batch statistics: `(dx, dweight, dbias)`.

    dy and x are (N, C, *any), the others as for `batch_norm`; dx is like x, dweight and dbias are (C,). With
    g = dy f' (x is enough to know it; the bias is not needed without an activation) and z = (x - mean) * invstd over M
    values: dbias = sum(g), dweight = sum(g z) and dx = weight * invstd * (g - dbias / M - z * dweight / M).

    >>> dx, dweight, dbias = batch_norm_grad(
    ...     np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), np.array([2.0]), np.array([1.0]), None
    ... )
    >>> dx.ravel(), dweight, dbias
    (array([0., 0.]), array([-1.]), array([1.]))
    """
    function, parameters = pulled_back(activation)
    g = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        g[at] = function(float(dy[at]), _affine(x, at, mean, invstd, weight, bias), *parameters)
    dx = _empty_channels_last(x.shape, x.dtype)
    dweight, dbias = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for c in range(x.shape[1]):
        normal = [(value - float(mean[c])) * float(invstd[c]) for value in _channel_values(x, c)]
        grads = _channel_values(g, c)
        total, inner = sum(grads), sum(g * z for g, z in zip(grads, normal))
        scale = float(invstd[c]) * (1.0 if weight is None else float(weight[c]))
        dx[:, c] = np.reshape(
            [scale * (g - total / len(grads) - z * inner / len(grads)) for g, z in zip(grads, normal)], x[:, c].shape
        )
        dweight[c], dbias[c] = inner, total
    return dx, dweight, dbias
