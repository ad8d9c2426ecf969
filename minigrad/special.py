"""Special functions under `torch.special`'s names, most of which `minigrad` offers too."""

import math

from .ops import functions

_SHARED = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expm1",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "polygamma",
    "round",
    "sinc",
    "softmax",
    "xlogy",
]
globals().update({name: functions[name] for name in _SHARED})
expit, psi, gammaln = functions["sigmoid"], functions["digamma"], functions["lgamma"]

__all__ = [*_SHARED, "entr", "expit", "gammaln", "ndtr", "ndtri", "psi", "xlog1py"]


def ndtr(input):
    """The standard normal distribution function (`torch.special.ndtr`).

    >>> import minigrad
    >>> ndtr(minigrad.tensor([0.0]))
    tensor([0.5000])
    """
    return 0.5 * functions["erfc"](-input * math.sqrt(0.5))


def ndtri(input):
    """The inverse of `ndtr` (`torch.special.ndtri`).

    >>> import minigrad
    >>> ndtri(minigrad.tensor([0.5]))
    tensor([0.])
    """
    return math.sqrt(2) * functions["erfinv"](2 * input - 1)


def entr(input):
    """-x log x, 0 at 0 and -∞ below (`torch.special.entr`).

    >>> import minigrad
    >>> entr(minigrad.tensor([0.5, -1.0]))
    tensor([0.3466,   -inf])
    """
    negative = input < 0
    return (-functions["xlogy"](input, input.masked_fill(negative, 1.0))).masked_fill(negative, -math.inf)


def xlog1py(input, other):
    """x log(1 + y), 0 for x = 0 (`torch.special.xlog1py`).

    >>> import minigrad
    >>> xlog1py(minigrad.tensor([0.0]), minigrad.tensor([-1.0]))
    tensor([0.])
    """
    return functions["where"](input == 0, 0.0 * input, input * functions["log1p"](other))
