"""Random tensors, drawn from counter-based generators: the same seed gives the same numbers, whatever ran in between
elsewhere. Distributions whose parameters are tensors, and tensors filled in place, are in `sampling`.
"""

import contextlib
import functools
import secrets
import threading

import numpy as np

from minigrad.autograd import CPU, CUDA, Tensor, get_default_dtype, home, present
from minigrad.autograd.dtypes import as_dtype, boxed, int64
from minigrad.kernels.device import capturing, missing

from .arithmetic import not_implemented
from .counter_stream import CounterStream
from .creation import checked, finish, fitting, shape_of
from .registry import function


class Generator:
    """A stream of random numbers with its own seed (`torch.Generator`): the Philox 4x64 counter generator.

    On the GPU it is Philox 4x32, which counts there. Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    The streams are not PyTorch's.

    >>> g = Generator().manual_seed(0)
    >>> g.initial_seed()
    0
    """

    def __init__(self, device="cpu"):
        self.device, self.stream = present(device), None
        self.manual_seed(67280421310721)

    def manual_seed(self, seed):
        """Start the stream that belongs to `seed`; returns the generator."""
        if not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"Overflow when unpacking long long\nhint: {seed} is no number of 64 bits")
        if self.device is CUDA:
            return self._go_to(seed.__index__() % 2**64, 0)
        self._seed = seed.__index__() % 2**64
        self.stream = np.random.Generator(np.random.Philox(key=self._seed))
        return self

    def _go_to(self, seed, place):
        """Go to a place in the stream of a seed, on the GPU, where a captured graph finds it."""
        if capturing():
            raise RuntimeError(
                "CUDAGeneratorImpl::set_current_seed can be called during stream capture only if new seed is the same "
                "as the original seed.\nhint: seed before the capture, or between two replays"
            )
        if self.stream is None:
            self.stream = CounterStream(seed)
        self._seed = seed
        self.stream.start(seed, place)
        return self

    def seed(self):
        """Start the stream of a seed that nobody can guess, and return the seed."""
        return self.manual_seed(secrets.randbits(63))._seed

    def initial_seed(self):
        """The seed of the present stream."""
        return self._seed

    def get_state(self):
        """The place in the stream, a uint8 tensor on the CPU for `set_state`."""
        if self.device is CUDA:
            return Tensor._wrap(np.array([self._seed, self.stream.place()], "<u8").view(np.uint8))
        state = self.stream.bit_generator.state
        words = np.concatenate(
            [
                state["state"]["counter"],
                state["state"]["key"],
                state["buffer"],
                np.array([state["buffer_pos"], state["has_uint32"], state["uinteger"], self._seed], np.uint64),
            ]
        )
        return Tensor._wrap(words.astype("<u8").view(np.uint8))

    def set_state(self, new_state):
        """Go to a place in a stream that `get_state` returned."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}\n{_STATE_HINT}")
        data = new_state._array
        if data.dtype != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor\nhint: it is a tensor of {data.dtype}")
        if self.device is CUDA:
            if data.shape != (16,):
                raise RuntimeError("RNG state is wrong size\nhint: a generator on the GPU has one of 16 elements")
            return self._go_to(*np.ascontiguousarray(data).view("<u8").tolist())
        if data.shape != (112,):
            raise RuntimeError(f"RNG state is wrong size\n{_STATE_HINT}")
        words = np.ascontiguousarray(data).view("<u8").astype(np.uint64)
        if words[5] or words[4] != words[13] or words[10] > 4 or words[11] > 1 or words[12] >= 2**32:
            raise RuntimeError(f"Invalid Philox state\n{_STATE_HINT}")
        self._seed = int(words[13])
        self.stream.bit_generator.state = {
            "bit_generator": "Philox",
            "state": {"counter": words[0:4], "key": words[4:6]},
            "buffer": words[6:10],
            "buffer_pos": int(words[10]),
            "has_uint32": int(words[11]),
            "uinteger": int(words[12]),
        }
        return self

    def clone_state(self):
        """Another generator at the same place in the same stream (`torch.Generator.clone_state`)."""
        return Generator(self.device).set_state(self.get_state())


_STATE_HINT = "hint: pass what get_state() returned, a uint8 tensor of 112 elements"


class _Lent(threading.local):
    stream = None


class _DefaultGenerator(Generator):
    """The generator of all who name none. A thread can be lent another stream for a while (`lend`)."""

    _lent = _Lent()

    @property
    def stream(self):
        """The stream that this thread draws from."""
        return self._own if self._lent.stream is None else self._lent.stream

    @stream.setter
    def stream(self, stream):
        if self._lent.stream is None:
            self._own = stream
        else:
            self._lent.stream = stream


default_generator = _DefaultGenerator()
default_generator.seed()


@functools.cache
def gpu_generator():
    """The GPU's generator of all who name none, with the default generator's seed until it gets its own."""
    return Generator("cuda").manual_seed(default_generator.initial_seed())


def manual_seed_gpu(seed):
    """Start the stream of the GPU's default generator of `seed`, if there is a GPU."""
    if not missing():
        gpu_generator().manual_seed(seed)


