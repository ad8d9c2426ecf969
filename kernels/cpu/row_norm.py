"""Normalisation of rows: what layer, group, instance and root-mean-square normalisation have in common.

An input is seen as (N, G, K, S): N samples of G groups of K channels of S places. Each of the N G rows of K S values is
normalised by its own statistics, then scaled and shifted by channel. Layer normalisation has one group and one place,
instance normalisation one channel in a group. Sums over samples are taken in chunks whose size depends on the shape
alone and added in order, so that the number of threads changes no bit. `kernels/reference/row_norm.py` is the
definition. An activation is compiled into the loops, as in `norm.py`.
"""

import numpy as np

from ..activations import applied, pulled_back
from ..buffers import empty
from ..jit import jit
from ..parallel import parallel_for
from .elementwise import kernel_with, typed
from .layout import SERIAL, dense, parts

BLOCK = 1024  # elements that are summed in the arrays' dtype; the sums of blocks are added in float64
CHUNK = 1 << 15  # elements of a chunk of samples


@jit
def _sum_of_powers(values, center, square):
    """The float64 sum of values - center, or of its squares."""
    total = 0.0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        partial = values.dtype.type(0)
        if square:
            for i in range(len(block)):
                partial += (block[i] - center) * (block[i] - center)
        else:
            for i in range(len(block)):
                partial += block[i] - center
        total += partial
    return total


