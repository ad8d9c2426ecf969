"""Resampling along one axis: a thread computes one weighted sum. `kernels/reference/resample.py` is the definition."""

from math import prod

from ..device import library
from ._numba import SIMULATED, cuda, div, i32, kernel, launch, on_device
from .memory import dense, empty, inverse, memory_order

__all__ = ["resample"]

THREADS = 8 if SIMULATED else 256


@kernel("T*, i64*, i64*, f64*, T*, i32, i32, i32, i32")
def weighted_sums(x, starts, indices, weights, y, count, cells, size, inner, *, T, THREADS):
    """y[a, j, b] = sum of weights[t] · x[a, indices[t], b] for t from starts[j] up to starts[j + 1]."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        line = div(number, inner)
        outer = div(line, cells)
        j = line - outer * cells
        total = T(0)
        for t in range(starts[j], starts[j + 1]):
            total += x[(outer * size + indices[t]) * inner + number - line * inner] * T(weights[t])
        y[number] = total


def _table(values, dtype):
    """Numbers of the host or of the device on the device."""
    return dense(library().module.asarray(values, dtype))


@on_device
def resample(x, axis, starts, indices, weights):
    """Weighted sums of cells along an axis, as a table lists them: `kernels.reference.resample`."""
    axes = memory_order(x)
    x, axis = dense(x.transpose(axes)), axes.index(axis % x.ndim)
    cells = len(starts) - 1
    y = empty((*x.shape[:axis], cells, *x.shape[axis + 1 :]), x.dtype)
    launch(
        weighted_sums, -(-y.size // THREADS), THREADS, x, _table(starts, "int64"), _table(indices, "int64"),
        _table(weights, "float64"), y, y.size, cells, x.shape[axis], prod(x.shape[axis + 1 :]),
        T=x.dtype, THREADS=THREADS,
    )  # fmt: skip
    return y.transpose(inverse(axes))
