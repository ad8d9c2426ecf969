"""Runs a program under a recording until it has trained for some steps: what `minigrad explain` does."""

import sys
from pathlib import Path

from minigrad.autograd import state
from minigrad.optim import Optimizer

from .explorer import record, save


class Enough(BaseException):
    """As many steps as were asked for have been taken; no `except Exception` of the program's stops it."""


class training_steps(record):
    """A recording of the first `steps` steps of the training in its block, after which it ends the block.

    The recording begins with the first module call or operation on the graph: preparing data is no part of it. A step
    is over when every optimizer that the block has made has stepped, or one of them twice; where the block makes no
    `Optimizer`, with each backward pass.

    >>> import minigrad
    >>> w = minigrad.ones(2, requires_grad=True)
    >>> with training_steps(2) as recording:
    ...     while True:
    ...         (w * w).sum().backward()
    >>> len(recording.passes)
    2
    """

    def __init__(self, steps=1, title=""):
        super().__init__(title)
        self._left = steps
        self._optimizers, self._stepped = set(), set()  # optimizers
        self._begun = False

    def __enter__(self):
        make_hooks, recording = Optimizer._make_hooks, self

        def watched(optimizer):
            make_hooks(optimizer)
            recording._optimizers.add(optimizer)
            optimizer._step_post_hooks[recording] = recording._optimized

        self._replaced.replace(Optimizer, "_make_hooks", watched)
        return super().__enter__()

    def __exit__(self, kind, error, traceback):
        super().__exit__(kind, error, traceback)
        self._drop_rehearsals()
        return isinstance(error, Enough)

    def _drop_rehearsals(self):
        """Take out what ran before the graph began and is no part of it: an evaluation before the training."""
        first = next((place for place, node in enumerate(self.nodes) if node.recorded), 0)
        needed, waiting = set(), self.nodes[first:]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting += [tensor.node for tensor in node.inputs if tensor is not None and tensor.node is not None]
        dropped = set(self.nodes[:first]) - needed
        self.nodes = [node for node in self.nodes if node not in dropped]
        self.events = [event for event in self.events if event not in dropped]
        for tensor in self.tensors:
            tensor.users = [(node, place) for node, place in tensor.users if node not in dropped]

    def ran(self, ctx, args, tensors):
        """The operation `ctx` has made `tensors` of `args`."""
        recorded = any(tensor._edge is not None and tensor._edge[0] is ctx for tensor in tensors)
        self._begun = self._begun or recorded or state.scope is not None
        if self._begun:
            super().ran(ctx, args, tensors)

    def finished(self, made):
        """The pass `made` is over."""
        super().finished(made)
        if made.complete and not self._optimizers:
            self._step_is_over()

    def _optimized(self, optimizer, args, kwargs):
        again = optimizer in self._stepped
        self._stepped.add(optimizer)
        if again or self._stepped >= self._optimizers:
            self._step_is_over()

    def _step_is_over(self):
        self._stepped.clear()
        self._left -= 1
        if self._left == 0:
            self.stop()
            raise Enough


def explain(run, page, twin=None, steps=1, title=""):
    """Call `run()` under a recording of its first training steps; write the explorer of it, also if it fails.

    `page` (.html) and `twin` (.json) are paths, either may be None.
    """
    recording = training_steps(steps, title)
    try:
        with recording:
            run()
    finally:
        made = recording.document()
        if not made["nodes"]:
            print("minigrad: no module was called and nothing was computed on the graph", file=sys.stderr)
        for path in (page, twin):
            if path is not None and made["nodes"]:
                save(made, path)
                print(f"minigrad: {Path(path)}: {_contents(made)}", file=sys.stderr)


def _contents(made):
    """How much a document shows, in words."""
    operations, passes = len(made["nodes"]), len(made["passes"])
    ran = f"{operations} operation{'s' * (operations != 1)}"
    if passes:
        return f"{ran}, {passes} backward pass{'es' * (passes != 1)}"
    if made["error"] is not None:
        return f"{ran}, no backward pass: the program failed before one"
    return f"{ran}, no backward pass: the program called no backward() or autograd.grad()"
