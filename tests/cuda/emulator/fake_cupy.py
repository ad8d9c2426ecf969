"""CuPy's place on a machine without a GPU: NumPy's functions behind CuPy's names, as strict as CuPy is.

Arrays of NumPy are refused, nothing becomes an array of NumPy by itself, results are arrays also where NumPy gives
numbers, functions and arguments that CuPy lacks (`cupy_signatures.txt`) are errors, and so is waiting for the device
while a graph is captured. Memory comes from the current allocator, filled with NaN's bytes, and is overwritten with
them when it is free again; its addresses are the host's, so that kernels compiled for the host work on it. What is
captured is not carried out before the graph is launched. Work is carried out at once: the order of streams, and what
CuPy computes, are not to be seen here.
"""

import ctypes
import sys
import weakref
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
from scipy import special

from minigrad.kernels.device.library import _ARRAYS_IN_CUPY, _Simulated

__all__ = ["install", "queue"]

SIGNATURES = _Simulated()
GARBAGE = 0xFF
ALIVE = weakref.WeakValueDictionary()  # blocks by the id of their array of bytes


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime."""


# memory


class Block:
    """Memory of the device, at addresses that are multiples of 512."""

    def __init__(self, size, pool):
        room = np.full(size + 512, GARBAGE, np.uint8)
        start = -room.ctypes.data % 512
        self.bytes, self.size, self.pool = room[start : start + size], size, pool
        ALIVE[id(room)] = self
        weakref.finalize(self, ctypes.memset, self.bytes.ctypes.data, GARBAGE, size)
        self.room = room


class MemoryPointer:
    """An address within a block."""

    def __init__(self, mem, offset):
        self.mem, self.offset = mem, offset

    @property
    def ptr(self):
        return self.mem.bytes.ctypes.data + self.offset

    def __add__(self, offset):
        return MemoryPointer(self.mem, self.offset + int(offset))


class MemoryPool:
    """Hands out blocks; one other than the default pool keeps them, for the graph whose memory they are."""

    def __init__(self):
        self.blocks = weakref.WeakSet()
        self.kept = []

    def malloc(self, size):
        block = Block(size, self)
        self.blocks.add(block)
        if self is not default_pool:
            self.kept.append(block)
        return MemoryPointer(block, 0)

    def used_bytes(self):
        return sum(block.size for block in self.blocks)

    total_bytes = used_bytes

    def free_all_blocks(self, stream=None):
        pass


default_pool = MemoryPool()


def wait(stream=None):
    """What needs the device's results: those of a stream, or of the current one."""
    stream = Stream.current if stream is None else stream
    if Graph.recording is not None and (not stream.ptr or stream == Graph.recording.stream):
        raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")


# streams and graphs


class Stream:
    """A queue: its work is done at once, or recorded."""

    current = None
    count = 0

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        Stream.count += not null
        self.ptr = 0 if null else 0x1000 * Stream.count

    def use(self):
        Stream.current = self
        return self

    def __enter__(self):
        self.before = Stream.current
        return self.use()

    def __exit__(self, *error):
        self.before.use()

    def __eq__(self, other):
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    @property
    def done(self):
        wait(self)
        return True

    def synchronize(self):
        wait(self)

    def record(self, event=None):
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        assert isinstance(event, Event)

    def begin_capture(self, mode=None):
        if not self.ptr:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        Graph.recording = Graph(self)

    def end_capture(self):
        graph, Graph.recording = Graph.recording, None
        graph.restore()
        return graph


class Graph:
    """Calls to be made again, on the same memory."""

    recording = None

    def __init__(self, stream):
        self.stream, self.calls = stream, []
        self.before = {block: block.bytes.copy() for block in ALIVE.values()}

    def restore(self):
        """Undo what was carried out only to learn the shapes of results."""
        for block in list(ALIVE.values()):
            block.bytes[...] = self.before.get(block, GARBAGE)
        del self.before

    def beside(self, call):
        """Carry out what is no part of the graph, at once, and keep what it wrote."""
        now = {block: block.bytes.copy() for block in ALIVE.values()}
        call()
        for block in ALIVE.values():
            before = self.before.setdefault(block, np.full_like(block.bytes, GARBAGE))
            changed = block.bytes != now.get(block, before)
            before[changed] = block.bytes[changed]

    def launch(self, stream=None):
        assert Graph.recording is None
        assert stream is None or isinstance(stream, Stream)
        for call in self.calls:
            call()