@contextlib.contextmanager
def lend(seed, number):
    """Let what this thread draws inside come from stream `number` of `seed`, whatever was drawn before.

    >>> import minigrad
    >>> with lend(1, 5):
    ...     a = minigrad.rand(2)
    >>> with lend(1, 5):
    ...     print(bool((a == minigrad.rand(2)).all()))
    True
    """
    before = _DefaultGenerator._lent.stream
    _DefaultGenerator._lent.stream = np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))
    try:
        yield
    finally:
        _DefaultGenerator._lent.stream = before


@function
def manual_seed(seed):
    """Start the default generators' streams of `seed`, the GPU's too; returns the CPU's (`torch.manual_seed`).

    >>> import minigrad
    >>> _ = manual_seed(1); a = minigrad.rand(2)
    >>> _ = manual_seed(1); bool((a == minigrad.rand(2)).all())
    True
    """
    manual_seed_gpu(int(seed))
    return default_generator.manual_seed(int(seed))


@function
def seed():
    """Start the default generator's stream of a seed that nobody can guess, and return the seed (`torch.seed`).

    >>> seed() == initial_seed()
    True
    """
    return default_generator.seed()


@function
def initial_seed():
    """The seed of the default generator's present stream (`torch.initial_seed`).

    >>> _ = manual_seed(3)
    >>> initial_seed()
    3
    """
    return default_generator.initial_seed()


@function
def get_rng_state():
    """The default generator's place in its stream, a uint8 tensor (`torch.get_rng_state`).

    >>> get_rng_state().dtype
    dtype('uint8')
    """
    return default_generator.get_state()


@function
def set_rng_state(new_state):
    """Put the default generator back to a place that `get_rng_state` returned (`torch.set_rng_state`).

    >>> import minigrad
    >>> state = get_rng_state()
    >>> a = minigrad.rand(2)
    >>> set_rng_state(state)
    >>> bool((a == minigrad.rand(2)).all())
    True
    """
    default_generator.set_state(new_state)


@function
@contextlib.contextmanager
def fork_rng(devices=None, enabled=True):
    """A context after which the default generator is where it was before it (`torch.random.fork_rng`).

    >>> import minigrad
    >>> with fork_rng():
    ...     a = minigrad.rand(2)
    >>> bool((a == minigrad.rand(2)).all())
    True
    """
    state = default_generator.get_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state(state)


def stream_of(generator, device=CPU):
    """The stream of a generator, or of the device's default one, from which arrays on the device are drawn."""
    if generator is None:
        return (default_generator if device is CPU else gpu_generator()).stream
    if generator.device is not device:
        raise RuntimeError(
            f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'\nhint: "
            f"minigrad.Generator(device={device.type!r})"
        )
    return generator.stream


def counter_of(device):
    """The state of a counter stream from which kernels draw, [seed, place]: the GPU's own; on the CPU one of its own,
    whose seed the default generator draws.
    """
    stream = stream_of(None, device)
    if device is CUDA:
        return stream.state
    return np.array([stream.integers(2**64, dtype=np.uint64), 0], np.uint64)


