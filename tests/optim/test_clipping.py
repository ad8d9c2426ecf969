"""Clipping of gradients against torch."""

import pytest
from torch_oracle import draw, same, same_error, torch

import minigrad as mg


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_by_norm_equals_that_of_torch(norm_type, max_norm):
    results = []
    for m in (mg, torch):
        parameters = [m.nn.Parameter(m.ones(3, 2)), m.nn.Parameter(m.ones(4)), m.nn.Parameter(m.ones(1))]
        for i, p in enumerate(parameters[:2]):
            p.grad = m.from_numpy(draw(tuple(p.shape), "float32", seed=i))
        total = m.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        results.append([total, *[p.grad for p in parameters[:2]]])
    for a, b in zip(*results):
        same(a, b, rtol=1e-6, atol=1e-7)


def test_clipping_by_value_equals_that_of_torch():
    results = []
    for m in (mg, torch):
        p = m.nn.Parameter(m.ones(4))
        p.grad = m.tensor([-2.0, 0.1, 0.5, 3.0])
        m.nn.utils.clip_grad_value_(p, 0.5)
        results.append(p.grad)
    same(*results)


def test_a_norm_that_is_not_finite_is_an_error_on_request():
    def program(m):
        p = m.nn.Parameter(m.ones(1))
        p.grad = m.tensor([float("inf")])
        m.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)

    same_error(program)
