"""What a tensor's memory is and becomes: kinds that it is not, storage of another size, elements visited one by one.

These are methods of PyTorch's early days that programs still call; nothing here is recorded for gradients.
"""

import mmap

import numpy as np

from minigrad.autograd import CPU, CUDA, HookHandle, Size, Tensor, placed
from minigrad.autograd.dtypes import strided

from .creation import shape_of, tensor
from .registry import both, method


def _never(name, what):
    setattr(Tensor, name, property(lambda self: False, doc=f"Whether {what}: never (`torch.Tensor.{name}`)."))


_never("is_mps", "the memory is an Apple GPU's")
_never("is_meta", "there is no memory")
_never("is_sparse", "only the elements other than 0 are kept")
_never("is_quantized", "the elements are quantized")
Tensor.is_cpu = property(
    lambda self: self.device is CPU, doc="Whether the memory is the CPU's (`torch.Tensor.is_cpu`)."
)
Tensor.is_cuda = property(lambda self: self.device is CUDA, doc="Whether it is the GPU's (`torch.Tensor.is_cuda`).")
Tensor.name = property(lambda self: None, doc="The name that the tensor was given: never one (`torch.Tensor.name`).")


Tensor.layout = property(lambda self: strided, doc="How elements are kept: `minigrad.strided` (`torch.Tensor.layout`).")
Tensor.real = property(lambda self: self, doc="The real part, the tensor itself (`torch.Tensor.real`).")


@both()
def conj(input):
    """The complex conjugate: of real numbers the tensor itself (`torch.conj`).

    >>> import minigrad
    >>> minigrad.conj(minigrad.ones(1))
    tensor([1.])
    """
    return input


@method()
def new(self, *data):
    """A tensor of this one's dtype, of sizes (uninitialised) or of data; `new_empty`, `new_tensor` are better.

    Source: `torch.Tensor.new`.

    >>> import minigrad
    >>> minigrad.ones(2, dtype=minigrad.int64).new([1, 2])
    tensor([1, 2])
    """
    sizes = all(isinstance(size, int) for size in data) or type(data[0]) is Size
    return self.new_empty(*data or (0,)) if sizes else tensor(*data, dtype=self.dtype, device=self.device)


@method()
def resize_(self, *sizes):
    """Take another shape; what elements there are stay in their order, more are uninitialised.

    Source: `torch.Tensor.resize_`.

    >>> import minigrad
    >>> minigrad.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = shape_of(sizes)
    resized = np.empty(shape, self.dtype, like=self._array)
    count = min(resized.size, self.numel())
    resized.reshape(-1)[:count] = self._array.reshape(-1)[:count]
    self.data = Tensor._wrap(resized)
    return self


@method()
def resize_as_(self, the_template):
    """Take the shape of another tensor, see `resize_` (`torch.Tensor.resize_as_`).

    >>> import minigrad
    >>> minigrad.arange(4).resize_as_(minigrad.ones(2, 2)).shape
    minigrad.Size([2, 2])
    """
    return self.resize_(the_template.shape)


@method()
def set_(self, source):
    """Share the memory, the shape and the strides of `source` from now on (`torch.Tensor.set_`).

    >>> import minigrad
    >>> x, y = minigrad.zeros(0), minigrad.ones(2)
    >>> _ = x.set_(y)
    >>> _ = y.zero_()
    >>> x
    tensor([0., 0.])
    """
    if source.dtype != self.dtype:
        raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
    self.data = source
    return self


@method()
def fill_diagonal_(self, fill_value, wrap=False):
    """Write a number on the main diagonal, of a tall matrix again below each square with `wrap`.

    Of more than two dimensions all must be equal. Source: `torch.Tensor.fill_diagonal_`.

    >>> import minigrad
    >>> minigrad.zeros(2, 2).fill_diagonal_(5)
    tensor([[5., 0.],
            [0., 5.]])
    """
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    on = np.zeros(self.shape, bool)
    np.fill_diagonal(on, True, wrap=wrap)
    return self.masked_fill_(Tensor._wrap(placed(on, self.device)), fill_value)


@method()
def apply_(self, callable):
    """Put callable(element), a Python number of a Python number, in the place of each element: slow.

    Source: `torch.Tensor.apply_`.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0]).apply_(lambda x: x * 10)
    tensor([10., 20.])
    """
    return self._visit("apply_", callable)


@method()
def map_(self, tensor, callable):
    """Put callable(element, element of `tensor`) in the place of each element: slow (`torch.Tensor.map_`).

    >>> import minigrad
    >>> minigrad.tensor([1.0, 2.0]).map_(minigrad.tensor([3.0, 4.0]), lambda a, b: a * b)
    tensor([3., 8.])
    """
    return self._visit("map_", callable, tensor)


def _visit(self, name, callable, *others):
    if self.requires_grad:
        raise TypeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    arrays = np.broadcast_arrays(*[placed(tensor._array, CPU) for tensor in (self, *others)])
    values = [callable(*numbers) for numbers in zip(*[array.reshape(-1).tolist() for array in arrays])]
    return self.copy_(Tensor._wrap(placed(np.array(values, self.dtype).reshape(self.shape), self.device)))


Tensor._visit = _visit


@method()
def share_memory_(self):
    """Move to memory that processes forked from this one share; the GPU's memory stays (`torch.Tensor.share_memory_`).

    >>> import minigrad
    >>> minigrad.ones(2).share_memory_().is_shared()
    True
    """
    if self.is_cpu and not self.is_shared() and self.numel():
        self.data = Tensor._wrap(in_shared_memory(self._array))
    return self


@method()
def is_shared(self):
    """Whether processes forked from this one share the memory (`torch.Tensor.is_shared`)."""
    owner = self._array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return isinstance(owner, mmap.mmap)


def in_shared_memory(array):
    """A copy of an array in memory that processes forked from this one share."""
    shared = np.frombuffer(mmap.mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    shared[...] = array
    return shared


@method()
def register_post_accumulate_grad_hook(self, hook):
    """Call `hook(tensor)` whenever `backward` has added to `.grad` of this leaf; returns a handle with `.remove()`.

    Source: `torch.Tensor.register_post_accumulate_grad_hook`.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> handle = x.register_post_accumulate_grad_hook(lambda leaf: print(leaf.grad))
    >>> (x * 3).sum().backward()
    tensor([3., 3.])
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not self.is_leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    node = self._edge[0]
    if node.filled_hooks is None:
        node.filled_hooks = {}
    return HookHandle(node.filled_hooks, hook)
