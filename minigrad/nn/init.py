"""Initialisation of parameters, in place: PyTorch's names and bounds (`torch.nn.init`)."""

import math

from minigrad.autograd import no_grad

GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity, param=None):
    """The factor by which an activation asks weights to be scaled (`torch.nn.init.calculate_gain`).

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return GAINS[nonlinearity]


def fans(tensor):
    """(fan in, fan out) of a weight (out, in, *kernel): how many inputs reach an output, and outputs an input."""
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return fans(tensor)[mode == "fan_out"]


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Numbers drawn evenly from [a, b) (`torch.nn.init.uniform_`).

    >>> import minigrad
    >>> uniform_(minigrad.empty(2, 3)).shape
    minigrad.Size([2, 3])
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Numbers drawn from a normal distribution (`torch.nn.init.normal_`).

    >>> import minigrad
    >>> normal_(minigrad.empty(2, 3)).shape
    minigrad.Size([2, 3])
    """
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def constant_(tensor, val):
    """One value everywhere (`torch.nn.init.constant_`).

    >>> import minigrad
    >>> constant_(minigrad.empty(2), 3.0)
    tensor([3., 3.])
    """
    return tensor.fill_(val)


def zeros_(tensor):
    """Zeros everywhere (`torch.nn.init.zeros_`).

    >>> import minigrad
    >>> zeros_(minigrad.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor):
    """Ones everywhere (`torch.nn.init.ones_`).

    >>> import minigrad
    >>> ones_(minigrad.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Evenly from ±gain · √(6 / (fan in + fan out)): Glorot and Bengio 2010 (`torch.nn.init.xavier_uniform_`).

    >>> import minigrad
    >>> bool((xavier_uniform_(minigrad.empty(3, 3)).abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with deviation gain · √(2 / (fan in + fan out)): Glorot and Bengio 2010 (`torch.nn.init.xavier_normal_`).

    >>> import minigrad
    >>> xavier_normal_(minigrad.empty(3, 3)).shape
    minigrad.Size([3, 3])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Evenly from ±gain · √(3 / fan): He et al. 2015, arXiv:1502.01852 (`torch.nn.init.kaiming_uniform_`).

    >>> import minigrad
    >>> bool((kaiming_uniform_(minigrad.empty(3, 6)).abs() <= 1).all())
    True
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with deviation gain / √fan: He et al. 2015, arXiv:1502.01852 (`torch.nn.init.kaiming_normal_`).

    >>> import minigrad
    >>> kaiming_normal_(minigrad.empty(3, 6)).shape
    minigrad.Size([3, 6])
    """
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)
