"""Compiling the GPU's kernels where there is no GPU: from the calls that networks make to the machine's instructions.

`recorded` runs functions of `kernels.cuda` on arrays of the host with launches that only take note of the kernel and
its constants; so what is compiled is what would run. `ptx` brings a kernel through Numba, `assembled` through NVIDIA's
assembler to machine code, whose listing `Code` holds.
"""

import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from minigrad.kernels import cuda
from minigrad.kernels.cuda import _numba
from minigrad.kernels.device import DeviceArray

FOLDERS = (Path(path) / "nvidia/cu13/bin" for path in sys.path)
NEEDED = "ptxas", "cuobjdump", "nvdisasm"
TOOLS = next((folder for folder in FOLDERS if all((folder / tool).exists() for tool in NEEDED)), None)


def recorded(monkeypatch, calls):
    """What the calls would launch: (kernel, constants), each once, in order."""
    launches = {}

    def note(kernel, grid, threads, *args, **constants):
        launches[kernel, tuple(sorted(constants.items()))] = threads

    host = SimpleNamespace(module=np)
    stand_ins = {
        "launch": note,
        "library": lambda: host,
        "aligned": lambda *arrays: True,
        "address": lambda array: 0,
        "has_tensor_cores": lambda: True,
        "uploaded": np.array,
    }
    for name, module in list(sys.modules.items()):
        if name.startswith("minigrad.kernels.cuda."):
            for word, value in stand_ins.items():
                if hasattr(module, word):
                    monkeypatch.setattr(module, word, value)
    for name, *args in calls:
        getattr(cuda, name)(*[_on_device(arg) for arg in args])
    monkeypatch.undo()
    return launches


def _on_device(value):
    if isinstance(value, list):
        return [_on_device(item) for item in value]
    return DeviceArray(value) if isinstance(value, np.ndarray) else value


class Code(NamedTuple):
    """What the assembler says of a kernel, and its instructions as (address, operation, operands)."""

    registers: int
    spilled: int
    stack: int
    instructions: list

    def hot_loop(self, product="FFMA"):
        """The instructions of the shortest loop that holds the most products: `FFMA`, or those of tensor cores."""
        loops = []
        for at, (address, operation, operands) in enumerate(self.instructions):
            found = re.search(r"0x([0-9a-f]+)", operands)
            if operation == "BRA" and found and int(found[1], 16) < address:
                start = int(found[1], 16)
                loops.append([i for i in self.instructions[: at + 1] if i[0] >= start])
        counted = [(sum(i[1] == product for i in loop), -len(loop), loop) for loop in loops]
        return max(counted, key=lambda entry: entry[:2])[2] if counted else []


@functools.cache
def ptx(kernel, constants, capability):
    """The kernel in NVIDIA's virtual assembly, for a compute capability."""
    from numba.cuda import compile_ptx, dispatcher

    chosen = SimpleNamespace(compute_capability=capability)
    before, dispatcher.get_current_device = dispatcher.get_current_device, lambda: chosen  # device functions ask for it
    try:
        code, _ = compile_ptx(
            kernel._specialized(constants),
            _numba.types.void(*kernel.types(constants)),
            cc=capability,
            launch_bounds=kernel.launch_bounds(constants),
        )
    finally:
        dispatcher.get_current_device = before
    return code


def assembled(code, architecture, listed=True):
    """The machine code of PTX for an architecture such as 90; its listing costs most, and is left out on demand."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(code)
        said = subprocess.run(
            [TOOLS / "ptxas", "-v", f"-arch=sm_{architecture}", source, "-o", binary], capture_output=True, text=True
        )
        assert said.returncode == 0, said.stderr
        listing = ""
        if listed:
            dump = [TOOLS / "cuobjdump", "-sass", binary]
            listing = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    words = said.stderr
    found = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P[0-9T]+\s+)?([A-Z0-9_.]+)\s*([^;]*);", listing)
    return Code(
        int(re.search(r"Used (\d+) registers", words)[1]),
        sum(map(int, re.findall(r"(\d+) bytes spill", words))),
        int(re.search(r"(\d+) bytes stack frame", words)[1]),
        [(int(address, 16), operation, operands) for address, operation, operands in found],
    )
