"""Tables of vectors looked up by whole numbers: embeddings, bags of them, one-hot vectors."""

import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor, no_grad
from minigrad.autograd.dtypes import TORCH_NAMES, int32, int64
from minigrad.kernels.device import capturing

from .choice import where
from .index import Place, rows_at
from .picking import outside
from .registry import functional


class Embedding(Operation):
    """y = weight[index], one row for each index"""

    formula = "dweight[index] += dy (/ how often the index occurs), but 0 in the row of the padding"

    @staticmethod
    def forward(ctx, weight, index, padding_idx, by_frequency):
        ctx.shape, ctx.padding_idx, ctx.by_frequency = weight.shape, padding_idx, by_frequency
        ctx.save_for_backward(index)
        return rows_at(weight, index)

    @staticmethod
    def backward(ctx, dy):
        index = ctx.saved_tensors[0]._array
        if ctx.by_frequency:
            counts = np.bincount(index.reshape(-1), minlength=ctx.shape[0])
            dy = dy / Tensor._wrap(counts[index][..., None].astype(dy.dtype))
        if ctx.padding_idx is not None and (capturing() or (index == ctx.padding_idx).any()):
            padding = index == ctx.padding_idx
            dy = where(Tensor._wrap(padding[..., None]), 0.0, dy)
        return Place.apply(dy, ctx.shape, (index,))


class SegmentSum(Operation):
    """y[b] = the sum of the rows of segment b; segments follow one another"""

    formula = "dx = dy[b] in each row of segment b"

    @staticmethod
    def forward(ctx, x, segment, lengths):
        ctx.segment = segment
        y = np.zeros((len(lengths), *x.shape[1:]), x.dtype, like=x)
        filled = lengths > 0
        if filled.any():
            y[filled] = np.add.reduceat(x, _starts(lengths)[filled], axis=0)
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy[ctx.segment]


def _starts(lengths):
    """Where segments of these lengths begin when they follow one another."""
    return np.cumsum(lengths) - lengths


def _check_indices(index, kernel):
    if index.dtype not in (int64, int32):
        name = "CPUBoolType" if index.dtype == bool else f"torch.{TORCH_NAMES[index.dtype]}Tensor"
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{name} instead (while checking arguments for {kernel})\nhint: indices "
            "are whole numbers; use index.long()"
        )


def _no_sparse_gradients(sparse):
    if sparse:
        raise NotImplementedError(
            "sparse gradients are not supported\nhint: leave sparse=False; the gradient is a dense tensor then"
        )


def _renormalize(weight, index, max_norm, norm_type):
    """Scale the rows of `weight` that are looked up and longer than `max_norm` down to it, in place."""
    rows = np.unique(index)
    with no_grad():
        table = weight.detach()
        vectors = table._array[rows]
        norms = np.linalg.norm(vectors.astype(np.float64), norm_type, axis=1)
        long = norms > max_norm
        if long.any():
            scale = max_norm / (norms[long] + 1e-7)
            table[rows[long]] = Tensor._wrap((vectors[long] * scale[:, None]).astype(vectors.dtype))


@functional
def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of `weight` (V, D) that the whole numbers `input` (*) name: (*, D) (`torch.nn.functional.embedding`).

    The row `padding_idx` gets no gradient. With `max_norm`, rows that are looked up and longer in the `norm_type`-norm
    are first scaled down in place. `scale_grad_by_freq` divides a row's gradient by how often it was looked up.

    >>> import minigrad
    >>> embedding(minigrad.tensor([2, 0]), minigrad.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    if padding_idx is not None:
        if not -weight.shape[0] <= padding_idx < max(weight.shape[0], 1):
            raise AssertionError(
                f"Padding_idx must be within num_embeddings\nhint: padding_idx is {padding_idx}, the table has "
                f"{weight.shape[0]} rows"
            )
        padding_idx %= max(weight.shape[0], 1)
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D\nhint: its shape is {tuple(weight.shape)}")
    _no_sparse_gradients(sparse)
    _check_indices(input, "embedding")
    index, rows = input._array, weight.shape[0]
    if outside(index, rows):
        raise IndexError(
            f"index out of range in self\nhint: indices go from {index.min()} to {index.max()}, the table has {rows} "
            "rows"
        )
    if max_norm is not None:
        _renormalize(weight, index, max_norm, norm_type)
    return Embedding.apply(weight, input, padding_idx, scale_grad_by_freq)


def _bags(input, offsets, include_last_offset):
    """(flat indices, the bag of each, number of bags): bags are the rows of a matrix, or begin at the offsets."""
    index = input._array
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        return index.reshape(-1), np.repeat(np.arange(len(index), like=index), index.shape[1]), len(index)
    if input.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError(f"offsets has to be a 1D Tensor\nhint: its shape is {tuple(offsets.shape)}")
    _check_indices(offsets, "embedding_bag")
    starts = offsets._array.astype(np.int64)
    if include_last_offset and len(starts) == 0:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if len(starts) and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {starts[0]}"
        )
    if len(starts) and starts[-1] > len(index):
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {len(index)} but got offsets[-1] of {starts[-1]}"
        )
    lengths = np.diff(starts) if include_last_offset else np.diff(starts, append=len(index))
    if (lengths < 0).any():
        raise RuntimeError(f"offsets must not decrease\nhint: the offsets are {starts.tolist()}")
    bag = np.repeat(np.arange(len(lengths), like=lengths), lengths)
    return index[: len(bag)], bag, len(lengths)


