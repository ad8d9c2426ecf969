"""Random numbers on the GPU: a hash of a counter gives the words (`kernels/reference/random.py`), numbers are made of
them here, in NumPy's functions.

A number depends on the seed and on its place in the stream, not on how it was computed. Both are kept on the GPU: a
captured graph that draws goes on in the stream at every replay, and draws from another one after a new seed.
"""

import math

import numpy as np

from minigrad.autograd import CUDA, pattern
from minigrad.kernels import kernels_for
from minigrad.kernels.device import DeviceArray, to_device, to_host

__all__ = ["CounterStream"]


class CounterStream:
    """A stream of random numbers on the GPU, under the method names of NumPy's generators.

    `state` holds the seed and the place, the number of blocks of four words that have been drawn. Gamma, beta, binomial
    and Poisson numbers, which take trials, are drawn on the host, by a generator that seed and place determine: the
    same seed gives the same numbers, but the host waits for the GPU, and a graph cannot capture it.
    """

    def __init__(self, seed):
        self.state = np.zeros(2, np.uint64, like=pattern(CUDA))
        self.start(seed)

    def start(self, seed, place=0):
        """Go to a place in the stream of a seed."""
        self.state[0], self.state[1] = np.uint64(seed), np.uint64(place)

    def place(self):
        """How many blocks of the stream have been used."""
        return int(self.state[1])

    def _words(self, count):
        """`count` words of 32 bits."""
        return kernels_for(self.state).random_words(self.state, count)

    def _double_words(self, count):
        """`count` words of 64 bits."""
        words = self._words(2 * count).reshape(count, 2).astype(np.uint64)
        return (words[:, 0] << np.uint64(32)) | words[:, 1]

    def random(self, size=(), dtype=np.float64):
        """Numbers drawn evenly from [0, 1)."""
        size, dtype = _shape(size), np.dtype(dtype)
        count = math.prod(size)
        if dtype == np.float32:
            drawn = (self._words(count) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
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

    def _on_the_host(self):
        """A generator of the host's that belongs to this place, which is used up."""
        generator = np.random.Generator(np.random.Philox(key=np.array(self.state.tolist(), np.uint64)))
        self.state[1:] += np.uint64(1)
        return generator

    def standard_cauchy(self, size=()):
        """Numbers drawn from the Cauchy distribution."""
        return np.tan(math.pi * (self.random(size) - 0.5))


def _by_trial(name):
    def method(self, *args):
        parameters = [to_host(arg) if isinstance(arg, DeviceArray) else arg for arg in args]
        drawn = getattr(self._on_the_host(), name)(*parameters)
        return to_device(np.asarray(drawn))

    method.__name__, method.__doc__ = name, f"`numpy.random.Generator.{name}`, drawn on the host."
    setattr(CounterStream, name, method)


for _name in ("standard_gamma", "beta", "binomial", "poisson"):
    _by_trial(_name)


def _shape(size):
    return size if isinstance(size, tuple) else (size,)
