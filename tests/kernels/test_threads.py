"""The number of threads: PyTorch's manners, and the same bits for any number."""

import threading

import numba
import pytest
from torch_oracle import torch

import minigrad as mg
from minigrad.nn import functional as F


@pytest.fixture(autouse=True)
def _restored():
    ours, theirs = mg.get_num_threads(), torch.get_num_threads()
    yield
    mg.set_num_threads(ours)
    torch.set_num_threads(theirs)


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", True, None])
def test_what_is_no_number_of_threads(number):
    with pytest.raises(RuntimeError) as theirs:
        torch.set_num_threads(number)
    with pytest.raises(RuntimeError) as ours:
        mg.set_num_threads(number)
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_the_number_is_kept_up_to_what_there_is():
    mg.set_num_threads(1)
    assert mg.get_num_threads() == 1
    mg.set_num_threads(10_000)
    assert mg.get_num_threads() == numba.config.NUMBA_NUM_THREADS


def test_it_is_that_of_the_calling_thread():
    before, seen = mg.get_num_threads(), []

    def work():
        mg.set_num_threads(1)
        seen.append(mg.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1]
    assert mg.get_num_threads() == before


def test_a_training_step_gives_the_same_bits_on_any_number_of_threads():
    images, labels = mg.randn(16, 3, 32, 32), mg.arange(16) % 10

    def train():
        mg.manual_seed(0)
        model = mg.vision.models.resnet20()
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        for _ in range(2):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        tensors = [loss, *model.parameters(), *model.buffers(), *[p.grad for p in model.parameters()]]
        return [tensor.numpy(force=True).tobytes() for tensor in tensors]

    results = []
    for number in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        mg.set_num_threads(number)
        results.append(train())
    assert all(result == results[0] for result in results)
