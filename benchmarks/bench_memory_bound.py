"""Kernels that the memory bounds beside PyTorch's: pooling, batch normalisation, softmax, activations, optimizers.

Traffic counts every input read once and every output written once; next to it stands what a plain copy of as many bytes
reaches in the same run. Arrays are channels-last for minigrad; torch gets its default layout and channels-last. Two
threads each.
"""

import math

import numba
import numpy as np
import torch
from torch.nn import functional as F

from minigrad.kernels import cpu, scalars

from .timing import interleave, machine

THREADS = 2
RNG = np.random.default_rng(0)
POOLS = [
    ((64, 6, 28, 28), 2, 2, 0),
    ((64, 16, 10, 10), 2, 2, 0),
    ((32, 64, 32, 32), 2, 2, 0),
    ((8, 64, 112, 112), 3, 2, 1),
]
NORMS = [(128, 16, 32, 32), (128, 32, 16, 16), (128, 64, 8, 8), (8, 64, 112, 112)]
SOFTMAXES = [((64, 10), 1), ((1024, 1000), 1), ((64, 64, 64), 2), ((8, 21, 128, 128), 1)]
ELEMENTS = [64 * 6 * 28 * 28, 128 * 16 * 32 * 32]
ACTIVATIONS = {"relu": (), "tanh": (), "sigmoid": (), "silu": (), "gelu": (), "softplus": (1.0, 20.0)}
PARAMETERS = [850, 48_000, 270_000]


def normal(shape):
    return RNG.standard_normal(shape, np.float32)


def channels_last(shape):
    return np.moveaxis(normal((shape[0], *shape[2:], shape[1])), -1, 1)


def layouts(array):
    """The array as torch's tensors: {"torch": its default layout, "torch NHWC": the array's own}."""
    tensor = torch.from_numpy(array)
    return {"torch": tensor.contiguous(), "torch NHWC": tensor}


def torch_gradients(function, x, *parameters):
    """A function of dy that runs only the backward pass of function(x, *parameters)."""
    leaves = [tensor.clone(memory_format=torch.preserve_format).requires_grad_() for tensor in (x, *parameters)]
    y = function(*leaves)
    return lambda dy: torch.autograd.grad(y, leaves, dy, retain_graph=True)


def forward_and_backward(ours, ours_grad, function, x, dy, *parameters):
    """Candidates for the forward and for the backward pass, in all layouts."""
    parameters = [torch.from_numpy(array) for array in parameters]
    forward, backward = {"minigrad": ours}, {"minigrad": ours_grad}
    grads = layouts(dy)
    for name, tensor in layouts(x).items():
        gradients = torch_gradients(function, tensor, *parameters)
        forward[name] = lambda tensor=tensor: function(tensor, *parameters)
        backward[name] = lambda gradients=gradients, dy=grads[name]: gradients(dy)
    return forward, backward


def pools():
    for shape, kernel, stride, padding in POOLS:
        x, output = channels_last(shape), (shape[2] + 2 * padding - kernel) // stride + 1
        window, size = ((kernel,) * 2, (stride,) * 2, (padding,) * 2), (output,) * 2
        y, indices = cpu.max_pool(x, *window, (1, 1), size)
        dy = channels_last(y.shape)
        text = f"{shape}, {kernel}x{kernel} by {stride}"
        forward, backward = forward_and_backward(
            lambda x=x, window=window, size=size: cpu.max_pool(x, *window, (1, 1), size),
            lambda dy=dy, indices=indices, shape=shape: cpu.max_pool_grad(dy, indices, shape),
            lambda x, k=kernel, s=stride, p=padding: F.max_pool2d(x, k, s, p, return_indices=True)[0],
            x, dy,
        )  # fmt: skip
        yield "max_pool", text, x.nbytes + 3 * y.nbytes, forward
        yield "max_pool_grad", text, x.nbytes + 3 * y.nbytes, backward
        forward, backward = forward_and_backward(
            lambda x=x, window=window, size=size: cpu.avg_pool(x, *window, size, True, None),
            lambda dy=dy, window=window, shape=shape: cpu.avg_pool_grad(dy, shape, *window, True, None),
            lambda x, k=kernel, s=stride, p=padding: F.avg_pool2d(x, k, s, p),
            x, dy,
        )  # fmt: skip
        yield "avg_pool", text, x.nbytes + y.nbytes, forward
        yield "avg_pool_grad", text, x.nbytes + y.nbytes, backward


def our_batch_norm(x, weight, bias, activation=None):
    mean, var = cpu.batch_norm_stats(x)
    return cpu.batch_norm(x, mean, 1 / np.sqrt(var + np.float32(1e-5)), weight, bias, activation)


