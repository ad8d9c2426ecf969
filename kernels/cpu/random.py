"""Random numbers from a counter, and dropout that draws from it; `kernels/reference/random.py` is the definition."""

from math import ceil

import numpy as np

from ..buffers import empty
from ..jit import jit, part_jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, parts

WORK = 8  # a word costs as much as so many elements elsewhere
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@part_jit
def _philox(stream, block):
    """The four words, uint64 below 2³², of a block from the stream's place on."""
    first, second = stream[0] & LOW, stream[0] >> HALF
    place = stream[1] + np.uint64(block)
    a, b, c, d = place & LOW, place >> HALF, np.uint64(0), np.uint64(0)
    for _ in range(10):
        p, q = a * FACTORS[0], c * FACTORS[1]
        a, b, c, d = (q >> HALF) ^ b ^ first, q & LOW, (p >> HALF) ^ d ^ second, p & LOW
        first, second = (first + STEPS[0]) & LOW, (second + STEPS[1]) & LOW
    return a, b, c, d


@jit
def _words(part, count, stream, words):
    """Part `part` of `count` of the words, whole blocks of four."""
    blocks = len(words) // 4
    for block in range(blocks * part // count, blocks * (part + 1) // count):
        a, b, c, d = _philox(stream, block)
        words[4 * block], words[4 * block + 1], words[4 * block + 2], words[4 * block + 3] = a, b, c, d


@pool_jit
def _all_words(count, stream, words):
    parallel_for(count, count > 1, _words, (count, stream, words))


@jit
def _dropout(part, count, x, stream, threshold, scale, y, mask):
    """Part `part` of `count` of y and mask."""
    dropped, blocks = x.dtype.type(0), -(-len(x) // 4)
    for block in range(blocks * part // count, blocks * (part + 1) // count):
        words = _philox(stream, block)
        for i in range(4 * block, min(4 * block + 4, len(x))):
            mask[i] = scale if words[i - 4 * block] >> np.uint64(8) >= threshold else dropped
            y[i] = x[i] * mask[i]


@pool_jit
def _dropout_all(count, x, stream, threshold, scale, y, mask):
    parallel_for(count, count > 1, _dropout, (count, x, stream, threshold, scale, y, mask))


def random_words(stream, count):
    """`count` random words, uint32, drawn from a stream, which goes on by blocks of four.

    >>> stream = np.array([0, 0], np.uint64)
    >>> [f"{word:08x}" for word in random_words(stream, 2)]
    ['6627e8d5', 'e169c58d']
    >>> stream
    array([0, 1], dtype=uint64)
    """
    blocks = -(-count // 4)
    words = empty((4 * blocks,), np.dtype(np.uint32))
    if blocks:
        _all_words(parts(blocks, WORK * count), stream, words)
    stream[1] += np.uint64(blocks)
    return words[:count]


def dropout(x, stream, p):
    """(x · mask, mask), where an element of mask is 0 with probability p, 0 < p < 1, else 1 / (1 - p).

    x is of float32 or float64. Its elements, in the order of their indices, get one word each of the stream, which
    goes on: those whose upper 24 bits are below p · 2²⁴ are dropped.

    >>> dropout(np.ones(4), np.array([0, 0], np.uint64), 0.5)
    (array([0., 2., 2., 2.]), array([0., 2., 2., 2.]))
    """
    if not x.flags.c_contiguous:  # the words go by indices, the product has the memory order of x
        _, mask = dropout(np.ones(x.shape, x.dtype.newbyteorder("=")), stream, p)
        return x * mask, mask
    x = dense(x)
    y, mask = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    if x.size:
        count, flat = parts(-(-x.size // 4), WORK * x.size), (y.reshape(-1), mask.reshape(-1))
        scale = x.dtype.type(1 / (1 - p))
        _dropout_all(count, x.reshape(-1), stream, np.uint64(ceil(p * 2**24)), scale, *flat)
        stream[1] += np.uint64(-(-x.size // 4))
    return y, mask
