"""Dropout: in training, elements or whole channels at random give way to a constant; in evaluation nothing happens."""

from . import functional as F
from .layer import Layer


class _Dropout(Layer, text="p={p}, inplace={inplace}"):
    p: float = 0.5
    inplace: bool = False

    def __post_init__(self):
        if not 0 <= self.p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {self.p}")

    def _arguments(self):
        return super()._arguments() | {"training": self.training}


class Dropout(_Dropout, call=F.dropout):
    """In training, zeroes elements with probability `p` and scales the rest by 1 / (1 - p) (`torch.nn.Dropout`).

    >>> import minigrad
    >>> Dropout(0.5).eval()(minigrad.ones(2))
    tensor([1., 1.])
    """


class Dropout1d(_Dropout, call=F.dropout1d):
    """In training, zeroes whole channels of (N, C, L) or (C, L) with probability `p` (`torch.nn.Dropout1d`).

    >>> import minigrad
    >>> Dropout1d(1.0)(minigrad.ones(1, 2, 3)).sum()
    tensor(0.)
    """


class Dropout2d(_Dropout, call=F.dropout2d):
    """In training, zeroes whole channels of (N, C, H, W) or (C, H, W) with probability `p` (`torch.nn.Dropout2d`).

    >>> import minigrad
    >>> Dropout2d(1.0)(minigrad.ones(1, 2, 3, 3)).sum()
    tensor(0.)
    """


class Dropout3d(_Dropout, call=F.dropout3d):
    """In training, zeroes whole channels of (N, C, D, H, W) or (C, D, H, W) (`torch.nn.Dropout3d`).

    >>> import minigrad
    >>> Dropout3d(1.0)(minigrad.ones(1, 2, 3, 3, 3)).sum()
    tensor(0.)
    """


class _AlphaDropout(_Dropout, text="p={p}, inplace={inplace}"):
    def _arguments(self):
        return {"p": self.p, "training": self.training}  # as in PyTorch, `inplace` changes nothing here


class AlphaDropout(_AlphaDropout, call=F.alpha_dropout):
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs (`torch.nn.AlphaDropout`).

    Klambauer et al. 2017, arXiv:1706.02515.

    >>> import minigrad
    >>> AlphaDropout(0.5).eval()(minigrad.ones(2))
    tensor([1., 1.])
    """


class FeatureAlphaDropout(_AlphaDropout, call=F.feature_alpha_dropout):
    """Alpha dropout of whole channels (`torch.nn.FeatureAlphaDropout`).

    >>> import minigrad
    >>> FeatureAlphaDropout(0.5).eval()(minigrad.ones(1, 2, 1))
    tensor([[[1.],
             [1.]]])
    """
