"""The matrix product against NumPy and torch: GFLOP/s, ratios.

Run `python -m benchmarks.bench_matmul [--seconds S] [--threads N]`; needs torch.
"""

import argparse
import math
import sys

import numba
import numpy as np
import torch

from minigrad.kernels import cpu

from .timing import interleave, machine

# (M, K, N): a linear layer forward, its input gradient and its weight gradient are a @ b, a @ b.T and a.T @ b.
SHAPES = [(64, 120, 84), (64, 84, 10), (64, 400, 120), (128, 784, 512), (256, 1024, 1024)]
SQUARES = [(n, n, n) for n in (64, 128, 256, 512, 1024, 2048, 4096)]
VECTORS = [(1, 1024, 1024), (1024, 1024, 1), (4096, 4096, 1)]
BATCHES = [(32, 64, 64, 64), (128, 128, 32, 128), (16, 256, 256, 256)]  # (B, M, K, N)


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    options = parser.parse_args(arguments)
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"## Matrix product\n\n{machine()}; torch {torch.__version__}\nbest of many, GFLOP/s\n")
    print("| (B,) M, K, N | product | minigrad | NumPy | torch | median to the better of the two |")
    print("|---|---|---|---|---|---|")
    ratios = []
    rng = np.random.default_rng(0)
    for *batch, m, k, n in (*SHAPES, *SQUARES, *VECTORS, *BATCHES):
        a, b = rng.standard_normal((*batch, m, k), np.float32), rng.standard_normal((*batch, k, n), np.float32)
        factors = {
            "a @ b": (a, b),
            "a @ b.T": (a, np.ascontiguousarray(b.mT).mT),
            "a.T @ b": (np.ascontiguousarray(a.mT).mT, b),
        }
        for product, (left, right) in factors.items():
            tensors = torch.from_numpy(left), torch.from_numpy(right)
            times = interleave(
                {
                    "minigrad": lambda left=left, right=right: cpu.matmul(left, right),
                    "NumPy": lambda left=left, right=right: left @ right,
                    "torch": lambda tensors=tensors: tensors[0] @ tensors[1],
                },
                options.seconds,
            )
            speed = {who: 2 * math.prod(batch) * m * k * n / best / 1e9 for who, (_, best) in times.items()}
            ratio = min(times["NumPy"][0], times["torch"][0]) / times["minigrad"][0]
            ratios.append(ratio)
            print(
                f"| {', '.join(map(str, (*batch, m, k, n)))} | {product} | {speed['minigrad']:.0f} | "
                f"{speed['NumPy']:.0f} | {speed['torch']:.0f} | {ratio:.2f} |",
                flush=True,
            )
    print(f"\n{math.prod(ratios) ** (1 / len(ratios)):.2f} times the better of the two (geometric mean)")


if __name__ == "__main__":
    main(sys.argv[1:])
