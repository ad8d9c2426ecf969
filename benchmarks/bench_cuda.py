"""The GPU's kernels against torch with cuDNN: times of the device, ratios, TFLOP/s or GB/s, errors.

Run `make bench-cuda` on a machine with a GPU; it needs torch, CuPy and numba-cuda. Both compute in strict float32, or
both in TF32 with `--tf32`. Torch has cuDNN choose its algorithms, and runs in the better of both memory orders. Each
call works on another of several sets of random arrays, larger together than the cache of the second level. The time is
that of CUDA events around many calls, the median of several rounds that alternate between the two; the error is the
largest difference from torch's result in terms of the largest number. The table is Markdown; a line that fails says so
and does not end it.
"""

import argparse
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import cupy
import numpy as np
import torch

from minigrad.kernels import cuda, precision, scalars
from minigrad.kernels.device import DeviceArray

from .bench_conv import LAYERS

CACHE = 160 << 20  # bytes that all sets of arrays hold at least
MOST_SETS, ROUNDS = 16, 7


def random(*shape, channels_last=False):
    """Normally distributed float32 on the GPU, (N, C, *spatial) with the channels last in memory if asked for."""
    if channels_last and len(shape) > 2:
        return cupy.moveaxis(cupy.random.standard_normal((shape[0], *shape[2:], shape[1]), "float32"), -1, 1)
    return cupy.random.standard_normal(shape, "float32")


def milliseconds(function, sets, calls):
    """Time of one call by events of the device."""
    start, stop = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    for number in range(calls):
        function(*sets[number % len(sets)])
    stop.record()
    stop.synchronize()
    return cupy.cuda.get_elapsed_time(start, stop) / calls