def queue(call):
    """Carry out a piece of work on the device and, if its stream is captured, note it once it is known to succeed."""
    graph = Graph.recording
    if graph is not None and not Stream.current.ptr:
        raise CUDARuntimeError("cudaErrorStreamCaptureImplicit: work in the legacy stream while another is captured")
    if graph is not None and Stream.current != graph.stream:
        graph.beside(call)
        return
    call()
    if graph is not None:
        graph.calls.append(call)


class Event:
    """A mark; the times are made up."""

    clock = 0

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.time = self.stream = None
        self.timed = not disable_timing

    def record(self, stream=None):
        assert stream is None or isinstance(stream, Stream)
        self.stream = Stream.current if stream is None else stream
        Event.clock += 1
        self.time = Event.clock

    @property
    def done(self):
        wait(self.stream)
        return True

    def synchronize(self):
        wait(self.stream)


def get_elapsed_time(start, end):
    assert start.timed and end.timed
    return float(end.time - start.time)


class PinnedMemoryPointer(bytearray):
    """Page-locked memory."""


# arrays


class ndarray:
    """CuPy's array around an array of NumPy's that lies in a block."""

    __slots__ = ("__weakref__", "base", "data", "host")
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        dtype = np.dtype(dtype)
        assert dtype.isnative, "CuPy knows no other byte order"
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        if memptr is None:
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            memptr = allocator[0](size)
        self.data, self.base = memptr, None
        self.host = np.ndarray(shape, dtype, memptr.mem.room, memptr.ptr - memptr.mem.room.ctypes.data, strides, order)

    @classmethod
    def view_of(cls, host, block, base):
        self = object.__new__(cls)
        self.host, self.base = host, base
        self.data = MemoryPointer(block, host.ctypes.data - block.bytes.ctypes.data)
        return self

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    strides = property(lambda self: self.host.strides)
    itemsize = property(lambda self: self.host.itemsize)
    nbytes = property(lambda self: self.host.nbytes)
    T = property(lambda self: self.transpose())
    device = SimpleNamespace(id=0)

    @property
    def flags(self):
        flags = self.host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    @property
    def __cuda_array_interface__(self):
        return {**self.host.__array_interface__, "data": (self.data.ptr, False), "stream": 1, "version": 3}

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def get(self, stream=None, order="C", out=None, blocking=True):
        wait()
        return np.array(self.host, order=order)

    def set(self, arr, stream=None):
        assert type(arr) is np.ndarray and (arr.shape, arr.dtype) == (self.shape, self.dtype)
        assert stream is None or isinstance(stream, Stream)
        assert self.host.flags.c_contiguous and arr.flags.c_contiguous
        queue(lambda: np.copyto(self.host, arr))

    def item(self):
        wait()
        return self.host.item()

    def tolist(self):
        wait()
        return self.host.tolist()

    def fill(self, value):
        assert not isinstance(value, np.ndarray)
        queue(lambda: self.host.fill(value))

    def __len__(self):
        return len(self.host)

    def __bool__(self):
        wait()
        return bool(self.host)

    def __int__(self):
        return int(self.item())

    def __float__(self):
        return float(self.item())

    def __repr__(self):
        wait()
        return repr(self.host)

    def __str__(self):
        wait()
        return str(self.host)

    def __getitem__(self, index):
        if _has_mask(index):
            wait()  # the number of elements is the device's to know
        return _called(lambda host, places: host[places], (self, index), {})

    def __setitem__(self, index, value):
        target, (places, source) = self.host, (_bare(index), _bare(value))

        def write():
            target[places] = source

        queue(write)

    def __matmul__(self, other):
        wait()  # cuBLAS through CuPy cannot be captured
        return _called(np.matmul, (self, other), {})

    def __reduce__(self):
        return _asarray, (self.get(),)

    def __deepcopy__(self, memory):
        return self.copy()


def _has_mask(index):
    parts = index if type(index) is tuple else (index,)
    return any(isinstance(part, ndarray) and part.dtype == bool for part in parts)


