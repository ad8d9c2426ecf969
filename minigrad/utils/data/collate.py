"""How samples become a batch: `default_collate` stacks a list of them, `Columns` is a batch that needs no stacking."""

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

from minigrad.autograd import Tensor
from minigrad.ops.creation import as_tensor, tensor
from minigrad.ops.joining import stack


class Columns(Sequence):
    """The samples of a batch, held as one column for each field.

    A data set's `__getitems__` may return it in place of a list of tuples: it reads like that list, and
    `default_collate` takes the columns as they are. Each column is a tensor or array whose first axis is the batch
    (owned by the batch: no view of the data set), or a list.

    Args:
        *columns: the columns, all of one length.

    >>> batch = Columns(np.array([[1, 2], [3, 4]]), ["a", "b"])
    >>> len(batch), batch[1]
    (2, (array([3, 4]), 'b'))
    """

    def __init__(self, *columns):
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of one length expected, got lengths {[len(column) for column in columns]}")
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: int) -> tuple:
        return tuple(column[index] for column in self.columns)

    def collate(self) -> list:
        """The batch: a tensor for a column of tensors, arrays or numbers, otherwise as in `default_collate`."""
        return [
            as_tensor(column) if isinstance(column, (Tensor, np.ndarray)) else default_collate(tuple(column))
            for column in self.columns
        ]


def default_collate(batch):
    """Turn a list of samples into one batch with a new first axis.

    Tensors and NumPy arrays (of one shape) and NumPy numbers are stacked and keep their dtype; Python floats become
    float64, ints int64, bools bool; strings and bytes stay as they are. Mappings, named tuples and lists are collated
    field by field and keep their type; a tuple becomes a list.

    Args:
        batch: the samples, at least one.

    Raises:
        RuntimeError: samples differ in shape or in length; the message says which shapes.
        TypeError: a sample holds something else.

    PyTorch's `torch.utils.data.default_collate`.

    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    >>> default_collate([{"x": 3}, {"x": 4}])
    {'x': tensor([3, 4])}
    """
    if isinstance(batch, Columns):
        return batch.collate()
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray):
        if first.dtype.kind not in "biufc":
            raise _not_collatable(first.dtype)
        return stack([as_tensor(array) for array in batch], 0)
    if isinstance(first, (np.bool_, np.number)):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=np.float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(field) for field in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) != 1:
            raise RuntimeError(
                "each element in list of batch should be of equal size\n"
                f"hint: the samples of this batch have {sorted(lengths)} fields; pass a collate_fn that pads"
            )
        return _like_sequence(first, [default_collate(field) for field in zip(*batch, strict=True)])
    raise _not_collatable(type(first))


def default_convert(data):
    """Turn the NumPy arrays in one sample into tensors and leave everything else: what a loader without batches does.

    PyTorch's `torch.utils.data.default_convert`.

    >>> default_convert((np.array([1, 2]), "a"))
    [tensor([1, 2]), 'a']
    """
    if isinstance(data, (np.ndarray, np.bool_, np.number)):
        return as_tensor(data) if data.dtype.kind in "biufc" else data
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(field) for field in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(field) for field in data])
    return data


def pin_memory(data):
    """A batch with its tensors in page-locked memory; what is no tensor is asked for `pin_memory()`, or stays."""
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: pin_memory(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(pin_memory(field) for field in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [pin_memory(field) for field in data])
    return data.pin_memory() if hasattr(data, "pin_memory") else data


def _like_mapping(pattern: Mapping, fields: dict):
    """`fields` as a mapping of the type of `pattern`, or a dict where that type cannot be made from one."""
    try:
        if isinstance(pattern, MutableMapping):
            result = copy.copy(pattern)
            result.update(fields)
            return result
        return type(pattern)(fields)
    except TypeError:
        return fields


def _like_sequence(pattern: Sequence, fields: list):
    """`fields` as a sequence of the type of `pattern`, or a list for tuples and types that cannot be made from one."""
    if isinstance(pattern, tuple):
        return fields
    try:
        if isinstance(pattern, MutableSequence):
            result = copy.copy(pattern)
            for i, field in enumerate(fields):
                result[i] = field
            return result
        return type(pattern)(fields)
    except TypeError:
        return fields


def _not_collatable(found) -> TypeError:
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}\n"
        "hint: convert it in the data set (a PIL image: transforms.ToTensor()), or pass a collate_fn"
    )
