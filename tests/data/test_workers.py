"""Workers, threads and processes: the same batches for any number of them, errors, ends, and going on where one was."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import numpy as np
import pytest

import minigrad as mg
from minigrad.utils import data


class Noisy(data.Dataset):
    """Samples with random numbers in them; a thread waits a little at some, so that workers overtake each other."""

    def __init__(self, length=23):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index % 5 == 0:
            time.sleep(0.002)
        return index, mg.rand(2), float(mg.randn(()))


class Shared(data.IterableDataset):
    """A stream that its workers share."""

    def __init__(self, length):
        self.length = length

    def __iter__(self):
        info = data.get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.length, step))


class Failing(data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == 4:
            raise KeyError("no such picture")
        return index


class Dying(Failing):
    def __getitem__(self, index):
        if index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def epochs(count=2, dataset=None, **options):
    mg.manual_seed(7)
    loader = data.DataLoader(dataset or Noisy(), batch_size=3, shuffle=True, **options)
    return [[field.tolist() for field in batch] for _ in range(count) for batch in loader], mg.rand(2).tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 1},
        {"num_workers": 3},
        {"num_workers": 4, "prefetch_factor": 1, "persistent_workers": True},
        {"num_workers": 2, "multiprocessing_context": "spawn", "persistent_workers": True},
    ],
    ids=str,
)
def test_batches_do_not_depend_on_the_workers(options):
    assert epochs(**options) == epochs()


def test_each_sample_of_an_epoch_has_its_own_random_numbers():
    batches, _ = epochs(count=2)
    drawn = [tuple(pair) for _, pairs, _ in batches for pair in pairs]
    assert len(set(drawn)) == len(drawn) == 46


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 4, None])
def test_a_stream_is_shared_by_its_workers(workers, size):
    loader = data.DataLoader(Shared(10), batch_size=size, num_workers=workers)
    batches = [np.atleast_1d(batch if size is None else batch.numpy()).tolist() for batch in loader]
    assert sorted(number for batch in batches for number in batch) == list(range(10))
    if workers == 2 and size == 4:
        assert batches == [[0, 2, 4, 6], [1, 3, 5, 7], [8], [9]]


def test_same_stream_batches_as_torch():
    torch_data = pytest.importorskip("torch.utils.data")

    class Counting(torch_data.IterableDataset):
        def __iter__(self):
            return iter(range(7))

    theirs = [batch.tolist() for batch in torch_data.DataLoader(Counting(), batch_size=3, num_workers=0)]
    assert [batch.tolist() for batch in data.DataLoader(Shared(7), batch_size=3, num_workers=1)] == theirs


@pytest.mark.parametrize("context", [None, "spawn"])
def test_a_workers_error_reaches_the_caller_with_its_traceback(context):
    loader = data.DataLoader(Failing(), num_workers=1, multiprocessing_context=context)
    with pytest.raises(KeyError, match="no such picture") as caught:
        list(loader)
    shown = "".join(traceback.format_exception(caught.value))
    assert "__getitem__" in shown and "test_workers.py" in shown
    assert f"Caught in DataLoader worker {'thread' if context is None else 'process'} 0" in shown


def test_a_failing_init_function_reaches_the_caller():
    def refuse(number):
        raise OSError(f"worker {number} has no disk")

    with pytest.raises(OSError, match="worker 0 has no disk"):
        list(data.DataLoader(range(3), num_workers=2, worker_init_fn=refuse))


def test_init_function_and_info():
    seen = []

    def note(number):
        info = data.get_worker_info()
        seen.append((number, info.id, info.num_workers, info.dataset is dataset))

    dataset = Noisy(4)
    list(data.DataLoader(dataset, num_workers=2, worker_init_fn=note))
    assert sorted(seen) == [(0, 0, 2, True), (1, 1, 2, True)] and data.get_worker_info() is None


def test_a_killed_worker_is_a_clear_error():
    with pytest.raises(RuntimeError, match=r"DataLoader worker process \d exited unexpectedly\nhint: "):
        list(data.DataLoader(Dying(), num_workers=1, multiprocessing_context="spawn"))


def test_timeout():
    class Slow(Failing):
        def __getitem__(self, index):
            time.sleep(0.5)

    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.05 seconds"):
        next(iter(data.DataLoader(Slow(), num_workers=1, timeout=0.05)))


def test_the_data_sets_own_timeout_is_its_own():
    class Late(Failing):
        def __getitem__(self, index):
            raise TimeoutError("the server is late")

    with pytest.raises(TimeoutError, match="the server is late"):
        list(data.DataLoader(Late(), num_workers=1, timeout=60))


def test_breaking_off_an_epoch_ends_its_workers():
    before = threading.active_count()
    for _ in range(3):
        for _ in data.DataLoader(Noisy(1000), num_workers=3):
            break
    assert threading.active_count() <= before


SCRIPT = """
    import os, signal, sys, time
    from minigrad.utils.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            print("worker", os.getpid(), flush=True)
            time.sleep(0.2)
            return index

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's parent may have had it ignored
        for _ in DataLoader(Slow(), num_workers=1, multiprocessing_context="spawn"):
            pass
"""


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_program_leaves_no_process_behind(tmp_path, blow):
    path = tmp_path / "slow.py"
    path.write_text(textwrap.dedent(SCRIPT))
    program = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    worker = int(program.stdout.readline().split()[1])
    program.send_signal(blow)
    _, errors = program.communicate(timeout=300)
    for _ in range(1200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the worker is still there")
    assert program.returncode != 0
    assert errors.count("KeyboardInterrupt") == (blow == signal.SIGINT)


# going on where a loader was ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("generator", [False, True])
@pytest.mark.parametrize("stop", [0, 3, 7, 8, 11])
def test_a_loader_goes_on_where_another_was(workers, generator, stop):
    def loader():
        own = mg.Generator().manual_seed(3) if generator else None
        return data.DataLoader(Noisy(), 3, shuffle=True, num_workers=workers, generator=own)

    def take(loader, count):
        """`count` batches, over the ends of epochs; after each a number that somebody else draws."""
        taken = []
        while len(taken) < count:
            for batch in loader:
                taken.append([field.tolist() for field in batch] + [mg.rand(1).item()])
                if len(taken) == count:
                    yield taken  # in the middle of an epoch
                    return
        yield taken

    mg.manual_seed(5)
    whole = next(take(loader(), 20))
    mg.manual_seed(5)
    first = loader()
    part = take(first, stop)
    begun = next(part)
    state, place = first.state_dict(), mg.get_rng_state()
    own = None if first.generator is None else first.generator.get_state()

    mg.manual_seed(99)
    second = loader()
    second.load_state_dict(state)
    if own is not None:
        second.generator.set_state(own)
    mg.set_rng_state(place)
    assert begun + next(take(second, 20 - stop)) == whole


def test_a_state_of_something_else_is_refused():
    with pytest.raises(ValueError, match="not a state of a DataLoader"):
        data.DataLoader(range(3)).load_state_dict({"epoch": 3})


def test_weighted_sampler():
    mg.manual_seed(0)
    drawn = list(data.WeightedRandomSampler([0.1, 0.9, 0.0], 1000))
    assert len(drawn) == 1000 and 2 not in drawn and 50 < drawn.count(0) < 150
    assert sorted(data.WeightedRandomSampler(mg.ones(4), 4, replacement=False)) == [0, 1, 2, 3]
    for bad in ({"num_samples": 0}, {"num_samples": 2, "replacement": 1}):
        with pytest.raises(ValueError):
            data.WeightedRandomSampler([1.0], **bad)
