"""Which part of one tensor a part of another was computed from, read from the graph between them.

A part is a box: for every dimension the first and the last index. Each operation has a rule that leads from a box of
its result to the box of an argument; `depends_on` follows the rules from result to argument, and joins what arrives
along several paths in one box around them. Operations without a rule are an error, so that no answer is a guess.
"""

import math

import numpy as np

from minigrad.autograd import gradient_edge
from minigrad.ops.activation_operations import Activation, PReLU
from minigrad.ops.adaptive_pooling import AdaptiveAvgPool, AdaptiveMaxPool
from minigrad.ops.arithmetic import Add, Mul, Neg, Sub
from minigrad.ops.choice import Where
from minigrad.ops.conversion import Cast, Clone
from minigrad.ops.convolution import Convolution, TransposedConvolution
from minigrad.ops.division import Div, Reciprocal
from minigrad.ops.dropout import AlphaDropout, Dropout
from minigrad.ops.elementary import Elementary
from minigrad.ops.extrema import Clamp, Extremum
from minigrad.ops.joining import Cat
from minigrad.ops.matrix import Linear, MatMul
from minigrad.ops.maxima import Extreme, Select
from minigrad.ops.normalization import BatchNorm, ChannelScale
from minigrad.ops.padding import Pad, PadWithCopies
from minigrad.ops.pooling import AvgPool, MaxPool, MedianPool
from minigrad.ops.powers import Pow
from minigrad.ops.reduction import Mean, Sum
from minigrad.ops.resampling import Resample
from minigrad.ops.rounding import Abs
from minigrad.ops.row_normalization import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from minigrad.ops.shape import Expand, Permute, Reshape
from minigrad.ops.softmax import LogSoftmax, Softmax
from minigrad.ops.statistics import Var
from minigrad.ops.views import Slice

__all__ = ["depends_on"]


def depends_on(output, input, box, clip=True):
    """The box of `input` from which `box` of `output` was computed: a (first, last) for each dimension, or None.

    Both are tensors of one recorded computation. Zeros that padding put around a tensor depend on nothing; with
    `clip=False` boxes reach into them, as if everything went on there. The statistics of batch normalisation count as
    numbers of their own. Raises ValueError for an operation whose rule is not known.

    >>> import minigrad
    >>> x = minigrad.ones(1, 1, 9, requires_grad=True)
    >>> y = minigrad.nn.functional.max_pool1d(x.relu(), 3, stride=2)
    >>> depends_on(y, x, ((0, 0), (0, 0), (1, 2)))
    ((0, 0), (0, 0), (2, 6))
    """
    start, goal = gradient_edge(output), gradient_edge(input)
    if goal is None or start is None:
        return None
    leading = _leading_to(start[0], goal)
    boxes = {start: tuple(box)}
    for node in sorted(leading, key=lambda node: -node.sequence):
        for place in range(len(node.outputs)):
            arrived = boxes.get((node, place))
            if arrived is None or (node, place) == goal:
                continue
            for index, source in enumerate(node.edges):
                if source is None or not (source == goal or source[0] in leading):
                    continue
                shape = source[0].outputs[source[1]][0]
                rule = _rule(node)
                if clip and rule is _windows and index == 0:
                    found = _taps(node, arrived, shape)
                else:
                    found = rule(node, index, arrived, shape)
                found = _clipped(found, shape) if clip else found
                if all(first <= last for first, last in found):
                    boxes[source] = _around(boxes.get(source), found)
    return boxes.get(goal)


def _leading_to(root, goal):
    """The nodes on the paths from `root` to the edge `goal`, whose own node is among them."""
    found, stack = {root}, [root]
    while stack:
        for source in stack.pop().edges:
            if source is not None and source[0] not in found and source[0].sequence >= goal[0].sequence:
                found.add(source[0])
                stack.append(source[0])
    leading = {goal[0]}
    for node in sorted(found, key=lambda node: node.sequence):
        if any(source is not None and source[0] in leading for source in node.edges):
            leading.add(node)
    return leading


def _around(one, other):
    """The smallest box around two."""
    if one is None:
        return other
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other))


def _clipped(box, shape):
    """What lies inside a tensor; first > last where nothing does."""
    return tuple((max(first, 0), min(last, n - 1)) for (first, last), n in zip(box, shape))


def _whole(shape):
    return tuple((0, n - 1) for n in shape)


# rules: (node, number of the argument, box of the result, shape of the argument) -> box of the argument ------------


def _same_place(node, index, box, shape):
    """Element by element, arguments being broadcast."""
    box = box[len(box) - len(shape) :]
    return tuple((0, 0) if n == 1 else span for n, span in zip(shape, box))


