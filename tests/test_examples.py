"""The examples run, on little: transfer learning makes its table and its picture, LeNet-5 goes on where it stopped.

The convolutions of the lesson agree, and are those of its page.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name, *arguments, **environment):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
    )
    assert done.returncode == 0, done.stderr
    return done


def test_transfer_learning_makes_its_table_and_picture(tmp_path):
    done = example("transfer.py", "--repeats", 1, "--epochs", 20, "--out", tmp_path)
    assert "it/s" not in done.stderr and "samples/s" not in done.stderr  # no bar where there is no terminal
    rows = re.findall(
        r"^(from scratch|new head, [a-z ]+?) +([\d.]+)% +([\d.]+)% +([\d.]+)%$", done.stdout, re.MULTILINE
    )
    assert [way for way, *_ in rows] == ["from scratch", "new head, rest frozen", "new head, then all layers"]
    scratch, head, everything = (float(mean) for _, mean, *_ in rows)
    assert min(scratch, head, everything) > 40  # chance is 20
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_lenet_goes_on_from_its_checkpoint(tmp_path):
    first = example("lenet.py", "--epochs", 1, "--out", tmp_path).stdout
    assert "epoch 1" in first and "epoch 2" not in first
    resumed = example("lenet.py", "--epochs", 2, "--resume", "--out", tmp_path).stdout
    assert "epoch 1" not in resumed and "epoch 2" in resumed
    of_the_network = "filters", "maps", "receptive_field", "saliency", "confusion", "graph"
    for picture in ("loss", "activations", "gradients", "ratios", *of_the_network):
        assert (tmp_path / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_three_ways_of_a_convolution_agree():
    printed = example("convolution_three_ways.py", "--seconds", 0, NUMBA_ENABLE_CUDASIM="1").stdout  # compares them
    rates = dict(re.findall(r"^(\S.*?) {2,}[\d.]+ +([\d.]+)$", printed, re.MULTILINE))
    assert {"reference loops", "CPU tile", "CUDA tile, simulated", "minigrad's CUDA kernel, simulated"} <= set(rates)


def functions(source):
    """The source of each function of a module, by name."""
    lines = source.splitlines()
    return {
        node.name: "\n".join(lines[min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def test_the_lesson_shows_the_functions_of_the_example():
    page = (EXAMPLES.parent / "docs" / "one-convolution-three-ways.md").read_text(encoding="utf-8")
    shown = functions("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)))
    written = functions((EXAMPLES / "convolution_three_ways.py").read_text(encoding="utf-8"))
    assert {"reference", "cpu_tile", "cuda_tile", "simulated_tile"} <= set(shown)
    for name in set(shown) & set(written):
        assert shown[name] == written[name], name
