"""Picking and placing by index arrays, as of embeddings, in a fixed order: no two threads write one place.

`kernels/reference/scatter.py` is the definition.
"""

from ._numba import SIMULATED, cuda, div, i32, kernel, launch, on_device
from .memory import dense, empty

__all__ = ["gather", "gather_rows", "scatter", "scatter_add_rows"]

THREADS = 8 if SIMULATED else 256
KINDS = ("set", "sum", "prod", "amax", "amin")


@kernel("T*, i64*, T*, i32, i32, i32, i32")
def pick(x, index, y, count, picked, size, inner, *, T, THREADS):
    """y[a, m, b] = x[a, index[a, m, b], b], one a thread."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        line = div(number, inner)
        y[number] = x[(line // picked * size + index[number]) * inner + number - line * inner]


@kernel("T*, i64*, T*, i32, i32, i32, i32")
def place(src, index, y, lines, placed, size, inner, *, T, KIND, THREADS):
    """Bring src[a, m, b] into y[a, index[a, m, b], b] for all m, in order; a thread for each a and b."""
    line = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if line < lines:
        a = line // inner
        for m in range(placed):
            at = (a * placed + m) * inner + line - a * inner
            cell = (a * size + index[at]) * inner + line - a * inner
            new, old = src[at], y[cell]
            if KIND == 1:
                new = old + new
            if KIND == 2:
                new = old * new
            if KIND == 3:
                new = new if new > old or new != new else old
            if KIND == 4:
                new = new if new < old or new != new else old
            y[cell] = new


@kernel("T*, i64*, T*, i32, i32")
def pick_rows(x, index, y, count, width, *, T, THREADS):
    """y[m, d] = x[index[m], d], one a thread."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        row = div(number, width)
        y[number] = x[index[row] * width + number - row * width]


@kernel("T*, i64*, i64*, T*, i32, i32, i32")
def add_rows_of_index(dy, index, order, dx, count, rows, width, *, T, THREADS):
    """dx[index[m]] = the sum of dy[m] over equal indices, in order; `order` sorts the index and keeps equals in order.

    The thread of the first of equal indices adds them all up.
    """
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        at = div(number, width)
        d = number - at * width
        row = index[order[at]]
        if at == 0 or index[order[at - 1]] != row:
            total, going = T(0), True
            while going:
                total += dy[order[at] * width + d]
                at += 1
                going = at < rows
                if going:
                    going = index[order[at]] == row
            dx[row * width + d] = total


@on_device
def gather(x, index):
    """y[a, m, b] = x[a, index[a, m, b], b]: `kernels.reference.gather`."""
    y = empty(index.shape, x.dtype)
    launch(
        pick, -(-y.size // THREADS), THREADS, dense(x), dense(index), y, y.size, index.shape[1], x.shape[1], x.shape[2],
        T=x.dtype, THREADS=THREADS,
    )  # fmt: skip
    return y


@on_device
def scatter(x, index, src, reduction):
    """A copy of x where src is brought into the cells that index names: `kernels.reference.scatter`."""
    y = x.copy(order="C")
    lines = x.shape[0] * x.shape[2]
    launch(
        place, -(-lines // THREADS), THREADS, dense(src), dense(index), y, lines, index.shape[1], *x.shape[1:],
        T=x.dtype, KIND=KINDS.index(reduction), THREADS=THREADS,
    )  # fmt: skip
    return y


@on_device
def gather_rows(x, index):
    """The rows of x that index names: `kernels.reference.gather_rows`."""
    y = empty((len(index), x.shape[1]), x.dtype)
    launch(
        pick_rows, -(-y.size // THREADS), THREADS, dense(x), dense(index), y, y.size, x.shape[1],
        T=x.dtype, THREADS=THREADS,
    )  # fmt: skip
    return y


@on_device
def scatter_add_rows(dy, index, rows):
    """Zeros to which every row dy[m] is added at index[m], in order: `kernels.reference.scatter_add_rows`."""
    dx = empty((rows, dy.shape[1]), dy.dtype)
    dx.fill(0)
    if dy.size:
        order = index.argsort() if not SIMULATED else index.argsort(kind="stable")
        launch(
            add_rows_of_index, -(-dy.size // THREADS), THREADS, dense(dy), dense(index), order, dx, dy.size, len(index),
            dy.shape[1], T=dy.dtype, THREADS=THREADS,
        )  # fmt: skip
    return dx
