"""In what order samples come: a sampler is an iterable of indices, or of lists of indices, one list a batch."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

from minigrad.autograd.dtypes import float64
from minigrad.ops.creation import as_tensor
from minigrad.ops.random import randint, randperm
from minigrad.ops.sampling import multinomial

Key = TypeVar("Key", covariant=True)


class Sampler(Generic[Key]):
    """Base of the samplers: a subclass defines `__iter__()`, and `__len__()` if the length is known.

    PyTorch's `torch.utils.data.Sampler`.
    """

    def __iter__(self) -> Iterator[Key]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... to the last sample of `data_source`.

    PyTorch's `torch.utils.data.SequentialSampler`.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order in every epoch.

    Args:
        data_source: what is drawn from; its length counts.
        replacement: draw each index anew, so that samples may come twice.
        num_samples: how many to draw, `len(data_source)` when None. Without replacement a sample comes again only
            after all others have come.
        generator: source of randomness; the default generator (see `manual_seed`) when None.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: the number of samples is not a positive int.

    PyTorch's `torch.utils.data.RandomSampler`.

    >>> sorted(RandomSampler("abcd"))
    [0, 1, 2, 3]
    """

    def __init__(self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not _is_positive(self.num_samples):
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from randint(0, size, (left,), generator=self.generator, device="cpu").tolist()
            return
        while left > 0:
            yield from randperm(size, generator=self.generator, device="cpu").tolist()[:left]
            left -= size

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given indices in a new random order in every epoch.

    Args:
        indices: what to draw from.
        generator: source of randomness; the default generator when None.

    PyTorch's `torch.utils.data.SubsetRandomSampler`.

    >>> sorted(SubsetRandomSampler([7, 3, 5]))
    [3, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities.

    Args:
        weights: the weight of each index, not necessarily adding up to 1.
        num_samples: how many to draw.
        replacement: whether an index may come twice.
        generator: source of randomness; the default generator when None.

    Raises:
        ValueError: `num_samples` is not a positive int, `replacement` not a bool, or the weights are not in one line.

    PyTorch's `torch.utils.data.WeightedRandomSampler`.

    >>> list(WeightedRandomSampler([0.0, 2.0, 0.0], num_samples=3))
    [1, 1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator=None):
        if not _is_positive(num_samples):
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = as_tensor(weights, dtype=float64, device="cpu")
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Indices of another sampler in lists of `batch_size`.

    Args:
        sampler: any iterable of indices.
        batch_size: length of the lists.
        drop_last: leave out the last list when it is shorter.

    Raises:
        ValueError: `batch_size` is not a positive int or `drop_last` not a bool.

    PyTorch's `torch.utils.data.BatchSampler`.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        if not _is_positive(batch_size):
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while len(batch := list(itertools.islice(indices, self.batch_size))) == self.batch_size:
            yield batch
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)


def _is_positive(number) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
