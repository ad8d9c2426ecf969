"""Peak memory of training steps, beside PyTorch: what a step adds to a process that holds model and data.

Each figure is a process of its own: the growth of its peak resident memory (`ru_maxrss`) from the state in which
libraries are imported, kernels loaded by a step of a small batch, and model and data are there, over three steps.
"""

import json
import subprocess
import sys

from .networks import NETWORKS
from .timing import machine

_MEASURE = """
import json, resource, sys
from benchmarks import networks
library, name, layout = sys.argv[1:]
m = __import__(library)
if library == "torch":
    m.set_num_threads(2)
network, shape, classes = networks.NETWORKS[name]
networks.NETWORKS["small"] = network, (2, shape[1], *[min(n, 64) for n in shape[2:]]), classes
networks.training_step(m, "small", layout == "channels-last")()
step = networks.training_step(m, name, layout == "channels-last")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
before = peak()
for _ in range(3):
    step()
print(json.dumps({"resident": resident, "before": before, "after": peak()}))
"""


def growth(library, name, layout):
    """MB that training steps add at their peak to the resident memory of a process that holds all they need."""
    command = [sys.executable, "-c", _MEASURE, library, name, layout]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return figures["after"] - figures["resident"]


def main():
    """Print the table."""
    print(f"## Peak memory\n\n{machine()}; MB that three training steps add to a process that holds model and data\n")
    print("| network | minigrad | torch NCHW | torch channels-last | minigrad / torch's better |\n|---|---|---|---|---|")
    for name, (_, shape, _) in NETWORKS.items():
        layouts = ["NCHW"] if len(shape) == 2 else ["NCHW", "channels-last"]
        ours = growth("minigrad", name, "NCHW")
        theirs = [growth("torch", name, layout) for layout in layouts]
        cells = [f"{figure:.1f}" for figure in (ours, *theirs)] + ["–"] * (2 - len(theirs))
        print(f"| {name}, batch {shape[0]} | {' | '.join(cells)} | {ours / min(theirs):.2f} |", flush=True)


if __name__ == "__main__":
    main()
