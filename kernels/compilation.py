"""What was compiled or loaded in this process, for the report, and what standard error hears of it meanwhile."""

import os
import re
import sys
import time
from typing import NamedTuple

__all__ = ["CompileReport", "Compiled", "compile_report", "progress"]


class Compiled(NamedTuple):
    """One kernel for one signature: compiled (`cached` False) or loaded from disk, in so many milliseconds."""

    kernel: str
    signature: str
    milliseconds: float
    cached: bool


class CompileReport(tuple):
    """The `Compiled` entries of a process, in order; printed, a table with the slowest first and a sum."""

    __slots__ = ()

    def __str__(self):
        rows = [("kernel", "ms", "cached", "signature")]
        for entry in sorted(self, key=lambda entry: -entry.milliseconds):
            rows.append(
                (entry.kernel, f"{entry.milliseconds:.1f}", "yes" if entry.cached else "no", _short(entry.signature))
            )
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:{widths[2]}}  {d}" for a, b, c, d in rows]
        new = [entry.milliseconds for entry in self if not entry.cached]
        old = [entry.milliseconds for entry in self if entry.cached]
        lines.append(
            f"{len(new)} compiled in {sum(new) / 1e3:.2f} s, {len(old)} loaded from disk in {sum(old) / 1e3:.2f} s"
        )
        return "\n".join(lines)


def _short(signature):
    """A signature with arrays as Numba's users write them: `float32[:, ::1]`."""
    return re.sub(r"Array\((\w+), (\d+), '(\w)'[^()]*\)", _array, signature)


def _array(match):
    dtype, rank, layout = match[1], int(match[2]), match[3]
    dims = [":"] * rank
    if rank and layout in "CF":
        dims[-1 if layout == "C" else 0] = "::1"
    return f"{dtype}[{', '.join(dims)}]"


class _Progress:
    """Follows the compilations under way; on a terminal one line that vanishes when they are done."""

    def __init__(self):
        self.finished = []
        self._under_way = []  # [kernel, signature, start, seconds spent on kernels it calls]
        self._count = 0
        self._since = 0.0
        self._told = set()

    def loaded(self, kernel, signature, since):
        """A kernel came from disk."""
        seconds = time.perf_counter() - since
        self._add(kernel, signature, seconds, True)
        if self._under_way:
            self._under_way[-1][3] += seconds

    def start(self, kernel, signature):
        """A kernel is being compiled, perhaps for another one that calls it."""
        now = time.perf_counter()
        if not self._under_way:
            self._since = now
        self._count += 1
        self._under_way.append([kernel, str(signature), now, 0.0])
        if _terminal():
            seconds = now - self._since
            self._write(f"\rminigrad: compiling kernels, once ({self._count}: {kernel}, {seconds:.0f} s)\033[K")
        else:
            self.tell_once("compiling kernels, once; they are kept on disk")

    def finish(self, kernel, signature):
        """A kernel is compiled; those that failed since it was begun are forgotten."""
        entry = kernel, str(signature)
        while self._under_way:
            name, under, start, inner = self._under_way.pop()
            if (name, under) == entry:
                seconds = time.perf_counter() - start
                self._add(kernel, signature, seconds - inner, False)
                if self._under_way:
                    self._under_way[-1][3] += seconds
                break
        if not self._under_way and _terminal():
            self._write("\r\033[K")

    def _add(self, kernel, signature, seconds, cached):
        self.finished.append(Compiled(kernel, str(signature), 1e3 * seconds, cached))

    def tell_once(self, text):
        """Write a line, the first time that it is to be written."""
        if text not in self._told:
            self._told.add(text)
            self._write(f"minigrad: {text}\n")

    @staticmethod
    def _write(text):
        if sys.stderr is not None and os.environ.get("MINIGRAD_QUIET", "0") in ("", "0"):
            sys.stderr.write(text)
            sys.stderr.flush()


def _terminal():
    return sys.stderr is not None and sys.stderr.isatty()


progress = _Progress()


def compile_report():
    """The kernels that this process has compiled or loaded from disk: name, signature, milliseconds, cached or not.

    The time of a kernel does not include that of the kernels it calls. The result is a tuple of `Compiled` entries
    that prints as a table.

    >>> import minigrad
    >>> sums = minigrad.ones(3, 4).sum(1)
    >>> type(minigrad.compile_report()).__name__
    'CompileReport'
    """
    return CompileReport(progress.finished)
