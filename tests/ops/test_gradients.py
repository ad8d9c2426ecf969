"""First and second derivatives of every differentiable operation against finite differences; adjoints of linear ones.

Sizes, values and memory layouts are drawn; `MINIGRAD_EXAMPLES` sets how many of each.
"""

import importlib
import inspect
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.ops import registry
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
    here = mg.get_default_device()  # the option --device of conftest.py
    tensors = [mg.from_numpy(a).to(here).requires_grad_(d) for a, d in zip(arrays, differentiable)]
    gradcheck(case.fn, tensors)
    if case.second:
        gradgradcheck(case.fn, tensors)
    if case.linear:
        single = [t.detach().float() if a.dtype.kind == "f" else t for t, a in zip(tensors, arrays)]
        for i, needed in enumerate(differentiable):
            if needed:
                adjoint_check(lambda v, i=i: case.fn(*single[:i], v, *single[i + 1 :]), single[i])


WITHOUT_GRADIENT = [
    "as_tensor",
    "ones",
    "empty",
    "ones_like",
    "empty_like",
    "full_like",
    "seed",
    "initial_seed",
    "get_rng_state",
    "set_rng_state",
    "rand",
    "randn",
    "rand_like",
    "randn_like",
    "randint",
    "randint_like",
    "randperm",
    "logspace",
    "tril_indices",
    "triu_indices",
    "normal",
    "bernoulli",
    "multinomial",
    "poisson",
    "broadcast_shapes",
    "is_tensor",
    "is_floating_point",
    "is_complex",
    "is_nonzero",
    "numel",
    "result_type",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "isnan",
    "isinf",
    "isfinite",
    "isclose",
    "allclose",
    "equal",
    "isin",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_not",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "any",
    "count_nonzero",
    "unique",
    "unique_consecutive",
    "bincount",
    "histc",
    "argmax",
    "argmin",
    "argsort",
    "nonzero",
    "argwhere",
    "searchsorted",
    "bucketize",
    "one_hot",
    "LinAlgError",
    "heaviside",
    "floor_divide",
    "asarray",
    "frombuffer",
    "scalar_tensor",
    "range",
    "FloatTensor",
    "DoubleTensor",
    "LongTensor",
    "IntTensor",
    "ShortTensor",
    "CharTensor",
    "ByteTensor",
    "BoolTensor",
    "set_default_tensor_type",
    "isposinf",
    "isneginf",
    "isreal",
    "signbit",
    "matrix_rank",
    "is_signed",
    "is_same_size",
    "typename",
    "fork_rng",
    "unravel_index",
    "conj",
    "hann_window",
    "hamming_window",
    "blackman_window",
    "gcd",
    "lcm",
    "from_dlpack",
    "to_dlpack",
]  # integers, bools, random numbers and step functions


def test_no_function_is_left_out():
    names = {}
    for offered in (registry.functions, registry.functionals, registry.linalg):
        for name, definition in offered.items():
            if not name.endswith("_"):  # in place: tests/autograd/test_inplace.py
                names.setdefault(inspect.unwrap(definition), set()).add(name)
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("cases_*.py"))
    listed = {*re.findall(r"\w+", source), *(case.name for case in CASES), *WITHOUT_GRADIENT}
    assert [sorted(aliases) for aliases in names.values() if not aliases & listed] == []
