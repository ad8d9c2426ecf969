"""Tensors with seeds of their own, and a step computed inside a recording."""

import numpy as np

import minigrad as mg
from minigrad import viz


def randn(*shape, seed=0):
    return mg.from_numpy(np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32))


def leaf(*shape, seed=0):
    return randn(*shape, seed=seed).requires_grad_()


def recorded(step, backward=True):
    """What `step` returns, a tensor and a loss, computed inside a recording."""
    with viz.record() as recording:
        tensor, loss = step()
        if backward:
            loss.backward()
    return tensor, loss, recording