def floating(dtype, kernel):
    """A floating dtype, the default one for None; PyTorch's error for others."""
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    if dtype.kind != "f":
        raise not_implemented(kernel, dtype, "draw from minigrad.float32 or float64, or whole numbers with randint")
    return dtype


@function
def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers drawn evenly from [0, 1) (`torch.rand`).

    >>> rand(2, 3).shape
    minigrad.Size([2, 3])
    """
    device = home(device)
    values = stream_of(generator, device).random(shape_of(size), floating(dtype, "check_uniform_bounds"))
    return finish(boxed(values), requires_grad, device)


@function
def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers drawn from the normal distribution with mean 0 and variance 1 (`torch.randn`).

    >>> randn(2, 3).shape
    minigrad.Size([2, 3])
    """
    device = home(device)
    values = stream_of(generator, device).standard_normal(shape_of(size), floating(dtype, "normal_kernel_cpu"))
    return finish(boxed(values), requires_grad, device)


@function
def rand_like(input, *, dtype=None, device=None, generator=None, requires_grad=False):
    """`rand` with the shape and dtype of `input` (`torch.rand_like`).

    >>> import minigrad
    >>> rand_like(minigrad.ones(2, 3)).shape
    minigrad.Size([2, 3])
    """
    dtype, device = input.dtype if dtype is None else dtype, input.device if device is None else device
    return rand(input.shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


@function
def randn_like(input, *, dtype=None, device=None, generator=None, requires_grad=False):
    """`randn` with the shape and dtype of `input` (`torch.randn_like`).

    >>> import minigrad
    >>> randn_like(minigrad.ones(2, 3)).shape
    minigrad.Size([2, 3])
    """
    dtype, device = input.dtype if dtype is None else dtype, input.device if device is None else device
    return randn(input.shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


def whole_numbers(generator, low, high, shape, dtype, device):
    """Whole numbers of [low, high) in an array of `dtype`, which must hold them, on the device."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        for name, value in (("from", low), ("to - 1", high - 1)):
            if not limits.min <= value <= limits.max:
                raise RuntimeError(
                    f"{name} is out of bounds for {_C_NAMES[str(dtype)]}\nhint: {dtype} holds {limits.min} to "
                    f"{limits.max}"
                )
    return boxed(stream_of(generator, device).integers(low, high, shape)).astype(dtype)


_C_NAMES = {"uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long"}


@function
def randint(low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Whole numbers drawn evenly from [low, high); `randint(high, size)` starts at 0 (`torch.randint`).

    >>> randint(10, (2, 3)).shape
    minigrad.Size([2, 3])
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not hasattr(size, "__iter__"):
        raise TypeError(
            f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}\nhint: "
            "randint(high, (2, 3)) or randint(low, high, (2, 3))"
        )
    dtype = int64 if dtype is None else as_dtype(dtype)
    device = home(device)
    return finish(whole_numbers(generator, low, high, shape_of((size,)), dtype, device), requires_grad, device)


@function
def randint_like(input, low, high=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """`randint` with the shape and dtype of `input` (`torch.randint_like`).

    >>> import minigrad
    >>> randint_like(minigrad.ones(2, 3), 10).dtype
    dtype('float32')
    """
    low, high = (0, low) if high is None else (low, high)
    dtype, device = input.dtype if dtype is None else as_dtype(dtype), input.device if device is None else home(device)
    return finish(whole_numbers(generator, low, high, input._array.shape, dtype, device), requires_grad, device)


@function
def randperm(n, *, generator=None, dtype=int64, device=None, requires_grad=False):
    """The numbers 0 to n - 1 in random order (`torch.randperm`).

    >>> sorted(randperm(3).tolist())
    [0, 1, 2]
    """
    (n,), dtype = checked((n.__index__(),)), as_dtype(dtype)
    fitting(max(n - 1, 0), dtype)
    device = home(device)
    return finish(stream_of(generator, device).permutation(n).astype(dtype), requires_grad, device)
