"""Distributions of real numbers.

Where a sample is a smooth function of noise and parameters, `rsample` lets gradients flow; see the classes' sources,
the pages of the same names in `torch.distributions`.
"""

import math
from typing import ClassVar

import numpy as np

from minigrad.autograd import Tensor, placed
from minigrad.ops import functions
from minigrad.ops.random import stream_of

from . import constraints
from .distribution import Distribution, together

_lgamma, _digamma = functions["lgamma"], functions["digamma"]


class Normal(Distribution):
    """The normal distribution of a mean `loc` and a standard deviation `scale` (`torch.distributions.Normal`).

    >>> import minigrad
    >>> Normal(0.0, 1.0).log_prob(minigrad.tensor(0.0))
    tensor(-0.9189)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = property(lambda self: self.loc, doc="The mean.")
    mode = property(lambda self: self.loc, doc="The mean, the most likely value.")
    stddev = property(lambda self: self.scale, doc="The standard deviation.")
    variance = property(lambda self: self.scale**2, doc="The variance.")

    def rsample(self, sample_shape=()):
        """mean + deviation · noise."""
        noise = functions["randn"](self._extended(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value):
        """-(x - mean)² / 2 variance - log deviation - log √2π."""
        self._validate_sample(value)
        return -((value - self.loc) ** 2) / (2 * self.scale**2) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value):
        """(1 + erf((x - mean) / √2 deviation)) / 2."""
        self._validate_sample(value)
        return 0.5 * (1 + functions["erf"]((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value):
        """The value that a probability belongs to, the inverse of `cdf`."""
        return self.loc + self.scale * functions["erfinv"](2 * value - 1) * math.sqrt(2)

    def entropy(self):
        """(1 + log 2π) / 2 + log deviation."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class LogNormal(Normal):
    """The distribution of eˣ for normal x (`torch.distributions.LogNormal`).

    >>> import minigrad
    >>> LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    support = constraints.positive

    mean = property(lambda self: (self.loc + self.scale**2 / 2).exp(), doc="The mean.")
    mode = property(lambda self: (self.loc - self.scale**2).exp(), doc="The most likely value.")
    stddev = property(lambda self: self.variance.sqrt(), doc="The standard deviation.")
    variance = property(
        lambda self: (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp(), doc="The variance."
    )

    def rsample(self, sample_shape=()):
        """e to a normal sample."""
        return super().rsample(sample_shape).exp()

    def log_prob(self, value):
        """The normal's at log x, less log x."""
        self._validate_sample(value)
        logarithm = value.log()
        return Normal(self.loc, self.scale, validate_args=False).log_prob(logarithm) - logarithm

    def cdf(self, value):
        """The normal's at log x."""
        return Normal(self.loc, self.scale, validate_args=False).cdf(value.log())

    def icdf(self, value):
        """e to the normal's."""
        return super().icdf(value).exp()

    def entropy(self):
        """The normal's plus its mean."""
        return super().entropy() + self.loc


class Laplace(Distribution):
    """The distribution e^(-|x - loc| / scale) / 2 scale (`torch.distributions.Laplace`).

    >>> Laplace(0.0, 1.0).entropy()
    tensor(1.6931)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = property(lambda self: self.loc, doc="The mean.")
    mode = property(lambda self: self.loc, doc="The mean, the most likely value.")
    variance = property(lambda self: 2 * self.scale**2, doc="The variance.")
    stddev = property(lambda self: math.sqrt(2) * self.scale, doc="The standard deviation.")

    def rsample(self, sample_shape=()):
        """By inversion of the distribution function."""
        u = functions["rand"](self._extended(sample_shape), dtype=self.loc.dtype) - 0.5
        return self.loc - self.scale * u.sign() * (-2 * u.abs()).clamp(min=-1 + 1e-7).log1p()

    def log_prob(self, value):
        """-|x - loc| / scale - log 2 scale."""
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value):
        """The probability of at most `value`."""
        distance = value - self.loc
        return 0.5 - 0.5 * distance.sign() * (-distance.abs() / self.scale).expm1()

    def entropy(self):
        """1 + log 2 scale."""
        return 1 + (2 * self.scale).log()


class Cauchy(Distribution):
    """The distribution of the ratio of two normal variables, without mean (`torch.distributions.Cauchy`).

    >>> import minigrad
    >>> Cauchy(0.0, 1.0).log_prob(minigrad.tensor(0.0))
    tensor(-1.1447)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = property(lambda self: functions["full_like"](self.loc, math.nan), doc="There is none: NaN.")
    mode = property(lambda self: self.loc, doc="The most likely value.")
    variance = property(lambda self: functions["full_like"](self.loc, math.inf), doc="Infinite.")

    def rsample(self, sample_shape=()):
        """By inversion of the distribution function."""
        u = functions["rand"](self._extended(sample_shape), dtype=self.loc.dtype)
        return self.loc + self.scale * (math.pi * (u - 0.5)).tan()

    def log_prob(self, value):
        """-log π scale (1 + ((x - loc) / scale)²)."""
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - ((value - self.loc) / self.scale).square().log1p()

    def cdf(self, value):
        """The probability of at most `value`."""
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def entropy(self):
        """log 4π scale."""
        return math.log(4 * math.pi) + self.scale.log()


