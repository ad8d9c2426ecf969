"""How a differentiable operation is listed for `test_gradients.py`: its arguments' shapes, ranges and kinks.

Each family's cases stand in `cases_<family>.py`. A case is drawn many times: sizes, values and memory layouts differ.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from minigrad.testing import LAYOUTS, lay_out

SIZES = {"n": (1, 3), "c": (1, 3), "h": (3, 6), "w": (3, 6), "d": (3, 5), "a": (1, 4), "b": (1, 4), "k": (2, 4)}
PLAIN = ("contiguous", *(layout for layout in LAYOUTS if layout != "broadcast"))


@dataclass(frozen=True)
class X:
    """A floating-point argument: its shape (numbers, and letters whose sizes are drawn), its range, its kinks.

    `distinct` gives values that lie apart, for operations that order them; `away` lists numbers that no value comes
    near, for kinks and poles; with `diff=False` no gradient is taken.
    """

    shape: tuple = ("a", "b")
    low: float = -2.0
    high: float = 2.0
    distinct: bool = False
    away: tuple = ()
    diff: bool = True

    def draw(self, draw, sizes, rng):
        """A float64 array in a drawn layout."""
        shape = tuple([draw_size(draw, sizes, s) for s in self.shape])
        count = int(np.prod(shape))
        if self.distinct:
            values = self.low + (self.high - self.low) * (rng.permutation(count) + 0.5) / max(count, 1)
        else:
            values = rng.uniform(self.low, self.high, count)
        for kink in self.away:
            values = np.where(np.abs(values - kink) < 0.05, kink + 0.1, values)
        array = np.asarray(values.reshape(shape))
        layout = draw(st.sampled_from(PLAIN))
        return array if layout == "contiguous" else lay_out(array, layout)


@dataclass(frozen=True)
class Index:
    """An int64 argument: indices below `high`, a number or a size's letter."""

    shape: tuple = ("a",)
    high: object = "b"
    distinct: bool = False

    def draw(self, draw, sizes, rng):
        """An int64 array."""
        shape = tuple([draw_size(draw, sizes, s) for s in self.shape])
        high = draw_size(draw, sizes, self.high)
        return rng.permutation(high)[: shape[0]] if self.distinct else np.asarray(rng.integers(0, high, shape))


@dataclass(frozen=True)
class Mask:
    """A bool argument."""

    shape: tuple = ("a", "b")

    def draw(self, draw, sizes, rng):
        """A bool array."""
        return np.asarray(rng.random(tuple([draw_size(draw, sizes, s) for s in self.shape])) < 0.5)


@dataclass(frozen=True)
class Case:
    """One operation: a name of the public API, a function of the drawn tensors, the arguments, whether it is linear."""

    name: str
    fn: object
    arguments: tuple
    linear: bool = False
    second: bool = True  # whether the second derivative is checked too


def case(name, fn, *arguments, linear=False, second=True):
    """A `Case`; without arguments it takes one tensor of two dimensions."""
    return Case(name, fn, arguments or (X(),), linear, second)


def draw_size(draw, sizes, size):
    """A number itself, or the size drawn for a letter, the same wherever the letter stands."""
    if not isinstance(size, str):
        return size
    if size not in sizes:
        sizes[size] = draw(st.integers(*SIZES[size]))
    return sizes[size]
