"""Peak memory of training steps, beside PyTorch: what a step adds to a process that holds model and data.

Each figure is a process of its own: the growth of its resident memory to the peak (`ru_maxrss`) over three steps, from
the state in which libraries are imported, kernels loaded by a step on one image, and model and data are there.
"""

import json
import subprocess
import sys

from .networks import NETWORKS
from .timing import machine

_MEASURE = """
import json, resource, sys
from importlib import import_module
from benchmarks.bench_memory import training_step
library, name, layout = sys.argv[1:]
m = import_module(library)
m.set_num_threads(2)
training_step(m, name, layout, batch=1)()
step = training_step(m, name, layout)
with open("/proc/self/statm") as file:
    resident = int(file.read().split()[1]) * resource.getpagesize()
for _ in range(3):
    step()
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident))  # kB on Linux
"""


def training_step(m, name, layout, batch=None):
    """A function that trains a network of NETWORKS for a step on noise, in minigrad or torch."""
    network, usual, channels, size, classes = NETWORKS[name]
    batch = batch or usual
    model, images, labels = network(m), m.randn(batch, channels, size, size), m.randint(classes, (batch,))
    if layout == "channels-last":
        model.to(memory_format=m.channels_last)
        images = images.contiguous(memory_format=m.channels_last)
    optimizer = m.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad()
        m.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def growth(library, name, layout):
    """MB that training steps add at their peak to the resident memory of a process that holds all they need."""
    command = [sys.executable, "-c", _MEASURE, library, name, layout]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1e6


def main():
    """Print the table."""
    print(f"## Peak memory\n\n{machine()}; MB that three training steps add to a process that holds model and data\n")
    print(
        "| network | minigrad | torch NCHW | torch channels-last | minigrad / torch's better |\n|---|---|---|---|---|"
    )
    for name, (_, batch, *_) in NETWORKS.items():
        ours = growth("minigrad", name, "NCHW")
        theirs = [growth("torch", name, layout) for layout in ("NCHW", "channels-last")]
        cells = " | ".join(f"{figure:.1f}" for figure in (ours, *theirs))
        print(f"| {name}, batch {batch} | {cells} | {ours / min(theirs):.2f} |", flush=True)


if __name__ == "__main__":
    main()
