"""Distributions of vectors, and mixtures. Sources: the pages of the same names in `torch.distributions`."""

import math
from typing import ClassVar

import numpy as np

from minigrad.autograd import Tensor
from minigrad.ops import functions
from minigrad.ops.random import stream_of
from minigrad.ops.registry import linalg

from . import constraints
from .distribution import Distribution


class MultivariateNormal(Distribution):
    """The normal distribution of vectors, of a mean `loc` (..., N) and a covariance (..., N, N).

    Instead of the covariance there may be `scale_tril`, its Cholesky factor, or `precision_matrix`, its inverse.

    >>> import minigrad
    >>> MultivariateNormal(minigrad.zeros(2), minigrad.eye(2)).log_prob(minigrad.zeros(2))
    tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        forms = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [name for name, value in forms.items() if value is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        matrix = forms[given[0]]
        if matrix.ndim < 2:
            raise ValueError(f"{given[0]} must be at least two-dimensional, with optional leading batch dimensions")
        batch = np.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        n = loc.shape[-1]
        self.loc = loc.expand(*batch, n)
        self.__dict__[given[0]] = matrix.expand(*batch, n, n)
        super().__init__(batch, (n,), validate_args)

    def __getattr__(self, name):
        if name == "scale_tril":
            covariance = self.__dict__.get("covariance_matrix")
            value = linalg["cholesky"](linalg["inv"](self.precision_matrix) if covariance is None else covariance)
        elif name == "covariance_matrix":
            value = self.scale_tril @ self.scale_tril.mT
        elif name == "precision_matrix":
            value = functions["cholesky_inverse"](self.scale_tril)
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return self.__dict__.setdefault(name, value)

    mean = property(lambda self: self.loc, doc="The mean.")
    mode = property(lambda self: self.loc, doc="The mean, the most likely value.")
    variance = property(
        lambda self: self.scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape),
        doc="The diagonal of the covariance.",
    )

    def rsample(self, sample_shape=()):
        """mean + Cholesky factor · noise."""
        noise = functions["randn"](self._extended(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        """-(|L⁻¹ (x - mean)|² + N log 2π) / 2 - log |L|."""
        self._validate_sample(value)
        difference = (value - self.loc).unsqueeze(-1)
        distance = linalg["solve_triangular"](self.scale_tril, difference, upper=False).squeeze(-1).square().sum(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self):
        """(1 + log 2π) N / 2 + log |L|."""
        return 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()

    def _half_log_det(self):
        return functions["diagonal"](self.scale_tril, 0, -2, -1).log().sum(-1)


class Dirichlet(Distribution):
    """The distribution Π xₖ^(concentrationₖ - 1) of vectors of probabilities, normalised.

    There is no `rsample`: no gradient flows through its samples.

    >>> import minigrad
    >>> Dirichlet(minigrad.tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex

    def __init__(self, concentration, validate_args=None):
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    mean = property(lambda self: self.concentration / self.concentration.sum(-1, True), doc="The mean.")

    @property
    def variance(self):
        """The variance."""
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def sample(self, sample_shape=()):
        """Vectors drawn, outside the graph."""
        drawn = stream_of(None).standard_gamma(self.concentration._array, self._extended(sample_shape))
        return Tensor._wrap((drawn / drawn.sum(-1, keepdims=True)).astype(self.concentration.dtype))

    def log_prob(self, value):
        """The logarithm of the density."""
        self._validate_sample(value)
        a, lgamma = self.concentration, functions["lgamma"]
        return functions["xlogy"](a - 1, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self):
        """The expected -log_prob."""
        a, lgamma, digamma = self.concentration, functions["lgamma"], functions["digamma"]
        total, k = a.sum(-1), a.shape[-1]
        norm = lgamma(a).sum(-1) - lgamma(total)
        return norm - (k - total) * digamma(total) - ((a - 1) * digamma(a)).sum(-1)


class MixtureSameFamily(Distribution):
    """A mixture: the categorical `mixture_distribution` chooses along the last batch dimension of the components.

    >>> import minigrad
    >>> from minigrad.distributions import Categorical, Normal
    >>> m = MixtureSameFamily(Categorical(minigrad.ones(2)), Normal(minigrad.tensor([-1.0, 1.0]), 1.0))
    >>> m.mean, m.variance
    (tensor(0.), tensor(2.))
    """

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        self._events = len(component_distribution.event_shape)
        batch = component_distribution.batch_shape
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    support = property(lambda self: self.component_distribution.support, doc="The components' support.")

    def _weighed(self, values):
        probs = self.mixture_distribution.probs.reshape(*self.mixture_distribution.probs.shape, *[1] * self._events)
        return (probs * values).sum(-1 - self._events)

    mean = property(lambda self: self._weighed(self.component_distribution.mean), doc="The mean.")

    @property
    def variance(self):
        """The mean variance plus the variance of the means."""
        spread = self.component_distribution.mean - self.mean.unsqueeze(-1 - self._events)
        return self._weighed(self.component_distribution.variance) + self._weighed(spread**2)

    def sample(self, sample_shape=()):
        """Values drawn, outside the graph."""
        values = self.component_distribution.sample(sample_shape)
        chosen = self.mixture_distribution.sample(sample_shape)
        axis = chosen.ndim
        chosen = chosen.reshape(*chosen.shape, 1, *[1] * self._events)
        place = chosen.expand(*chosen.shape[: axis + 1], *self._event_shape)
        return values.gather(axis, place).squeeze(axis)

    def log_prob(self, value):
        """log Σ p · the components' densities."""
        self._validate_sample(value)
        components = self.component_distribution.log_prob(value.unsqueeze(-1 - self._events))
        return functions["logsumexp"](components + functions["log_softmax"](self.mixture_distribution.logits, -1), -1)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
