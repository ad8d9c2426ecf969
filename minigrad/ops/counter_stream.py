"""Random numbers on the GPU, in NumPy's functions: Philox 4x32 with ten rounds, which hashes a counter.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A number depends on the seed and on its place in the
stream, not on how it was computed. The place itself is kept on the GPU: a captured graph that draws goes on in the
stream at every replay.
"""

import math

import numpy as np

from minigrad.autograd import CUDA, pattern

__all__ = ["CounterStream", "philox"]

_LOW = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_BLOCK = 4  # words that one value of the counter gives


def philox(counter, key):
    """Four words, uint64 arrays below 2³², for a `counter` of four such words and a `key` of two numbers.

    >>> words = philox([np.zeros(1, np.uint64)] * 4, (0, 0))
    >>> [f"{int(word[0]):08x}" for word in words]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    a, b, c, d = counter
    first, second = key
    low, half = np.uint64(_LOW), np.uint64(32)
    for _ in range(_ROUNDS):
        p, q = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        a, b, c, d = (q >> half) ^ b ^ np.uint64(first), q & low, (p >> half) ^ d ^ np.uint64(second), p & low
        first, second = (first + _WEYL[0]) & _LOW, (second + _WEYL[1]) & _LOW
    return a, b, c, d


class CounterStream:
    """A stream of random numbers on the GPU, under the method names of NumPy's generators.

    Gamma, beta, binomial and Poisson numbers, which are drawn by trial, it does not have.
    """

    def __init__(self, seed):
        self._key = seed & _LOW, seed >> 32
        self._place = np.zeros((), np.uint64, like=pattern(CUDA))

    def place(self):
        """How many blocks of the stream have been used."""
        return int(self._place)

    def go_to(self, place):
        """Go to a place that `place()` returned."""
        self._place[...] = np.uint64(place)

    def _words(self, count):
        """`count` words of 32 bits, uint64."""
        blocks = -(-count // _BLOCK)
        place = np.arange(blocks, dtype=np.uint64, like=self._place) + self._place
        self._place += np.uint64(blocks)
        zero = np.zeros_like(place)
        counter = place & np.uint64(_LOW), place >> np.uint64(32), zero, zero
        return np.stack(philox(counter, self._key), 1).reshape(-1)[:count]

    def _double_words(self, count):
        """`count` words of 64 bits."""
        words = self._words(2 * count).reshape(count, 2)
        return (words[:, 0] << np.uint64(32)) | words[:, 1]

    def random(self, size=(), dtype=np.float64):
        """Numbers drawn evenly from [0, 1)."""
        size, dtype = _shape(size), np.dtype(dtype)
        count = math.prod(size)
        if dtype == np.float32:
            drawn = (self._words(count) >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
        else:
            drawn = (self._double_words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return drawn.reshape(size)

    def standard_normal(self, size=(), dtype=np.float64):
        """Normally distributed numbers, in pairs (Box and Muller 1958)."""
        size = _shape(size)
        count = math.prod(size)
        pairs = -(-count // 2)
        radius = np.sqrt(-2 * np.log1p(-self.random(pairs)))
        angle = self.random(pairs) * (2 * math.pi)
        drawn = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        return drawn[:count].astype(dtype).reshape(size)

    def integers(self, low, high, size=()):
        """Whole numbers of [low, high), int64; a range beyond 2³² is hit with a bias of its part of 2⁶⁴."""
        size = _shape(size)
        rest = self._double_words(math.prod(size)) % np.uint64(high - low)
        return (rest.astype(np.int64) + low).reshape(size)

    def permutation(self, n):
        """The numbers 0 to n - 1 in random order."""
        return np.argsort(self._double_words(n))

    def standard_exponential(self, size=(), dtype=np.float64):
        """Exponentially distributed numbers of rate 1."""
        return -np.log1p(-self.random(size)).astype(dtype)

    def geometric(self, p, size=()):
        """Numbers of trials to the first success of probability `p`."""
        return np.maximum(np.ceil(np.log1p(-self.random(size)) / np.log1p(-p)), 1)

    def lognormal(self, mean, std, size=()):
        """e to the power of normally distributed numbers."""
        return np.exp(self.standard_normal(size) * std + mean)

    def standard_cauchy(self, size=()):
        """Numbers drawn from the Cauchy distribution."""
        return np.tan(math.pi * (self.random(size) - 0.5))


def _absent(name):
    def method(self, *args):
        raise NotImplementedError(
            f"{name} numbers are not drawn on the GPU\nhint: give the parameters as .cpu() and move what is drawn"
        )

    method.__name__, method.__doc__ = name, "An error: such numbers are drawn by trial, on the CPU."
    setattr(CounterStream, name, method)


for _name in ("standard_gamma", "beta", "binomial", "poisson"):
    _absent(_name)


def _shape(size):
    return size if isinstance(size, tuple) else (size,)