def _largest(weight, index, lengths):
    """The largest element of each column over each bag's rows, 0 for an empty bag; of equal ones the first."""
    filled = np.flatnonzero(lengths)
    result = Tensor._wrap(np.zeros((len(lengths), weight.shape[1]), weight.dtype, like=weight._array))
    if len(filled) == 0:
        return result
    starts = _starts(lengths)[filled]
    rows = weight._array[index]  # (n, D)
    # like PyTorch, a NaN wins if it comes first and never later
    missing = np.isnan(rows)
    first = np.zeros((len(rows), 1), bool, like=rows)
    first[starts] = True
    rows = np.where(missing, np.where(first, np.inf, -np.inf), rows)
    best = np.maximum.reduceat(rows, starts, axis=0)
    wins = rows == np.repeat(best, lengths[filled], axis=0)
    place = np.minimum.reduceat(np.where(wins, np.arange(len(rows), like=rows)[:, None], len(rows)), starts, axis=0)
    largest = weight[index[place], np.arange(weight.shape[1], like=rows)]
    return Place.apply(largest, tuple(result.shape), (filled,))


@functional
def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """Sums, means or largest elements of bags of the rows of `weight` (V, D): (B, D)
    (`torch.nn.functional.embedding_bag`).

    A bag is a row of `input` (B, N), or a part of `input` (N,) that begins at one of `offsets` (B,) and ends before the
    next, the last one at the end (with `include_last_offset` at the last of B + 1 offsets). Indices equal to
    `padding_idx` do not count; an empty bag gives 0. `per_sample_weights`, of the input's shape, scale the rows of
    "sum". The other settings are those of `embedding`.

    >>> import minigrad
    >>> table = minigrad.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> embedding_bag(minigrad.tensor([0, 1, 2]), table, minigrad.tensor([0, 2]), mode="sum")
    tensor([[2., 4.],
            [4., 5.]])
    """
    if weight.dtype == np.int64 and input.dtype.kind == "f":
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    if per_sample_weights is not None and input._array.shape != per_sample_weights._array.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    index, bag, count = _bags(input, offsets, include_last_offset)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    _no_sparse_gradients(sparse)
    _check_indices(input, "embedding_bag")
    rows = weight.shape[0]
    if (wrong := np.flatnonzero((index < 0) | (index >= rows))).size:
        raise RuntimeError(
            f"Index {wrong[0]} of input takes value {index[wrong[0]]} which is not in the valid range [0, {rows})"
        )
    if max_norm is not None:
        _renormalize(weight, index, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    if per_sample_weights is not None:
        if per_sample_weights.dtype != weight.dtype:
            raise RuntimeError(
                "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
                f"'per_sample_weights'; but type torch.{TORCH_NAMES[weight.dtype]}Tensor does not equal "
                f"torch.{TORCH_NAMES[per_sample_weights.dtype]}Tensor (while checking arguments for embedding_bag)"
            )
        per_sample_weights = per_sample_weights.reshape(-1)[: len(index)]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{rows} through {rows - 1}, but got "
                f"{padding_idx}"
            )
        kept = np.flatnonzero(index != padding_idx % rows)
        index, bag = index[kept], bag[kept]
        per_sample_weights = None if per_sample_weights is None else per_sample_weights[kept]
    lengths = np.bincount(bag, minlength=count)
    if mode == "max":
        return _largest(weight, index, lengths)
    vectors = Embedding.apply(weight, Tensor._wrap(index), None, scale_grad_by_freq)
    if per_sample_weights is not None:
        vectors = vectors * per_sample_weights.unsqueeze(1)
    bags = SegmentSum.apply(vectors, bag, lengths)
    return bags / Tensor._wrap(np.maximum(lengths, 1)[:, None].astype(bags.dtype)) if mode == "mean" else bags


@functional
def one_hot(input, num_classes=-1):
    """int64 rows with a 1 at each class index, shape (*, num_classes) (`torch.nn.functional.one_hot`).

    Without `num_classes` there is one class more than the largest index.

    >>> import minigrad
    >>> one_hot(minigrad.arange(3))
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 0, 1]])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"one_hot(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if not hasattr(num_classes, "__index__"):
        raise TypeError(f"one_hot(): argument 'num_classes' (position 2) must be int, not {type(num_classes).__name__}")
    index, num_classes = input._array, num_classes.__index__()
    if index.dtype != np.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor.\nhint: this one is {index.dtype}; use "
            "x.long()"
        )
    if index.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    known = bool(index.size) and (num_classes < 0 or not capturing())  # of a graph the host sees no index
    if known and index.min() < 0:
        raise RuntimeError(f"Class values must be non-negative.\nhint: found {index.min()}")
    if num_classes == -1:
        num_classes = int(index.max()) + 1
    elif known and index.max() >= num_classes:
        raise RuntimeError(
            f"Class values must be smaller than num_classes.\nhint: found {index.max()}, num_classes is {num_classes}"
        )
    try:
        result = np.zeros((*index.shape, num_classes), np.int64, like=index)
    except (MemoryError, ValueError):
        raise RuntimeError(
            f"one_hot cannot allocate {index.size} x {num_classes} int64\nhint: cross_entropy, nll_loss and embedding "
            "take the class indices themselves"
        ) from None
    np.put_along_axis(result, index[..., None], 1, axis=-1)
    return Tensor._wrap(result)
