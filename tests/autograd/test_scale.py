"""Depth, sharing and threads: no recursion, linear work, the same result from every thread."""

import gc
import sys
import threading
import weakref

import numpy as np

import minigrad as mg


class Count(mg.autograd.Operation):
    """Identity that counts its backward calls."""

    formula = "dx = dy"
    calls = 0

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        Count.calls += 1
        return dy


def test_a_chain_of_100_000_additions_runs_and_is_freed():
    x = mg.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    assert sys.getrecursionlimit() < 100_000
    y.backward()
    assert x.grad.item() == 1.0
    last = weakref.ref(y.grad_fn)
    del y  # frees 100,000 nodes one after another
    gc.collect()
    assert last() is None


def test_a_long_chain_is_freed_without_backward():
    x = mg.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    first = weakref.ref(y.grad_fn)
    del y
    assert first() is None


def test_a_long_chain_of_in_place_writes():
    x = mg.ones(1, requires_grad=True)
    y = x * 1.0
    for _ in range(10_000):
        y += 1.0
    y.backward()
    assert x.grad.item() == 1.0


def test_residual_blocks_are_visited_once_each():
    blocks, Count.calls = 1000, 0
    x = mg.ones(2, dtype=mg.float64, requires_grad=True)
    y = x
    for _ in range(blocks):
        y = y + Count.apply(y) * 1e-3
    y.sum().backward()
    assert Count.calls == blocks
    np.testing.assert_allclose(x.grad.numpy(), (1 + 1e-3) ** blocks)


def test_diamonds_are_visited_once_each():
    depth, Count.calls = 200, 0  # 2²⁰⁰ paths
    x = mg.ones(1, dtype=mg.float64, requires_grad=True)
    y = x
    for _ in range(depth):
        y = Count.apply(y)
        y = (y + y) * 0.5
    y.backward()
    assert Count.calls == depth
    assert x.grad.item() == 1.0


def test_only_paths_to_the_inputs_are_walked():
    Count.calls = 0
    x, y = mg.ones(1, requires_grad=True), mg.ones(1, requires_grad=True)
    z = Count.apply(x) * 2 + y
    for _ in range(10):
        z = z + Count.apply(x)
    mg.autograd.grad(z, y)
    assert Count.calls == 0


def test_the_graph_does_not_outlive_its_result():
    x = mg.ones(3, requires_grad=True)
    y = x.exp()
    node = weakref.ref(y.grad_fn)
    loss = y.sum()
    loss.backward()
    del y, loss
    assert node() is None


def _gradients(seed):
    rng = np.random.default_rng(seed)
    x = mg.from_numpy(rng.standard_normal((4, 3, 8, 8)).astype("float32")).requires_grad_()
    weight = mg.from_numpy(rng.standard_normal((5, 3, 3, 3)).astype("float32")).requires_grad_()
    y = mg.nn.functional.max_pool2d(mg.nn.functional.conv2d(x, weight).tanh(), 2)
    mg.nn.functional.cross_entropy(y.flatten(1), mg.tensor([0, 1, 2, 3])).backward()
    return x.grad.numpy().tobytes() + weight.grad.numpy().tobytes()


def test_threads_do_not_disturb_each_other():
    expected, results = [_gradients(seed) for seed in range(4)], [None] * 8

    def work(i):
        with mg.no_grad() if i % 2 else mg.enable_grad():
            mg.ones(2) * 2
        results[i] = [_gradients(i % 4) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[expected[i % 4]] * 3 for i in range(8)]


def test_one_leaf_may_get_gradients_from_several_graphs_one_after_another():
    w = mg.ones(3, requires_grad=True)
    losses = [(w * float(i)).sum() for i in range(5)]
    for loss in reversed(losses):
        loss.backward()
    assert w.grad.tolist() == [10.0] * 3
