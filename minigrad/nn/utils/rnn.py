"""Sequences of different lengths as one tensor: padded to the longest, or packed step by step (`torch.nn.utils.rnn`).

A packed sequence holds the rows of all samples at step 0, then those at step 1, ..., the longest samples first, so that
a recurrent layer computes nothing for padding.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from minigrad.autograd import Tensor
from minigrad.autograd.dtypes import as_dtype
from minigrad.ops import functions
from minigrad.ops.conversion import CONVERSIONS

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences packed step by step (`torch.nn.utils.rnn.PackedSequence`).

    `data` are the rows, `batch_sizes` how many samples each step has; `sorted_indices` is the order of the samples by
    length and `unsorted_indices` the way back, both None if they came sorted. `pack_padded_sequence` makes one.

    >>> import minigrad
    >>> packed = pack_sequence([minigrad.tensor([1, 2, 3]), minigrad.tensor([4])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:  # PyTorch's older form: (data, batch_sizes) in one
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """With the data in another dtype or device."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._replace(data=data)

    def cpu(self):
        """On the CPU, where it already is."""
        return self

    @property
    def is_cuda(self):
        """Whether the data are on a GPU."""
        return self.data.is_cuda

    def __reduce__(self):
        return type(self), tuple(self)


def _conversion(name, dtype):
    def convert(self):
        return self.to(dtype)

    convert.__name__ = name
    convert.__doc__ = f"With the data as {dtype}."
    setattr(PackedSequence, name, convert)


for _name, _dtype in CONVERSIONS.items():
    if _name != "bool":
        _conversion(_name, _dtype)


def invert_permutation(permutation):
    """The permutation that undoes another; None stays None (`torch.nn.utils.rnn.invert_permutation`).

    >>> import minigrad
    >>> invert_permutation(minigrad.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def _rows(batch_sizes, batch):
    """Where the rows of a packed sequence lie in (steps · batch) rows, on the CPU."""
    steps = [step * batch + np.arange(size) for step, size in enumerate(batch_sizes)]
    return Tensor._wrap(np.concatenate(steps))


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Padded sequences (T, N, *), or (N, T, *) with `batch_first`, packed (`torch.nn.utils.rnn.pack_padded_sequence`).

    `lengths` (N,) are those of the samples, a list or an integer tensor, decreasing unless `enforce_sorted=False`.

    >>> import minigrad
    >>> pack_padded_sequence(minigrad.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3], True, enforce_sorted=False).data
    tensor([3, 1, 4, 2, 5])
    """
    lengths = functions["as_tensor"](lengths, dtype=as_dtype("int64")).cpu()
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = lengths.sort(descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    input = input.transpose(0, 1) if batch_first else input
    steps, batch = input.shape[:2]
    sizes = lengths.tolist()
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={batch})"
        )
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    if sizes and sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if sizes and sizes[0] > steps:
        raise RuntimeError(
            f"Expected sequence length to be at most {steps}, but got {sizes[0]}\nhint: the padded input has {steps} "
            "steps; is batch_first right?"
        )
    counts = (lengths._array[:, None] > np.arange(sizes[0])).sum(0)
    data = input.reshape(steps * batch, *input.shape[2:]).index_select(0, _rows(counts, batch).to(input.device))
    return PackedSequence(data, Tensor._wrap(counts), sorted_indices)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded, lengths) of a packed sequence: (T, N, *), or (N, T, *) with `batch_first`, and (N,).

    T is the longest length, or `total_length`. Source: `torch.nn.utils.rnn.pad_packed_sequence`.

    >>> import minigrad
    >>> pad_packed_sequence(pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])]), batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    data, batch_sizes, _, unsorted_indices = sequence
    counts = batch_sizes.numpy(force=True)
    steps = len(counts) if total_length is None else total_length
    if steps < len(counts):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(counts)}"
        )
    batch, rest = int(counts[0]), data.shape[1:]
    rows = _rows(counts, batch).to(data.device)
    padded = data.new_full((steps * batch, *rest), padding_value).index_copy(0, rows, data)
    padded = padded.reshape(steps, batch, *rest)
    lengths = Tensor._wrap((counts[:, None] > np.arange(batch)).sum(0))
    if unsorted_indices is not None:
        padded, lengths = padded.index_select(1, unsorted_indices), lengths[unsorted_indices.cpu()]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences (Lᵢ, *) padded to the longest: (T, N, *), or (N, T, *) with `batch_first`.

    Source: `torch.nn.utils.rnn.pad_sequence`.

    >>> import minigrad
    >>> pad_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(sequence.size(0) for sequence in sequences)
    padded = []
    for sequence in sequences:
        missing = longest - sequence.size(0)
        filling = sequence.new_full((missing, *sequence.shape[1:]), padding_value)
        parts = (sequence, filling) if padding_side == "right" else (filling, sequence)
        padded.append(functions["cat"](parts) if missing else sequence)
    return functions["stack"](padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences of a padded tensor, each of its own length: the inverse of `pad_sequence`.

    Source: `torch.nn.utils.rnn.unpad_sequence`.

    >>> import minigrad
    >>> unpad_sequence(minigrad.tensor([[1, 2], [3, 0]]), minigrad.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    padded_sequences = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(padded_sequences.unbind(0), lengths, strict=True)]


def pack_sequence(sequences, enforce_sorted=True):
    """Sequences (Lᵢ, *) packed, by decreasing length unless `enforce_sorted=False`.

    Source: `torch.nn.utils.rnn.pack_sequence`.

    >>> import minigrad
    >>> pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])]).batch_sizes
    tensor([2, 1])
    """
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The sequences of a packed one: the inverse of `pack_sequence` (`torch.nn.utils.rnn.unpack_sequence`).

    >>> import minigrad
    >>> unpack_sequence(pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
