"""Hypothesis: 20 examples a test by default, MINIGRAD_EXAMPLES=1000 for a long run; no deadline (kernels compile)."""

import os

import pytest
from hypothesis import HealthCheck, settings

import minigrad

pytest.register_assert_rewrite("torch_oracle")

settings.register_profile(
    "minigrad",
    max_examples=int(os.environ.get("MINIGRAD_EXAMPLES", "20")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("minigrad")


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where tensors are made: cpu, or cuda (slow when simulated)")


def pytest_configure(config):
    minigrad.set_default_device(config.getoption("--device"))  # before modules of tests are imported, and make tensors
