"""The graph that backward walks, for those who look at it or change how it is kept (`torch.autograd.graph`)."""

from .engine import gradient_edge
from .node import Node
from .state import state

__all__ = ["Node", "get_gradient_edge", "saved_tensors_hooks"]


def get_gradient_edge(tensor):
    """(node, output_index) where the gradient of `tensor` flows to (`torch.autograd.graph.get_gradient_edge`).

    Raises RuntimeError for a tensor that needs no gradient.
    """
    edge = gradient_edge(tensor)
    if edge is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return edge


class saved_tensors_hooks:
    """Decide how operations keep what they save for backward (`torch.autograd.graph.saved_tensors_hooks`).

    Inside the block `pack(tensor)` is called for everything saved, and `unpack(packed)` must give the tensor back when
    backward asks for it: keep it on disk, in half the precision, or compute it again.

    >>> import minigrad
    >>> x = minigrad.tensor([2.0], requires_grad=True)
    >>> with minigrad.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda packed: minigrad.tensor(packed)):
    ...     y = x.exp()
    >>> y.backward()
    """

    def __init__(self, pack, unpack):
        self._hooks = pack, unpack
        self._previous = []

    def __enter__(self):
        self._previous.append(state.saving)
        state.saving = self._hooks
        return self

    def __exit__(self, *exc):
        state.saving = self._previous.pop()
