"""Convolution in one, two or three dimensions and both of its gradients, as matrix products of gathered windows.

No matrix of windows is ever written: a block gathers the piece that it needs from the image, by a table of what lies
where (`windows.py`), into shared memory; from there on it is the product of `product.py`. Memory is channels-last, so
that four channels are read at once where their number allows. The weight gradient sums over all pixels, of which
there may be millions for a small result, so they are split among blocks; a second kernel adds up the parts, in order,
so that the result has the same bits in every run. `kernels/reference/conv.py` is the definition.
"""

from math import prod

from ._numba import SIMULATED, cuda, div, i32, inlined, kernel, launch, on_device, u32, unrolled
from .depthwise import depthwise_forward, depthwise_input_grad, depthwise_weight_grad
from .memory import aligned, channels_first, channels_last, dense, empty
from .product import (
    ENOUGH,
    accumulate,
    choose_tile,
    clear,
    fetch,
    lay_left,
    lay_right,
    left_start,
    own_column,
    own_row,
    put,
    right_start,
    take4_if,
    zero4,
)  # fmt: skip
from .vector import take4
from .windows import (
    CELLS,
    CHANNELS,
    FAR,
    FILTERS,
    FIRST,
    GROUP_LINES,
    HEAD,
    LINE,
    LISTED,
    PLACES,
    RESULT,
    RESULT_LINE,
    SCALE,
    SIZE,
    SPACING,
    WINDOWS,
    forward_windows,
    gradient_windows,
)  # fmt: skip

__all__ = ["conv_forward", "conv_input_grad", "conv_weight_grad"]


@inlined
def coordinates(window, head, place):
    """place[0 : 4] = the image, and in it the place along the three axes, of a window."""
    line = div(window, head[PLACES + 2])
    place[3] = window - line * head[PLACES + 2]
    plane = div(line, head[PLACES + 1])
    place[2] = line - plane * head[PLACES + 1]
    place[0] = div(plane, head[PLACES])
    place[1] = plane - place[0] * head[PLACES]


@inlined
def within(z, y, x, entry, head):
    """Whether the cell of an entry of the table, for the window that begins at z, y, x, lies in the image."""
    inside = u32(z + entry[0]) < u32(head[SIZE]) and u32(y + entry[1]) < u32(head[SIZE + 1])
    return inside and u32(x + entry[2]) < u32(head[SIZE + 2])


@inlined
def gather(staged, slot, image, start, z, y, x, table, at, head, entry, *, T, GATHERED_VECTOR):
    """staged[slot : slot + 4] = the cells `at` to at + 3 of the window that begins at z, y, x, in memory at `start`."""
    if GATHERED_VECTOR:
        if at < head[CELLS]:  # entries go on; but without this branch they are read early, and registers spill
            take4(entry, 0, table, HEAD + at)
            take4_if(staged, slot, image, start + entry[3], within(z, y, x, entry, head))
        else:
            zero4(staged, slot)
    else:
        for v in unrolled(4):
            take4(entry, 0, table, HEAD + 4 * (at + v))
            staged[slot + v] = image[start + entry[3]] if within(z, y, x, entry, head) else T(0)


