"""`minigrad run` in processes of its own: arguments, errors, spawned processes; and whole programs beside PyTorch.

How the programs come out under PyTorch lies in `outcomes.json`, recorded by `record_outcomes.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from record_outcomes import ENVIRONMENT, PROGRAMS, digest, outcome

RECORD = json.loads(Path(__file__).with_name("outcomes.json").read_text())


def minigrad_run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "minigrad", "run", *map(str, arguments)],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=600, **options,
    )  # fmt: skip


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return path


def test_a_script_is_the_main_module_with_its_arguments_and_folder(tmp_path):
    (tmp_path / "beside.py").write_text("import torch\nvalue = torch.ones(2)")
    path = script(
        tmp_path,
        "import sys, beside, torch\n"
        "print(__name__, __file__, sys.argv[1:], beside.value.sum().item(), torch.__version__)",
    )
    done = minigrad_run(path, "--epochs", "3", "-v")
    assert done.stdout == f"__main__ {path} ['--epochs', '3', '-v'] 2.0 2.13.0+minigrad\n", done.stderr


def test_an_error_and_an_exit_status_are_the_scripts_own(tmp_path):
    done = minigrad_run(script(tmp_path, "import torch\ntorch.ones(2, 3) @ torch.ones(2, 3)"))
    assert done.returncode == 1 and done.stderr.count("\nRuntimeError: ") == 1
    assert done.stderr.splitlines()[1] == f'  File "{tmp_path}/script.py", line 2, in <module>'
    assert minigrad_run(script(tmp_path, "raise ValueError('mine')")).returncode == 1
    assert minigrad_run(script(tmp_path, "import sys; sys.exit(7)")).returncode == 7


def test_a_missing_script_is_one_line():
    done = minigrad_run("nowhere.py")
    assert (done.returncode, done.stderr) == (2, "minigrad: nowhere.py: no such file\n")


def test_check_lists_and_does_not_run(tmp_path):
    path = script(tmp_path, "import torch\nprint('ran')\ntorch.no_such_name()")
    done = minigrad_run("--check", path)
    assert done.returncode == 1 and done.stdout.startswith(f"{path}:3: torch.no_such_name")
    assert minigrad_run("--check", script(tmp_path, "import torch")).returncode == 0


def test_spawned_processes_run_on_minigrad_too(tmp_path):
    path = script(
        tmp_path,
        """
import multiprocessing
import torch

class Thing:
    def __init__(self, value):
        self.value = value

def work(n):
    return Thing(torch.full((n,), 2.0).sum().item()), torch.__version__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print([(thing.value, version, type(thing) is Thing) for thing, version in pool.map(work, [1, 3])])
""",
    )
    done = minigrad_run(path)
    assert done.stdout == "[(2.0, '2.13.0+minigrad', True), (6.0, '2.13.0+minigrad', True)]\n", done.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_comes_out_as_under_pytorch(program, tmp_path):
    """The random numbers differ: the loss must fall as far, and what is learned be as good, within noise."""
    recorded = RECORD[program.stem]
    assert recorded["text"] == digest(program), "the program has changed: python tests/dropin/record_outcomes.py"
    ours, theirs = outcome(minigrad_run(program, cwd=tmp_path)), recorded["outcome"]
    assert ours.keys() == theirs.keys()
    assert ours["first"] == pytest.approx(theirs["first"], rel=0.35, abs=0.5)
    noise = 0.12 * max(abs(theirs["first"]), abs(theirs["last"]))
    assert theirs["last"] / 2 - noise <= ours["last"] <= theirs["last"] * 2 + noise
    assert ours.get("accuracy", 0) >= theirs.get("accuracy", 0) - 0.08
    assert ours.get("exact", 0) == pytest.approx(theirs.get("exact", 0), rel=1e-6)


def test_the_record_is_of_these_programs():
    assert list(RECORD) == [program.stem for program in PROGRAMS]
