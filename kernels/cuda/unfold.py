"""Windows of images as columns of a matrix, and back. `kernels/reference/unfold.py` is the definition."""

from ._numba import SIMULATED, cuda, div, i32, kernel, launch, on_device
from .memory import constant, dense, empty

__all__ = ["fold", "unfold"]

THREADS = 8 if SIMULATED else 256

# In the tables of sizes, 0: the image's size, 2: the kernel's, 4: stride, 6: padding, 8: dilation, 10: the number of
# windows, each for two axes.


@kernel("T*, T*, i32*, i32")
def windows_to_columns(x, y, sizes, count, *, T, THREADS):
    """One cell of a column: what its tap reads in its window, or 0 beyond the border."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        line = div(number, sizes[11])
        across = number - line * sizes[11]
        plane = div(line, sizes[10])
        down = line - plane * sizes[10]
        tap_line = div(plane, sizes[3])
        column = across * sizes[5] - sizes[7] + (plane - tap_line * sizes[3]) * sizes[9]
        image = div(tap_line, sizes[2])
        row = down * sizes[4] - sizes[6] + (tap_line - image * sizes[2]) * sizes[8]
        value = T(0)
        if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
            value = x[(image * sizes[0] + row) * sizes[1] + column]
        y[number] = value


@kernel("T*, T*, i32*, i32")
def columns_to_image(y, x, sizes, count, *, T, THREADS):
    """One cell of the image: the sum of the cells of all columns that it was read into."""
    number = i32(cuda.blockIdx.x * THREADS + cuda.threadIdx.x)
    if number < count:
        line = div(number, sizes[1])
        column = number - line * sizes[1]
        image = div(line, sizes[0])
        row = line - image * sizes[0]
        total = T(0)
        for i in range(sizes[2]):
            down = row + sizes[6] - i * sizes[8]
            for j in range(sizes[3]):
                across = column + sizes[7] - j * sizes[9]
                if down >= 0 and across >= 0 and down % sizes[4] == 0 and across % sizes[5] == 0:
                    o, p = down // sizes[4], across // sizes[5]
                    if o < sizes[10] and p < sizes[11]:
                        tap = (image * sizes[2] + i) * sizes[3] + j
                        total += y[(tap * sizes[10] + o) * sizes[11] + p]
        x[number] = total


@on_device
def unfold(x, kernel, stride, padding, dilation, output_size):
    """Every window of x as a column: `kernels.reference.unfold`."""
    n, c, *size = x.shape
    y = empty((n, c * kernel[0] * kernel[1], output_size[0] * output_size[1]), x.dtype)
    sizes = constant((*size, *kernel, *stride, *padding, *dilation, *output_size))
    launch(windows_to_columns, -(-y.size // THREADS), THREADS, dense(x), y, sizes, y.size, T=x.dtype, THREADS=THREADS)
    return y


@on_device
def fold(y, size, kernel, stride, padding, dilation, output_size):
    """The adjoint of `unfold`: every column added to its window: `kernels.reference.fold`."""
    x = empty((len(y), y.shape[1] // (kernel[0] * kernel[1]), *size), y.dtype)
    sizes = constant((*size, *kernel, *stride, *padding, *dilation, *output_size))
    launch(columns_to_image, -(-x.size // THREADS), THREADS, dense(y), x, sizes, x.size, T=y.dtype, THREADS=THREADS)
    return x
