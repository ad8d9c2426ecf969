"""All benchmarks, one after another: `python -m benchmarks`, or `python -m benchmarks recording matmul` for some."""

import importlib
import sys

NAMES = ("startup", "recording", "training", "conv", "matmul", "memory_bound", "operations", "memory", "engines")


def main(chosen):
    """Run the chosen benchmarks, all of them by default; each prints its tables."""
    if unknown := set(chosen) - set(NAMES):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in chosen or NAMES:
        importlib.import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
