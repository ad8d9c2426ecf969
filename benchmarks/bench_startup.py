"""How long a fresh process takes: importing, and the first training step with a warm and with an empty cache."""

import os
import statistics
import subprocess
import sys
import tempfile

from .timing import machine

IMPORT = "import minigrad"
FIRST_STEP = """
import minigrad
from minigrad.nn import functional as F
from minigrad.vision.models import LeNet5
model = LeNet5()
optimizer = minigrad.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
F.cross_entropy(model(minigrad.rand(64, 1, 32, 32)), minigrad.randint(10, (64,))).backward()
optimizer.step()
"""
TORCH_FIRST_STEP = """
import torch
from benchmarks.networks import lenet5
model = lenet5(torch)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
torch.nn.functional.cross_entropy(model(torch.rand(64, 1, 32, 32)), torch.randint(10, (64,))).backward()
optimizer.step()
"""


def seconds(code, **environment):
    """How long `code` takes in a process of its own, the start of Python not counted."""
    timed = f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    result = subprocess.run(
        [sys.executable, "-c", timed],
        env={**inherited, "MINIGRAD_QUIET": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(result.stdout)


def main():
    """Print the table."""
    seconds(IMPORT)  # Python compiles its sources, once
    with tempfile.TemporaryDirectory() as cache:
        empty = seconds(FIRST_STEP, MINIGRAD_CACHE=cache)
        warm = statistics.median(seconds(FIRST_STEP, MINIGRAD_CACHE=cache) for _ in range(5))
    print(f"## Startup\n\n{machine()}; median of 5 fresh processes\n")
    print("| what | seconds |\n|---|---|")
    print(f"| import minigrad | {statistics.median(seconds(IMPORT) for _ in range(5)):.2f} |")
    print(f"| import torch | {statistics.median(seconds('import torch') for _ in range(5)):.2f} |")
    print(f"| import and first LeNet-5 step, kernels cached | {warm:.2f} |")
    print(f"| import and first LeNet-5 step, empty cache (once) | {empty:.2f} |")
    print(f"| the same in torch | {statistics.median(seconds(TORCH_FIRST_STEP) for _ in range(5)):.2f} |")


if __name__ == "__main__":
    main()