def _geometry(node, dimensions):
    """(kernel, stride, padding before, dilation) of a window that slides over an argument of so many dimensions."""
    if isinstance(node, Convolution):
        stride, padding, dilation, _ = node.geometry
        return node.weight_shape[2:], stride, [before for before, _ in padding], dilation
    if isinstance(node, AvgPool):
        return *node.settings[:3], (1,) * dimensions
    return node.settings


def _windows(node, index, box, shape):
    if index > 0:
        return _whole(shape)  # a weight computed from the input: every pixel uses all of it
    spans = [
        (first * s - p, last * s - p + d * (k - 1))
        for (first, last), k, s, p, d in zip(box[2:], *_geometry(node, len(shape)))
    ]
    return _channels(node, box, shape, spans)


def _taps(node, box, shape):
    """As `_windows`, of the taps inside the tensor alone: dilated ones can step over its first or last pixel."""
    spans = []
    for (first, last), n, k, s, p, d in zip(box[2:], shape[2:], *_geometry(node, len(shape))):
        taps = np.add.outer(np.arange(first, last + 1) * s - p, np.arange(k) * d)
        taps = taps[(taps >= 0) & (taps < n)]
        spans.append((int(taps.min()), int(taps.max())) if taps.size else (n, -1))
    return _channels(node, box, shape, spans)


def _channels(node, box, shape, spans):
    """A convolution reads every channel, pooling its own."""
    return (box[0], (0, shape[1] - 1) if isinstance(node, Convolution) else box[1], *spans)


