"""Convolution, forward and both gradients, against torch: GFLOP/s, share of the multiply-add limit, ratios, errors.

Run `python -m benchmarks.bench_conv [--seconds S] [--threads N] [--only TEXT]`; needs torch. The error is the largest
difference to float64 in terms of the largest output, and what it is in terms of torch's own (the better layout's).
"""

import argparse
import math
import sys
from typing import NamedTuple

import numba
import numpy as np
import torch

from minigrad.kernels import cpu
from minigrad.kernels.limits import multiply_add_limit

from .timing import interleave, machine


class Layer(NamedTuple):
    """Images of `size` pixels along each of `rank` axes; a transposed layer has the strides on its output's side."""

    n: int
    channels: int
    size: int
    filters: int
    kernel: int
    stride: int
    padding: int
    dilation: int = 1
    groups: int = 1
    transposed: bool = False
    rank: int = 2
    dtype: str = "float32"

    def __str__(self):
        extras = [
            f"{name} {value}" for name, value in self._asdict().items() if value != Layer._field_defaults.get(name)
        ]
        return f"{tuple(self[:7])} {', '.join(extras[7:])}".rstrip()

    @property
    def geometry(self):
        """stride, padding, dilation, groups as the kernels take them."""
        return (self.stride,) * self.rank, ((self.padding,) * 2,) * self.rank, (self.dilation,) * self.rank, self.groups


LAYERS = {
    "resnet18 1": Layer(8, 3, 224, 64, 7, 2, 3),
    "resnet18 2": Layer(8, 64, 56, 64, 3, 1, 1),
    "resnet18 3": Layer(8, 64, 56, 128, 3, 2, 1),
    "resnet18 4": Layer(8, 128, 28, 128, 3, 1, 1),
    "resnet18 5": Layer(8, 256, 14, 256, 3, 1, 1),
    "resnet18 6": Layer(8, 512, 7, 512, 3, 1, 1),
    "resnet50 1x1 in": Layer(8, 256, 56, 64, 1, 1, 0),
    "resnet50 1x1 out": Layer(8, 64, 56, 256, 1, 1, 0),
    "resnet20 1": Layer(128, 3, 32, 16, 3, 1, 1),
    "resnet20 2": Layer(128, 16, 32, 16, 3, 1, 1),
    "resnet20 3": Layer(128, 16, 32, 32, 3, 2, 1),
    "resnet20 4": Layer(128, 32, 16, 32, 3, 1, 1),
    "resnet20 5": Layer(128, 64, 8, 64, 3, 1, 1),
    "lenet 1": Layer(64, 1, 32, 6, 5, 1, 0),
    "lenet 2": Layer(64, 6, 14, 16, 5, 1, 0),
    "lenet 3": Layer(64, 16, 5, 120, 5, 1, 0),
    "alexnet 1": Layer(16, 3, 227, 96, 11, 4, 0),
    "depthwise": Layer(8, 128, 56, 128, 3, 1, 1, groups=128),
    "depthwise by 2": Layer(8, 128, 56, 128, 3, 2, 1, groups=128),
    "groups": Layer(8, 128, 28, 128, 3, 1, 1, groups=8),
    "dilated by 2": Layer(8, 64, 56, 64, 3, 1, 2, dilation=2),
    "dilated by 4": Layer(8, 64, 56, 64, 3, 1, 4, dilation=4),
    "transposed": Layer(8, 64, 28, 64, 4, 2, 1, transposed=True),
    "line": Layer(16, 64, 1024, 64, 5, 1, 2, rank=1),
    "volume": Layer(2, 32, 20, 32, 3, 1, 1, rank=3),
    "double": Layer(8, 64, 28, 64, 3, 1, 1, dtype="float64"),
}


