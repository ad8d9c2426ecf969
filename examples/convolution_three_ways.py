"""One convolution, written three ways, checked against each other and timed side by side.

    python examples/convolution_three_ways.py                          # the CUDA tile on a GPU, else simulated
    NUMBA_ENABLE_CUDASIM=1 python examples/convolution_three_ways.py   # simulated in any case

docs/one-convolution-three-ways.md walks through it. All of them convolve one image x (height + 2, width + 2, channels),
its border of zeros included, with weight (filters, 3, 3, channels) to y (height, width, filters), in float32; other odd
sizes of the filter work, too. What runs on the CPU runs on one core, so that no pool of threads blurs the picture.
"""

# ruff: noqa: E402
import argparse
import functools
import os
import time

for library in ("OPENBLAS", "MKL", "OMP"):  # read when NumPy is imported
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np
from numba import float32, njit
from scipy.signal import correlate

import minigrad
from minigrad.kernels import cpu, cuda, winograd
from minigrad.kernels.cuda import simulator
from minigrad.kernels.device import simulated, to_device, to_host


def reference(x, weight):
    """The definition: every product of an input cell and a weight, one after the other."""
    filters, size, _, channels = weight.shape
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    y = np.empty((height, width, filters), x.dtype)
    for row in range(height):
        for column in range(width):
            for k in range(filters):
                total = np.float32(0)
                for r in range(size):
                    for s in range(size):
                        for c in range(channels):
                            total += x[row + r, column + s, c] * weight[k, r, s, c]
                y[row, column, k] = total
    return y


compiled = njit(fastmath=True)(reference)


@njit(fastmath=True)
def cpu_tile(x, weight):
    """Two pixels by four filters at a time: eight sums in registers. The least are a width of 2 and 4 filters."""
    filters, size, _, channels = weight.shape
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    y = np.empty((height, width, filters), x.dtype)
    lines, weights = x.reshape(len(x), -1), weight.reshape(filters, -1)
    run = size * channels  # a row of taps is one run of memory
    windows = np.empty((width, size * run), x.dtype)  # what the pixels of one row read: it stays in the cache
    for row in range(height):
        for column in range(width):
            for r in range(size):
                windows[column, r * run : (r + 1) * run] = lines[row + r, column * channels : column * channels + run]
        for first_filter in range(0, filters, 4):
            k = min(first_filter, filters - 4)  # the last tile overlaps the one before
            w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            for first_column in range(0, width, 2):
                column = min(first_column, width - 2)
                x0, x1 = windows[column], windows[column + 1]
                s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = np.float32(0)
                for i in range(size * run):
                    s00 += x0[i] * w0[i]
                    s01 += x0[i] * w1[i]
                    s02 += x0[i] * w2[i]
                    s03 += x0[i] * w3[i]
                    s10 += x1[i] * w0[i]
                    s11 += x1[i] * w1[i]
                    s12 += x1[i] * w2[i]
                    s13 += x1[i] * w3[i]
                y[row, column, k], y[row, column, k + 1] = s00, s01
                y[row, column, k + 2], y[row, column, k + 3] = s02, s03
                y[row, column + 1, k], y[row, column + 1, k + 1] = s10, s11
                y[row, column + 1, k + 2], y[row, column + 1, k + 3] = s12, s13
    return y


