"""Initialisation of parameters, in place: PyTorch's names and bounds (`torch.nn.init`)."""

import functools
import math
import warnings

from minigrad.autograd import no_grad
from minigrad.ops import functions
from minigrad.ops.registry import linalg

GAINS = {
    **dict.fromkeys(["linear", "sigmoid"], 1),
    **dict.fromkeys([f"conv{kind}{count}d" for kind in ("", "_transpose") for count in (1, 2, 3)], 1),
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
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor):
    """(fan in, fan out) of a weight (out, in, *kernel): how many inputs reach an output, and outputs an input.

    PyTorch's name, for many programs ask PyTorch for it.
    """
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor, mode):
    """The fan in or the fan out, as `mode` says; PyTorch's name."""
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


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
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with deviation gain · √(2 / (fan in + fan out)): Glorot and Bengio 2010 (`torch.nn.init.xavier_normal_`).

    >>> import minigrad
    >>> xavier_normal_(minigrad.empty(3, 3)).shape
    minigrad.Size([3, 3])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Evenly from ±gain · √(3 / fan): He et al. 2015, arXiv:1502.01852 (`torch.nn.init.kaiming_uniform_`).

    >>> import minigrad
    >>> bool((kaiming_uniform_(minigrad.empty(3, 6)).abs() <= 1).all())
    True
    """
    if _is_empty(tensor):
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _calculate_correct_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with deviation gain / √fan: He et al. 2015, arXiv:1502.01852 (`torch.nn.init.kaiming_normal_`).

    >>> import minigrad
    >>> kaiming_normal_(minigrad.empty(3, 6)).shape
    minigrad.Size([3, 6])
    """
    if _is_empty(tensor):
        return tensor
    fan = _calculate_correct_fan(tensor, mode)
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(fan), generator)


def _is_empty(tensor):
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor.numel() == 0


@no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal, drawn from [a, b] alone (`torch.nn.init.trunc_normal_`), by the inverse of the distribution function.

    >>> import minigrad
    >>> bool((trunc_normal_(minigrad.empty(100)).abs() <= 2).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
            "incorrect.",
            stacklevel=2,
        )
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (a, b))
    tensor.uniform_(low, high, generator=generator).erfinv_()
    return tensor.mul_(std * math.sqrt(2)).add_(mean).clamp_(a, b)


@no_grad()
def eye_(tensor):
    """The identity: inputs are handed through, as many as there are outputs (`torch.nn.init.eye_`).

    >>> import minigrad
    >>> eye_(minigrad.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return tensor.copy_(functions["eye"](*tensor.shape, dtype=tensor.dtype))


@no_grad()
def dirac_(tensor, groups=1):
    """The convolution that hands its channels through, as many as there are outputs (`torch.nn.init.dirac_`).

    >>> import minigrad
    >>> dirac_(minigrad.empty(2, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]],
    <BLANKLINE>
            [[0., 0., 0.],
             [0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    each = outputs // groups
    channels = functions["arange"](min(each, inputs))
    tensor.zero_()
    for group in range(groups):
        tensor[(channels + group * each, channels, *[size // 2 for size in kernel])] = 1
    return tensor


@no_grad()
def orthogonal_(tensor, gain=1, generator=None):
    """(rows, all the rest) with orthogonal rows or columns, times `gain` (`torch.nn.init.orthogonal_`).

    Saxe et al. 2013, https://arxiv.org/abs/1312.6120.

    >>> import minigrad
    >>> w = orthogonal_(minigrad.empty(2, 3))
    >>> minigrad.allclose(w @ w.T, minigrad.eye(2), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    drawn = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    q, r = linalg["qr"](drawn.t() if rows < columns else drawn)
    q = q * r.diagonal().sign()  # evenly among all of them: https://arxiv.org/abs/math-ph/0609050
    return tensor.copy_((q.t() if rows < columns else q).reshape(tensor.shape)).mul_(gain)


@no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal, but in each column a part `sparsity` of the elements is 0 (`torch.nn.init.sparse_`).

    Martens 2010, "Deep learning via Hessian-free optimization".

    >>> import minigrad
    >>> (sparse_(minigrad.empty(4, 2), 0.5) == 0).sum(0)
    tensor([2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    zeros = math.ceil(sparsity * rows)
    order = functions["rand"](rows, columns, generator=generator).argsort(0)
    return tensor.scatter_(0, order[:zeros], 0)


def _older_name(initialise):
    """PyTorch's name without the underscore, which warns."""
    name = initialise.__name__

    @functools.wraps(initialise)
    def older(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.", FutureWarning, stacklevel=2
        )
        return initialise(*args, **kwargs)

    older.__name__ = name[:-1]
    older.__doc__ = f"PyTorch's older name of `{name}`."
    return older


uniform, normal, constant = _older_name(uniform_), _older_name(normal_), _older_name(constant_)
eye, dirac, orthogonal, sparse = map(_older_name, (eye_, dirac_, orthogonal_, sparse_))
xavier_uniform, xavier_normal = _older_name(xavier_uniform_), _older_name(xavier_normal_)
kaiming_uniform, kaiming_normal = _older_name(kaiming_uniform_), _older_name(kaiming_normal_)
