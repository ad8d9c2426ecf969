"""Random programs agree with PyTorch: values, gradients, flags, versions, errors.

`MINIGRAD_EXAMPLES=20000` is the long run.
"""

import os
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import INSTRUCTIONS, STOPS, Machine, leaf
from torch_oracle import torch

import minigrad as mg

number = st.integers(0, 99)
programs = st.lists(st.tuples(st.integers(0, len(INSTRUCTIONS) - 1), number, number, number), min_size=3, max_size=25)


def attempt(instruction, machine, numbers):
    """The error of one instruction, or None."""
    try:
        instruction(machine, *numbers)
    except Exception as error:
        return error


def compare(ours, theirs, versions, step):
    """Every tensor of one machine is like its twin; versions count from when a tensor was first seen."""
    assert len(ours.tensors) == len(theirs.tensors), step
    for i, (a, b) in enumerate(zip(ours.tensors, theirs.tensors)):
        where = f"tensor {i} after {step}"
        assert a.requires_grad == b.requires_grad, f"{where}: requires_grad {a.requires_grad}, torch {b.requires_grad}"
        assert a.is_leaf == b.is_leaf, f"{where}: is_leaf {a.is_leaf}"
        if i == len(versions):
            versions.append((a._version, b._version))
        since = a._version - versions[i][0], b._version - versions[i][1]
        assert since[0] == since[1] or not a.numel(), f"{where}: written {since[0]} times, torch {since[1]}"
        same(a, b, where)
        if a.is_leaf or a.retains_grad:
            if (a.grad is None) != (b.grad is None):  # one library knows that it is 0, the other computes it
                found = b.grad if a.grad is None else a.grad
                assert not found.numpy(force=True).any(), f"{where}: grad {a.grad}, torch {b.grad}"
            elif a.grad is not None:
                same(a.grad, b.grad, f"gradient of {where}")


def same(a, b, where):
    a, b = a.numpy(force=True), b.numpy(force=True)
    assert a.shape == b.shape and a.dtype == b.dtype, f"{where}: {a.dtype} {a.shape}, torch {b.dtype} {b.shape}"
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=where)


@settings(max_examples=int(os.environ.get("MINIGRAD_EXAMPLES", "200")))
@given(programs)
def test_random_programs_agree(program):
    ours, theirs, versions = Machine(mg), Machine(torch), []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for machine in (ours, theirs):
            leaf(machine, 2, 5, 1)
        for place, (code, *numbers) in enumerate(program):
            instruction = INSTRUCTIONS[code]
            step = f"step {place}, {instruction.__name__}{tuple(numbers)}"
            error, expected = (attempt(instruction, machine, numbers) for machine in (ours, theirs))
            assert type(error) is type(expected), f"{step}: minigrad {error!r}, torch {expected!r}"
            if error is not None and instruction in STOPS:
                return
            if len(theirs.tensors) > 40 or any(t.numel() > 500 for t in theirs.tensors):
                return
            compare(ours, theirs, versions, step)
