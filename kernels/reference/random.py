"""Random numbers from a counter, which is hashed: Philox 4x32 with ten rounds, and dropout that draws from it.

A stream is an array of two uint64: its seed, and its place, the number of blocks of four words that have been drawn.
A word depends on these and on nothing else, so any thread can draw any word. The fast versions live in
`kernels/cpu/random.py`. Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import numpy as np

LOW = 0xFFFFFFFF
ROUNDS = 10


def philox(counter, key):
    """The four words below 2³² that belong to a counter of four and a key of two.

    >>> " ".join(f"{word:08x}" for word in philox((0, 0, 0, 0), (0, 0)))
    '6627e8d5 e169c58d bc57ac4c 9b00dbd8'
    """
    (a, b, c, d), (first, second) = counter, key
    for _ in range(ROUNDS):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32) ^ b ^ first, q & LOW, (p >> 32) ^ d ^ second, p & LOW
        first, second = (first + 0x9E3779B9) & LOW, (second + 0xBB67AE85) & LOW
    return a, b, c, d


def random_words(stream, count):
    """`count` random words, uint32, drawn from a stream, which goes on by blocks of four.

    >>> stream = np.array([0, 0], np.uint64)
    >>> [f"{word:08x}" for word in random_words(stream, 2)]
    ['6627e8d5', 'e169c58d']
    >>> stream
    array([0, 1], dtype=uint64)
    """
    (seed, place), blocks = stream.tolist(), -(-count // 4)
    words = []
    for number in range(place, place + blocks):
        words += philox((number & LOW, number >> 32 & LOW, 0, 0), (seed & LOW, seed >> 32))
    stream[1] += np.uint64(blocks)
    return np.array(words[:count], np.uint32)


def dropout(x, stream, p):
    """(x · mask, mask), where an element of mask is 0 with probability p, 0 < p < 1, else 1 / (1 - p).

    x is of float32 or float64. Its elements, in the order of their indices, get one word each of the stream, which
    goes on: those whose upper 24 bits are below p · 2²⁴ are dropped.

    >>> dropout(np.ones(4), np.array([0, 0], np.uint64), 0.5)
    (array([0., 2., 2., 2.]), array([0., 2., 2., 2.]))
    """
    mask = np.empty(x.shape, x.dtype.newbyteorder("="))
    words = random_words(stream, x.size)
    for at, word in zip(np.ndindex(mask.shape), words.tolist()):
        mask[at] = 1 / (1 - p) if (word >> 8) >= p * 2**24 else 0
    return x * mask, mask
