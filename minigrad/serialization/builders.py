"""What the pickle of a PyTorch checkpoint may build: dense tensors, parameters, plain containers, NumPy's values.

`BUILDERS` is the whole list of names that a pickle may import; it holds functions of this file and constants. Every
argument comes from a file that anybody may have written, so each function looks at what it gets.
"""

from collections import Counter, OrderedDict

import numpy as np

from minigrad.autograd import Device, Size, Tensor
from minigrad.autograd.dtypes import SUPPORTED
from minigrad.nn.parameter import Parameter

from .elements import BY_NAME, Elements, strided
from .files import Malformed, brief
from .pickles import Builder, key

DEEPEST = 200  # levels of nesting
UNTYPED = "untyped"  # the storage type whose tensors bring their own dtype
_HINT = "\nhint: in PyTorch, save the state_dict() instead: torch.save(model.state_dict(), path)"


class Storage:
    """The memory of tensors in a PyTorch file: `count` elements under a key, read when the pickle has been run.

    The array is made for the first tensor that lies in it: `make(storage)` allocates or maps it.
    """

    def __init__(self, key, elements, count, nbytes, make):
        self.key, self.elements, self.declared = key, elements, elements
        self.count, self.nbytes, self.make = count, nbytes, make
        self.array = self.owner = None
        self.filled = False

    def seen(self, elements=None):
        """The memory as a 1-d array of `elements`, which are those of the storage if it has any."""
        elements = self.elements if elements is None else elements
        if type(elements) is not Elements or self.elements not in (UNTYPED, elements):
            raise Malformed(f"tensors of several dtypes lie in storage {self.key}")
        self.elements = elements
        if self.array is None:
            if self.nbytes % elements.raw.itemsize:
                raise Malformed(f"storage {self.key} of {self.nbytes} bytes holds no whole {elements.name} elements")
            self.array = self.make(self)
        return self.array

    def share(self, tensor):
        """Let `tensor` use the same version counter as the other tensors of this memory."""
        self.owner = tensor if self.owner is None else self.owner
        self.owner.storage.share(tensor)


class StorageView:
    """A part of a storage, as very old files have them: `count` elements from number `start` on."""

    def __init__(self, root, start, count):
        if type(start) is not int or type(count) is not int or start < 0 or count < 0:
            raise Malformed(f"a part of a storage from {brief(start)} on with {brief(count)} elements")
        self.root, self.start, self.count, self.share = root, start, count, root.share

    def seen(self, elements=None):
        """The part as a 1-d array."""
        memory = self.root.seen(elements)
        if self.start + self.count > memory.size:
            raise Malformed(f"a part of storage {self.root.key} leaves it")
        return memory[self.start : self.start + self.count]


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    return _typed_tensor(storage, offset, size, stride, requires_grad, hooks, None, metadata)


