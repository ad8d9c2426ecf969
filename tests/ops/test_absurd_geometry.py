"""Sizes that nobody can mean are errors at once: nothing is allocated, nothing overflows, nothing runs for long."""

import pytest

import minigrad as mg
from minigrad.nn import functional as F

IMAGE, FILTER = mg.ones(1, 1, 8, 8), mg.ones(1, 1, 3, 3)
CALLS = {
    "conv dilation": lambda: F.conv2d(IMAGE, FILTER, dilation=2**62),
    "conv padding": lambda: F.conv2d(IMAGE, FILTER, padding=2**40),
    "conv stride 0": lambda: F.conv2d(IMAGE, FILTER, stride=0),
    "conv stride -1": lambda: F.conv2d(IMAGE, FILTER, stride=-1),
    "transposed padding": lambda: F.conv_transpose2d(IMAGE, FILTER, padding=2**40),
    "transposed stride": lambda: F.conv_transpose2d(IMAGE, FILTER, stride=2**40),
    "transposed dilation": lambda: F.conv_transpose2d(IMAGE, FILTER, dilation=2**62),
    "transposed output padding": lambda: F.conv_transpose2d(IMAGE, FILTER, output_padding=2**40),
    "max pool kernel": lambda: F.max_pool2d(IMAGE, 2**40),
    "max pool stride 0": lambda: F.max_pool2d(IMAGE, 2, stride=0),
    "max pool dilation": lambda: F.max_pool2d(IMAGE, 2, dilation=2**62),
    "average pool stride": lambda: F.avg_pool2d(IMAGE, 2, stride=-2),
    "adaptive average pool": lambda: F.adaptive_avg_pool2d(IMAGE, 2**40),
    "adaptive max pool": lambda: F.adaptive_max_pool2d(IMAGE, 2**40),
    "unpool": lambda: F.max_unpool2d(IMAGE, mg.zeros(1, 1, 8, 8, dtype=mg.int64), 2, stride=2**40),
    "lp pool": lambda: F.lp_pool2d(IMAGE, 2, 2**40),
    "unfold dilation": lambda: F.unfold(IMAGE, 2, dilation=2**62),
    "fold": lambda: F.fold(mg.ones(1, 4, 9), (2**40, 2**40), 2),
    "interpolate factor": lambda: F.interpolate(IMAGE, scale_factor=1e30),
    "interpolate size": lambda: F.interpolate(IMAGE, size=2**40),
    "pad": lambda: F.pad(IMAGE, (2**62, 0)),
    "pad reflect": lambda: F.pad(IMAGE, (2**40, 0, 0, 0), mode="reflect"),
    "pad replicate": lambda: F.pad(IMAGE, (2**40, 0, 0, 0), mode="replicate"),
    "pixel shuffle": lambda: F.pixel_shuffle(IMAGE, 2**40),
    "pixel unshuffle": lambda: F.pixel_unshuffle(IMAGE, 0),
    "affine grid": lambda: F.affine_grid(mg.ones(1, 2, 3), (1, 1, 2**40, 2**40), align_corners=False),
    "one hot": lambda: F.one_hot(mg.tensor([1]), 2**50),
    "zeros": lambda: mg.zeros(2**40, 2**20),
    "randn": lambda: mg.randn(2**40, 2**30),
    "arange": lambda: mg.arange(2**60),
    "linspace": lambda: mg.linspace(0, 1, 2**50),
    "eye": lambda: mg.eye(2**30),
    "tril_indices": lambda: mg.tril_indices(2**40, 2**40),
    "repeat": lambda: mg.ones(3).repeat(2**45),
    "repeat_interleave": lambda: mg.ones(2).repeat_interleave(2**50),
    "expand": lambda: mg.ones(3).expand(2**62, 2**62, 3),
    "as_strided": lambda: mg.ones(3).as_strided((5, 5), (2**60, 1)),
    "Tensor.unfold": lambda: mg.ones(5).unfold(0, 2**62, 1),
    "bincount": lambda: mg.bincount(mg.tensor([2**50])),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_absurd_geometry_is_an_error(call):
    with pytest.raises((RuntimeError, ValueError)):
        call()
