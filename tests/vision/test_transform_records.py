"""Every function of `transforms.functional` on every kind of image: what torchvision 0.28 gave.

To the bit on PIL images; to rounding on tensors, and on PIL images of floats that a function takes for tensors. Where
torchvision refused: the error and its words.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import transform_cases

import minigrad as mg
from minigrad.vision import models, transforms
from minigrad.vision.transforms import functional, presets

PICTURES = {"L", "RGB", "RGBA", "1", "P", "F", "I"}
DTYPES = [mg.uint8, mg.int16, mg.int32, mg.int64, mg.float32, mg.float64]


class _Transforms:
    InterpolationMode = transforms.InterpolationMode
    _presets = presets


CASES = transform_cases.cases(functional, _Transforms, lambda array: mg.from_numpy(array.copy()), DTYPES)


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).with_name("transforms.npz")) as file:
        record, values = json.loads(str(file["record"])), file["values"].tobytes()
    outcomes, start = {}, 0
    for key, kind in record["kinds"].items():
        dtype, shape = record["layout"].get(key, ("float64", [0]))
        array = np.frombuffer(values, dtype, math.prod(shape), start).reshape(shape)
        start += array.nbytes
        outcomes[key] = kind, array
    return outcomes, record["looks"], record["presets"]


@pytest.mark.parametrize("case", CASES)
def test_torchvision_gave_the_same(recorded, case):
    given = transform_cases.images(lambda array: mg.from_numpy(array.copy()))
    for name, image in given.items():
        kind, expected = recorded[0][f"{case} | {name}"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours, array = transform_cases.outcome(CASES[case], image)
        assert ours == kind, name
        assert array.shape == expected.shape, name
        if name in PICTURES and ours in PICTURES - {"F"}:
            np.testing.assert_array_equal(array, expected, name)
        elif array.dtype.kind == "f":
            np.testing.assert_allclose(array, expected, rtol=1e-5, atol=2e-5, err_msg=name)
        elif array.size:
            difference = np.abs(array.astype(np.float64) - expected.astype(np.float64))
            assert difference.max() <= 1 and (difference > 0).mean() < 0.02, name


@pytest.mark.parametrize("construction", transform_cases.CONSTRUCTIONS)
def test_looks_and_refusals_of_transforms(recorded, construction):
    assert transform_cases.appearance(construction, transforms) == recorded[1][construction]


def test_transforms_of_published_weights(recorded):
    ours = {repr(member): repr(member.transforms()) for member in transform_cases.published(models)}
    assert {name: preset for name, preset in recorded[2].items() if name in ours} == ours
    assert len(ours) >= len(transform_cases.NETWORKS)
