"""Our networks are those of torchvision and timm: layout of the state, results and gradients on the same weights.

What theirs do lies in `published_models.json`, recorded by `record_models.py`; neither package is needed here.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from model_cases import CASES, TIMM, behaviour, layout

import minigrad as mg
from minigrad.autograd import Tensor
from minigrad.vision import models

RECORD = json.loads(Path(__file__).with_name("published_models.json").read_text())


@pytest.fixture
def undrawn(monkeypatch):
    """Parameters hold whatever memory held: quick for networks of which only the layout counts."""
    for name in ("uniform_", "normal_"):
        monkeypatch.setattr(Tensor, name, lambda self, *args, **kwargs: self)


def test_the_record_is_of_all_networks():
    assert sorted(RECORD["layouts"]) == models.list_models()


@pytest.mark.parametrize("name", RECORD["layouts"])
def test_layout(name, undrawn):
    ours = layout(models.get_model(name))
    theirs = RECORD["layouts"][name]
    assert {key: ours[key] for key in theirs} == theirs
    assert ("repr" in theirs) == (name not in TIMM)


@pytest.mark.parametrize("case", CASES)
def test_results_and_gradients(case, undrawn):
    name, arguments, shape, mode = CASES[case]
    name, _, part = name.partition(".")
    ours = behaviour(mg, models.get_model(name, **arguments).get_submodule(part), shape, mode)
    theirs = RECORD["behaviours"][case]
    assert ours.keys() == theirs.keys()
    for key, array in ours.items():  # recorded to six digits
        expected = np.array(theirs[key]).reshape(array.shape)
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max(), err_msg=key)


def test_published_files():
    members = [member for name in dir(models) if name.endswith("_Weights") for member in getattr(models, name)]
    assert {repr(member): member.url for member in members} == RECORD["weights"]
    assert models.ResNet50_Weights.DEFAULT is models.ResNet50_Weights.IMAGENET1K_V2
