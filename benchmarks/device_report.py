"""One report on a GPU: tests, NVIDIA's sanitizer, the kernels' speed, LeNet-5 as a graph, ResNet-20's accuracy.

    python3 -m benchmarks.device_report FOLDER [--only kernels,lenet] [--minutes 9.5]

Runs from a checkout with the Python at hand, without installing anything: it needs numba-cuda, CuPy, torch, pytest and
hypothesis there. Every section is a process with a time limit of its own, so that one that fails or hangs does not lose
the others; those that measure nothing run side by side. FOLDER gets report.md, written anew after every section, and
raw.log with all that the sections said. The exit status is 1 if a section failed.
"""

import argparse
import concurrent.futures
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "--continue-on-collection-errors"]
GRACE = 10  # seconds between asking a section to end and ending it
PARALLEL = ["-n", "6", "--dist", "worksteal"]  # processes that share the GPU


class Section(NamedTuple):
    """A part of the report: the command after `python`, its limit in seconds, and how much of its output is shown."""

    name: str
    title: str
    command: list
    seconds: float
    alone: bool = False  # it measures time
    lines: int = 40  # the last ones; 0 for all, which are then Markdown
    environment: dict = {}  # noqa: RUF012
    tool: tuple = ()  # what Python is run under


def sections(python_path):
    """What is looked at, in this order."""
    on_device = {"MINIGRAD_CUDA_DEVICE": "1", "PYTHONPATH": python_path}
    few = {**on_device, "MINIGRAD_EXAMPLES": "2", "MINIGRAD_CUDA_POOL": "0"}
    checked = [*PYTEST, "tests/cuda/test_simulator_conv.py", "tests/cuda/test_simulator_rows.py", "--maxfail=5"]
    sanitizer = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    machine = "from benchmarks.device_training import machine; machine()"
    yield Section("machine", "The machine", ["-c", machine], 90, alone=True, lines=0)
    yield Section("kernels", "Kernels and tensors", [*PYTEST, *PARALLEL, "tests/cuda"], 180, environment=on_device)
    suite = [*PYTEST, *PARALLEL, "--device", "cuda", "--maxfail=200", "tests"]
    yield Section(
        "suite",
        "The suite with --device cuda",
        suite,
        180,
        environment={**on_device, "MINIGRAD_EXAMPLES": "3"},
        lines=80,
    )
    for tool in ("memcheck", "racecheck"):
        under = (sanitizer, "--tool", tool, "--error-exitcode", "1", "--print-limit", "20")
        yield Section(tool, f"compute-sanitizer: {tool}", checked, 180, environment=few, tool=under)
    training = ["-m", "benchmarks.device_training"]
    yield Section("lenet", "LeNet-5, a step of 64 images", [*training, "lenet"], 60, alone=True, lines=0)
    yield Section("resnet", "ResNet-20 on CIFAR-10", [*training, "resnet"], 120, alone=True, lines=0)
    for group, limit in (("products", 40), ("bound_by_memory", 60), ("convolutions", 150)):
        bench = ["-m", "benchmarks.bench_cuda", "--seconds", "0.2", "--group", group, "--within", str(limit - 20)]
        yield Section(group, f"Against torch: {group.replace('_', ' ')}", bench, limit, alone=True, lines=0)


def importable(folder):
    """Make a folder from which minigrad, its kernels and the benchmarks are imported; nothing is copied."""
    package = folder / "minigrad"
    package.mkdir()
    for path in (ROOT / "minigrad").iterdir():
        if path.name != "kernels":
            (package / path.name).symlink_to(path)
    (package / "kernels").symlink_to(ROOT / "kernels")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    return str(folder)


def surroundings():
    """The environment of the sections: Python looks where PYTHONPATH says alone, and numba-cuda finds the toolkit."""
    compiler = shutil.which("nvcc")
    toolkit = Path(compiler).resolve().parent.parent if compiler else Path("/usr/local/cuda")
    found = {"CUDA_HOME": str(toolkit)} if toolkit.exists() else {}
    return {**found, **os.environ, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "4"}


def run(section, python_path, deadline):
    """(how it ended, seconds, output) of a section, which is stopped with all its children at its limit."""
    start = time.monotonic()
    limit = min(section.seconds, deadline - start)
    if limit <= 0:
        return "not run: the report's time was up", 0.0, ""
    if section.tool and not shutil.which(section.tool[0]):
        return f"not run: there is no {section.tool[0]}", 0.0, ""
    environment = {**surroundings(), "PYTHONPATH": python_path, **section.environment}
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            [*section.tool, sys.executable, *section.command], cwd=ROOT, env=environment, stdout=output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(limit)
            ended = "passed" if status == 0 else f"failed, exit status {status}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)  # pytest then says what it knows
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            ended = f"stopped after {limit:.0f} s"
        output.seek(0)
        return ended, time.monotonic() - start, output.read()


def shown(section, outcome):
    """A section in Markdown."""
    ended, seconds, output = outcome
    head = f"## {section.title}\n\n**{ended}**, {seconds:.0f} s\n"
    if not output:
        return head
    if section.lines == 0 and ended == "passed":
        return f"{head}\n{output.strip()}\n"
    return f"{head}\n```text\n" + "\n".join(output.rstrip().splitlines()[-(section.lines or 60) :]) + "\n```\n"


def report(chosen, folder, python_path, minutes):
    """Run sections and write the report; returns whether all passed."""
    start, outcomes = time.monotonic(), {}
    (folder / "raw.log").write_text("")

    def note(section, outcome):
        outcomes[section.name] = outcome
        print(f"{section.name}: {outcome[0]}, {outcome[1]:.0f} s", flush=True)
        with (folder / "raw.log").open("a") as log:
            log.write(f"{'=' * 8} {section.name}: {outcome[0]}, {outcome[1]:.0f} s\n{outcome[2]}\n")
        done = [shown(s, outcomes[s.name]) for s in chosen if s.name in outcomes]
        (folder / "report.md").write_text("\n".join(["# minigrad on a GPU\n", *done]))

    deadline = start + 60 * minutes
    first = [s for s in chosen if s.name == "machine"]
    alone = [s for s in chosen if s.alone and s.name != "machine"]
    for section in first:
        note(section, run(section, python_path, deadline))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        under_way = {pool.submit(run, s, python_path, deadline): s for s in chosen if not s.alone}
        for future in concurrent.futures.as_completed(under_way):
            note(under_way[future], future.result())
    for section in alone:
        note(section, run(section, python_path, deadline))
    return all(ended == "passed" for ended, _, _ in outcomes.values())


def main(arguments=None):
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of sections, by commas")
    parser.add_argument("--minutes", type=float, default=9.5, help="for all of them")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        python_path = importable(Path(folder))
        every = list(sections(python_path))
        names = [name for name in options.only.split(",") if name]
        if unknown := set(names) - {section.name for section in every}:
            parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in every)}")
        chosen = [section for section in every if not names or section.name in names]
        return 0 if report(chosen, options.folder, python_path, options.minutes) else 1


if __name__ == "__main__":
    sys.exit(main())
