"""Samples from distributions: with tensors as parameters, and drawn into a tensor in place.

A sample does not follow its parameters smoothly, so gradients that arrive at one are 0, as in PyTorch.
"""

import numpy as np

from minigrad.autograd import ARRAYS, Operation, Tensor, home
from minigrad.autograd.dtypes import TORCH_NAMES, boxed
from minigrad.kernels.device import capturing

from .arithmetic import no_broadcast, not_implemented
from .creation import shape_of
from .inplace import Overwrite, assign
from .random import floating, stream_of, whole_numbers
from .registry import both, function, method


class Sample(Operation):
    """Numbers drawn from distributions with these parameters"""

    formula = "dparameter = 0"

    @staticmethod
    def forward(ctx, values, *parameters):
        ctx.parameters = [(p.shape, p.dtype) if isinstance(p, ARRAYS) else None for p in parameters]
        return values

    @staticmethod
    def backward(ctx, dy):
        return None, *[p and Tensor._wrap(np.zeros(*p, like=dy._array)) for p in ctx.parameters]


def _fill(tensor, values):
    """Write an array of samples into the tensor."""
    return assign(tensor, Overwrite, Tensor._wrap(boxed(values)))


def _check_std(std):
    if isinstance(std, Tensor):
        if not capturing() and (std._array < 0).any():
            raise RuntimeError(f"normal expects all elements of std >= 0.0\nhint: the smallest is {std._array.min()}")
    elif not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


@function
def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers drawn from normal distributions of the given means and standard deviations, tensors or numbers.

    Two numbers need a `size`. Source: `torch.normal`.

    >>> import minigrad
    >>> normal(0.0, 1.0, (2, 3)).shape
    minigrad.Size([2, 3])
    >>> normal(minigrad.zeros(4), std=2.0).shape
    minigrad.Size([4])
    """
    _check_std(std)
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if size is not None:
        shape = shape_of((size,))
    elif tensors:
        try:
            shape = np.broadcast_shapes(*[t._array.shape for t in tensors])
        except ValueError:
            raise no_broadcast(mean._array, std._array) from None
    else:
        raise TypeError("normal() of two numbers needs a size\nhint: minigrad.normal(0.0, 1.0, (2, 3))")
    dtype = floating(tensors[0].dtype if tensors else dtype, "normal_kernel_cpu")
    mean_, std_ = (v._array if isinstance(v, Tensor) else v for v in (mean, std))
    device = tensors[0].device if tensors else home(device)
    drawn = stream_of(generator, device).standard_normal(shape, dtype)
    values = boxed(drawn * std_ + mean_).astype(dtype, copy=False)
    result = Sample.apply(values, mean, std)
    return result.requires_grad_() if requires_grad else result


@both()
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that each element (or `p` for all) gives, else 0 (`torch.bernoulli`).

    >>> import minigrad
    >>> minigrad.bernoulli(minigrad.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    if p is None and input.dtype.kind != "f":
        raise not_implemented("bernoulli_tensor_cpu_p_", input.dtype)
    return Sample.apply(_ones_of(input, input if p is None else p, generator), input)


def _ones_of(tensor, p, generator):
    """An array like `tensor`: 1 with probability `p`, a number or a tensor, else 0."""
    probability = p._array if isinstance(p, Tensor) else p
    known = not (isinstance(p, Tensor) and capturing())  # while a graph is captured the host cannot look
    if known and not np.all((np.greater_equal(probability, 0)) & np.less_equal(probability, 1)):
        found = "" if isinstance(p, Tensor) else f", but got p={p:g}"
        raise RuntimeError(
            f"bernoulli_ expects p to be in [0, 1]{found}"
            if found
            else "Expected p_in >= 0 && p_in <= 1 to be true, but got false.\nhint: these are probabilities"
        )
    drawn = stream_of(generator, tensor.device).random(tensor._array.shape)
    return boxed(drawn < probability).astype(tensor._array.dtype)


@both()
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Indices drawn with probabilities proportional to each row of `input`, int64, shape (*rows, num_samples).

    Without replacement an index comes once at most. Source: `torch.multinomial`.

    >>> import minigrad
    >>> minigrad.multinomial(minigrad.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    weights = input._array
    if weights.dtype.kind != "f":
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {TORCH_NAMES[weights.dtype]}"
        )
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim\nhint: the shape is {weights.shape}")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
            f"\nhint: {num_samples} of {weights.shape[-1]}"
        )
    rows = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    if not np.all((rows >= 0) & (rows < np.inf)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not np.all(rows.sum(1) > 0):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    draw = _with_replacement if replacement else _without_replacement
    index = draw(rows, num_samples, stream_of(generator, input.device))
    return Tensor._wrap(index.reshape(*weights.shape[:-1], num_samples).astype(np.int64))


def _with_replacement(rows, count, stream):
    """One search in all rows' cumulated probabilities at once: row i's lie between i and i + 1."""
    below = np.cumsum(rows, 1)
    start = np.arange(len(rows), like=rows)[:, None]
    steps = (below / below[:, -1:] + start).reshape(-1)
    found = np.searchsorted(steps, (stream.random((len(rows), count)) + start).reshape(-1), side="right")
    last = rows.shape[1] - 1 - np.argmax(rows[:, ::-1] > 0, 1)  # rounding must not lead out of the row
    return np.minimum(found.reshape(len(rows), count) - start * rows.shape[1], last[:, None])


def _without_replacement(rows, count, stream):
    """The first arrivals of exponential clocks that run at the weights' rates (Efraimidis and Spirakis 2006)."""
    with np.errstate(all="ignore"):
        arrival = stream.standard_exponential(rows.shape) / rows
    return np.argsort(arrival, 1, kind="stable")[:, :count]