def compared(ours, theirs, make, seconds):
    """(our time, the best of theirs, error) of functions on sets of arrays that `make` makes."""
    first = make()
    size = sum(array.nbytes for array in first)
    sets = [first, *(make() for _ in range(min(MOST_SETS, max(1, CACHE // size))))]
    our_sets = [[DeviceArray(array) for array in arrays] for arrays in sets]
    torch_sets = [[torch.from_dlpack(array) for array in arrays] for arrays in sets]
    formats = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    candidates = [(ours, our_sets)]
    for name, memory in formats.items():
        if name == "contiguous" or all(t.ndim == 4 for t in torch_sets[0][:2]):
            laid = [[t.contiguous(memory_format=memory) if t.ndim == 4 else t for t in ts] for ts in torch_sets]
            candidates.append((theirs, laid))
    result, expected = ours(*our_sets[0]), theirs(*torch_sets[0])
    result, expected = (value[0] if isinstance(value, tuple) else value for value in (result, expected))
    error = float((torch.from_dlpack(result.memory) - expected).abs().max() / expected.abs().max())
    calls = []
    for function, arrays in candidates:
        milliseconds(function, arrays, 3)  # compiles, and lets cuDNN choose
        once = milliseconds(function, arrays, 3)
        calls.append(max(3, min(1000, int(1e3 * seconds / ROUNDS / len(candidates) / once))))
    times = [
        [milliseconds(function, arrays, n) for (function, arrays), n in zip(candidates, calls)] for _ in range(ROUNDS)
    ]
    mine, *others = map(statistics.median, zip(*times))
    return mine, min(others), error


def convolutions():
    """(name, ours, torch's, arrays, floating-point operations, bytes) of a convolution and both its gradients."""
    functional = torch.nn.functional
    for name, layer in LAYERS.items():
        if layer.transposed or layer.rank != 2 or layer.dtype != "float32":
            continue
        settings, padding = layer.geometry, (layer.padding,) * 2
        x_shape = layer.n, layer.channels, layer.size, layer.size
        weight_shape = layer.filters, layer.channels // layer.groups, layer.kernel, layer.kernel
        output = (layer.size + 2 * layer.padding - layer.dilation * (layer.kernel - 1) - 1) // layer.stride + 1
        y_shape = layer.n, layer.filters, output, output
        work = 2 * math.prod(y_shape) * math.prod(weight_shape[1:])
        torch_settings = settings[0], padding, settings[2], settings[3]

        def both(mask, x_shape=x_shape, weight_shape=weight_shape, torch_settings=torch_settings):
            stride, padding, dilation, groups = torch_settings

            def gradient(dy, x, weight):
                found = torch.ops.aten.convolution_backward(
                    dy, x, weight, None, stride, padding, dilation, False, (0, 0), groups, mask
                )
                return found[mask.index(True)]

            return gradient

        yield (
            f"{name}, forward", lambda x, w, s=settings: cuda.conv_forward(x, w, None, *s),
            lambda x, w, s=torch_settings: functional.conv2d(x, w, None, *s),
            lambda a=x_shape, b=weight_shape: [random(*a, channels_last=True), random(*b)], work, None,
        )  # fmt: skip

        def make(shapes=(y_shape, x_shape, weight_shape)):
            return [*(random(*shape, channels_last=True) for shape in shapes[:2]), random(*shapes[2])]

        yield (
            f"{name}, input gradient",
            lambda dy, x, w, a=x_shape, s=settings: cuda.conv_input_grad(dy, w, a, *s),
            both([True, False, False]), make, work, None,
        )  # fmt: skip
        yield (
            f"{name}, weight gradient",
            lambda dy, x, w, a=weight_shape, s=settings: cuda.conv_weight_grad(dy, x, a, *s),
            both([False, True, False]), make, work, None,
        )  # fmt: skip


def products():
    """The same of matrix products."""
    for m, k, n in ((4096, 4096, 4096), (2048, 512, 2048), (1024, 1024, 1024), (64, 400, 120)):
        make = lambda m=m, k=k, n=n: [random(m, k), random(k, n)]  # noqa: E731
        yield f"product {m} x {k} x {n}", cuda.matmul, torch.matmul, make, 2 * m * k * n, None


def bound_by_memory():
    """The same of what reads and writes more than it computes."""
    functional, image = torch.nn.functional, (64, 64, 112, 112)
    count = math.prod(image)
    lasting = lambda: [random(*image, channels_last=True)]  # noqa: E731
    rows = lambda: [random(65536, 512)]  # noqa: E731
    yield "relu", lambda x: cuda.elementwise(scalars.relu, (), x), functional.relu, lasting, None, 8 * count
    yield "gelu", lambda x: cuda.elementwise(scalars.gelu, (), x), functional.gelu, lasting, None, 8 * count
    yield (
        "max pool 3, stride 2", lambda x: cuda.max_pool(x, (3, 3), (2, 2), (1, 1), (1, 1), (56, 56)),
        lambda x: functional.max_pool2d(x, 3, 2, 1, return_indices=True), lasting, None, 7 * count,
    )  # fmt: skip
    yield (
        "average pool 2", lambda x: cuda.avg_pool(x, (2, 2), (2, 2), (0, 0), (56, 56), True, None),
        lambda x: functional.avg_pool2d(x, 2), lasting, None, 5 * count,
    )  # fmt: skip
    yield (
        "batch norm, statistics",
        cuda.batch_norm_stats,
        lambda x: torch.batch_norm_stats(x, 0.0),
        lasting,
        None,
        4 * count,
    )
    yield "softmax of 512", lambda x: cuda.softmax(x, 1), lambda x: torch.softmax(x, 1), rows, None, 8 * (65536 * 512)
    yield (
        "layer norm of 512", lambda x: cuda.row_norm(x.reshape(65536, 1, 512, 1), None, None, 1e-5, True),
        lambda x: functional.layer_norm(x, (512,)).reshape(65536, 1, 512, 1), rows, None, 8 * (65536 * 512),
    )  # fmt: skip


GROUPS = {
    "convolutions": (convolutions, 0.3, 0.5),
    "products": (products, 0.5, 0.7),
    "bound_by_memory": (bound_by_memory, 1, 1),
}


def line(name, ours, theirs, make, work, moved, seconds):
    """(the ratio of torch's time to ours, the line of the table) of a function."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), cupy.cuda.ExternalStream(stream.cuda_stream):
        mine, best, error = compared(ours, theirs, make, seconds)
    rate = f"{work / mine / 1e9:.1f} TFLOP/s" if work else f"{moved / mine / 1e6:.0f} GB/s"
    return best / mine, f"| {name} | {mine:.4f} | {best:.4f} | {best / mine:.2f} | {rate} | {error:.1e} |"


def table(group, only, seconds, end):
    """Print the table of a group; lines that do not begin before `end` are left out."""
    lines, goal, good = GROUPS[group]
    ratios, left_out = [], 0
    print("| | ours ms | torch ms | ratio | ours | error |\n|---|---|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(1) as pool:
        for name, *rest in lines():
            if only not in name:
                continue
            if time.monotonic() > end:
                left_out += 1
                continue
            future = pool.submit(line, name, *rest, seconds)
            if error := future.exception():
                print(f"| {name} | {type(error).__name__}: {str(error).splitlines()[0]} |||||", flush=True)
                continue
            ratio, row = future.result()
            ratios.append(ratio)
            print(row, flush=True)
    if ratios:
        mean = np.exp(np.mean(np.log(ratios)))
        print(
            f"\n{group}: geometric mean {mean:.2f} of {len(ratios)} lines; first goal {goal}, good {good}", flush=True
        )
        print(f"{sum(ratio >= goal for ratio in ratios)} lines reach the goal; {left_out} were left out for time\n")


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each line")
    parser.add_argument("--only", default="", help="lines whose name holds this")
    parser.add_argument("--group", choices=GROUPS, help="one table alone")
    parser.add_argument("--within", type=float, default=math.inf, help="seconds after which no line begins")
    parser.add_argument("--tf32", action="store_true", help="let both libraries use TF32 (tensor cores)")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.within
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32
    precision.set_fp32_precision("all", "tf32" if arguments.tf32 else "ieee")
    torch.backends.cudnn.benchmark = True
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "cuDNN", torch.backends.cudnn.version(), "\n")
    for group in [arguments.group] if arguments.group else GROUPS:
        table(group, arguments.only, arguments.seconds, end)


if __name__ == "__main__":
    main()
