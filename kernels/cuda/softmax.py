"""Softmax, its logarithm and their gradients along one axis.

Long lines that lie together in memory get a block each, which reduces them in shared memory; short ones and those that
lie across memory get a thread each, neighbours reading neighbours. `kernels/reference/softmax.py` is the definition.
"""

from math import inf, prod

from ._numba import SIMULATED, cuda, exp, f64, kernel, launch, log, on_device, quotient
from .block import block_largest, block_sum
from .memory import dense, empty, inverse, memory_order

__all__ = ["log_softmax", "log_softmax_grad", "softmax", "softmax_grad"]

THREADS = 8 if SIMULATED else 128
SHORT = 8 if SIMULATED else 32  # elements of lines that one thread walks down


@kernel("T*, T*, i32, i32")
def softmax_block(x, y, count, inner, *, T, LOG, THREADS):
    """Line blockIdx.x of softmax or log_softmax."""
    shared = cuda.shared.array(THREADS, f64)
    start = cuda.blockIdx.x * count
    largest, total = f64(-inf), f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        if f64(x[start + i]) > largest:
            largest = f64(x[start + i])
    largest = T(block_largest(largest, shared))
    for i in range(cuda.threadIdx.x, count, THREADS):
        total += f64(exp(x[start + i] - largest))
    total = block_sum(total, shared)
    for i in range(cuda.threadIdx.x, count, THREADS):
        if LOG:
            y[start + i] = f64(x[start + i] - largest) - log(total)
        else:
            y[start + i] = quotient(f64(exp(x[start + i] - largest)), total)


@kernel("T*, T*, i32, i32, i32")
def softmax_thread(x, y, lines, count, inner, *, T, LOG, THREADS):
    """Softmax or log_softmax of one line a thread, whose elements lie `inner` apart."""
    line = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    if line < lines:
        start = line // inner * inner * count + line % inner
        largest, total = T(-inf), f64(0.0)
        for i in range(count):
            if x[start + i * inner] > largest:
                largest = x[start + i * inner]
        for i in range(count):
            total += f64(exp(x[start + i * inner] - largest))
        for i in range(count):
            if LOG:
                y[start + i * inner] = f64(x[start + i * inner] - largest) - log(total)
            else:
                y[start + i * inner] = quotient(f64(exp(x[start + i * inner] - largest)), total)


@kernel("T*, T*, T*, i32, i32")
def softmax_grad_block(dy, y, dx, count, inner, *, T, LOG, THREADS):
    """Line blockIdx.x of the gradient: y · (dy - Σ dy y), of the logarithm dy - e^y · Σ dy."""
    shared = cuda.shared.array(THREADS, f64)
    start, total = cuda.blockIdx.x * count, f64(0.0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        if LOG:
            total += f64(dy[start + i])
        else:
            total += f64(dy[start + i]) * f64(y[start + i])
    total = block_sum(total, shared)
    for i in range(cuda.threadIdx.x, count, THREADS):
        if LOG:
            dx[start + i] = f64(dy[start + i]) - f64(exp(y[start + i])) * total
        else:
            dx[start + i] = f64(y[start + i]) * (f64(dy[start + i]) - total)


@kernel("T*, T*, T*, i32, i32, i32")
def softmax_grad_thread(dy, y, dx, lines, count, inner, *, T, LOG, THREADS):
    """The gradient of one line a thread."""
    line = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    if line < lines:
        start, total = line // inner * inner * count + line % inner, f64(0.0)
        for i in range(start, start + count * inner, inner):
            if LOG:
                total += f64(dy[i])
            else:
                total += f64(dy[i]) * f64(y[i])
        for i in range(start, start + count * inner, inner):
            if LOG:
                dx[i] = f64(dy[i]) - f64(exp(y[i])) * total
            else:
                dx[i] = f64(y[i]) * (f64(dy[i]) - total)


def _along(arrays, axis, by_block, by_thread, log):
    """A kernel of either kind over arrays of one shape; the result lies in memory as the last one does."""
    axes = memory_order(arrays[-1])
    arrays = [dense(array.transpose(axes)) for array in arrays]
    shape, axis = arrays[0].shape, axes.index(axis % len(axes))
    result = empty(shape, arrays[-1].dtype)
    if result.size:
        count, inner = shape[axis], prod(shape[axis + 1 :])
        lines = result.size // count
        if inner == 1 and count > SHORT:
            launch(by_block, lines, THREADS, *arrays, result, count, inner, T=result.dtype, LOG=log, THREADS=THREADS)
        else:
            launch(
                by_thread, -(-lines // THREADS), THREADS, *arrays, result, lines, count, inner,
                T=result.dtype, LOG=log, THREADS=THREADS,
            )  # fmt: skip
    return result.transpose(inverse(axes))


@on_device
def softmax(x, axis):
    """exp(x) over its sum along the axis: `kernels.reference.softmax`."""
    return _along([x], axis, softmax_block, softmax_thread, False)


@on_device
def log_softmax(x, axis):
    """Logarithm of `softmax`: `kernels.reference.log_softmax`."""
    return _along([x], axis, softmax_block, softmax_thread, True)


@on_device
def softmax_grad(dy, y, axis):
    """Gradient of `softmax` from its result y: `kernels.reference.softmax_grad`."""
    return _along([dy, y], axis, softmax_grad_block, softmax_grad_thread, False)


@on_device
def log_softmax_grad(dy, y, axis):
    """Gradient of `log_softmax` from its result y: `kernels.reference.log_softmax_grad`."""
    return _along([dy, y], axis, softmax_grad_block, softmax_grad_thread, True)