@function
def poisson(input, generator=None):
    """Counts drawn from Poisson distributions whose rates are the elements (`torch.poisson`).

    >>> import minigrad
    >>> minigrad.poisson(minigrad.zeros(2))
    tensor([0., 0.])
    """
    if input.dtype.kind != "f":
        raise not_implemented("poisson_cpu", input.dtype)
    if not (input._array >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return Sample.apply(boxed(stream_of(generator, input.device).poisson(input._array)).astype(input.dtype), input)


def _floats(tensor, distribution):
    """The tensor's dtype, which must be floating."""
    if tensor._array.dtype.kind != "f":
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must be a floating point but "
            f"you specified {TORCH_NAMES[tensor._array.dtype]}"
        )
    return tensor._array.dtype


@method()
def uniform_(self, a=0.0, b=1.0, *, generator=None):
    """Fill with numbers drawn evenly from [a, b), in place (`torch.Tensor.uniform_`)."""
    dtype = floating(self._array.dtype, "check_uniform_bounds")
    if not a <= b:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={a:g} > to={b:g}")
    drawn = boxed(stream_of(generator, self.device).random(self._array.shape, dtype))
    return _fill(self, drawn * dtype.type(b - a) + dtype.type(a))


@method()
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Fill with numbers drawn from a normal distribution, in place (`torch.Tensor.normal_`)."""
    dtype = floating(self._array.dtype, "normal_kernel_cpu")
    _check_std(std)
    drawn = boxed(stream_of(generator, self.device).standard_normal(self._array.shape, dtype))
    return _fill(self, drawn * dtype.type(std) + dtype.type(mean))


@method()
def bernoulli_(self, p=0.5, *, generator=None):
    """Fill with 1 with probability `p`, a number or a tensor, and 0 else, in place (`torch.Tensor.bernoulli_`)."""
    return _fill(self, _ones_of(self, p, generator))


@method()
def exponential_(self, lambd=1.0, *, generator=None):
    """Fill with numbers drawn from the exponential distribution of rate `lambd`, in place.

    Source: `torch.Tensor.exponential_`.
    """
    dtype = _floats(self, "Exponential")
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    return _fill(
        self,
        boxed(stream_of(generator, self.device).standard_exponential(self._array.shape, dtype)) / dtype.type(lambd),
    )


@method()
def geometric_(self, p, *, generator=None):
    """Fill with the number of trials to the first success of probability `p`, in place (`torch.Tensor.geometric_`)."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    return _fill(
        self, boxed(stream_of(generator, self.device).geometric(p, self._array.shape)).astype(self._array.dtype)
    )


@method()
def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Fill with e to the power of normally distributed numbers, in place (`torch.Tensor.log_normal_`)."""
    dtype = _floats(self, "LogNormal")
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    return _fill(self, boxed(stream_of(generator, self.device).lognormal(mean, std, self._array.shape)).astype(dtype))


@method()
def cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """Fill with numbers drawn from a Cauchy distribution, in place (`torch.Tensor.cauchy_`)."""
    dtype = _floats(self, "Cauchy")
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    drawn = boxed(stream_of(generator, self.device).standard_cauchy(self._array.shape))
    return _fill(self, (median + sigma * drawn).astype(dtype))


@method()
def random_(self, from_=None, to=None, *, generator=None):
    """Fill with whole numbers drawn evenly from [from_, to), in place; `random_(to)` starts at 0.

    Without limits they run from 0 over all that the dtype holds exactly. Source: `torch.Tensor.random_`.
    """
    dtype = self._array.dtype
    if to is None:
        from_, to = 0, _whole_limit(dtype) if from_ is None else from_
    return _fill(self, whole_numbers(generator, from_, to, self._array.shape, dtype, self.device))


def _whole_limit(dtype):
    """The first whole number from 0 on that `dtype` cannot hold (a floating one: not with all before it)."""
    if dtype.kind == "f":
        return 2 ** (np.finfo(dtype).nmant + 1) + 1
    return 2 if dtype.kind == "b" else int(np.iinfo(dtype).max) + 1
