"""Convolution, forward and both gradients, against torch: GFLOP/s, ratios.

Run `python -m benchmarks.bench_conv [--seconds S] [--threads N] [--only TEXT]`; needs torch.
"""

import argparse
import math

import numba
import numpy as np
import torch
from minigrad.kernels import cpu

from .timing import interleave, machine

# name: (N, C, size, K, kernel, stride, padding)
LAYERS = {
    "resnet18 1": (8, 3, 224, 64, 7, 2, 3),
    "resnet18 2": (8, 64, 56, 64, 3, 1, 1),
    "resnet18 3": (8, 64, 56, 128, 3, 2, 1),
    "resnet18 4": (8, 128, 28, 128, 3, 1, 1),
    "resnet18 5": (8, 256, 14, 256, 3, 1, 1),
    "resnet18 6": (8, 512, 7, 512, 3, 1, 1),
    "resnet50 1x1": (8, 256, 56, 64, 1, 1, 0),
    "resnet20 1": (128, 3, 32, 16, 3, 1, 1),
    "resnet20 2": (128, 16, 32, 16, 3, 1, 1),
    "resnet20 3": (128, 16, 32, 32, 3, 2, 1),
    "resnet20 4": (128, 32, 16, 32, 3, 1, 1),
    "resnet20 5": (128, 64, 8, 64, 3, 1, 1),
    "lenet 1": (64, 1, 32, 6, 5, 1, 0),
    "lenet 2": (64, 6, 14, 16, 5, 1, 0),
    "lenet 3": (64, 16, 5, 120, 5, 1, 0),
}


def channels_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def candidates(layer):
    """(GFLOP, {operation: {who: function}}) of one layer."""
    n, c, size, k, kernel, stride, padding = layer
    rng = np.random.default_rng(0)
    x = channels_last(rng.standard_normal((n, c, size, size), np.float32))
    weight = rng.standard_normal((k, c, kernel, kernel), np.float32)
    geometry = (stride,) * 2, ((padding,) * 2,) * 2, (1, 1), 1
    y = cpu.conv_forward(x, weight, None, *geometry)
    dy = channels_last(rng.standard_normal(y.shape, np.float32))
    layouts = {"torch NCHW": torch.contiguous_format, "torch channels-last": torch.channels_last}
    tensors = {
        name: [torch.from_numpy(array).contiguous(memory_format=layout) for array in (dy, x, weight)]
        for name, layout in layouts.items()
    }

    def backward(arrays, mask):
        return lambda: torch.ops.aten.convolution_backward(
            *arrays, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask
        )

    def forward(arrays):
        return lambda: torch.nn.functional.conv2d(arrays[1], arrays[2], None, stride, padding)

    ours = {
        "forward": lambda: cpu.conv_forward(x, weight, None, *geometry),
        "input grad": lambda: cpu.conv_input_grad(dy, weight, x.shape, *geometry),
        "weight grad": lambda: cpu.conv_weight_grad(dy, x, weight.shape, *geometry),
    }
    masks = {"input grad": [True, False, False], "weight grad": [False, True, False]}
    operations = {
        operation: {"minigrad": function}
        | {
            name: backward(arrays, masks[operation]) if operation in masks else forward(arrays)
            for name, arrays in tensors.items()
        }
        for operation, function in ours.items()
    }
    return 2 * y.size * c * kernel**2 / 1e9, operations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--only", default="", help="layers whose name contains this")
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"## Convolution\n\n{machine()}; torch {torch.__version__}\nbest of many, GFLOP/s\n")
    print("| layer | operation | minigrad | torch NCHW | torch channels-last | median to torch's better |")
    print("|---|---|---|---|---|---|")
    ratios = {}
    for name, layer in LAYERS.items():
        if options.only not in name:
            continue
        gflop, operations = candidates(layer)
        for operation, functions in operations.items():
            with torch.no_grad():
                times = interleave(functions, options.seconds)
            speed = {who: gflop / best for who, (_, best) in times.items()}
            medians = {who: median for who, (median, _) in times.items()}
            ratio = min(medians["torch NCHW"], medians["torch channels-last"]) / medians["minigrad"]
            ratios.setdefault(operation, []).append(ratio)
            print(
                f"| {name} {layer} | {operation} | {speed['minigrad']:.0f} | "
                f"{speed['torch NCHW']:.0f} | {speed['torch channels-last']:.0f} | {ratio:.2f} |",
                flush=True,
            )
    for operation, values in ratios.items():
        print(f"\n{operation}: {math.prod(values) ** (1 / len(values)):.2f} times torch's better (geometric mean)")


if __name__ == "__main__":
    main()
