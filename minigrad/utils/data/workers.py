"""Workers that load batches ahead: threads of this process, or processes of their own, each with its share of them."""

import contextlib
import enum
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from minigrad.kernels.threads import set_num_threads
from minigrad.ops.random import lend


@dataclass
class WorkerInfo:
    """What a worker knows of itself: its number, how many there are, its seed and its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here = threading.local()  # in a worker: `info`, and `batches`, the iterator over its share of a stream


def get_worker_info() -> WorkerInfo | None:
    """What the calling worker knows of itself; None outside of workers (`torch.utils.data.get_worker_info`).

    An `IterableDataset` asks it for its share of the stream: `info.id` of `info.num_workers`.

    >>> get_worker_info() is None
    True
    """
    return getattr(_here, "info", None)


@dataclass
class Work:
    """What a worker needs to make batches: all of it must survive pickling where workers are processes."""

    dataset: Any
    fetch: Callable  # fetch(dataset, indices): the batch of these indices
    stream: Callable | None  # stream(dataset): an iterator over a stream's batches
    worker_init_fn: Callable | None


class _End(enum.Enum):
    """What a worker answers when its share of a stream is through."""

    OF_STREAM = 0


_CALLS = 2**63 - 1  # random streams of an epoch: from 0 on the batches', from here down the workers' own
DRAWS = 2**63  # and from here on the samplers'


def _live(lifeline) -> None:
    """Start a process of its own: leave Ctrl-C and the cores to the parent; end when told to, or when it has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_num_threads(1)
    threading.Thread(target=_await_end, args=(lifeline,), daemon=True).start()


def _await_end(lifeline) -> None:
    multiprocessing.connection.wait([lifeline, multiprocessing.parent_process().sentinel])  # type: ignore[union-attr]
    os._exit(0)


def _enter(work: Work, number: int, count: int, seed: int) -> None:
    """Become worker `number`."""
    _here.work = work
    _here.info = WorkerInfo(number, count, seed + number, work.dataset)
    if work.worker_init_fn is not None:
        with lend(seed, _CALLS - number):
            work.worker_init_fn(number)


def _begin(seed: int) -> None:
    """Start an epoch of a stream."""
    _here.info.seed = seed + _here.info.id
    _here.batches = iter(_here.work.stream(_here.work.dataset)) if _here.work.stream is not None else None


def _make(seed: int, position: int, indices):
    """Batch `position` of the epoch of `seed`: random numbers depend on these two alone, not on which worker draws."""
    with lend(seed, position):
        if indices is None:
            return next(_here.batches, _End.OF_STREAM)
        return _here.work.fetch(_here.work.dataset, indices)


class Workers:
    """`count` workers that make batches in turn; batch i is worker i % count's.

    `context` is None for threads, otherwise a start method or context of `multiprocessing`.
    """

    def __init__(self, work: Work, count: int, context, ahead: int, timeout: float, seed: int):
        self.count, self.ahead, self.timeout = count, ahead, timeout
        self.kind = "thread" if context is None else "process"
        self.executors: list[Executor] = []
        self.lifelines: list = []
        for number in range(count):
            if context is None:
                self.executors.append(ThreadPoolExecutor(1, f"DataLoader worker {number}"))
            else:
                context = multiprocessing.get_context(context) if isinstance(context, str) else context
                end, lifeline = context.Pipe(duplex=False)
                self.executors.append(ProcessPoolExecutor(1, context, _live, (end,)))
                self.lifelines.append(lifeline)
        self.entered = [
            executor.submit(_enter, work, number, count, seed) for number, executor in enumerate(self.executors)
        ]

    def run(self, seed: int, indices: Iterator) -> Iterator:
        """The batches of an epoch in order; `indices` yields (position, indices of a batch), indices None for streams.

        What a worker raises is raised here, with a note that names the worker.
        """
        waiting: deque = deque()
        left = set(range(self.count))  # workers whose stream has not ended
        self.begun = [executor.submit(_begin, seed) for executor in self.executors]
        try:
            while True:
                while len(waiting) < self.ahead * self.count and (task := next(indices, None)) is not None:
                    position, batch = task
                    worker = position % self.count
                    if worker in left:
                        waiting.append((worker, self._submit(worker, seed, position, batch)))
                    elif not left:
                        break
                if not waiting:
                    return
                worker, future = waiting.popleft()
                batch = self._result(worker, future)
                if batch is _End.OF_STREAM:
                    left.discard(worker)
                else:
                    yield batch
        finally:
            for _, future in waiting:
                future.cancel()

    def _submit(self, worker: int, seed: int, position: int, batch):
        try:
            return self.executors[worker].submit(_make, seed, position, batch)
        except BrokenProcessPool as error:
            raise self._broken(worker) from error

    def _result(self, worker: int, future):
        try:
            for before in (self.entered[worker], self.begun[worker]):
                before.result(self.timeout or None)
            return future.result(self.timeout or None)
        except BrokenProcessPool as error:
            raise self._broken(worker) from error
        except TimeoutError as error:
            if future.done():
                raise  # the data set's own
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds") from error
        except Exception as error:
            error.add_note(f"Caught in DataLoader worker {self.kind} {worker}")
            raise

    def _broken(self, worker: int) -> RuntimeError:
        return RuntimeError(
            f"DataLoader worker {self.kind} {worker} exited unexpectedly\nhint: it was killed (by the system, if "
            "memory ran out), or what it needs cannot be unpickled there: with processes, a script's own work belongs "
            'under if __name__ == "__main__":'
        )

    def close(self) -> None:
        """End the workers: processes at once, threads when they have finished the batch that they are at."""
        for lifeline in self.lifelines:
            with contextlib.suppress(BrokenPipeError):
                lifeline.send_bytes(b"end")
        for executor in self.executors:
            executor.shutdown(wait=not self.timeout or self.kind == "process", cancel_futures=True)

    def __del__(self):
        with contextlib.suppress(RuntimeError):  # at the interpreter's end
            self.close()
