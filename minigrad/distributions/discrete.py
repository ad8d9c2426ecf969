"""Distributions of whole numbers: their samples follow no parameter smoothly, so no gradient flows through them.

Sources: the pages of the same names in `torch.distributions`.
"""

from typing import ClassVar

import numpy as np

from minigrad.autograd import Size, Tensor
from minigrad.autograd.dtypes import boxed
from minigrad.ops import functions
from minigrad.ops.random import stream_of

from . import constraints
from .distribution import Distribution, together

_TINY = 1.1920928955078125e-07  # how near to 0 and 1 a probability may come before its logit is taken


def _one_of(probs, logits, name):
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return probs if logits is None else logits


class _Binary(Distribution):
    """What Bernoulli, Binomial and Geometric share: a probability, given as it is or by its logit."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}

    def _start(self, probs, logits, validate_args):
        given = "probs" if logits is None else "logits"
        (value,) = together(_one_of(probs, logits, type(self).__name__))
        self.__dict__[given] = value
        super().__init__(value.shape, (), validate_args)

    def __getattr__(self, name):
        if name == "logits":
            p = self.probs.clamp(min=_TINY, max=1 - _TINY)
            value = p.log() - (-p).log1p()
        elif name == "probs":
            value = functions["sigmoid"](self.logits)
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return self.__dict__.setdefault(name, value)

    def __repr__(self):
        name = next(name for name in self.__dict__ if name in ("probs", "logits"))
        value = self.__dict__[name]
        return f"{type(self).__name__}({name}: {value if value.numel() == 1 else value.size()})"


class Bernoulli(_Binary):
    """1 with probability `probs`, or with the probability of the log odds `logits`, else 0.

    >>> import minigrad
    >>> Bernoulli(0.25).log_prob(minigrad.tensor(1.0))
    tensor(-1.3863)
    """

    support = constraints.boolean

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._start(probs, logits, validate_args)

    mean = property(lambda self: self.probs, doc="The probability of 1.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="p (1 - p).")
    param_shape = property(lambda self: self.batch_shape, doc="The shape of the parameter.")

    @property
    def mode(self):
        """The more likely of 0 and 1; NaN if neither is."""
        return (self.probs >= 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, float("nan"))

    def sample(self, sample_shape=()):
        """0s and 1s drawn."""
        return functions["bernoulli"](self.probs.detach().expand(self._extended(sample_shape)))

    def log_prob(self, value):
        """log p at 1, log(1 - p) at 0."""
        self._validate_sample(value)
        softplus = functions["logaddexp"](self.logits, functions["zeros_like"](self.logits))
        return value * self.logits - softplus

    def entropy(self):
        """-p log p - (1 - p) log(1 - p)."""
        p = self.probs
        return -(functions["xlogy"](p, p) + functions["xlogy"](1 - p, 1 - p))

    def enumerate_support(self, expand=True):
        """0 and 1, a row each."""
        values = functions["arange"](2, dtype=self.probs.dtype).reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(2, *self.batch_shape) if expand else values


class Binomial(_Binary):
    """How often, of `total_count` times, what has probability `probs` happens.

    >>> import minigrad
    >>> Binomial(4, minigrad.tensor(0.5)).mean
    tensor(2.)
    """

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        given = _one_of(probs, logits, "Binomial")
        self.total_count, value = (
            together(total_count, given)
            if isinstance(given, Tensor)
            else (together(total_count, functions["tensor"](given)))
        )
        self._start(value if logits is None else None, None if logits is None else value, validate_args)

    mean = property(lambda self: self.total_count * self.probs, doc="n p.")
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs), doc="n p (1 - p).")
    support = property(lambda self: constraints.integer_interval(0, self.total_count), doc="0 to n.")

    def sample(self, sample_shape=()):
        """Counts drawn."""
        n, p = self.total_count._array.astype(np.int64), self.probs._array
        drawn = stream_of(None, self.probs.device).binomial(n, p, self._extended(sample_shape))
        return Tensor._wrap(boxed(drawn).astype(p.dtype))

    def log_prob(self, value):
        """The logarithm of the probability of a count."""
        self._validate_sample(value)
        n, lgamma = self.total_count, functions["lgamma"]
        choices = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        softplus = functions["logaddexp"](self.logits, functions["zeros_like"](self.logits))
        return choices + value * self.logits - n * softplus


class Geometric(_Binary):
    """How often what has probability `probs` fails before it succeeds.

    >>> Geometric(0.5).mean
    tensor(1.)
    """

    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._start(probs, logits, validate_args)

    mean = property(lambda self: 1 / self.probs - 1, doc="1 / p - 1.")
    mode = property(lambda self: functions["zeros_like"](self.probs), doc="0.")
    variance = property(lambda self: (1 / self.probs - 1) / self.probs, doc="The variance.")

    def sample(self, sample_shape=()):
        """Counts drawn."""
        p = self.probs._array
        drawn = stream_of(None, self.probs.device).geometric(p, self._extended(sample_shape))
        return Tensor._wrap(boxed(drawn - 1).astype(p.dtype))

    def log_prob(self, value):
        """x log(1 - p) + log p."""
        self._validate_sample(value)
        return value * (-self.probs).log1p() + self.probs.log()

    def entropy(self):
        """The expected -log_prob."""
        return Bernoulli(self.probs, validate_args=False).entropy() / self.probs


class Poisson(Distribution):
    """How often what happens `rate` times on average happens.

    >>> Poisson(4.0).variance
    tensor(4.)
    """

    arg_constraints: ClassVar = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate, validate_args=None):
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, (), validate_args)

    mean = property(lambda self: self.rate, doc="The rate.")
    mode = property(lambda self: self.rate.floor(), doc="The most likely value.")
    variance = property(lambda self: self.rate, doc="The rate.")

    def sample(self, sample_shape=()):
        """Counts drawn."""
        rate = self.rate._array
        drawn = stream_of(None, self.rate.device).poisson(rate, self._extended(sample_shape))
        return Tensor._wrap(boxed(drawn).astype(rate.dtype))

    def log_prob(self, value):
        """x log rate - rate - log x!."""
        self._validate_sample(value)
        return functions["xlogy"](value, self.rate) - self.rate - functions["lgamma"](value + 1)


class Categorical(Distribution):
    """One of K categories, with probabilities proportional to `probs` (..., K) or by their logarithms `logits`.

    >>> import minigrad
    >>> m = Categorical(minigrad.tensor([1.0, 3.0]))
    >>> m.log_prob(minigrad.tensor(1)).exp()
    tensor(0.7500)
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs=None, logits=None, validate_args=None):
        given = _one_of(probs, logits, "Categorical")
        if given.ndim < 1:
            raise ValueError(f"`{'probs' if logits is None else 'logits'}` parameter must be at least one-dimensional.")
        if logits is None:
            self._name, self.probs = "probs", probs / probs.sum(-1, keepdim=True)
            self.logits = None
        else:
            self._name, self.probs = "logits", None
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], (), validate_args)
        if logits is None:
            self.logits = self.probs.clamp(min=_TINY, max=1 - _TINY).log()
        else:
            self.probs = functions["softmax"](self.logits, -1)

    support = property(lambda self: constraints.integer_interval(0, self._num_events - 1), doc="0 to K - 1.")
    param_shape = property(lambda self: self.probs.shape, doc="The shape of the parameter.")
    mean = property(lambda self: functions["full"](self._extended(), float("nan")), doc="There is none: NaN.")
    variance = mean
    mode = property(lambda self: self.probs.argmax(-1), doc="The most likely category.")

    def sample(self, sample_shape=()):
        """Categories drawn, int64."""
        count = int(np.prod(self._extended(sample_shape))) // max(int(np.prod(self.batch_shape)), 1)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = functions["multinomial"](rows, count, True)
        return drawn.T.reshape(self._extended(sample_shape))

    def log_prob(self, value):
        """The logarithms of the probabilities of categories."""
        self._validate_sample(value)
        shape = np.broadcast_shapes(tuple(value.shape), tuple(self.batch_shape))
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self):
        """-Σ p log p."""
        logits = self.logits.clamp(min=float(np.finfo(self.logits.dtype).min))
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        """The categories, a row each."""
        values = functions["arange"](self._num_events).reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(self._num_events, *self.batch_shape) if expand else values

    def __repr__(self):
        value = getattr(self, self._name)
        return f"{type(self).__name__}({self._name}: {value if value.numel() == 1 else value.size()})"


class OneHotCategorical(Distribution):
    """A category as a vector that is 1 at its place and 0 elsewhere.

    >>> import minigrad
    >>> OneHotCategorical(minigrad.tensor([0.0, 1.0])).sample()
    tensor([0., 1.])
    """

    support = constraints.one_hot

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, Size((self._categorical._num_events,)), validate_args)

    probs = property(lambda self: self._categorical.probs, doc="The probabilities.")
    logits = property(lambda self: self._categorical.logits, doc="Their logarithms.")
    mean = property(lambda self: self._categorical.probs, doc="The probabilities.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="p (1 - p).")
    mode = property(lambda self: self._hot(self._categorical.mode), doc="The most likely vector.")

    def _hot(self, category):
        return functions["eye"](self._categorical._num_events, dtype=self.probs.dtype)[category]

    def sample(self, sample_shape=()):
        """Vectors drawn."""
        return self._hot(self._categorical.sample(sample_shape))

    def log_prob(self, value):
        """The logarithm of the probability of the category."""
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        """-Σ p log p."""
        return self._categorical.entropy()
