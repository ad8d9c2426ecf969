"""What a sample is: data sets with an index (`Dataset`) or a stream (`IterableDataset`), how to join and split them."""

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from minigrad.autograd import Tensor
from minigrad.ops.random import randperm

from .collate import Columns

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """A map from keys, usually 0 to `len(dataset) - 1`, to samples.

    A subclass defines `__getitem__(index)`, and `__len__()` for the usual samplers. It may also define
    `__getitems__(indices)`, the samples of a whole batch as a list (or `Columns`), which a `DataLoader` then calls
    instead. A subclass that overrides only `__getitem__` switches an inherited `__getitems__` off, so that its own
    `__getitem__` is what counts.

    PyTorch's `torch.utils.data.Dataset`.

    >>> class Squares(Dataset):
    ...     def __getitem__(self, index):
    ...         return index**2
    ...     def __len__(self):
    ...         return 5
    >>> dataset = Squares() + Squares()
    >>> dataset[2], dataset[6], len(dataset)
    (4, 1, 10)
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        nearest = next(base for base in cls.__mro__ if not {"__getitem__", "__getitems__"}.isdisjoint(vars(base)))
        if "__getitems__" not in vars(nearest):
            cls.__getitems__ = None

    def __getitem__(self, index) -> Sample:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """A stream of samples: a subclass defines `__iter__()`, and `__len__()` if the length is known.

    PyTorch's `torch.utils.data.IterableDataset`.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown() + Countdown())
    [3, 2, 1, 3, 2, 1]
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other) -> "ChainDataset":
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of equal first size; sample i is the tuple of their entries i.

    Args:
        *tensors: the tensors, of shapes (N, ...).

    Raises:
        AssertionError: the first sizes differ.

    PyTorch's `torch.utils.data.TensorDataset`.

    >>> import minigrad as mg
    >>> TensorDataset(mg.tensor([[1.0], [2.0]]), mg.tensor([0, 1]))[1]
    (tensor([2.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor):
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            raise AssertionError(f"Size mismatch between tensors: {[tuple(tensor.shape) for tensor in tensors]}")
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].size(0)

    def __getitem__(self, index) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices: Sequence[int]) -> Columns:
        indices = list(indices)
        return Columns(*(tensor[indices] for tensor in self.tensors))


class ConcatDataset(Dataset[Sample]):
    """Several data sets one after the other.

    Args:
        datasets: the data sets, at least one, all with a length.

    PyTorch's `torch.utils.data.ConcatDataset`.

    >>> ConcatDataset(["ab", "cde"])[3]
    'd'
    """

    def __init__(self, datasets: Iterable[Dataset]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Sample:
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        index += len(self) if index < 0 else 0
        if index >= len(self):
            raise IndexError(f"index {index} is out of range for a ConcatDataset of {len(self)} samples")
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[Sample]):
    """Several streams one after the other.

    Args:
        datasets: the streams.

    PyTorch's `torch.utils.data.ChainDataset`.
    """

    def __init__(self, datasets: Iterable[IterableDataset]):
        self.datasets = list(datasets)
        if not all(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ChainDataset only supports IterableDataset")

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)

    def __iter__(self) -> Iterator[Sample]:
        return itertools.chain.from_iterable(self.datasets)


class Subset(Dataset[Sample]):
    """The samples of a data set at chosen indices.

    Args:
        dataset: the whole data set.
        indices: for each sample of the subset its index in `dataset`.

    PyTorch's `torch.utils.data.Subset`.

    >>> list(Subset("abcde", [4, 0]))
    ['e', 'a']
    """

    def __init__(self, dataset: Dataset[Sample], indices: Sequence[int]):
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index) -> Sample:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Sample]:
        chosen = [self.indices[i] for i in indices]
        if getattr(self.dataset, "__getitems__", None):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[i] for i in chosen]


def random_split(dataset: Dataset, lengths: Sequence[float], generator=None) -> list[Subset]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: the whole data set.
        lengths: the length of each part, adding up to `len(dataset)`; or fractions that add up to 1, where what
            rounding leaves over goes to the parts in turn.
        generator: source of the random order; the default generator when None.

    Raises:
        ValueError: the lengths do not add up to the data set's, or a fraction is not between 0 and 1.

    PyTorch's `torch.utils.data.random_split`.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths_of_fractions(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset!\n"
            f"hint: {' + '.join(map(str, lengths))} = {sum(lengths)}, the data set has {len(dataset)} samples"
        )
    order = randperm(len(dataset), generator=generator, device="cpu").tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _lengths_of_fractions(total: int, fractions: Sequence[float]) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=3)
    return lengths
