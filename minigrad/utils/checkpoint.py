"""Activation checkpointing: memory for time. What a part of a network would keep for backward is computed again."""

import contextlib

from minigrad.autograd import enable_grad, graph
from minigrad.ops import default_generator

__all__ = ["checkpoint", "checkpoint_sequential"]


class _StopRecomputation(Exception):
    """All that was dropped has been computed again; the rest of the function need not run."""


class _Kept:
    """What one checkpointed call dropped: how to compute it again, and the arrays once that has been done."""

    def __init__(self, function, args, kwargs, random_state):
        self.function, self.args, self.kwargs, self.random_state = function, args, kwargs, random_state
        self.count = 0
        self.arrays = None

    def pack(self, tensor):
        """Number what is saved, keep its shape and dtype to check the second run by."""
        self.count += 1
        return self.count - 1, tuple(tensor.shape), tensor.dtype

    def unpack(self, packed):
        """The tensor that was dropped, from a second run of the function if none is there."""
        place, shape, dtype = packed
        if self.arrays is None or place not in self.arrays:
            self._recompute()
        again = self.arrays.pop(place, None)
        if again is None or tuple(again.shape) != shape or again.dtype != dtype:
            found = "nothing" if again is None else f"{again.dtype} {tuple(again.shape)}"
            raise RuntimeError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                f"during the forward pass.\nhint: tensor {place} was {dtype} {shape}, computed again it is {found}; "
                "the function must do the same both times (random numbers are restored, other state is not)"
            )
        return again

    def _recompute(self):
        self.arrays, places = {}, iter(range(self.count))

        def keep(tensor):
            place = next(places, None)
            if place is None:
                raise _StopRecomputation
            self.arrays[place] = tensor.detach()
            if place == self.count - 1:
                raise _StopRecomputation

        now = default_generator.get_state()
        if self.random_state is not None:
            default_generator.set_state(self.random_state)
        try:
            with (
                enable_grad(),
                graph.saved_tensors_hooks(keep, lambda packed: packed),
                contextlib.suppress(_StopRecomputation),
            ):
                self.function(*self.args, **self.kwargs)
        finally:
            default_generator.set_state(now)


def checkpoint(function, *args, use_reentrant=False, preserve_rng_state=True, **kwargs):
    """`function(*args, **kwargs)`, whose intermediate results are dropped and computed again during backward.

    Gradients are those of the plain call, parameters that the function uses included; the function runs twice, with
    the same random numbers unless `preserve_rng_state` is False. Arguments must not be changed in place meanwhile.
    `use_reentrant=True`, PyTorch's older way, is accepted and does the same. Chen et al. 2016,
    https://arxiv.org/abs/1604.06174; `torch.utils.checkpoint.checkpoint`.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    >>> x.grad
    tensor([-2.4784,  3.3129])
    """
    state = default_generator.get_state() if preserve_rng_state else None
    kept = _Kept(function, args, kwargs, state)
    with graph.saved_tensors_hooks(kept.pack, kept.unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=False, preserve_rng_state=True):
    """`functions` (modules, or a Sequential) one after another, checkpointed in `segments` parts of equal length.

    The last part is run as it is. Source: `torch.utils.checkpoint.checkpoint_sequential`.

    >>> import minigrad
    >>> net = minigrad.nn.Sequential(minigrad.nn.Linear(2, 2), minigrad.nn.ReLU(), minigrad.nn.Linear(2, 1))
    >>> checkpoint_sequential(net, 2, minigrad.ones(3, 2)).shape
    minigrad.Size([3, 1])
    """
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    step = len(functions) // segments
    if step == 0:
        raise ValueError(f"cannot divide {len(functions)} functions into {segments} segments")

    def run(part):
        def forward(x):
            for function in part:
                x = function(x)
            return x

        return forward

    for start in range(0, step * (segments - 1), step):
        part = run(functions[start : start + step])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return run(functions[step * (segments - 1) :])(input)
