"""The tensor: an array that remembers how it was computed.

Here is what a tensor *is* (memory, dtype, gradient, place in the graph) and how it is seen from outside. What can be
computed with it is in `minigrad.ops`, whose operations register themselves as methods.
"""

import copy
import weakref

import numpy as np

from . import dtypes, printing
from .device import CPU, CUDA, DEVICES, address_of, channels_last, contiguous_format, placed
from .node import AccumulateGrad
from .state import state


class Storage:
    """What tensors that share memory share: how often it was written, and who looks at it.

    `version` counts writes (a saved tensor with an older version is stale), `history` counts writes that changed the
    graph (a view with an older history must find its new place in it), `sharers` are weak references to the views.
    """

    version = history = 0
    sharers = ()
    inference = False  # made in inference mode: no version is counted
    fleeting = False  # about to be written: who saves this memory saves a copy

    def share(self, tensor):
        """Let `tensor` use this storage."""
        tensor._storage = self
        if not self.sharers:
            self.sharers = set()
        self.sharers.add(weakref.ref(tensor, self.sharers.discard))


class View:
    """How a view comes from its base: the operations to apply, and the graph's history when they were last applied."""

    __slots__ = ("base", "history", "steps")

    def __init__(self, base, steps, history):
        self.base, self.steps, self.history = base, steps, history

    @staticmethod
    def attach(tensors, operation, args):
        """Note that `tensors`, the results of `operation.apply(*args)`, are views of `args[0]`."""
        source = args[0]
        leaf = source._edge is not None and source._edge[0].accumulates
        own = source._view is None or leaf  # a leaf is the base of its own views
        base, steps = (source, ()) if own else (source._view.base, source._view.steps)
        storage = source.storage
        for index, tensor in enumerate(tensors):
            tensor._view = View(base, (*steps, (operation, args[1:], index)), storage.history)
            storage.share(tensor)

    def replay(self, base):
        """The view of another tensor that is laid out like the base."""
        for operation, settings, index in self.steps:
            result = operation.apply(base, *settings)
            base = result[index] if type(result) is tuple else result
        return base

    def refresh(self, tensor):
        """Give `tensor`, which has this view, its place in the base's present graph."""
        if self.history != tensor._storage.history:
            self.history = tensor._storage.history
            if self.base._edge is not None:
                recording, state.grad_enabled = state.grad_enabled, True
                try:
                    tensor._move_to(self.replay(self.base)._edge)
                finally:
                    state.grad_enabled = recording


_new = object.__new__


