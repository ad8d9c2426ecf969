"""Running sums and linear recurrences: a thread walks down each line.

`kernels/reference/cumulative.py` and `kernels/reference/recurrence.py` are the definitions.
"""

from math import prod

from ._numba import SIMULATED, cuda, f64, i32, kernel, launch, on_device
from .memory import dense, empty

__all__ = ["linear_recurrence", "running_total"]

THREADS = 8 if SIMULATED else 128


@kernel("T*, T*, i32, i32, i32")
def running_sums(x, y, lines, count, inner, *, T, REVERSE, THREADS):
    """y[k] = the sum of x[i] over i ≤ k, or i ≥ k, along one line whose elements lie `inner` apart."""
    line = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if line < lines:
        start, total = line // inner * inner * count + line % inner, f64(0.0)
        for i in range(count):
            if REVERSE:
                at = start + (count - 1 - i) * inner
            else:
                at = start + i * inner
            total += f64(x[at])
            y[at] = total


@kernel("T*, T*, T*, i32, i32")
def recurrence_of_row(a, b, r, rows, count, *, T, THREADS):
    """r[i] = b[i] + a[i] · r[i - 1] along one row."""
    row = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if row < rows:
        last = T(0)
        for i in range(count):
            at = row * count + i
            if i > 0:
                last = b[at] + a[at] * last
            else:
                last = b[at]
            r[at] = last


@on_device
def running_total(x, axis, reverse):
    """Running sums along an axis, added in float64: `kernels.reference.running_total`."""
    x, axis = dense(x), axis % x.ndim
    y, count, inner = empty(x.shape, x.dtype), x.shape[axis], prod(x.shape[axis + 1 :])
    if y.size:
        lines = y.size // count
        launch(
            running_sums, -(-lines // THREADS), THREADS, x, y, lines, count, inner,
            T=x.dtype, REVERSE=bool(reverse), THREADS=THREADS,
        )  # fmt: skip
    return y


@on_device
def linear_recurrence(a, b):
    """r[i] = b[i] + a[i] * r[i - 1] along every row: `kernels.reference.linear_recurrence`."""
    r = empty(b.shape, b.dtype)
    launch(
        recurrence_of_row, -(-len(b) // THREADS), THREADS, dense(a), dense(b), r, len(b), b.shape[1],
        T=b.dtype, THREADS=THREADS,
    )  # fmt: skip
    return r
