"""Random numbers from a counter, and dropout that draws from it; `kernels/reference/random.py` is the definition.

The stream's place is a number on the device, read by the kernel that draws and moved on by the library after it: a
captured graph that draws goes on in the stream at every replay.
"""

from math import ceil

import numpy as np

from ..device import library
from ._numba import SIMULATED, cuda, i32, inlined, kernel, launch, on_device, u32, u64, unrolled
from .memory import aligned, empty
from .vector import give, take

__all__ = ["dropout", "random_words"]

THREADS = 8 if SIMULATED else 256
MOST_BLOCKS = 2 if SIMULATED else 132 * 16


@inlined
def philox(words, seed, place):
    """The four words of the block at a place of the stream of a seed."""
    a, b, c, d = u32(place), u32(place >> 32), u32(0), u32(0)
    first, second = u32(seed), u32(seed >> 32)
    for _ in unrolled(10):
        p, q = u64(a) * u64(0xD2511F53), u64(c) * u64(0xCD9E8D57)
        a, b, c, d = u32(u32(q >> 32) ^ b ^ first), u32(q), u32(u32(p >> 32) ^ d ^ second), u32(p)
        first, second = u32(first + u32(0x9E3779B9)), u32(second + u32(0xBB67AE85))
    words[0] = a
    words[1] = b
    words[2] = c
    words[3] = d


@kernel("u64*, T*, i32")
def draw_words(stream, result, count, *, T, THREADS, VECTOR):
    """The words of a stream from its place on."""
    words = cuda.local.array(4, T)
    for block in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, (count + 3) >> 2, cuda.gridDim.x * THREADS):
        philox(words, stream[0], stream[1] + u64(block))
        give(result, 4 * block, count - 4 * block, words, 0)


@kernel("T*, u64*, T*, T*, i32, T, i32")
def drop(x, stream, y, mask, threshold, scale, count, *, T, WORD, THREADS, VECTOR):
    """y = x · mask for a mask drawn from the stream."""
    words = cuda.local.array(4, WORD)
    values, factors = cuda.local.array(4, T), cuda.local.array(4, T)
    for block in range(cuda.blockIdx.x * THREADS + cuda.threadIdx.x, (count + 3) >> 2, cuda.gridDim.x * THREADS):
        left = count - 4 * block
        philox(words, stream[0], stream[1] + u64(block))
        take(values, 0, x, 4 * block, left)
        for i in unrolled(4):
            factors[i] = scale if i32(words[i] >> 8) >= threshold else T(0)
            values[i] = values[i] * factors[i]
        give(y, 4 * block, left, values, 0)
        give(mask, 4 * block, left, factors, 0)


def _blocks(count):
    return min(-(-count // (4 * THREADS)), MOST_BLOCKS)


def _go_on(stream, count):
    stream[1:] += np.uint64(-(-count // 4))


@on_device
def random_words(stream, count):
    """`count` random words, uint32, drawn from a stream: `kernels.reference.random_words`."""
    result = empty((count,), np.dtype(np.uint32))
    launch(
        draw_words, _blocks(count), THREADS, stream, result, count, T=result.dtype, THREADS=THREADS,
        VECTOR=aligned(result),
    )  # fmt: skip
    _go_on(stream, count)
    return result


@on_device
def dropout(x, stream, p):
    """(x · mask, mask), a mask of 0 with probability p, else 1 / (1 - p): `kernels.reference.dropout`."""
    if not x.flags.c_contiguous:  # the words go by indices, the product has the memory order of x
        _, mask = _dropped(library().module.ones(x.shape, x.dtype), stream, p)
        return x * mask, mask
    return _dropped(x, stream, p)


def _dropped(x, stream, p):
    """The same for an array that is dense."""
    y, mask = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    launch(
        drop, _blocks(x.size), THREADS, x, stream, y, mask, ceil(p * 2**24), 1 / (1 - p), x.size,
        T=x.dtype, WORD=np.dtype(np.uint32), THREADS=THREADS, VECTOR=aligned(x, y, mask),
    )  # fmt: skip
    _go_on(stream, x.size)
    return y, mask
