"""The command line: `minigrad run`, `explain`, `doctor`, `warmup`; also `python -m minigrad`."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path


def _doctor(options):
    doctor = importlib.import_module("minigrad.doctor")
    facts = doctor.examine()
    print(json.dumps(facts, indent=2, default=str) if options.json else doctor.report(facts))


def _warmup(options):
    module = importlib.import_module("minigrad.compiling")
    targets = list(module.NETWORKS) if options.all else options.targets
    if not targets:
        raise ValueError(
            f"name what to compile: {', '.join(module.NETWORKS)}, module:function, file.py:function, or --all"
        )
    for target in targets:
        work = module.find(target)
        start = time.perf_counter()
        report = module.warmup(work)
        print(f"{target}: {time.perf_counter() - start:.1f} s")
        print(report)


def _run(options):
    dropin = importlib.import_module("minigrad.dropin")
    if not options.check:
        return dropin.prepare(options.script, options.arguments)
    missing = dropin.check(options.script)
    print("\n".join(map(str, missing)) or f"{options.script}: minigrad has every name that it uses")
    sys.exit(1 if missing else 0)


_EXPLAINS_OWN = "-o", "--output", "--json", "--steps"


def _explain(options):
    late = [word for word in options.arguments if word.partition("=")[0] in _EXPLAINS_OWN]
    if late:
        print(
            f"minigrad: {', '.join(late)} after the script's name is the script's own argument\n"
            "hint: options of explain stand before SCRIPT",
            file=sys.stderr,
        )
    if options.steps < 1:
        raise ValueError(f"--steps counts from 1, got {options.steps}")
    name = Path(options.script).name
    page = options.output or f"{Path(name).stem}.explorer.html"
    for path, form in ((page, ".html"), (options.json, ".json")):
        if path is not None and Path(path).suffix.lower() != form:
            raise ValueError(f"{path}: the name must end in {form}")
    script = importlib.import_module("minigrad.dropin").prepare(options.script, options.arguments)
    explaining = importlib.import_module("minigrad.viz.explaining")
    return lambda: explaining.explain(script, page, options.json, options.steps, name)


def _parser():
    parser = argparse.ArgumentParser(prog="minigrad", description="Tools around minigrad.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a script written for PyTorch on minigrad, unchanged")
    run.add_argument("--check", action="store_true", help="do not run it: list the names it uses that minigrad lacks")
    run.add_argument("script", metavar="SCRIPT")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="what the script gets as sys.argv")
    run.set_defaults(run=_run)

    explain = commands.add_parser(
        "explain", help="run a script's first training step and write the explorer of it, a page to step backward in"
    )
    explain.add_argument("-o", "--output", metavar="FILE.html", help="the page (default: SCRIPT.explorer.html)")
    explain.add_argument("--json", metavar="FILE.json", help="also everything that the page shows, as JSON")
    explain.add_argument("--steps", type=int, default=1, metavar="N", help="training steps to record (default: 1)")
    explain.add_argument("script", metavar="SCRIPT")
    explain.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="what the script gets as sys.argv")
    explain.set_defaults(run=_explain)

    doctor = commands.add_parser("doctor", help="what minigrad finds on this machine, and the machine's limits")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)

    warmup = commands.add_parser("warmup", help="compile the kernels that a network needs, ahead of its first use")
    warmup.add_argument(
        "targets", nargs="*", metavar="TARGET", help="lenet5, resnet20, module:function, file.py:function"
    )
    warmup.add_argument("--all", action="store_true", help="all the networks it knows by name")
    warmup.set_defaults(run=_warmup)
    return parser


def main(arguments=None):
    """Run the command line (by default that of the process); mistakes of the user's end with status 2 and a line."""
    options = _parser().parse_args(arguments)
    try:
        script = options.run(options)
    except (ValueError, ImportError) as error:
        print(f"minigrad: {error}", file=sys.stderr)
        sys.exit(2)
    if script is not None:
        script()  # its errors are its own
