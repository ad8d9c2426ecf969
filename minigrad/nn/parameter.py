"""Parameters and buffers: the tensors that belong to a module."""

from minigrad.autograd import Tensor
from minigrad.ops import functions


class Parameter(Tensor):
    """A tensor that a module registers when it is assigned as an attribute (`torch.nn.Parameter`).

    It requires grad unless told otherwise and shares the memory of `data`.

    >>> import minigrad
    >>> Parameter(minigrad.ones(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data=None, requires_grad=True):
        source = functions["empty"](0) if data is None else functions["as_tensor"](data)
        self._init(source.detach()._array)
        self.requires_grad_(requires_grad)
