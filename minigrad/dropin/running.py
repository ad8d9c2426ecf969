"""Runs a script of PyTorch's as `python SCRIPT ARGS` would, with minigrad in its place."""

import importlib.util
import os
import sys
import types
from pathlib import Path

from minigrad.autograd.printing import options

from .standins import install

SCRIPT = "MINIGRAD_SCRIPT"  # the environment variable by which processes that the script starts know it


def execute(path, name):
    """Execute the file `path` as a new module `name`, which becomes the main one; returns the module."""
    main = types.ModuleType(name)
    main.__file__ = str(path)
    # A process that multiprocessing spawns imports the main module by this name: `child` finds the script again.
    main.__spec__ = importlib.util.find_spec("minigrad.dropin.child")
    sys.modules[name] = sys.modules["__mp_main__"] = main  # the latter is what spawned processes call it
    with open(path, "rb") as file:
        code = compile(file.read(), str(path), "exec")
    exec(code, main.__dict__)
    return main


def prepare(script, arguments=()):
    """A function that executes the file `script` as the main module, `torch` and `torchvision` standing for minigrad.

    From the call of `prepare` on, `sys.argv` is the script and `arguments`, and its folder is the first to be searched
    for imports; processes that the script spawns run on minigrad as well. A file that is not there is a ValueError.

    >>> import subprocess, tempfile
    >>> script = Path(tempfile.mkdtemp()) / "hello.py"
    >>> _ = script.write_text("import torch; print(torch.ones(2) + 1)")
    >>> subprocess.run([sys.executable, "-m", "minigrad", "run", str(script)], capture_output=True, text=True).stdout
    'tensor([2., 2.])\\n'
    """
    path = Path(script).resolve()
    if not path.is_file():
        raise ValueError(f"{script}: no such file")
    install()
    options.package = "torch"  # what is printed names the library that the script imports
    os.environ[SCRIPT] = str(path)
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(path.parent)
    sys.excepthook = _show
    return lambda: execute(path, "__main__")


def _show(kind, error, traceback):
    """Print an error that nobody caught, from the script's own first line on, as Python would."""
    frame = traceback
    while frame is not None and frame.tb_frame.f_code.co_filename != os.environ[SCRIPT]:
        frame = frame.tb_next
    sys.__excepthook__(kind, error.with_traceback(frame or traceback), None)
