"""All parameters as one vector, and back."""

from minigrad.autograd import Tensor
from minigrad.ops import functions


def parameters_to_vector(parameters):
    """The elements of all parameters in one vector (`torch.nn.utils.parameters_to_vector`).

    >>> import minigrad
    >>> parameters_to_vector([minigrad.zeros(2), minigrad.ones(1, 2)])
    tensor([0., 0., 1., 1.])
    """
    return functions["cat"]([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec, parameters):
    """Give parameters the elements of a vector, whose memory they share then.

    Source: `torch.nn.utils.vector_to_parameters`.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 1)
    >>> vector_to_parameters(minigrad.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer(minigrad.ones(2)).detach()
    tensor([6.])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        stop = start + parameter.numel()
        parameter.data = vec[start:stop].view_as(parameter).data
        start = stop
