"""Convolution in one, two or three dimensions and both of its gradients, on channels-last memory.

Forward and input gradient are indirect products, the weight gradient is an outer product (see `product.py`). What
depends on the geometry alone, tables and plans, is worked out once and kept.
"""

from functools import lru_cache
from math import isfinite, lcm, prod

import numpy as np

from ..buffers import empty
from ..jit import jit, pool_jit
from ..parallel import parallel_for
from ..precision import chosen
from .channelwise import HEIGHTS, channelwise_plan, channelwise_product, channelwise_weight_product
from .indirection import fold, fold_images, forward_table, output_size, spread_table, strips, transposed_table
from .layout import channels_first, channels_last, dense
from .matmul import matmul
from .overlap import add_runs
from .product import indirect_plan, indirect_product, outer_plan, outer_product
from .tile import COSTS
from .vector import VECTOR_BYTES
from .winograd import pays, winograd_plan, winograd_product, winograd_weight_grad, winograd_weight_grad_plan

__all__ = ["channel_sum", "conv_forward", "conv_input_grad", "conv_weight_grad"]

_ADDED = 12  # multiply-adds of vectors that it takes to add one to a run
_RUN_BYTES = 1 << 23  # bytes of runs that stay in the caches
_FEW = 4  # channels up to which zeros are written out
_ROWS = 64  # rows below which several images are treated as one


@lru_cache(512)
def _forward_geometry(itemsize, x_shape, weight_shape, stride, padding, dilation, groups):
    """(shape of y in channels-last order, table, out, plan); the latter are None where there is nothing to sum."""
    n, _, *size = x_shape
    k, c, *kernel = weight_shape
    output = output_size(size, kernel, stride, padding, dilation)
    shape = (n, *output, k)
    if 0 in shape or 0 in weight_shape:
        return shape, None, None, None
    taps = prod(kernel)
    weights = 0, k // groups * c * taps, c * taps, 1, taps
    return shape, *_correlation(
        itemsize, n, size, output, kernel, stride, padding, dilation, groups, c, k // groups, weights
    )


