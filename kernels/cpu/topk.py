"""The largest of each row without sorting it.

The steps are those of `std::partial_sort` for few of many, else of `std::nth_element` and `std::sort`, in the C++
library of GNU: PyTorch's, so equal keys come out in the order in which PyTorch returns them. Source: GCC's
libstdc++-v3/include/bits/stl_algo.h and stl_heap.h. `kernels/reference/selection.py` is the definition.
"""

import numpy as np

from ..jit import jit, pool_jit
from ..parallel import parallel_for
from .layout import dense, parts

FEW = 64  # rows at least so many times as long as k are selected with a heap
SHORT = 16  # parts of a row up to this length are left to the insertion sort at the end


@jit
def _swap(keys, index, i, j):
    keys[i], keys[j] = keys[j], keys[i]
    index[i], index[j] = index[j], index[i]


@jit
def _sift(keys, index, first, hole, length, key, number):
    """Fill the hole of a heap (its smallest on top) by its best children, then let (key, number) rise from below."""
    top = hole
    child = hole
    while child < (length - 1) // 2:
        child = 2 * (child + 1)
        if keys[first + child] > keys[first + child - 1]:
            child -= 1
        keys[first + hole], index[first + hole] = keys[first + child], index[first + child]
        hole = child
    if length % 2 == 0 and child == (length - 2) // 2:
        child = 2 * (child + 1) - 1
        keys[first + hole], index[first + hole] = keys[first + child], index[first + child]
        hole = child
    while hole > top and keys[first + (hole - 1) // 2] > key:
        parent = (hole - 1) // 2
        keys[first + hole], index[first + hole] = keys[first + parent], index[first + parent]
        hole = parent
    keys[first + hole], index[first + hole] = key, number


@jit
def _heap_select(keys, index, first, middle, last):
    """The largest of [first, last) into [first, middle), as a heap."""
    length = middle - first
    for hole in range((length - 2) // 2, -1, -1):
        _sift(keys, index, first, hole, length, keys[first + hole], index[first + hole])
    for i in range(middle, last):
        if keys[i] > keys[first]:
            key, number = keys[i], index[i]
            keys[i], index[i] = keys[first], index[first]
            _sift(keys, index, first, 0, length, key, number)


@jit
def _heap_sort(keys, index, first, last):
    """A heap into order."""
    for end in range(last - 1, first, -1):
        key, number = keys[end], index[end]
        keys[end], index[end] = keys[first], index[first]
        _sift(keys, index, first, 0, end - first, key, number)


@jit
def _insert(keys, index, first, i):
    """Element i into its place in the order of [first, i); unguarded if first is -1."""
    key, number = keys[i], index[i]
    at = i
    if first >= 0 and key > keys[first]:
        while at > first:
            keys[at], index[at] = keys[at - 1], index[at - 1]
            at -= 1
    else:
        while key > keys[at - 1]:
            keys[at], index[at] = keys[at - 1], index[at - 1]
            at -= 1
    keys[at], index[at] = key, number


@jit
def _partition(keys, index, first, last):
    """Cut [first, last) by the median of three: what is larger before, what is smaller after; returns the cut."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if keys[a] > keys[b]:
        median = b if keys[b] > keys[c] else c if keys[a] > keys[c] else a
    else:
        median = a if keys[a] > keys[c] else c if keys[b] > keys[c] else b
    _swap(keys, index, first, median)
    low, high, pivot = first + 1, last, keys[first]
    while True:
        while keys[low] > pivot:
            low += 1
        high -= 1
        while pivot > keys[high]:
            high -= 1
        if low >= high:
            return low
        _swap(keys, index, low, high)
        low += 1


@jit
def _depth(length):
    """Cuts allowed before a heap takes over: twice the logarithm."""
    depth = -2
    while length > 0:
        depth += 2
        length //= 2
    return depth


@jit
def _select(keys, index, nth, last):
    """The element that belongs at nth to its place, none larger behind it."""
    first, depth = 0, _depth(last)
    while last - first > 3:
        if depth == 0:
            _heap_select(keys, index, first, nth + 1, last)
            _swap(keys, index, first, nth)
            return
        depth -= 1
        cut = _partition(keys, index, first, last)
        if cut <= nth:
            first = cut
        else:
            last = cut
    for i in range(first + 1, last):
        _insert(keys, index, first, i)


@jit
def _sort(keys, index, last):
    """[0, last) into order, the largest first."""
    stack = np.empty((128, 3), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, last, _depth(last)
    height = 1
    while height > 0:
        height -= 1
        first, end, depth = stack[height]
        while end - first > SHORT:
            if depth == 0:
                _heap_select(keys, index, first, end, end)
                _heap_sort(keys, index, first, end)
                break
            depth -= 1
            cut = _partition(keys, index, first, end)
            stack[height, 0], stack[height, 1], stack[height, 2] = cut, end, depth
            height += 1
            end = cut
    for i in range(1, last):
        _insert(keys, index, 0 if i < SHORT else -1, i)


@jit
def _read_keys(bits, infinity, limit, largest, keys):
    """int64 keys in the order of a row, NaN the largest; floats come as bits, of which `limit` are their size."""
    for i in range(len(keys)):
        key = np.int64(bits[i])
        if infinity > 0:
            size = key & limit
            key = limit if size > infinity else -size if key < 0 else size
        keys[i] = key if largest else ~key


@jit
def _top_rows(part, count, bits, infinity, limit, largest, ordered, result):
    """Part `part` of `count` of the rows of the result."""
    rows, size = bits.shape
    k = result.shape[1]
    keys = np.empty(size, np.int64)
    for r in range(rows * part // count, rows * (part + 1) // count):
        index = np.arange(size)
        _read_keys(bits[r], infinity, limit, largest, keys)
        if k * FEW <= size:
            _heap_select(keys, index, 0, k, size)
            _heap_sort(keys, index, 0, k)
        else:
            _select(keys, index, k - 1, size)
            if ordered:
                _sort(keys, index, k - 1)
        for i in range(k):
            result[r, i] = index[i]


@pool_jit
def _top_all(count, bits, infinity, limit, largest, ordered, result):
    parallel_for(count, count > 1, _top_rows, (count, bits, infinity, limit, largest, ordered, result))


def top_k(x, k, largest, ordered):
    """Indices of the k largest (or smallest) of every row, the extreme one first if ordered.

    x is (R, N), float32, float64 or int64, 0 <= k <= N; the result is (R, k) int64. NaN is larger than all else, NaNs
    are equal, as are 0 and -0; which of equals, and their order, is open.

    >>> top_k(np.array([[5.0, 7.0, np.nan]]), 2, True, True)
    array([[2, 1]])
    """
    result = np.empty((len(x), k), np.int64)
    if result.size:
        source = dense(x)
        bits = source.view(f"int{8 * source.itemsize}")
        infinity = int(np.asarray(np.inf, source.dtype).view(bits.dtype)) if source.dtype.kind == "f" else 0
        limit = np.iinfo(bits.dtype).max
        _top_all(parts(len(x), x.size), bits, infinity, int(limit), largest, ordered, result)
    return result
