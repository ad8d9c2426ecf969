"""Processes killed with SIGKILL: while they save, and while they train.

With MINIGRAD_EXAMPLES=1000 or more, 200 of the first kind and 20 of the second; 10 and 2 otherwise.
"""

import os
import random
import select
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


def _save_without_end(path, number, told):
    """Save one state after another to `path`; the pipe `told` gets the number of each when it is saved."""
    while True:
        number += 1
        mg.save({"number": number, "weight": mg.full((300, 300), float(number)), "list": [number] * 100}, path)
        os.write(told, number.to_bytes(8, "little"))


def test_a_save_that_is_killed_leaves_the_last_or_the_previous_checkpoint(tmp_path):
    path, rng, number = tmp_path / "state", random.Random(0), 0
    within = 0
    for _ in range(200 if LONG else 10):
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _save_without_end(path, number, told)
            finally:
                os._exit(1)
        os.close(told)
        saved = int.from_bytes(os.read(heard, 8), "little")  # it saves
        select.select([], [], [], rng.uniform(0, 0.02))  # some moment later
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        while data := os.read(heard, 8):
            saved = int.from_bytes(data, "little")
        os.close(heard)
        state = mg.load(path)
        assert state["number"] in (saved, saved + 1)  # the file may be renamed and not yet told of
        assert (state["weight"].numpy() == state["number"]).all() and state["list"] == [state["number"]] * 100
        number = state["number"]
        parts = [p for p in tmp_path.iterdir() if p != path]
        within += bool(parts)
        for part in parts:
            part.unlink()
    assert within or not LONG  # some were killed in the middle


def _train(folder, *killed):
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(SCRIPT), str(folder), str(STEPS), *map(str, killed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = _train(folder)
    assert process.communicate()[0].split() == [str(n + 1) for n in range(STEPS)] and process.returncode == 0
    return (folder / "checkpoint").read_bytes()


@pytest.mark.parametrize("seed", range(20 if LONG else 2))
def test_a_run_that_is_killed_and_resumed_ends_bit_identical(seed, tmp_path, uninterrupted):
    rng = random.Random(seed)
    process = _train(tmp_path, *([rng.randrange(1, STEPS)] if seed % 2 else []))  # in a step, or from outside
    if seed % 2 == 0:
        for _ in range(rng.randrange(1, STEPS)):
            process.stdout.readline()
        process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL or seed % 2 == 0  # from outside, it may have just ended
    process = _train(tmp_path)
    process.communicate()
    assert process.returncode == 0
    state, other = mg.load(tmp_path / "checkpoint"), tmp_path / "other"
    other.write_bytes(uninterrupted)
    for name, tensor in mg.load(other)["model"].items():
        np.testing.assert_array_equal(state["model"][name].numpy(), tensor.numpy())
    assert state["losses"] == mg.load(other)["losses"]
    assert (tmp_path / "checkpoint").read_bytes() == uninterrupted  # everything else too
