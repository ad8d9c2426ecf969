"""The command line: the doctor's findings, and kernels compiled ahead."""

import json
import os
import subprocess
import sys

import pytest

import minigrad as mg
from minigrad import cli, compiling


def test_doctor(capsys):
    cli.main(["doctor"])
    said = capsys.readouterr().out
    for word in (
        "processor",
        "vector bits",
        "layer",
        "float32 multiply-adds, GFLOP/s",
        "copy, GB/s",
        "writable",
        "numba",
    ):
        assert word in said


def test_doctor_as_json(capsys):
    cli.main(["doctor", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["limits"]["copy, GB/s"] > 0
    assert facts["threads"]["in use"] >= 1
    assert isinstance(facts["cache"]["writable"], bool)
    assert facts["versions"]["minigrad"] == mg.__version__


def test_doctor_where_nothing_can_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    environment = {**os.environ, "MINIGRAD_CACHE": str(blocked), "MINIGRAD_QUIET": "1"}
    command = [sys.executable, "-m", "minigrad", "doctor", "--json"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    cache = json.loads(result.stdout)["cache"]
    assert not cache["writable"]
    assert cache["compiled kernels"] == 0


def test_warmup_says_what_was_compiled(tmp_path, capsys):
    script = tmp_path / "train.py"
    script.write_text("import minigrad\ndef step():\n    print('ran', minigrad.rand(5, 5).softmax(1).shape)\n")
    cli.main(["warmup", f"{script}:step"])
    said = capsys.readouterr().out
    assert "ran minigrad.Size([5, 5])" in said
    assert "compiled in" in said
    assert "kernel" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["warmup"], "name what to compile"),
        (["warmup", "lenet6"], "lenet5"),
        (["warmup", "minigrad:no_such"], "no function 'no_such'"),
        (["warmup", "no_such_file.py:f"], "no file"),
        (["warmup", "no_such_module:f"], "No module"),
    ],
)
def test_what_the_user_can_mend_ends_in_a_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


AFTER_WARMUP = """
import minigrad as mg
from minigrad.compiling import find
mg.warmup(find("lenet5"))
known = len(mg.compile_report())
model = mg.vision.models.LeNet5()
for batch in (1, 64):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    mg.nn.functional.cross_entropy(model(mg.rand(batch, 1, 32, 32)), mg.arange(batch) % 10).backward()
    optimizer.step()
print(known, mg.compile_report()[known:])
"""


def test_after_a_warmup_nothing_is_left_to_compile():
    result = subprocess.run([sys.executable, "-c", AFTER_WARMUP], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    known, _, rest = result.stdout.partition(" ")
    assert int(known) > 5
    assert rest.strip() == "()"


def test_the_networks_named_are_there():
    assert {"lenet5", "resnet20"} <= set(compiling.NETWORKS)
    assert compiling.find("minigrad:ones") is mg.ones


def test_the_compile_report():
    mg.rand(3, 3).log_softmax(0)
    report = mg.compile_report()
    assert all(entry.milliseconds >= 0 for entry in report)
    said = str(report)
    assert "loaded from disk" in said
    assert "Array(" not in said