def _bare(value):
    """NumPy's arrays in the place of CuPy's; NumPy's own are refused."""
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if type(value) in (tuple, list):
        return type(value)([_bare(item) for item in value])
    if type(value).__module__.startswith("minigrad") and not isinstance(value, tuple):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _root(host):
    while isinstance(host.base, np.ndarray):
        host = host.base
    return host


def _kept(result, base, args):
    """A result of NumPy's on the device: an argument itself, a view of its memory, or a copy in new memory."""
    for arg in args:
        if isinstance(arg, ndarray) and arg.host is result:
            return arg
    if isinstance(result, np.ndarray | np.generic):
        host = np.asarray(result)
        block = ALIVE.get(id(_root(host)))
        if block is not None:
            if not host.flags.writeable:
                host.flags.writeable = True  # CuPy knows no views that may not be written
            return ndarray.view_of(host, block, base)
        order = sorted(range(host.ndim), key=lambda axis: -abs(host.strides[axis]))
        array = ndarray([host.shape[axis] for axis in order], host.dtype)
        array.host = array.host.transpose(np.argsort(order))
        np.copyto(array.host, host)
        return array
    if isinstance(result, tuple | list):
        items = [_kept(item, base, args) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result


def _put(kept, fresh):
    """Write fresh results over those that were kept."""
    if isinstance(kept, ndarray):
        if not np.may_share_memory(kept.host, fresh):
            np.copyto(kept.host, fresh)
    elif isinstance(kept, tuple | list):
        for old, new in zip(kept, fresh):
            _put(old, new)


def _called(function, args, kwargs):
    """A function of NumPy's on arrays of the device."""
    hosts, named = _bare(list(args)), {name: _bare(value) for name, value in kwargs.items()}
    base = next((arg for arg in args if isinstance(arg, ndarray)), None)
    base = base if base is None or base.base is None else base.base
    outputs = named.get("out")
    result, first = None, True

    def work():
        nonlocal result, first
        fresh = function(*hosts, **named)
        if first:
            result, first = _kept(fresh, base, args), False
        elif outputs is None:
            _put(result, fresh)

    queue(work)
    out = kwargs.get("out")
    return result if out is None else out


# functions


class ufunc:
    """CuPy's ufunc."""

    def __init__(self, function):
        self.function, self.__name__ = function, function.__name__

    def __call__(self, *args, **kwargs):
        if wrong := set(kwargs) - {"out", "dtype", "casting"}:
            raise TypeError(f"Wrong arguments {wrong}")
        return _called(self.function, args, kwargs)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        assert self.__name__ in ("add", "multiply")
        return _called(self.function.accumulate, (array, axis, dtype), {})

    def at(self, a, indices, b=None):
        assert self.__name__ in ("add", "maximum", "minimum")
        return _called(self.function.at, (a, indices, b), {})

    def reduceat(self, array, indices, axis=0, dtype=None, out=None):
        assert self.__name__ == "add"
        return _called(self.function.reduceat, (array, indices, axis, dtype), {})


WAITING = {  # for the number of results, or since cuBLAS through CuPy cannot be captured
    "allclose", "argwhere", "array_equal", "compress", "dot", "einsum", "extract", "flatnonzero", "histogram", "inner",
    "matmul", "median", "nonzero", "sliding_window_view", "tensordot", "unique", "vdot",
}  # fmt: skip


def checked(name, function):
    """A function of NumPy's that takes CuPy's arguments."""
    signature = SIGNATURES._signature(name)

    def call(*args, **kwargs):
        if signature is not None:
            signature.bind(*args, **kwargs)
        if name.rpartition(".")[2] in WAITING or name.startswith("linalg."):
            wait()
        if name == "repeat" and isinstance(args[1], ndarray):
            raise ValueError("cupy.ndaray cannot be specified as `repeats` argument.")
        if name == "concatenate" and len(args[0]) > 8:
            wait()  # CuPy sends a table of the addresses over
        if name == "partition":
            assert isinstance(args[1], int | tuple), "CuPy takes Python's numbers as places"
        try:
            result = _called(function, args, kwargs)
        except np.linalg.LinAlgError:
            assert errstate.linalg == "raise", "CuPy raises no LinAlgError unless it is told to"
            raise
        return _asarray(result) if type(result) in (bool, int) and name in _ARRAYS_IN_CUPY else result

    call.__name__ = name
    return call


class Namespace(ModuleType):
    """NumPy's functions of the names that CuPy has."""

    def __init__(self, name, prefix, source):
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        for full in SIGNATURES._arguments:
            if full.startswith(prefix) and "." not in (rest := full[len(prefix) :]) and hasattr(source, rest):
                found = getattr(source, rest)
                setattr(self, rest, ufunc(found) if isinstance(found, np.ufunc) else checked(full, found))


def _method(name):
    def method(self, *args, **kwargs):
        if name in WAITING:
            wait()
        signature = SIGNATURES._signature(f"ndarray.{name}")
        if signature is not None:
            signature.bind(*args, **kwargs)
        if name == "sort":
            assert self.base is None, "CuPy sorts in place arrays with memory of their own alone"
        return _called(lambda host, *rest, **named: getattr(host, name)(*rest, **named), (self, *args), kwargs)

    return method


_OWN = {"item", "tolist", "fill", "get", "set"}
for _name in SIGNATURES._arguments:
    if _name.startswith("ndarray.") and _name[8:] not in _OWN:
        setattr(ndarray, _name[8:], _method(_name[8:]))
for _name, _function in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "lt": np.less, "gt": np.greater,
    "le": np.less_equal, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal, "and": np.bitwise_and,
    "or": np.bitwise_or,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", lambda self, other, f=_function: _called(f, (self, other), {}))

allocator = [default_pool.malloc]


class errstate:
    """What CuPy does about errors of matrices: nothing, unless told to raise them."""

    linalg = "ignore"

    def __init__(self, linalg):
        self.chosen = linalg

    def __enter__(self):
        self.before, errstate.linalg = errstate.linalg, self.chosen

    def __exit__(self, *error):
        errstate.linalg = self.before


def _asarray(a, dtype=None, order=None):
    """The one way for an array of the host to the device, beside `set`."""
    if isinstance(a, ndarray):
        return _called(np.asarray, (a, dtype, order), {})
    wait()  # CuPy asks an event later on whether its buffer is free, which a captured one does not say
    a = np.array(a, dtype)
    array = ndarray(a.shape, a.dtype)
    queue(lambda: np.copyto(array.host, a))
    return array


def _take(a, indices, axis=None, out=None):
    return _called(lambda a, places: a.take(places, axis, mode="wrap"), (a, indices), {})


def install():
    """Make `import cupy` find this."""
    cupy = Namespace("cupy", "", np)
    cupy.linalg, cupy.fft = Namespace("cupy.linalg", "linalg.", np.linalg), Namespace("cupy.fft", "fft.", np.fft)
    cupy.lib = SimpleNamespace(
        stride_tricks=Namespace("cupy.lib.stride_tricks", "lib.stride_tricks.", np.lib.stride_tricks)
    )
    cupy.ndarray, cupy.asarray, cupy.array, cupy.take = ndarray, _asarray, _asarray, _take
    ndarray.take = _take
    cupy.get_default_memory_pool = lambda: default_pool
    cupy.empty = lambda shape, dtype=float, order="C": ndarray(shape, dtype, order=order)
    Stream.null = Stream(null=True).use()

    def set_allocator(function=None):
        allocator[0] = function

    properties = {
        "name": b"a GPU of the host",
        "totalGlobalMem": 1 << 30,
        "multiProcessorCount": 1,
        "major": 9,
        "minor": 0,
    }
    cupy.cuda = SimpleNamespace(
        Stream=Stream, Event=Event, Graph=Graph, MemoryPool=MemoryPool, get_elapsed_time=get_elapsed_time,
        get_current_stream=lambda device_id=-1: Stream.current, set_allocator=set_allocator,
        get_allocator=lambda: allocator[0], alloc_pinned_memory=PinnedMemoryPointer,
        Device=lambda device=None: SimpleNamespace(synchronize=lambda: wait(Stream.null)),
        runtime=SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError, getDeviceCount=lambda: 1, memGetInfo=lambda: (1 << 29, 1 << 30),
            getDeviceProperties=lambda device: properties,
        ),
    )  # fmt: skip
    scipy_special = Namespace("cupyx.scipy.special", "special.", special)
    modules = {"cupy": cupy, "cupyx": ModuleType("cupyx"), "cupyx.scipy": ModuleType("cupyx.scipy")}
    modules["cupyx"].errstate = errstate
    sys.modules.update({**modules, "cupyx.scipy.special": scipy_special})