def channels_last(x):
    """A copy of x in channels-last memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def torch_functions(layer, arrays):
    """{operation: function of no arguments} of torch for (dy, x, weight) tensors of any dtype and layout."""
    dy, x, weight = arrays
    rank = layer.rank
    options = (
        [layer.stride] * rank, [layer.padding] * rank, [layer.dilation] * rank, layer.transposed, [0] * rank,
        layer.groups,
    )  # fmt: skip

    def backward(mask):
        return lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, *options, mask)[mask.index(True)]

    return {
        "forward": lambda: torch.convolution(x, weight, None, *options),
        "input grad": backward([True, False, False]),
        "weight grad": backward([False, True, False]),
    }


def operations_of(layer):
    """(multiply-adds, {operation: {who: function of no arguments}}) of one layer; "float64" is the exact result."""
    rng = np.random.default_rng(0)
    inner = (layer.kernel,) * layer.rank
    x = channels_last(rng.standard_normal((layer.n, layer.channels, *(layer.size,) * layer.rank)).astype(layer.dtype))
    filters = (layer.channels, layer.filters) if layer.transposed else (layer.filters, layer.channels)
    weight = rng.standard_normal((filters[0], filters[1] // layer.groups, *inner)).astype(layer.dtype)
    y = torch_functions(layer, (None, torch.from_numpy(x), torch.from_numpy(weight)))["forward"]()
    dy = channels_last(rng.standard_normal(y.shape).astype(layer.dtype))
    geometry = layer.geometry
    ours = {
        "forward": lambda: cpu.conv_forward(x, weight, None, *geometry),
        "input grad": lambda: cpu.conv_input_grad(dy, weight, x.shape, *geometry),
        "weight grad": lambda: cpu.conv_weight_grad(dy, x, weight.shape, *geometry),
    }
    if layer.transposed:
        ours = {
            "forward": lambda: cpu.conv_input_grad(x, weight, dy.shape, *geometry),
            "input grad": lambda: cpu.conv_forward(dy, weight, None, *geometry),
            "weight grad": lambda: cpu.conv_weight_grad(x, dy, weight.shape, *geometry),
        }
    operations = {name: {"minigrad": function} for name, function in ours.items()}
    tensors = [torch.from_numpy(array) for array in (dy, x, weight)]
    layouts = {"torch NCHW": torch.contiguous_format}
    if layer.rank > 1:
        layouts["torch channels-last"] = torch.channels_last if layer.rank == 2 else torch.channels_last_3d
    variants = {who: [t.contiguous(memory_format=layout) for t in tensors] for who, layout in layouts.items()}
    variants["float64"] = [tensor.double() for tensor in tensors]
    for who, arrays in variants.items():
        for name, function in torch_functions(layer, arrays).items():
            operations[name][who] = function
    outputs = x.size if layer.transposed else y.numel()
    return outputs * weight[0].size, operations


def error(result, exact):
    """The largest difference in terms of the largest number of the exact result."""
    return float(abs(np.asarray(result, np.float64) - exact).max() / abs(exact).max())


def geometric_mean(values):
    return math.prod(values) ** (1 / len(values))


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--only", default="", help="layers whose name contains this")
    options = parser.parse_args(arguments)
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"## Convolution\n\n{machine()}; torch {torch.__version__}\nbest of many, GFLOP/s; ratios of medians\n")
    print(
        "| layer | operation | minigrad | of the limit | torch NCHW | torch channels-last | to NCHW | to the better ",
        end="",
    )
    print("| error | to torch's |\n|---|---|---|---|---|---|---|---|---|---|")
    to_nchw, to_better = {}, {}
    for name, layer in LAYERS.items():
        if options.only not in name:
            continue
        multiply_adds, operations = operations_of(layer)
        limit = multiply_add_limit(layer.dtype)
        for operation, functions in operations.items():
            with torch.no_grad():
                exact = functions.pop("float64")().numpy()
                errors = {who: error(function(), exact) for who, function in functions.items()}
                times = interleave(functions, options.seconds)
            speed = {who: 2e-9 * multiply_adds / best for who, (_, best) in times.items()}
            medians = {who: median for who, (median, _) in times.items()}
            ours, nchw = medians.pop("minigrad"), medians["torch NCHW"]
            to_nchw.setdefault(operation, []).append(nchw / ours)
            to_better.setdefault(operation, []).append(min(medians.values()) / ours)
            own_error = errors.pop("minigrad")
            print(
                f"| {name} {layer} | {operation} | {speed['minigrad']:.0f} | {speed['minigrad'] / limit:.0%} | "
                f"{speed['torch NCHW']:.0f} | {speed.get('torch channels-last', math.nan):.0f} | "
                f"{to_nchw[operation][-1]:.2f} | {to_better[operation][-1]:.2f} | {own_error:.1e} | "
                f"{own_error / min(errors.values()) if layer.dtype == 'float32' else math.nan:.1f} |",
                flush=True,
            )
    print("\n| geometric means | to torch NCHW | to the better |\n|---|---|---|")
    for operation in to_nchw:
        print(
            f"| {operation} | {geometric_mean(to_nchw[operation]):.2f} | {geometric_mean(to_better[operation]):.2f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