@lru_cache(512)
def _input_grad_geometry(itemsize, dy_shape, weight_shape, input_shape, stride, padding, dilation, groups):
    """(shape of dx in channels-last order, table, out, plan); the latter are None where there is nothing to sum.

    With stride 1 the input gradient is a convolution of dy with the weights back to front.
    """
    n, _, *size = input_shape
    k, c, *kernel = weight_shape
    output = dy_shape[2:]
    shape = (n, *size, c * groups)
    if 0 in shape or 0 in dy_shape or 0 in weight_shape:
        return shape, None, None, None
    taps = prod(kernel)
    if set(stride) == {1}:
        weights = taps - 1, k // groups * c * taps, taps, -1, c * taps
        padding = tuple((d * (m - 1) - before, None) for m, d, (before, _) in zip(kernel, dilation, padding))
        return shape, *_correlation(
            itemsize, n, output, size, kernel, stride, padding, dilation, groups, k // groups, c, weights
        )
    weights = 0, k // groups * c * taps, taps, 1, c * taps
    spread, window, first = _phases(itemsize, kernel[-1], stride[-1], padding[-1][0], dilation[-1], groups, k, c)
    if spread == 1:
        table, out = transposed_table(size, output, kernel, stride, padding, dilation)
        weights = 1, 1, 1, 0, 1, 0, *weights
    else:
        shape = (*shape[:-2], -(-size[-1] // spread) * spread, c)  # what stands out is cut off
        table, out = spread_table(size, output, kernel, stride, padding, dilation, spread, window, first)
        weights = kernel[-1], spread, window, padding[-1][0] - first * stride[-1], -stride[-1], 1, *weights
    return shape, *_indirect(
        itemsize, n, table, out, prod(output), prod(shape[1:-1]) // spread, groups, k // groups, c, 1, weights
    )


def _fewest(itemsize, choices, columns):
    """The choice (pixels side by side, ..., runs of memory, length of a run) that takes the least time for a pixel.

    Time goes into the vectors that are multiplied, and into setting out on each run.
    """
    lanes = VECTOR_BYTES // itemsize

    def cost(choice):
        spread, (runs, run) = choice[0], choice[-2:]
        vectors = -(-spread * columns // lanes)
        return runs * (run * vectors * COSTS[min(vectors, len(COSTS)) - 1] + 5) / spread

    return min(choices, key=cost)


def _phases(itemsize, kernel, stride, before, dilation, groups, channels, columns):
    """(spread, window, first) of an input gradient with a stride along the last axis.

    Where a pixel has too few channels to fill the vectors, `spread` of them, of every phase alike, are computed as one
    pixel from the `window` pixels of dy, from number `first` on, that any of them reads; most weights in the window are
    those of a tap for one pixel or the other. A spread of 1: each phase by itself.
    """
    choices = [(1, 0, kernel / stride, channels)]
    if groups == 1 and dilation == 1 and stride > 1 and columns < 2 * VECTOR_BYTES // itemsize:
        for spread in range(stride, max(9, stride + 1), stride):
            first, last = -((kernel - 1 - before) // stride), (spread - 1 + before) // stride
            choices.append((spread, first, last - first + 1, channels))
    spread, first, window, _ = _fewest(itemsize, choices, columns)
    return spread, window, first


def _correlation(
    itemsize, n, size, output, kernel, stride, padding, dilation, groups, channels, columns, weights
):  # fmt: skip
    """(table, out, plan) of the product that slides a kernel of any rank over images.

    Where the taps along the last axis read one run of memory they are merged to one. Where a pixel has too few output
    channels to fill the vectors, `spread` neighbours along the last axis are computed as one pixel with more channels,
    from weights that are spread over the wider window.
    """
    whole = groups == 1 and dilation[-1] == 1
    merged = whole and padding[-1] == (0, 0)
    lanes = VECTOR_BYTES // itemsize
    *others, last = kernel

    choices = [n for n in range(1, 9) if output[-1] % n == 0] if whole and columns < 2 * lanes else [1]
    windows = [last + (spread - 1) * stride[-1] for spread in choices]
    runs = [(1, window * channels) if merged else (window, channels) for window in windows]
    spread, window, *_ = _fewest(itemsize, list(zip(choices, windows, *zip(*runs))), columns)
    table, out = forward_table(
        size, (*output[:-1], output[-1] // spread), (*others, 1 if merged else window),
        (*stride[:-1], stride[-1] * spread), padding, dilation,
    )  # fmt: skip
    return _indirect(
        itemsize, n, table, out, prod(size), prod(output) // spread, groups, channels, columns,
        window if merged else 1, (last, spread, window, 0, 1, -stride[-1], *weights),
    )  # fmt: skip


def _indirect(itemsize, n, table, out, pixels_in, pixels_out, groups, channels, columns, merged, weights):
    """(table, out, plan) of an indirect product of n images, some of which the tables treat as one."""
    # Neighbouring rows share a tile, which skips a tap if none of them has it: many images make the neighbours alike.
    has = table >= 0
    shared = np.logical_or.reduceat(has, np.arange(0, len(has), 16))
    wasteful = 16 * np.count_nonzero(shared) > 1.2 * np.count_nonzero(has)
    together = fold(n, pixels_out, min(64 * pixels_out, (1 << 18) // table.shape[1]) if wasteful else _ROWS)
    rows, taps = len(out) * together, table.shape[1]
    table, out = fold_images(table, out, together, pixels_in, pixels_out)
    spread = weights[1]
    plan = indirect_plan(
        itemsize, n // together, groups, rows, columns * spread, taps, channels * merged,
        together * pixels_in * channels * groups, channels, channels * groups,
        together * pixels_out * columns * groups * spread, columns, columns * groups * spread, 1, 0, channels, *weights,
        present=max(1, round(np.count_nonzero(has) / len(has))),
    )  # fmt: skip
    return table, out, plan


@lru_cache(512)
def _overlapping_geometry(itemsize, dy_shape, weight_shape, input_shape, stride, padding, dilation, groups):
    """(shape of the runs, table, out, plan) of an input gradient as overlapping runs, None if that is slower.

    Each pixel of dy gives what a line of the kernel makes of it, a run of pixels of dx; `add_runs` adds the runs. With
    few channels a run fills vectors that a pixel does not.
    """
    n, _, *size = input_shape
    k, c, *kernel = weight_shape
    output = dy_shape[2:]
    if groups > 1 or set(stride) != {1} or dilation[-1] > 1 or 0 in (*input_shape, *dy_shape, *weight_shape):
        return None
    lanes, last, depth = VECTOR_BYTES // itemsize, kernel[-1], k * prod(kernel[:-1])
    shape = n, *size[:-1], output[-1], last * c
    spreads = [(spread, last + spread - 1, k) for spread in range(1, 9) if size[-1] % spread == 0]
    spread, window, _ = _fewest(itemsize, spreads, c)
    vectors = -(-last * c // lanes)
    columns = window * -(-spread * c // lanes) / spread  # vectors, for a pixel of dx
    if output[-1] * vectors * (depth + _ADDED) > size[-1] * columns * depth or prod(shape) * itemsize > _RUN_BYTES:
        return None
    table, out = transposed_table(
        (*size[:-1], output[-1]), output, (*kernel[:-1], 1), stride, (*padding[:-1], (0, 0)), dilation
    )
    taps = prod(kernel)
    weights = last, last, 1, 0, 0, 1, 0, k * c * taps, taps, 1, c * taps
    return shape, *_indirect(itemsize, n, table, out, prod(output), prod(shape[1:-1]), 1, k, c, 1, weights)


@lru_cache(512)
def _weight_grad_geometry(itemsize, dy_shape, x_shape, weight_shape, stride, padding, dilation, groups):
    """(table of a tap's pixels after another's, plan); both None where there is nothing to sum."""
    n, c, *size = x_shape
    k, channels, *kernel = weight_shape
    output = dy_shape[2:]
    if 0 in x_shape or 0 in dy_shape or 0 in weight_shape:
        return None, None
    pixels_in, pixels_out = prod(size), prod(output)
    merged = groups == 1 and dilation[-1] == 1 and padding[-1] == (0, 0)
    run = kernel[-1] * channels if merged else channels
    table, out = forward_table(size, output, (*kernel[:-1], 1) if merged else kernel, stride, padding, dilation)
    together = fold(n, pixels_out, _ROWS)
    table, _ = fold_images(table, out, together, pixels_in, pixels_out, by_pixel=False)
    runs = prod(kernel) * channels // run
    plan = outer_plan(
        itemsize, groups, n // together, together * pixels_out, k // groups, runs, run, channels, k, k // groups,
        together * pixels_in * c, c, channels,
    )  # fmt: skip
    return np.ascontiguousarray(table.reshape(-1, runs).T).reshape(-1), plan


@lru_cache(512)
def _winograd_geometry(itemsize, x_shape, weight_shape, output, stride, padding, dilation, groups, back_to_front):
    """(weights' plan, starts of the inputs, starts of the outputs, plan) of Winograd's algorithm, None if it is slower.

    `back_to_front` makes it an input gradient, a convolution of dy (here x) with the weights back to front.
    """
    n, channels, *size = x_shape
    k, c, *kernel = weight_shape
    columns = c if back_to_front else k
    if not pays(itemsize, tuple(kernel), stride, dilation, groups, channels, columns, n, output):
        return None
    weights = (8, 0, 9, -1, c * 9) if back_to_front else (0, 0, c * 9, 1, 9)
    before = [2 * d - first if back_to_front else first for d, (first, _) in zip(dilation, padding)]
    layout = indirect_plan(
        itemsize, 1, 1, 1, columns, 9, channels, *(0,) * 6, 1, 0, channels, 1, 1, 1, 0, 1, 0, *weights
    )  # fmt: skip
    return layout, *winograd_plan(n, size, output, before, dilation, channels, columns)


def _winograd(x, weight, bias, y, back_to_front, stride, padding, dilation, groups):
    """Whether y, in channels-last order, could be computed by Winograd's algorithm."""
    if not chosen.winograd:
        return False
    found = _winograd_geometry(
        x.itemsize, x.shape, weight.shape, y.shape[1:-1], stride, padding, dilation, groups, back_to_front
    )
    return found is not None and winograd_product(
        channels_last(x).reshape(-1), dense(weight).reshape(-1), bias, y.reshape(-1), *found
    )


@lru_cache(512)
def _winograd_weight_geometry(itemsize, dy_shape, x_shape, weight_shape, stride, padding, dilation, groups):
    """(starts of x, starts of dy, plan, tiles) of a weight gradient by Winograd's algorithm, None if it is slower."""
    n, channels, *size = x_shape
    k, _, *kernel = weight_shape
    output = dy_shape[2:]
    if not pays(itemsize, tuple(kernel), stride, dilation, groups, channels, k, n, output, weight_grad=True):
        return None
    *starts, tiles = winograd_plan(n, size, output, [before for before, _ in padding], dilation, channels, k)
    return *starts, winograd_weight_grad_plan(itemsize, k, channels, tiles.tiles), tiles


def _winograd_weight(dy, x, dw, stride, padding, dilation, groups):
    """Whether dw could be computed by Winograd's algorithm."""
    if not chosen.winograd:
        return False
    found = _winograd_weight_geometry(
        x.itemsize, dy.shape, x.shape, dw.shape, stride, padding, dilation, groups
    )  # fmt: skip
    return found is not None and winograd_weight_grad(
        channels_last(x).reshape(-1), channels_last(dy).reshape(-1), dw.reshape(-1), *found
    )


def _is_depthwise(weight_shape, groups):
    """Whether each channel has one kernel of its own, and there is something to sum."""
    return groups > 1 and weight_shape[:2] == (groups, 1) and 0 not in weight_shape


@lru_cache(512)
def _depthwise_geometry(itemsize, x_shape, y_shape, kernel, stride, padding, dilation, of):
    """(shape of the result in channels-last order, strips, entries, plan) of a depthwise convolution.

    `of` names the result: "y", "dx" or "dw", for which there is (shape, table, out, plan). The plan is None where there
    is nothing to sum.
    """
    n, channels, *size = x_shape
    output = y_shape[2:]
    shape = (n, *(size if of == "dx" else output), channels)
    if 0 in x_shape or 0 in y_shape:
        return shape, None, None, None
    make_table = transposed_table if of == "dx" else forward_table
    table, out = make_table(size, output, kernel, stride, padding, dilation)
    read = prod(output if of == "dx" else size)
    plan = channelwise_plan(
        itemsize, n, *table.shape, channels, read, of == "dw", 1 if of == "dx" or prod(stride) == 1 else prod(kernel)
    )
    found = fold_images(table, out, 1, read, len(out)) if of == "dw" else strips(table, out, HEIGHTS, channels)
    return shape, *found, plan


def _is_product(x_shape, weight_shape, padding, groups):
    """Whether the kernel covers the whole image, so that the gradients are products of two matrices."""
    covered = groups == 1 and weight_shape[2:] == x_shape[2:] and not any(map(any, padding))
    return covered and 0 not in x_shape and 0 not in weight_shape


def _roomy(x, weight_shape, padding, dilation):
    """(x, padding) with the zeros along the last axis written out, where x has so few channels that this pays.

    The taps along the last axis then read one run of memory, which is worth more than the copy costs.
    """
    before, after = padding[-1]
    if not 0 < x.shape[1] <= _FEW or before + after == 0 or after < 0 or weight_shape[-1] == 1 or dilation[-1] > 1:
        return x, padding
    n, c, *others, last = x.shape
    shape = n, *others, last + before + after, c
    cells = np.zeros(prod(shape) + VECTOR_BYTES // x.itemsize, x.dtype)  # a vector may be read beyond the end
    wide = channels_first(cells[: prod(shape)].reshape(shape))
    wide[..., before : before + last] = x
    return wide, (*padding[:-1], (0, 0))


@jit
def _zero_times(x):
    """0, or NaN if a number of x is not finite."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * x.dtype.type(0)
    return total


def _finite(x):
    """Whether all of x, dense in some order of its axes, are finite numbers."""
    return isfinite(_zero_times(x.ravel("K")))


def _spreads(plan, x, y):
    """Whether a number of x that is not finite may have met zeros in weights that are spread over a wider window.

    What such a number makes of y is not finite either, so that the smaller of the two is looked at.
    """
    return plan.spread > 1 and not _finite(min(x, y, key=np.size))


def _taps(output, kernel, stride, dilation):
    """Each tap of a kernel, and the part of a padded image that its products read."""
    for tap in np.ndindex(*kernel):
        starts = [t * d for t, d in zip(tap, dilation)]
        yield tap, tuple(slice(t, t + (o - 1) * s + 1, s) for t, o, s in zip(starts, output, stride))


def _tap_by_tap(x, weight, bias, output, stride, padding, dilation, groups):
    """`conv_forward` for numbers that are not finite, which must not meet zeros that the kernels multiply along.

    As in PyTorch, zeros of the padding are multiplied: with an infinite weight they give NaN.
    """
    n, c, *size = x.shape
    k, channels, *kernel = weight.shape
    padded = np.zeros((n, c, *[m + before + max(after, 0) for m, (before, after) in zip(size, padding)]), x.dtype)
    padded[(..., *[slice(before, before + m) for m, (before, _) in zip(size, padding)])] = x
    y = np.zeros((n, groups, k // groups, *output), x.dtype)
    for tap, part in _taps(output, kernel, stride, dilation):
        cells, factors = padded[(..., *part)], weight[(..., *tap)].reshape(groups, k // groups, channels)
        y += np.einsum("ngc...,gkc->ngk...", cells.reshape(n, groups, channels, *output), factors)
    y = y.reshape(n, k, *output)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(output))


def _grad_tap_by_tap(dy, weight, input_shape, stride, padding, dilation, groups):
    """`conv_input_grad` for numbers that are not finite; the zeros beyond the output are no products here."""
    n, k, *output = dy.shape
    _, channels, *kernel = weight.shape
    cells = dy.reshape(n, groups, k // groups, *output)
    reach = [(o - 1) * s + d * (m - 1) + 1 for o, s, d, m in zip(output, stride, dilation, kernel)]
    size = [max(m, m + before) for m, (before, _) in zip(input_shape[2:], padding)]
    padded = np.zeros((n, groups, channels, *map(max, reach, size)), dy.dtype)
    for tap, part in _taps(output, kernel, stride, dilation):
        factors = weight[(..., *tap)].reshape(groups, k // groups, channels)
        padded[(..., *part)] += np.einsum("ngk...,gkc->ngc...", cells, factors)
    inner = padded[(..., *[slice(before, before + m) for m, (before, _) in zip(input_shape[2:], padding)])]
    return inner.reshape(input_shape)


def _channels_last_copy(x):
    """A copy of (N, C, *spatial) in channels-last memory."""
    return channels_first(np.array(channels_last(x)))


def conv_forward(x, weight, bias, stride, padding, dilation, groups):
    """y[n, k, o] = bias[k] + sum over c and taps t of x[n, c, o*stride - before + t*dilation] * weight[k, c, t].

    x is (N, C, *spatial), weight (K, C/groups, *kernel), bias (K,) or None, y (N, K, *output) in channels-last memory,
    all float32 or float64; one, two or three spatial axes. stride and dilation hold an int per spatial axis, padding a
    pair (before, after) of zeros; a negative `after` leaves the last pixels unread. Output channel k reads the channels
    of its own group. PyTorch's `conv1d` to `conv3d`.

    >>> conv_forward(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, -1.0]]]), None, (1,), ((0, 0),), (1,), 1)
    array([[[-1., -2.]]])
    """
    depthwise = _is_depthwise(weight.shape, groups)
    if depthwise:
        output = output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        shape, table, out, plan = _depthwise_geometry(
            x.itemsize, x.shape, (len(x), groups, *output), weight.shape[2:], stride, padding, dilation, "y"
        )
    else:
        x, padding = _roomy(x, weight.shape, padding, dilation)
        shape, table, out, plan = _forward_geometry(
            x.itemsize, x.shape, weight.shape, stride, padding, dilation, groups
        )  # fmt: skip
    padded = any(edges != (0, 0) for edges in padding)
    if plan is not None and padded and not _finite(weight):
        return _channels_last_copy(_tap_by_tap(x, weight, bias, shape[1:-1], stride, padding, dilation, groups))
    y = empty(shape, x.dtype)
    given, bias = bias, _NONE[x.itemsize] if bias is None else dense(bias)
    if plan is None:
        y[...] = bias if bias.size else 0
    elif depthwise or not _winograd(x, weight, bias, y, False, stride, padding, dilation, groups):
        product = channelwise_product if depthwise else indirect_product
        product(channels_last(x).reshape(-1), table, out, dense(weight).reshape(-1), bias, y.reshape(-1), plan)
        if not depthwise and _spreads(plan, x, y):
            y[...] = channels_last(_tap_by_tap(x, weight, given, shape[1:-1], stride, padding, dilation, groups))
    return channels_first(y)


def conv_input_grad(dy, weight, input_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in x: dx[at] = sum of dy[out] * weight[tap] over the products that read x[at].

    dy is (N, K, *output), weight (K, C/groups, *kernel), dx of `input_shape` (N, C, *spatial) in channels-last memory.
    PyTorch's `torch.nn.grad.conv2d_input`.

    >>> conv_input_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, -1.0]]]), (1, 1, 3), (1,), ((0, 0),), (1,), 1)
    array([[[  1.,   9., -10.]]])
    """
    if _is_product(tuple(input_shape), weight.shape, padding, groups):
        dx = matmul(dy.reshape(dy.shape[:2]), dense(weight).reshape(len(weight), -1))
        return channels_first(channels_last(dx.reshape(input_shape)))
    depthwise = _is_depthwise(weight.shape, groups)
    if depthwise:
        shape, table, out, plan = _depthwise_geometry(
            dy.itemsize, tuple(input_shape), dy.shape, weight.shape[2:], stride, padding, dilation, "dx"
        )
    else:
        shape, table, out, plan = _input_grad_geometry(
            dy.itemsize, dy.shape, weight.shape, tuple(input_shape), stride, padding, dilation, groups
        )
    if plan is None:
        return channels_first(np.zeros(shape, dy.dtype))
    if not _finite(weight):
        return _channels_last_copy(_grad_tap_by_tap(dy, weight, input_shape, stride, padding, dilation, groups))
    dx = empty(shape, dy.dtype)
    none = _NONE[dy.itemsize]
    runs = _overlapping_geometry(
        dy.itemsize, dy.shape, weight.shape, tuple(input_shape), stride, padding, dilation, groups
    )
    if runs is not None:
        shape, table, out, plan = runs
        made = empty(shape, dy.dtype)
        indirect_product(
            channels_last(dy).reshape(-1), table, out, dense(weight).reshape(-1), none, made.reshape(-1), plan
        )
        add_runs(made, dx, padding[-1][0])
    elif depthwise or not _winograd(dy, weight, none, dx, True, stride, padding, dilation, groups):
        product = channelwise_product if depthwise else indirect_product
        product(channels_last(dy).reshape(-1), table, out, dense(weight).reshape(-1), none, dx.reshape(-1), plan)
        if not depthwise and _spreads(plan, dy, dx):
            return _channels_last_copy(_grad_tap_by_tap(dy, weight, input_shape, stride, padding, dilation, groups))
    return channels_first(dense(dx[..., : input_shape[-1], :]))


def conv_weight_grad(dy, x, weight_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in the weight: dw[tap] = sum of dy[out] * x[at] over the products that use it.

    dy is (N, K, *output), x (N, C, *spatial), dw of `weight_shape` (K, C/groups, *kernel), C-contiguous. PyTorch's
    `torch.nn.grad.conv2d_weight`.

    >>> conv_weight_grad(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 4.0]]]), (1, 1, 2), (1,), ((0, 0),), (1,), 1)
    array([[[21., 42.]]])
    """
    if _is_product(x.shape, tuple(weight_shape), padding, groups):
        return matmul(dy.reshape(dy.shape[:2]).T, dense(x).reshape(len(x), -1)).reshape(weight_shape)
    depthwise = _is_depthwise(tuple(weight_shape), groups)
    if depthwise:
        _, table, _, plan = _depthwise_geometry(
            x.itemsize, x.shape, dy.shape, tuple(weight_shape[2:]), stride, padding, dilation, "dw"
        )
    else:
        x, padding = _roomy(x, weight_shape, padding, dilation)
        table, plan = _weight_grad_geometry(
            x.itemsize, dy.shape, x.shape, tuple(weight_shape), stride, padding, dilation, groups
        )
    if plan is None:
        return np.zeros(weight_shape, x.dtype)
    dw = empty(weight_shape, x.dtype)
    if not depthwise and _winograd_weight(dy, x, dw, stride, padding, dilation, groups):
        return dw
    product = channelwise_weight_product if depthwise else outer_product
    product(channels_last(dy).reshape(-1), channels_last(x).reshape(-1), table, dw.reshape(-1), plan)
    return dw


_NONE = {4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}  # in place of a bias that is None
_CHUNK = 1 << 14  # elements of a chunk of `channel_sum`


@jit
def _sum_chunk(chunk, x, channels, period, size, totals):
    """Sum chunk `chunk` of `size` elements of (pixels, channels), over `period` elements side by side."""
    sums = np.zeros(period, x.dtype)
    part = x[chunk * size : (chunk + 1) * size]
    whole = part.size // period * period
    for start in range(0, whole, period):
        row = part[start : start + period]  # through a slice, whose indices Numba knows not to be negative
        for n in range(period):
            sums[n] += row[n]
    for n in range(part.size - whole):
        sums[n] += part[whole + n]
    for c in range(channels):
        total = sums[c]
        for n in range(c + channels, period, channels):
            total += sums[n]
        totals[chunk * channels + c] = total


@pool_jit
def _channel_sum(parallel, x, channels, period, size, totals, result):
    parallel_for(totals.size // channels, parallel, _sum_chunk, (x, channels, period, size, totals))
    for at in range(0, totals.size, channels):
        for c in range(channels):
            result[c] += totals[at + c]


def channel_sum(x):
    """Sum over every axis but 1: (N, C, *any) gives (C,), the gradient of a bias.

    >>> channel_sum(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([11., 22.])
    """
    channels = x.shape[1]
    result = np.zeros(channels, x.dtype)
    if x.size:
        flat = channels_last(x).reshape(-1)
        period = lcm(channels, 16) if channels < 256 else channels
        period *= max(1, 128 // period)
        size = max(1, _CHUNK // period) * period
        chunks = -(-flat.size // size)
        totals = np.empty(chunks * channels, x.dtype)
        _channel_sum(chunks > 2, flat, channels, period, size, totals, result)
    return result