def norms():
    for shape in NORMS:
        x, dy, weight, bias = channels_last(shape), channels_last(shape), normal(shape[1]), normal(shape[1])
        mean, var = cpu.batch_norm_stats(x)
        invstd = 1 / np.sqrt(var + np.float32(1e-5))
        forward, backward = forward_and_backward(
            lambda x=x, weight=weight, bias=bias: our_batch_norm(x, weight, bias),
            lambda arguments=(dy, x, mean, invstd, weight): cpu.batch_norm_grad(*arguments),
            lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
            x, dy, weight, bias,
        )  # fmt: skip
        yield "batch_norm_stats, batch_norm", str(shape), 3 * x.nbytes, forward
        yield "batch_norm_grad", str(shape), 5 * x.nbytes, backward
        relu = (scalars.relu,)
        forward, backward = forward_and_backward(
            lambda x=x, weight=weight, bias=bias, relu=relu: our_batch_norm(x, weight, bias, relu),
            lambda arguments=(dy, x, mean, invstd, weight, bias, relu): cpu.batch_norm_grad(*arguments),
            lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True).relu_(),
            x, dy, weight, bias,
        )  # fmt: skip
        yield "batch_norm_stats, batch_norm with relu", str(shape), 3 * x.nbytes, forward
        yield "batch_norm_grad with relu", str(shape), 5 * x.nbytes, backward


def softmaxes():
    for shape, axis in SOFTMAXES:
        x, dy = normal(shape), normal(shape)
        for name in ("softmax", "log_softmax"):
            y = getattr(cpu, name)(x, axis)
            forward, backward = forward_and_backward(
                lambda name=name, x=x, axis=axis: getattr(cpu, name)(x, axis),
                lambda name=name, dy=dy, y=y, axis=axis: getattr(cpu, f"{name}_grad")(dy, y, axis),
                lambda x, name=name, axis=axis: getattr(torch, name)(x, axis),
                x, dy,
            )  # fmt: skip
            yield name, f"{shape}, axis {axis}", 2 * x.nbytes, forward
            yield f"{name}_grad", f"{shape}, axis {axis}", 3 * x.nbytes, backward


def activations():
    for size in ELEMENTS:
        x, dy = normal(size), normal(size)
        for name, parameters in ACTIVATIONS.items():
            function, gradient = getattr(scalars, name), getattr(scalars, f"{name}_grad")
            y = cpu.elementwise(function, parameters, x)
            v = y if gradient.__code__.co_varnames[1] == "y" else x
            forward, backward = forward_and_backward(
                lambda function=function, parameters=parameters, x=x: cpu.elementwise(function, parameters, x),
                lambda gradient=gradient, parameters=parameters, dy=dy, v=v: cpu.elementwise(
                    gradient, parameters, dy, v
                ),
                lambda x, name=name: getattr(F, name)(x),
                x, dy,
            )  # fmt: skip
            yield name, f"{size:,}", 2 * x.nbytes, forward
            yield f"{name}_grad", f"{size:,}", 3 * x.nbytes, backward


def optimizers():
    for size in PARAMETERS:
        param, grad, mean, square = np.abs(normal((4, size)))
        kinds = {
            "sgd_update": (
                lambda p=param, g=grad, m=mean: cpu.sgd_update([p], [g], [m], 1e-9, 0.9, 0.0, 1e-4, False, False),
                lambda leaf, fused: torch.optim.SGD([leaf], lr=1e-9, momentum=0.9, weight_decay=1e-4, fused=fused),
                5,
            ),
            "adam_update": (
                lambda p=param, g=grad, m=mean, s=square: cpu.adam_update(
                    [p], [g], [m], [s], None, [5], 1e-9, 0.9, 0.999, 1e-8, 0.0, False, False
                ),
                lambda leaf, fused: torch.optim.Adam([leaf], lr=1e-9, fused=fused),
                7,
            ),
        }
        for name, (ours, make, arrays) in kinds.items():
            candidates = {"minigrad": ours}
            for layout, fused in (("torch", False), ("torch NHWC", True)):
                leaf = torch.from_numpy(param.copy()).requires_grad_()
                leaf.grad = torch.from_numpy(grad)
                candidates[layout] = make(leaf, fused).step
            yield name, f"{size:,} (torch: foreach, fused)", arrays * param.nbytes, candidates


def main():
    """Print the table."""
    torch.set_num_threads(THREADS)
    numba.set_num_threads(THREADS)
    print(f"## Kernels bound by memory\n\n{machine()}, torch {torch.__version__}; float32; medians\n")
    print("| kernel | of | minigrad µs | GB/s | of a copy | torch µs | torch NHWC µs | torch's better / minigrad |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = {}
    for group in (pools, norms, softmaxes, activations, optimizers):
        for name, text, traffic, candidates in group():
            source, target = torch.zeros(traffic // 8), torch.zeros(traffic // 8)
            copy = {"copy": lambda source=source, target=target: target.copy_(source)}
            with torch.no_grad():
                times = interleave(candidates | copy, seconds=0.3)
            ours, theirs, others, plain = (1e6 * median for median, _ in times.values())
            ratios.setdefault(group.__name__, []).append(min(theirs, others) / ours)
            print(
                f"| `{name}` | {text} | {ours:.1f} | {traffic / ours / 1e3:.1f} | {plain / ours:.0%} | {theirs:.1f} "
                f"| {others:.1f} | {ratios[group.__name__][-1]:.2f} |",
                flush=True,
            )
    for name, values in ratios.items():
        print(f"\nGeometric mean of the ratios, {name}: {math.prod(values) ** (1 / len(values)):.2f}")


if __name__ == "__main__":
    main()