class Uniform(Distribution):
    """The even distribution over [low, high) (`torch.distributions.Uniform`).

    >>> Uniform(1.0, 3.0).mean
    tensor(2.)
    """

    has_rsample = True

    def __init__(self, low, high, validate_args=None):
        self.low, self.high = together(low, high)
        self.arg_constraints = {
            "low": constraints.less_than(self.high),
            "high": constraints.greater_than(self.low),
        }
        super().__init__(self.low.shape, (), validate_args)

    mean = property(lambda self: (self.high + self.low) / 2, doc="The middle.")
    variance = property(lambda self: (self.high - self.low) ** 2 / 12, doc="The variance.")
    support = property(lambda self: constraints.interval(self.low, self.high), doc="The interval.")

    def rsample(self, sample_shape=()):
        """low + (high - low) · noise."""
        noise = functions["rand"](self._extended(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + noise * (self.high - self.low)

    def log_prob(self, value):
        """-log(high - low) inside, -∞ outside."""
        self._validate_sample(value)
        inside = (self.low <= value) & (self.high > value)
        return inside.type_as(self.low).log() - (self.high - self.low).log()

    def cdf(self, value):
        """The part of the interval below `value`."""
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value):
        """The value below which a part of the interval lies."""
        return value * (self.high - self.low) + self.low

    def entropy(self):
        """log(high - low)."""
        return (self.high - self.low).log()


class Exponential(Distribution):
    """The distribution rate · e^(-rate · x), x >= 0 (`torch.distributions.Exponential`).

    >>> Exponential(2.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate, validate_args=None):
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, (), validate_args)

    mean = property(lambda self: 1 / self.rate, doc="1 / rate.")
    mode = property(lambda self: functions["zeros_like"](self.rate), doc="0.")
    stddev = property(lambda self: 1 / self.rate, doc="1 / rate.")
    variance = property(lambda self: self.rate**-2, doc="1 / rate².")

    def rsample(self, sample_shape=()):
        """A sample of rate 1, divided by the rate."""
        noise = stream_of(None).standard_exponential(self._extended(sample_shape), self.rate.dtype)
        return Tensor._wrap(placed(np.asarray(noise), self.rate.device)) / self.rate

    def log_prob(self, value):
        """log rate - rate · x."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        """1 - e^(-rate · x)."""
        return 1 - (-self.rate * value).exp()

    def entropy(self):
        """1 - log rate."""
        return 1 - self.rate.log()


class Gamma(Distribution):
    """The distribution x^(concentration - 1) · e^(-rate · x), normalised (`torch.distributions.Gamma`).

    There is no `rsample`: no gradient flows through its samples.

    >>> Gamma(2.0, 4.0).mean
    tensor(0.5000)
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = together(concentration, rate)
        super().__init__(self.rate.shape, (), validate_args)

    mean = property(lambda self: self.concentration / self.rate, doc="concentration / rate.")
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0), doc="The most likely value.")
    variance = property(lambda self: self.concentration / self.rate**2, doc="concentration / rate².")

    def sample(self, sample_shape=()):
        """Values drawn, outside the graph."""
        drawn = stream_of(None).standard_gamma(self.concentration._array, self._extended(sample_shape))
        return Tensor._wrap(np.asarray(drawn / self.rate._array).astype(self.rate.dtype))

    def log_prob(self, value):
        """The logarithm of the density."""
        self._validate_sample(value)
        a, rate = self.concentration, self.rate
        return functions["xlogy"](a, rate) + functions["xlogy"](a - 1, value) - rate * value - _lgamma(a)

    def entropy(self):
        """The expected -log_prob."""
        a = self.concentration
        return a - self.rate.log() + _lgamma(a) + (1 - a) * _digamma(a)


class Beta(Distribution):
    """The distribution x^(a - 1) · (1 - x)^(b - 1), normalised, a and b `concentration1` and `concentration0`.

    There is no `rsample`: no gradient flows through its samples. Source: `torch.distributions.Beta`.

    >>> Beta(1.0, 3.0).mean
    tensor(0.2500)
    """

    arg_constraints: ClassVar = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1, concentration0, validate_args=None):
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)

    _total = property(lambda self: self.concentration1 + self.concentration0)
    mean = property(lambda self: self.concentration1 / self._total, doc="a / (a + b).")
    variance = property(
        lambda self: self.concentration1 * self.concentration0 / (self._total**2 * (self._total + 1)),
        doc="The variance.",
    )

    def sample(self, sample_shape=()):
        """Values drawn, outside the graph."""
        a, b = self.concentration1._array, self.concentration0._array
        return Tensor._wrap(np.asarray(stream_of(None).beta(a, b, self._extended(sample_shape))).astype(a.dtype))

    def _log_norm(self):
        return _lgamma(self.concentration1) + _lgamma(self.concentration0) - _lgamma(self._total)

    def log_prob(self, value):
        """The logarithm of the density."""
        self._validate_sample(value)
        xlogy = functions["xlogy"]
        return xlogy(self.concentration1 - 1, value) + xlogy(self.concentration0 - 1, 1 - value) - self._log_norm()

    def entropy(self):
        """The expected -log_prob."""
        a, b, total = self.concentration1, self.concentration0, self._total
        return self._log_norm() - (a - 1) * _digamma(a) - (b - 1) * _digamma(b) + (total - 2) * _digamma(total)
