"""Runs that are killed with SIGKILL, in the middle of an epoch, and resumed: they end bit-identical.

With MINIGRAD_EXAMPLES=1000 or more there are 20 of them, otherwise 2.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg

LONG = int(os.environ.get("MINIGRAD_EXAMPLES", "0")) >= 1000
SCRIPT = Path(__file__).parent / "resumable_training.py"
STEPS = 40


def _train(folder, *arguments):
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(SCRIPT), str(folder), str(STEPS), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The last checkpoint of a run without workers that nobody killed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = _train(folder, 0)
    assert process.communicate()[0].split() == [str(n + 1) for n in range(STEPS)] and process.returncode == 0
    return folder / "checkpoint"


@pytest.mark.parametrize("seed", range(20 if LONG else 2))
def test_a_run_that_is_killed_and_resumed_ends_bit_identical(seed, tmp_path, uninterrupted):
    rng = random.Random(seed)
    before, after = (rng.choice([1, 2, 3, "spawn"] if LONG else [2, 3]) for _ in range(2))
    killed = rng.randrange(1, STEPS)
    process = _train(tmp_path, before, *([killed] if seed % 2 else []))  # in a step, or from outside
    if seed % 2 == 0:
        for _ in range(killed):
            process.stdout.readline()
        process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL or seed % 2 == 0  # from outside, it may have just ended
    step = mg.load(tmp_path / "checkpoint")["history"]["step"]

    process = _train(tmp_path, after)
    assert process.communicate()[0].split() == [str(n + 1) for n in range(step, STEPS)]  # it did go on
    assert process.returncode == 0
    state, other = mg.load(tmp_path / "checkpoint"), mg.load(uninterrupted)
    for name, tensor in other["model"].items():
        np.testing.assert_array_equal(state["model"][name].numpy(), tensor.numpy())
    np.testing.assert_equal(state["history"], other["history"])
    assert (tmp_path / "checkpoint").read_bytes() == uninterrupted.read_bytes()  # everything else too
