"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import minigrad
import minigrad.kernels

MODULES = sorted(
    {"minigrad", "minigrad.kernels"}
    | {module.name for module in pkgutil.walk_packages(minigrad.__path__, "minigrad.")}
    | {module.name for module in pkgutil.walk_packages(minigrad.kernels.__path__, "minigrad.kernels.")}
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0
