"""`Variable`, from the time when PyTorch's tensors did not know gradients: today, a tensor."""

import warnings

from .tensor import Tensor


class _VariableType(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor)

    def __call__(cls, data=None, requires_grad=False, volatile=None):
        if volatile is not None:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.", stacklevel=2
            )
        result = Tensor() if data is None else data.detach()
        return result.requires_grad_() if requires_grad else result


class Variable(metaclass=_VariableType):
    """`Variable(x, requires_grad=False)`: a tensor on the memory of `x`, without its history; every tensor is one.

    Source: `torch.autograd.Variable`.

    >>> import minigrad
    >>> x = Variable(minigrad.ones(2), requires_grad=True)
    >>> x, isinstance(x, Variable)
    (tensor([1., 1.], requires_grad=True), True)
    """
