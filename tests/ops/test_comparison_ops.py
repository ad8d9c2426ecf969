"""Comparison, logic and bits: every dtype beside every other, numbers, NaN, in place, and PyTorch's errors."""

import numpy as np
import pytest
from torch_oracle import same, same_error, same_program, tensor, torch

import minigrad as mg

ARRAYS = {
    "float32": np.array([0.0, -1.5, np.nan, np.inf, 3.0], "float32"),
    "float64": np.array([0.0, 2.0, np.nan, -np.inf, 3.0]),
    "int64": np.array([0, -1, 2, 2**40, 3]),
    "uint8": np.array([0, 255, 2, 7, 3], "uint8"),
    "bool": np.array([False, True, True, False, True]),
}
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge", "not_equal", "less", "less_equal", "greater", "greater_equal"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
BITWISE = ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"]


def _both(name, *arrays):
    return (getattr(m, name)(*[tensor(m, a) for a in arrays]) for m in (mg, torch))


@pytest.mark.parametrize("name", COMPARISONS + LOGICAL)
def test_every_pair_of_dtypes(name):
    for x in ARRAYS.values():
        for y in ARRAYS.values():
            same(*_both(name, x, y[::-1]))


@pytest.mark.parametrize("name", COMPARISONS)
def test_numbers(name):
    for x in ARRAYS.values():
        for number in (2, -1, 255, 2.5, True, float("nan"), float("inf")):
            same(*(getattr(m, name)(tensor(m, x), number) for m in (mg, torch)))


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "logical_not"])
def test_questions(name):
    for x in (*ARRAYS.values(), np.zeros((0, 2)), np.array(np.nan)):
        same(*_both(name, x))


@pytest.mark.parametrize("name", BITWISE)
def test_bits(name):
    whole = {
        "int64": np.array([5, -6, 70, 2]),
        "int8": np.array([5, -6, 7, 2], "int8"),
        "uint8": np.array([5, 6, 7, 2], "uint8"),
    }
    for x in whole.values():
        for y in whole.values():
            same(*_both(name, x, y[::-1]))
        same(*(getattr(m, name)(tensor(m, x), 3) for m in (mg, torch)))


PROGRAMS = [
    "m.tensor([5, 6]) & 3, 3 | m.tensor([5, 6]), m.tensor([True]) ^ True, ~m.tensor([5, -1]), ~m.tensor([True])",
    "m.tensor([5, 6]) << 2, 1 << m.tensor([5, 6]), m.tensor([-5, 6]) >> 1, 64 >> m.tensor([2, 3])",
    "m.tensor([True]) & m.tensor([3]), m.tensor([True]) << 1",
    "m.ones(2) == None, m.ones(2) != 'a', m.ones(2) == (1, 2)",
    "2 < m.tensor([1, 3]), 2.5 >= m.tensor([1, 3]), 2 == m.tensor(2)",
    "m.tensor([1., 2.]).eq_(2), m.tensor([1, 2]).lt_(2), m.tensor([0., 2.]).logical_not_()",
    "m.tensor([1., 0.]).logical_and_(m.tensor([2., 1.])), m.tensor([5]).bitwise_and_(4), m.tensor([1]).bitwise_not_()",
    "m.isclose(m.tensor([1., 2.]), m.tensor([1., 2.1])), m.isclose(m.tensor([1, 9]), m.tensor([2, 2]), atol=1)",
    "m.isclose(m.tensor([float('nan'), float('inf')]), m.tensor([float('nan'), float('inf')]), equal_nan=True)",
    "m.isclose(m.tensor([True, False]), m.tensor([True, True])), m.isclose(m.ones(2, 1), m.ones(3))",
    "m.allclose(m.ones(2), m.ones(2) + 1e-7), m.allclose(m.ones(2), m.ones(2) + 1e-3), m.ones(2).allclose(m.ones(2))",
    "m.equal(m.ones(2), m.ones(2)), m.equal(m.ones(2), m.ones(1)), m.equal(m.ones(1), m.ones(1).double())",
    "m.isin(m.tensor([1, 2, 3]), m.tensor([3, 1])), m.isin(m.tensor([1, 2]), 2), m.isin(1, m.tensor([1, 2]))",
    "m.isin(m.tensor([[1, 2]]), m.tensor([2]), invert=True)",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program):
    same_program(lambda m: eval(program, {"m": m}))


def test_operators_in_place():
    def program(m):
        x, y = m.tensor([5, 6]), m.tensor([True, False])
        z = x
        x &= 4
        x |= 1
        x ^= 2
        x <<= 3
        x >>= 1
        y ^= True
        return x, z, y

    same_program(program)


def test_a_comparison_in_place_cuts_the_gradient():
    def program(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.eq_(2)
        (y * 3).sum().backward()
        return y, x.grad

    same_program(program)


ERRORS = [
    "m.ones(2) < None",
    "m.ones(2) & 1",
    "m.ones(2) << 1",
    "~m.ones(2)",
    "m.tensor([True]) << m.tensor([True])",
    "m.ones(2).bitwise_or(m.tensor([1, 2]))",
    "m.isclose(m.ones(1), m.ones(1).double())",
    "m.isclose(m.ones(1), m.ones(1), rtol=-1)",
    "m.ones(2) == m.ones(3)",
    "m.isclose(m.ones(2), m.ones(3))",
    "m.logical_and(m.ones(2), 1)",
]


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same_error(lambda m: eval(program, {"m": m}), "" if "logical" in program else None)
