"""Hooks: functions of the user that run before and after a module's forward, and around its backward.

A hook of one module is registered with its methods; one of all modules with `register_module_forward_hook` and its
kin. Hooks run in the order of registration, global ones first; `.remove()` of the handle takes one away.
"""

import warnings
from collections import OrderedDict

from minigrad.autograd import HookHandle, Operation, Tensor, is_grad_enabled
from minigrad.ops import functions

BEFORE, AFTER, BEFORE_BACKWARD, BACKWARD = KINDS = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
)
everywhere: dict[str, OrderedDict] = {kind: OrderedDict() for kind in KINDS}  # the hooks of all modules


class ModuleHookHandle(HookHandle):
    """The handle of a module's hook, which knows what the hook asks for: keyword arguments too, to run in any case."""

    __slots__ = ("always_call", "with_kwargs")

    def __init__(self, hooks, hook, prepend=False, with_kwargs=False, always_call=False):
        super().__init__(hooks, hook)
        self.with_kwargs, self.always_call = with_kwargs, always_call
        if prepend:
            hooks.move_to_end(self, last=False)


class Hooked:
    """The part of a module that knows its hooks."""

    def _without_hooks(self):
        for kind in KINDS:
            object.__setattr__(self, kind, OrderedDict())

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before each forward; what it returns (unless None) replaces the arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)` and returns None or (args, kwargs). `prepend` puts it
        before the module's other hooks. Source: `torch.nn.Module.register_forward_pre_hook`.
        """
        return ModuleHookHandle(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, result)` after each forward; what it returns (unless None) replaces the result.

        With `with_kwargs` it is `hook(module, args, kwargs, result)`; with `always_call` it runs, the result being
        None, even if forward raises. Source: `torch.nn.Module.register_forward_hook`.
        """
        return ModuleHookHandle(self._forward_hooks, hook, prepend, with_kwargs, always_call)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` before the module's backward; a returned tuple replaces `grad_output`.

        Source: `torch.nn.Module.register_full_backward_pre_hook`.
        """
        return ModuleHookHandle(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` once the gradients of the module's inputs are known.

        Both are tuples with None for what is no tensor; a returned tuple replaces `grad_input`.
        Source: `torch.nn.Module.register_full_backward_hook`.
        """
        return ModuleHookHandle(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook):
        """PyTorch's older name of `register_full_backward_hook`: the gradients are those of the whole module."""
        return self.register_full_backward_hook(hook)

    def _has_hooks(self):
        return (  # asked at each call of each module, hence no loop
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or everywhere[AFTER]
            or everywhere[BEFORE]
            or everywhere[BACKWARD]
            or everywhere[BEFORE_BACKWARD]
        )

    def _all_hooks(self, kind):
        return [*everywhere[kind].items(), *getattr(self, kind).items()]

    def _forward_between_hooks(self, args, kwargs):
        """`forward` with what the hooks make of its arguments and of its result."""
        result, waiting = None, {handle: hook for handle, hook in self._all_hooks(AFTER) if handle.always_call}
        try:
            for handle, hook in self._all_hooks(BEFORE):
                args, kwargs = self._before_forward(handle, hook, args, kwargs)
            boundary = None
            if self._all_hooks(BACKWARD) or self._all_hooks(BEFORE_BACKWARD):
                boundary = Boundary(self)
                args = boundary.enter(args)
            result = self.forward(*args, **kwargs)
            for handle, hook in self._all_hooks(AFTER):
                waiting.pop(handle, None)
                result = self._after_forward(handle, hook, args, kwargs, result)
            return result if boundary is None else boundary.leave(result)
        except Exception as error:
            for handle, hook in waiting.items():
                try:
                    result = self._after_forward(handle, hook, args, kwargs, result)
                except Exception as second:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                        f"another error was raised in forward: {second}",
                        stacklevel=3,
                    )
                    raise error from second
            raise

    def _before_forward(self, handle, hook, args, kwargs):
        if not handle.with_kwargs:
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
            return args, kwargs
        changed = hook(self, args, kwargs)
        if changed is None:
            return args, kwargs
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise RuntimeError(
                f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
            )
        return changed

    def _after_forward(self, handle, hook, args, kwargs, result):
        changed = hook(self, args, kwargs, result) if handle.with_kwargs else hook(self, args, result)
        return result if changed is None else changed


class Entrance(Operation):
    """The tensors that enter a module with backward hooks, copied"""

    formula = "dx = dy, or what the module's backward hooks return for it"

    @staticmethod
    def forward(ctx, meet, *arrays):
        ctx.meet = meet
        return tuple([array.copy(order="K") for array in arrays])

    @staticmethod
    def backward(ctx, *grads):
        needed = ctx.needs_input_grad[1:]
        return (None, *ctx.meet([grad if wanted else None for grad, wanted in zip(grads, needed)]))


class Exit(Entrance):
    """The tensors that leave a module with backward hooks, copied"""

    formula = "dx = dy, or what the module's backward pre-hooks return for it"
    materialize = False


class Boundary:
    """One call of a module whose backward hooks want the gradients of its inputs and of its results.

    Copies of the tensors, so that in-place operations inside cannot reach what lies outside, mark the module's borders
    in the graph.
    """

    def __init__(self, module):
        self.module, self.entered, self.grad_outputs = module, False, None
        self.arguments = ()  # (shape, dtype) of those that are tensors, None for the others

    def enter(self, args):
        """The arguments, those that are tensors through `Entrance`."""
        self.arguments = [(arg.shape, arg.dtype) if isinstance(arg, Tensor) else None for arg in args]
        changed = self._through(Entrance, args, self._enter_backward)
        self.entered = changed is not None
        return changed if self.entered else args

    def leave(self, result):
        """The result, its tensors through `Exit`."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=5,
            )
            return result
        several = isinstance(result, tuple)
        changed = self._through(Exit, result if several else (result,), self._exit_backward)
        if changed is None:
            return result
        if not several:
            return changed[0]
        return type(result)(*changed) if hasattr(result, "_fields") else changed

    def _through(self, operation, values, meet):
        """`values` with their tensors through the operation; None if none of them has a gradient."""
        places = [index for index, value in enumerate(values) if isinstance(value, Tensor)]
        if not is_grad_enabled() or not any(values[index].requires_grad for index in places):
            return None
        wanting = [index for index in places if values[index].requires_grad]

        def placed(grads):
            return self._spread(wanting, grads, len(values))

        def back(grads):
            changed = meet(placed(grads))
            return [changed[index] for index in wanting]

        new = list(values)
        for index, tensor in zip(wanting, operation.apply(back, *[values[index] for index in wanting])):
            new[index] = tensor
        return tuple(new)

    @staticmethod
    def _spread(places, grads, count):
        spread = [None] * count
        for index, grad in zip(places, grads):
            spread[index] = grad
        return tuple(spread)

    def _exit_backward(self, grads):
        for _, hook in self.module._all_hooks(BEFORE_BACKWARD):
            changed = hook(self.module, grads)
            if changed is not None:
                changed = changed if isinstance(changed, tuple) else (changed,)
                if len(changed) != len(grads):
                    raise RuntimeError(
                        "Backward pre hook returned an invalid number of grad_output, "
                        f"got {len(changed)}, but expected {len(grads)}"
                    )
                grads = changed
        if self.entered:
            self.grad_outputs = grads
        else:  # no input has a gradient: nothing comes after this
            hooks = self.module._all_hooks(BACKWARD)
            if hooks:
                warnings.warn(
                    "Full backward hook is firing when gradients are computed with respect to module outputs since no "
                    "inputs require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                    "#torch.nn.Module.register_full_backward_hook for more details.",
                    stacklevel=5,
                )
            for _, hook in hooks:
                if hook(self.module, (None,) * len(self.arguments), grads) is not None:
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients."
                    )
        return grads

    def _enter_backward(self, grads):
        if self.grad_outputs is None:  # this gradient did not come by the module's results: a second derivative
            return grads
        grads = tuple(
            [
                functions["zeros"](*kind[0], dtype=kind[1]) if grad is None and kind is not None else grad
                for grad, kind in zip(grads, self.arguments)
            ]
        )
        for _, hook in self.module._all_hooks(BACKWARD):
            changed = hook(self.module, grads, self.grad_outputs)
            if changed is not None:
                changed = changed if isinstance(changed, tuple) else (changed,)
                if len(changed) != len(grads):
                    raise RuntimeError(
                        "Backward hook returned an invalid number of grad_input, "
                        f"got {len(changed)}, but expected {len(grads)}"
                    )
                grads = changed
        self.grad_outputs = None
        return grads


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module (`torch.nn.modules.module`)."""
    return ModuleHookHandle(everywhere[BEFORE], hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, result)` after the forward of every module (`torch.nn.modules.module`).

    >>> import minigrad
    >>> with register_module_forward_hook(lambda module, args, result: print(type(module).__name__)):
    ...     _ = minigrad.nn.Sequential(minigrad.nn.ReLU())(minigrad.ones(1))
    ReLU
    Sequential
    """
    return ModuleHookHandle(everywhere[AFTER], hook, False, with_kwargs, always_call)


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` before the backward of every module (`torch.nn.modules.module`)."""
    return ModuleHookHandle(everywhere[BEFORE_BACKWARD], hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` after the backward of every module (`torch.nn.modules.module`)."""
    return ModuleHookHandle(everywhere[BACKWARD], hook)
