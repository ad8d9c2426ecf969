"""Nested state as JSON and arrays, and back.

JSON's own numbers, strings, null and lists stand for themselves; everything else is an object with one tag, such as
{"__tuple__": [...]} or {"__tensor__": "model/weight"}, the name of an array.
"""

import re
from collections import Counter, OrderedDict

import numpy as np

from minigrad.autograd import CPU, Device, Size, Tensor, placed
from minigrad.autograd.dtypes import SUPPORTED
from minigrad.kernels.device import DeviceArray, to_host
from minigrad.nn.parameter import Parameter

from .elements import strided
from .files import Malformed
from .locations import relocate
from .safetensors_file import parsed

DEEPEST = 100  # levels of nesting
_HINT = (
    "\nhint: tensors, numbers, strings, bytes, None, dtypes, NumPy arrays, and dicts, lists, tuples and sets of them "
    "can be saved"
)
_DICTS = {dict: "__dict__", OrderedDict: "__OrderedDict__", Counter: "__Counter__"}
_LISTS = {tuple: "__tuple__", set: "__set__", frozenset: "__frozenset__", Size: "__Size__"}
_KINDS = "biufcmMSU"  # of NumPy's dtypes: everything but objects and structures


class _Encoder:
    """Takes state apart: plain data go into what `encode` returns, arrays into `arrays`."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.tensors = []  # (tensor, its entry, the path it was first seen at)

    def encode(self, value, path):
        """`value`, which lies at `path` (a tuple of keys), as JSON."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if len(path) > DEEPEST:
            raise ValueError(f"cannot save {_spelt(path[:4])}/...: nested deeper than {DEEPEST} levels, or in itself")
        if kind in _DICTS:
            items = [[self.encode(key, path), self.encode(item, (*path, key))] for key, item in value.items()]
            entry = {_DICTS[kind]: items}
            if getattr(value, "_metadata", None) is not None:  # what torch and minigrad note in a state_dict
                entry["metadata"] = self.encode(value._metadata, (*path, "_metadata"))
            return entry
        if kind is list or kind in _LISTS:
            items = [self.encode(item, (*path, i)) for i, item in enumerate(value)]
            return items if kind is list else {_LISTS[kind]: items}
        if isinstance(value, Tensor):
            return self.tensor(value, path)
        if kind in (bytes, bytearray):
            return {f"__{kind.__name__}__": self.store(np.frombuffer(value, np.uint8), path)}
        if kind is complex:
            return {"__complex__": [value.real, value.imag]}
        if isinstance(value, np.dtype) and value.kind in _KINDS:
            return {"__dtype__": value.str}
        if isinstance(value, Device):
            return {"__device__": str(value)}
        if kind is np.ndarray and value.dtype.kind in _KINDS:
            raw = value if value.dtype in SUPPORTED else np.frombuffer(value.tobytes(), np.uint8)
            return {"__array__": self.store(raw, path), "dtype": value.dtype.str, "shape": list(value.shape)}
        if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
            return {"__scalar__": value.tobytes().hex(), "dtype": value.dtype.str}
        raise TypeError(f"cannot save {_spelt(path)} of type {kind.__name__}{_advice(value)}")

    def tensor(self, tensor, path):
        """The entry of a tensor; its place in `arrays` comes when all are known (`place_tensors`)."""
        entry = {"__tensor__": None}
        if tensor.requires_grad:
            entry["grad"] = True
        if isinstance(tensor, Parameter):
            entry["parameter"] = True
        if tensor.device is not CPU:
            entry["device"] = str(tensor.device)
        self.tensors.append((tensor, entry, path))
        return entry

    def place_tensors(self):
        """Put the tensors' memory into `arrays`, once for those that share it."""
        for group in map(_on_host, _sharing(self.tensors)):
            array, path = group[0][0]._array, group[0][2]
            low, high = _span(group)
            alike = all(_geometry(tensor._array) == _geometry(array) for tensor, _, _ in group)
            if alike and (high - low >= array.nbytes or not _whole_strides(array)):  # each element has its place
                name, order = self.store(array, path), _order(array)
                layout = {} if order == sorted(order) else {"order": order}
                for _, entry, _ in group:
                    entry.update({"__tensor__": name, **layout})
                continue
            name = self.store(np.asarray(_Span(array, low, high)), path)
            for tensor, entry, _ in group:
                address, itemsize = tensor.data_ptr(), tensor.itemsize
                layout = {"shape": list(tensor.shape), "strides": list(tensor.stride())}
                entry.update({"__tensor__": name, **layout, "offset": (address - low) // itemsize})

    def store(self, array, path):
        """Put `array` into `arrays` under a free name made of its path; returns the name."""
        wanted = name = re.sub(r"[^\x20-\x7e]", "?", _spelt(path))
        count = 1
        while name in self.arrays or name == "__metadata__":
            count += 1
            name = f"{wanted}#{count}"
        self.arrays[name] = np.asarray(array, order="C")
        return name


def encoded(state, arrays):
    """`state` as JSON; the arrays in it, C-contiguous, go into the dict `arrays` by name."""
    encoder = _Encoder(arrays)
    entry = encoder.encode(state, ())
    encoder.place_tensors()
    return entry


def _spelt(path):
    return "/".join(map(str, path)) if path else "state"


def _advice(value):
    """What to do with a value that cannot be saved."""
    if hasattr(value, "state_dict"):
        return (
            f"\nhint: save its .state_dict(), and load that into a new {type(value).__name__} with load_state_dict(); "
            "a whole object would be a pickle of code"
        )
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return "\nhint: a named tuple is a class of your program; save value._asdict()"
    if hasattr(value, "get_state"):
        return "\nhint: save its .get_state()"
    if isinstance(value, dict):
        return f"\nhint: save dict(value), {type(value).__name__} is not among the dicts that load builds"
    return _HINT


def _whole_strides(array):
    """Whether an array's elements lie whole elements apart (they do not in a field of a structure)."""
    return all(stride % array.itemsize == 0 for stride in array.strides)


def _sharing(tensors):
    """`tensors`, tuples that begin with one, in groups that share memory, each in the order they came."""
    groups, spans = [], []
    for place, item in enumerate(tensors):
        array = item[0]._array
        if array.size and _whole_strides(array):
            spans.append((f"{array.dtype} {type(array)}", *_bounds(array), place))
        else:
            groups.append([place])
    last, reached = None, 0
    for dtype, low, high, place in sorted(spans):
        if dtype == last and low < reached:
            groups[-1].append(place)
            reached = max(reached, high)
        else:
            groups.append([place])
            last, reached = dtype, high
    return [[tensors[place] for place in sorted(group)] for group in sorted(groups, key=min)]


def _bounds(array):
    """The address of an array's memory, and one beyond it, on its device."""
    if not isinstance(array, DeviceArray):
        return np.lib.array_utils.byte_bounds(array)
    reach = [(n - 1) * stride for n, stride in zip(array.shape, array.strides)]
    low = array.pointer + sum(step for step in reach if step < 0)
    return low, array.pointer + sum(step for step in reach if step > 0) + array.itemsize


def _on_host(group):
    """A group with tensors on the CPU in the place of those on the GPU, which share their memory in the same way."""
    first = group[0][0]._array
    if not isinstance(first, DeviceArray):
        return group
    if len(group) == 1:
        return [(group[0][0].detach().cpu(), *group[0][1:])]
    low, high = _span(group)
    size = first.itemsize
    memory = to_host(first.restrided(((high - low) // size,), (size,), low - first.pointer))
    return [
        (Tensor._wrap(np.ndarray(a.shape, a.dtype, memory, a.pointer - low, a.strides)), *rest)
        for a, rest in ((tensor._array, rest) for tensor, *rest in group)
    ]


def _span(group):
    """The lowest and the highest address of a group's memory."""
    bounds = [_bounds(tensor._array) for tensor, _, _ in group]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _geometry(array):
    return array.__array_interface__["data"][0], array.shape, array.strides


def _order(array):
    """The dimensions from the slowest in memory to the fastest."""
    return sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), axis))


class _Span:
    """The memory between two addresses around an array: NumPy makes a 1-d array of it."""

    def __init__(self, array, low, high):
        self.array = array  # keeps the memory alive
        settings = {"shape": ((high - low) // array.itemsize,), "strides": None, "data": (low, True)}
        self.__array_interface__ = {**array.__array_interface__, **settings}


def decoded(arrays, metadata, locate):
    """The state in a safetensors file: a minigrad checkpoint's as it was saved, else the tensors by name."""
    if metadata.get("format") != "minigrad":
        state = {name: Tensor._wrap(array) for name, array in arrays.items()}
        relocate(state, locate)
        return state
    size = len(metadata["state"]) + sum(array.nbytes for array in arrays.values())
    try:
        return _Decoder(arrays, locate).decode(parsed(metadata["state"], size))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        if str(error).startswith("Attempting to deserialize"):  # the file is sound, but the device is not here
            raise
        raise Malformed(f"the state in the file is malformed: {error!r}") from error


class _Decoder:
    """Puts state together again."""

    def __init__(self, arrays, locate):
        self.arrays, self.locate = arrays, locate
        self.moved = {}  # arrays on another device, by device and name
        self.laid = {}  # arrays in another order of dimensions, by name
        self.owners = {}  # the first tensor on each array: the others share its storage
        self.copied = set()  # the arrays that became bytes: each belongs to one entry

    def decode(self, value):
        """The state that `_Encoder.encode` made `value` of."""
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        tag = min(value)  # the others begin with a letter, which comes after an underscore
        if tag in _DICT_OF:
            result = _DICT_OF[tag]()
            for key, item in value[tag]:
                result[self.decode(key)] = self.decode(item)
            if "metadata" in value:
                result._metadata = self.decode(value["metadata"])
            return result
        if tag in _LIST_OF:
            return _LIST_OF[tag](self.decode(item) for item in value[tag])
        return _LEAF_OF[tag](self, value[tag], value)

    def tensor(self, name, entry):
        """A tensor or parameter on the array of that name."""
        memory = array = self.laid_out(name, entry["order"]) if "order" in entry else self.arrays[name]
        if "strides" in entry:
            memory = array.reshape(-1)
            array = strided(memory, entry["shape"], entry["strides"], entry["offset"])
        tensor = Tensor._wrap(array)
        device = self.locate(str(entry.get("device", "cpu")), tensor)
        if device is not CPU:
            if (device, name) not in self.moved:
                self.moved[device, name] = placed(memory, device)
            moved = self.moved[device, name]
            if "strides" in entry:
                moved = moved.restrided(array.shape, array.strides, entry["offset"] * array.itemsize)
            tensor = Tensor._wrap(moved)
        if entry.get("parameter"):
            tensor = Parameter(tensor, requires_grad=False)
        self.owners.setdefault(name, tensor).storage.share(tensor)
        return tensor.requires_grad_(bool(entry.get("grad")))

    def laid_out(self, name, order):
        """The array of that name with its dimensions in that order in memory, once for all who ask."""
        if name not in self.laid:
            array = self.arrays.pop(name)  # its memory is free when it is copied
            if sorted(order) != list(range(array.ndim)):
                raise Malformed(f"the dimensions of {name} are in the order {order}")
            self.laid[name] = np.empty([array.shape[axis] for axis in order], array.dtype).transpose(np.argsort(order))
            self.laid[name][...] = array
        return self.laid[name]

    def once(self, name):
        """The array of that name, which only one entry may have: the memory of copies would have no bound."""
        if name in self.copied:
            raise Malformed(f"{name} belongs to two entries")
        self.copied.add(name)
        return self.arrays[name]

    def array(self, name, entry):
        """A NumPy array."""
        memory, dtype = self.once(name), _plain_dtype(entry["dtype"])
        if memory.dtype == dtype:
            return memory
        return np.frombuffer(bytearray(memory), dtype).reshape(entry["shape"])


_DICT_OF = {tag: kind for kind, tag in _DICTS.items()}
_LIST_OF = {tag: kind for kind, tag in _LISTS.items()}
_LEAF_OF = {
    "__tensor__": _Decoder.tensor,
    "__array__": _Decoder.array,
    "__bytes__": lambda decoder, name, entry: decoder.once(name).tobytes(),
    "__bytearray__": lambda decoder, name, entry: bytearray(decoder.once(name)),
    "__scalar__": lambda decoder, data, entry: np.frombuffer(bytes.fromhex(data), _plain_dtype(entry["dtype"]), 1)[0],
    "__complex__": lambda decoder, parts, entry: complex(*parts),
    "__dtype__": lambda decoder, name, entry: _plain_dtype(name),
    "__device__": lambda decoder, name, entry: Device(name),
}


def _plain_dtype(name):
    dtype = np.dtype(name)
    if dtype.kind not in _KINDS:
        raise Malformed(f"an array has dtype {name}")
    return dtype
