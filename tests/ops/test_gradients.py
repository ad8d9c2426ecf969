"""First and second derivatives of every differentiable operation against finite differences; adjoints of linear ones.

Sizes, values and memory layouts are drawn; `MINIGRAD_EXAMPLES` sets how many of each.
"""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.testing import adjoint_check, gradcheck, gradgradcheck

CASES = [
    case
    for path in sorted(Path(__file__).parent.glob("cases_*.py"))
    for case in importlib.import_module(path.stem).CASES
]
EXAMPLES = max(4, int(os.environ.get("MINIGRAD_EXAMPLES", "20")) // 5)


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.name}" for i, case in enumerate(CASES)])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_derivatives(case, data):
    rng, sizes = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))), {}
    arrays = [argument.draw(data.draw, sizes, rng) for argument in case.arguments]
    differentiable = [a.dtype.kind == "f" and argument.diff for a, argument in zip(arrays, case.arguments)]
    tensors = [mg.from_numpy(a).requires_grad_(d) for a, d in zip(arrays, differentiable)]
    gradcheck(case.fn, tensors)
    if case.second:
        gradgradcheck(case.fn, tensors)
    if case.linear:
        single = [t.detach().float() if a.dtype.kind == "f" else t for t, a in zip(tensors, arrays)]
        for i, needed in enumerate(differentiable):
            if needed:
                adjoint_check(lambda v, i=i: case.fn(*single[:i], v, *single[i + 1 :]), single[i])
