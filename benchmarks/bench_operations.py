"""Tensor operations bound by memory, as a user calls them, against torch: 64 MB and 64 KB, float32.

Run `python -m benchmarks.bench_operations [--only PART] [--seconds S] [--threads N] [--bytes N ...]`; needs torch. Each
operation is written once for both libraries; where the layout of images matters, torch gets its better one: its
default, or channels-last, which is what minigrad's own operations produce. Bytes are those that must move: each input
read once, each result written once.
"""

import argparse
import math

import numba
import numpy as np
import torch
import torch.nn.functional as torch_functional

import minigrad
import minigrad.nn.functional as minigrad_functional

from .timing import interleave, machine

SIZES = (1 << 26, 1 << 16)
LIBRARIES = {"minigrad": (minigrad, minigrad_functional), "torch": (torch, torch_functional)}


def elements(m, f, t):
    """{name: (function, bytes that must move)} of what works element by element; t makes tensors."""
    a, b, positive, mask = t("a"), t("b"), t("positive"), t("mask")
    n = 4 * t.size
    return {
        "a + b": (lambda: a + b, 3 * n),
        "a * b": (lambda: a * b, 3 * n),
        "a / b": (lambda: a / b, 3 * n),
        "a + 1": (lambda: a + 1, 2 * n),
        "a * 2": (lambda: a * 2, 2 * n),
        "-a": (lambda: -a, 2 * n),
        "abs": (lambda: a.abs(), 2 * n),
        "square": (lambda: a**2, 2 * n),
        "exp": (lambda: a.exp(), 2 * n),
        "log": (lambda: positive.log(), 2 * n),
        "sqrt": (lambda: positive.sqrt(), 2 * n),
        "tanh": (lambda: a.tanh(), 2 * n),
        "sigmoid": (lambda: a.sigmoid(), 2 * n),
        "relu": (lambda: f.relu(a), 2 * n),
        "gelu": (lambda: f.gelu(a), 2 * n),
        "maximum": (lambda: m.maximum(a, b), 3 * n),
        "where": (lambda: m.where(mask, a, b), 3 * n + n // 4),
        "clamp": (lambda: a.clamp(-0.5, 0.5), 2 * n),
        "a > b": (lambda: a > b, 2 * n + n // 4),
        "a > 0": (lambda: a > 0, n + n // 4),
        "a + row": (lambda row=t("row"), a=t("matrix"): a + row, 2 * n),
        "a + column": (lambda column=t("column"), a=t("matrix"): a + column, 2 * n),
        "double": (lambda: a.double(), 3 * n),
        "clone": (lambda: a.clone(), 2 * n),
        "copy_": (lambda c=t("c"): c.copy_(a), 2 * n),
        "add_": (lambda c=t("c"): c.add_(b), 3 * n),
        "mul_ number": (lambda c=t("c"): c.mul_(1.0), 2 * n),
        "zeros": (lambda: m.zeros(t.size), n),
    }


def reductions(m, f, t):
    x = t("matrix")
    n = 4 * t.size
    found = {}
    for name in ("sum", "mean", "amax", "var"):
        for text, dim in (("all", None), ("dim 0", 0), ("last dim", 1)):
            if dim is None:
                found[f"{name}, {text}"] = (lambda name=name: getattr(x, "max" if name == "amax" else name)(), n)
            else:
                found[f"{name}, {text}"] = (lambda name=name, dim=dim: getattr(x, name)(dim), n)
    found["max with indices, last dim"] = (lambda: x.max(1), n)
    found["argmax, last dim"] = (lambda: x.argmax(1), n)
    found["cumsum, last dim"] = (lambda: x.cumsum(1), 2 * n)
    found["cumsum, dim 0"] = (lambda: x.cumsum(0), 2 * n)
    found["norm"] = (lambda: x.norm(), n)
    return found


def rows(m, f, t):
    x, image, dy = t("matrix"), t("image"), t("other matrix")
    n, columns = 4 * t.size, x.shape[1]
    weight, bias, target = t("row"), t("row"), t("target")
    channels = image.shape[1]
    scale, shift = m.ones(channels), m.zeros(channels)
    mean, var = m.zeros(channels), m.ones(channels)
    return {
        "softmax, last dim": (lambda: f.softmax(x, 1), 2 * n),
        "softmax, dim 0": (lambda: f.softmax(x, 0), 2 * n),
        "softmax, channels": (lambda: f.softmax(image, 1), 2 * n),
        "log_softmax, last dim": (lambda: f.log_softmax(x, 1), 2 * n),
        "log_softmax, dim 0": (lambda: f.log_softmax(x, 0), 2 * n),
        "log_softmax, channels": (lambda: f.log_softmax(image, 1), 2 * n),
        "cross_entropy": (lambda: f.cross_entropy(x, target), n),
        "mse_loss": (lambda: f.mse_loss(x, dy), 2 * n),
        "layer_norm": (lambda: f.layer_norm(x, (columns,), weight, bias), 3 * n),
        "group_norm": (lambda: f.group_norm(image, 4, scale, shift), 3 * n),
        "batch_norm": (lambda: f.batch_norm(image, mean, var, scale, shift, training=True), 3 * n),
        "batch_norm, evaluation": (lambda: f.batch_norm(image, mean, var, scale, shift), 2 * n),
    }


def windows(m, f, t):
    n = 4 * t.size
    found = {}
    for layout in ("image", "channels-last image"):
        x = t(layout)
        text = "" if layout == "image" else ", channels-last"
        for kernel, stride, padding in ((2, 2, 0), (3, 2, 1)):
            moved = n + n // 4
            of = f"{kernel}x{kernel} by {stride}{text}"
            found[f"max_pool {of}"] = (lambda x=x, w=(kernel, stride, padding): f.max_pool2d(x, *w), moved)
            found[f"avg_pool {of}"] = (lambda x=x, w=(kernel, stride, padding): f.avg_pool2d(x, *w), moved)
        if text:
            channels = x.shape[1]
            scale, shift = m.ones(channels), m.zeros(channels)
            mean, var = m.zeros(channels), m.ones(channels)
            found[f"batch_norm{text}"] = (
                lambda x=x: f.batch_norm(x, mean, var, scale, shift, training=True), 3 * n
            )  # fmt: skip
            found[f"relu{text}"] = (lambda x=x: f.relu(x), 2 * n)
            found[f"a + b{text}"] = (lambda x=x: x + x, 3 * n)
    return found


def movements(m, f, t):
    x, image, a, b = t("matrix"), t("image"), t("a"), t("b")
    n = 4 * t.size
    index, mask, table = t("index"), t("mask"), t("table")
    picked = int(mask.sum())
    return {
        "cat": (lambda: m.cat([a, b]), 4 * n),
        "cat, last dim": (lambda: m.cat([x, x], 1), 4 * n),
        "stack": (lambda: m.stack([a, b]), 4 * n),
        "transpose, contiguous": (lambda: x.t().contiguous(), 2 * n),
        "NCHW to NHWC, contiguous": (lambda: image.permute(0, 2, 3, 1).contiguous(), 2 * n),
        "NHWC to NCHW, contiguous": (lambda c=t("channels-last image"): c.contiguous(), 2 * n),
        "index_select": (lambda: x.index_select(0, index), 2 * n),
        "embedding": (lambda: f.embedding(index, table), 2 * n),
        "x[index]": (lambda: x[index], 2 * n),
        "a[mask]": (lambda: a[mask], n + n // 4 + 4 * picked),
        "masked_fill": (lambda: a.masked_fill(mask, 0.0), 2 * n + n // 4),
        "half of the columns, contiguous": (lambda: x[:, : x.shape[1] // 2].contiguous(), n),
    }


def gradients(m, f, t):
    """Backward passes alone, of one operation on leaves."""
    x, dy, image, image_dy = t("matrix"), t("other matrix"), t("image"), t("other image")
    last, last_dy = t("channels-last image"), t("other channels-last image")
    n, target = 4 * t.size, t("target")
    found = {}

    def backward(name, function, inputs, gradient, moved):
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        with m.enable_grad():
            y = function(*leaves)
        if gradient is None:
            gradient = m.ones_like(y)
        found[f"{name}, backward"] = (lambda: m.autograd.grad(y, leaves, gradient, retain_graph=True), moved)

    for name in ("relu", "tanh", "sigmoid", "gelu", "silu"):
        backward(name, lambda v, name=name: getattr(f, name)(v), [x], dy, 3 * n)
    backward("a * b", lambda a, b: a * b, [x, t("other matrix")], dy, 5 * n)
    backward("sum", lambda v: v.sum(), [x], None, n)
    backward("softmax", lambda v: f.softmax(v, 1), [x], dy, 3 * n)
    backward("log_softmax", lambda v: f.log_softmax(v, 1), [x], dy, 3 * n)
    backward("softmax, channels", lambda v: f.softmax(v, 1), [image], image_dy, 3 * n)
    backward("cross_entropy", lambda v: f.cross_entropy(v, target), [x], None, 2 * n)
    weight, bias = t("row"), t("row")
    backward("layer_norm", lambda v, w, b: f.layer_norm(v, (v.shape[1],), w, b), [x, weight, bias], dy, 5 * n)
    channels = image.shape[1]
    scale, shift = m.ones(channels), m.zeros(channels)
    for text, v, g in (("", image, image_dy), (", channels-last", last, last_dy)):
        backward(f"group_norm{text}", lambda v, w, b: f.group_norm(v, 4, w, b), [v, scale, shift], g, 5 * n)
        backward(
            f"batch_norm{text}", lambda v, w, b: f.batch_norm(v, None, None, w, b, training=True),
            [v, scale, shift], g, 5 * n,
        )  # fmt: skip
        half = t("half " + ("image" if not text else "channels-last image"))
        backward(f"max_pool 2x2{text}", lambda v: f.max_pool2d(v, 2), [v], half, n + n // 4)
        backward(f"avg_pool 2x2{text}", lambda v: f.avg_pool2d(v, 2), [v], half, n + n // 4)
    index = t("index")
    backward("embedding", lambda w: f.embedding(index, w), [t("table")], dy, 2 * n)
    return found


def optimizers(m, f, t):
    """Steps over eight parameters that hold the bytes together."""
    found = {}
    kinds = {
        "SGD, momentum": (lambda p: m.optim.SGD(p, lr=1e-9, momentum=0.9), 5),
        "Adam": (lambda p: m.optim.Adam(p, lr=1e-9), 7),
        "AdamW": (lambda p: m.optim.AdamW(p, lr=1e-9), 7),
    }
    for name, (make, arrays) in kinds.items():
        parameters = [m.nn.Parameter(piece.clone()) for piece in t("a").reshape(8, -1)]
        for parameter, piece in zip(parameters, t("b").reshape(8, -1)):
            parameter.grad = piece.clone()
        found[name] = (make(parameters).step, arrays * 4 * t.size)
    return found


PARTS = {part.__name__: part for part in (elements, reductions, rows, windows, movements, gradients, optimizers)}


class Tensors:
    """Makes one library's tensors, from the same numbers for both."""

    def __init__(self, library, size):
        self.size, self._from_numpy = size // 4, library.from_numpy
        side = 1 << (round(math.log2(self.size)) // 2)
        self._matrix = (self.size // side, side)
        channels, places = (64, 64) if self.size > 1 << 18 else (16, 16)
        self._image = (self.size // (channels * places * places), channels, places, places)

    def __call__(self, name):
        return self._from_numpy(self._array(name))

    def _array(self, name):
        rng = np.random.default_rng(len(name))
        count, columns = self._matrix
        if name.startswith("other "):
            return -self._array(name.removeprefix("other "))
        if name in ("target", "index"):
            return rng.integers(0, columns if name == "target" else count, count)
        if name.endswith("image"):
            n, c, h, w = self._image
            h, w = (h // 2, w // 2) if name.startswith("half ") else (h, w)
            if "channels-last" in name:
                return np.moveaxis(rng.standard_normal((n, h, w, c), np.float32), -1, 1)
            return rng.standard_normal((n, c, h, w), np.float32)
        shape = {"matrix": self._matrix, "table": self._matrix, "row": (columns,), "column": (count, 1)}
        values = rng.standard_normal(shape.get(name, self.size), np.float32)
        return {"mask": values > 0, "positive": np.abs(values) + np.float32(0.1)}.get(name, values)


def copies(size):
    """Bytes a second that copying `size` bytes to a place of its own reaches."""
    source, target = torch.zeros(size // 4), torch.zeros(size // 4)
    return 2 * size / interleave({"copy": lambda: target.copy_(source)}, 0.3)["copy"][0]


def main(arguments=()):
    """Print the table, the geometric means and what is slower than torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each figure")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--bytes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--match", default="", help="operations whose name holds this")
    options = parser.parse_args(arguments)
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"## Tensor operations bound by memory\n\n{machine()}, torch {torch.__version__}; float32; medians\n")
    for size in options.bytes:
        speed = copies(size)
        print(f"### {size:,} bytes; a copy moves {speed / 1e9:.1f} GB/s\n")
        print("| operation | minigrad µs | GB/s | of a copy | torch µs | torch / minigrad |\n|---|---|---|---|---|---|")
        ratios = {}
        for part in options.only:
            made = {name: PARTS[part](*m, Tensors(m[0], size)) for name, m in LIBRARIES.items()}
            for name, (ours, moved) in made["minigrad"].items():
                if options.match not in name:
                    continue
                with torch.no_grad(), minigrad.no_grad():
                    times = interleave({"minigrad": ours, "torch": made["torch"][name][0]}, options.seconds)
                mine, theirs = times["minigrad"][0], times["torch"][0]
                ratios[name] = theirs / mine
                print(
                    f"| {name} | {mine * 1e6:,.1f} | {moved / mine / 1e9:.1f} | {moved / mine / speed:.0%} "
                    f"| {theirs * 1e6:,.1f} | {ratios[name]:.2f} |",
                    flush=True,
                )
            made.clear()
        mean = math.exp(sum(map(math.log, ratios.values())) / max(1, len(ratios)))
        behind = sorted((ratio, name) for name, ratio in ratios.items() if ratio < 1)
        print(f"\nGeometric mean of {len(ratios)} ratios: {mean:.2f}; {len(behind)} below 1:")
        print(", ".join(f"{name} {ratio:.2f}" for ratio, name in behind) + "\n")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
