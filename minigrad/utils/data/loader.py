"""`DataLoader`: a data set, in some order, in batches. It loads in the calling process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic

from .collate import Columns, default_collate, default_convert
from .dataset import Dataset, IterableDataset, Sample
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset"}


class DataLoader(Generic[Sample]):
    """An iterable over the batches of a data set; every `for` is one epoch.

    With `shuffle`, each epoch comes in a new order, which `generator` or `manual_seed` makes reproducible. A data set
    that offers `__getitems__` is asked for a whole batch at once. A batch is what `collate_fn` makes of a list of
    samples.

    Args:
        dataset: where the samples come from.
        batch_size: samples a batch; None for samples that are not batched.
        shuffle: a new random order in each epoch.
        sampler: an iterable of indices, in place of `shuffle`.
        batch_sampler: an iterable of lists of indices, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: 0, there are no worker processes yet.
        collate_fn: makes a batch of a list of samples; `default_collate`, or `default_convert` for single samples,
            when None.
        pin_memory: accepted for PyTorch's scripts and of no effect: batches are in host memory.
        drop_last: leave out the last batch when it is smaller.
        timeout, worker_init_fn: for worker processes, of no effect without them.
        multiprocessing_context, prefetch_factor, persistent_workers: for worker processes, an error without them.
        generator: source of randomness of `shuffle`; the default generator when None.

    Raises:
        ValueError: an option is out of range, or two exclude each other.

    PyTorch's `torch.utils.data.DataLoader`.

    >>> list(DataLoader(range(5), batch_size=2))
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """

    _complete = False  # until __init__ is through

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler | Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable | None = None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ):
        _check_workers(num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers)
        streamed = isinstance(dataset, IterableDataset)
        if streamed:
            _check_stream(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")

        if sampler is None and not streamed:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(dataset if streamed else sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self._complete = True

    def __iter__(self) -> Iterator:
        if isinstance(self.dataset, IterableDataset):
            samples = self.dataset if self.batch_size is None else self.batch_sampler  # a stream cut into lists
        elif self.batch_sampler is None:
            samples = (self.dataset[index] for index in self.sampler)
        else:
            samples = (self._fetch(indices) for indices in self.batch_sampler)
        return map(self.collate_fn, samples)

    def _fetch(self, indices):
        """The samples at `indices`, as the list that a `collate_fn` expects; only `default_collate` knows `Columns`."""
        if not getattr(self.dataset, "__getitems__", None):
            return [self.dataset[index] for index in indices]
        samples = self.dataset.__getitems__(indices)
        columns = isinstance(samples, Columns) and self.collate_fn is not default_collate
        return list(samples) if columns else samples

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset) and self.batch_size is None:
            return len(self.dataset)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __setattr__(self, name: str, value) -> None:
        if self._complete and name in FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)


def _check_workers(num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if num_workers > 0:
        raise ValueError(
            f"num_workers={num_workers}: worker processes are not there yet\n"
            "hint: pass num_workers=0, which loads in the calling process"
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if prefetch_factor is not None:
        raise ValueError("prefetch_factor option could only be specified in multiprocessing; it needs num_workers > 0")
    if persistent_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if multiprocessing_context is not None:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={num_workers}"
        )


def _check_stream(shuffle, sampler, batch_sampler) -> None:
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )
