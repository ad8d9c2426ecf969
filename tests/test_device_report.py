"""The report of a GPU: sections that fail, hang or lack a tool do not lose the others; its training runs in small."""

import sys

import pytest

from benchmarks import device_report, device_training
from benchmarks.device_report import Section


def section(name, code, seconds=20.0, **settings):
    """A section that runs a line of Python."""
    return Section(name, name.capitalize(), ["-c", code], seconds, **settings)


def test_one_section_does_not_lose_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(device_report, "GRACE", 0.5)
    passed = device_report.report(
        [
            section("good", "print('fine words')", lines=0, alone=True),
            section("bad", "raise ValueError('broken words')"),
            section("hanging", "print('before', flush=True); import time; time.sleep(60)", 1.0),
            section("deaf", "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)", 1.0),
            section("toolless", "", tool=("no-such-tool-here",)),
            section("long", "for i in range(100): print('line', i)", lines=3),
            section("last", "import os; print(os.environ['CHOSEN'])", lines=0, environment={"CHOSEN": "as set"}),
        ],
        tmp_path, str(tmp_path), minutes=1,
    )  # fmt: skip
    assert not passed
    parts = dict(part.split("\n\n", 1) for part in (tmp_path / "report.md").read_text().split("\n## ")[1:])
    assert parts["Good"].startswith("**passed**") and "\nfine words\n" in parts["Good"]
    assert parts["Bad"].startswith("**failed, exit status 1**") and "broken words" in parts["Bad"]
    assert parts["Hanging"].startswith("**stopped after 1 s**") and "before" in parts["Hanging"]
    assert parts["Deaf"].startswith("**stopped after 1 s**")
    assert parts["Toolless"].startswith("**not run: there is no no-such-tool-here**")
    assert "line 97\nline 98\nline 99" in parts["Long"] and "line 96" not in parts["Long"]
    assert "as set" in parts["Last"]
    log = (tmp_path / "raw.log").read_text()
    assert "line 0\n" in log and "broken words" in log


def test_nothing_begins_after_the_time_for_all_is_up(tmp_path):
    late = [section("late", "print('words')"), section("later", "print('words')", alone=True)]
    assert not device_report.report(late, tmp_path, str(tmp_path), minutes=0)
    assert (tmp_path / "report.md").read_text().count("**not run: the report's time was up**") == 2


def test_the_checkout_is_importable_without_being_installed(tmp_path):
    code = "import minigrad.kernels.reference, minigrad, benchmarks.networks; print(minigrad.__file__)"
    path = device_report.importable(tmp_path)
    ended, _, output = device_report.run(section("import", code), path, float("inf"))
    assert ended == "passed" and output.startswith(str(tmp_path))


def test_every_section_names_what_there_is(tmp_path):
    for part in device_report.sections(str(tmp_path)):
        files = [word for word in part.command if word.startswith("tests")]
        assert all((device_report.ROOT / file).exists() for file in files)
        assert part.seconds <= 200
    with pytest.raises(SystemExit):
        device_report.main([str(tmp_path), "--only", "no-such-section"])


@pytest.mark.parametrize("what", ["lenet", "resnet"])
def test_the_training_runs_in_small(what, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    monkeypatch.setattr(device_training, "ROUNDS", 1)
    monkeypatch.setattr(device_training, "lenet5", lambda m: small(m, 1))
    monkeypatch.setattr(device_training, "resnet20", lambda m: small(m, 3))
    device_training.main(
        [what, "--device", "cpu", "--seconds", "0", "--batch", "4", "--epochs", "1", "--images", "8"]
    )  # fmt: skip
    said = capsys.readouterr().out
    if what == "lenet":
        assert "| minigrad, eager |" in said and "| torch, eager |" in said and "captured" not in said
    else:
        assert "MADE-UP" in said and "| minigrad, cpu |" in said and "| torch, cpu |" in said


def small(m, channels):
    """A network for images of 32 x 32 pixels that computes little."""
    return m.nn.Sequential(m.nn.AvgPool2d(8), m.nn.Flatten(), m.nn.Linear(16 * channels, 10))


def test_captured_steps_and_the_first_kernel_on_the_simulated_gpu():
    code = (
        "import numpy as np, minigrad as m\n"
        "from benchmarks.device_training import captured, machine, step_of\n"
        "machine()\n"
        "model = m.nn.Linear(3, 2).cuda()\n"
        "x, y = m.ones(4, 3, device='cuda'), m.zeros(4, dtype=m.int64, device='cuda')\n"
        "optimizer = m.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        "replay = captured(m, step_of(m, model, optimizer, x, y))\n"
        "print('losses fall:', replay().item() > replay().item() > 0)\n"
    )
    from_repository = {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": ":".join(sys.path)}
    part = section("captured", code, 60.0, environment=from_repository)
    ended, _, output = device_report.run(part, "", float("inf"))
    assert ended == "passed" and "losses fall: True" in output, output
