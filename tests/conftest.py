"""Hypothesis: 20 examples a test by default, MINIGRAD_EXAMPLES=1000 for a long run; no deadline (kernels compile).

With `--device cuda` the suite makes its tensors on the GPU: those of the default device, and those of NumPy's arrays;
and their `numpy()` is a copy. What is about the CPU itself is skipped there.
"""

import os
from pathlib import Path

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


ONLY_ON_THE_CPU = {  # folders and files that `--device cuda` leaves out
    "autograd/test_inplace_memory.py": "about the memory of NumPy's arrays",
    "autograd/test_scale.py": "about the host's time and memory",
    "browser": "about pictures",
    "cuda": "chooses its devices itself",
    "data": "about files, images and processes of the host",
    "dropin": "runs programs in processes of their own",
    "kernels": "about the CPU's kernels",
    "programs": "runs programs in processes of their own",
    "test_cli.py": "runs programs in processes of their own",
    "test_device_report.py": "runs programs in processes of their own",
    "test_docs.py": "runs programs in processes of their own",
    "test_docs_site.py": "about the documentation",
    "test_doctests.py": "the examples show what the CPU prints",
    "test_examples.py": "runs programs in processes of their own",
    "test_exchange.py": "about memory shared with NumPy",
    "test_history.py": "about files and pictures",
    "test_house.py": "about the sources",
    "test_overview.py": "about what is printed",
    "test_profiler.py": "about the host's time and memory",
    "test_resume.py": "runs programs in processes of their own",
    "test_serialization_kills.py": "about files",
    "test_serialization_mutations.py": "about files",
    "test_tensorboard.py": "about files",
    "vision": "about the host's images",
    "viz": "about pictures",
}


def pytest_configure(config):
    device = config.getoption("--device")
    minigrad.set_default_device(device)  # before modules of tests are imported, and make tensors
    if device != "cpu":
        numpy, from_numpy = minigrad.Tensor.numpy, minigrad.from_numpy
        minigrad.Tensor.numpy = lambda self, *, force=False: numpy(self.cpu(), force=force)
        minigrad.from_numpy = lambda array: from_numpy(array).to(device)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--device") == "cpu":
        return
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here).as_posix()
        if reason := ONLY_ON_THE_CPU.get(path) or ONLY_ON_THE_CPU.get(path.partition("/")[0]):
            item.add_marker(pytest.mark.skip(reason=reason))
