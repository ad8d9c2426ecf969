"""The gradient cases of tests/ops: values, first and second derivatives on the GPU are those of the CPU.

A sample by default, every case with MINIGRAD_EXAMPLES=1000. The CPU's side is computed by the reference kernels.
"""

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import use

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
gradient_cases = importlib.import_module("gradient_cases")
PATHS = sorted((Path(__file__).parent.parent / "ops").glob("cases_*.py"))
CASES = [case for path in PATHS for case in importlib.import_module(path.stem).CASES]
EVERY = 1 if int(os.environ.get("MINIGRAD_EXAMPLES", "20")) >= 1000 else 12
RANDOM = ("rrelu", "dropout", "gumbel")  # their numbers differ between devices


class _Smallest:
    """Draws the first of what hypothesis may draw: the plain layout, the smallest sizes but 2."""

    @staticmethod
    def integers(low, high):
        return min(max(low, 2), high)

    @staticmethod
    def sampled_from(choices):
        return choices[0]


def derivatives(fn, arrays, differentiable, device):
    """The results of a function of tensors on a device, their gradients and those of the gradients, as arrays."""
    rng = np.random.default_rng(1)

    def pull(outputs, sources, **settings):
        outputs = [y for y in outputs if y.requires_grad]
        if not outputs or not sources:
            return ()
        cotangents = [mg.from_numpy(np.asarray(rng.standard_normal(y.shape))).to(device) for y in outputs]
        return mg.autograd.grad(outputs, sources, cotangents, materialize_grads=True, **settings)

    tensors = [mg.from_numpy(a.copy()).to(device).requires_grad_(d) for a, d in zip(arrays, differentiable)]
    result = fn(*tensors)
    outputs = [y for y in (result if isinstance(result, tuple) else (result,)) if isinstance(y, mg.Tensor)]
    sources = [x for x in tensors if x.requires_grad]
    first = pull(outputs, sources, create_graph=True)
    every = [*outputs, *first, *pull(first, sources)]
    assert all(y.device.type == device for y in every)
    return [y.numpy(force=True) for y in every]


@pytest.mark.parametrize("case", CASES[::EVERY], ids=[f"{i}-{case.name}" for i, case in enumerate(CASES[::EVERY])])
def test_derivatives_are_the_cpus(case, monkeypatch):
    if not case.second or any(name in case.name for name in RANDOM):
        pytest.skip("no second derivative, or random")
    monkeypatch.setattr(gradient_cases, "st", _Smallest)
    rng, sizes = np.random.default_rng(0), {}
    arrays = [argument.draw(lambda value: value, sizes, rng) for argument in case.arguments]
    differentiable = [a.dtype.kind == "f" and argument.diff for a, argument in zip(arrays, case.arguments)]
    with use("reference"):
        expected = derivatives(case.fn, arrays, differentiable, "cpu")
    if case.name == "polygamma":
        with pytest.raises(NotImplementedError, match=r"hint: compute it on the CPU: x.cpu\(\)"):
            derivatives(case.fn, arrays, differentiable, "cuda")
        return
    try:
        found = derivatives(case.fn, arrays, differentiable, "cuda")
    except RuntimeError as error:
        if "on the same device" in str(error):
            pytest.skip("the case holds a constant on the CPU")
        raise
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
