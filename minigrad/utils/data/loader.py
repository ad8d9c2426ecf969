"""`DataLoader`: a data set, in some order, in batches, made by the calling thread or ahead of it by workers."""

import functools
import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import Generic

from minigrad.ops.random import lend, randint

from .collate import Columns, default_collate, default_convert, pin_memory
from .dataset import Dataset, IterableDataset, Sample
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from .workers import DRAWS, Work, Workers

_NONE = object()
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
        num_workers: how many workers make batches ahead; 0 makes them in the calling thread when they are asked for.
        collate_fn: makes a batch of a list of samples; `default_collate`, or `default_convert` for single samples,
            when None.
        pin_memory: put batches into page-locked memory, from which `.to("cuda", non_blocking=True)` overlaps with the
            GPU's work; without a GPU nothing happens. A batch of a class of its own is asked for `pin_memory()`.
        drop_last: leave out the last batch when it is smaller.
        timeout: seconds to wait for a worker's batch before a RuntimeError; 0 waits for ever.
        worker_init_fn: called in each worker with its number, before it makes its first batch.
        multiprocessing_context: None for workers that are threads of this process; "spawn" (or another start method or
            context of `multiprocessing`) for processes, to which data set, transforms and `collate_fn` are pickled.
        generator: source of randomness of `shuffle`; the default generator when None.
        prefetch_factor: batches that each worker makes ahead, 2 when None.
        persistent_workers: keep the workers from epoch to epoch.

    Raises:
        ValueError: an option is out of range, or two exclude each other.
        RuntimeError: a worker died, or `timeout` passed.
        Any error: what a data set raises in a worker reaches the caller as it is, with its traceback.

    Batches come in the same order, with the same random numbers of minigrad's in them, for any number of workers of any
    kind: each batch draws from a stream of its own. (Python's `random` and NumPy's global generator are the process's:
    threads share them in no certain order.) A stream (`IterableDataset`) is iterated by every worker: it asks
    `get_worker_info` for its share.

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
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self._workers: Workers | None = None
        self._seed: int | None = None  # of the epoch under way
        self._position = 0  # batches that it has handed out
        self._order = None  # where `generator` was when it began
        self._resumed: tuple | None = None
        self._complete = True

    def __iter__(self) -> Iterator:
        if self._resumed is None:
            self._order = None if self.generator is None else self.generator.get_state()
            self._seed = int(randint(2**62, (), generator=self.generator, device="cpu"))
            self._position = 0
        else:
            self._order, self._seed, self._position = self._resumed
            self._resumed = None
            if self._order is not None:  # draw once more what the epoch began with
                self.generator.set_state(self._order)
                randint(2**62, (), generator=self.generator, device="cpu")
        return self._epoch(self._seed, self._position)

    def _epoch(self, seed: int, start: int) -> Iterator:
        """The batches of the epoch of `seed` from number `start` on."""
        batches = self._loaded(seed, start) if self.num_workers == 0 else self._worked(seed, start)
        for position, batch in enumerate(batches, start + 1):
            self._position = position
            yield pin_memory(batch) if self.pin_memory else batch
        self._seed = None

    def _indices(self, seed: int, start: int) -> Iterator[tuple]:
        """(position, indices of the batch) from `start` on; what the samplers draw depends on the seed alone."""
        if isinstance(self.dataset, IterableDataset):
            yield from ((position, None) for position in itertools.count(start))
        batches = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        for position in itertools.count():
            with lend(seed, DRAWS + position):
                batch = next(batches, _NONE)
            if batch is _NONE:
                return
            if position >= start:
                yield position, batch

    def _loaded(self, seed: int, start: int) -> Iterator:
        """The batches, made in the calling thread."""
        if isinstance(self.dataset, IterableDataset):
            yield from itertools.islice(self._stream(self.dataset), start, None)
            return
        for position, indices in self._indices(seed, start):
            with lend(seed, position):
                batch = self._fetch(self.dataset, indices)
            yield batch

    def _worked(self, seed: int, start: int) -> Iterator:
        """The batches, made by workers."""
        workers = self._workers
        if workers is None:
            stream = self._stream if isinstance(self.dataset, IterableDataset) else None
            work = Work(self.dataset, self._fetch, stream, self.worker_init_fn)
            workers = Workers(
                work, self.num_workers, self.multiprocessing_context, self.prefetch_factor, self.timeout, seed
            )
        if self.persistent_workers:
            self._workers = workers
        try:
            batches = workers.run(seed, self._indices(seed, 0 if isinstance(self.dataset, IterableDataset) else start))
            yield from itertools.islice(batches, start, None) if isinstance(self.dataset, IterableDataset) else batches
        finally:
            if not self.persistent_workers:
                workers.close()

    @property
    def _stream(self) -> Callable:
        """The function from a stream to the iterator over its batches."""
        size, drop_last = (None, False) if self.batch_sampler is None else (self.batch_size, self.drop_last)
        return functools.partial(_batches, collate_fn=self.collate_fn, size=size, drop_last=drop_last)

    @property
    def _fetch(self) -> Callable:
        """The function from the data set and what the sampler yields to a batch."""
        return functools.partial(_fetch, collate_fn=self.collate_fn, single=self.batch_sampler is None)

    def state_dict(self) -> dict:
        """Where in its epoch the loader is: batches handed out, and what the epoch's order and random numbers grew of.

        A loader of the same arguments that is given this (`load_state_dict`) goes on with the next batch, bit for bit.
        Between epochs it says so, and a new epoch begins; a loop left early counts as interrupted, not as over. The
        name is torchdata's `StatefulDataLoader`'s.
        """
        if self._seed is None:
            return {"seed": None, "position": 0, "order": None}
        return {"seed": self._seed, "position": self._position, "order": self._order}

    def load_state_dict(self, state_dict: dict) -> None:
        """Let the next `for` go on where the loader was that `state_dict()` came from."""
        if set(state_dict) != {"seed", "position", "order"}:
            raise ValueError(f"not a state of a DataLoader: its keys are {sorted(state_dict)}")
        if state_dict["seed"] is None:
            self._resumed = None
        else:
            self._resumed = state_dict["order"], state_dict["seed"], state_dict["position"]

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset) and self.batch_size is None:
            return len(self.dataset)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __setattr__(self, name: str, value) -> None:
        if self._complete and name in FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)


def _fetch(dataset, indices, *, collate_fn, single):
    """The batch at `indices`, a list, or the sample at one; only `default_collate` knows `Columns`."""
    if single:
        return collate_fn(dataset[indices])
    if not getattr(dataset, "__getitems__", None):
        return collate_fn([dataset[index] for index in indices])
    samples = dataset.__getitems__(indices)
    columns = isinstance(samples, Columns) and collate_fn is not default_collate
    return collate_fn(list(samples) if columns else samples)


def _batches(dataset, *, collate_fn, size, drop_last):
    """The batches of a stream: `size` samples each, or single samples."""
    samples = dataset if size is None else BatchSampler(dataset, size, drop_last)
    return map(collate_fn, samples)


def _check_workers(num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers > 0:
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError("prefetch_factor option should be non-negative; at least one batch is made ahead")
        known = multiprocessing.get_all_start_methods()
        if isinstance(multiprocessing_context, str) and multiprocessing_context not in known:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{known!r}, but got multiprocessing_context={multiprocessing_context!r}"
            )
        return
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