def _transposed_windows(node, index, box, shape):
    if index > 0:
        return _whole(shape)
    stride, padding, dilation, _ = node.geometry
    spans = [
        (-((d * (k - 1) - first - p) // s), (last + p) // s)
        for (first, last), k, s, (p, _), d in zip(box[2:], node.weight_shape[2:], stride, padding, dilation)
    ]
    return (box[0], (0, shape[1] - 1), *spans)


def _parts(node, index, box, shape):
    """Adaptive pooling: part i of m reaches from ⌊i · n / m⌋ to before ⌈(i + 1) · n / m⌉."""
    sizes = zip(box[2:], shape[2:], node.outputs[0][0][2:])
    return (*box[:2], *[(first * n // m, -((last + 1) * -n // m) - 1) for (first, last), n, m in sizes])


def _last_dimension(node, index, box, shape):
    if index > 0:
        return _whole(shape)
    return (*box[:-1], (0, shape[-1] - 1))


def _product(node, index, box, shape):
    """Rows of the first factor with columns of the second."""
    if len(shape) == 1 or len(node.outputs[0][0]) < 2:
        return _whole(shape)
    rows, columns = box[-2:]
    matrix = (rows, (0, shape[-1] - 1)) if index == 0 else ((0, shape[-2] - 1), columns)
    return (*_same_place(node, index, box[:-2], shape[:-2]), *matrix)


def _reduced(node, index, box, shape):
    """All along the axes of a sum, a mean, a softmax; the others stay."""
    axes = node.axes if hasattr(node, "axes") else (node.axis,)
    axes = {axis % max(len(shape), 1) for axis in axes}
    kept = len(box) == len(shape)
    rest = iter(box)
    spans = []
    for axis, n in enumerate(shape):
        if axis in axes:
            spans.append((0, n - 1))
            if kept:
                next(rest)
        else:
            spans.append(next(rest))
    return tuple(spans)


def _rows(node, index, box, shape):
    """Statistics over a sample, or over each of its channels, or over the last dimensions."""
    if index > 0:
        return _whole(shape)
    kept = 1
    if isinstance(node, InstanceNorm):
        kept = 2
    elif isinstance(node, (LayerNorm, RMSNorm)):
        kept = next(k for k in range(len(shape) + 1) if math.prod(shape[:k]) == node.geometry[0])
    return (*box[:kept], *_whole(shape[kept:]))


def _reordered(node, index, box, shape):
    return tuple(box[place] for place in node.inverse)


def _padded(node, index, box, shape):
    return tuple((first - before, last - before) for (first, last), (before, _) in zip(box, node.amounts))


def _resampled(node, index, box, shape):
    spans = list(box)
    for axis, table in node.taps:
        first, last = (min(max(cell, 0), table.cells - 1) for cell in box[axis])
        taps = table.indices[table.starts[first] : table.starts[last + 1]]
        weights = table.weights[table.starts[first] : table.starts[last + 1]]
        taps = taps[weights != 0]
        spans[axis] = (int(taps.min()), int(taps.max()))
    return tuple(spans)


def _sliced(node, index, box, shape):
    """x[...] with whole numbers, slices, None and one Ellipsis."""
    items = node.index if Ellipsis in node.index else (*node.index, Ellipsis)
    items, taken = list(items), sum(item is not None and item is not Ellipsis for item in node.index)
    hole = items.index(Ellipsis)
    items[hole : hole + 1] = [slice(None)] * (len(shape) - taken)
    rest, spans = iter(box), []
    for item in items:
        n = shape[len(spans)] if item is not None else 1
        if item is None:
            next(rest)
        elif isinstance(item, slice):
            start, _, step = item.indices(n)
            ends = [start + at * step for at in next(rest)]
            spans.append((min(ends), max(ends)))
        else:
            spans.append((int(item) % n,) * 2)
    return tuple(spans)


def _joined(node, index, box, shape):
    """A part that a box does not touch gets a span outside of it."""
    before = sum(node.sizes[: index - 1])  # the first argument is the axis
    spans = list(box)
    first, last = box[node.axis]
    size = node.sizes[index - 1]
    spans[node.axis] = (max(first - before, 0), min(last - before, size - 1))
    return tuple(spans)


def _reshaped(node, index, box, shape):
    """Groups of dimensions with equal products on both sides: within one, from the first element to the last."""
    result, spans = node.outputs[0][0], []
    for ours, theirs in _groups(shape, result):
        if len(ours) == len(theirs) == 1:
            spans.append(box[theirs[0]])
            continue
        inside = [(max(box[a][0], 0), min(box[a][1], result[a] - 1)) for a in theirs]
        ends = [_flat([span[end] for span in inside], [result[a] for a in theirs]) for end in (0, 1)]
        sizes = [shape[a] for a in ours]
        first, last = (_unflat(end, sizes) for end in ends)
        parted = False
        for low, high, n in zip(first, last, sizes):
            spans.append((0, n - 1) if parted else (low, high))
            parted = parted or low != high
    return tuple(spans)


def _groups(shape, result):
    """Pairs of lists of axes of the two shapes whose sizes have the same product."""
    i = j = 0
    while i < len(shape) or j < len(result):
        ours, theirs = [], []
        if i < len(shape):
            ours, i = [i], i + 1
        if j < len(result) and (not ours or shape[ours[0]] != 1 or result[j] == 1):
            theirs, j = [j], j + 1
        while (a := math.prod(shape[k] for k in ours)) != (b := math.prod(result[k] for k in theirs)):
            if a < b:
                ours, i = [*ours, i], i + 1
            else:
                theirs, j = [*theirs, j], j + 1
        yield ours, theirs


def _flat(place, sizes):
    flat = 0
    for at, n in zip(place, sizes):
        flat = flat * n + at
    return flat


def _unflat(flat, sizes):
    place = []
    for n in reversed(sizes):
        flat, at = divmod(flat, n)
        place.append(at)
    return place[::-1]


RULES: dict = {
    Convolution: _windows,
    MaxPool: _windows,
    MedianPool: _windows,
    AvgPool: _windows,
    TransposedConvolution: _transposed_windows,
    AdaptiveAvgPool: _parts,
    AdaptiveMaxPool: _parts,
    Linear: _last_dimension,
    MatMul: _product,
    **dict.fromkeys((GroupNorm, InstanceNorm, LayerNorm, RMSNorm), _rows),
    Permute: _reordered,
    Reshape: _reshaped,
    Pad: _padded,
    Resample: _resampled,
    PadWithCopies: _resampled,
    Cat: _joined,
    Slice: _sliced,
    **dict.fromkeys((Sum, Mean, Var, Extreme, Select, Softmax, LogSoftmax), _reduced),
    **dict.fromkeys((Elementary, Activation, PReLU, Add, Sub, Mul, Div, Neg, Reciprocal, Pow, Abs), _same_place),
    **dict.fromkeys(
        (Clamp, Extremum, Where, Dropout, AlphaDropout, Clone, Cast, Expand, BatchNorm, ChannelScale), _same_place
    ),
}


def _rule(node):
    """The rule of the node's class, or of the family that it belongs to."""
    kind = getattr(node, "norm", type(node))  # an activation after a normalisation reads nothing more
    for known in (kind, *(base for base in (Elementary, Activation) if issubclass(kind, base))):
        if known in RULES:
            return RULES[known]
    raise ValueError(
        f"what {node.operation} reads of its arguments is not known here, so there is no exact receptive field\n"
        "hint: effective_receptive_field measures it by the gradient, for any operation"
    )
