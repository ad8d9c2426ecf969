"""What parameters and values of distributions must satisfy (`torch.distributions.constraints`)."""

import numpy as np

from minigrad.autograd import Tensor
from minigrad.autograd.dtypes import boxed

__all__ = [
    "Constraint",
    "boolean",
    "greater_than",
    "independent",
    "interval",
    "less_than",
    "lower_cholesky",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "real",
    "real_vector",
    "simplex",
    "unit_interval",
]


class Constraint:
    """A condition on values: `check(value)` is a bool tensor, an entry for each event of `event_dim` dimensions.

    >>> import minigrad
    >>> positive.check(minigrad.tensor([1.0, -1.0]))
    tensor([ True, False])
    """

    def __init__(self, name, holds, event_dim=0, is_discrete=False):
        self.name, self._holds, self.event_dim, self.is_discrete = name, holds, event_dim, is_discrete

    def check(self, value):
        """Whether each event satisfies the condition."""
        return Tensor._wrap(boxed(self._holds(value._array)))

    def __repr__(self):
        return self.name


def greater_than(lower_bound):
    """The numbers above a bound.

    >>> greater_than(0.0)
    GreaterThan(lower_bound=0.0)
    """
    return Constraint(f"GreaterThan(lower_bound={lower_bound})", lambda x: x > _array(lower_bound))


def less_than(upper_bound):
    """The numbers below a bound.

    >>> less_than(0.0)
    LessThan(upper_bound=0.0)
    """
    return Constraint(f"LessThan(upper_bound={upper_bound})", lambda x: x < _array(upper_bound))


def interval(lower_bound, upper_bound):
    """The numbers from a bound to another, both included.

    >>> interval(0.0, 1.0)
    Interval(lower_bound=0.0, upper_bound=1.0)
    """
    low, high = _array(lower_bound), _array(upper_bound)
    return Constraint(
        f"Interval(lower_bound={lower_bound}, upper_bound={upper_bound})", lambda x: (x >= low) & (x <= high)
    )


def integer_interval(lower_bound, upper_bound):
    """The whole numbers from a bound to another, both included.

    >>> integer_interval(0, 2)
    IntegerInterval(lower_bound=0, upper_bound=2)
    """
    low, high = _array(lower_bound), _array(upper_bound)
    return Constraint(
        f"IntegerInterval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x % 1 == 0) & (x >= low) & (x <= high),
        is_discrete=True,
    )


def independent(base, dims):
    """`base` for all entries of the last `dims` dimensions together.

    >>> independent(positive, 1)
    IndependentConstraint(GreaterThan(lower_bound=0.0), 1)
    """
    return Constraint(
        f"IndependentConstraint({base}, {dims})",
        lambda x: np.all(base._holds(x), axis=tuple(range(-dims, 0))),
        base.event_dim + dims,
        base.is_discrete,
    )


def _array(bound):
    return bound._array if isinstance(bound, Tensor) else bound


def _definite(x):
    """Whether symmetric matrices have positive eigenvalues alone."""
    symmetric = np.isclose(x, np.swapaxes(x, -2, -1), atol=1e-6).all((-2, -1))
    return symmetric & (np.linalg.eigvalsh(x) > 0).all(-1)


real = Constraint("Real()", lambda x: x == x)
positive = greater_than(0.0)
nonnegative = Constraint("GreaterThanEq(lower_bound=0.0)", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint("IntegerGreaterThan(lower_bound=0)", lambda x: (x % 1 == 0) & (x >= 0), 0, True)
real_vector = independent(real, 1)
simplex = Constraint("Simplex()", lambda x: (x >= 0).all(-1) & (np.abs(x.sum(-1) - 1) < 1e-6), 1)
one_hot = Constraint("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, True)
lower_cholesky = Constraint(
    "LowerCholesky()",
    lambda x: (np.tril(x) == x).all((-2, -1)) & (np.diagonal(x, axis1=-2, axis2=-1) > 0).all(-1),
    2,
)
positive_definite = Constraint("PositiveDefinite()", _definite, 2)
