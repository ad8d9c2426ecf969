"""Normalisation of rows: what layer, group, instance and root-mean-square normalisation have in common.

An input is seen as (N, G, K, S): N samples of G groups of K channels of S places. Each of the N G rows of K S values is
normalised by its own statistics, then scaled and shifted by channel. Layer normalisation has one group and one place,
instance normalisation one channel in a group. Sums over samples are taken in chunks whose size depends on the shape
alone and added in order, so that the number of threads changes no bit. `kernels/reference/row_norm.py` is the
definition.
"""

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
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


@jit
def _normalize(part, count, x, y, weight, bias, mean, invstd, eps, centred):
    """Part `part` of `count` of the rows of y = (x - mean) * invstd * weight + bias; x and y are (N G, K, S)."""
    rows, channels, places = x.shape
    zero = x.dtype.type(0)
    for row in range(rows * part // count, rows * (part + 1) // count):
        values, first = x[row].reshape(-1), row * channels % len(weight)
        center = zero
        if centred:
            center += _sum_of_powers(values, zero, False) / len(values)
        scale = x.dtype.type(1 / np.sqrt(_sum_of_powers(values, center, True) / len(values) + eps))
        mean[row], invstd[row] = center, scale
        if places == 1:
            results, scales, shifts = (
                y[row].reshape(-1),
                weight[first : first + channels],
                bias[first : first + channels],
            )
            for k in range(channels):
                results[k] = (values[k] - center) * scale * scales[k] + shifts[k]
        else:
            for k in range(channels):
                source, result = x[row, k], y[row, k]
                factor, shift = scale * weight[first + k], bias[first + k]
                for s in range(places):
                    result[s] = (source[s] - center) * factor + shift


@pool_jit
def _normalize_all(count, x, y, weight, bias, mean, invstd, eps, centred):
    parallel_for(count, count > 1, _normalize, (count, x, y, weight, bias, mean, invstd, eps, centred))


@jit
def _gradient(task, chunk, groups, dy, x, dx, mean, invstd, weight, centred, partials):
    """dx for a chunk of the samples of one group, and partials: the sums of dy and of dy * z by channel."""
    rows, channels, places = x.shape
    number, group = divmod(task, groups)
    real = x.dtype.type
    first = group * channels
    sums, products = np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
    weights = weight[first : first + channels]
    for sample in range(number * chunk, min((number + 1) * chunk, rows // groups)):
        row = sample * groups + group
        center, scale = mean[row], invstd[row]
        total, product = 0.0, 0.0
        if places == 1:
            grads, values, results = dy[row].reshape(-1), x[row].reshape(-1), dx[row].reshape(-1)
            row_sum, row_product = real(0), real(0)
            for k in range(channels):
                grad, normal = grads[k], (values[k] - center) * scale
                sums[k] += grad
                products[k] += grad * normal
                row_sum += grad * weights[k]
                row_product += grad * weights[k] * normal
            total, product = np.float64(row_sum), np.float64(row_product)
        else:
            for k in range(channels):
                grads, values = dy[row, k], x[row, k]
                channel_sum, channel_product = real(0), real(0)
                for s in range(places):
                    channel_sum += grads[s]
                    channel_product += grads[s] * (values[s] - center)
                channel_product *= scale
                sums[k] += channel_sum
                products[k] += channel_product
                total += channel_sum * weights[k]
                product += channel_product * weights[k]
        shift = real(total / (channels * places) if centred else 0.0)
        slope = real(product / (channels * places)) * scale
        if places == 1:
            for k in range(channels):
                results[k] = (grads[k] * weights[k] - shift - (values[k] - center) * slope) * scale
        else:
            for k in range(channels):
                grads, values, results = dy[row, k], x[row, k], dx[row, k]
                for s in range(places):
                    results[s] = (grads[s] * weights[k] - shift - (values[s] - center) * slope) * scale
    for k in range(channels):
        partials[number, 0, first + k], partials[number, 1, first + k] = sums[k], products[k]


@pool_jit
def _gradient_all(tasks, parallel, chunk, groups, dy, x, dx, mean, invstd, weight, centred, partials):
    arguments = chunk, groups, dy, x, dx, mean, invstd, weight, centred, partials
    parallel_for(tasks, parallel, _gradient, arguments)


def _rows(x):
    return dense(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def row_norm(x, weight, bias, eps, centred):
    """y = (x - mean) / √(var + eps) * weight + bias for rows of x: `(y, mean, 1 / √(var + eps))`.

    x is (N, G, K, S), float32 or float64; each row x[n, g] has a mean and a biased variance. weight and bias are (G K,)
    of x's dtype or None, for 1 and 0; the others (N, G). Unless `centred`, the mean counts as 0. Sources: Ba et al.,
    "Layer Normalization", 2016; Wu and He, "Group Normalization", 2018; Zhang and Sennrich, "Root Mean Square Layer
    Normalization", 2019.

    >>> y, mean, invstd = row_norm(np.array([[[[1.0], [3.0]]]]), None, np.array([0.0, 5.0]), 0.0, True)
    >>> y.ravel(), mean, invstd
    (array([-1.,  6.]), array([[2.]]), array([[1.]]))
    """
    samples, groups, channels, _ = x.shape
    y = empty(x.shape, x.dtype.newbyteorder("="))
    mean, invstd = np.zeros((2, samples, groups), y.dtype)
    if y.size:
        factors = np.ones(groups * channels, y.dtype) if weight is None else dense(weight)
        shifts = np.zeros(groups * channels, y.dtype) if bias is None else dense(bias)
        _normalize_all(
            parts(samples * groups, x.size), _rows(x), _rows(y), factors, shifts, mean.reshape(-1), invstd.reshape(-1),
            float(eps), bool(centred),
        )  # fmt: skip
    return y, mean, invstd


def row_norm_grad(dy, x, mean, invstd, weight, centred):
    """Gradient of `row_norm` through its statistics: `(dx, dweight, dbias)`.

    dy is like x, the others are those of `row_norm`; dweight and dbias are (G K,). With z = (x - mean) * invstd over
    rows of M values: dbias = Σ dy, dweight = Σ dy z and, with g = dy weight, dx = invstd (g - Σ g / M - z Σ g z / M),
    where the first sum falls away unless `centred`.

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
    factors = np.ones(groups * channels, dx.dtype) if weight is None else dense(weight)
    _gradient_all(
        len(partials) * groups, x.size >= SERIAL, chunk, groups, _rows(dy), _rows(x), _rows(dx),
        dense(mean).reshape(-1), dense(invstd).reshape(-1), factors, bool(centred), partials,
    )  # fmt: skip
    dbias, dweight = partials.sum(0).astype(dx.dtype)
    return dx, dweight, dbias
