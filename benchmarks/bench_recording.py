"""What recording an operation costs: 64 floats, where the time goes to Python rather than to arithmetic.

Microseconds, the median (and the best) of many runs, beside PyTorch in the same run, one thread each.
"""

import numpy as np
import torch

import minigrad

from .timing import interleave, machine

REPEATS = 100  # of the single operations, so that the clock costs nothing


def programs(m):
    """{name: function without arguments} for one library."""
    values = np.random.default_rng(0).random((2, 64), dtype=np.float32)
    a, b = m.from_numpy(values[0].copy()), m.from_numpy(values[1].copy())
    x, y = a.clone().requires_grad_(), b.clone().requires_grad_()

    def repeated(operation):
        def run():
            for _ in range(REPEATS):
                operation()

        return run

    def chain(link):
        def run():
            z = x
            for _ in range(100):
                z = link(z)
            x.grad = None
            z.sum().backward()

        return run

    return {
        "a + b": repeated(lambda: a + b),
        "a + b, recorded": repeated(lambda: x + y),
        "a * b, recorded": repeated(lambda: x * y),
        "a * 2, recorded": repeated(lambda: x * 2),
        "100 additions, forward and backward": chain(lambda z: z + y),
        "100 additions of one leaf, forward and backward": chain(lambda z: z + x),
        "100 products with a number, forward and backward": chain(lambda z: z * 1.01),
        "100 products, forward and backward": chain(lambda z: z * y),
        "100 tanh, forward and backward": chain(lambda z: z.tanh()),
    }


def main():
    """Print the table."""
    torch.set_num_threads(1)
    ours, theirs = programs(minigrad), programs(torch)
    print(f"{machine()}, torch {torch.__version__}")
    print("| µs, median (best) | minigrad | torch | torch / minigrad |\n|---|---|---|---|")
    for name in ours:
        times = interleave({"minigrad": ours[name], "torch": theirs[name]}, seconds=1.0)
        count = REPEATS if name.startswith("a ") else 1
        (mine, best), (their, their_best) = (times[m] for m in ("minigrad", "torch"))
        mine, best, their, their_best = (t * 1e6 / count for t in (mine, best, their, their_best))
        print(f"| {name} | {mine:.2f} ({best:.2f}) | {their:.2f} ({their_best:.2f}) | {their / mine:.2f} |")


if __name__ == "__main__":
    main()