class Tensor:
    """An n-dimensional array with a gradient (`torch.Tensor`).

    `Tensor(data)` makes a float32 tensor of a nested list, a number sequence or an array; `minigrad.tensor` infers the
    dtype and is what most code wants. `Tensor(2, 3)` is an uninitialised one of those sizes.

    >>> Tensor([[1, 2], [3, 4]])
    tensor([[1., 2.],
            [3., 4.]])
    >>> Tensor(2, 3).shape
    minigrad.Size([2, 3])
    """

    # _edge: None or (node, output_index), where the gradient of this tensor flows to
    __slots__ = ("__weakref__", "_array", "_edge", "_grad", "_storage", "_view")
    __array_priority__ = 1000  # ndarray * tensor asks the tensor

    def __init__(self, *data):
        first = data[0] if data else ()
        if type(first) is Size or isinstance(first, (int, np.integer)):
            shape = tuple(first) if type(first) is Size else tuple([n.__index__() for n in data])
            if any(n < 0 for n in shape):
                raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
            self._init(np.empty(shape, dtypes.get_default_dtype()))
        elif isinstance(first, Tensor):
            self._init(first._array)
            first.storage.share(self)
        elif isinstance(first, str) or not hasattr(first, "__len__"):
            words = "invalid data type 'str'" if isinstance(first, str) else "data must be a sequence"
            got = "" if isinstance(first, str) else f" (got {type(first).__name__})"
            raise TypeError(f"new(): {words}{got}\nhint: minigrad.tensor(...) takes numbers too")
        else:
            self._init(np.array(first, dtype=dtypes.get_default_dtype()))

    def _init(self, array):
        self._array = array
        self._edge = self._grad = self._storage = self._view = None

    @staticmethod
    def _wrap(array):
        """A tensor around `array` itself."""
        self = _new(Tensor)
        self._array = array
        self._edge = self._grad = self._storage = self._view = None
        return self

    # what it is -----------------------------------------------------------------------------------------------------

    @property
    def shape(self):
        """The sizes of the dimensions, a tuple of int."""
        return Size(self._array.shape)

    @property
    def dtype(self):
        """The element type, a NumPy dtype."""
        return self._array.dtype

    @property
    def device(self):
        """Where the memory is, a `minigrad.device`."""
        return DEVICES.get(type(self._array), CPU)

    @property
    def ndim(self):
        """The number of dimensions."""
        return self._array.ndim

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self._array.nbytes

    def dim(self):
        """The number of dimensions."""
        return self._array.ndim

    def size(self, dim=None):
        """The shape, or the size of dimension `dim`."""
        return self.shape if dim is None else self._array.shape[check_dim(dim, self._array.ndim)]

    def numel(self):
        """The number of elements."""
        return self._array.size

    def element_size(self):
        """Bytes of one element."""
        return self._array.itemsize

    def stride(self, dim=None):
        """Elements (not bytes) from one entry to the next along each dimension, or along `dim`."""
        strides = tuple([s // self._array.itemsize for s in self._array.strides])
        return strides if dim is None else strides[check_dim(dim, self._array.ndim)]

    def data_ptr(self):
        """The address of the first element."""
        return address_of(self._array)

    def is_floating_point(self):
        """Whether the dtype is float32 or float64."""
        return self._array.dtype.kind == "f"

    def is_contiguous(self, memory_format=contiguous_format):
        """Whether the elements lie in memory without gaps in row-major (or, 4-d, in channels-last) order."""
        if memory_format is channels_last:
            return self._array.ndim == 4 and self._array.transpose(0, 2, 3, 1).flags.c_contiguous
        return self._array.flags.c_contiguous

    # its place in the graph -----------------------------------------------------------------------------------------

    @property
    def requires_grad(self):
        """Whether gradients flow to this tensor."""
        if self._view is not None:
            self._view.refresh(self)
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value):
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True):
        """Set whether gradients flow to this leaf, in place; floating-point tensors only."""
        if requires_grad and self._array.dtype.kind != "f":
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients\nhint: this one is "
                f"{self._array.dtype}; convert it first with .float()"
            )
        if requires_grad and self.is_inference() and not state.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if requires_grad and self._edge is None:
            self._edge = AccumulateGrad(self), 0
        elif not requires_grad:
            self._edge = None
        return self

    @property
    def grad_fn(self):
        """The node of the operation that computed this tensor; None for a leaf."""
        if self._view is not None:
            self._view.refresh(self)
        return None if self._edge is None or self._edge[0].accumulates else self._edge[0]

    @property
    def output_nr(self):
        """Which of its operation's results this tensor is."""
        return 0 if self._edge is None else self._edge[1]

    @property
    def is_leaf(self):
        """Whether no recorded operation computed this tensor: `backward` fills `.grad` of leaves."""
        return self.grad_fn is None

    @property
    def storage(self):
        """The `Storage` shared by all tensors on this memory."""
        if self._storage is None:
            self._storage = Storage()
        return self._storage

    @property
    def _version(self):
        return 0 if self._storage is None else self._storage.version

    @property
    def _base(self):
        return None if self._view is None else self._view.base

    @property
    def grad(self):
        """The accumulated gradient: None until `backward` reaches this leaf."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
                )
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if value.device != self.device:
                raise RuntimeError(
                    f"attempting to assign a gradient with device type '{value.device.type}' to a tensor with device "
                    f"type '{self.device.type}'. Please ensure that the gradient and the tensor are on the same device"
                    f"\nhint: move it with .to({str(self.device)!r})"
                )
            if value._array.dtype != self._array.dtype:
                theirs, own = dtypes.TORCH_NAMES[value.dtype].lower(), dtypes.TORCH_NAMES[self.dtype]
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{theirs}' to a tensor with grad_dtype '{own}'. The "
                    "gradient must match the tensor's grad_dtype (defaults to the tensor's dtype).\nhint: convert it "
                    f"with .to({self.dtype})"
                )
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
                    f"'{list(self.shape)}'. Please ensure that the gradient and the tensor are the same size"
                    "\nhint: the gradient of a tensor has the tensor's own shape"
                )
        self._grad = value

    @grad.deleter
    def grad(self):
        self._grad = None

    @property
    def data(self):
        """The same memory as a tensor outside the graph, whose writes no version counter sees (`detach` is safer)."""
        return Tensor._wrap(self._array)

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._edge is not None and value._array.dtype.kind != "f":
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        node, version = None if self._edge is None or not self.is_leaf else self._edge[0], self._version
        self._array, self._storage, self._view = value._array, None, None
        self.storage.version = version
        if node is not None and node.outputs != ((self._array.shape, self._array.dtype),):
            self._edge = AccumulateGrad(self), 0
            self._edge[0].hooks, self._edge[0].filled_hooks = node.hooks, node.filled_hooks  # they are the tensor's

    def detach(self):
        """The same memory outside the graph; in-place writes are seen by both (`torch.Tensor.detach`)."""
        result = Tensor._wrap(self._array)
        self.storage.share(result)
        return result

    def is_inference(self):
        """Whether this tensor was computed in inference mode."""
        return self._storage is not None and self._storage.inference

    def retain_grad(self):
        """Let `backward` fill `.grad` of this computed tensor too."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        node = self.grad_fn
        if node is not None and not self.retains_grad:
            if node.retained is None:
                node.retained = {}
            node.retained.setdefault(self._edge[1], []).append(weakref.ref(self))

    @property
    def retains_grad(self):
        """Whether `retain_grad` was called on this computed tensor."""
        retained = self._edge[0].retained if self._edge is not None else None
        return retained is not None and any(other() is self for other in retained.get(self._edge[1], ()))

    def _move_to(self, edge):
        """Take another place in the graph; a gradient that was to be retained is the one of the new place."""
        retains = self.retains_grad
        if retains:
            node, index = self._edge
            node.retained[index] = [other for other in node.retained[index] if other() is not self]
        self._edge = edge
        if retains:
            self.retain_grad()

    def register_hook(self, hook):
        """Call `hook(grad)` whenever this tensor's whole gradient is known; what it returns (unless None) replaces it.

        Returns a handle with `.remove()`.

        >>> import minigrad
        >>> x = minigrad.tensor([1.0], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> (x * 2).backward()
        >>> x.grad
        tensor([20.])
        """
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node, index = self._edge
        if node.hooks is None:
            node.hooks = {}
        return HookHandle(node.hooks.setdefault(index, {}), hook)

    # seen from outside ----------------------------------------------------------------------------------------------

    def numpy(self, *, force=False):
        """The memory as a NumPy array, shared; an error if this tensor requires grad, or is on the GPU.

        `force=True` detaches, and copies to the CPU.
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.\nhint: what "
                "NumPy computes is not recorded; detach() says that this is meant"
            )
        if self.device is CUDA:
            if not force:
                raise TypeError(
                    "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                    "memory first."
                )
            return placed(self._array, CPU)
        return self._array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return Tensor._wrap(dtypes.native(np.asarray(array)))  # what NumPy's functions make of tensors is a tensor

    def item(self):
        """The only element as a Python number."""
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar\nhint: its shape is "
                f"{tuple(self.shape)}; use .tolist(), or reduce it first"
            )
        return self._array.item()

    def tolist(self):
        """The elements as nested Python lists (a number if 0-d)."""
        return self._array.tolist()

    def __repr__(self):
        return printing.tensor_repr(self)

    def __format__(self, spec):
        return format(self.item(), spec) if self._array.ndim == 0 else object.__format__(self, spec)

    def __bool__(self):
        if self._array.size != 1:
            words = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {words} is ambiguous\nhint: use .any() or .all()")
        return bool(self._array.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self._array.dtype.kind == "f" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array.item())

    def __len__(self):
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __contains__(self, value):
        return bool((self._array == (value._array if isinstance(value, Tensor) else value)).any())

    __hash__ = object.__hash__  # `==` compares element-wise; tensors are still keys by identity

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment.  If you were attempting to deepcopy a module, this may be because of a tensor kept as an "
                "attribute\nhint: use .detach().clone()"
            )
        result = type(self).__new__(type(self))
        result._init(self._array.copy(order="K"))
        result._grad = copy.deepcopy(self._grad, memo)
        result.requires_grad_(self.requires_grad)
        return result

    def __reduce__(self):
        if not self.is_leaf:
            raise RuntimeError("a tensor with a grad_fn cannot be pickled\nhint: pickle tensor.detach()")
        return _rebuild, (type(self), self._array, self.requires_grad)


def _rebuild(cls, array, needs):
    tensor = cls.__new__(cls)
    tensor._init(array)
    return tensor.requires_grad_(needs)


class Size(tuple):
    """A shape: a tuple of int that can count its elements (`torch.Size`).

    >>> Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def numel(self):
        """The product of the sizes."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self):
        return f"{printing.options.package}.Size({list(self)})"

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))


class HookHandle:
    """Removes the hook it was returned for; also a context manager that removes it on exit."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks, hook):
        hooks[self] = hook
        self._hooks = hooks

    def remove(self):
        """Take the hook away; nothing happens the second time."""
        self._hooks.pop(self, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def check_dim(dim, ndim):
    """`dim` counted from the front; an IndexError in PyTorch's words if there is no such dimension."""
    extent = max(ndim, 1)
    if not -extent <= dim < extent:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but got {dim})"
        )
    return dim % extent
