"""What all distributions share: shapes, checks of parameters and values, and batches taken for one event."""

from typing import ClassVar

import numpy as np

from minigrad.autograd import Size, Tensor, get_default_dtype, no_grad
from minigrad.ops import functions

from . import constraints


def together(*values):
    """Numbers and tensors as tensors of one shape (`torch.distributions.utils.broadcast_all`).

    >>> together(0.0, 1.0)
    (tensor(0.), tensor(1.))
    """
    tensors = [value for value in values if isinstance(value, Tensor)]
    dtype = tensors[0].dtype if tensors else get_default_dtype()
    device = tensors[0].device if tensors else None
    made = [v if isinstance(v, Tensor) else functions["tensor"](v, dtype=dtype, device=device) for v in values]
    return tuple(functions["broadcast_tensors"](*made))


class Distribution:
    """The base of distributions: `batch_shape` counts distributions, `event_shape` is that of one's sample.

    `arg_constraints` says what each parameter must satisfy; violations are a ValueError unless `validate_args` is
    False. Source: `torch.distributions.Distribution`.

    >>> import minigrad
    >>> normal = minigrad.distributions.Normal(minigrad.zeros(3), 1.0)
    >>> normal.batch_shape, normal.event_shape, normal.sample((2,)).shape
    (minigrad.Size([3]), minigrad.Size([]), minigrad.Size([2, 3]))
    """

    has_rsample = False
    arg_constraints: ClassVar[dict] = {}
    support: constraints.Constraint | None = None
    _validate_args = True

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions check parameters and values unless told otherwise."""
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                value = self.__dict__.get(name)
                if value is not None and not constraint.check(value)._array.all():
                    raise ValueError(
                        f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                        f"distribution {self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n"
                        f"{value}"
                    )

    @property
    def batch_shape(self):
        """The shape of a batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def mean(self):
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self):
        """The most likely value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self):
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self):
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape=()):
        """Values drawn, of shape (*sample_shape, *batch_shape, *event_shape), outside the graph."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """Values drawn so that gradients flow to the parameters (Kingma and Welling 2014)."""
        raise NotImplementedError

    def sample_n(self, n):
        """`sample((n,))`, its old name."""
        return self.sample((n,))

    def log_prob(self, value):
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def entropy(self):
        """The expected -log_prob."""
        raise NotImplementedError

    def cdf(self, value):
        """The probability of at most `value`."""
        raise NotImplementedError

    def perplexity(self):
        """e to the entropy."""
        return self.entropy().exp()

    def _extended(self, sample_shape=()):
        """The shape of samples."""
        return Size((*_sizes(sample_shape), *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value):
        """PyTorch's errors for a value that no sample can be."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        events = len(self._event_shape)
        shape = tuple(value.shape)
        if events and shape[len(shape) - events :] != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {shape} vs {tuple(self._event_shape)}."
            )
        for i, j in zip(reversed(shape), reversed((*self._batch_shape, *self._event_shape))):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs "
                    f"{self._batch_shape + self._event_shape}."
                )
        if self.support is not None and not self.support.check(value)._array.all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {shape}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self):
        names = [name for name in self.arg_constraints if self.__dict__.get(name) is not None]
        shown = [
            f"{name}: {value if value.numel() == 1 else value.size()}"
            for name, value in ((name, self.__dict__[name]) for name in names)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _sizes(sample_shape):
    return tuple(sample_shape) if isinstance(sample_shape, (tuple, list)) else (sample_shape,)


class Independent(Distribution):
    """`base` with the last `reinterpreted_batch_ndims` dimensions of its batch taken for its event.

    Their densities multiply. Source: `torch.distributions.Independent`.

    >>> import minigrad
    >>> from minigrad.distributions import Normal
    >>> Independent(Normal(minigrad.zeros(2, 3), 1.0), 1).log_prob(minigrad.zeros(2, 3)).shape
    minigrad.Size([2])
    """

    def __init__(self, base_distribution, reinterpreted_batch_ndims, validate_args=None):
        batch, n = tuple(base_distribution.batch_shape), reinterpreted_batch_ndims
        if n > len(batch):
            raise ValueError(
                f"Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual {n} vs {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        cut = len(batch) - n
        super().__init__(batch[:cut], batch[cut:] + tuple(base_distribution.event_shape), validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample, doc="Whether the base has.")
    mean = property(lambda self: self.base_dist.mean, doc="The base's mean.")
    mode = property(lambda self: self.base_dist.mode, doc="The base's mode.")
    variance = property(lambda self: self.base_dist.variance, doc="The base's variance.")

    @property
    def support(self):
        """The base's support for all entries of an event."""
        n, base = self.reinterpreted_batch_ndims, self.base_dist.support
        return constraints.independent(base, n) if n else base

    def sample(self, sample_shape=()):
        """Values drawn from the base, outside the graph."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=()):
        """Values drawn from the base so that gradients flow."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value):
        """The sum of the base's over the event's dimensions."""
        return self._sum(self.base_dist.log_prob(value))

    def entropy(self):
        """The sum of the base's over the event's dimensions."""
        return self._sum(self.base_dist.entropy())

    def _sum(self, values):
        n = self.reinterpreted_batch_ndims
        return values.sum(tuple(np.arange(-n, 0).tolist())) if n else values

    def __repr__(self):
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
