"""The sum of runs of pixels that overlap along the lines of images: the last step of some input gradients."""

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import parts

__all__ = ["add_runs"]


@jit
def _add_lines(part, count, runs, lines, first, step):
    """Part `part` of `count` of the lines, each the sum of its runs: run n of a line begins at first + n * step.

    runs is (lines, runs, length), lines (lines, elements); what lies outside a line is left out.
    """
    for line in range(len(lines) * part // count, len(lines) * (part + 1) // count):
        total = lines[line]
        total[:] = 0
        for n in range(runs.shape[1]):
            start = first + n * step
            low, high = max(0, -start), min(runs.shape[2], len(total) - start)
            run, place = runs[line, n, low:], total[start + low :]
            for i in range(high - low):
                place[i] += run[i]


@pool_jit
def _add_all_lines(count, runs, lines, first, step):
    parallel_for(count, count > 1, _add_lines, (count, runs, lines, first, step))


def add_runs(runs, result, before):
    """result[n, ..., w, c] = the sum over p and s with p + s - before = w of runs[n, ..., p, (s, c)].

    runs is (N, *others, pixels, S C), result (N, *others, width, C), which is written.
    """
    *_, width, channels = result.shape
    pixels, length = runs.shape[-2:]
    lines = result.reshape(-1, width * channels)
    count = parts(len(lines), runs.size)
    _add_all_lines(count, runs.reshape(-1, pixels, length), lines, -before * channels, channels)