def _typed_tensor(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
    if not isinstance(storage, (Storage, StorageView)) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise Malformed("a tensor is built of what is no storage, size and stride")
    if metadata:
        raise Malformed(f"a tensor is stored negated or conjugated ({brief(metadata)}){_HINT}")
    elements = BY_NAME.get(str(dtype)) if isinstance(dtype, np.dtype) else dtype
    tensor = Tensor._wrap(strided(storage.seen(elements), tuple(size), stride, offset))
    storage.share(tensor)
    return tensor.requires_grad_(bool(requires_grad))


def _parameter(data, requires_grad=True, hooks=None, state=None):
    if not isinstance(data, Tensor):
        raise Malformed("a parameter is built of what is no tensor")
    parameter = Parameter(data, bool(requires_grad))
    data.storage.share(parameter)
    return parameter


def _with_attributes(rebuild, kind, arguments, state):
    """A tensor with attributes: minigrad's tensors hold none, so they are left out."""
    if type(rebuild) is not Builder or rebuild.function not in (_tensor, _typed_tensor) or kind is not Tensor:
        raise Malformed("a tensor of a class of its own")
    return rebuild.function(*arguments)


def _size(sizes=()):
    if not isinstance(sizes, tuple) or any(type(n) is not int for n in sizes):
        raise Malformed(f"a size of {brief(sizes)}")
    return Size(sizes)


def _ordered_dict(items=()):
    return OrderedDict((key(name), value) for name, value in items)


def _counter(items=()):
    if not isinstance(items, dict):
        raise Malformed("a Counter of what is no dict")
    return Counter({key(name): value for name, value in items.items()})


def _set_of(kind):
    def build(items=()):
        if not isinstance(items, (list, tuple)):
            raise Malformed("a set of what is no list")
        return kind(map(key, items))

    return build


def _encode(text, encoding="utf-8"):
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise Malformed(f"a string is encoded as {brief(encoding)}")
    return text.encode(encoding)


def _bytearray(data=b"", encoding="latin-1"):
    return bytearray(_encode(data, encoding) if isinstance(data, str) else _bytes(data))


def _bytes(data):
    if type(data) is not bytes:  # a number would be a length
        raise Malformed("bytes are made of what is no string")
    return data


def _device(kind, index=None):
    if kind not in ("cpu", "cuda", "mps", "xpu", "meta"):
        raise Malformed(f"a device of type {brief(kind)}")
    return Device()


class NumpyDtype:
    """A NumPy dtype as a pickle builds it: the byte order comes later."""

    def __init__(self, name, align=False, copy=True):
        if type(name) is not str or len(name) > 8:
            raise Malformed(f"a NumPy dtype {brief(name)}")
        self.dtype = np.dtype(name)
        if self.dtype.kind not in "biufc":
            raise Malformed(f"a NumPy value of dtype {brief(name)}: only numbers and bools can be loaded")


def _numpy_scalar(dtype, data):
    data = _encode(data, "latin1") if isinstance(data, str) else _bytes(data)
    if type(dtype) is not NumpyDtype or len(data) != dtype.dtype.itemsize:
        raise Malformed("a NumPy number of the wrong length")
    return np.frombuffer(data, dtype.dtype)[0]


def _numpy_array(kind, shape, code):
    if kind is not np.ndarray:
        raise Malformed("a NumPy array of a class of its own")
    return np.empty(0, np.uint8)  # its contents come with its state


def _numpy_array_of(data, dtype, shape, order):
    if type(data) not in (bytes, bytearray) or type(dtype) is not NumpyDtype or order not in ("C", "F"):
        raise Malformed("a NumPy array of what are no bytes")
    array = np.frombuffer(bytearray(data), dtype.dtype).reshape(shape, order=order)
    return array.astype(dtype.dtype.newbyteorder("="), copy=False)


def built(target, state):
    """Give `state` to what a pickle built before: the rest of a NumPy value, the metadata of a state_dict."""
    if type(target) is NumpyDtype:
        _, order, *rest = state
        if order not in ("<", ">", "=", "|") or rest[:3] != [None, None, None]:
            raise Malformed("a NumPy dtype with fields")
        target.dtype = target.dtype.newbyteorder(order) if order != "|" else target.dtype
    elif type(target) is np.ndarray:
        _, shape, dtype, fortran, data = state
        data = _encode(data, "latin1") if isinstance(data, str) else _bytes(data)
        if type(dtype) is not NumpyDtype or type(shape) is not tuple or target.size:
            raise Malformed("a NumPy array without dtype and shape")
        target.__setstate__((1, shape, dtype.dtype, bool(fortran), data))  # checks the length
    elif type(target) is OrderedDict:
        if not isinstance(state, dict) or set(state) - {"_metadata"}:
            raise Malformed("a dict with attributes")
        vars(target).update(state)
    else:
        raise Malformed(f"state is given to {type(target).__name__}")


_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
_FUNCTIONS = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _counter,
    "builtins.set": _set_of(set),
    "builtins.frozenset": _set_of(frozenset),
    "builtins.complex": complex,
    "builtins.bytearray": _bytearray,
    "builtins.bytes": lambda data=b"": _bytes(data),
    "_codecs.encode": _encode,
    "numpy.dtype": NumpyDtype,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "numpy.core.multiarray._reconstruct": _numpy_array,
    "numpy._core.multiarray._reconstruct": _numpy_array,
    "numpy.core.numeric._frombuffer": _numpy_array_of,
    "numpy._core.numeric._frombuffer": _numpy_array_of,
}
BUILDERS = {
    **{name: Builder(name, function) for name, function in _FUNCTIONS.items()},
    **{
        f"{module}.{prefix}Storage": BY_NAME[name]
        for prefix, name in _STORAGES.items()
        for module in ("torch", "torch.cuda")
    },
    "torch.storage.UntypedStorage": UNTYPED,
    "torch.UntypedStorage": UNTYPED,
    **{f"torch.{name}": e if e.converted else e.dtype for name, e in BY_NAME.items()},
    "torch.Tensor": Tensor,
    "numpy.ndarray": np.ndarray,
}


def named(module, name):
    """The value in `BUILDERS` of a global name in a pickle; anything else is an error that says what the file holds."""
    full = f"{module}.{name}".replace("__builtin__.", "builtins.")
    if full in BUILDERS:
        return BUILDERS[full]
    if module in ("torch", "torch.cuda") or full.startswith("torch._"):
        cause = f"holds {full}, but minigrad has dense tensors of {', '.join(map(str, SUPPORTED))} only"
    else:
        cause = f"names {full}, and only tensors and plain containers are loaded, never code or other objects{_HINT}"
    raise Malformed(f"the pickle {cause}")


_PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    np.ndarray,
    np.generic,
    np.dtype,
    Device,
    Tensor,
    type(None),
)
_CONTAINERS = (list, tuple, Size, dict, OrderedDict, Counter, set, frozenset)


def checked(root):
    """`root` if it is plain data, without cycles, not nested too deep, and no few containers repeated without end."""
    sizes = {}  # of each container: (levels below it, values in it, each counted as often as it is reached)
    waiting, open_ = [(root, False)], set()
    while waiting:
        value, done = waiting.pop()
        if type(value) not in _CONTAINERS:
            if not isinstance(value, _PLAIN):
                raise Malformed(f"the pickle holds {getattr(value, 'name', type(value).__name__)} as data")
            continue
        inner = _children(value)
        if done:
            below = [sizes[id(item)] for item in inner if type(item) in _CONTAINERS]
            depth = 1 + max((levels for levels, _ in below), default=0)
            count = 1 + len(inner) + sum(number for _, number in below)
            if depth > DEEPEST or count > 100_000_000:
                raise Malformed(f"the pickle nests data {depth} levels deep, {count} values in all")
            sizes[id(value)] = depth, count
            open_.discard(id(value))
        elif id(value) in open_:
            raise Malformed("the pickle holds a container that is in itself")
        elif id(value) not in sizes:
            open_.add(id(value))
            waiting.append((value, True))
            waiting.extend((item, False) for item in inner)
    return root


def _children(value):
    """What lies in a container."""
    if not isinstance(value, dict):
        return list(value)
    extra = list(vars(value).values()) if isinstance(value, OrderedDict) else []
    return [*value, *value.values(), *extra]