def cuda_tile(cuda, TILE, DEPTH):
    """A kernel whose blocks compute TILE pixels by TILE filters, DEPTH channels of a tap at a time; flat arrays."""
    CELLS = DEPTH * TILE
    SIDE = TILE // 4  # threads along a side of the tile: each computes four by four results

    def kernel(x, weight, y, height, width, channels, filters, size):
        left = cuda.shared.array(CELLS, float32)
        right = cuda.shared.array(CELLS, float32)
        sums = cuda.local.array(16, float32)
        for n in range(16):
            sums[n] = 0
        thread = cuda.threadIdx.x
        first_pixel, first_filter = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE
        for tap in range(size * size):
            for first_channel in range(0, channels, DEPTH):
                for cell in range(thread, CELLS, SIDE * SIDE):  # neighbouring threads, neighbouring channels
                    place, depth = cell // DEPTH, cell % DEPTH
                    c, pixel, k = first_channel + depth, first_pixel + place, first_filter + place
                    row, column = pixel // width + tap // size, pixel % width + tap % size
                    at = (row * (width + size - 1) + column) * channels + c
                    left[depth * TILE + place] = x[at] if c < channels and pixel < height * width else float32(0)
                    at = (k * size * size + tap) * channels + c
                    right[depth * TILE + place] = weight[at] if c < channels and k < filters else float32(0)
                cuda.syncthreads()  # the piece is there
                for depth in range(DEPTH):
                    for i in range(4):
                        cell = left[depth * TILE + i * SIDE + thread // SIDE]
                        for j in range(4):
                            sums[4 * i + j] += cell * right[depth * TILE + j * SIDE + thread % SIDE]
                cuda.syncthreads()  # and everybody is done with it
        for i in range(4):
            for j in range(4):
                pixel, k = first_pixel + i * SIDE + thread // SIDE, first_filter + j * SIDE + thread % SIDE
                if pixel < height * width and k < filters:
                    y[pixel * filters + k] = sums[4 * i + j]

    return kernel


def simulated_tile(x, weight, TILE=8, DEPTH=4):
    """The CUDA tile in the simulator: blocks one after another, of TILE² / 16 threads."""
    filters, size, _, channels = weight.shape
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    y = np.full((height, width, filters), np.nan, x.dtype)
    grid = -(-height * width // TILE), -(-filters // TILE), 1
    arrays = [memoryview(array.reshape(-1)) for array in (x, weight, y)]
    simulator.run(
        cuda_tile(simulator.cuda, TILE, DEPTH),
        grid,
        TILE * TILE // 16,
        [*arrays, height, width, channels, filters, size],
    )
    return y


def device_tile(x, weight, TILE=64, DEPTH=8):
    """(a call that launches the CUDA tile on the GPU's current stream, a call that fetches its result)."""
    from numba import cuda  # only where there is a GPU

    filters, size, _, channels = weight.shape
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    stream = cuda.external_stream(minigrad.cuda.current_stream().cuda_stream)
    arrays = [cuda.to_device(array.reshape(-1)) for array in (x, weight)]
    y = cuda.device_array(height * width * filters, np.float32)
    grid = -(-height * width // TILE), -(-filters // TILE)
    kernel = cuda.jit(fastmath=True)(cuda_tile(cuda, TILE, DEPTH))[grid, TILE * TILE // 16, stream]

    def launch():
        kernel(*arrays, y, height, width, channels, filters, size)

    return launch, lambda: y.copy_to_host().reshape(height, width, filters)


def numpy_product(x, weight):
    """The peer: all windows written side by side, then one matrix product of NumPy's library."""
    size = weight.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1)).transpose(0, 1, 3, 4, 2)
    height, width = windows.shape[:2]
    return (windows.reshape(height * width, -1) @ weight.reshape(len(weight), -1).T).reshape(height, width, -1)


def scipy_correlate(x, weight):
    """SciPy, filter by filter; it chooses between sums and Fourier transforms."""
    return np.concatenate([correlate(x, one, "valid") for one in weight], axis=2)


def as_minigrad(x, weight):
    """The arguments of minigrad's kernels: a batch of one with its channels in front, still channels-last in memory."""
    return x[None].transpose(0, 3, 1, 2), np.ascontiguousarray(weight.transpose(0, 3, 1, 2))


REST = None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1  # no bias, stride 1, no more padding, dilation 1, one group


def minigrad_cpu(x, weight, fast=False):
    """minigrad's kernel, with or without Winograd's algorithm."""
    with winograd(fast):
        return cpu.conv_forward(*as_minigrad(x, weight), *REST)[0].transpose(1, 2, 0)


def minigrad_cuda(x, weight):
    """(a call of minigrad's CUDA kernel on arrays that are on the device, a call that fetches a result)."""
    arrays = [to_device(array) for array in as_minigrad(x, weight)]

    def launch():
        return cuda.conv_forward(*arrays, *REST)

    return launch, lambda: to_host(launch())[0].transpose(1, 2, 0)


def case(height, width, channels, filters, size=3, seed=0):
    """(x with its border of zeros, weight) of normally distributed numbers."""
    rng, border = np.random.default_rng(seed), size // 2
    x = np.zeros((height + size - 1, width + size - 1, channels), np.float32)
    x[border : border + height, border : border + width] = rng.normal(size=(height, width, channels))
    return x, rng.normal(size=(filters, size, size, channels)).astype(np.float32)


def multiply_adds(x, weight):
    """How many products are summed up."""
    filters, size, _, channels = weight.shape
    return (x.shape[0] - size + 1) * (x.shape[1] - size + 1) * filters * size * size * channels


def on_host(function):
    """The seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def on_gpu(function, calls=20):
    """The seconds of one call on the GPU, by events before and after many."""
    start, end = minigrad.cuda.Event(enable_timing=True), minigrad.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / calls


class Table:
    """Checks results against one that is trusted, times by turns, and prints a line for each way."""

    def __init__(self, x, weight, expected):
        self.x, self.weight, self.expected, self.ways = x, weight, expected, {}
        self.scale = np.abs(expected).max()

    def add(self, name, function, result):
        """Take up a way whose `result` is right."""
        np.testing.assert_allclose(result, self.expected, rtol=0, atol=2e-5 * self.scale, err_msg=name)
        self.ways[name] = function

    def print(self, seconds, measure=on_host):
        """One line for each way, best of as many turns as the seconds allow; the first calls do not count."""
        times, end = {name: [] for name in self.ways}, time.perf_counter() + seconds
        while not all(times.values()) or time.perf_counter() < end:
            for name, function in self.ways.items():
                if not times[name] or sum(times[name]) < seconds / len(times):
                    times[name].append(measure(function))
        count = multiply_adds(self.x, self.weight)
        height, width, filters = self.expected.shape
        print(f"\n{height} x {width} pixels, {self.x.shape[2]} channels, {filters} filters: {count:,} multiply-adds")
        print(f"{'':44}{'ms':>12}{'10⁹ multiply-adds/s':>24}")
        for name, series in times.items():
            print(f"{name:44}{1e3 * min(series):12.3f}{count / min(series) / 1e9:24.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="time for measuring each table")
    seconds = parser.parse_args().seconds
    minigrad.set_num_threads(1)
    gpu = minigrad.cuda.is_available() and not simulated()

    x, weight = case(5, 6, 5, 9)
    small = Table(x, weight, reference(x, weight))
    small.add("reference loops", lambda: reference(x, weight), compiled(x, weight))
    small.add("CUDA tile, simulated", lambda: simulated_tile(x, weight), simulated_tile(x, weight))
    if simulated():
        call, fetch = minigrad_cuda(x, weight)
        small.add("minigrad's CUDA kernel, simulated", call, fetch())
    small.add("CPU tile", lambda: cpu_tile(x, weight), cpu_tile(x, weight))
    small.print(seconds / 4)

    x, weight = case(28, 28, 64, 64)
    far = np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)  # the same numbers, channel after channel
    table = Table(x, weight, scipy_correlate(x, weight))
    for name, function, image in (
        ("the same loops, compiled, channels first", compiled, far),
        ("the same loops, compiled, channels last", compiled, x),
        ("CPU tile", cpu_tile, x),
        ("SciPy, correlate", scipy_correlate, x),
        ("NumPy, product of all windows", numpy_product, x),
        ("minigrad's CPU kernel", minigrad_cpu, x),
        ("minigrad's CPU kernel, Winograd", functools.partial(minigrad_cpu, fast=True), x),
    ):
        table.add(name, functools.partial(function, image, weight), function(image, weight))
    table.print(seconds)

    if gpu:
        x, weight = case(112, 112, 128, 128)
        table = Table(x, weight, numpy_product(x, weight))
        for name, make in (("CUDA tile", device_tile), ("minigrad's CUDA kernel", minigrad_cuda)):
            call, fetch = make(x, weight)
            call()
            table.add(name, call, fetch())
        table.print(seconds / 4, on_gpu)
    else:
        print("\nno GPU: the CUDA tile ran in the simulator alone, whose time says nothing about a GPU")


if __name__ == "__main__":
    main()