@kernel("T*, T*, T*, T*, i32*, i32")
def windows_product(
    x, weight, bias, y, table, biased, *,
    T, ROWS, COLUMNS, DEPTH, HIGH, WIDE, SQUARE, DOWN, ACROSS, PAD, THREADS, TF32, GATHERED_VECTOR, VECTOR,
):  # fmt: skip
    """y[window, k] = bias[k] + sum over the cells of the window of x[cell] · weight[cell, k], for group blockIdx.z."""
    left = cuda.shared.array(2 * DEPTH * (ROWS + PAD), T, alignment=16)
    right = cuda.shared.array(2 * DEPTH * (COLUMNS + PAD), T, alignment=16)
    head = cuda.shared.array(HEAD, i32)  # read again and again, for registers are scarce
    sums = cuda.local.array(SQUARE * SQUARE * HIGH * WIDE, T)
    x_piece = cuda.local.array(4 * HIGH, T)
    weight_piece = cuda.local.array(4 * WIDE, T)
    staged_x = cuda.local.array(ROWS * DEPTH // THREADS, T)
    staged_weight = cuda.local.array(COLUMNS * DEPTH // THREADS + 4, T)
    entry = cuda.local.array(4, i32)
    place = cuda.local.array(4, i32)
    start = cuda.local.array(ROWS * DEPTH // (4 * THREADS), i32)
    start_z = cuda.local.array(ROWS * DEPTH // (4 * THREADS), i32)
    start_y = cuda.local.array(ROWS * DEPTH // (4 * THREADS), i32)
    start_x = cuda.local.array(ROWS * DEPTH // (4 * THREADS), i32)
    thread, group = i32(cuda.threadIdx.x), i32(cuda.blockIdx.z)
    first_row, first_column = i32(cuda.blockIdx.x * ROWS), i32(cuda.blockIdx.y * COLUMNS)
    left_at, right_at = left_start(thread), right_start(thread)
    for i in range(thread, HEAD, THREADS):
        head[i] = table[i]
    cuda.syncthreads()
    for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
        window = i32(first_row + (thread + load * THREADS) // (DEPTH // 4))
        coordinates(window, head, place)
        z = i32(place[1] * head[SCALE])
        start_y[load] = place[2] * head[SCALE + 1]
        start_x[load] = place[3] * head[SCALE + 2]
        start[load] = (
            ((place[0] * head[SIZE] + z) * head[SIZE + 1] + start_y[load]) * head[SIZE + 2] + start_x[load]
        ) * head[LINE] + group * head[CHANNELS]
        start_z[load] = z if window < head[WINDOWS] else -2 * FAR
    clear(sums)
    pieces = i32((head[CELLS] + DEPTH - 1) // DEPTH)
    for piece in range(-1, pieces):
        if piece + 1 < pieces:
            k = i32((piece + 1) * DEPTH)
            for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
                at = k + (thread + load * THREADS) % (DEPTH // 4) * 4
                gather(
                    staged_x, 4 * load, x, start[load], start_z[load], start_y[load], start_x[load],
                    table, at, head, entry,
                )  # fmt: skip
            for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
                number = thread + load * THREADS
                if number < COLUMNS * DEPTH // 4:
                    n, at = first_column + number % (COLUMNS // 4) * 4, k + number // (COLUMNS // 4)
                    source = (group * head[GROUP_LINES] + table[head[LISTED] + at]) * head[FILTERS] + n
                    fetch(staged_weight, 4 * load, weight, source, head[FILTERS] - n if at < head[CELLS] else 0)
        if piece >= 0:
            accumulate(left, right, piece & 1, left_at, right_at, sums, x_piece, weight_piece)
        if piece + 1 < pieces:
            lay_left(left, (piece + 1) & 1, thread, staged_x)
            lay_right(right, (piece + 1) & 1, thread, staged_weight)
        cuda.syncthreads()
    row, column = first_row + own_row(thread), first_column + own_column(thread)
    for i in unrolled(HIGH):
        for r in unrolled(SQUARE):
            window = i32(row + i * DOWN + r)
            if window < head[WINDOWS]:
                coordinates(window, head, place)
                z_at = place[1] * head[SPACING] + head[FIRST]
                y_at = place[2] * head[SPACING + 1] + head[FIRST + 1]
                x_at = place[3] * head[SPACING + 2] + head[FIRST + 2]
                pixel = ((place[0] * head[RESULT] + z_at) * head[RESULT + 1] + y_at) * head[RESULT + 2] + x_at
                for j in unrolled(WIDE):
                    n = column + j * ACROSS
                    if biased:
                        for c in unrolled(SQUARE):
                            if n + c < head[FILTERS]:
                                sums[SQUARE * (SQUARE * (WIDE * i + j) + r) + c] += bias[group * head[FILTERS] + n + c]
                    target = pixel * head[RESULT_LINE] + group * head[FILTERS] + n
                    put(y, target, head[FILTERS] - n, sums, SQUARE * (SQUARE * (WIDE * i + j) + r))


@kernel("T*, T*, T*, i32*, i32, i32")
def pixels_product(
    dy, x, parts, table, groups, pixels, *,
    T, ROWS, COLUMNS, DEPTH, HIGH, WIDE, SQUARE, DOWN, ACROSS, PAD, THREADS, TF32, GATHERED_VECTOR, VECTOR,
):  # fmt: skip
    """parts[split, cell, k] = sum over the split's windows of x[cell of the window] · dy[window, k].

    blockIdx.z counts groups and, slower, splits of so many pixels, which are windows.
    """
    left = cuda.shared.array(2 * DEPTH * (ROWS + PAD), T, alignment=16)
    right = cuda.shared.array(2 * DEPTH * (COLUMNS + PAD), T, alignment=16)
    # Registers are scarce, so what is needed once a piece is in shared memory: sizes, and each thread's own place.
    head = cuda.shared.array(HEAD, i32)
    at_x = cuda.shared.array(ROWS * DEPTH // 4, i32)
    at_y = cuda.shared.array(ROWS * DEPTH // 4, i32)
    at_z = cuda.shared.array(ROWS * DEPTH // 4, i32)
    image = cuda.shared.array(ROWS * DEPTH // 4, i32)
    sums = cuda.local.array(SQUARE * SQUARE * HIGH * WIDE, T)
    x_piece = cuda.local.array(4 * HIGH, T)
    dy_piece = cuda.local.array(4 * WIDE, T)
    staged_x = cuda.local.array(ROWS * DEPTH // THREADS, T)
    staged_dy = cuda.local.array(COLUMNS * DEPTH // THREADS + 4, T)
    entry = cuda.local.array(4, i32)
    place = cuda.local.array(4, i32)
    thread, split = i32(cuda.threadIdx.x), i32(cuda.blockIdx.z // groups)
    group = i32(cuda.blockIdx.z - split * groups)
    first_row, first_column = i32(cuda.blockIdx.x * ROWS), i32(cuda.blockIdx.y * COLUMNS)
    left_at, right_at = left_start(thread), right_start(thread)
    for i in range(thread, HEAD, THREADS):
        head[i] = table[i]
    cuda.syncthreads()
    first = i32(split * pixels)
    last = i32(min(head[WINDOWS], first + pixels))
    for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
        mine = u32(thread + load * THREADS)
        coordinates(i32(first + (thread + load * THREADS) // (ROWS // 4)), head, place)
        image[mine], at_z[mine], at_y[mine], at_x[mine] = place[0], place[1], place[2], place[3]
    clear(sums)
    pieces = i32((last - first + DEPTH - 1) // DEPTH)
    for piece in range(-1, pieces):
        if piece + 1 < pieces:
            k = i32(first + (piece + 1) * DEPTH)
            for load in unrolled(ROWS * DEPTH // (4 * THREADS)):
                number = thread + load * THREADS
                mine = u32(number)
                at = i32(first_row + number % (ROWS // 4) * 4)
                z = at_z[mine] * head[SCALE]
                y, across = at_y[mine] * head[SCALE + 1], at_x[mine] * head[SCALE + 2]
                start = i32(
                    (((image[mine] * head[SIZE] + z) * head[SIZE + 1] + y) * head[SIZE + 2] + across) * head[LINE]
                    + group * head[CHANNELS]
                )
                z = i32(z if k + number // (ROWS // 4) < last else -2 * FAR)
                gather(staged_x, 4 * load, x, start, z, y, across, table, at, head, entry)
                at_x[mine] += DEPTH
                while at_x[mine] >= head[PLACES + 2]:
                    at_x[mine] -= head[PLACES + 2]
                    at_y[mine] += 1
                    if at_y[mine] == head[PLACES + 1]:
                        at_y[mine] = 0
                        at_z[mine] += 1
                        if at_z[mine] == head[PLACES]:
                            at_z[mine] = 0
                            image[mine] += 1
            for load in unrolled((COLUMNS * DEPTH // 4 + THREADS - 1) // THREADS):
                number = thread + load * THREADS
                n, at = first_column + number % (COLUMNS // 4) * 4, k + number // (COLUMNS // 4)
                if number < COLUMNS * DEPTH // 4:
                    source = at * head[RESULT_LINE] + group * head[FILTERS] + n
                    fetch(staged_dy, 4 * load, dy, source, head[FILTERS] - n if at < last else 0)
        if piece >= 0:
            accumulate(left, right, piece & 1, left_at, right_at, sums, x_piece, dy_piece)
        if piece + 1 < pieces:
            lay_left(left, (piece + 1) & 1, thread, staged_x)
            lay_right(right, (piece + 1) & 1, thread, staged_dy)
        cuda.syncthreads()
    row, column = first_row + own_row(thread), first_column + own_column(thread)
    for i in unrolled(HIGH):
        for r in unrolled(SQUARE):
            m = row + i * DOWN + r
            if m < head[CELLS]:
                for j in unrolled(WIDE):
                    n = column + j * ACROSS
                    target = (cuda.blockIdx.z * head[CELLS] + m) * head[FILTERS] + n
                    put(parts, target, head[FILTERS] - n, sums, SQUARE * (SQUARE * (WIDE * i + j) + r))


@kernel("T*, T*, i32, i32, i32, i32, i32")
def add_parts(parts, dw, splits, groups, channels, taps, columns, *, T, THREADS):
    """dw[k, c, tap] = sum over the splits, in order, of parts[split, group, tap, c, k]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    cells = i32(groups * taps * channels * columns)
    if number < cells:
        total = parts[number]
        for split in range(1, splits):
            total += parts[split * cells + number]
        rest = div(number, columns)
        k = number - rest * columns
        place = div(rest, channels)
        c = rest - place * channels
        group = div(place, taps)
        tap = place - group * taps
        dw[((group * columns + k) * channels + c) * taps + tap] = total


SUM_THREADS = 8 if SIMULATED else 256
LEAST_PIXELS = 8 if SIMULATED else 256  # of a split


def _output_size(size, kernel, stride, padding, dilation):
    return tuple(
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, (before, after), d in zip(size, kernel, stride, padding, dilation)
    )


def _vector(channels, line, *arrays):
    """Whether groups of four channels can be read at once."""
    return channels % 4 == 0 and line % 4 == 0 and aligned(*arrays)


def _lines(weight, groups, first, second):
    """The weight (K, C, *kernel) as lines (group, tap, first, second) of filters 0 or channels 1 of the group."""
    parts = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], prod(weight.shape[2:]))
    return dense(parts.transpose(0, 3, 1 + first, 1 + second))


def _gathered_product(image, lines, bias, result, windows, groups, columns):
    """Every product of a list of windows: `image` and `result` are channels-last, `lines` the weight's."""
    for table, rows, _ in windows:
        tile = choose_tile(rows, columns, groups, result.dtype, "conv")
        launch(
            windows_product, (-(-rows // tile.ROWS), -(-columns // tile.COLUMNS), groups), tile.threads,
            image, lines, None if bias is None else dense(bias), result, table, int(bias is not None),
            T=result.dtype, **tile.constants, LEFT_ACROSS=True, RIGHT_ACROSS=False,
            GATHERED_VECTOR=_vector(image.shape[-1] // groups, image.shape[-1], image),
            VECTOR=_vector(columns, result.shape[-1], lines, result),
        )  # fmt: skip


@on_device
def conv_forward(x, weight, bias, stride, padding, dilation, groups):
    """y[n, k, o] = bias[k] + sum over c and taps t of x[n, c, o*stride - before + t*dilation] * weight[k, c, t].

    As `kernels.reference.conv_forward`; y's memory is channels-last.
    """
    output = _output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    filters, channels = weight.shape[:2]
    x, y = channels_last(x), empty((len(x), *output, filters), x.dtype)
    if channels == 1 and filters == groups:
        depthwise_forward(x, dense(weight), bias, y, stride, padding, dilation)
    elif y.size:
        vector = _vector(channels, x.shape[-1], x)
        shape = len(x), x.shape[-1], *x.shape[1:-1]
        windows = forward_windows(shape, weight.shape, output, stride, padding, dilation, groups, not vector)
        _gathered_product(x, _lines(weight, groups, 1, 0), bias, y, [windows], groups, filters // groups)
    return channels_first(y)


@on_device
def conv_input_grad(dy, weight, input_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in x, of input_shape: `kernels.reference.conv_input_grad`.

    dx's memory is channels-last; each of its pixels is written once, in a sum of fixed order.
    """
    filters, channels = weight.shape[:2]
    shape, dy = dy.shape, channels_last(dy)
    dx = empty((input_shape[0], *input_shape[2:], input_shape[1]), dy.dtype)
    if channels == 1 and filters == groups:
        depthwise_input_grad(dy, dense(weight), dx, stride, padding, dilation)
    elif dx.size:
        vector = _vector(filters // groups, filters, dy)
        windows = gradient_windows(
            shape, weight.shape, tuple(input_shape), stride, padding, dilation, groups, not vector
        )
        _gathered_product(dy, _lines(weight, groups, 0, 1), None, dx, windows, groups, channels)
    return channels_first(dx)


@on_device
def conv_weight_grad(dy, x, weight_shape, stride, padding, dilation, groups):
    """Gradient of `conv_forward` in the weight, of weight_shape: `kernels.reference.conv_weight_grad`.

    The pixels are split among blocks by the shapes alone, and the parts added in order.
    """
    filters, channels, *kernel = weight_shape
    dw, taps, columns = empty(weight_shape, dy.dtype), prod(kernel), filters // groups if groups else 0
    if 0 in dw.shape or 0 in dy.shape:
        dw.fill(0)
        return dw
    x_shape, output, dy, x = x.shape, dy.shape[2:], channels_last(dy), channels_last(x)
    if channels == 1 and filters == groups:
        depthwise_weight_grad(dy, x, dw, stride, padding, dilation)
        return dw
    vector = _vector(channels, x.shape[-1], x)
    table, pixels, rows = forward_windows(
        x_shape, tuple(weight_shape), output, stride, padding, dilation, groups, not vector
    )
    tile = choose_tile(rows, columns, groups * -(-pixels // LEAST_PIXELS), dy.dtype, "conv")
    down, across = -(-rows // tile.ROWS), -(-columns // tile.COLUMNS)
    splits = max(1, min(2 * ENOUGH // (down * across * groups), -(-pixels // LEAST_PIXELS)))
    part = -(-pixels // (splits * tile.DEPTH)) * tile.DEPTH
    splits = -(-pixels // part)
    parts = empty((splits, groups, rows, columns), dy.dtype)
    launch(
        pixels_product, (down, across, splits * groups), tile.threads, dy, x, parts, table, groups, part,
        T=dy.dtype, **tile.constants, LEFT_ACROSS=False, RIGHT_ACROSS=False, GATHERED_VECTOR=vector,
        VECTOR=_vector(columns, filters, dy, parts),
    )  # fmt: skip
    cells = groups * rows * columns
    launch(
        add_parts, -(-cells // SUM_THREADS), SUM_THREADS, parts, dw, splits, groups, channels, taps, columns,
        T=dy.dtype, THREADS=SUM_THREADS,
    )  # fmt: skip
    return dw
