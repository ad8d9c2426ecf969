"""Records `published_models.json`, what `test_published_models.py` holds our networks to.

Run it where torchvision 0.28 and timm 1.0 are installed: `python tests/vision/record_models.py`.
"""

import json
from pathlib import Path

import timm
import torch
import torchvision
from model_cases import CASES, TIMM, behaviour, layout

from minigrad.vision import models


def build(name, **arguments):
    if name not in TIMM:
        return getattr(torchvision.models, name)(**arguments)
    return timm.create_model(name, **arguments)


def published(name):
    """The files of weights published for a network, by the enumeration's and the members' names."""
    enumeration = torchvision.models.get_model_weights(name)
    return {repr(member): member.url for member in enumeration if member.name.startswith("IMAGENET1K_V")}


def rounded(numbers):
    return [float(f"{number:.6g}") for number in numbers.ravel()]


if __name__ == "__main__":
    record: dict = {"layouts": {}, "weights": {}, "behaviours": {}}
    for name in models.list_models():
        record["layouts"][name] = layout(build(name))
        if name in TIMM:
            del record["layouts"][name]["repr"]  # timm builds of layers of its own
        else:
            record["weights"] |= published(name)
    for case, (name, arguments, shape, mode) in CASES.items():
        name, _, part = name.partition(".")
        numbers = behaviour(torch, build(name, **arguments).get_submodule(part), shape, mode)
        record["behaviours"][case] = {key: rounded(array) for key, array in numbers.items()}
    lines = [
        f'"{section}": {{\n' + ",\n".join(f'"{key}": {json.dumps(entry)}' for key, entry in entries.items()) + "\n}"
        for section, entries in record.items()
    ]
    Path(__file__).with_name("published_models.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
