"""Records `outcomes.json`, how the programs of `tests/programs` come out under PyTorch, for `test_running.py`.

Where PyTorch is installed: `python tests/dropin/record_outcomes.py [program ...]`, by default those that have changed.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = sorted((Path(__file__).parents[1] / "programs").glob("*.py"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def digest(program):
    """What tells one text of a program from another."""
    return hashlib.sha256(program.read_bytes()).hexdigest()[:16]


def outcome(done):
    """What a program that has ended said of how it came out."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("OUTCOME ")]
    assert lines, done.stdout[-500:] + done.stderr[-3000:]
    return ast.literal_eval(lines[-1].removeprefix("OUTCOME "))


def under_pytorch(program):
    """The outcome of a program under PyTorch, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", program]
        return outcome(subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=folder))


if __name__ == "__main__":
    path = Path(__file__).with_name("outcomes.json")
    known = json.loads(path.read_text()) if path.exists() else {}
    record = {}
    for program in PROGRAMS:
        name = program.stem
        record[name] = known.get(name)
        if name in sys.argv[1:] or not record[name] or record[name]["text"] != digest(program):
            print(name, flush=True)
            record[name] = {"text": digest(program), "outcome": under_pytorch(program)}
    lines = [f'"{name}": {json.dumps(entry)}' for name, entry in record.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
