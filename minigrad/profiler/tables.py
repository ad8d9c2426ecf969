"""Sums over recorded events, and how they are printed."""

from minigrad.nn.module import scope_path

__all__ = ["Averages", "Row", "module_path", "summary"]

_OUTSIDE = "(outside modules)"


def module_path(scope):
    """The module of a frame by its path; a placeholder where there is none."""
    return _OUTSIDE if scope is None else scope_path(scope)


class Row:
    """A line of a table: all events of one key and phase. Times are microseconds, under PyTorch's names."""

    def __init__(self, key, phase):
        self.key, self.phase = key, phase
        self.count = self.flops = self.bytes = self.cpu_memory_usage = 0
        self.cpu_time_total = self.self_cpu_time_total = self.kernel_time_total = 0.0
        self._work = {}  # dtype -> floating-point operations
        self._moved = 0  # bytes of the events without any

    def add(self, event):
        """Count an event."""
        self.count += 1
        self.cpu_time_total += 1e6 * event.seconds
        self.self_cpu_time_total += 1e6 * event.self_seconds
        self.kernel_time_total += 1e6 * (event.seconds if event.kind == "kernel" else event.kernel)
        self.cpu_memory_usage += event.allocated
        self.flops += event.flops
        self.bytes += event.bytes
        if event.flops:
            self._work[event.dtype] = self._work.get(event.dtype, 0) + event.flops
        else:
            self._moved += event.bytes

    @property
    def rate(self):
        """GFLOP/s or GB/s, as text; nothing for what computes and moves nothing itself."""
        amount, unit = (self.flops, "GFLOP/s") if self.flops else (self.bytes, "GB/s")
        return f"{1e-3 * amount / self.self_cpu_time_total:.1f} {unit}" if amount and self.self_cpu_time_total else ""

    def share(self, limits):
        """The share of the machine's limit that is reached: the time it would take at the limit over the time taken."""
        ideal = sum(flops / limits.multiply_adds(dtype) for dtype, flops in self._work.items())
        if self._moved:
            ideal += self._moved / limits.copy()
        return 1e-3 * ideal / self.self_cpu_time_total if self.self_cpu_time_total else 0.0


class Averages(list):
    """Rows summed up by operation, by operation and shapes, or by module; forward and backward apart."""

    outside = _OUTSIDE

    def __init__(self, events, limits, by):
        super().__init__()
        self._limits, self._heading = limits, "module" if by == "module" else "operation"
        rows, paths = {}, {}
        for event in events:
            if not _has_row(event, by):
                continue
            key = event.name
            if by == "module":
                if event.scope not in paths:
                    paths[event.scope] = module_path(event.scope)
                key = paths[event.scope]
            elif by == "shape":
                key = f"{key} {list(map(list, event.shapes))}"
            row = rows.get((key, event.phase))
            if row is None:
                row = rows[key, event.phase] = Row(key, event.phase)
                self.append(row)
            row.add(event)

    def table(self, sort_by="self_cpu_time_total", row_limit=100):
        """The rows as text, largest first (`sort_by=None`: in the order of first use).

        `sort_by` is an attribute of the rows: "self_cpu_time_total", "cpu_time_total", "kernel_time_total", "count",
        "flops", "bytes", "cpu_memory_usage" or "key". Raises AttributeError for another.
        """
        rows = list(self)
        if sort_by is not None:
            rows.sort(key=lambda row: getattr(row, sort_by), reverse=sort_by != "key")
        cells = [(self._heading, "phase", "calls", "ms", "self ms", "kernel ms", "rate", "% of limit", "allocated")]
        for row in rows[:row_limit]:
            cells.append(
                (
                    row.key,
                    row.phase,
                    str(row.count),
                    f"{1e-3 * row.cpu_time_total:.3f}",
                    f"{1e-3 * row.self_cpu_time_total:.3f}",
                    f"{1e-3 * row.kernel_time_total:.3f}",
                    row.rate,
                    f"{100 * row.share(self._limits):.0f}%" if row.flops or row.bytes else "",
                    _size(row.cpu_memory_usage) if row.cpu_memory_usage else "",
                )
            )
        if self._heading == "module":  # operations inside others are rows of the same modules: only self ms adds up
            cells = [(*cell[:3], *cell[4:]) for cell in cells]
        lines = _aligned(cells)
        if len(rows) > row_limit:
            lines.append(f"... and {len(rows) - row_limit} more")
        return "\n".join(lines)

    __str__ = table


def _has_row(event, by):
    """Operations have rows, and kernels and ranges outside of any; a module's or a walk's time is that of its parts."""
    if event.kind == "kernel":
        return event.parent is None or event.parent.kind not in ("operation", "optimizer")
    return event.kind in ("operation", "optimizer") or (event.kind == "range" and by == "operation")


def summary(events, seconds, compiled):
    """Where the whole time went, in a line or two."""
    inside = sum(e.self_seconds for e in events if e.kind in ("operation", "optimizer"))
    inner = sum(e.kernel for e in events if e.kind in ("operation", "optimizer"))
    lines = [
        f"{1e3 * seconds:.2f} ms in all: {1e3 * inside:.2f} ms in operations (kernels {1e3 * inner:.2f} ms), the rest "
        "in the engine, in Python and in looking at the clock"
    ]
    if compiled:
        took = sum(entry.milliseconds for entry in compiled) / 1e3
        lines.append(f"{len(compiled)} kernels were compiled in {took:.1f} s of it; run it again for the true times")
    return "\n".join(lines)


def _aligned(rows):
    """Rows of cells as lines, the first two columns to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths)]
        lines.append("  ".join(left + [cell.rjust(width) for cell, width in zip(row[2:], widths[2:])]).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _size(count):
    """Bytes in words."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