def _normalize(part, count, parameters, x, y, weight, bias, mean, invstd, eps, centred):
    """Part `part` of `count` of the rows of y = function((x - mean) * invstd * weight + bias); x and y are (N G, K, S).

    `function` here and in `_gradient` is put in place by `kernel_with`.
    """
    rows, channels, places = x.shape
    real = x.dtype.type
    zero = real(0)
    for row in range(rows * part // count, rows * (part + 1) // count):
        values, first = x[row].reshape(-1), row * channels % len(weight)
        center = zero
        if centred:
            center += _sum_of_powers(values, zero, False) / len(values)
        scale = real(1 / np.sqrt(_sum_of_powers(values, center, True) / len(values) + eps))
        mean[row], invstd[row] = center, scale
        if places == 1:
            results, scales, shifts = (
                y[row].reshape(-1),
                weight[first : first + channels],
                bias[first : first + channels],
            )
            for k in range(channels):
                value = (values[k] - center) * scale * scales[k] + shifts[k]
                results[k] = function(real(value), *parameters)  # noqa: F821
        else:
            for k in range(channels):
                source, result = x[row, k], y[row, k]
                factor, shift = scale * weight[first + k], bias[first + k]
                for s in range(places):
                    result[s] = function(real((source[s] - center) * factor + shift), *parameters)  # noqa: F821


def _normalize_rows(count, parameters, x, y, weight, bias, mean, invstd, eps, centred):
    arguments = count, parameters, x, y, weight, bias, mean, invstd, eps, centred
    parallel_for(count, count > 1, normalize, arguments)  # noqa: F821


def _gradient(task, parameters, chunk, groups, dy, x, dx, mean, invstd, weight, bias, centred, partials):
    """dx for a chunk of the samples of one group, and partials: the sums of h and of h * z by channel.

    h = function(dy, z * weight + bias) is the gradient of the activation's argument.
    """
    rows, channels, places = x.shape
    number, group = divmod(task, groups)
    real = x.dtype.type
    first = group * channels
    sums, products = np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
    weights, biases = weight[first : first + channels], bias[first : first + channels]
    for sample in range(number * chunk, min((number + 1) * chunk, rows // groups)):
        row = sample * groups + group
        center, scale = mean[row], invstd[row]
        total, product = 0.0, 0.0
        if places == 1:
            grads, values, results = dy[row].reshape(-1), x[row].reshape(-1), dx[row].reshape(-1)
            row_sum, row_product = real(0), real(0)
            for k in range(channels):
                normal = (values[k] - center) * scale
                h = function(grads[k], normal * weights[k] + biases[k], *parameters)  # noqa: F821
                sums[k] += h
                products[k] += h * normal
                row_sum += h * weights[k]
                row_product += h * weights[k] * normal
            total, product = np.float64(row_sum), np.float64(row_product)
        else:
            for k in range(channels):
                grads, values, factor, shift = dy[row, k], x[row, k], scale * weights[k], biases[k]
                channel_sum, channel_product = real(0), real(0)
                for s in range(places):
                    distance = values[s] - center
                    h = function(grads[s], distance * factor + shift, *parameters)  # noqa: F821
                    channel_sum += h
                    channel_product += h * distance
                channel_product *= scale
                sums[k] += channel_sum
                products[k] += channel_product
                total += channel_sum * weights[k]
                product += channel_product * weights[k]
        lift = real(total / (channels * places) if centred else 0.0)
        slope = real(product / (channels * places)) * scale
        if places == 1:
            for k in range(channels):
                distance = values[k] - center
                h = function(grads[k], distance * scale * weights[k] + biases[k], *parameters)  # noqa: F821
                results[k] = (h * weights[k] - lift - distance * slope) * scale
        else:
            for k in range(channels):
                grads, values, results = dy[row, k], x[row, k], dx[row, k]
                factor, shift = scale * weights[k], biases[k]
                for s in range(places):
                    distance = values[s] - center
                    h = function(grads[s], distance * factor + shift, *parameters)  # noqa: F821
                    results[s] = (h * weights[k] - lift - distance * slope) * scale
    for k in range(channels):
        partials[number, 0, first + k], partials[number, 1, first + k] = sums[k], products[k]


def _gradient_of_rows(
    tasks, parallel, parameters, chunk, groups, dy, x, dx, mean, invstd, weight, bias, centred, partials
):  # fmt: skip
    arguments = parameters, chunk, groups, dy, x, dx, mean, invstd, weight, bias, centred, partials
    parallel_for(tasks, parallel, gradient, arguments)  # noqa: F821


def _rows(x):
    return dense(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])


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
    samples, groups, channels, _ = x.shape
    y = empty(x.shape, x.dtype.newbyteorder("="))
    mean, invstd = np.zeros((2, samples, groups), y.dtype)
    if y.size:
        function, parameters = typed(*applied(activation), y.dtype)
        kernel_with(_normalize_rows, function, y.dtype, normalize=_normalize)(
            parts(samples * groups, x.size), parameters, _rows(x), _rows(y),
            *_affine(groups * channels, weight, bias, y), mean.reshape(-1), invstd.reshape(-1), float(eps),
            bool(centred),
        )  # fmt: skip
    return y, mean, invstd


def _affine(channels, weight, bias, like):
    """The weights, or ones, and the biases, or zeros."""
    return (
        np.ones(channels, like.dtype) if weight is None else dense(weight),
        np.zeros(channels, like.dtype) if bias is None else dense(bias),
    )


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
    dx = empty(x.shape, x.dtype.newbyteorder("="))
    if not dx.size:
        return dx, *np.zeros((2, groups * channels), dx.dtype)
    chunk = max(1, CHUNK // (groups * channels * places))
    partials = np.empty((-(-samples // chunk), 2, groups * channels))
    function, parameters = typed(*pulled_back(activation), dx.dtype)
    kernel_with(_gradient_of_rows, function, dx.dtype, gradient=_gradient)(
        len(partials) * groups, x.size >= SERIAL, parameters, chunk, groups, _rows(dy), _rows(x), _rows(dx),
        dense(mean).reshape(-1), dense(invstd).reshape(-1), *_affine(groups * channels, weight, bias, dx),
        bool(centred), partials,
    )  # fmt: skip
    dbias, dweight = partials.sum(0).astype(dx.dtype)
    return dx, dweight, dbias
