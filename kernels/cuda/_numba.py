"""The one door to numba.cuda: kernels, the functions they call, and their launch, on a device or in the simulator.

A kernel is written once. On a device it is compiled by Numba for the types and the constants of the call
(`specialization.py`), takes raw addresses, and runs on CuPy's current stream. With NUMBA_ENABLE_CUDASIM=1 the same
function runs in Python (`simulator.py`), without Numba. Kernels are written in the names of this module:

* `cuda` for indices, shared and local memory and barriers; `unrolled(n)` for loops that are to be unrolled;
* `i32`, `u32`, `i64`, `u64`, `f64`: numbers of that type. Numba computes with whole numbers in 64 bits; what is kept is
  brought back to `i32`, and unsigned numbers never meet signed ones, for Numba makes floats of them;
* `exp`, `log`, ... and `quotient`, which on a device are the processor's and in Python give inf and NaN, no exceptions.
"""

import functools
import math

import numpy as np

from .. import scalars
from ..device import called, current_stream, library, simulated
from .simulator import run
from .specialization import inlined, on_simulator, specialized

__all__ = [
    "MOST_ACROSS", "SIMULATED", "cuda", "div", "exp", "f64", "has_tensor_cores", "i32", "i64", "inlined", "kernel",
    "launch", "log", "on_device", "quotient", "sqrt", "type_of", "u32", "u64", "unrolled",
]  # fmt: skip

SIMULATED = simulated()
MOST = 1 << 31  # elements of an array
MOST_ACROSS = 65535  # blocks of a grid along its second and its third axis; the first has room for 2³¹

if SIMULATED:
    from .simulator import cuda

    i32 = i64 = int
    f64 = float
    unrolled = range
    exp, log, sqrt = scalars.exp, scalars.log, scalars.sqrt

    def u32(number):
        """The number modulo 2³²."""
        return number & 0xFFFFFFFF

    def u64(number):
        """The number modulo 2⁶⁴."""
        return number & 0xFFFFFFFFFFFFFFFF

    def quotient(x, y):
        """x / y as processors have it: no exception where y is 0."""
        return x / y if y else float(np.float64(x) / np.float64(y))

else:
    from numba import cuda, types
    from numba.cuda import dispatcher

    i32, u32, i64, u64, f64 = types.int32, types.uint32, types.int64, types.uint64, types.float64
    dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a kernel of few blocks is no mistake: tensors may be small
    exp, log, sqrt = math.exp, math.log, math.sqrt
    unrolled = range  # never called: the loops are unrolled before they are compiled

    @inlined
    def quotient(x, y):
        """x / y."""
        return x / y


@inlined
def div(a, b):
    """a // b for whole numbers that are not negative, in 32 bits: four times as fast as Numba's 64, floor and signs."""
    return i32(u32(a) // u32(b))


def type_of(dtype):
    """What casts numbers to a dtype within kernels."""
    dtype = np.dtype(dtype)
    if SIMULATED:
        return {"f": float, "i": int, "u": int, "b": bool}[dtype.kind]
    return {"bool": types.uint8}.get(dtype.name) or getattr(types, dtype.name)


@functools.cache
def has_tensor_cores():
    """Whether the device multiplies in TF32: from compute capability 8.0 on, and in the simulator."""
    return SIMULATED or cuda.get_current_device().compute_capability >= (8, 0)


class Kernel:
    """A kernel whose constants are still open; `signature` names its arguments' types, `T*` for an array of T, `T[N]`
    for a tuple of N.

    T is a dtype and N a number among the constants; `i32`, `f64` and so on are what they say.
    """

    def __init__(self, function, signature):
        self.function, self.words = function, signature.replace(",", " ").split()
        self.specialized = functools.cache(self._specialized)
        functools.update_wrapper(self, function)

    def _specialized(self, constants):
        """The Python function with its constants in place, for the simulator or to be compiled."""
        named = {name: type_of(value) if isinstance(value, np.dtype) else value for name, value in constants}
        if SIMULATED:
            return on_simulator(self.function, named)
        return specialized(self.function, named, cuda.jit(device=True, forceinline=True))

    def types(self, constants):
        """Numba's types of the arguments."""
        named = {"i32": i32, "i64": i64, "u64": u64, "f64": f64, "u8": types.uint8}
        named.update({name: type_of(value) for name, value in constants if isinstance(value, np.dtype)})
        found, numbers = [], dict(constants)
        for word in self.words:
            name, _, length = word.rstrip("*]").partition("[")
            kind = types.UniTuple(named[name], numbers[length]) if length else named[name]
            found.append(types.CPointer(kind) if word.endswith("*") else kind)
        return tuple(found)

    def launch_bounds(self, constants):
        """Threads of a block, and how many blocks a multiprocessor shall hold: 512 threads, of 128 registers."""
        threads = dict(constants)["THREADS"]
        return threads, 512 // threads

    @functools.cache  # noqa: B019
    def compiled(self, constants):
        """The kernel for the device at hand, from the assembler as the tests inspect it, not the linker's optimiser."""
        signature, bounds = types.void(*self.types(constants)), self.launch_bounds(constants)
        return cuda.jit(signature, launch_bounds=bounds, lto=False)(self.specialized(constants))


def kernel(signature):
    """Make a kernel of a function of arrays and numbers; the arguments' types are named in one string."""
    return functools.partial(Kernel, signature=signature)


def _simulated_argument(argument):
    if not isinstance(argument, np.ndarray):
        return argument
    if not argument.flags.c_contiguous:
        raise ValueError("a kernel takes contiguous arrays alone")
    return memoryview(argument.reshape(-1))


@functools.lru_cache(64)
def _stream(address):
    return cuda.external_stream(address)


def launch(kernel, grid, threads, *args, **constants):
    """Run a kernel on a grid of blocks, an int or (x, y, z), of so many threads each; nothing without blocks.

    Arguments are contiguous arrays of the library's, numbers, or None for an array that the kernel does not touch.
    """
    grid = (grid, 1, 1) if isinstance(grid, int) else (*grid, 1, 1)[:3]
    if 0 in grid:
        return
    if max(grid[1:]) > MOST_ACROSS:
        raise ValueError(f"a grid of {grid} blocks has more than {MOST_ACROSS} along its second or third axis")
    if any(isinstance(argument, library().module.ndarray) and argument.size >= MOST for argument in args):
        raise ValueError(f"kernels count elements in 31 bits; an array has {MOST} or more")
    chosen = tuple(sorted(constants.items()))
    if SIMULATED:
        run(kernel.specialized(chosen), grid, threads, [_simulated_argument(argument) for argument in args])
        return
    addresses = [
        argument.data.ptr if isinstance(argument, library().module.ndarray) else argument or 0 for argument in args
    ]
    kernel.compiled(chosen)[grid, threads, _stream(current_stream().ptr)](*addresses)


def on_device(function):
    """Let a function of the library's arrays take and return arrays on the device."""

    @functools.wraps(function)
    def call(*args):
        return called(function, args, {})

    return call
