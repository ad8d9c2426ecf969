"""What the explorer shows of an array: statistics in float64, and its numbers, cut down to a budget.

Arrays of at most `SMALL` elements are shown number by number. A larger one is shown as planes, its last two dimensions
(a vector as one row): of a filter every (output, input) pair, of any other array of four or more dimensions those of
the first sample. A plane of more than `PLANE` elements is subsampled, the longer side first, and as many planes are
kept as `MOST` elements allow. While the arrays of a document together are over its budget, `MOST` is halved, down to
`LEAST`; then the arrays that come first in the order of use get what there is, and the others are not shown.
"""

import base64
import functools
import math

import numpy as np

SMALL = 64
PLANE = 64 * 64
MOST = 8192
LEAST = 256
_BLOCK = 1 << 16  # elements that stay in the cache


def number(value):
    """A number as JSON has it, to nine digits: what is not finite is "NaN", "Infinity" or "-Infinity"."""
    if isinstance(value, int):
        return int(value)
    if math.isfinite(value):
        return float(f"{value:.9g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stats(array):
    """Size, norm, min, max, mean, share of zeros, counts of NaN and Inf; min, max and mean are of what is no NaN.

    >>> stats(np.array([3.0, 0.0, -4.0]))["norm"]
    5.0
    """
    size = array.size
    result = {"size": size, "norm": 0.0, "min": None, "max": None, "mean": None, "zeros": 0.0, "nan": 0, "inf": 0}
    if size == 0:
        return result
    norm, total = _norm_and_sum(array)
    smallest, largest, count = array.min(), array.max(), size
    if not math.isfinite(norm):
        isnan = np.isnan(array)
        result["nan"], result["inf"] = int(isnan.sum()), int(np.isinf(array).sum())
        known = array[~isnan]
        count = known.size
        if count:
            smallest, largest = known.min(), known.max()
            total = float(np.add.reduce(known, dtype=np.float64))
    result["norm"] = number(norm)
    result["zeros"] = number(1.0 - np.count_nonzero(array) / size)
    if count:
        result["min"], result["max"] = number(float(smallest)), number(float(largest))
        result["mean"] = number(total / count)
    return result


def _norm_and_sum(array):
    """The Euclidean norm, also where squares are too large or too small for float64, and the sum, in float64."""
    flat = array.reshape(-1)
    squares = total = 0.0
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _BLOCK):
            wide = flat[start : start + _BLOCK].astype(np.float64)
            total += float(np.add.reduce(wide))
            squares += float(np.add.reduce(np.multiply(wide, wide, out=wide)))  # the same for any number of threads
        if 1e-280 < squares < math.inf or squares != squares:
            return math.sqrt(squares), total
        largest = max(abs(float(flat.min())), abs(float(flat.max())))
        if largest == 0 or not math.isfinite(largest):
            return largest, total
        return largest * math.sqrt(float(np.square(flat / largest).sum())), total


class Store:
    """The arrays of a document, each once, in the order of use; `place` tells where `written` will have them."""

    def __init__(self, budget):
        self.budget = budget
        self._places = {}  # (id of an array, whether a filter) -> place
        self._arrays = []  # (array, whether a filter)
        self._stats = {}  # id of an array -> its statistics

    def place(self, array, filters=False):
        """Where the array will be in the list; None for None."""
        if array is None:
            return None
        key = id(array), filters
        if key not in self._places:
            self._places[key] = len(self._arrays)
            self._arrays.append((array, filters))
        return self._places[key]

    def stats(self, array):
        """The statistics of an array that has a place."""
        known = self._stats.get(id(array))
        if known is None:
            known = self._stats[id(array)] = stats(array)
        return known

    def written(self):
        """The list of what is shown of each array, None where the budget is used up."""
        most = MOST
        while most > LEAST and sum(_length(array, filters, most) for array, filters in self._arrays) > self.budget:
            most //= 2
        left, result = self.budget, []
        for array, filters in self._arrays:
            length = _length(array, filters, most)
            result.append(_data(array, filters, most) if length <= left else None)
            left -= length if length <= left else 0
        return result


def _length(array, filters, most):
    """The characters of an array's data in JSON, nearly."""
    if array.size <= SMALL:
        return 13 * array.size + 20
    count, *_, rows, columns = _layout(array.shape, filters, most)
    return 4 * math.ceil(4 * count * rows * columns / 3) + 26 * count + 110


def _data(array, filters, most):
    if array.size <= SMALL:
        return {"numbers": _numbers(array)}
    planes, shape = array.reshape(-1, *((1, array.size) if array.ndim < 2 else array.shape[-2:])), array.shape
    count, row_step, column_step, rows, columns = _layout(shape, filters, most)
    kept = np.ascontiguousarray(planes[:count, ::row_step, ::column_step], "<f4")
    return {
        "planes": {
            "count": count,
            "rows": rows,
            "cols": columns,
            "of": [_plane_name(place, shape[:-2], filters) for place in range(count)],
            "step": [row_step, column_step],
            "f32": base64.b64encode(kept.tobytes()).decode(),
        }
    }


def _plane_name(place, leading, filters):
    """Which plane of an array with these leading dimensions is at a place."""
    if len(leading) < 1:
        return ""
    if len(leading) == 1:
        return f"[{place}]"
    if len(leading) == 2:
        first, second = ("output", "input") if filters else ("sample", "channel")
        return f"{first} {place // leading[1]}, {second} {place % leading[1]}"
    return str([int(index) for index in np.unravel_index(place, leading)])


@functools.lru_cache(maxsize=4096)
def _layout(shape, filters, most):
    """(planes, step of rows, step of columns, rows, columns) of an array of this shape."""
    height, width = (1, math.prod(shape)) if len(shape) < 2 else shape[-2:]
    room = min(PLANE, most)
    steps = [math.ceil(height / room), math.ceil(width / room)]
    rows, columns = math.ceil(height / steps[0]), math.ceil(width / steps[1])
    while rows * columns > room:
        steps[rows < columns] += 1
        rows, columns = math.ceil(height / steps[0]), math.ceil(width / steps[1])
    count = math.prod(shape[:-2]) if filters or len(shape) < 4 else math.prod(shape[1:-2])
    return min(count, max(1, most // (rows * columns))), *steps, rows, columns


def _numbers(array):
    if array.dtype.kind == "f":
        flat = [number(value) for value in array.reshape(-1).tolist()]
    else:
        flat = [int(value) for value in array.reshape(-1).tolist()]
    for size in reversed(array.shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)] if size else []
    return flat if array.ndim else flat[0]
