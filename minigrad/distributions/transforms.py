"""Invertible functions, and what distributions become under them (`torch.distributions.transforms`)."""

import math

from minigrad.ops import functions
from minigrad.ops.registry import functionals

from .distribution import Distribution

__all__ = [
    "AffineTransform",
    "ComposeTransform",
    "ExpTransform",
    "SigmoidTransform",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
]


class Transform:
    """An invertible function: subclasses define `_call`, `_inverse` and `log_abs_det_jacobian`.

    `.inv` is the inverse, a function. `event_dim` dimensions are transformed together.
    """

    event_dim = 0

    def __init__(self, cache_size=0):
        self._last = (None, None)

    def __call__(self, x):
        """y of x."""
        y = self._call(x)
        self._last = (x, y)
        return y

    def inv(self, y):
        """x of y: exactly the x of the last call, if y is its result."""
        return self._last[0] if y is self._last[1] else self._inverse(y)

    def _call(self, x):
        raise NotImplementedError

    def _inverse(self, y):
        raise NotImplementedError

    def log_abs_det_jacobian(self, x, y):
        """log |dy/dx|."""
        raise NotImplementedError

    def __repr__(self):
        return f"{type(self).__name__}()"


class ExpTransform(Transform):
    """y = eˣ

    >>> import minigrad
    >>> ExpTransform()(minigrad.tensor(0.0))
    tensor(1.)
    """

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        """x."""
        return x


class SigmoidTransform(Transform):
    """y = 1 / (1 + e⁻ˣ)

    >>> import minigrad
    >>> SigmoidTransform()(minigrad.tensor(0.0))
    tensor(0.5000)
    """

    def _call(self, x):
        return functions["sigmoid"](x)

    def _inverse(self, y):
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        """log y (1 - y)."""
        softplus = functionals["softplus"]
        return -softplus(-x) - softplus(x)


class TanhTransform(Transform):
    """y = tanh x

    >>> import minigrad
    >>> TanhTransform()(minigrad.tensor(0.0))
    tensor(0.)
    """

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return functions["atanh"](y)

    def log_abs_det_jacobian(self, x, y):
        """log(1 - y²), in the form that does not overflow."""
        return 2.0 * (math.log(2.0) - x - functionals["softplus"](-2.0 * x))


class AffineTransform(Transform):
    """y = loc + scale · x

    >>> import minigrad
    >>> AffineTransform(1.0, 2.0)(minigrad.tensor(3.0))
    tensor(7.)
    """

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        """log |scale|."""
        zero = functions["zeros_like"](x)
        plain = isinstance(self.scale, (int, float))
        logarithm = zero + (math.log(abs(self.scale)) if plain else self.scale.abs().log())
        return logarithm.sum(tuple(range(-self.event_dim, 0))) if self.event_dim else logarithm


class ComposeTransform(Transform):
    """One transform after the other.

    >>> import minigrad
    >>> ComposeTransform([ExpTransform(), AffineTransform(0.0, 2.0)])(minigrad.tensor(0.0))
    tensor(2.)
    """

    def __init__(self, parts, cache_size=0):
        super().__init__(cache_size)
        self.parts = list(parts)
        self.event_dim = max((part.event_dim for part in self.parts), default=0)

    def _call(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y):
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x, y):
        """The sum of the parts'."""
        total = 0.0
        for part in self.parts:
            z = part(x)
            total = total + _summed(part.log_abs_det_jacobian(x, z), self.event_dim - part.event_dim)
            x = z
        return total


def _summed(values, dims):
    return values.sum(tuple(range(-dims, 0))) if dims else values


class TransformedDistribution(Distribution):
    """The distribution of transform(x), x of `base_distribution` (`torch.distributions.TransformedDistribution`).

    >>> import minigrad
    >>> from minigrad.distributions import Normal
    >>> TransformedDistribution(Normal(0.0, 1.0), ExpTransform()).log_prob(minigrad.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(self, base_distribution, transforms, validate_args=None):
        self.base_dist = base_distribution
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        super().__init__(base_distribution.batch_shape, base_distribution.event_shape, validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample, doc="Whether the base has.")

    def sample(self, sample_shape=()):
        """Values drawn from the base, transformed, outside the graph."""
        return self._through(self.base_dist.sample(sample_shape)).detach()

    def rsample(self, sample_shape=()):
        """Values drawn from the base so that gradients flow, transformed."""
        return self._through(self.base_dist.rsample(sample_shape))

    def _through(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value):
        """The base's at the inverse, less the logarithms of the stretches."""
        events, stretch, y = len(self.event_shape), 0.0, value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            stretch = stretch + _summed(transform.log_abs_det_jacobian(x, y), events - transform.event_dim)
            y = x
        return self.base_dist.log_prob(y) - stretch

    def __repr__(self):
        return f"TransformedDistribution({self.base_dist}, {self.transforms})"
