"""`default_collate` and `default_convert` against PyTorch's, structure by structure, errors included."""

import collections
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad.utils.data import Columns, default_collate, default_convert

torch = pytest.importorskip("torch")
oracle = pytest.importorskip("torch.utils.data")

Point = collections.namedtuple("Point", "x y")
Frozen = types.MappingProxyType


class Loud(list):
    """A list type with something extra."""

    volume = 11


# each makes a batch with the tensors of a library: minigrad or torch
BATCHES = {
    "tensors": lambda lib: [lib.tensor([[1.0, 2.0]]), lib.tensor([[3.0, 4.0]])],
    "0-d tensors": lambda lib: [lib.tensor(1), lib.tensor(2)],
    "zero-size tensors": lambda lib: [lib.tensor([]), lib.tensor([])],
    "mixed dtypes": lambda lib: [lib.tensor([1.0]), lib.tensor([1])],
    "float32 arrays": lambda lib: [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    "uint8 arrays": lambda lib: [np.arange(4, dtype=np.uint8)] * 3,
    "bool arrays": lambda lib: [np.array([True, False])],
    "0-d arrays": lambda lib: [np.array(1.5), np.array(2.5)],
    "strided arrays": lambda lib: [np.arange(12).reshape(3, 4).T[::2]] * 2,
    "float32 scalars": lambda lib: [np.float32(1), np.float32(2)],
    "float64 scalars": lambda lib: [np.float64(1), np.float64(2)],
    "int32 scalars": lambda lib: [np.int32(1), np.int32(2)],
    "bool scalars": lambda lib: [np.bool_(True), np.bool_(False)],
    "floats": lambda lib: [1.0, 2.5],
    "floats then int": lambda lib: [1.0, 2],
    "ints": lambda lib: [1, 2**40],
    "ints then float": lambda lib: [1, 2.5],
    "bools": lambda lib: [True, False],
    "strings": lambda lib: ["a", "bc"],
    "bytes": lambda lib: (b"a", b"bc"),
    "tuples": lambda lib: [(1, 2.0, "a"), (3, 4.0, "b")],
    "lists": lambda lib: [[1, np.ones(2)], [3, np.zeros(2)]],
    "list subclass": lambda lib: [Loud([1, 2]), Loud([3, 4])],
    "ranges": lambda lib: [range(2), range(2)],
    "dicts": lambda lib: [{"x": 1, "y": (0.5, "a")}, {"x": 2, "y": (1.5, "b")}],
    "ordered dicts": lambda lib: [collections.OrderedDict(b=1, a=2)] * 2,
    "default dicts": lambda lib: [collections.defaultdict(int, x=1)] * 2,
    "frozen mappings": lambda lib: [Frozen({"x": 1})] * 2,
    "named tuples": lambda lib: [Point(1, lib.tensor([1.0])), Point(2, lib.tensor([2.0]))],
    "nested": lambda lib: [{"a": [(1, {"b": np.float32(2)})]}] * 3,
    # errors
    "unequal tensors": lambda lib: [lib.tensor([1.0]), lib.tensor([1.0, 2.0])],
    "unequal arrays": lambda lib: [np.zeros((2, 3)), np.zeros((2, 4))],
    "unequal lists": lambda lib: [[1, 2], [1]],
    "nothing": lambda lib: [],
    "none": lambda lib: [None],
    "objects": lambda lib: [object()],
    "string arrays": lambda lib: [np.array(["a"])],
    "object arrays": lambda lib: [np.array([None])],
    "missing key": lambda lib: [{"a": 1}, {"b": 1}],
}


def plain(value):
    """`value` with every tensor as (dtype name, nested list), so that the two libraries compare."""
    if isinstance(value, (mg.Tensor, torch.Tensor)):
        return "tensor", str(value.dtype).removeprefix("torch."), tuple(value.shape), value.tolist()
    if isinstance(value, collections.abc.Mapping):
        return type(value), [(key, plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    return value


def outcome(function, batch):
    try:
        return plain(function(batch))
    except (IndexError, KeyError, RuntimeError, TypeError) as error:
        return type(error), str(error).splitlines()[0]


@pytest.mark.parametrize("name", BATCHES)
def test_default_collate(name):
    ours = outcome(default_collate, BATCHES[name](mg))
    expected = outcome(oracle.default_collate, BATCHES[name](torch))
    if expected[0] is TypeError and "found object" in str(expected[1]):
        expected = ours[0], expected[1]
    assert ours == expected


@pytest.mark.parametrize("name", BATCHES)
def test_default_convert(name):
    if name in ("none", "objects"):
        return
    assert outcome(default_convert, BATCHES[name](mg)) == outcome(oracle.default_convert, BATCHES[name](torch))


def test_extra_properties_stay():
    assert default_collate([Loud([1]), Loud([2])]).volume == 11


def test_the_batch_owns_its_memory():
    array = np.zeros(3)
    default_collate([array, array])[0, 0] = 1
    assert not array.any()


def test_columns():
    columns = Columns(mg.tensor([[1.0], [2.0]]), np.array([3, 4], np.uint8), [5, 6], ["a", "b"])
    samples = list(columns)
    assert len(columns) == len(samples) == 2
    assert plain(default_collate(columns)) == plain(default_collate(samples))
    with pytest.raises(IndexError):
        columns[2]
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        Columns([1, 2], [1, 2, 3])
